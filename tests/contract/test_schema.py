"""Setting up, migrating and refusing schemas."""

import asyncio
import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine.interfaces import ReflectedIndex
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keystead.domain.errors import Misconfigured
from keystead.domain.instants import at_ms
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.migrate import SCRIPTS, SchemaKind, SchemaState, migrate, schema_state, set_up
from keystead.storage.sql.schema import METADATA
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import NOW, app, app_id, key, key_id, organization_id, populate, user, user_id

COPY_NAME = "keystead-0004-20260301T120000Z.sqlite3.bak"

NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0005", "0004"
def upgrade():
    with op.batch_alter_table("facts") as facts:
        facts.add_column(sa.Column("note", sa.Text()))
    with op.batch_alter_table("keys", recreate="auto") as keys:
        keys.alter_column("name", new_column_name="title")
    {more}
"""


def program(folder: Path, *, more: str = "") -> Path:
    """The migrations of a newer program, with one more revision."""
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0005_next.py").write_text(NEXT.format(more=more))
    return folder


async def insert_as_before(connection: AsyncConnection) -> None:
    """The first user and the first app of the samples, as a program made them that knew no dashboard."""
    await connection.execute(
        sa.text(
            "INSERT INTO users (id, number, email, name, name_folded, metadata, created_at, revision)"
            " VALUES (:id, 1, 'user1@example.com', 'User 1', 'user 1', '{}', :at, 1)"
        ),
        {"id": user_id(), "at": at_ms(NOW)},
    )
    await connection.execute(
        sa.text(
            "INSERT INTO apps (id, organization_id, name, name_folded, environment, allowed_origins,"
            " allowed_networks, last_key_protection, self_rotation, labels, metadata, created_at, revision)"
            " VALUES (:id, :above, 'App 1', 'app 1', 'live', '[]', '[]', true, true, '{}', '{}', :at, 1)"
        ),
        {"id": app_id(), "above": organization_id(), "at": at_ms(NOW)},
    )


def earlier_program(folder: Path, revision: str) -> Path:
    """The migrations as they were when `revision` was the newest."""
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for script in (folder / "versions").glob("*.py"):
        if script.name[:4] > revision:
            script.unlink()
    return folder


@pytest.fixture
async def empty(empty_primary: str | Path) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(empty_primary)
    yield engine
    await engine.dispose()


def columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


async def columns_of(engine: AsyncEngine, table: str) -> set[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(columns, table)


async def test_an_empty_database_is_set_up_once(empty: AsyncEngine) -> None:
    current = SchemaState(kind=SchemaKind.CURRENT, database="0004", program="0004")
    nothing = SchemaState(kind=SchemaKind.EMPTY, database=None, program="0004")
    assert await schema_state(empty) == nothing
    assert await set_up(empty, now=NOW) == nothing
    assert await schema_state(empty) == current
    assert await set_up(empty, now=NOW) == current
    assert await migrate(empty, now=NOW) == current


async def tables_of(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))


def differences(connection: sa.Connection) -> object:
    # Without types: Alembic does not see the collation inside our own; `described` does.
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), METADATA)


def index_text(found: ReflectedIndex) -> str:
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return f"{found['name']} {found['column_names']} {found['unique']} {options}"


def described(connection: sa.Connection) -> object:
    """All that inspection tells of all tables, in an order of its own."""
    inspector = sa.inspect(connection)
    return {
        name: {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"], c.get("default"))
                for c in inspector.get_columns(name)
            },
            "primary": inspector.get_pk_constraint(name),
            "indexes": sorted(map(index_text, inspector.get_indexes(name))),
            "unique": sorted(map(str, inspector.get_unique_constraints(name))),
            "foreign": sorted(map(str, inspector.get_foreign_keys(name))),
            "checks": sorted(" ".join(str(check).split()) for check in inspector.get_check_constraints(name)),
        }
        for name in sorted(METADATA.tables)
    }


async def test_a_fresh_schema_equals_all_migrations(empty: AsyncEngine) -> None:
    await set_up(empty, now=NOW)
    async with empty.begin() as connection:
        assert await connection.run_sync(differences) == []
        migrated = await connection.run_sync(described)
        await connection.run_sync(METADATA.drop_all)
        await connection.run_sync(METADATA.create_all)
        assert await connection.run_sync(described) == migrated


async def test_several_that_start_at_once_set_up_once(empty_primary: str | Path) -> None:
    engines = [make_engine(empty_primary) for _ in range(6)]
    states = await asyncio.gather(*(set_up(engine, now=NOW) for engine in engines))
    assert sorted(state.kind for state in states) == [SchemaKind.CURRENT] * 5 + [SchemaKind.EMPTY]
    for engine in engines:
        await engine.dispose()


def set_up_alone(primary: str | Path) -> str:
    async def run() -> str:
        engine = make_engine(primary)
        state = await set_up(engine, now=NOW)
        await engine.dispose()
        return state.kind

    return asyncio.run(run())


def test_several_processes_that_start_at_once_set_up_once(empty_primary: str | Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        kinds = pool.map(set_up_alone, [empty_primary] * 3)
    assert sorted(kinds) == [SchemaKind.CURRENT] * 2 + [SchemaKind.EMPTY]


async def test_an_older_schema_is_migrated_with_what_it_holds(engine: AsyncEngine, tmp_path: Path) -> None:
    store = SqlStore(engine)
    await populate(store)
    async with store.write() as tables:
        await tables.keys.insert(key())
    scripts = program(tmp_path / "newer")
    older = SchemaState(kind=SchemaKind.OLDER, database="0004", program="0005")
    assert await schema_state(engine, scripts=scripts) == older
    assert await migrate(engine, now=NOW, scripts=scripts) == older
    assert (await schema_state(engine, scripts=scripts)).kind is SchemaKind.CURRENT
    assert "note" in await columns_of(engine, "facts")
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT title FROM keys")).scalars().all() == ["Key 1"]
        # Making `keys` anew has taken nothing with it.
        assert (await connection.exec_driver_sql("SELECT key_id FROM versions")).scalars().all() == [key_id()]


async def test_every_schema_that_was_released_becomes_todays(empty: AsyncEngine, tmp_path: Path) -> None:
    first = earlier_program(tmp_path / "first", "0001")
    assert (await set_up(empty, now=NOW, scripts=first)).program == "0001"
    assert "nodes" not in await tables_of(empty)
    await populate(SqlStore(empty), apps=0, users=0)
    async with empty.begin() as connection:
        await insert_as_before(connection)
    assert (await migrate(empty, now=NOW)).database == "0001"
    async with empty.begin() as connection:
        assert await connection.run_sync(differences) == []
        names = await connection.exec_driver_sql("SELECT name FROM organizations")
        assert names.scalars().all() == ["Organization 1"]
    async with SqlStore(empty).read() as tables:
        assert await tables.users.find(user_id()) == user()
        assert await tables.apps.find(app_id()) == app()


async def test_an_older_program_may_go_on_making_users_and_apps(engine: AsyncEngine) -> None:
    await populate(SqlStore(engine), apps=0, users=0)
    async with engine.begin() as connection:
        await insert_as_before(connection)
    async with SqlStore(engine).read() as tables:
        assert await tables.users.find(user_id()) == user()
        assert await tables.apps.find(app_id()) == app()


async def test_serve_migrates_sqlite_after_taking_a_copy_and_refuses_on_postgresql(
    engine: AsyncEngine, primary: str | Path, tmp_path: Path
) -> None:
    async with SqlStore(engine).write() as tables:
        await tables.facts.insert("a", "b")
    scripts, data = program(tmp_path / "newer"), tmp_path / "data"
    data.mkdir()
    if isinstance(primary, str):
        with pytest.raises(Misconfigured, match=r"0004.*0005.*run `keystead migrate` first") as caught:
            await set_up(engine, now=NOW, data=data, scripts=scripts)
        assert caught.value.setting == "KEYSTEAD_DATABASE_URL"
        assert "note" not in await columns_of(engine, "facts")
        return
    await set_up(engine, now=NOW, data=data, scripts=scripts)
    assert "note" in await columns_of(engine, "facts")
    copy = data / COPY_NAME
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT * FROM facts").fetchall() == [("a", "b")]
    connection.close()
    assert sorted(path.name for path in data.iterdir()) == [COPY_NAME, "migrate.lock"]


@pytest.mark.parametrize(
    "more",
    ["raise RuntimeError", 'op.execute("DELETE FROM organizations")'],
    ids=["it raises", "it leaves references to nothing"],
)
async def test_a_migration_that_fails_leaves_all_as_it_was(
    engine: AsyncEngine, primary: str | Path, tmp_path: Path, more: str
) -> None:
    store = SqlStore(engine)
    await populate(store)
    scripts = program(tmp_path / "newer", more=more)
    with pytest.raises((RuntimeError, AssertionError)):
        await migrate(engine, now=NOW, scripts=scripts)
    assert "note" not in await columns_of(engine, "facts")
    assert (await schema_state(engine)).kind is SchemaKind.CURRENT
    async with store.write() as tables:
        await tables.keys.insert(key())
    assert not isinstance(primary, Path) or (primary.parent / COPY_NAME).exists()


@pytest.mark.parametrize("bring_up", [set_up, migrate], ids=["serve", "migrate"])
async def test_a_newer_schema_is_refused_naming_both(engine: AsyncEngine, tmp_path: Path, bring_up) -> None:
    await migrate(engine, now=NOW, scripts=program(tmp_path / "newer"))
    newer = SchemaState(kind=SchemaKind.NEWER, database="0005", program="0004")
    assert await schema_state(engine) == newer
    with pytest.raises(Misconfigured, match=r"0005.*0004"):
        await bring_up(engine, now=NOW)


async def test_tables_of_others_are_left_alone(empty: AsyncEngine) -> None:
    async with empty.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE users (theirs text)")
    with pytest.raises(Misconfigured, match="users"):
        await set_up(empty, now=NOW)
    assert await columns_of(empty, "users") == {"theirs"}


async def test_foreign_keys_are_watched_again_after_setting_up(empty: AsyncEngine) -> None:
    await set_up(empty, now=NOW)
    with pytest.raises(AssertionError):
        async with SqlStore(empty).write() as tables:
            await tables.keys.insert(key())


async def test_setting_up_is_silent(empty: AsyncEngine, caplog, capfd) -> None:
    caplog.set_level("INFO")
    await set_up(empty, now=NOW)
    assert caplog.records == []
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_store_loads_neither_alembic_nor_on_sqlite_asyncpg() -> None:
    code = (
        "import sys, pathlib; from keystead.storage.sql import store, engine;"
        "engine.make_engine(pathlib.Path('x')); print({'alembic', 'asyncpg'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
