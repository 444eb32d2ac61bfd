"""The nodes that report to the primary, in SQL; when each was seen is told by the primary's clock alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from keystead.domain.instants import MILLISECOND
from keystead.ports.replica import BEGINNING
from keystead.ports.store import Node
from keystead.storage.sql.schema import Instant, changes, nodes
from keystead.storage.sql.seam import Work

_N = nodes.c


class PrimaryNow(sa.sql.expression.FunctionElement[datetime]):
    """The primary's clock as it runs the statement: PostgreSQL's server, or for SQLite this machine."""

    # Heeded below a function only: a statement with any other element of ours is compiled each time.
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
    return Node(id=row[0], name=row[1], applied_epoch=row[2], mark=bytes(row[3])), row[4]


class SqlNodes:
    """See `ports.store.Nodes`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def list(self, seen_within: timedelta | None = None) -> Sequence[tuple[Node, datetime]]:
        """Reads every row: there are as many as machines reported since the last ones were purged."""
        statement = sa.select(_N.id, _N.name, _N.applied_epoch, _N.mark, _N.seen_at)
        if seen_within is not None:
            statement = statement.where(_N.seen_at >= _earlier(seen_within))
        return [_decode(row) for row in await self._work.rows(statement.order_by(_N.name, _N.id))]

    async def upsert(self, node: Node) -> None:
        """One statement by the primary key, which is right without the write lock, too."""
        # SQLite reads the same words, and its dialect of SQLAlchemy writes them.
        epoch, mark = sa.literal(node.applied_epoch, sa.BigInteger), sa.literal(node.mark, sa.LargeBinary)
        held = _held(epoch, mark)
        new = insert(nodes).values(
            id=node.id,
            name=node.name,
            applied_epoch=sa.case((held, epoch), else_=BEGINNING.epoch),
            mark=sa.case((held, mark), else_=BEGINNING.mark),
            seen_at=PrimaryNow(),
        )
        put = new.excluded
        stays = sa.and_(
            put.applied_epoch > BEGINNING.epoch,
            put.applied_epoch < _N.applied_epoch,
            _held(_N.applied_epoch, _N.mark),
        )
        changed = {
            "name": put.name,
            "applied_epoch": sa.case((stays, _N.applied_epoch), else_=put.applied_epoch),
            "mark": sa.case((stays, _N.mark), else_=put.mark),
            "seen_at": put.seen_at,
        }
        await self._work.change(new.on_conflict_do_update(index_elements=[_N.id], set_=changed))

    async def purge(self, unseen_for: timedelta) -> int:
        return await self._work.change(sa.delete(nodes).where(_N.seen_at < _earlier(unseen_for)))


def _held(epoch: sa.ColumnElement[int], mark: sa.ColumnElement[bytes]) -> sa.ColumnElement[bool]:
    """Whether the point is in the primary's history; by the primary key of `changes`."""
    return sa.exists().where(changes.c.epoch == epoch, changes.c.mark == mark).correlate_except(changes)


def _earlier(span: timedelta) -> sa.ColumnElement[Any]:
    """The instant so long ago, as it is stored."""
    return sa.type_coerce(PrimaryNow(), sa.BigInteger) - sa.literal(span // MILLISECOND, sa.BigInteger)
