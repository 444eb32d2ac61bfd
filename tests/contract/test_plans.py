"""Queries by key stay look-ups, and lists follow an index, when the tables grow."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.keys import OwnerKind
from keystead.ports.store import KeyFilter, Page, Position
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.store import SqlStore
from keystead.storage.sql.versions import encode_key, encode_version
from tests.contract.samples import (
    DAY,
    NOW,
    app_id,
    app_owner,
    digest,
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


async def plan_of(engine: AsyncEngine, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with engine.connect() as connection:
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
    assert "ix_keys_app_id_created_at_id" in plan, plan
    assert not re.search("SCAN (keys|versions)|Seq Scan on (keys|versions)", plan), plan


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
