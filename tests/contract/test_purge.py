"""What goes by itself leaves a word of itself: to the replicas, and in the audit log."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.instants import at_ms
from keystead.domain.keys import ByKind
from keystead.ports.replica import BEGINNING
from keystead.ports.store import AuditFilter, Page
from keystead.services import housekeeping
from keystead.services.context import Context, Seals
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import DAY, NOW, digest, key, key_id, organization_id, populate, version
from tests.contract.test_nodes import listed, node, report, unseen_for
from tests.people import people


def context_of(store: SqlStore) -> Context:
    numbers = count(1)
    nothing: Any = None
    return Context(
        store=store,
        replica=nothing,
        uses=nothing,
        clock_ms=lambda: at_ms(NOW + 2 * DAY),
        entropy=lambda length: next(numbers).to_bytes(length),
        seals=Seals(b"x" * 32),
        people=people(),
    )


async def keep_ended(store: SqlStore, *numbers: int) -> None:
    await populate(store)
    async with store.write() as tables:
        for number in numbers:
            held = (version(number), version(1_000 + number))
            await tables.keys.insert(key(number, ephemeral=True, expires_at=NOW, versions=held))


async def test_purged_keys_are_an_epoch_of_their_digests_and_an_audit_entry_each(
    store: SqlStore, primary
) -> None:
    await keep_ended(store, 1, 2)
    async with store.write() as tables:
        await tables.keys.insert(key(3, ephemeral=True, expires_at=NOW + 2 * DAY))
    assert await housekeeping.purge(context_of(store), DAY) == 2
    async with store.read() as tables:
        assert await tables.keys.find(key_id(1)) is None
        assert await tables.keys.find(key_id(3)) is not None
        entries = (await tables.audit.list(organization_id(), AuditFilter(), Page())).items
    assert {(it.action, it.subject, it.by.kind, it.epoch) for it in entries} == {
        ("key.purge", Subject(kind=SubjectKind.KEY, id=key_id(number)), ByKind.SYSTEM, 1) for number in (1, 2)
    }
    assert {it.before["name"] for it in entries if it.before} == {"Key 1", "Key 2"}
    source = SqlSource(primary)
    news = await source.news(BEGINNING)
    await source.close()
    assert news is not None
    assert sorted(news.gone) == sorted(map(digest, (1, 2, 1_001, 1_002)))
    assert news.versions == []


async def test_nothing_to_purge_is_no_epoch(store: SqlStore) -> None:
    await keep_ended(store, 1)
    assert await housekeeping.purge(context_of(store), timedelta(days=30)) == 0
    async with store.read() as tables:
        assert await tables.changes.newest() == 0


async def test_a_node_is_forgotten_when_it_was_not_seen_for_its_retention(
    store: SqlStore, engine: AsyncEngine
) -> None:
    context = context_of(store)
    kept_for = housekeeping.NODE_RETENTION
    await report(store, node(1), node(2))
    await unseen_for(engine, node(1), kept_for - timedelta(minutes=1))
    await unseen_for(engine, node(2), kept_for + timedelta(minutes=1))
    assert await housekeeping.purge(context, DAY) == 0
    assert await listed(store) == [node(1)]
    async with store.read() as tables:
        assert await tables.changes.newest() == 0


async def test_many_are_purged_a_transaction_at_a_time(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "PURGED_AT_ONCE", 10)
    await keep_ended(store, *range(1, 26))
    assert await housekeeping.purge(context_of(store), DAY) == 25
    async with store.read() as tables:
        assert await tables.changes.newest() == 3
