"""The whole primary at one point, as a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from keystead.domain.policy import Tenant
from keystead.ports.replica import Point, RoleRow, VersionRow
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.seam import Work, guarded
from keystead.storage.sql.source_news import newest_point, require_primary
from keystead.storage.sql.source_rows import NOW_MS, ROLES, TENANTS, VERSIONS, role_row, version_row

T = TypeVar("T")

PORTION = 2_000
PORTION_WITHIN = timedelta(minutes=2)
"""How long PostgreSQL may take over one portion, from a slow disk; a dead one is noticed as late."""

_IN_ORDER = VERSIONS.order_by(versions.c.digest)
# By the unique index on digests, a row after the other: sorting would write all of it to temporary files
# first, and to compile such a query takes longer than its first portion.
_PLAN = sa.text("SELECT set_config('enable_sort', 'off', true), set_config('jit', 'off', true)")
_NOW = sa.select(NOW_MS)
_ESTIMATE = sa.text("SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE oid = CAST('versions' AS regclass)")


class SqlSnapshot:
    """See `ports.replica.Snapshot`; lives as long as the transaction of its connection."""

    def __init__(self, connection: AsyncConnection, point: Point, expected: int, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self.point = point
        self.expected = expected

    async def tenants(self) -> AsyncIterator[Sequence[Tenant]]:
        for _, chosen, decode in TENANTS.values():
            async for portion in self._portions(chosen, decode):
                yield portion

    def roles(self) -> AsyncIterator[Sequence[RoleRow]]:
        return self._portions(ROLES, role_row)

    def versions(self) -> AsyncIterator[Sequence[VersionRow]]:
        return self._portions(_IN_ORDER, partial(version_row, now_ms=self._now_ms))

    async def _portions(
        self, chosen: sa.Select[Any], decode: Callable[[Sequence[Any]], T]
    ) -> AsyncIterator[Sequence[T]]:
        result = await guarded(self._connection.stream(chosen))
        # One portion ahead: the database reads the next while whoever asked works on this one.
        ahead = asyncio.create_task(guarded(result.fetchmany(PORTION)))
        try:
            while rows := await ahead:
                ahead = asyncio.create_task(guarded(result.fetchmany(PORTION)))
                yield [decode(row) for row in rows]
        finally:
            # Left in the middle: the connection is not given back while the driver still works on it.
            await asyncio.gather(ahead, return_exceptions=True)


async def begin_snapshot(connection: AsyncConnection) -> SqlSnapshot:
    """The snapshot that the connection's transaction, just begun, sees. Raises Unavailable of a standby."""
    work = Work(connection)
    await require_primary(work)
    point = await newest_point(work)
    expected = await _expected(work)
    now_ms = int(await work.value(_NOW))
    if work.is_postgresql:
        await work.value(_PLAN)
    return SqlSnapshot(connection, point, expected, now_ms)


async def _expected(work: Work) -> int:
    if not work.is_postgresql:
        return int(await work.value(sa.select(sa.func.count()).select_from(versions)))
    # Counting would read as much as the snapshot; a table never analysed says -1.
    estimate = int(await work.value(_ESTIMATE))
    if estimate > 0:
        return estimate
    return int(await work.value(sa.select(sa.func.coalesce(sa.func.max(keys.c.number), 0))))
