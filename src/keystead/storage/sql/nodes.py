"""The nodes that report to the primary, in SQL; when each was seen is told by the primary's clock alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from keystead.domain.instants import MILLISECOND
from keystead.ports import Node
from keystead.storage.sql.schema import Instant, nodes
from keystead.storage.sql.seam import Work

_N = nodes.c


class PrimaryNow(sa.ColumnElement[datetime]):
    """The primary's clock as it runs the statement: PostgreSQL's server, or for SQLite this machine."""

    inherit_cache = True
    type = Instant()


@compiles(PrimaryNow, "sqlite")
def _sqlite_now(_element: PrimaryNow, _compiler: SQLCompiler, **_options: object) -> str:
    # `unixepoch('subsec')` would say it in a word, from SQLite 3.42 on.
    return "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(PrimaryNow, "postgresql")
def _postgresql_now(_element: PrimaryNow, _compiler: SQLCompiler, **_options: object) -> str:
    return "CAST(floor(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)"


def _decode(row: Sequence[Any]) -> tuple[Node, datetime]:
    return Node(id=row[0], name=row[1], applied_epoch=row[2]), row[3]


class SqlNodes:
    """See `ports.Nodes`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def list(self, seen_within: timedelta | None = None) -> Sequence[tuple[Node, datetime]]:
        """Reads every row: there are as many as machines ever reported."""
        statement = sa.select(_N.id, _N.name, _N.applied_epoch, _N.seen_at).order_by(_N.name, _N.id)
        if seen_within is not None:
            statement = statement.where(_N.seen_at >= _earlier(seen_within))
        return [_decode(row) for row in await self._work.rows(statement)]

    async def upsert(self, node: Node) -> None:
        """One statement by the primary key, which is right without the write lock, too."""
        # SQLite reads the same words, and its dialect of SQLAlchemy writes them.
        new = insert(nodes).values(
            id=node.id, name=node.name, applied_epoch=node.applied_epoch, seen_at=PrimaryNow()
        )
        newer = sa.case(
            (new.excluded.applied_epoch > _N.applied_epoch, new.excluded.applied_epoch),
            else_=_N.applied_epoch,
        )
        changed = {"name": new.excluded.name, "applied_epoch": newer, "seen_at": new.excluded.seen_at}
        await self._work.change(new.on_conflict_do_update(index_elements=[_N.id], set_=changed))


def _earlier(span: timedelta) -> sa.ColumnElement[Any]:
    """The instant so long ago, as it is stored."""
    return sa.type_coerce(PrimaryNow(), sa.BigInteger) - sa.literal(span // MILLISECOND, sa.BigInteger)
