"""The generic cell rate algorithm (ITU-T I.371): a rate limit whose whole state is one instant.

Instants are whole microseconds since any fixed epoch. In milliseconds, 300 a second would come to 250
(each unit takes 3.3 ms, rounded up), and nothing faster than 1,000 a second could be said.
"""

from dataclasses import dataclass

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`units` every `period_s` seconds on average, `burst` of them at once after a rest; each at least 1."""

    units: int
    period_s: int
    burst: int

    @property
    def unit_us(self) -> int:
        """Time in which one unit comes back, at least 1; rounded up, so that the rate is never exceeded."""
        return -(-self.period_s * _US_PER_S // self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Let through: keep `tat_us`; `remaining` units could be taken at this instant."""

    tat_us: int
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not let through, and nothing is taken.

    After `retry_after_us` (at least 1) the same cost is let through if nobody took any in between; a cost
    above the burst never is.
    """

    retry_after_us: int


def take(rate: Rate, tat_us: int | None, now_us: int, cost: int = 1) -> Admitted | Refused:
    """Take `cost` units (0 or more) at `now_us`, or none.

    `tat_us` is what the last admission gave back, None for a limit never used: all the burst is there. In any
    t seconds at most `burst + units * t / period_s` units are let through. A cost of 0 always is.
    """
    window_us = rate.burst * rate.unit_us
    # The upper bound matters only after the clock went back or the rate was lowered: without it, a clock that
    # was once years ahead would refuse for years.
    tat = now_us if tat_us is None else min(max(tat_us, now_us), now_us + window_us)
    spare_us = now_us + window_us - tat - cost * rate.unit_us
    if spare_us < 0:
        return Refused(retry_after_us=-spare_us)
    return Admitted(tat_us=tat + cost * rate.unit_us, remaining=spare_us // rate.unit_us)
