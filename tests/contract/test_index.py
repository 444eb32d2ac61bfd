"""The look-up by digest: what it finds, and that it stays a look-up when the tables grow."""

import re
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.keys import Key, OwnerKind
from keystead.domain.tenants import Role
from keystead.domain.verdict import Known
from keystead.ports import KeyFilter, Page, Position
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.store import SqlStore
from keystead.storage.sql.versions import encode_key, encode_version
from tests.contract.samples import (
    DAY,
    NOW,
    app,
    app_id,
    app_owner,
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
from tests.contract.watch import statements

MANY = 3_000
APPS = 40


async def keep(store: SqlStore, *some: Key) -> None:
    async with store.write() as tables:
        for one in some:
            await tables.keys.insert(one)


async def test_an_app_key_comes_with_its_app_and_organization(store: SqlStore) -> None:
    await populate(store)
    await keep(store, full_key())
    for held in full_key().versions:
        alone = replace(full_key(), versions=(held,))
        known = Known(key=alone, version=held, organization=organization(), app=app())
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


async def test_each_version_of_a_key_is_known_by_itself_retired_ones_too(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key())
    rotated = key(versions=(version(1, retires_at=NOW), version(2), version(3)), revision=2)
    async with store.write() as tables:
        await tables.keys.update(rotated)
    for number, held in enumerate(rotated.versions, start=1):
        found = await store.find(digest(number))
        assert found is not None
        assert found.version == held
        assert found.key == replace(rotated, versions=(held,))


async def test_a_key_of_300_versions_is_found_with_one_query_that_gives_one_row(
    store: SqlStore, engine: AsyncEngine
) -> None:
    await populate(store)
    await keep(store, key(versions=tuple(version(number) for number in range(1, 301))))
    async with statements(engine) as sent:
        found = await store.find(digest(150))
    assert found == Known(
        key=key(versions=(version(150),)), version=version(150), organization=organization(), app=app()
    )
    ((statement, parameters),) = sent
    async with engine.connect() as connection:
        assert len((await connection.exec_driver_sql(statement, parameters)).all()) == 1


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


async def plan_of(engine: AsyncEngine, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with engine.connect() as connection:
        rows = (await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all()
    return "\n".join(str(row[-1]) for row in rows)


async def test_the_look_up_is_one_query_that_reads_by_unique_indexes(
    many: AsyncEngine, store: SqlStore
) -> None:
    async with statements(many) as sent:
        found = await store.find(digest(MANY))
    assert found is not None
    assert found.key.id == key_id(MANY)
    ((statement, parameters),) = sent
    plan = await plan_of(many, statement, parameters)
    if many.dialect.name == "sqlite":
        assert "SCAN" not in plan, plan
        assert "versions USING INDEX sqlite_autoindex_versions_2 (digest=?)" in plan, plan
        assert plan.count("SEARCH") == 6, plan
    else:
        # PostgreSQL reads tables of one page (organizations, users) whole, rightly; versions and keys never.
        assert "Index Scan using uq_versions_digest on versions" in plan, plan
        assert "Index Scan using pk_keys on keys" in plan, plan
        assert not re.search(r"Seq Scan on (versions|keys)", plan), plan


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param({"owner_kind": OwnerKind.APP, "owner_id": app_id(1)}, "app_id", id="an app's"),
        pytest.param({"owner_kind": OwnerKind.USER, "owner_id": user_id(1)}, "user_id", id="a user's"),
        pytest.param(
            {"owner_kind": OwnerKind.APP, "organization_id": organization_id(1)},
            "organization_id",
            id="an organization's",
        ),
        pytest.param({"owner_kind": OwnerKind.INSTANCE}, "organization_id", id="root keys"),
    ],
)
async def test_lists_follow_an_index_without_sorting(
    many: AsyncEngine, store: SqlStore, wanted: dict[str, Any], index: str
) -> None:
    page = Page(after=Position(created_at=NOW + DAY, id="key_z"))
    async with statements(many) as sent, store.read() as tables:
        await tables.keys.list(KeyFilter(now=NOW, **wanted), page)
    plan = await plan_of(many, *sent[0])
    assert f"ix_keys_{index}_created_at_id" in plan, plan
    # PostgreSQL may rather sort the few rows of a small owner; SQLite follows the index to its end.
    assert many.dialect.name == "postgresql" or "TEMP B-TREE" not in plan, plan
