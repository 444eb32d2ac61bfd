"""Queries by key stay look-ups, and lists follow an index, when the tables grow."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.instants import MILLISECOND
from keystead.domain.keys import By, ByKind, OwnerKind, Status
from keystead.ports.store import AuditFilter, KeyFilter, KeyOrder, Page, Position
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.store import SqlStore
from keystead.storage.sql.versions import encode_key, encode_version
from tests.contract.samples import (
    DAY,
    NOW,
    app_id,
    app_owner,
    digest,
    entry,
    key,
    key_id,
    organization_id,
    populate,
    user_id,
)
from tests.contract.watch import statements

MANY = 3_000
APPS = 40


@pytest.fixture
async def many(store: SqlStore, engine: AsyncEngine) -> AsyncEngine:
    await populate(store, organizations=APPS, apps=APPS, users=APPS)
    made = [key(number, owner=app_owner(number % APPS + 1)) for number in range(1, MANY + 1)]
    async with engine.begin() as connection:
        uses = {"use_count": 0, "last_used_at": None}
        rows = [{**encode_key(one), **uses, "number": number} for number, one in enumerate(made)]
        await connection.execute(sa.insert(keys), rows)
        await connection.execute(sa.insert(versions), [encode_version(one, 0) for one in made])
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    return engine


# So few rows PostgreSQL would rather read and sort.
ONLY_INDEXES = [
    f"SET LOCAL enable_{it} = off" for it in ("seqscan", "bitmapscan", "sort", "incremental_sort")
]


async def plan_of(engine: AsyncEngine, statement: str, parameters: Any, *, only_indexes: bool = False) -> str:
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with engine.connect() as connection:
        if only_indexes and engine.dialect.name == "postgresql":
            for setting in ONLY_INDEXES:
                await connection.exec_driver_sql(setting)
        rows = (await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all()
    return "\n".join(str(row[-1]) for row in rows)


async def test_a_key_is_found_by_its_digest_or_id_by_unique_indexes(
    many: AsyncEngine, store: SqlStore
) -> None:
    async with statements(many) as sent, store.read() as tables:
        for found in (await tables.keys.find_digest(digest(MANY)), await tables.keys.find(key_id(MANY))):
            assert found is not None
            assert found.id == key_id(MANY)
    by_digest, by_id = [await plan_of(many, *it) for it in sent]
    if many.dialect.name == "sqlite":
        assert "versions USING INDEX sqlite_autoindex_versions_2 (digest=?)" in by_digest, by_digest
        for plan in (by_digest, by_id):
            assert "versions USING INDEX sqlite_autoindex_versions_3 (key_id=?)" in plan, plan
            assert "keys USING INDEX sqlite_autoindex_keys_1 (id=?)" in plan, plan
            assert "SCAN" not in plan, plan
    else:
        assert "Index Scan using uq_versions_digest on versions" in by_digest, by_digest
        for plan in (by_digest, by_id):
            assert "Index Scan using uq_versions_key_id_position on versions" in plan, plan
            assert "Index Scan using pk_keys on keys" in plan, plan
            assert not re.search(r"Seq Scan on (versions|keys)", plan), plan


async def test_whether_an_app_has_a_usable_key_is_asked_of_its_own_rows(
    many: AsyncEngine, store: SqlStore
) -> None:
    async with statements(many) as sent, store.read() as tables:
        assert await tables.keys.any_usable(app_id(1), NOW)
    (plan,) = [await plan_of(many, *it) for it in sent]
    assert "ix_keys_app_id_live" in plan, plan
    assert not re.search("SCAN (keys|versions)|Seq Scan on (keys|versions)", plan), plan


async def test_what_an_app_s_keys_come_to_is_counted_in_its_own_rows(
    store: SqlStore, many: AsyncEngine
) -> None:
    async with statements(many) as sent, store.read() as tables:
        assert (await tables.keys.survey(app_id(1), NOW)).made
    kept, revoked = [await plan_of(many, *it) for it in sent]
    assert re.search("ix_keys_app_id_(live|name)", kept), kept
    for plan in (kept, revoked):
        assert not re.search("SCAN (keys|versions)|Seq Scan on (keys|versions)", plan), plan


OWNERS = [
    pytest.param("app_id", {"owner_kind": OwnerKind.APP, "owner_id": app_id(1)}, id="an app's"),
    pytest.param(
        "organization_id",
        {"owner_kind": OwnerKind.APP, "organization_id": organization_id(1)},
        id="an organization's",
    ),
    pytest.param("organization_id", {"owner_kind": OwnerKind.INSTANCE}, id="root keys"),
]
FAR_IN = Position(at=NOW + DAY, id="key_z", name="Key 1500")


async def plan_of_list(engine: AsyncEngine, store: SqlStore, page: Page, **wanted: Any) -> str:
    async with statements(engine) as sent, store.read() as tables:
        await tables.keys.list(KeyFilter(now=NOW, **wanted), page)
    return await plan_of(engine, *selects(sent)[0], only_indexes=True)


def selects(sent: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [it for it in sent if it[0].startswith("SELECT")]


@pytest.mark.parametrize("after", [None, FAR_IN], ids=["the first page", "one far in"])
@pytest.mark.parametrize(
    ("index", "more"),
    [
        pytest.param("live", {}, id="newest first"),
        pytest.param("name", {"order": KeyOrder.NAME}, id="by name"),
        pytest.param("revoked", {"status": Status.REVOKED}, id="revoked"),
    ],
)
@pytest.mark.parametrize(("owner", "wanted"), OWNERS)
async def test_lists_follow_an_index_without_sorting(  # noqa: PLR0917 - what a list is asked for
    many: AsyncEngine,
    store: SqlStore,
    owner: str,
    wanted: Any,
    index: str,
    more: Any,
    after: Position | None,
) -> None:
    plan = await plan_of_list(many, store, Page(after=after), **wanted, **more)
    # PostgreSQL does not see that NULL is one value, and sorts root keys, which are few.
    if "organization_id IS NULL) AND" in plan:
        assert f"ix_keys_{owner}" in plan, plan
        return
    assert f"ix_keys_{owner}_{index}" in plan, plan
    assert not re.search("TEMP B-TREE|Sort", plan), plan


async def test_a_user_s_keys_follow_an_index_without_sorting(many: AsyncEngine, store: SqlStore) -> None:
    plan = await plan_of_list(many, store, Page(after=FAR_IN), owner_kind=OwnerKind.USER, owner_id=user_id(1))
    assert "ix_keys_user_id_created_at_id" in plan, plan
    assert not re.search("TEMP B-TREE|Sort", plan), plan


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param(AuditFilter(), "at", id="all"),
        pytest.param(AuditFilter(kind=SubjectKind.APP), "subject_kind_at", id="of a kind"),
        pytest.param(AuditFilter(by="usr_1"), "by_id_at", id="by somebody"),
    ],
)
async def test_the_audit_log_follows_an_index_whatever_is_wanted(
    engine: AsyncEngine, store: SqlStore, wanted: AuditFilter, index: str
) -> None:
    kinds = (SubjectKind.APP, SubjectKind.KEY, SubjectKind.MEMBER)
    made = [
        entry(
            number,
            at=NOW + number // APPS * MILLISECOND,
            organization_id=organization_id(number % APPS + 1),
            subject=Subject(kind=kinds[number % 3], id=str(number)),
            by=By(kind=ByKind.USER, id=f"usr_{number // APPS % 5}"),
        )
        for number in range(MANY)
    ]
    async with store.write() as tables:
        await tables.audit.append(made)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    page = Page(limit=20, after=Position(at=NOW + 50 * MILLISECOND, id="z"))
    async with statements(engine) as sent, store.read() as tables:
        listing = await tables.audit.list(organization_id(), wanted, page)
    assert [it.id for it in listing.items] == [it.id for it in reversed(made[:2_001]) if fits(it, wanted)][
        :20
    ]
    plan = await plan_of(engine, *selects(sent)[0], only_indexes=True)
    assert f"ix_audit_organization_id_{index}_id" in plan, plan
    assert not re.search("TEMP B-TREE|Sort", plan), plan


def fits(one: Entry, wanted: AuditFilter) -> bool:
    if one.organization_id != organization_id():
        return False
    return wanted.kind in {None, one.subject.kind} and wanted.by in {None, one.by.id}
