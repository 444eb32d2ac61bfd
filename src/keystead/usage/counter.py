"""Counting accepted attempts in memory, and writing the counts down each second."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from keystead.domain.errors import Unavailable
from keystead.domain.ids import KeyId, VersionId
from keystead.domain.verdict import Known
from keystead.ports import Used, UseStore

MAX_VERSIONS = 100_000
FLUSH_INTERVAL = timedelta(seconds=1)


@dataclass(slots=True)
class _Tally:
    key_id: KeyId
    count: int
    last_used_at: datetime


class UseCounter:
    """Implements `ports.Uses` for one event loop.

    Counts wait here for the next flush; a crash loses those since the last one. At most `max_versions` are
    held: uses of further versions are not kept, but `dropped` says how many there were.
    """

    def __init__(self, *, max_versions: int = MAX_VERSIONS) -> None:
        self._max_versions = max_versions
        self._tallies: dict[VersionId, _Tally] = {}
        self.dropped = 0

    def count(self, known: Known, now: datetime) -> None:
        """See `ports.Uses.count`."""
        self._add(known.version.id, known.key.id, 1, now)

    async def flush(self, store: UseStore) -> None:
        """Write the counts so far. If the store is Unavailable they are kept for the next time.

        What is counted while the store writes belongs to the next flush.
        """
        if not self._tallies:
            return
        taken, self._tallies = self._tallies, {}
        try:
            await store.add_uses(_used(taken))
        except Unavailable:
            self._put_back(taken)
        except BaseException:
            # Cancelled, say: perhaps written, perhaps not. For "is it still in use?" twice beats never.
            self._put_back(taken)
            raise

    async def run(
        self, store: UseStore, *, stop: asyncio.Event, interval: timedelta = FLUSH_INTERVAL
    ) -> None:
        """Flush every `interval` until `stop` is set, and once more then."""
        stopping = False
        while not stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval.total_seconds())
            stopping = stop.is_set()
            await self.flush(store)

    def _add(self, version_id: VersionId, key_id: KeyId, count: int, at: datetime) -> None:
        tally = self._tallies.get(version_id)
        if tally is not None:
            tally.count += count
            tally.last_used_at = max(tally.last_used_at, at)
        elif len(self._tallies) < self._max_versions:
            self._tallies[version_id] = _Tally(key_id, count, at)
        else:
            self.dropped += count

    def _put_back(self, taken: dict[VersionId, _Tally]) -> None:
        for version_id, tally in taken.items():
            self._add(version_id, tally.key_id, tally.count, tally.last_used_at)


def _used(tallies: dict[VersionId, _Tally]) -> list[Used]:
    return [
        Used(key_id=tally.key_id, version_id=version_id, count=tally.count, last_used_at=tally.last_used_at)
        for version_id, tally in tallies.items()
    ]
