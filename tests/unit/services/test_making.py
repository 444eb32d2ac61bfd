"""What binds a key that makes or changes keys: its own reach within its kind, nothing between kinds."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from keystead.domain.constraints import make_constraints
from keystead.domain.errors import Denied
from keystead.domain.keys import Environment, KeyType, OwnerKind
from keystead.domain.reach import reach_of
from keystead.domain.tokens import TokenKind, make_token
from keystead.services.making import maker_reach, require_maker, require_within, token_kind
from tests.contract.samples import DAY, NOW, key, personal_key, root_key

NARROW = {
    "constraints": make_constraints([("prefix", "/apps/", ["GET"])]),
    "allowed_origins": ("https://a.example",),
    "allowed_networks": ("10.0.0.0/8",),
    "scopes": ("verify",),
    "expires_at": NOW + DAY,
    "lifetime": DAY,
}


MAKERS = {
    "nobody": None,
    "root key": root_key(2, **NARROW),
    "personal key": personal_key(3, **NARROW),
    "app key": key(4, **NARROW),
}
MADE = {OwnerKind.APP: key(9), OwnerKind.USER: personal_key(9), OwnerKind.INSTANCE: root_key(9)}


@pytest.mark.parametrize("kind", OwnerKind)
@pytest.mark.parametrize("name", MAKERS)
def test_a_maker_is_bound_within_its_kind_only(name, kind):
    binds = {
        ("root key", OwnerKind.INSTANCE),
        ("personal key", OwnerKind.USER),
        ("app key", OwnerKind.APP),
    }
    maker = MAKERS[name]
    assert maker_reach(maker, kind) == (reach_of(maker) if (name, kind) in binds else None)


@pytest.mark.parametrize("kind", OwnerKind)
@pytest.mark.parametrize("name", MAKERS)
def test_what_is_wider_is_refused_within_a_kind(name, kind):
    maker = MAKERS[name]
    if maker_reach(maker, kind) is None:
        require_within(maker, MADE[kind])
        return
    with pytest.raises(Denied, match=r"^constraints: wider than the key that asks") as refusal:
        require_within(maker, MADE[kind])
    assert refusal.value.code == "beyond-reach"
    require_within(maker, replace(MADE[kind], **NARROW))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"constraints": ()}, "constraints"),
        ({"allowed_origins": ()}, "allowed_origins"),
        ({"allowed_networks": ()}, "allowed_networks"),
        ({"scopes": ("verify", "keys:*")}, "scopes"),
        ({"expires_at": None, "lifetime": None}, "expires_at"),
    ],
)
def test_the_wider_field_is_named(changes, field):
    with pytest.raises(Denied, match=rf"^{field}: .*Keep within its own {field}\.$"):
        require_within(MAKERS["root key"], replace(root_key(9, **NARROW), **changes))


@pytest.mark.parametrize("name", MAKERS)
def test_an_ephemeral_key_makes_none(name):
    maker = MAKERS[name]
    require_maker(SimpleNamespace(maker=maker))
    if maker is None:
        return
    with pytest.raises(Denied, match="ephemeral") as refusal:
        require_maker(SimpleNamespace(maker=replace(maker, ephemeral=True)))
    assert refusal.value.code == "ephemeral-makes-none"


@pytest.mark.parametrize(
    ("key_type", "owner", "kind", "word"),
    [
        (KeyType.SECRET, OwnerKind.APP, TokenKind.SECRET, "sk"),
        (KeyType.PUBLIC, OwnerKind.APP, TokenKind.PUBLIC, "pk"),
        (KeyType.SECRET, OwnerKind.USER, TokenKind.SECRET, "sk"),
        (KeyType.PUBLIC, OwnerKind.USER, TokenKind.PUBLIC, "pk"),
        (KeyType.SECRET, OwnerKind.INSTANCE, TokenKind.ROOT, "rk"),
    ],
)
def test_a_token_says_what_it_opens(key_type, owner, kind, word):
    assert token_kind(key_type, owner) is kind
    assert make_token("ks", kind, Environment.LIVE, bytes(32)).reveal().split("_")[1] == word
