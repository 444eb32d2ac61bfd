"""The audit log as people look through it: filtered, a page at a time, and as files."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import msgspec

from keystead.domain.audit import Entry
from keystead.domain.ids import OrganizationId
from keystead.ports.store import AuditFilter, Listing, Page, Position
from keystead.services.auditing import list_audit
from keystead.services.context import Actor, Context

BATCH = 200
"""So many entries are held at once while a file is made, however long the log is."""

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
class Log:
    """An organization's audit log, as `actor` may read it."""

    context: Context
    actor: Actor
    organization_id: OrganizationId
    wanted: AuditFilter

    async def page(self, page: Page) -> Listing[Entry]:
        """Entries that are wanted, the newest first."""
        return await list_audit(self.context, self.actor, self.organization_id, self.wanted, page)

    async def all(self) -> AsyncIterator[Entry]:
        """Every entry that is wanted, likewise; each batch is read when it is asked for."""
        page, more = Page(limit=BATCH), True
        while more:
            listing = await self.page(page)
            for entry in listing.items:
                yield entry
            more = listing.more
            if more:
                page = Page(limit=BATCH, after=position_of(listing.items[-1]))


def position_of(entry: Entry) -> Position:
    """Where an entry stands in the log."""
    return Position(at=entry.at, id=entry.id)


async def as_csv(entries: AsyncIterator[Entry]) -> AsyncIterator[str]:
    """Entries as CSV (RFC 4180), a heading first; no cell is a formula to whatever opens it."""
    yield _row(_COLUMNS)
    async for entry in entries:
        told = _told(entry)
        yield _row([_cell(told[column]) for column in _COLUMNS])


async def as_json_lines(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    """Entries as JSON, one on each line, as the API shows them."""
    async for entry in entries:
        yield msgspec.json.encode(entry) + b"\n"


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
