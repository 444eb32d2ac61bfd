"""Waiting for PostgreSQL to tell of changes, on a connection that only listens."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from keystead.domain.errors import Unavailable
from keystead.storage.sql.engine import Connect
from keystead.storage.sql.log import CHANNEL
from keystead.storage.sql.seam import DEPENDENCY, guarded

if TYPE_CHECKING:
    import asyncpg

HEARTBEAT_WITHIN_S = 1.5
"""How long the server may take to show that it is there."""


class PostgresqlTail:
    """See `ports.replica.Source.changed`.

    The first call, and each after a failure, connects and returns at once.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[Any] | None = None
        self._told = asyncio.Event()

    async def changed(self, within: timedelta) -> None:
        """Notices a dead connection within half of `within` and `HEARTBEAT_WITHIN_S`. Raises Unavailable."""
        connection = self._connection
        if connection is None:
            # What was told while nobody listened is lost: all may have changed.
            connection = await guarded(self._listen())
        elif not await self._wait(within / 2):
            await self._prove_alive(connection)
            await self._wait(within / 2)
        self._told.clear()
        if connection.is_closed():
            await self.close()
            raise Unavailable(DEPENDENCY)

    async def close(self) -> None:
        """Give the connection up, without a goodbye for which a dead one would be waited for."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _listen(self) -> "asyncpg.Connection[Any]":
        connection = await self._connect()
        try:
            connection.add_termination_listener(self._tell)
            await connection.add_listener(CHANNEL, self._tell)
        except BaseException:
            connection.terminate()
            raise
        # Here, where it ends even if its caller is cancelled: `close` would else not know of it.
        self._connection = connection
        return connection

    async def _prove_alive(self, connection: "asyncpg.Connection[Any]") -> None:
        # A connection whose packets are dropped on the way stays open for many minutes otherwise.
        try:
            await guarded(connection.execute("SELECT 1", timeout=HEARTBEAT_WITHIN_S))
        except BaseException:
            await self.close()
            raise

    def _tell(self, *_: object) -> None:
        self._told.set()

    async def _wait(self, within: timedelta) -> bool:
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._told.wait()
        except TimeoutError:
            return False
