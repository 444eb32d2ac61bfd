"""Pages of lists in addresses: where each so far began, so that a reload stays and the way back is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, islice
from typing import Protocol, TypeVar
from urllib.parse import quote

from keystead.dashboard.render import AnyRequest
from keystead.domain.instants import FAR, at, at_ms
from keystead.ports.store import Listing, Page, Position

QUERY = "after"
"""Given once for each page behind: the last one is where this page begins."""

_MOST_STEPS = 40
_MOST_CHARACTERS = 2_000
"""Servers refuse addresses that are very long, and each page has two of them."""
_FARTHEST_MS = at_ms(FAR)
_MOST_DIGITS = len(str(_FARTHEST_MS))

T = TypeVar("T")


class Made(Protocol):
    """What has an id and was made at an instant, by which most lists are ordered."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The pages behind this one, the first one first."""

    steps: Sequence[str] = ()

    @property
    def after(self) -> Position | None:
        """Where this page begins; None for the first, and for what is no step of ours."""
        return _position(self.steps[-1]) if self.steps else None

    def page(self, limit: int) -> Page:
        """The page itself, of so many items at most."""
        return Page(limit=limit, after=self.after)

    @property
    def back(self) -> Sequence[str] | None:
        """The trail of the page before; None on the first."""
        return self.steps[:-1] if self.steps else None

    def on(self, listing: Listing[T], position: Callable[[T], Position]) -> Sequence[str] | None:
        """The trail of the next page; None when there is none. `position` says where an item stands."""
        return self.beyond(position(listing.items[-1])) if listing.more else None

    def beyond(self, position: Position) -> Sequence[str]:
        """The trail of a page that begins after `position`."""
        return [*_lately(self.steps), _step(position)]


def trail_of(request: AnyRequest) -> Trail:
    """The trail that a request's address holds."""
    return Trail(steps=tuple(request.query_params.getall(QUERY, [])[-_MOST_STEPS - 1 :]))


def by_made(item: Made) -> Position:
    """Where an item stands in a list that is ordered by when things were made."""
    return Position(at=item.created_at, id=item.id)


def _lately(steps: Sequence[str]) -> Sequence[str]:
    """The last ones of them, as many as an address should hold."""
    lengths = accumulate(len(quote(step)) for step in reversed(steps))
    kept = sum(1 for length in islice(lengths, _MOST_STEPS) if length <= _MOST_CHARACTERS)
    return steps[len(steps) - kept :]


def _step(position: Position) -> str:
    step = f"{at_ms(position.at)}.{position.id}"
    return f"{step}.{position.name}" if position.name else step


def _position(step: str) -> Position | None:
    instant_ms, _, rest = step.partition(".")
    if not (instant_ms.isascii() and instant_ms.isdigit() and len(instant_ms) <= _MOST_DIGITS):
        return None
    identifier, _, name = rest.partition(".")
    return Position(at=at(min(int(instant_ms), _FARTHEST_MS)), id=identifier, name=name)
