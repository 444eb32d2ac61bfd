"""The key and its versions: what state it is in, when it can serve an app, and what it shows of itself."""

from dataclasses import FrozenInstanceError, replace

import pytest

from keystead.domain.keys import By, ByKind, OwnerKind, RevokedReason, Status
from tests.contract.samples import BY, DAY, NOW, full_key, key, version
from tests.unit.domain.cases import INSTANT, joined


@pytest.mark.parametrize(
    ("revoked", "disabled", "expired", "status"),
    [
        (False, False, False, Status.ACTIVE),
        (False, False, True, Status.EXPIRED),
        (False, True, False, Status.DISABLED),
        (False, True, True, Status.DISABLED),
        (True, False, False, Status.REVOKED),
        (True, False, True, Status.REVOKED),
        (True, True, False, Status.REVOKED),
        (True, True, True, Status.REVOKED),
    ],
)
def test_the_status_is_the_first_of_revoked_disabled_expired(revoked, disabled, expired, status):
    held = key(
        revoked_at=NOW if revoked else None,
        disabled_at=NOW if disabled else None,
        expires_at=NOW if expired else None,
    )
    assert held.status(NOW) is status


@pytest.mark.parametrize(
    ("now", "over"),
    [(NOW - INSTANT, False), (NOW, True), (NOW + INSTANT, True)],
    ids=["the instant before", "at", "the instant after"],
)
def test_expiry_and_retirement_are_the_first_instant_of_refusal(now, over):
    held = key(expires_at=NOW)
    assert held.is_expired(now) is over
    assert held.status(now) is (Status.EXPIRED if over else Status.ACTIVE)
    assert version(retires_at=NOW).is_live(now) is not over


def test_what_has_no_end_never_ends():
    assert not key().is_expired(NOW.replace(year=9999))
    assert version().is_live(NOW.replace(year=9999))


@pytest.mark.parametrize(
    ("changes", "usable"),
    [
        pytest.param({}, True, id="active"),
        pytest.param({"revoked_at": NOW - DAY}, False, id="revoked"),
        pytest.param({"disabled_at": NOW - DAY}, False, id="disabled"),
        pytest.param({"expires_at": NOW}, False, id="expired at this instant"),
        pytest.param({"expires_at": NOW + INSTANT}, True, id="an instant before it expires"),
        pytest.param({"ephemeral": True}, False, id="ephemeral"),
        pytest.param({"versions": (version(retires_at=NOW),)}, False, id="no live version"),
        pytest.param({"versions": (version(retires_at=NOW + INSTANT),)}, True, id="a version in grace"),
        pytest.param({"versions": (version(1, retires_at=NOW), version(2))}, True, id="one of two live"),
    ],
)
def test_a_usable_key_is_active_with_a_live_version_and_not_ephemeral(changes, usable):
    assert key(**changes).is_usable(NOW) is usable


def test_the_newest_version_is_the_last():
    assert key(versions=(version(3), version(1), version(2))).newest == version(2)


@pytest.mark.parametrize(
    ("kind", "provider"),
    [
        (ByKind.KEY, False),
        (ByKind.USER, False),
        (ByKind.ROOT_KEY, True),
        (ByKind.OPERATOR, True),
        (ByKind.SYSTEM, True),
    ],
)
def test_operators_root_keys_and_keystead_itself_are_the_provider(kind, provider):
    assert By(kind=kind, id="x").is_provider is provider


def test_owners_and_reasons_are_closed_sets():
    assert [it.value for it in RevokedReason] == (
        ["unspecified", "compromised", "superseded", "owner_left", "privilege_withdrawn", "unused"]
    )
    assert [it.value for it in OwnerKind] == ["app", "user", "instance"]


def test_a_key_shows_neither_token_nor_digest():
    token = joined("ks", "pk", "live", "0123456789ABCDEFGHIJKLMNOPQRSTUVabcdef")
    held = replace(full_key(), versions=(version(token=token, digest=b"\x01" + b"digest" * 6),))
    for shown in (repr(held), str(held), repr(held.newest), f"{held.newest}", repr([held])):
        assert token not in shown
        assert "digest" not in shown
        assert held.newest.start in shown


def test_a_change_is_a_new_value():
    held = key()
    with pytest.raises(FrozenInstanceError):
        held.revoked_at = NOW
    with pytest.raises(FrozenInstanceError):
        held.newest.retires_at = NOW
    assert replace(held, disabled_by=BY) != held
