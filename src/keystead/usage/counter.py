"""Counting accepted attempts in memory, and writing the counts down each second."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from itertools import islice

import structlog

from keystead.domain.errors import Unavailable
from keystead.domain.ids import unpack_key_id, unpack_version_id
from keystead.domain.verdict import Known
from keystead.ports import Used, UseStore

_LOG = structlog.get_logger()

MAX_VERSIONS = 100_000
PORTION = 1_000
"""How many versions are written at once: neither requests nor other writers wait long for more."""

FLUSH_INTERVAL = timedelta(seconds=1)

_Tallies = dict[bytes, list[int]]
"""By the packed ids of key and version: how many, and when the last one was, in milliseconds."""


class UseCounter:
    """Implements `ports.Uses` for one event loop.

    Counts wait here for the next flush; a crash loses those since the last one. At most `max_versions` are
    held: uses of further versions are not kept, but `dropped` says how many there were.
    """

    def __init__(self, *, max_versions: int = MAX_VERSIONS) -> None:
        self._max_versions = max_versions
        self._tallies: _Tallies = {}
        self._dropped = 0

    def count(self, known: Known, now_ms: int) -> None:
        """See `ports.Uses.count`. Two steps for a version counted before: this is the hot path."""
        tally = self._tallies.get(known.ids)
        if tally is None:
            self._add(known.ids, 1, now_ms)
        else:
            tally[0] += 1
            if now_ms > tally[1]:  # noqa: PLR1730 - `max` takes three times as long
                tally[1] = now_ms

    @property
    def dropped(self) -> int:
        """See `ports.Uses.dropped`."""
        return self._dropped

    async def flush(self, store: UseStore) -> None:
        """Write the counts so far, portion by portion. What is not written is kept for the next time.

        What is counted while the store writes belongs to the next flush.
        """
        taken, self._tallies = self._tallies, {}
        try:
            while taken:
                portion = dict(islice(taken.items(), PORTION))
                await store.add_uses(_used(portion))
                for ids in portion:
                    del taken[ids]
        except Unavailable:
            self._put_back(taken)
        except BaseException:
            # Cancelled, say: perhaps written, perhaps not. For "is it still in use?" twice beats never.
            self._put_back(taken)
            raise

    async def run(
        self, store: UseStore, *, stop: asyncio.Event, interval: timedelta = FLUSH_INTERVAL
    ) -> None:
        """Flush every `interval` until `stop` is set, and once more then; whatever goes wrong, go on."""
        stopping = False
        while not stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval.total_seconds())
            stopping = stop.is_set()
            try:
                await self.flush(store)
            except Exception:  # noqa: BLE001 - the store may be mended meanwhile, and the counts are kept
                _LOG.exception("uses could not be written down")

    def _add(self, ids: bytes, count: int, at_ms: int) -> None:
        tally = self._tallies.get(ids)
        if tally is not None:
            tally[0] += count
            tally[1] = max(tally[1], at_ms)
        elif len(self._tallies) < self._max_versions:
            self._tallies[ids] = [count, at_ms]
        else:
            self._dropped += count

    def _put_back(self, taken: _Tallies) -> None:
        for ids, (count, at_ms) in taken.items():
            self._add(ids, count, at_ms)


def _used(tallies: _Tallies) -> list[Used]:
    return [
        Used(unpack_key_id(ids), unpack_version_id(ids), count, last_used_ms)
        for ids, (count, last_used_ms) in tallies.items()
    ]
