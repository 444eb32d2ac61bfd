"""Transactions that are given up on when the server falls silent: an applier must notice, and go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keystead.domain.errors import Unavailable
from keystead.storage.sql.engine import is_postgresql, make_engine
from keystead.storage.sql.seam import guarded, to_the_end

CONNECT_WITHIN = timedelta(seconds=2)
SILENCE = timedelta(seconds=2.5)
"""How long the server may take over one statement of news, or over the beginning or end of a transaction."""


def make_impatient_engine(primary: str | Path, silence: timedelta = SILENCE) -> AsyncEngine:
    """An engine whose statements, on PostgreSQL, end in Unavailable after `silence`."""
    engine = make_engine(primary, statement_timeout=silence, connect_within=CONNECT_WITHIN)
    event.listen(engine.sync_engine, "handle_error", _cut_silent)
    return engine


def _cut_silent(context: sa.engine.ExceptionContext) -> None:
    """Cut the connection first: SQLAlchemy would take two seconds more to take leave of it."""
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        driver: Any = context.connection.connection.driver_connection
        driver.terminate()


@asynccontextmanager
async def transaction(engine: AsyncEngine, *, commit: bool = False) -> AsyncIterator[AsyncConnection]:
    """A transaction for the block, committed at its end if so said; else, and after any error, undone.

    After an error PostgreSQL's connection is cut, not closed: who does not answer says no goodbye either.
    """
    connection = engine.connect()
    try:
        await guarded(connection.start())
        try:
            await guarded(connection.begin().start())
            yield connection
            with cut_after(connection, SILENCE):
                await guarded(connection.commit() if commit else connection.rollback())
        except BaseException:
            await to_the_end(_cut(connection))
            raise
    finally:
        if connection.sync_connection is not None:
            await to_the_end(_close(connection))


@contextmanager
def cut_after(connection: AsyncConnection, within: timedelta) -> Iterator[None]:
    """Cut the connection if the block takes longer, which ends in Unavailable; SQLite is waited for."""
    driver = _driver(connection)
    if driver is None:
        yield
        return
    timer = asyncio.get_running_loop().call_later(within.total_seconds(), driver.terminate)
    try:
        yield
    finally:
        timer.cancel()


def _driver(connection: AsyncConnection) -> Any | None:  # noqa: ANN401 - the driver's
    """PostgreSQL's connection, as the driver has it; None of SQLite, and of one that was given up."""
    sync = connection.sync_connection
    if sync is None or sync.invalidated or not is_postgresql(connection.engine):
        return None
    return sync.connection.driver_connection


async def _cut(connection: AsyncConnection) -> None:
    driver = _driver(connection)
    if driver is not None:
        driver.terminate()
        with suppress(Unavailable):
            await guarded(connection.invalidate())


async def _close(connection: AsyncConnection) -> None:
    with suppress(Unavailable):
        await guarded(connection.close())
