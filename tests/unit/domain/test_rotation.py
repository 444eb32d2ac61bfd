"""Rotation on one stable id: what the new version does to the old ones, and how many may live."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import Conflict, NotFound
from keystead.domain.keys import RevokedReason, Status
from keystead.domain.rotation import (
    DEFAULT_GRACE,
    MIN_SELF_GRACE,
    NewExpiry,
    is_safe_to_retire,
    retire,
    retire_at,
    rotate,
    with_expiry,
)
from tests.contract.samples import BY, DAY, NOW, full_key, key, version, version_id
from tests.unit.domain.cases import HOUR, INSTANT

NOTHING = timedelta(0)


def rotated(held, number=99, *, now=NOW, grace=HOUR, expiry=None):
    return rotate(held, version(number, created_at=now), now=now, grace=grace, expiry=expiry)


def live(held, now):
    return [it.id for it in held.versions if it.is_live(now)]


def key_with(*retirements, **changes):
    """A key of versions 1, 2, … that retire then, oldest first."""
    held = tuple(version(number, retires_at=at) for number, at in enumerate(retirements, start=1))
    return key(versions=held, **changes)


def test_the_grace_is_12_hours_unless_said_and_an_hour_at_least_through_self():
    assert timedelta(hours=12) == DEFAULT_GRACE
    assert timedelta(hours=1) == MIN_SELF_GRACE


def test_the_new_version_is_the_newest_and_does_not_retire():
    after = rotated(key())
    assert after.newest.id == version_id(99)
    assert after.newest.retires_at is None
    assert [it.id for it in after.versions] == [version_id(1), version_id(99)]


@pytest.mark.parametrize(
    ("offset", "both_work"),
    [(-INSTANT, True), (NOTHING, False), (INSTANT, False)],
    ids=["the instant before", "at", "the instant after"],
)
def test_old_token_works_until_the_last_instant_of_grace(offset, both_work):
    after = rotated(key(), grace=HOUR)
    assert live(after, NOW + HOUR + offset) == ([version_id(1)] if both_work else []) + [version_id(99)]


@pytest.mark.parametrize(
    ("grace", "expires", "retires"),
    [
        pytest.param(HOUR, None, HOUR, id="no expiry"),
        pytest.param(HOUR, 2 * HOUR, HOUR, id="grace ends first"),
        pytest.param(HOUR, HOUR, HOUR, id="together"),
        pytest.param(HOUR, HOUR - INSTANT, HOUR - INSTANT, id="expiry an instant earlier"),
        pytest.param(HOUR, HOUR + INSTANT, HOUR, id="expiry an instant later"),
        pytest.param(HOUR, INSTANT, INSTANT, id="at the last instant before the expiry"),
        pytest.param(NOTHING, None, NOTHING, id="no grace"),
    ],
)
def test_the_current_version_retires_after_its_grace_or_at_the_expiry(grace, expires, retires):
    expires_at = None if expires is None else NOW + expires
    assert retire_at(NOW, grace, expires_at) == NOW + retires
    after = rotated(key(expires_at=expires_at), grace=grace)
    assert after.versions[0].retires_at == NOW + retires


@pytest.mark.parametrize("asked", [None, NOW + 9 * DAY, NOW + INSTANT], ids=["never", "later", "sooner"])
def test_it_is_the_expiry_before_the_rotation_that_counts(asked):
    held = key(expires_at=NOW + HOUR, lifetime=DAY)
    after = rotated(held, grace=DAY, expiry=NewExpiry(at=asked))
    assert after.versions[0].retires_at == NOW + HOUR
    assert after.expires_at == asked
    assert after.lifetime == (None if asked is None else asked - NOW)


def test_without_a_new_expiry_the_old_one_and_the_lifetime_stay():
    held = key(expires_at=NOW + HOUR, lifetime=DAY)
    after = rotated(held)
    assert (after.expires_at, after.lifetime) == (NOW + HOUR, DAY)


def test_versions_already_in_grace_keep_their_promise():
    held = key_with(NOW + INSTANT, NOW + 30 * DAY, None)
    after = rotated(held, grace=HOUR)
    assert [it.retires_at for it in after.versions] == [NOW + INSTANT, NOW + 30 * DAY, NOW + HOUR, None]


@pytest.mark.parametrize(
    ("ends", "then"),
    [(-HOUR, -HOUR), (INSTANT, INSTANT), (2 * HOUR, HOUR)],
    ids=["retired", "earlier than the grace", "later than the grace"],
)
def test_a_newest_version_with_an_end_of_its_own_is_never_given_a_later_one(ends, then):
    # What came after it was lost with a primary's history.
    after = rotated(key_with(None, NOW + ends), grace=HOUR)
    assert after.versions[1].retires_at == NOW + then
    assert after.newest.retires_at is None


def test_a_grace_of_zero_ends_every_earlier_version_at_once():
    held = key_with(NOW - HOUR, NOW + INSTANT, NOW + 30 * DAY, None)
    after = rotated(held, grace=NOTHING)
    # What had retired keeps the instant at which it did.
    assert [it.retires_at for it in after.versions] == [NOW - HOUR, NOW, NOW, NOW, None]
    assert live(after, NOW) == [version_id(99)]


def test_a_millisecond_is_a_grace():
    after = rotated(key_with(NOW + DAY, None), grace=INSTANT)
    assert [it.retires_at for it in after.versions] == [NOW + DAY, NOW + INSTANT, None]


@pytest.mark.parametrize(("living", "fits"), [(1, True), (3, True), (4, True), (5, False)])
def test_at_most_five_versions_live(living, fits):
    held = key_with(*[NOW + DAY] * (living - 1), None)
    if fits:
        assert len(live(rotated(held), NOW)) == living + 1
    else:
        with pytest.raises(Conflict, match="5 live versions") as refusal:
            rotated(held)
        assert refusal.value.code == "too-many-versions"
    assert live(rotated(held, grace=NOTHING), NOW) == [version_id(99)]


def test_versions_that_have_retired_do_not_count():
    dead = [NOW - HOUR] * 20
    assert len(live(rotated(key_with(*dead, *[NOW + DAY] * 3, None)), NOW)) == 5
    # The one that retires at this very instant is among the dead.
    assert len(live(rotated(key_with(*dead, NOW, *[NOW + DAY] * 3, None)), NOW)) == 5
    with pytest.raises(Conflict):
        rotated(key_with(*dead, NOW + INSTANT, *[NOW + DAY] * 3, None))


@pytest.mark.parametrize("grace", [NOTHING, HOUR], ids=["no grace", "grace"])
@pytest.mark.parametrize("expiry", [None, NewExpiry(at=NOW + DAY)], ids=["no expiry", "expiry"])
@pytest.mark.parametrize("expires_at", [None, NOW - HOUR], ids=["unexpired", "expired"])
def test_a_revoked_key_cannot_be_rotated(grace, expiry, expires_at):
    held = key(revoked_at=NOW, revoked_reason=RevokedReason.UNUSED, expires_at=expires_at)
    with pytest.raises(Conflict, match="revoked") as refusal:
        rotated(held, grace=grace, expiry=expiry)
    assert refusal.value.code == "revoked"


@pytest.mark.parametrize(
    ("offset", "expired"),
    [(-INSTANT, False), (NOTHING, True), (INSTANT, True)],
    ids=["the instant before", "at", "the instant after"],
)
@pytest.mark.parametrize("grace", [NOTHING, HOUR], ids=["no grace", "grace"])
def test_an_expired_key_is_not_revived_without_a_new_expiry(offset, expired, grace):
    held = key(expires_at=NOW)
    if expired:
        with pytest.raises(Conflict, match="expired") as refusal:
            rotated(held, now=NOW + offset, grace=grace)
        assert refusal.value.code == "expired"
    else:
        assert rotated(held, now=NOW + offset, grace=grace)


@pytest.mark.parametrize("at", [NOW + DAY, None], ids=["a later expiry", "no expiry any more"])
@pytest.mark.parametrize("grace", [NOTHING, HOUR, 30 * DAY], ids=str)
def test_reviving_an_expired_key_ends_all_its_earlier_versions(grace, at):
    held = key_with(NOW - DAY, NOW + DAY, NOW + DAY, NOW + DAY, NOW + DAY, None, expires_at=NOW, lifetime=DAY)
    after = rotated(held, grace=grace, expiry=NewExpiry(at=at))
    assert live(after, NOW) == [version_id(99)]
    assert after.status(NOW) is Status.ACTIVE
    assert (after.expires_at, after.lifetime) == (at, None if at is None else DAY)
    assert after.versions[0].retires_at == NOW - DAY


def test_a_disabled_key_stays_disabled():
    held = key(disabled_at=NOW - HOUR, disabled_by=BY)
    after = rotated(held)
    assert (after.disabled_at, after.disabled_by) == (NOW - HOUR, BY)
    revived = rotated(replace(held, expires_at=NOW), expiry=NewExpiry(at=NOW + DAY))
    assert revived.status(NOW) is Status.DISABLED


def test_rotating_changes_nothing_but_versions_and_expiry():
    held = replace(full_key(), revoked_at=None, revoked_reason=None)
    after = rotated(held, expiry=NewExpiry(at=NOW + 2 * DAY))
    assert after.id == held.id
    assert replace(after, versions=held.versions, expires_at=held.expires_at, lifetime=held.lifetime) == held
    old = replace(after.versions[1], retires_at=None)
    assert (after.versions[0], old) == held.versions


# --- One version by itself -------------------------------------------------------------------------------


def test_one_version_can_be_retired_now_and_the_others_stay():
    held = key_with(NOW + DAY, NOW + DAY, None)
    after = retire(held, version_id(2), NOW)
    assert [it.retires_at for it in after.versions] == [NOW + DAY, NOW, None]
    assert replace(after, versions=held.versions) == held


@pytest.mark.parametrize("at", [NOW - DAY, NOW], ids=["long ago", "at this instant"])
def test_what_has_retired_already_stays_as_it_is(at):
    held = key_with(at, None)
    assert retire(held, version_id(1), NOW) == held


@pytest.mark.parametrize("held", [key_with(None), key_with(NOW + DAY, None)], ids=["only one", "one of two"])
def test_the_newest_version_cannot_be_retired_by_itself(held):
    with pytest.raises(Conflict) as refusal:
        retire(held, held.newest.id, NOW)
    assert refusal.value.code == "newest-version"


def test_a_version_of_another_key_is_not_there():
    with pytest.raises(NotFound):
        retire(key_with(NOW + DAY, None), version_id(7), NOW)


@pytest.mark.parametrize(("at", "lifetime"), [(None, None), (NOW + HOUR, HOUR)])
def test_a_lifetime_counts_from_when_the_expiry_was_set(at, lifetime):
    held = key(created_at=NOW - 300 * DAY, expires_at=NOW + DAY, lifetime=301 * DAY)
    assert with_expiry(held, at, NOW) == replace(held, expires_at=at, lifetime=lifetime)


# --- Any story -------------------------------------------------------------------------------------------

WAITS = st.sampled_from([NOTHING, INSTANT, HOUR, HOUR, 12 * HOUR, DAY])
GRACES = st.sampled_from([NOTHING, INSTANT, HOUR, 12 * HOUR, DAY, 30 * DAY, 30 * DAY])
EXPIRIES = st.sampled_from([None, None, None, INSTANT, HOUR, DAY, 90 * DAY])
STEPS = st.lists(st.tuples(WAITS, GRACES, EXPIRIES), max_size=12)


def story(steps):
    """The key before and after each rotation that was not refused, with its instant and grace."""
    held, now = key(), NOW
    for number, (wait, grace, expiry) in enumerate(steps, start=2):
        now += wait
        asked = None if expiry is None else NewExpiry(at=now + expiry)
        try:
            after = rotated(held, number, now=now, grace=grace, expiry=asked)
        except Conflict as refusal:
            _require_due(refusal, held, now, grace, asked)
            continue
        yield held, after, now, grace
        held = after


def _require_due(refusal, held, now, grace, asked):
    if held.is_expired(now):
        assert (refusal.code, asked) == ("expired", None)
    else:
        assert refusal.code == "too-many-versions"
        assert grace > NOTHING
        assert len(live(held, now)) == 5


@given(STEPS)
def test_live_versions_are_never_above_five_and_never_none(steps):
    for _, after, now, _ in story(steps):
        assert 1 <= len(live(after, now)) <= 5


@given(STEPS)
def test_no_rotation_ever_changes_the_id_or_forgets_a_version(steps):
    for before, after, _, _ in story(steps):
        assert after.id == before.id == key().id
        assert [it.id for it in after.versions[:-1]] == [it.id for it in before.versions]
        assert [it.digest for it in after.versions[:-1]] == [it.digest for it in before.versions]


@given(STEPS)
def test_a_promise_of_grace_is_kept_unless_all_earlier_versions_end(steps):
    for before, after, now, grace in story(steps):
        ends_all = grace == NOTHING or before.is_expired(now)
        for old, new in zip(before.versions[:-1], after.versions, strict=False):
            kept = not (ends_all and old.is_live(now))
            assert new.retires_at == (old.retires_at if kept else now)
        ends = [now + grace] + ([before.expires_at] if before.expires_at else [])
        assert after.versions[-2].retires_at == (now if ends_all else min(ends))


@given(STEPS)
def test_no_rotation_ever_wakes_a_version_that_has_retired(steps):
    for before, after, now, _ in story(steps):
        dead = {it.id for it in before.versions} - set(live(before, now))
        assert dead.isdisjoint(live(after, now))


@pytest.mark.parametrize(
    ("old_used", "new_used", "safe"),
    [
        pytest.param(NOW - DAY, NOW, True, id="the new one is in use, the old one was not for a day"),
        pytest.param(NOW - DAY + timedelta(seconds=1), NOW, False, id="used a second less than a day ago"),
        pytest.param(NOW - DAY, None, False, id="the new one was never used"),
        pytest.param(None, NOW, True, id="the old one was never used, and is older than a day"),
    ],
)
def test_an_old_token_is_safe_to_retire_on_evidence(old_used, new_used, safe):
    old = version(1, created_at=NOW - 9 * DAY, retires_at=NOW + DAY, last_used_at=old_used)
    held = key(versions=(old, version(2, last_used_at=new_used)))
    assert is_safe_to_retire(held, old, NOW) is safe


def test_neither_the_newest_token_nor_a_retired_one_is_to_be_retired():
    gone = version(1, created_at=NOW - 9 * DAY, retires_at=NOW)
    held = key(versions=(gone, version(2, last_used_at=NOW - 9 * DAY)))
    assert not is_safe_to_retire(held, gone, NOW)
    assert not is_safe_to_retire(held, held.newest, NOW)
