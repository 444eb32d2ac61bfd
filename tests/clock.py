"""A clock that tests move by hand."""

from datetime import UTC, datetime, timedelta

from keystead.domain.instants import at_ms

BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """Stands still until told otherwise; call it for the time."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def ms(self) -> int:
        """The time in milliseconds since 1970."""
        return at_ms(self.now)

    def advance(self, **duration: float) -> None:
        """Move on by a `timedelta` of these parts."""
        self.now += timedelta(**duration)
