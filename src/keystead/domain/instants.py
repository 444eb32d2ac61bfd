"""Instants as whole milliseconds since 1970, in UTC: how they are kept, and read on the hot path."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

FAR = datetime(9999, 12, 31, tzinfo=UTC)
"""Later than what anybody plans for."""

NEVER = 2**62
"""The milliseconds of an instant that does not come."""


def at_ms(instant: datetime) -> int:
    """An aware instant in whole milliseconds, rounded down."""
    return (instant - EPOCH) // MILLISECOND


def at(ms: int) -> datetime:
    """The instant so many milliseconds after 1970, as aware UTC."""
    return EPOCH + ms * MILLISECOND
