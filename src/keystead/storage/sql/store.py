"""The primary over SQL: transactions and counted uses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keystead.domain.errors import Unavailable
from keystead.ports.store import Seen, Used
from keystead.storage.sql.apps import SqlApps
from keystead.storage.sql.engine import GLANCE, READ, WRITE, is_postgresql
from keystead.storage.sql.keys import SqlKeys
from keystead.storage.sql.links import SqlLinks
from keystead.storage.sql.log import SqlAudit, SqlChanges
from keystead.storage.sql.nodes import SqlNodes
from keystead.storage.sql.organizations import SqlOrganizations
from keystead.storage.sql.seam import Work, guarded, to_the_end
from keystead.storage.sql.sessions import SqlSessions
from keystead.storage.sql.small import SqlFacts, SqlIdempotency, SqlScopes
from keystead.storage.sql.users import SqlMembers, SqlUsers
from keystead.storage.sql.uses import add_uses, see_origins

WRITE_LOCK = int.from_bytes(b"keystead")
"""The advisory lock that every write on PostgreSQL holds until its commit."""

# A process that freezes in a transaction would keep all others from writing; PostgreSQL then ends it.
_TAKE_WRITE_LOCK = sa.text(
    f"SELECT pg_advisory_xact_lock({WRITE_LOCK}),"
    " set_config('idle_in_transaction_session_timeout', '60000', true)"
)


class SqlTables:
    """See `ports.store.Tables`."""

    def __init__(self, work: Work) -> None:
        self.organizations = SqlOrganizations(work)
        self.apps = SqlApps(work)
        self.users = SqlUsers(work)
        self.members = SqlMembers(work)
        self.keys = SqlKeys(work)
        self.scopes = SqlScopes(work)
        self.audit = SqlAudit(work)
        self.changes = SqlChanges(work)
        self.idempotency = SqlIdempotency(work)
        self.facts = SqlFacts(work)
        self.nodes = SqlNodes(work)
        self.sessions = SqlSessions(work)
        self.links = SqlLinks(work)


class SqlStore:
    """Implements `ports.store.Store` and `UseStore`; whoever made the engine disposes of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._is_postgresql = is_postgresql(engine)
        # One pool, three ways to begin.
        self._reading, self._writing, self._glancing = (
            engine.execution_options(**kind[self._is_postgresql]) for kind in (READ, WRITE, GLANCE)
        )
        # First come, first served within the process: however many writers wait, they hold one connection.
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTables]:
        """See `ports.store.Store.read`."""
        async with _connection(self._reading) as connection:
            await guarded(connection.begin().start())
            yield SqlTables(Work(connection))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlTables]:
        """See `ports.store.Store`. Not to be entered again inside the block: it would wait for itself."""
        async with self._alone() as work:
            yield SqlTables(work)

    async def add_uses(self, used: Sequence[Used]) -> None:
        """See `ports.store.UseStore`. A write like any, lest two nodes' flushes lock each other out."""
        async with self._alone() as work:
            await add_uses(work, used)

    async def see_origins(self, seen: Sequence[Seen]) -> None:
        """See `ports.store.UseStore`."""
        async with self._alone() as work:
            await see_origins(work, seen)

    async def now(self) -> datetime | None:
        """The database server's clock, as aware UTC; None for SQLite, which has ours."""
        if not self._is_postgresql:
            return None
        async with _connection(self._glancing) as connection:
            found = await guarded(connection.execute(sa.text("SELECT clock_timestamp()")))
            instant: datetime = found.scalar_one()
            return instant.astimezone(UTC)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Work]:
        async with self._turn, _connection(self._writing) as connection:
            await guarded(connection.begin().start())
            if self._is_postgresql:
                # The first statement, so that every later one sees what the last writer committed.
                await guarded(connection.execute(_TAKE_WRITE_LOCK))
            yield Work(connection)
            await guarded(connection.commit())


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for the block; what is not committed there is undone."""
    connection = engine.connect()
    try:
        await guarded(connection.start())
        yield connection
    finally:
        # Also when it was cancelled on the way: then the connection is there, and must go back rolled back.
        if connection.sync_connection is not None:
            await to_the_end(_close(connection))


async def _close(connection: AsyncConnection) -> None:
    # What cannot even be given back the pool drops, and with it what was not committed.
    with suppress(Unavailable):
        await guarded(connection.close())
