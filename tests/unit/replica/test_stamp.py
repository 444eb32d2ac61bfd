"""The shared page says when the node was level, and is never believed about an instant to come."""

import pytest

from keystead.replica.stamp import LONG_AGO_MS, Stamp, boot_ms


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
