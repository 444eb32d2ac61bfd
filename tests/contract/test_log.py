"""The audit log, change numbers, and the small tables."""

import pytest

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict
from keystead.ports.store import AuditFilter, Page, Position
from keystead.storage.sql.engine import is_postgresql
from keystead.storage.sql.schema import MILLISECOND
from keystead.storage.sql.seam import Refused
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import DAY, NOW, entry, organization_id, recorded, scope, subject
from tests.contract.watch import statements


async def test_audit_entries_come_back_newest_first(store: SqlStore) -> None:
    made = [
        entry(1),
        entry(2, before=None, address=None, request_id=None, epoch=None),
        entry(3, at=NOW + DAY, after={}),
        entry(4, organization_id=organization_id(2)),
        entry(5, organization_id=None),
    ]
    async with store.write() as tables:
        assert await tables.audit.newest_at() is None
        await tables.audit.append(made)
        await tables.audit.append([])
        assert await tables.audit.newest_at() == NOW + DAY
        first = await tables.audit.list(organization_id(), AuditFilter(), Page(limit=2))
        assert first.items == [made[2], made[1]]
        assert first.more
        rest = Page(after=Position(at=NOW, id=made[1].id))
        assert (await tables.audit.list(organization_id(), AuditFilter(), rest)).items == [made[0]]


async def test_one_mutation_is_one_epoch(store: SqlStore, engine) -> None:
    both = [subject(1), Subject(kind=SubjectKind.SCOPE, id="maps:read"), subject(1)]
    async with store.write() as tables:
        assert await tables.changes.newest() == 0
        assert await tables.changes.append(both, b"m" * 8) == 1
        assert await tables.changes.append([subject(1)], b"n" * 8) == 2
        assert await tables.changes.newest() == 2
    async with engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT epoch, mark FROM changes ORDER BY epoch")).all()
    assert [(row.epoch, bytes(row.mark)) for row in rows] == [(1, b"m" * 8)] * 2 + [(2, b"n" * 8)]


async def test_an_epoch_of_one_subject_is_one_statement_on_postgresql(store: SqlStore, engine) -> None:
    async with store.write() as tables, statements(engine) as sent:
        assert await tables.changes.append([subject(1)], b"m" * 8) == 1
    assert len(sent) == (1 if is_postgresql(engine) else 2)


async def test_an_epoch_of_nothing_is_a_broken_invariant(store: SqlStore) -> None:
    with pytest.raises(AssertionError):
        async with store.write() as tables:
            await tables.changes.append([], b"m")


async def test_an_idempotency_record_comes_back_and_is_purged(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.idempotency.insert(recorded(1))
        await tables.idempotency.insert(recorded(2, at=NOW - DAY, epoch=None))
        await tables.idempotency.insert(recorded(4, at=NOW - DAY - MILLISECOND))
        asked = ("key_p", "POST", "/api/v1/organizations")
        assert await tables.idempotency.find(*asked, "once-1") == recorded(1)
        assert await tables.idempotency.find(*asked, "once-3") is None
        assert await tables.idempotency.purge(NOW - DAY - 2 * MILLISECOND) == 0
        assert await tables.idempotency.purge(NOW - DAY) == 2
        assert await tables.idempotency.find(*asked, "once-2") is None
        assert await tables.idempotency.purge(NOW - MILLISECOND) == 0


async def test_a_second_idempotency_record_is_a_conflict(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.idempotency.insert(recorded())
    with pytest.raises(Conflict) as caught:
        async with store.write() as tables:
            await tables.idempotency.insert(recorded(epoch=9))
    assert caught.value.code == "idempotency-in-progress"


async def test_scopes_come_back_are_changed_and_deleted(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.scopes.insert(scope())
        await tables.scopes.update(scope(description="Other", customer_grantable=False))
        assert await tables.scopes.find("maps:read") == scope(description="Other", customer_grantable=False)
        await tables.scopes.delete("maps:read")
        assert await tables.scopes.find("maps:read") is None


async def test_scopes_are_listed_and_found_together(store: SqlStore) -> None:
    made = [scope("a:read"), scope("b:read", customer_grantable=False), scope("c:read", created_at=NOW - DAY)]
    async with store.write() as tables:
        for one in made:
            await tables.scopes.insert(one)
        assert (await tables.scopes.list(Page(), grantable_only=False)).items == [made[1], made[0], made[2]]
        assert (await tables.scopes.list(Page(), grantable_only=True)).items == [made[0], made[2]]
        rest = Page(after=Position(at=NOW, id="b:read"), limit=1)
        assert (await tables.scopes.list(rest, grantable_only=False)).items == [made[0]]
        assert await tables.scopes.find_many(["c:read", "none", "a:read"]) == [made[0], made[2]]
        assert await tables.scopes.find_many([]) == []


async def test_a_fact_is_kept_once(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.facts.insert("instance", "1")
        assert await tables.facts.find("instance") == "1"
        assert await tables.facts.find("other") is None
    with pytest.raises(Refused):
        async with store.write() as tables:
            await tables.facts.insert("instance", "2")
    async with store.read() as tables:
        assert await tables.facts.find("instance") == "1"
