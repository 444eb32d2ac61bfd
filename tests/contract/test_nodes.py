"""Nodes that report: what they applied, and when they were seen by the primary's clock."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.ids import IdKind, NodeId
from keystead.domain.instants import MILLISECOND
from keystead.ports.store import Node
from keystead.storage.sql.schema import changes, nodes
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import identifier, subject

SECOND = timedelta(seconds=1)


def node(number: int = 1, *, name: str | None = None, applied_epoch: int = 0) -> Node:
    return Node(
        id=NodeId(identifier(IdKind.NODE, number)),
        name=name or f"node-{number}",
        applied_epoch=applied_epoch,
        mark=mark(applied_epoch) if applied_epoch else b"",
    )


def mark(epoch: int) -> bytes:
    return epoch.to_bytes(8)


async def reach(store: SqlStore, newest: int) -> None:
    """Let the primary's history be that long."""
    async with store.write() as tables:
        for epoch in range(await tables.changes.newest() + 1, newest + 1):
            await tables.changes.append([subject()], mark(epoch))


async def report(store: SqlStore, *reported: Node) -> None:
    async with store.write() as tables:
        for it in reported:
            await tables.nodes.upsert(it)


async def listed(store: SqlStore, seen_within: timedelta | None = None) -> list[Node]:
    async with store.read() as tables:
        return [it for it, _ in await tables.nodes.list(seen_within)]


async def unseen_for(engine: AsyncEngine, it: Node, span: timedelta) -> None:
    """Put back when a node was seen."""
    stored = sa.type_coerce(nodes.c.seen_at, sa.BigInteger)
    earlier = sa.type_coerce(stored - span // MILLISECOND, nodes.c.seen_at.type)
    async with engine.begin() as connection:
        await connection.execute(sa.update(nodes).where(nodes.c.id == it.id).values(seen_at=earlier))


async def test_nodes_are_listed_by_name(store: SqlStore) -> None:
    assert await listed(store) == []
    await reach(store, 2)
    made = [node(3, name="a"), node(1, name="b"), node(2, name="b"), node(4, name="B", applied_epoch=2)]
    await report(store, *made)
    assert await listed(store) == [made[3], made[0], made[1], made[2]]


async def test_a_node_is_told_by_its_id_and_may_get_another_name(store: SqlStore) -> None:
    await reach(store, 2)
    await report(store, node(name="old", applied_epoch=1))
    await report(store, node(name="new", applied_epoch=2))
    assert await listed(store) == [node(name="new", applied_epoch=2)]


async def test_an_applied_epoch_of_this_history_never_goes_back(store: SqlStore) -> None:
    await reach(store, 8)
    await report(store, node(applied_epoch=7))
    await report(store, node(applied_epoch=5))
    assert await listed(store) == [node(applied_epoch=7)]
    await report(store, node(applied_epoch=7), node(applied_epoch=8))
    assert await listed(store) == [node(applied_epoch=8)]


async def test_a_point_of_another_history_confirms_nothing_but_is_a_sign_of_life(
    store: SqlStore, engine: AsyncEngine
) -> None:
    await reach(store, 7)
    swapped, beyond = replace(node(applied_epoch=5), mark=b"another"), node(applied_epoch=120)
    for other in (swapped, beyond):
        await report(store, other)
        assert await listed(store) == [node()]
        await report(store, node(applied_epoch=6))
        assert await listed(store) == [node(applied_epoch=6)]
        await unseen_for(engine, other, 10 * SECOND)
        await report(store, other)
        assert await listed(store, 5 * SECOND) == [node()]


async def test_an_applied_epoch_goes_back_from_a_point_that_is_not_in_the_history_any_more(
    store: SqlStore, engine: AsyncEngine
) -> None:
    await reach(store, 9)
    await report(store, node(applied_epoch=9))
    async with engine.begin() as connection:
        await connection.execute(sa.delete(changes).where(changes.c.epoch > 4))
    await report(store, node(applied_epoch=4))
    assert await listed(store) == [node(applied_epoch=4)]


async def test_every_report_is_a_sign_of_life(store: SqlStore) -> None:
    await reach(store, 3)
    seen = []
    for epoch in (3, 3, 2):
        await report(store, node(applied_epoch=epoch))
        async with store.read() as tables:
            [(_, at)] = await tables.nodes.list()
        seen.append(at)
        await asyncio.sleep(0.01)
    assert seen[0] < seen[1] < seen[2]


async def test_a_node_is_seen_by_the_primarys_clock(store: SqlStore) -> None:
    before = await store.now() or datetime.now(UTC)
    await report(store, node())
    after = await store.now() or datetime.now(UTC)
    async with store.read() as tables:
        [(_, at)] = await tables.nodes.list()
    assert at.tzinfo is not None
    # What is stored is a whole millisecond.
    assert before - timedelta(milliseconds=1) <= at <= after + timedelta(milliseconds=1)


async def test_nodes_not_seen_within_a_span_can_be_left_out(store: SqlStore, engine: AsyncEngine) -> None:
    await report(store, node(1), node(2), node(3))
    await unseen_for(engine, node(2), 10 * SECOND)
    await unseen_for(engine, node(3), 20 * SECOND)
    assert await listed(store, 5 * SECOND) == [node(1)]
    assert await listed(store, 15 * SECOND) == [node(1), node(2)]
    assert await listed(store) == [node(1), node(2), node(3)]
    await report(store, node(3))
    assert await listed(store, 5 * SECOND) == [node(1), node(3)]


async def test_only_nodes_unseen_for_longer_are_purged(store: SqlStore, engine: AsyncEngine) -> None:
    await report(store, node(1), node(2), node(3))
    await unseen_for(engine, node(2), 5 * SECOND)
    await unseen_for(engine, node(3), 20 * SECOND)
    for expected in (1, 0):
        async with store.write() as tables:
            assert await tables.nodes.purge(10 * SECOND) == expected
        assert await listed(store) == [node(1), node(2)]


async def test_two_that_report_at_once_leave_the_newer(store: SqlStore) -> None:
    await reach(store, 9)
    await asyncio.gather(*(report(store, node(applied_epoch=epoch)) for epoch in (4, 9, 2, 7)))
    assert await listed(store) == [node(applied_epoch=9)]
