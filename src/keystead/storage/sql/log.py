"""What happened, in SQL: the audit log and the change numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import By, ByKind
from keystead.ports.store import AuditFilter, Listing, Page
from keystead.storage.sql.paging import fetch_page
from keystead.storage.sql.schema import audit, changes
from keystead.storage.sql.seam import Work
from keystead.storage.sql.users import next_number

CHANNEL = "keystead_changes"
"""What PostgreSQL notifies of every epoch, as it commits."""

_A = audit.c
_C = changes.c
_COLUMNS = (
    _A.id,
    _A.at,
    _A.by_kind,
    _A.by_id,
    _A.action,
    _A.subject_kind,
    _A.subject_id,
    _A.organization_id,
    _A.before,
    _A.after,
    _A.address,
    _A.request_id,
    _A.epoch,
)
_INSERT = sa.insert(audit)

_NEWEST = sa.select(sa.func.coalesce(sa.func.max(_C.epoch), 0))
_INSERT_CHANGES = sa.insert(changes)
_BEGIN_EPOCH_AND_TELL = (
    sa.insert(changes).values(epoch=next_number(_C.epoch)).returning(_C.epoch, sa.func.pg_notify(CHANNEL, ""))
)


def _decode(row: Sequence[Any]) -> Entry:
    return Entry(
        id=row[0],
        at=row[1],
        by=By(kind=ByKind(row[2]), id=row[3]),
        action=row[4],
        subject=Subject(kind=SubjectKind(row[5]), id=row[6]),
        organization_id=row[7],
        before=row[8],
        after=row[9],
        address=row[10],
        request_id=row[11],
        epoch=row[12],
    )


def _encode(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at,
        "by_kind": entry.by.kind,
        "by_id": entry.by.id,
        "action": entry.action,
        "subject_kind": entry.subject.kind,
        "subject_id": entry.subject.id,
        "organization_id": entry.organization_id,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "request_id": entry.request_id,
        "epoch": entry.epoch,
    }


class SqlAudit:
    """See `ports.store.Audit`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def append(self, entries: Sequence[Entry]) -> None:
        """One statement for all."""
        await self._work.change_each(_INSERT, [_encode(entry) for entry in entries])

    async def list(self, organization_id: OrganizationId, wanted: AuditFilter, page: Page) -> Listing[Entry]:
        """In the order of an index: the organization's, or that of what is wanted of it."""
        statement = sa.select(*_COLUMNS).where(_A.organization_id == organization_id)
        if wanted.kind is not None:
            statement = statement.where(_A.subject_kind == wanted.kind)
        if wanted.by is not None:
            statement = statement.where(_A.by_id == wanted.by)
        return await fetch_page(self._work, statement, page, order=(_A.at, _A.id), decode=_decode)

    async def newest_at(self) -> datetime | None:
        """The end of an index."""
        return cast("datetime | None", await self._work.value(sa.select(sa.func.max(_A.at))))


class SqlChanges:
    """See `ports.store.Changes`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def append(self, subjects: Sequence[Subject], mark: bytes) -> int:
        """One more than the newest. No other write runs beside: no gaps, and numbers in commit order.

        PostgreSQL tells whoever listens to `CHANNEL` once it is committed.
        """
        if not subjects:
            raise AssertionError("an epoch of nothing")
        # A subject touched twice in one mutation is one row.
        rows = [{"mark": mark, "kind": s.kind, "id": s.id} for s in dict.fromkeys(subjects)]
        if self._work.is_postgresql:
            epoch = int(await self._work.value(_BEGIN_EPOCH_AND_TELL, rows.pop(0)))
        else:
            # SQLite has RETURNING from 3.35 on, and Python 3.11 runs with older ones.
            epoch = await self.newest() + 1
        await self._work.change_each(_INSERT_CHANGES, [{**row, "epoch": epoch} for row in rows])
        return epoch

    async def newest(self) -> int:
        """The end of an index."""
        return int(await self._work.value(_NEWEST))
