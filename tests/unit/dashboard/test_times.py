"""Instants as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from keystead.dashboard import times

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("ago", "read"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47, minutes=59), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=83), "83 days ago"),
        (timedelta(days=121), "4 months ago"),
        (timedelta(days=800), "2 years ago"),
        (-timedelta(seconds=1), "in a moment"),
        (-timedelta(days=30) + timedelta(seconds=3), "in 30 days"),
        (-timedelta(minutes=5), "in 5 minutes"),
    ],
    ids=str,
)
def test_the_distance_is_told_in_whole_units(ago, read, english):
    assert times.relative(NOW - ago, now=NOW, texts=english) == read


def test_the_distance_is_told_in_the_reader_s_language(spanish):
    assert times.relative(NOW - timedelta(minutes=3), now=NOW, texts=spanish) == "hace 3 minutos"
    assert times.relative(NOW, now=NOW, texts=spanish) == "ahora mismo"


@pytest.mark.parametrize(
    ("instant", "zone", "read"),
    [
        (datetime(2027, 2, 14, 22, 59, tzinfo=UTC), None, "14 Feb 2027, 22:59 UTC"),
        (datetime(2027, 2, 14, 22, 59, tzinfo=UTC), UTC, "14 Feb 2027, 22:59 UTC"),
        (datetime(2027, 2, 14, 22, 59, tzinfo=UTC), MADRID, "14 Feb 2027, 23:59 (Madrid), 22:59 UTC"),
        (
            datetime(2027, 2, 14, 23, 30, tzinfo=UTC),
            MADRID,
            "15 Feb 2027, 00:30 (Madrid), 14 Feb 2027, 23:30 UTC",
        ),
    ],
    ids=["no zone", "utc", "same day", "another day"],
)
def test_the_exact_instant_is_told_where_the_reader_is_and_in_utc(instant, zone, read, english):
    assert times.exact(instant, zone=zone, texts=english) == read


@pytest.mark.parametrize("name", [None, "", "Nowhere/City", "../../etc/passwd", "x" * 300, "/etc/localtime"])
def test_what_is_no_zone_is_none(name):
    assert times.find_zone(name) is None


def test_a_zone_is_called_by_its_city():
    zone = times.find_zone("America/New_York")
    assert zone is not None
    assert times.zone_name(zone) == "New York"
