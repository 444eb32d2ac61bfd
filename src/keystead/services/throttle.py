"""How often a principal may call our own API: GCRA in this process, bounded in memory."""

from collections import OrderedDict
from datetime import datetime

from keystead.domain.gcra import Admitted, Rate, Refused, take

MOST_PRINCIPALS = 10_000
"""Beyond these, the one unseen for longest is forgotten, and begins afresh."""


class Throttle:
    """Takes one call at a time from each principal's allowance."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._tats: OrderedDict[str, int] = OrderedDict()

    def take(self, principal: str, now: datetime) -> Admitted | Refused:
        """Admit a call by `principal` at `now`, or say when the next may; a refused one costs nothing."""
        taken = take(self.rate, self._tats.get(principal), int(now.timestamp() * 1_000_000))
        if isinstance(taken, Admitted):
            self._tats[principal] = taken.tat_us
        # Refused ones too: who keeps asking must not be forgotten, and so begin afresh.
        self._tats.move_to_end(principal)
        if len(self._tats) > MOST_PRINCIPALS:
            self._tats.popitem(last=False)
        return taken
