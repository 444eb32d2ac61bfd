"""Queries by key stay look-ups, and lists follow an index, when the tables grow."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.keys import OwnerKind
from keystead.ports import KeyFilter, Page, Position
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


async def test_a_key_is_found_by_its_digest_by_unique_indexes(many: AsyncEngine, store: SqlStore) -> None:
    async with statements(many) as sent, store.read() as tables:
        found = await tables.keys.find_digest(digest(MANY))
    assert found is not None
    assert found.id == key_id(MANY)
    plans = [await plan_of(many, *it) for it in sent]
    assert len(plans) == 2
    if many.dialect.name == "sqlite":
        assert not any("SCAN" in plan for plan in plans), plans
        assert "versions USING INDEX sqlite_autoindex_versions_2 (digest=?)" in plans[0], plans
    else:
        assert "Index Scan using uq_versions_digest on versions" in plans[0], plans
        assert "Index Scan using pk_keys on keys" in plans[0], plans
        assert not any(re.search(r"Seq Scan on (versions|keys)", plan) for plan in plans), plans


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
