"""Counting accepted attempts in memory, and writing the counts down each second."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import chain, islice

import structlog

from keystead.domain.errors import Unavailable
from keystead.domain.ids import unpack_ids
from keystead.domain.verdict import Known
from keystead.ports.store import Used, UseStore

_LOG = structlog.get_logger()

MAX_VERSIONS = 100_000
PORTION = 1_000
"""How many versions are written at once: neither requests nor other writers wait long for more."""

FLUSH_INTERVAL = timedelta(seconds=1)

_Counts = Iterable[tuple[bytes, int]]
"""How many uses, by the packed ids of key and version."""


class UseCounter:
    """Implements `ports.store.Uses` for one event loop.

    Counts wait here for the next flush; a crash loses those since the last one. At most `max_versions` are
    held: uses of further versions are not kept, but `dropped` says how many there were.
    """

    def __init__(self, *, max_versions: int = MAX_VERSIONS) -> None:
        self._max_versions = max_versions
        # Bytes and numbers only: a value of its own for each version would have the garbage collector look
        # at a hundred thousand of them again and again.
        self._counts: dict[bytes, int] = {}
        self._last_ms: dict[bytes, int] = {}
        self._dropped = 0

    def count(self, known: Known, now_ms: int) -> None:
        """See `ports.store.Uses.count`."""
        self._add(known.ids, 1, now_ms)

    @property
    def dropped(self) -> int:
        """See `ports.store.Uses.dropped`."""
        return self._dropped

    async def flush(self, store: UseStore) -> None:
        """Write the counts so far, portion by portion. What is not written is kept for the next time.

        What is counted while the store writes belongs to the next flush.
        """
        waiting, last_ms = iter(self._counts.items()), self._last_ms
        self._counts, self._last_ms = {}, {}
        portion: _Counts = []
        try:
            while portion := list(islice(waiting, PORTION)):
                await store.add_uses([_used(ids, uses, last_ms[ids]) for ids, uses in portion])
        except Unavailable:
            self._put_back(chain(portion, waiting), last_ms)
        except BaseException:
            # Cancelled, say: perhaps written, perhaps not. For "is it still in use?" twice beats never.
            self._put_back(chain(portion, waiting), last_ms)
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

    def _add(self, ids: bytes, uses: int, last_ms: int) -> None:
        counts = self._counts
        before = counts.get(ids)
        if before is not None:
            counts[ids] = before + uses
            if last_ms > self._last_ms[ids]:  # noqa: PLR1730 - `max` takes three times as long
                self._last_ms[ids] = last_ms
        elif len(counts) < self._max_versions:
            counts[ids] = uses
            self._last_ms[ids] = last_ms
        else:
            self._dropped += uses

    def _put_back(self, counts: _Counts, last_ms: Mapping[bytes, int]) -> None:
        for ids, uses in counts:
            self._add(ids, uses, last_ms[ids])


def _used(ids: bytes, uses: int, last_ms: int) -> Used:
    return Used(*unpack_ids(ids), uses, last_ms)
