"""Counting accepted attempts in memory, and what came with an `Origin`; written down each second."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import chain, islice

import structlog

from keystead.domain.errors import Unavailable
from keystead.domain.ids import unpack_ids
from keystead.domain.verdict import Known
from keystead.ports.store import Seen, Used, UseStore

_LOG = structlog.get_logger()

MAX_VERSIONS = 100_000
PORTION = 1_000
"""How many versions are written at once: neither requests nor other writers wait long for more."""

FLUSH_INTERVAL = timedelta(seconds=1)

_Counts = Iterable[tuple[bytes, int]]
"""How many uses, or an instant, by the packed ids of key and version."""


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
        self._origins_ms: dict[bytes, int] = {}
        self._dropped = 0

    def count(self, known: Known, now_ms: int) -> None:
        """See `ports.store.Uses.count`."""
        self._add(known.ids, 1, now_ms)

    def see_origin(self, known: Known, now_ms: int) -> None:
        """See `ports.store.Uses.see_origin`. What is not kept for want of room is kept the next time."""
        self._see(known.ids, now_ms)

    @property
    def dropped(self) -> int:
        """See `ports.store.Uses.dropped`."""
        return self._dropped

    async def flush(self, store: UseStore) -> None:
        """Write what is kept so far, portion by portion. What is not written is kept for the next time.

        What is counted while the store writes belongs to the next flush.
        """
        await self._flush_uses(store)
        await self._flush_origins(store)

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

    async def _flush_uses(self, store: UseStore) -> None:
        counts, last_ms = self._counts, self._last_ms
        self._counts, self._last_ms = {}, {}

        async def write(portion: _Counts) -> None:
            await store.add_uses([_used(ids, uses, last_ms[ids]) for ids, uses in portion])

        def put_back(unwritten: _Counts) -> None:
            for ids, uses in unwritten:
                self._add(ids, uses, last_ms[ids])

        await _in_portions(counts, write, put_back)

    async def _flush_origins(self, store: UseStore) -> None:
        seen, self._origins_ms = self._origins_ms, {}

        async def write(portion: _Counts) -> None:
            await store.see_origins([Seen(unpack_ids(ids)[1], at_ms) for ids, at_ms in portion])

        def put_back(unwritten: _Counts) -> None:
            for ids, at_ms in unwritten:
                self._see(ids, at_ms)

        await _in_portions(seen, write, put_back)

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

    def _see(self, ids: bytes, at_ms: int) -> None:
        seen = self._origins_ms
        if ids in seen or len(seen) < self._max_versions:
            seen[ids] = max(at_ms, seen.get(ids, at_ms))


async def _in_portions(
    items: Mapping[bytes, int],
    write: Callable[[Sequence[tuple[bytes, int]]], Awaitable[None]],
    put_back: Callable[[_Counts], None],
) -> None:
    waiting = iter(items.items())
    portion: Sequence[tuple[bytes, int]] = []
    try:
        while portion := list(islice(waiting, PORTION)):
            await write(portion)
    except Unavailable:
        put_back(chain(portion, waiting))
    except BaseException:
        # Cancelled, say: perhaps written, perhaps not. For "is it still in use?" twice beats never.
        put_back(chain(portion, waiting))
        raise


def _used(ids: bytes, uses: int, last_ms: int) -> Used:
    return Used(*unpack_ids(ids), uses, last_ms)
