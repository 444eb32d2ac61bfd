"""Where drivers' exceptions end: what passes is a result, `Unavailable`, or a broken invariant, valueless."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from keystead.domain.errors import KeysteadError, Unavailable

T = TypeVar("T")

DEPENDENCY = "database"

# SQLSTATE classes of a statement that can never succeed as it is: values, constraints, syntax.
_OUR_FAULT = ("21", "22", "23", "42")
_OUR_FAULT_CLASSES = (
    sa.exc.IntegrityError,
    sa.exc.DataError,
    sa.exc.ProgrammingError,
    sa.exc.NotSupportedError,
)


_FULL = "its disk is full"
_MENDABLE = {"53100": _FULL, "25006": "it takes no changes now (it is read-only, or a standby)"}


class Refused(AssertionError):
    """The database refused a row or a statement: one of our invariants is broken."""


async def guarded(work: Awaitable[T]) -> T:
    """Await the driver's work; raises `Unavailable` or `Refused` in place of whatever the driver raises.

    `Refused` names the rule and has neither cause nor context, whose texts may quote the row. Cancelled, it
    ends only when the driver has: one left in the middle would keep its locks, and its connection be lost.
    """
    try:
        return await to_the_end(work)
    except KeysteadError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        failure = _failure(exc)
    except Exception as exc:
        # On the way to a connection asyncpg's own errors arrive as they are.
        if not type(exc).__module__.startswith("asyncpg."):
            raise
        failure = _unavailable(exc)
    # Outside the handler: inside, the driver's error would become the context.
    raise failure


async def to_the_end(work: Awaitable[T]) -> T:
    """Await work that must not be left in the middle: cancelled, however often, it is done first."""
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as exc:
            cancelled = cancelled or exc
    if cancelled is None:
        return running.result()
    if not running.cancelled():
        running.exception()  # looked at, lest asyncio complain of it
    raise cancelled


def _failure(exc: Exception) -> Exception:
    inner = exc.orig if isinstance(exc, StatementError) and exc.orig is not None else exc
    if isinstance(inner, KeysteadError):
        return inner
    return _refused(inner) if _is_our_fault(exc, inner) else _unavailable(inner)


def _is_our_fault(exc: Exception, inner: BaseException) -> bool:
    state = getattr(inner, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_OUR_FAULT)
    if not isinstance(exc, DBAPIError | sqlite3.Error | OSError | sa.exc.TimeoutError):
        return True
    # asyncpg says "invalid input for query argument", with the value, by a class of its own.
    return isinstance(exc, _OUR_FAULT_CLASSES) or isinstance(inner.__cause__, ValueError)


def _unavailable(cause: BaseException) -> Unavailable:
    failure = Unavailable(DEPENDENCY, _why(cause))
    failure.__cause__ = cause
    return failure


def _why(cause: BaseException) -> str | None:
    """What an operator can mend, if it is that."""
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return _FULL
    return _MENDABLE.get(str(getattr(cause, "sqlstate", None)))


def _refused(inner: BaseException) -> Refused:
    rule = getattr(inner.__cause__, "constraint_name", None)
    if rule is None and isinstance(inner, sqlite3.IntegrityError):
        rule = str(inner)  # names columns, never values
    return Refused(f"the database refused a statement: {type(inner).__name__}, {rule or 'no rule named'}")


class Work:
    """What a transaction does, statement by statement; raises as `guarded` says.

    A statement that is run often is made once, and given its values here: making it takes as long as running.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def is_postgresql(self) -> bool:
        """Which of the two databases it is."""
        return self._connection.dialect.name == "postgresql"

    async def rows(
        self, statement: sa.Executable, values: Mapping[str, object] | None = None
    ) -> Sequence[sa.Row[Any]]:
        """All rows of a select."""
        return (await guarded(self._connection.execute(statement, values))).all()

    async def row(
        self, statement: sa.Executable, values: Mapping[str, object] | None = None
    ) -> sa.Row[Any] | None:
        """The first row of a select, if any."""
        return (await guarded(self._connection.execute(statement, values))).first()

    async def value(self, statement: sa.Executable, values: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - the driver's
        """The first column of the first row."""
        return (await guarded(self._connection.execute(statement, values))).scalar()

    async def change(self, statement: sa.Executable, values: Mapping[str, object] | None = None) -> int:
        """Run a statement that changes rows; says how many it matched."""
        return (await guarded(self._connection.execute(statement, values))).rowcount

    async def change_one(self, statement: sa.Executable, values: Mapping[str, object] | None = None) -> None:
        """Run a statement that must match exactly one row."""
        matched = await self.change(statement, values)
        if matched != 1:
            raise Refused(f"a change of one row matched {matched}")

    async def change_each(self, statement: sa.Executable, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of values, in one go; nothing for no rows."""
        if rows:
            await guarded(self._connection.execute(statement, rows))
