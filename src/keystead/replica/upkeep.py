"""The file that an applier keeps level: taking it up, applying to it, and changing it for a new one."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress

import lmdb
import structlog

from keystead.domain.errors import Unavailable
from keystead.ports.replica import BEGINNING, News, Point, Refusal, Source
from keystead.replica.build import Builder, Place, build, building, copy
from keystead.replica.files import Files, Opened, reading
from keystead.replica.format import Damaged
from keystead.replica.hand import Hand
from keystead.replica.histories import Lost, find_lost, newest_common, read_points
from keystead.replica.stamp import Stamp, boot_ms, boot_ns
from keystead.replica.writer import Writer

_LOG = structlog.get_logger()

_CHECK_READERS_EVERY_MS = 10_000
_STRAYS_AFTER_MS = 2_000
# A file that is damaged anew each time, or seems so, must not keep the primary busy.
_REBUILD_AGAIN_AFTER_MS = 30_000
_RETRY_FIRST_MS, _RETRY_LAST_MS = 500, 30_000
_LITTLE_NEWS, _MOST_ROUNDS = 100, 20


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
        self._hand, self._builders_hand = Hand(), Hand()
        self._opened: Opened | None = None
        self._writer: Writer | None = None
        # Held from asking for news until they are applied: what came between would be overwritten by them.
        self._coming_level = asyncio.Lock()
        # Held while the file is changed for another, or read beside the applier's loop.
        self._in_use = asyncio.Lock()
        self._rebuild_wanted = False
        self._rebuilt_at: int | None = None
        self._beside: asyncio.Task[None] | None = None
        self._failures = self._begin_at = 0
        self._strays_at: int | None = None
        self._readers_at = 0

    def take_over(self) -> None:
        """Begin with the newest whole file there is, if there is one. This process holds the node's lock."""
        self._stamp.take()
        self._files.begin_writing()
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
        opened = self._files.look_at(generation)
        try:
            with reading():
                writer = Writer(opened, self._source.read_rules)
                applied, outdated = writer.applied(), writer.is_outdated()
        except BaseException:
            self._files.dismiss(opened)
            raise
        if applied.epoch < self._stamp.applied_epoch:
            # What was revoked since then would be accepted, and the stamp still say how young the file is.
            self._stamp.never_level()
        self._files.change_to(opened)
        self._opened, self._writer = opened, writer
        self.at, self._rebuild_wanted = applied, outdated
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
        if not self._is_damaged():
            return False
        last = self._rebuilt_at
        return last is None or boot_ms() - last >= _REBUILD_AGAIN_AFTER_MS

    def _is_damaged(self) -> bool:
        return self._opened is not None and self._stamp.distrusted == self._opened.generation

    async def begin_rebuild(self) -> None:
        """Have a new file built if one is needed: beside the old one, which is kept level; now if none is."""
        if self._beside is not None and self._beside.done():
            beside, self._beside = self._beside, None
            self._note_end(beside)
        if self._beside is not None or not self.must_rebuild():
            return
        if self._opened is None:
            await self._rebuild()
        elif boot_ms() >= self._begin_at:
            self._beside = asyncio.create_task(self._build_beside())

    async def come_level(self) -> int:
        """Apply all that is new; says, in `boot_ms`, since when nothing newer was there.

        A file that the primary's history cannot bring level is made anew, and nothing is applied meanwhile.
        """
        async with self._coming_level:
            began_ns = boot_ns()
            while (news := await self._source.news(self.at)) is None:
                await self._drop_beside()
                await self._rebuild()
                began_ns = boot_ns()
            # What is applied is of the primary's history: told before there is more, which may be waited for.
            self._stamp.looked(began_ns)
            if news.passed:
                await self.apply(news)
            elif self._opened is not None and self._stamp.applied_epoch != self.at.epoch:
                # The primary that was owned up to is gone, and the one of this file's history is back.
                self._stamp.committed(self._opened.generation, self.at.epoch)
            return began_ns // 1_000_000

    async def _rebuild(self) -> None:
        """Make a new file from the primary, and change to it; until then the old one is read."""
        damaged = self._is_damaged()
        _LOG.info("the replica is built anew", generation=self._stamp.generation, damaged=damaged)
        with self._salvaging() as before:
            if before is not None:
                await self._own_up(before)
        place = self._place()
        with self._leaving_nothing(place.generation):
            async with self._source.snapshot() as snapshot:
                await build(place, snapshot, self._source.read_rules, self._keep_forgotten)
            await self._change_to(place.generation, damaged=damaged)

    async def _build_beside(self) -> None:
        """Make a new file, bring it level with the present one, which goes on, and change to it."""
        generation, damaged = self._stamp.generation, self._is_damaged()
        _LOG.info("the replica is built anew, and kept level", generation=generation, damaged=damaged)
        place = self._place()
        async with AsyncExitStack() as changing:
            changing.enter_context(self._leaving_nothing(place.generation))
            async with (
                self._source.snapshot() as snapshot,
                building(place, snapshot, self._source.read_rules) as builder,
            ):
                await copy(place, snapshot, builder)
                await self._keep_standing(builder)
                for _ in range(_MOST_ROUNDS):
                    if await self._catch_up(builder) <= _LITTLE_NEWS:
                        break
                await place.hand(builder.make_durable)
                # From here on nothing is applied to the present file, until the new one is the present one.
                await changing.enter_async_context(self._coming_level)
                await self._catch_up(builder)
                await self._require_beyond(builder)
                await place.hand(builder.finish)
            await self._change_to(place.generation, damaged=damaged)

    @contextmanager
    def _leaving_nothing(self, generation: int) -> Iterator[None]:
        """Remove this generation, whole or not, if the block fails to change to it.

        Whoever takes over would begin with it, though the present one has gone on beyond it.
        """
        try:
            yield
        except BaseException:
            if self._stamp.generation != generation:
                self._files.folder.remove(generation)
            raise

    @contextmanager
    def _salvaging(self) -> Iterator[Opened | None]:
        """The present file, to be read in this block for what must be kept of it; None if it may not be."""
        if self._opened is None or not self._is_damaged():
            yield self._opened
            return
        with self._stamp.salvaging(self._opened.generation) as may:
            if not may:
                _tell_unreadable(self._opened)
            yield self._opened if may else None

    async def _keep_forgotten(self, builder: Builder) -> None:
        """Keep what the primary forgot, if its history is another one now."""
        with self._salvaging() as before:
            lost = None if before is None else await self._find_lost(before, builder.point)
            await self._builders_hand(builder.keep, lost)

    async def _keep_standing(self, builder: Builder) -> None:
        """Histories are the same, or the build will come to nothing: only what stands already is kept."""
        async with self._in_use:
            with self._salvaging() as before:
                lost = None if before is None else await self._find_standing(before)
                await self._builders_hand(builder.keep, lost)

    async def _catch_up(self, builder: Builder) -> int:
        """Write what is new to a file being built; says about how much it was."""
        news = await self._source.news(builder.point)
        if news is None:
            raise Unavailable("database")
        if news.passed:
            await self._builders_hand(builder.apply, news)
        return max(len(news.passed), len(news.versions))

    async def _require_beyond(self, builder: Builder) -> None:
        """Raise Unavailable unless the new file is of the present one's history and at least as far in it."""
        points = [it for it in (self.at, builder.point) if it != BEGINNING]
        same = [await self._source.newest_common([it]) == it for it in points]
        if not all(same) or self.at.epoch > builder.point.epoch:
            raise Unavailable("database")
        async with self._in_use:
            with self._salvaging() as before:
                # One that was confirmed, and then lifted for good reason, must not stand again.
                if before and not await self._builders_hand(builder.refuses_no_more_than, before):
                    raise Unavailable("replica")

    async def _change_to(self, generation: int, *, damaged: bool) -> None:
        async with self._in_use:
            self._use(generation)
        if damaged:
            self._rebuilt_at = boot_ms()
        _LOG.info("the replica was built", generation=generation, epoch=self.at.epoch)

    async def _drop_beside(self) -> None:
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.wait([self._beside])
            beside, self._beside = self._beside, None
            self._note_end(beside)

    def _note_end(self, beside: "asyncio.Task[None]") -> None:
        error = None if beside.cancelled() else beside.exception()
        if error is None:
            self._failures = 0
            return
        if self._failures == 0 or not isinstance(error, Unavailable):
            _LOG.warning("the replica could not be built anew", cause=repr(error), exc_info=error)
        self._begin_at = boot_ms() + min(_RETRY_FIRST_MS * 2**self._failures, _RETRY_LAST_MS)
        self._failures = min(self._failures + 1, 16)

    def _place(self) -> Place:
        folder = self._files.folder
        generation = max([self._stamp.generation, *folder.generations()]) + 1
        return Place(folder, self._stamp, self._builders_hand, generation)

    async def _own_up(self, before: Opened) -> None:
        """Say at once how far the primary's history was applied, if it is not the one that was."""
        with suppress(Damaged):
            history, _ = await self._hand(read_points, before)
            common = await newest_common(self._source, self.at, history)
            if common != self.at:
                self._stamp.committed(before.generation, common.epoch)
                _LOG.warning(
                    "the primary's history is another one",
                    applied_epoch=self.at.epoch,
                    common_epoch=common.epoch,
                    generation=before.generation,
                )

    async def _find_standing(self, before: Opened) -> Lost | None:
        try:
            history, _ = await self._builders_hand(read_points, before)
        except Damaged:
            _tell_unreadable(before)
            return None
        return Lost(before, self.at, history, self.at)

    async def _find_lost(self, before: Opened, point: Point) -> Lost | None:
        try:
            return await find_lost(self._source, before, self.at, point, self._builders_hand)
        except Damaged:
            _tell_unreadable(before)
            return None

    async def _mend(self, cause: BaseException | None) -> None:
        if isinstance(cause, lmdb.PanicError):
            # LMDB writes no more after a failure in the very last step, until the file is opened anew.
            await self._drop_beside()
            async with self._in_use:
                self._files.close()
                self.take_over()

    async def clear_away(self) -> None:
        """Remove other generations once their readers had time to move, and the views of dead readers."""
        now = boot_ms()
        _, opened = self._current()
        if self._strays_at is not None and now >= self._strays_at and self._beside is None:
            self._strays_at = None
            for other in self._files.folder.generations():
                if other != opened.generation:
                    self._files.folder.remove(other)
        if now - self._readers_at >= _CHECK_READERS_EVERY_MS:
            self._readers_at = now
            async with self._in_use:
                writer, _ = self._current()
                await self._hand(writer.remove_dead_readers)

    async def apply(self, news: News) -> None:
        """Apply all that has changed, and tell it; all of it or nothing."""
        writer, opened = self._current()
        try:
            self.at = await self._hand(_apply_and_tell, writer, news, self._stamp, opened.generation)
        except Damaged:
            self._stamp.distrust(opened.generation)
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

    def _current(self) -> tuple[Writer, Opened]:
        if self._opened is None or self._writer is None:
            raise Damaged
        return self._writer, self._opened

    async def step_down(self) -> None:
        """Leave the file to another process, all of it on the disk; a build under way comes to nothing."""
        await self._drop_beside()
        self._files.end_writing()
        if self._writer is not None:
            await self._hand(self._writer.sync)

    def close(self) -> None:
        """End the threads that write; nothing must be under way."""
        self._hand.close()
        self._builders_hand.close()


def _tell_unreadable(before: Opened) -> None:
    """Say that a file is given up: to try again would find no more in it."""
    _LOG.warning("nothing could be kept of the damaged replica", generation=before.generation)


def _apply_and_tell(writer: Writer, news: News, stamp: Stamp, generation: int) -> Point:
    point = writer.apply(news)
    stamp.committed(generation, point.epoch)
    return point
