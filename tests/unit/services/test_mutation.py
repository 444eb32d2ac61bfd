"""What audit shows of a change: plain values, what differs, and never a secret."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from keystead.domain.keys import By, ByKind, KeyType
from keystead.domain.tenants import Ceiling, Suspension
from keystead.domain.tokens import Token
from keystead.services.mutation import Changed, _differences, _snapshot
from tests.contract.samples import (
    BY,
    DAY,
    NOW,
    app,
    full_key,
    key,
    link,
    member,
    organization,
    scope,
    user,
    version,
)

TOKEN = Token("_".join(["ks", "pk", "live", "0123456789ABCDEFGHIJKLMNOPQRSTUV" + "1VnVUQ"]))
OTHER = Token("_".join(["ks", "pk", "live", "ZZZZ456789ABCDEFGHIJKLMNOPQRSTUV" + "1VnVUQ"]))


def version_of(token, number=1, **changes):
    made = {"digest": token.digest, "start": token.start, "last4": token.last4, "token": token.reveal()}
    return version(number, **made, use_count=41, last_used_at=NOW, **changes)


PUBLIC = key(type=KeyType.PUBLIC, versions=(version_of(OTHER, 1, retires_at=NOW), version_of(TOKEN, 2)))
SECRET = key(versions=(replace(version_of(TOKEN), token=None),))

RECORDED = [
    pytest.param(PUBLIC, id="public key"),
    pytest.param(SECRET, id="secret key"),
    pytest.param(replace(full_key(), versions=PUBLIC.versions), id="key with everything"),
    pytest.param(version_of(TOKEN), id="version"),
    pytest.param(
        organization(
            ceiling=Ceiling(scopes=("a:b",), max_lifetime=DAY), suspension=Suspension(at=NOW, by=BY)
        ),
        id="organization",
    ),
    pytest.param(app(allowed_origins=("https://a.example",)), id="app"),
    pytest.param(user(password=TOKEN.reveal()), id="user"),
    pytest.param(link(digest=TOKEN.digest), id="link"),
    pytest.param(member(), id="member"),
    pytest.param(scope(), id="scope"),
]


def walked(value):
    """Every name and value inside, at any depth."""
    yield value
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from walked(inner)
        case list():
            for inner in value:
                yield from walked(inner)


def is_secret(value):
    if isinstance(value, bytes | Token):
        return True
    return isinstance(value, str) and any(
        value in {"digest", "token"} or token.reveal() in value for token in (TOKEN, OTHER)
    )


def has_secret(shown):
    return any(is_secret(value) for value in walked(shown))


def test_the_search_for_secrets_finds_them():
    for secret in (TOKEN, TOKEN.digest, "token", f"x{OTHER.reveal()}"):
        assert has_secret({"a": [{"b": secret}]})
    assert has_secret({"a": [{"digest": None}]})
    assert not has_secret({"a": [{"start": TOKEN.start, "last4": TOKEN.last4}]})


@pytest.mark.parametrize("value", RECORDED)
def test_a_snapshot_never_holds_digest_or_token(value):
    shown = _snapshot(value)
    assert not has_secret(shown)
    written = msgspec.json.encode(shown)
    for token in (TOKEN, OTHER):
        assert token.reveal().encode() not in written
        assert token.digest.hex().encode() not in written
        # The start is for people; the fifth random character is not.
        assert token.reveal()[: len(token.start) + 1].encode() not in written


def test_differences_never_hold_digest_or_token():
    for pair in [(None, PUBLIC), (PUBLIC, None), (PUBLIC, SECRET), (SECRET, PUBLIC), (PUBLIC, full_key())]:
        for shown in _differences(*pair):
            assert not has_secret(shown)


@pytest.mark.parametrize("value", RECORDED)
def test_a_snapshot_is_plain_json_and_reads_back(value):
    shown = _snapshot(value)
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown


@pytest.mark.parametrize("value", RECORDED)
def test_counters_and_revisions_are_no_change(value):
    names = {it for it in walked(_snapshot(value)) if isinstance(it, str)}
    assert names.isdisjoint({"use_count", "last_used_at", "revision"})


def test_a_rotation_shows_which_version_came_and_what_retired():
    before = key(versions=(version_of(OTHER, 1),))
    after = replace(
        before, versions=(version_of(OTHER, 1, retires_at=NOW + DAY), version_of(TOKEN, 2)), revision=2
    )
    old, new = _differences(before, after)
    assert list(old) == list(new) == ["versions"]
    assert [it["retires_at"] for it in old["versions"]] == [None]
    assert [it["retires_at"] for it in new["versions"]] == ["2026-03-02T12:00:00.123Z", None]
    assert [it["last4"] for it in new["versions"]] == [OTHER.last4, TOKEN.last4]


def test_only_what_differs_is_shown():
    before = organization(labels={"a": "x"})
    after = replace(before, name="New", ceiling=Ceiling(max_lifetime=timedelta(hours=2)), revision=5)
    old, new = _differences(before, after)
    assert old == {
        "name": before.name,
        "ceiling": {"scopes": None, "max_lifetime": None, "public_methods": ["GET", "HEAD"]},
    }
    assert new == {
        "name": "New",
        "ceiling": {"scopes": None, "max_lifetime": 7200, "public_methods": ["GET", "HEAD"]},
    }


def test_what_was_made_has_no_before_and_what_is_gone_no_after():
    assert _differences(None, scope()) == (None, _snapshot(scope()))
    assert _differences(scope(), None) == (_snapshot(scope()), None)


def test_what_did_not_change_shows_nothing():
    assert _differences(full_key(), replace(full_key(), revision=99, use_count=0, last_used_at=None)) == (
        {},
        {},
    )


def test_who_and_when_are_shown_as_the_api_writes_them():
    shown = _snapshot(app(suspension=Suspension(at=NOW, by=By(kind=ByKind.OPERATOR, id="local"))))
    assert shown["suspension"] == {
        "at": "2026-03-01T12:00:00.123Z",
        "by": {"kind": "operator", "id": "local"},
    }


def test_what_a_mutation_leaves_prints_the_start_of_its_token_only():
    changed = Changed(value=SECRET, epoch=1, token=TOKEN)
    assert TOKEN.reveal() not in repr(changed)
    assert TOKEN.start in repr(changed)
