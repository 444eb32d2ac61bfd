"""Keeping a node's replica level with the primary: one process of the node does, the others stand by."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from keystead.domain.errors import Unavailable
from keystead.ports.replica import Point, ReadOnly, Refusal, Resubmit, Source
from keystead.ports.store import Node
from keystead.replica.files import Files
from keystead.replica.lock import Lock
from keystead.replica.stamp import Stamp, boot_ms
from keystead.replica.upkeep import Upkeep

ELECTION_S = 0.1
"""How often a process that stands by looks whether the applier is gone."""

_LOG = structlog.get_logger()

_REPORT_EVERY_MS = 1_000
_RETRY_FIRST_S, _RETRY_LAST_S, _RETRY_LAST_ON_DISK_S = 0.05, 1.0, 5.0
_RESUBMIT_FIRST_S, _RESUBMIT_LAST_S = 1.0, 30.0
_RESUBMIT_AT_ONCE = 100
_WAIT_LEAST, _WAIT_MOST = timedelta(milliseconds=100), timedelta(milliseconds=500)


class Applier:
    """Applies what changes in the primary to this node's replica, while it holds the node's lock.

    `files` may be shared with a `ReplicaIndex` of this process on the same thread; whoever made them closes
    them, after `run` has ended. `node` is who reports; `resubmit` takes refusals that the primary forgot.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        *,
        files: Files,
        stamp: Stamp,
        source: Source,
        node: Node,
        resubmit: Resubmit,
        fresh_for: timedelta,
    ) -> None:
        self._stamp = stamp
        self._source = source
        self._node = node
        self._resubmit = resubmit
        self._within = min(max(fresh_for / 4, _WAIT_LEAST), _WAIT_MOST)
        self._lock = Lock(files.folder.lock)
        self._upkeep = Upkeep(files, stamp, source)
        self._nudged = asyncio.Event()
        self._changed: asyncio.Task[None] | None = None
        self._reported: tuple[int, Point] | None = None
        self._trouble: str | None = None
        self._hindrance: str | None = None
        self._hindered = 0
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Apply whenever this process is the one to do it, until `stop` is set; then let another.

        Whatever goes wrong is logged, and tried again: the replica's age tells the rest.
        """
        try:
            while not stop.is_set():
                await self._stand(stop)
                await _pause(stop, min(ELECTION_S * 2**self._hindered, _RETRY_LAST_ON_DISK_S))
        finally:
            self._upkeep.close()

    async def _stand(self, stop: asyncio.Event) -> None:
        try:
            if self._lock.take():
                self._note_hindrance(None)
                await self._term(stop)
            else:
                self._note_hindrance(None)
        except Exception as exc:  # noqa: BLE001 - nothing may end it but `stop`
            self._note_hindrance(exc)
        finally:
            self._lock.release()

    def _note_hindrance(self, hindrance: Exception | None) -> None:
        """Log what keeps this process from applying when it begins or changes, and when it has ended."""
        self._hindered = 0 if hindrance is None else min(self._hindered + 1, 16)
        told = None if hindrance is None else repr(hindrance)
        if told == self._hindrance:
            return
        self._hindrance = told
        if hindrance is None:
            _LOG.info("this process may apply changes again")
        else:
            _LOG.error("this process cannot apply changes", cause=told, exc_info=hindrance)

    def nudge(self) -> None:
        """Look at the primary at once: this process has just changed it."""
        self._nudged.set()

    async def _term(self, stop: asyncio.Event) -> None:
        self._reported = None
        stopped = asyncio.create_task(stop.wait())
        tasks = [asyncio.create_task(self._keep_level()), asyncio.create_task(self._resubmit_standing())]
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled([stopped, *tasks])
            await self._step_down()

    async def _keep_level(self) -> None:
        taken_over = False
        while True:
            try:
                if not taken_over:
                    self._upkeep.take_over()
                    taken_over = True
                await self._turn()
                self._note_trouble(None)
                await self._await_change()
            except Unavailable as exc:
                self._note_trouble(f"{exc.dependency} not available", cause=repr(exc.__cause__))
                await self._back_off(on_disk=exc.dependency == "replica")
            except Exception as exc:  # noqa: BLE001 - an error of ours must not leave the node without news
                self._note_trouble(repr(exc), exception=exc)
                await self._back_off(on_disk=True)

    async def _turn(self) -> None:
        """Look once, and be level with the primary then."""
        await self._upkeep.begin_rebuild()
        await self._upkeep.clear_away()
        began = await self._upkeep.come_level()
        await self._report()
        # Not before: whoever waits for this node may rely on having heard of it since it was last level.
        self._stamp.level(began)

    async def _report(self) -> None:
        now, at = boot_ms(), self._upkeep.at
        if self._reported is not None:
            reported_at, reported = self._reported
            if reported == at and now - reported_at < _REPORT_EVERY_MS:
                return
        try:
            await self._source.report(replace(self._node, applied_epoch=at.epoch, mark=at.mark))
        except ReadOnly:
            # Level all the same: a primary that refuses this refuses changes, too. Tried again each turn.
            return
        self._reported = now, at

    async def _resubmit_standing(self) -> None:
        pause_s = _RESUBMIT_FIRST_S
        while True:
            await self._upkeep.refusing.wait()
            try:
                for some in _portions(await self._upkeep.awaiting()):
                    await self._resubmit(some)
                self.nudge()
            except Unavailable:
                pass
            except Exception:  # noqa: BLE001 - it is tried again
                _LOG.exception("refusals could not be brought to the primary")
            await asyncio.sleep(pause_s)
            going_on = self._upkeep.refusing.is_set()
            pause_s = min(2 * pause_s, _RESUBMIT_LAST_S) if going_on else _RESUBMIT_FIRST_S

    async def _await_change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.create_task(self._source.changed(self._within))
        nudged = asyncio.create_task(self._nudged.wait())
        try:
            await asyncio.wait([self._changed, nudged], return_when=asyncio.FIRST_COMPLETED)
        finally:
            nudged.cancel()
        self._nudged.clear()
        if self._changed.done():
            changed, self._changed = self._changed, None
            changed.result()

    async def _back_off(self, *, on_disk: bool) -> None:
        most_s = _RETRY_LAST_ON_DISK_S if on_disk else _RETRY_LAST_S
        pause_s = min(_RETRY_FIRST_S * 2**self._failures, most_s)
        self._failures = min(self._failures + 1, 16)
        pause_s *= random.uniform(0.5, 1)  # noqa: S311 - no secret, only not all at once
        # Whoever waits nudges each moment, and a try may copy the whole primary: a nudge is heard after this.
        least_s = min(pause_s, _RETRY_LAST_S if on_disk else _RETRY_FIRST_S)
        await asyncio.sleep(least_s)
        # Not `wait_for`, which swallows a cancellation that comes together with the nudge.
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s - least_s):
                await self._nudged.wait()
        self._nudged.clear()

    def _note_trouble(
        self, trouble: str | None, *, cause: str | None = None, exception: Exception | None = None
    ) -> None:
        """Log what stands in the way when it begins and when it ends, not each time."""
        if trouble is None:
            self._failures = 0
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            _LOG.info("level with the primary again", epoch=self._upkeep.at.epoch)
        else:
            _LOG.warning("not level with the primary", trouble=trouble, cause=cause, exc_info=exception)

    async def _step_down(self) -> None:
        if self._changed is not None:
            changed, self._changed = self._changed, None
            await _cancelled([changed])
        with suppress(Unavailable):
            await self._upkeep.step_down()


def _portions(refusals: Sequence[Refusal]) -> Iterator[Sequence[Refusal]]:
    return (refusals[at : at + _RESUBMIT_AT_ONCE] for at in range(0, len(refusals), _RESUBMIT_AT_ONCE))


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
