"""The primary as an applier reads it, on connections of its own; see `ports.replica.Source`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keystead.domain.errors import Unavailable
from keystead.domain.policy import Rules
from keystead.ports.replica import News, Point, ReadOnly
from keystead.ports.store import Node
from keystead.storage.sql.engine import (
    BEGIN,
    READ,
    WRITE,
    file_at,
    is_postgresql,
    postgresql_connector,
)
from keystead.storage.sql.nodes import SqlNodes
from keystead.storage.sql.seam import DEPENDENCY, Refused, Work, guarded
from keystead.storage.sql.source_news import newest_common, read_news, require_primary
from keystead.storage.sql.source_rows import read_rules
from keystead.storage.sql.source_snapshot import PORTION_WITHIN, SqlSnapshot, begin_snapshot
from keystead.storage.sql.source_views import (
    CONNECT_WITHIN,
    SILENCE,
    cut_after,
    make_impatient_engine,
    transaction,
)
from keystead.storage.sql.tail_postgresql import PostgresqlTail
from keystead.storage.sql.tail_sqlite import SqliteTail

SEEN_OFTEN_ENOUGH = timedelta(hours=1)
"""How old SQLite's word of a node may become: it has one node, which knows itself better."""

# Not as long as a change would wait for who writes: verdicts wait for it.
_BRIEFLY = {True: WRITE[True], False: {BEGIN: f"PRAGMA busy_timeout=100; {WRITE[False][BEGIN]}"}}

# A node that was seen a moment less is no loss, and nobody waits for it to be durable. Tells whether a
# primary takes no changes: a refused statement each time would fill the server's log.
_LIGHTLY = sa.text(
    "SELECT CAST(current_setting('transaction_read_only') AS boolean) AND NOT pg_is_in_recovery(),"
    " set_config('synchronous_commit', 'off', true)"
)
_DISK_FULL = "53100"


class SqlSource:
    """Implements `ports.replica.Source` for a `postgresql://` URL or the path of a SQLite file.

    Where packets to PostgreSQL are dropped, each method but a snapshot under way raises Unavailable within
    `SILENCE` (`changed`: see there), and a snapshot within `PORTION_WITHIN`.
    """

    def __init__(self, primary: str | Path) -> None:
        """Connects when first used. Raises Misconfigured as `make_engine` does."""
        self._primary = primary
        self._engine = make_impatient_engine(primary)
        self._tail = (
            SqliteTail(primary)
            if isinstance(primary, Path)
            else PostgresqlTail(postgresql_connector(primary, SILENCE, CONNECT_WITHIN))
        )

    async def news(self, after: Point) -> News | None:
        async with self._transaction(self._engine, READ) as connection:
            return await read_news(Work(connection), after)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqlSnapshot]:
        """On a connection of its own; PostgreSQL bounds a portion's time, and nothing the whole's."""
        engine = make_impatient_engine(self._primary, PORTION_WITHIN)
        try:
            async with self._transaction(engine, READ) as connection:
                with cut_after(connection, SILENCE):
                    snapshot = await begin_snapshot(connection)
                yield snapshot
        finally:
            await engine.dispose()

    async def newest_common(self, points: Sequence[Point]) -> Point:
        async with self._transaction(self._engine, READ) as connection:
            work = Work(connection)
            await require_primary(work)
            return await newest_common(work, points)

    def read_rules(self, stored: tuple[object, ...]) -> Rules | None:
        return read_rules(stored)

    async def report(self, node: Node) -> None:
        """Not under the write lock; on SQLite seldom, where a write wakes everybody and locks others out."""
        on_sqlite = not is_postgresql(self._engine)
        if on_sqlite and await self._is_reported(node):
            return
        try:
            async with self._transaction(self._engine, _BRIEFLY, commit=True) as connection:
                work = Work(connection)
                refused = work.is_postgresql and await work.value(_LIGHTLY)
                if refused:
                    # A session keeps the default that it began with: the next one may write again.
                    await guarded(connection.rollback())
                    await guarded(connection.invalidate())
                else:
                    await SqlNodes(work).upsert(node)
        except Unavailable as exc:
            if on_sqlite or getattr(exc.__cause__, "sqlstate", None) == _DISK_FULL:
                raise ReadOnly(DEPENDENCY) from exc
            raise
        if refused:
            raise ReadOnly(DEPENDENCY)

    async def changed(self, within: timedelta) -> None:
        """The first call, and each after a failure, returns at once: anything may have changed before it."""
        await self._tail.changed(within)

    async def close(self) -> None:
        """Close the connections and end the thread; nothing else may be under way."""
        await self._tail.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(
        self, engine: AsyncEngine, kind: Mapping[bool, dict[str, Any]], *, commit: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        self._require_file()
        begun = engine.execution_options(**kind[is_postgresql(engine)])
        try:
            async with transaction(begun, commit=commit) as connection:
                yield connection
        except Refused as exc:
            # Not our tables, or no longer: a primary that is being restored, say.
            raise Unavailable(DEPENDENCY) from exc

    async def _is_reported(self, node: Node) -> bool:
        async with self._transaction(self._engine, READ) as connection:
            listed = await SqlNodes(Work(connection)).list(SEEN_OFTEN_ENOUGH)
        return any((it.id, it.name) == (node.id, node.name) for it, _ in listed)

    def _require_file(self) -> None:
        """Raise Unavailable for a SQLite file that is not there: connecting would make an empty one."""
        if isinstance(self._primary, Path):
            try:
                file_at(self._primary)
            except OSError as exc:
                raise Unavailable(DEPENDENCY) from exc
