"""The audit log as people look through it: filtered, a page at a time, and as files."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import msgspec

from keystead.domain.audit import Entry, SubjectKind
from keystead.domain.ids import OrganizationId
from keystead.ports.store import Listing, Page, Position
from keystead.services.auditing import list_audit
from keystead.services.context import Actor, Context

BATCH = 200
MOST_BATCHES = 20
"""So much is read for one page at most: whoever filters for what is rare goes on from there."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "at",
    "by_kind",
    "by_id",
    "action",
    "subject_kind",
    "subject_id",
    "before",
    "after",
    "address",
    "request_id",
    "epoch",
    "id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are wanted; None does not filter. `by` is the id of whoever did it."""

    kind: SubjectKind | None = None
    by: str | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is filtered."""
        return self.kind is None and self.by is None

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        return self.kind in {None, entry.subject.kind} and self.by in {None, entry.by.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An organization's audit log, as `actor` may read it."""

    context: Context
    actor: Actor
    organization_id: OrganizationId
    wanted: Wanted

    async def page(self, page: Page) -> tuple[Sequence[Entry], Position | None]:
        """Entries that are wanted, and where to go on; None at the end of the log.

        Fewer than `page.limit` may come though the log goes on: see `MOST_BATCHES`.
        """
        found: list[Entry] = []
        after = page.after
        for _ in range(MOST_BATCHES):
            # One beyond the page tells that there is a next one.
            size = page.limit + 1 if self.wanted.everything else BATCH
            listing = await self._read(Page(limit=size, after=after))
            found += [entry for entry in listing.items if self.wanted.matches(entry)]
            if len(found) > page.limit:
                return found[: page.limit], _position(found[page.limit - 1])
            if not listing.more:
                return found, None
            after = _position(listing.items[-1])
        return found, after

    async def all(self) -> AsyncIterator[Entry]:
        """Every entry that is wanted, the newest first."""
        after, more = None, True
        while more:
            listing = await self._read(Page(limit=BATCH, after=after))
            for entry in listing.items:
                after = _position(entry)
                if self.wanted.matches(entry):
                    yield entry
            more = listing.more

    async def _read(self, page: Page) -> Listing[Entry]:
        return await list_audit(self.context, self.actor, self.organization_id, page)


async def as_csv(entries: AsyncIterator[Entry]) -> AsyncIterator[str]:
    """Entries as CSV (RFC 4180), a heading first; no cell is a formula to whatever opens it."""
    yield _row(_COLUMNS)
    async for entry in entries:
        told = _told(entry)
        yield _row([_cell(told[column]) for column in _COLUMNS])


async def as_json_lines(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    """Entries as JSON, one on each line, as the API shows them."""
    async for entry in entries:
        told = {
            "id": entry.id,
            "at": entry.at,
            "by": entry.by,
            "action": entry.action,
            "subject": entry.subject,
            "organization_id": entry.organization_id,
            "before": entry.before,
            "after": entry.after,
            "address": entry.address,
            "request_id": entry.request_id,
            "epoch": entry.epoch,
        }
        yield msgspec.json.encode(told) + b"\n"


def _told(entry: Entry) -> Mapping[str, object]:
    return {
        "at": _instant(entry),
        "by_kind": entry.by.kind,
        "by_id": entry.by.id,
        "action": entry.action,
        "subject_kind": entry.subject.kind,
        "subject_id": entry.subject.id,
        "before": _json(entry.before),
        "after": _json(entry.after),
        "address": entry.address,
        "request_id": entry.request_id,
        "epoch": entry.epoch,
        "id": entry.id,
    }


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # Programs run what begins so as a formula; the mark makes it text (OWASP, CSV injection).
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _instant(entry: Entry) -> str:
    return entry.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _position(entry: Entry) -> Position:
    return Position(created_at=entry.at, id=entry.id)
