"""The look-up by digest: what it finds, and that it stays a look-up when the tables grow."""

import re
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.keys import Key
from keystead.domain.tenants import Role
from keystead.domain.verdict import Known
from keystead.storage.sql.index import KNOWN
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    DAY,
    NOW,
    app,
    digest,
    full_key,
    key,
    key_id,
    member,
    organization,
    organization_id,
    personal_key,
    populate,
    root_key,
    user,
    user_id,
    version,
)

MANY = 3_000


async def keep(store: SqlStore, *some: Key) -> None:
    async with store.write() as tables:
        for one in some:
            await tables.keys.insert(one)


async def test_an_app_key_comes_with_its_app_and_organization(store: SqlStore) -> None:
    await populate(store)
    await keep(store, full_key())
    for held in full_key().versions:
        known = Known(key=full_key(), version=held, organization=organization(), app=app())
        assert await store.find(held.digest) == known


async def test_a_personal_key_comes_with_its_user_and_the_role_of_the_moment(store: SqlStore) -> None:
    await populate(store)
    await keep(store, personal_key())
    known = Known(
        key=personal_key(),
        version=version(),
        organization=organization(),
        user=user(),
        role=Role.DEVELOPER,
    )
    assert await store.find(digest(1)) == known
    async with store.write() as tables:
        await tables.members.delete(organization_id(), user_id())
    found = await store.find(digest(1))
    assert found is not None
    assert found.role is None
    assert found.user == user()


async def test_a_role_in_another_organization_is_not_taken_for_the_keys(store: SqlStore) -> None:
    await populate(store, organizations=2)
    async with store.write() as tables:
        await tables.members.insert(member(organization_id=organization_id(2), role=Role.OWNER))
    await keep(store, personal_key())
    found = await store.find(digest(1))
    assert found is not None
    assert found.role is Role.DEVELOPER


async def test_a_root_key_comes_alone(store: SqlStore) -> None:
    await keep(store, root_key())
    assert await store.find(digest(1)) == Known(key=root_key(), version=version())


async def test_a_digest_that_was_never_ours_is_none(store: SqlStore) -> None:
    assert await store.find(digest(1)) is None
    assert await store.find(b"") is None


async def test_keys_of_deleted_apps_and_organizations_are_known(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key(revoked_at=NOW))
    async with store.write() as tables:
        await tables.apps.update(app(deleted_at=NOW))
        await tables.organizations.update(organization(deleted_at=NOW))
    found = await store.find(digest(1))
    assert found is not None
    assert (found.app, found.organization) == (app(deleted_at=NOW), organization(deleted_at=NOW))


async def test_retired_versions_are_known_among_all_versions_of_the_key(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key())
    rotated = key(versions=(version(1, retires_at=NOW), version(2), version(3)), revision=2)
    async with store.write() as tables:
        await tables.keys.update(rotated)
    for number, held in enumerate(rotated.versions, start=1):
        found = await store.find(digest(number))
        assert found is not None
        assert found.version == held
        assert found.key == rotated


async def test_a_change_is_seen_by_the_very_next_look_up(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key())
    assert await store.find(digest(1)) is not None
    async with store.write() as tables:
        await tables.keys.update(key(revoked_at=NOW + DAY, revision=2))
    found = await store.find(digest(1))
    assert found is not None
    assert found.key.revoked_at == NOW + DAY


@pytest.fixture
async def many(store: SqlStore, engine: AsyncEngine) -> AsyncEngine:
    await populate(store, apps=40, users=40)
    await keep(store, *(key(number) for number in range(1, MANY + 1)))
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    return engine


def known_in(dialect: str) -> str:
    dialects = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect(paramstyle="named")}
    text = str(KNOWN.compile(dialect=dialects[dialect]))
    stored = {"sqlite": f"x'{digest(7).hex()}'", "postgresql": f"'\\x{digest(7).hex()}'::bytea"}
    return re.sub(r"\?|:digest(::BYTEA)?", lambda _: stored[dialect], text)


async def test_the_look_up_reads_each_table_by_a_unique_index(many: AsyncEngine, primary: str | Path) -> None:
    dialect = "sqlite" if isinstance(primary, Path) else "postgresql"
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[dialect]
    async with many.connect() as connection:
        rows = (await connection.exec_driver_sql(f"{explain} {known_in(dialect)}")).all()
    plan = "\n".join(str(row[-1]) for row in rows)
    if dialect == "sqlite":
        assert "SCAN" not in plan, plan
        assert "sqlite_autoindex_versions" in plan, plan
        assert plan.count("SEARCH") == 6, plan
    else:
        # PostgreSQL reads tables of one page (organizations, users) whole, rightly; versions and keys never.
        assert "Index Scan using uq_versions_digest on versions" in plan, plan
        assert "Index Scan using pk_keys on keys" in plan, plan
        assert not re.search(r"Seq Scan on (versions|keys)", plan), plan


async def test_the_list_of_an_owner_follows_an_index_without_sorting(
    many: AsyncEngine, primary: str | Path
) -> None:
    if not isinstance(primary, Path):
        pytest.skip("the planner's choice for one page of rows says nothing about many")
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM keys WHERE owner_kind = 'app' AND app_id = 'x' AND revoked_at IS NULL"
        " AND (created_at, id) < (5, 'y') ORDER BY created_at DESC, id DESC LIMIT 51"
    )
    async with many.connect() as connection:
        plan = " ".join(str(row[-1]) for row in (await connection.exec_driver_sql(query)).all())
    assert "USING INDEX ix_keys_app_id_created_at_id" in plan, plan
    assert "TEMP B-TREE" not in plan, plan


async def test_the_look_up_finds_one_among_thousands(many: AsyncEngine, store: SqlStore) -> None:
    found = await store.find(digest(MANY))
    assert found is not None
    assert found.key.id == key_id(MANY)
