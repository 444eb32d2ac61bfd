"""What a draft asks for: its expiry, and notes as large as their JSON."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from keystead.domain.errors import InvalidInput
from keystead.domain.rotation import NewExpiry
from keystead.services.drafts import (
    KeyChange,
    Rotation,
    asked_expiry,
    drafted_labels,
    drafted_metadata,
    to_instant,
)
from tests.contract.samples import NOW


def of_size(size, character="x"):
    """An object that takes `size` bytes as JSON."""
    width = len(character.encode())
    spare = size - len('{"a":""}')
    made = {"a": character * (spare // width) + "x" * (spare % width)}
    assert len(msgspec.json.encode(made)) == size
    return made


@pytest.mark.parametrize("character", ["x", "é", "🗺"], ids=ascii)
@pytest.mark.parametrize(("size", "fits"), [(16_383, True), (16_384, True), (16_385, False)])
@pytest.mark.parametrize("drafted", [drafted_labels, drafted_metadata])
def test_labels_and_metadata_hold_16384_bytes_of_json(drafted, size, fits, character):
    items = of_size(size, character)
    if fits:
        assert drafted(items) == items
    else:
        with pytest.raises(InvalidInput, match="is 16385 bytes as JSON; keep it to 16384"):
            drafted(items)


def test_escapes_count_as_they_are_written():
    with pytest.raises(InvalidInput, match="bytes as JSON"):
        drafted_metadata({"a": '"' * 8192})
    assert drafted_metadata({"a": '"' * 8188})


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({}, None),
        ({"expires_at": None}, NewExpiry(at=None)),
        ({"expires_at": "2027-01-31T00:00:00Z"}, NewExpiry(at=datetime(2027, 1, 31, tzinfo=UTC))),
        ({"expires_in": 1}, NewExpiry(at=NOW + timedelta(seconds=1))),
    ],
    ids=["absent", "null", "an instant", "seconds from now"],
)
def test_absent_is_not_null(body, asked):
    assert asked_expiry(msgspec.convert(body, KeyChange), NOW) == asked
    assert asked_expiry(msgspec.convert(body, Rotation), NOW) == asked


@pytest.mark.parametrize("expires_at", [None, "2027-01-31T00:00:00Z"])
def test_only_one_form_of_an_expiry_is_given(expires_at):
    draft = msgspec.convert({"expires_at": expires_at, "expires_in": 60}, KeyChange)
    with pytest.raises(InvalidInput, match="expires_at or expires_in, not both"):
        asked_expiry(draft, NOW)


def test_an_instant_is_utc_in_whole_milliseconds_and_never_later_than_given():
    tokyo = timezone(timedelta(hours=9))
    given = datetime(2027, 1, 31, 9, 0, 0, 123_999, tzinfo=tokyo)
    assert to_instant(given, "f") == datetime(2027, 1, 31, 0, 0, 0, 123_000, tzinfo=UTC)
    assert to_instant(given, "f").tzinfo is UTC


@pytest.mark.parametrize(
    "given",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=1))),
    ],
    ids=["before the year 1", "after the year 9999"],
)
def test_an_instant_beyond_the_calendar_is_refused(given):
    with pytest.raises(InvalidInput, match="expires_at: is out of range"):
        to_instant(given, "expires_at")


@pytest.mark.parametrize(
    ("grace_s", "fits"), [(-1, False), (0, True), (1, True), (2_592_000, True), (2_592_001, False)]
)
def test_a_grace_is_0_to_30_days(grace_s, fits):
    if fits:
        assert msgspec.convert({"grace_s": grace_s}, Rotation).grace == timedelta(seconds=grace_s)
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"grace_s": grace_s}, Rotation)


def test_a_rotation_that_says_nothing_has_a_grace_of_12_hours():
    assert Rotation().grace == timedelta(hours=12)
