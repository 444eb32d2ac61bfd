"""The file that an applier keeps level: taking it up, applying to it, and changing it for a new one."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import lmdb
import structlog

from keystead.domain.errors import Unavailable
from keystead.ports import BEGINNING, News, Point, Refusal, Source
from keystead.replica.build import Place, build
from keystead.replica.files import Files, Opened
from keystead.replica.format import Damaged
from keystead.replica.hand import Hand
from keystead.replica.histories import Lost, find_lost, newest_common
from keystead.replica.stamp import Stamp, boot_ms
from keystead.replica.writer import Writer

_LOG = structlog.get_logger()

_CHECK_READERS_EVERY_MS = 10_000
_STRAYS_AFTER_MS = 2_000
# A file that is damaged anew each time, or seems so, must not keep the primary busy.
_REBUILD_AGAIN_AFTER_MS = 30_000


class Upkeep:
    """The current file of a replica, in the process that applies. Every method raises Unavailable."""

    def __init__(self, files: Files, stamp: Stamp, source: Source) -> None:
        self.at: Point = BEGINNING
        """The newest point applied."""
        self.refusing = asyncio.Event()
        """Set while local refusals stand."""
        self._files = files
        self._stamp = stamp
        self._source = source
        self._hand = Hand()
        self._opened: Opened | None = None
        self._writer: Writer | None = None
        # Held while the file is changed for another, or read beside the applier's loop.
        self._in_use = asyncio.Lock()
        self._rebuild_wanted = False
        self._rebuilt_at: int | None = None
        self._strays_at: int | None = None
        self._readers_at = 0

    def take_over(self) -> None:
        """Begin with the newest whole file there is, if there is one. This process holds the node's lock."""
        self._stamp.take()
        self._opened = self._writer = None
        self.at, self._readers_at = BEGINNING, 0
        folder = self._files.folder
        # None older than the last one: what was revoked since then would be accepted again.
        whole = [it for it in folder.generations() if it >= self._stamp.generation]
        for generation in reversed(whole):
            with suppress(Damaged):
                self._use(generation)
                break
        else:
            self._files.close()
        _LOG.info("this process applies changes", generation=self._stamp.generation, epoch=self.at.epoch)

    def _use(self, generation: int) -> None:
        """From here on this generation is the one. Raises Damaged and Unavailable, and nothing is changed."""
        opened = self._files.open(generation)
        writer = Writer(opened, self._source.read_rules)
        self.at, self._rebuild_wanted = writer.applied(), writer.is_outdated()
        self._opened, self._writer = opened, writer
        self._stamp.committed(generation, self.at.epoch)
        self._strays_at = boot_ms() + _STRAYS_AFTER_MS
        if writer.standing:
            self.refusing.set()
        else:
            self.refusing.clear()

    def must_rebuild(self) -> bool:
        """Whether there is no file, or one that is damaged or outdated."""
        if self._opened is None or self._rebuild_wanted:
            return True
        if self._stamp.distrusted != self._opened.generation:
            return False
        last = self._rebuilt_at
        return last is None or boot_ms() - last >= _REBUILD_AGAIN_AFTER_MS

    async def rebuild(self) -> None:
        """Make a new file from the primary, and change to it; until then the old one is read."""
        before = self._opened
        damaged = before is not None and self._stamp.distrusted == before.generation
        if damaged and before is not None and not self._stamp.may_salvage(before.generation):
            before = None
        _LOG.info("the replica is built anew", generation=self._stamp.generation, damaged=damaged)
        if before is not None:
            await self._own_up(before)
        async with self._source.snapshot() as snapshot:
            place = Place(self._files.folder, self._stamp, self._hand)

            async def lost() -> Lost | None:
                return None if before is None else await self._find_lost(before, snapshot.point)

            generation = await build(place, snapshot, self._source.read_rules, lost)
        async with self._in_use:
            self._use(generation)
        if damaged:
            self._rebuilt_at = boot_ms()
        _LOG.info("the replica was built", generation=generation, epoch=self.at.epoch)

    async def _own_up(self, before: Opened) -> None:
        """Say at once how far the primary's history was applied, if it is not the one that was."""
        writer, generation = self._current()
        with suppress(Damaged):
            history = await self._hand(writer.history)
            common = await newest_common(self._source, self.at, history)
            if common != self.at:
                self._stamp.committed(before.generation, common.epoch)
                _LOG.warning(
                    "the primary's history is another one",
                    applied_epoch=self.at.epoch,
                    common_epoch=common.epoch,
                    generation=generation,
                )

    async def _find_lost(self, before: Opened, point: Point) -> Lost | None:
        try:
            return await find_lost(self._source, before, point, self._hand)
        except Damaged:
            _LOG.warning("nothing could be kept of the damaged replica", generation=before.generation)
            return None

    async def _mend(self, cause: BaseException | None) -> None:
        if isinstance(cause, lmdb.PanicError):
            # LMDB writes no more after a failure in the very last step, until the file is opened anew.
            async with self._in_use:
                self._files.close()
                self.take_over()

    async def clear_away(self) -> None:
        """Remove other generations once their readers had time to move, and the views of dead readers."""
        now = boot_ms()
        writer, generation = self._current()
        if self._strays_at is not None and now >= self._strays_at:
            self._strays_at = None
            for other in self._files.folder.generations():
                if other != generation:
                    self._files.folder.remove(other)
        if now - self._readers_at >= _CHECK_READERS_EVERY_MS:
            self._readers_at = now
            await self._hand(writer.remove_dead_readers)

    async def apply(self, news: News) -> None:
        """Apply all that has changed, and tell it; all of it or nothing."""
        writer, generation = self._current()
        try:
            self.at = await self._hand(_apply_and_tell, writer, news, self._stamp, generation)
        except Damaged:
            self._stamp.distrust(generation)
            raise
        except Unavailable as exc:
            await self._mend(exc.__cause__)
            raise
        if not writer.standing:
            self.refusing.clear()

    async def awaiting(self) -> Sequence[Refusal]:
        """The local refusals that are to be brought to the primary again."""
        async with self._in_use:
            writer, _ = self._current()
            return await self._hand(writer.awaiting)

    def _current(self) -> tuple[Writer, int]:
        if self._opened is None or self._writer is None:
            raise Damaged
        return self._writer, self._opened.generation

    async def sync(self) -> None:
        """Make sure that all of it is on the disk."""
        if self._writer is not None:
            await self._hand(self._writer.sync)

    def close(self) -> None:
        """End the thread that writes; nothing must be under way."""
        self._hand.close()


def _apply_and_tell(writer: Writer, news: News, stamp: Stamp, generation: int) -> Point:
    point = writer.apply(news)
    stamp.committed(generation, point.epoch)
    return point
