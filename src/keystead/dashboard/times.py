"""Instants as people read them: how long ago, and exactly when."""

from datetime import UTC, datetime, timedelta, tzinfo
from math import inf
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, format_timedelta

from keystead.dashboard.texts import Texts


class _Unit(NamedTuple):
    name: Literal["minute", "hour", "day", "month", "year"]
    length: timedelta
    until: timedelta


_JUST_NOW = timedelta(minutes=1)
# Days are counted for a long time: "83 days ago" says more about an unused key than "3 months ago".
_UNITS = (
    _Unit("minute", timedelta(minutes=1), timedelta(hours=1)),
    _Unit("hour", timedelta(hours=1), timedelta(days=2)),
    _Unit("day", timedelta(days=1), timedelta(days=120)),
    _Unit("month", timedelta(days=30), timedelta(days=730)),
    _Unit("year", timedelta(days=365), timedelta.max),
)


def relative(instant: datetime, *, now: datetime, texts: Texts) -> str:
    """How long before or after `now` an instant lies: "3 minutes ago", "in 5 days".

    In whole units that have passed; what is to come is rounded, or a key made for 30 days would have 29 left
    as soon as it is made.
    """
    distance = abs(instant - now)
    if distance < _JUST_NOW:
        return texts.text("times.just-now" if instant <= now else "times.in-a-moment")
    unit = next(it for it in _UNITS if distance < it.until)
    coming = instant > now
    count = (distance + unit.length / 2 if coming else distance) // unit.length
    return format_timedelta(
        (count if coming else -count) * unit.length,
        granularity=unit.name,
        threshold=inf,  # the unit is chosen above
        add_direction=True,
        locale=texts.locale,
    )


def exact(instant: datetime, *, zone: tzinfo | None, texts: Texts) -> str:
    """Date and time to the minute where the person is, then in UTC: "14 Feb 2027, 23:59 (Madrid), 22:59 UTC".

    Only in UTC where no zone is known. The second date is left out when it is the same.
    """
    universal = instant.astimezone(UTC)
    if zone is None or zone == UTC:
        return f"{_written(universal, texts)} UTC"
    local = instant.astimezone(zone)
    again = _clock(universal, texts) if local.date() == universal.date() else _written(universal, texts)
    return f"{_written(local, texts)} ({zone_name(zone)}), {again} UTC"


def day(instant: datetime, *, zone: tzinfo | None, texts: Texts) -> str:
    """The date of an instant where the person is: "14 Feb 2027"."""
    return format_date(instant.astimezone(zone or UTC), format="medium", locale=texts.locale)


def find_zone(name: str | None) -> ZoneInfo | None:
    """The time zone of this IANA name, or None where there is no such zone."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def zone_name(zone: tzinfo) -> str:
    """What people call a zone: the city of `Europe/Madrid`."""
    return str(zone).rpartition("/")[2].replace("_", " ")


def _written(instant: datetime, texts: Texts) -> str:
    return f"{format_date(instant, format='medium', locale=texts.locale)}, {_clock(instant, texts)}"


def _clock(instant: datetime, texts: Texts) -> str:
    return format_time(instant, format="short", tzinfo=instant.tzinfo, locale=texts.locale)
