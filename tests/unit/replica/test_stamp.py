"""The shared page says when the node was level, and is never believed about an instant to come."""

import asyncio
from contextlib import suppress

import pytest

from keystead.domain.errors import Unavailable
from keystead.replica.stamp import LONG_AGO_MS, Stamp, boot_ms
from tests.unit.replica.primary import die_salvaging


@pytest.fixture
def stamp(tmp_path):
    made = Stamp(tmp_path / "stamp")
    yield made
    made.close()


def test_it_never_goes_back(stamp):
    now = boot_ms()
    stamp.level(now)
    stamp.level(now - 60_000)
    assert stamp.age_ms() < 30_000


def test_level_in_the_future_is_never_level_and_is_corrected(stamp):
    stamp.level(boot_ms() + 36_000_000)
    assert stamp.age_ms() == LONG_AGO_MS
    stamp.level(boot_ms())
    assert stamp.age_ms() < 30_000


@pytest.mark.parametrize(
    "error", [Unavailable("replica"), asyncio.CancelledError(), KeyboardInterrupt()], ids=repr
)
def test_however_a_salvage_is_survived_it_does_not_count(stamp, error):
    said = []
    for _ in range(10):
        with suppress(type(error)), stamp.salvaging(7) as may:
            said.append(may)
            raise error
    assert all(said)


def test_three_deaths_end_the_salvages_of_one_generation(stamp, tmp_path):
    for _ in range(3):
        with stamp.salvaging(7) as may:
            assert may
        die_salvaging(tmp_path / "stamp", 7)
    for _ in range(2):
        with stamp.salvaging(7) as may:
            assert not may
    with stamp.salvaging(8) as may:
        assert may
