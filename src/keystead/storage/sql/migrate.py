"""Bringing the primary to this program's schema: the one file to import Alembic, which workers do without."""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keystead.domain.errors import Misconfigured
from keystead.storage.sql.engine import MIGRATE, copy_sqlite, is_postgresql, sqlite_path
from keystead.storage.sql.schema import METADATA
from keystead.storage.sql.seam import Refused, guarded
from keystead.storage.sql.store import WRITE_LOCK

SCRIPTS = Path(__file__).parent / "migrations"
LOCK_POLL_S = 0.05


class SchemaKind(StrEnum):
    """How a database's schema stands to the program's."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """The database's revision (None in an empty one) and the newest that the program knows."""

    kind: SchemaKind
    database: str | None
    program: str


async def schema_state(engine: AsyncEngine, *, scripts: Path = SCRIPTS) -> SchemaState:
    """How the database stands; changes nothing but that a SQLite file may be made. Raises Unavailable."""
    async with _transaction(engine) as connection:
        return await _state(connection, scripts)


async def set_up(
    engine: AsyncEngine, *, now: datetime, data: Path | None = None, scripts: Path = SCRIPTS
) -> SchemaState:
    """Make the database fit for `serve`, and say how it was before.

    An empty one gets the schema. An older one is migrated on SQLite, after a copy was taken into `data` (by
    default the folder of the file); on PostgreSQL it is refused, for `keystead migrate`. Any number of
    processes may do this at once: one does the work and the others wait. Raises Misconfigured for an older
    (PostgreSQL) or newer schema and for tables that are not ours, Unavailable when it does not answer.
    """
    return await _bring_up(engine, now=now, data=data, scripts=scripts, may_migrate=not is_postgresql(engine))


async def migrate(
    engine: AsyncEngine, *, now: datetime, data: Path | None = None, scripts: Path = SCRIPTS
) -> SchemaState:
    """As `set_up`, but an older schema is migrated on PostgreSQL too, keeping all writers out meanwhile.

    Give it an engine made with `statement_timeout=None`. A migration that fails leaves all as it was.
    """
    return await _bring_up(engine, now=now, data=data, scripts=scripts, may_migrate=True)


async def _bring_up(
    engine: AsyncEngine, *, now: datetime, data: Path | None, scripts: Path, may_migrate: bool
) -> SchemaState:
    async with _alone(engine, data), _transaction(engine) as connection:
        if is_postgresql(engine):
            # Held to the commit, so one transaction is lock, look and change; a crash lets go of it.
            await guarded(connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")))
        state = await _state(connection, scripts)
        _require_ours(engine, state)
        if state.kind is SchemaKind.OLDER and not may_migrate:
            problem = f"its schema is {state.database}, this program's is {state.program}; "
            raise Misconfigured(_setting(engine), f"{problem}run `keystead migrate` first")
        if state.kind is SchemaKind.EMPTY:
            await _require_no_tables(engine, connection)
        if state.kind is SchemaKind.OLDER and not is_postgresql(engine):
            await _take_copy(engine, data, f"keystead-{state.database}-{now:%Y%m%dT%H%M%SZ}.sqlite3.bak")
        if state.kind in {SchemaKind.EMPTY, SchemaKind.OLDER}:
            await _upgrade(engine, connection, scripts)
        return state


def _require_ours(engine: AsyncEngine, state: SchemaState) -> None:
    if state.kind is SchemaKind.NEWER:
        problem = f"its schema is {state.database}, which is newer than this program's, {state.program}; "
        raise Misconfigured(_setting(engine), f"{problem}start the newer program, or restore a backup")


async def _require_no_tables(engine: AsyncEngine, connection: AsyncConnection) -> None:
    names = await guarded(connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names())))
    others = sorted(names & METADATA.tables.keys())
    if others:
        problem = f"it holds tables that Keystead did not make ({', '.join(others)}); name an empty database"
        raise Misconfigured(_setting(engine), problem)


def _setting(engine: AsyncEngine) -> str:
    return "KEYSTEAD_DATABASE_URL" if is_postgresql(engine) else "KEYSTEAD_DATA"


def _folder(engine: AsyncEngine, data: Path | None) -> Path:
    return sqlite_path(engine).parent if data is None else data


async def _take_copy(engine: AsyncEngine, data: Path | None, name: str) -> None:
    # The write transaction is open already: nothing is written between the copy and the migration.
    await guarded(asyncio.to_thread(copy_sqlite, sqlite_path(engine), _folder(engine, data) / name))


async def _state(connection: AsyncConnection, scripts: Path) -> SchemaState:
    return await guarded(connection.run_sync(lambda sync: _compare(sync, ScriptDirectory(str(scripts)))))


def _compare(connection: sa.Connection, directory: ScriptDirectory) -> SchemaState:
    held = MigrationContext.configure(connection).get_current_revision()
    newest = directory.get_current_head()
    if newest is None:
        raise AssertionError("no migrations in the program")
    known = {script.revision for script in directory.walk_revisions()}
    return SchemaState(kind=_kind(held, newest, known), database=held, program=newest)


def _kind(held: str | None, newest: str, known: set[str]) -> SchemaKind:
    if held is None:
        return SchemaKind.EMPTY
    if held == newest:
        return SchemaKind.CURRENT
    return SchemaKind.OLDER if held in known else SchemaKind.NEWER


async def _upgrade(engine: AsyncEngine, connection: AsyncConnection, scripts: Path) -> None:
    await guarded(connection.run_sync(lambda sync: _run_alembic(sync, scripts)))
    if not is_postgresql(engine):
        # References are not watched while tables are made anew, so look before the commit.
        broken = (await guarded(connection.execute(sa.text("PRAGMA foreign_key_check")))).all()
        if broken:
            raise Refused(f"after the migration {len(broken)} rows refer to nothing")
    await guarded(connection.commit())


def _run_alembic(connection: sa.Connection, scripts: Path) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A writing transaction, undone unless committed inside, on a connection that nothing uses afterwards."""
    connection = await guarded(engine.connect().start())
    try:
        await guarded(connection.execution_options(**MIGRATE[is_postgresql(engine)]))
        await guarded(connection.begin().start())
        yield connection
    finally:
        # It may have cached statements of the old schema and, on SQLite, does not watch foreign keys.
        await asyncio.shield(_discard(connection))


async def _discard(connection: AsyncConnection) -> None:
    await guarded(connection.invalidate())
    await guarded(connection.close())


@asynccontextmanager
async def _alone(engine: AsyncEngine, data: Path | None) -> AsyncIterator[None]:
    """On SQLite, hold a lock beside the file; PostgreSQL has its own."""
    if is_postgresql(engine):
        yield
        return
    path = _folder(engine, data) / "migrate.lock"
    descriptor = await guarded(asyncio.to_thread(os.open, path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        # Asked again and again rather than waited for: a thread that waits could not be cancelled.
        while not _try_lock(descriptor):  # noqa: ASYNC110 - the lock is other processes' too
            await asyncio.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
