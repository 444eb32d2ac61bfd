"""What is worth a look: each finding up to its boundary, and the steps of a new app."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keystead.domain.checkup import UNROLLED_AFTER, UNUSED_AFTER, Finding, Survey, find, steps
from keystead.domain.constraints import make_constraints
from keystead.domain.keys import KeyType
from tests.contract.samples import NOW, app, key

GOOD = {
    "constraints": make_constraints([("verb", None, ["GET"])]),
    "expires_at": NOW + timedelta(days=30),
    "last_used_at": NOW,
}


def _found(one, *, of=None, now=NOW):
    return {finding for finding, about in find(of or app(), [one], now).items() if about}


def _key(**changes):
    return replace(key(), **{**GOOD, **changes})


def _made(long_ago):
    good = _key()
    return replace(good, versions=(replace(good.newest, created_at=NOW - long_ago),))


def test_nothing_stands_out_at_a_narrow_key_in_use():
    assert _found(_made(timedelta(0))) == set()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [({"constraints": ()}, Finding.NO_CONSTRAINTS), ({"expires_at": None}, Finding.NO_EXPIRY)],
)
def test_a_secret_key_that_is_wide_or_endless_is_found(changes, finding):
    assert _found(_key(**changes)) == {finding}
    assert finding not in _found(_key(**changes, type=KeyType.PUBLIC))


@pytest.mark.parametrize(
    ("ago", "found"), [(UNUSED_AFTER - timedelta(milliseconds=1), False), (UNUSED_AFTER, True)]
)
def test_a_key_is_unused_after_ninety_days(ago, found):
    assert (Finding.UNUSED in _found(_key(last_used_at=NOW - ago))) is found
    assert (Finding.UNUSED in _found(_key(last_used_at=None, created_at=NOW - ago))) is found


@pytest.mark.parametrize(
    ("ago", "found"), [(UNROLLED_AFTER - timedelta(milliseconds=1), False), (UNROLLED_AFTER, True)]
)
def test_a_key_wants_rolling_after_a_hundred_and_eighty_days(ago, found):
    assert (Finding.NOT_ROLLED in _found(_made(ago))) is found


def test_origins_of_the_app_or_of_the_key_narrow_a_public_key():
    public = _key(type=KeyType.PUBLIC)
    origins = ("https://shop.example",)
    assert Finding.PUBLIC_WITHOUT_ORIGINS in _found(public)
    assert Finding.PUBLIC_WITHOUT_ORIGINS not in _found(replace(public, allowed_origins=origins))
    assert Finding.PUBLIC_WITHOUT_ORIGINS not in _found(public, of=app(allowed_origins=origins))


def test_keys_that_are_refused_anyway_are_not_looked_at():
    wide = _key(constraints=(), expires_at=None)
    assert _found(replace(wide, revoked_at=NOW)) == set()
    assert _found(replace(wide, disabled_at=NOW)) == set()
    assert _found(_key(constraints=(), expires_at=NOW)) == set()


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ({"origin_seen_at": NOW}, True),
        ({"origin_seen_at": NOW, "retires_at": NOW + timedelta(milliseconds=1)}, True),
        ({"origin_seen_at": NOW, "retires_at": NOW}, False),
        ({}, False),
    ],
)
def test_a_token_seen_in_a_browser_is_found_until_it_retires(version, found):
    old, new = replace(key().newest, created_at=NOW, **version), replace(key(2).newest, created_at=NOW)
    seen = _key(versions=(old, new))
    assert (Finding.IN_BROWSER in _found(seen)) is found
    assert Finding.IN_BROWSER not in _found(replace(seen, type=KeyType.PUBLIC))


def test_steps_are_done_one_by_one():
    none = Survey(made=False, used=False, narrowed=False, active=0, found={})
    assert not steps(app(), none).key_made
    assert not steps(app(), replace(none, made=True)).request_accepted
    assert not steps(app(), replace(none, made=True)).narrowed
    assert steps(app(allowed_origins=("https://shop.example",)), none).narrowed
    assert steps(app(), replace(none, made=True, used=True, narrowed=True)).done
