"""Pages of lists: `limit` and an opaque, sealed `cursor`."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from litestar.params import QueryParameter

from keystead.api.wire import ListView
from keystead.domain.errors import InvalidInput
from keystead.ports.store import Listing, Page, Position
from keystead.services.context import MIN_SEAL_BYTES, Seals

PAGE_QUERY = ("limit", "cursor")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES = 8

T = TypeVar("T")
V = TypeVar("V")

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=500, description="Where the page before ended: its `next_cursor`.")
]


def page_at(seals: Seals, limit: int, cursor: str | None) -> Page:
    """The page that `limit` and `cursor` ask for. Raises InvalidInput for a cursor that is not ours."""
    return Page(limit=limit, after=None if cursor is None else _position(seals, cursor))


def view_list(
    seals: Seals, listing: Listing[T], view: Callable[[T], V], position: Callable[[T], Position]
) -> ListView[V]:
    """A page as the API shows it; `position` says where an item stands in the list."""
    last = position(listing.items[-1]) if listing.more else None
    return ListView(
        items=[view(item) for item in listing.items],
        next_cursor=None if last is None else _cursor(seals, last),
    )


def _cursor(seals: Seals, position: Position) -> str:
    instant_ms = (position.at - _EPOCH) // timedelta(milliseconds=1)
    plain = instant_ms.to_bytes(_TIME_BYTES) + position.id.encode()
    return base64.urlsafe_b64encode(seals.seal("cursor", plain)[:MIN_SEAL_BYTES] + plain).decode().rstrip("=")


def _position(seals: Seals, cursor: str) -> Position:
    problem = InvalidInput("cursor", "is not one of ours; begin again without it")
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise problem from None
    seal, plain = sealed[:MIN_SEAL_BYTES], sealed[MIN_SEAL_BYTES:]
    if len(plain) <= _TIME_BYTES or not seals.matches(seal, "cursor", plain):
        raise problem
    instant = _EPOCH + timedelta(milliseconds=int.from_bytes(plain[:_TIME_BYTES]))
    return Position(at=instant, id=plain[_TIME_BYTES:].decode())
