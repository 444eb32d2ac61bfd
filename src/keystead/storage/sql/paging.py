"""Lists, newest first, a page at a time: by position, not by count, so that every page costs the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from keystead.ports.store import Listing, Page
from keystead.storage.sql.seam import Work

T = TypeVar("T")
Statement = sa.Select[Any]
Decode = Callable[[Sequence[Any]], T]


async def fetch_page(
    work: Work,
    statement: Statement,
    page: Page,
    *,
    order: tuple[sa.Column[Any], sa.Column[Any]],
    decode: Decode[T],
) -> Listing[T]:
    """The page of `statement` ordered by `order`, an instant and an id, descending.

    One row beyond the page is asked for, to know whether more follow.
    """
    at, identifier = order
    if page.after is not None:
        after = sa.tuple_(sa.literal(page.after.at, at.type), sa.literal(page.after.id, identifier.type))
        statement = statement.where(sa.tuple_(at, identifier) < after)
    rows = await work.rows(statement.order_by(at.desc(), identifier.desc()).limit(page.limit + 1))
    return Listing(items=[decode(row) for row in rows[: page.limit]], more=len(rows) > page.limit)


def fold(text: str) -> str:
    """Text as it is compared in any letter case: the databases' own `lower` knows ASCII only."""
    return text.casefold()


def name_holds(column: sa.Column[str], part: str) -> sa.ColumnElement[bool]:
    """Whether the folded name in `column` holds `part`; `%`, `_` and the like are letters as any."""
    return column.contains(fold(part), autoescape=True)


def labels_hold(column: sa.Column[Any], labels: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    """Whether every label is there with this value."""
    return [_label_is(column, name, value) for name, value in labels.items()]


def _label_is(column: sa.Column[Any], name: str, value: str) -> sa.ColumnElement[bool]:
    # A quote would end the path that SQLite is given; no label has one in its name.
    if '"' in name:
        return sa.false()
    return sa.cast(column[name].as_string(), sa.Text) == value
