"""Connections to the primary, and how each kind of transaction begins."""

import math
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from keystead.domain.errors import Misconfigured

if TYPE_CHECKING:
    import asyncpg

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT = timedelta(seconds=30)
BUSY_TIMEOUT_S = 10
READERS = 8
"""Connections beside the one that writes."""

Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]
"""Makes a new connection of the driver's own."""

_URL = "KEYSTEAD_DATABASE_URL"
_FILE = "keystead_file"
_READ_ONLY = "25006"

BEGIN = "keystead_begin"
"""The execution option that says how SQLite begins; without it, as a write."""

_BEGIN_WRITE = "PRAGMA query_only=OFF; BEGIN IMMEDIATE"

WRITE: dict[bool, dict[str, Any]] = {True: {}, False: {BEGIN: _BEGIN_WRITE}}
"""Execution options of a transaction that writes, by whether it is PostgreSQL."""

READ: dict[bool, dict[str, Any]] = {
    True: {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    False: {BEGIN: "PRAGMA query_only=ON; BEGIN"},
}
"""Execution options of one consistent view."""

GLANCE: dict[bool, dict[str, Any]] = {True: {"isolation_level": "AUTOCOMMIT"}, False: {BEGIN: ""}}
"""Execution options of single reading statements, each a view of its own."""

MIGRATE: dict[bool, dict[str, Any]] = {
    True: {},
    False: {BEGIN: f"PRAGMA foreign_keys=OFF; {_BEGIN_WRITE}"},
}
"""Execution options of a migration; on SQLite nothing else may use the connection afterwards."""


def make_engine(
    primary: str | Path,
    *,
    statement_timeout: timedelta | None = STATEMENT_TIMEOUT,
    connect_within: timedelta | None = None,
) -> AsyncEngine:
    """An engine for a `postgresql://` URL, or for the path of a SQLite file; connects when first used.

    The URL's query is read as libpq reads it (`sslmode`, `sslrootcert`, `host`, `application_name`, …).
    `statement_timeout` None is for migrations; `connect_within` bounds the URL's own `connect_timeout`.
    SQLite heeds neither. Raises Misconfigured for any other URL; of options that the driver reads itself,
    connecting does.
    """
    if isinstance(primary, Path):
        return _sqlite_engine(primary)
    return _postgresql_engine(postgresql_connector(primary, statement_timeout, connect_within))


def is_postgresql(engine: AsyncEngine) -> bool:
    """Which of the two databases it is."""
    return engine.dialect.name == "postgresql"


def sqlite_path(engine: AsyncEngine) -> Path:
    """The file of a SQLite engine."""
    return Path(str(engine.url.database))


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


_JSON_AND_SECRECY: dict[str, Any] = {
    "json_serializer": _encode,
    "json_deserializer": msgspec.json.decode,
    # Parameters are digests, tokens and people's notes: no exception may show them.
    "hide_parameters": True,
    "pool_size": READERS + 1,
    "max_overflow": 0,
    "pool_timeout": BUSY_TIMEOUT_S,
    "pool_use_lifo": True,
}


def _postgresql_engine(connect: Connect) -> AsyncEngine:
    # asyncpg reads the URL itself, as libpq would; SQLAlchemy would take `sslmode` for an argument.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, **_JSON_AND_SECRECY)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _drop_read_only)
    return engine


def postgresql_connector(
    url: str, statement_timeout: timedelta | None, connect_within: timedelta | None = None
) -> Connect:
    """What makes a new connection of the driver's own, as `make_engine` says."""
    if not url.startswith(("postgresql://", "postgres://")):
        # The URL itself may hold a password.
        raise Misconfigured(_URL, "write postgresql://user@host:port/database")
    address, _, query = url.partition("?")
    options = dict(parse_qsl(query))
    options.setdefault("application_name", "keystead")
    connect_timeout_s = _connect_timeout_s(options.pop("connect_timeout", None))
    if connect_within is not None:
        connect_timeout_s = min(connect_timeout_s, connect_within.total_seconds())
    dsn = f"{address}?{urlencode(options)}"

    async def connect() -> "asyncpg.Connection[Any]":
        # Here, so that an instance on SQLite does not carry it in memory.
        import asyncpg  # noqa: PLC0415

        timeout_s = None if statement_timeout is None else statement_timeout.total_seconds()
        try:
            return await asyncpg.connect(dsn, timeout=connect_timeout_s, command_timeout=timeout_s)
        except OSError:
            # No fault of the URL's, though a certificate that is not trusted is a ValueError, too.
            raise
        except (ValueError, OverflowError):
            pass
        # Outside the handler: the driver's own error may quote the password, and would become the context.
        problem = "names a host, port or option that cannot be read; in a password write @ : / as %40 %3A %2F"
        raise Misconfigured(_URL, problem)

    return connect


def _connect_timeout_s(given: str | None) -> float:
    if given is None:
        return CONNECT_TIMEOUT_S
    with suppress(ValueError):
        if 0 < (seconds := float(given)) < math.inf:
            return seconds
    raise Misconfigured(_URL, "write connect_timeout in whole seconds, at least 1")


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - the driver's
    """Make the pool connect anew when the server has gone away meanwhile; costs no round trip."""
    if connection.driver_connection.is_closed():
        raise sa.exc.InvalidatePoolError


def _drop_read_only(context: sa.engine.ExceptionContext) -> None:
    """Make the pool connect anew once writing was refused: a session keeps the default it began with."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _sqlite_engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None},
        **_JSON_AND_SECRECY,
    )

    def note_file(_dialect: object, record: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        record.info[_FILE] = _make_private(path)

    def refuse_replaced(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401 - likewise
        """Make the pool connect anew when another file stands there; one that is not there stays unmade."""
        if file_at(path) != record.info[_FILE]:
            raise sa.exc.InvalidatePoolError

    event.listen(engine.sync_engine, "do_connect", note_file)
    event.listen(engine.sync_engine, "checkout", refuse_replaced)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


File = tuple[int, int]


def file_at(path: Path) -> File:
    """What tells the file at `path` from every other one that is there. Raises OSError if there is none."""
    found = os.stat(path)  # noqa: PTH116 - asked a thousand times a second
    return found.st_dev, found.st_ino


def _make_private(path: Path) -> File:
    """Make the file ours alone before SQLite opens it; its write-ahead log takes over the same mode.

    Never opens one that is there: closing it would drop the locks that SQLite holds on it for this process,
    and the next process to leave would take the log away, with all that is written to it afterwards.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    return file_at(path)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # Left to itself the driver begins deferred: concurrent read-modify-writes then lose updates, silently.
    script = connection.get_execution_options().get(BEGIN, _BEGIN_WRITE)
    driver: Any = connection.connection.dbapi_connection
    if script:
        driver.run_async(lambda raw: raw.executescript(script))


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite file as of one moment, also while it is in use; `target` appears whole, mode 0600."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    _make_private(part)
    origin, copy = sqlite3.connect(source, timeout=BUSY_TIMEOUT_S), sqlite3.connect(part)
    try:
        origin.backup(copy)
    finally:
        copy.close()
        origin.close()
    part.replace(target)
