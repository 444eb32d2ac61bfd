"""Epoch acknowledgement: a change is answered once its own node has applied it, or once all nodes have.

A node confirms an epoch by reporting to the primary that it has applied it; this node is asked itself. A
number alone confirms nothing: the primary may just have been put back, and then numbers come again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from itertools import chain, repeat
from typing import Any, Concatenate, ParamSpec, TypeVar

from keystead.domain.errors import Unavailable
from keystead.ports.store import Node
from keystead.services.context import Actor, Context
from keystead.services.mutation import Acknowledgement, Changed
from keystead.services.nodes import own_node, with_own

OWN_BOUND = timedelta(seconds=2)
"""How long a change waits for its own node, unless its caller waits for all."""

MARGIN = timedelta(seconds=5)
"""Beyond the stale limit: a node that was seen last so long ago refuses by itself."""

_EAGER, _EAGER_POLLS = timedelta(milliseconds=5), 20
_STEADY = timedelta(milliseconds=20)

P = ParamSpec("P")
T = TypeVar("T")


def acknowledged(
    verb: Callable[Concatenate[Context, Actor, P], Coroutine[Any, Any, Changed[T]]],
) -> Callable[Concatenate[Context, Actor, P], Coroutine[Any, Any, Changed[T]]]:
    """Make a verb that changes something return only when its own node has applied the epoch.

    With `actor.wait` it waits for every node, that long at most, and tells which have confirmed. Where
    nothing was changed it waits for the newest epoch, by which whatever it found came to be. What was
    committed is returned whatever becomes of the waiting, which holds neither lock nor connection.
    """

    @wraps(verb)
    async def waiting(context: Context, actor: Actor, /, *args: P.args, **options: P.kwargs) -> Changed[T]:
        since = _Since(context)
        noting = replace(actor, on_epoch=since.note)
        if actor.wait is None:
            changed = await verb(context, noting, *args, **options)
            await await_own(context, changed.epoch, since.ns())
            return changed
        # Looked at before too: should the primary go away in between, nobody unheard counts as confirmed.
        watch = _Watch(context)
        await watch.look()
        changed = await verb(context, noting, *args, **options)
        if changed.epoch is not None:
            watch.await_epoch(changed.epoch, since.ns())
        return replace(changed, acknowledgement=await watch.acknowledgement(actor.wait))

    return waiting


async def await_own(context: Context, epoch: int | None, since_ns: int | None = None) -> None:
    """Wait until this node has applied an epoch, if one was made; not for ever.

    `since_ns` is when it was made, by `Replica.instant_ns`; now unless said.
    """
    if epoch is not None:
        since_ns = context.replica.instant_ns() if since_ns is None else since_ns
        await context.replica.await_applied(epoch, OWN_BOUND, since_ns)


class _Since:
    """Since when whoever looks at the primary sees the history that a mutation's epoch is of.

    That is when it was made, not when it was answered: the look that finds it may begin in between, and no
    other has to be waited for. One that an earlier request made is there at the latest by now.
    """

    def __init__(self, context: Context) -> None:
        self._replica = context.replica
        self._ns: int | None = None

    def note(self) -> None:
        self._ns = self._replica.instant_ns()

    def ns(self) -> int:
        return self._replica.instant_ns() if self._ns is None else self._ns


class _Watch:
    """How far all nodes are, as of the last look at the primary."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen_within = timedelta(milliseconds=context.freshness.stale_limit_ms) + MARGIN
        self._nodes: Sequence[Node] = ()
        self._awaited: int | None = None
        self._since_ns = 0

    def await_epoch(self, epoch: int, since_ns: int) -> None:
        """Say what is waited for; unless said, the newest epoch."""
        self._awaited, self._since_ns = epoch, since_ns

    async def look(self) -> int:
        """Read how far the nodes are; returns the newest epoch. Raises Unavailable."""
        async with self._context.store.read() as tables:
            newest = await tables.changes.newest()
            listed = await tables.nodes.list(self._seen_within)
        self._nodes = [node for node, _ in listed]
        return newest

    async def acknowledgement(self, within: timedelta) -> Acknowledgement:
        """Wait until every node has applied what is waited for, or for `within`."""
        looking = asyncio.create_task(self._look_until_level())
        try:
            # Not `wait_for`, which would go on waiting for a driver that hears no answer.
            await asyncio.wait([looking], timeout=within.total_seconds())
        finally:
            looking.cancel()
        return self._as_known()

    async def _look_until_level(self) -> None:
        for pause in _pauses():
            if self._awaited is not None:
                await self._context.replica.await_applied(self._awaited, pause, self._since_ns)
            with suppress(Unavailable):
                newest = await self.look()
                if self._awaited is None:
                    self.await_epoch(newest, self._context.replica.instant_ns())
                if not self._as_known().lagging:
                    return
            await asyncio.sleep(pause.total_seconds())

    def _as_known(self) -> Acknowledgement:
        own = own_node(self._context)
        nodes = with_own(own, self._nodes)
        confirmed = tuple(it for it in nodes if self._is_confirmed(it, own=it is own))
        lagging = tuple(it for it in nodes if it not in confirmed)
        return Acknowledgement(confirmed=confirmed, lagging=lagging)

    def _is_confirmed(self, node: Node, *, own: bool) -> bool:
        if self._awaited is None:
            return False
        # What others report the primary itself has compared with its history.
        if own:
            return self._context.replica.has_applied(self._awaited, self._since_ns)
        return node.applied_epoch >= self._awaited


def _pauses() -> Iterator[timedelta]:
    return chain(repeat(_EAGER, _EAGER_POLLS), repeat(_STEADY))
