"""Nodes: which machines verify keys, and how far each has applied what was changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from keystead.domain.powers import Power
from keystead.ports.store import Node
from keystead.services.access import require
from keystead.services.context import Actor, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A node, with when it was last seen and how many epochs it is behind; `own` is the one that answers."""

    node: Node
    seen_at: datetime
    lag: int
    own: bool


async def list_nodes(context: Context, actor: Actor) -> Sequence[Listed]:
    """Every node that reports to the primary, by name, those unseen of late too; this one as it is now."""
    require(actor.principal, Power.READ_NODES)
    async with context.store.read() as tables:
        newest = await tables.changes.newest()
        seen = dict(await tables.nodes.list())
    own = own_node(context)
    return [
        Listed(
            node=node,
            seen_at=context.clock() if node is own else seen[node],
            lag=max(0, newest - node.applied_epoch),
            own=node is own,
        )
        for node in with_own(own, seen)
    ]


def own_node(context: Context) -> Node:
    """What this node is, and how far it has applied epochs by now."""
    applied_epoch = context.replica.applied_epoch()
    return Node(id=context.node_id, name=context.node_name, applied_epoch=applied_epoch)


def with_own(own: Node, reported: Iterable[Node]) -> Sequence[Node]:
    """All nodes by name: what `own` last reported gives way to what it knows of itself."""
    others = (node for node in reported if node.id != own.id)
    return sorted([own, *others], key=lambda node: (node.name, node.id))
