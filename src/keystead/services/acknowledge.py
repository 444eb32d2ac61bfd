"""Epoch acknowledgement: a change is answered once its own node has applied it, or once all nodes have.

A node confirms an epoch by reporting to the primary that it has applied it; this node is asked itself.
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
        if actor.wait is None:
            changed = await verb(context, actor, *args, **options)
            await await_own(context, changed.epoch)
            return changed
        # Looked at before too: should the primary go away in between, nobody unheard counts as confirmed.
        watch = _Watch(context)
        await watch.look()
        changed = await verb(context, actor, *args, **options)
        return replace(changed, acknowledgement=await watch.acknowledgement(changed.epoch, actor.wait))

    return waiting


async def await_own(context: Context, epoch: int | None) -> None:
    """Wait until this node has applied an epoch, if one was made; not for ever."""
    if epoch is not None:
        await context.replica.await_applied(epoch, OWN_BOUND)


class _Watch:
    """How far all nodes are, as of the last look at the primary."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen_within = timedelta(milliseconds=context.freshness.stale_limit_ms) + MARGIN
        self._nodes: Sequence[Node] = ()
        self._awaited: int | None = None

    async def look(self) -> int:
        """Read how far the nodes are; returns the newest epoch. Raises Unavailable."""
        async with self._context.store.read() as tables:
            newest = await tables.changes.newest()
            listed = await tables.nodes.list(self._seen_within)
        self._nodes = [node for node, _ in listed]
        return newest

    async def acknowledgement(self, epoch: int | None, within: timedelta) -> Acknowledgement:
        """Wait until every node has applied `epoch` (None: the newest), or for `within`."""
        self._awaited = epoch
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
                await self._context.replica.await_applied(self._awaited, pause)
            with suppress(Unavailable):
                newest = await self.look()
                self._awaited = newest if self._awaited is None else self._awaited
                if not self._as_known().lagging:
                    return
            await asyncio.sleep(pause.total_seconds())

    def _as_known(self) -> Acknowledgement:
        nodes = with_own(own_node(self._context), self._nodes)
        return Acknowledgement(
            confirmed=tuple(it for it in nodes if self._is_confirmed(it)),
            lagging=tuple(it for it in nodes if not self._is_confirmed(it)),
        )

    def _is_confirmed(self, node: Node) -> bool:
        return self._awaited is not None and node.applied_epoch >= self._awaited


def _pauses() -> Iterator[timedelta]:
    return chain(repeat(_EAGER, _EAGER_POLLS), repeat(_STEADY))
