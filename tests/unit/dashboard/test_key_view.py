"""What a key looks like at one instant: its state, whether its end is near, which old tokens live."""

from datetime import timedelta

import pytest

from keystead.dashboard.key_view import ShownKey, State
from tests.contract.samples import DAY, NOW, key, version

OLD = version(1, created_at=NOW - 9 * DAY, retires_at=NOW + DAY)
GONE = version(1, created_at=NOW - 9 * DAY, retires_at=NOW)


def shown(**changes: object) -> ShownKey:
    plain = {"expires_at": None, "lifetime": None, "disabled_at": None, "revoked_at": None}
    return ShownKey(key=key(**{**plain, **changes}), now=NOW, public_methods=("GET", "HEAD"))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, State.ACTIVE),
        ({"versions": (OLD, version(2))}, State.ROLLING),
        ({"versions": (GONE, version(2))}, State.ACTIVE),
        ({"versions": (OLD, version(2)), "disabled_at": NOW}, State.DISABLED),
        ({"expires_at": NOW}, State.EXPIRED),
        ({"revoked_at": NOW, "disabled_at": NOW}, State.REVOKED),
    ],
)
def test_a_key_is_in_one_state(changes: dict[str, object], state: State):
    assert shown(**changes).state is state


@pytest.mark.parametrize(
    ("left", "lifetime", "near"),
    [
        pytest.param(14 * DAY, 365 * DAY, True, id="two weeks left of a year"),
        pytest.param(14 * DAY + timedelta(seconds=1), 365 * DAY, False, id="a second more"),
        pytest.param(7 * DAY, 8 * DAY, False, id="most of a short life left"),
        pytest.param(2 * DAY, 8 * DAY, True, id="the last quarter of a short life"),
        pytest.param(timedelta(0), 8 * DAY, False, id="it has ended already"),
    ],
)
def test_an_end_is_warned_of_when_it_is_near(left: timedelta, lifetime: timedelta, near: bool):  # noqa: FBT001
    assert shown(expires_at=NOW + left, lifetime=lifetime).ends_soon is near


def test_tokens_are_shown_newest_first():
    seen = shown(versions=(OLD, version(2))).versions
    assert [it.current for it in seen] == [True, False]
    assert [it.live for it in seen] == [True, True]
