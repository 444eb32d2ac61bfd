"""Counted uses, written beside everything else that is kept of a key."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keystead.ports import Used
from keystead.storage.sql.schema import Instant, keys, versions
from keystead.storage.sql.seam import Work


async def add_uses(work: Work, used: Sequence[Used]) -> None:
    """Two statements by primary keys, whatever the number of rows."""
    await work.change_each(_add_to(versions), [_row(u.version_id, u.count, u.last_used_at) for u in used])
    await work.change_each(_add_to(keys), _by_key(used))


def _add_to(table: sa.Table) -> sa.Update:
    at = sa.bindparam("used_at", type_=Instant)
    last = table.c.last_used_at
    newest = sa.case((sa.or_(last.is_(None), last < at), at), else_=last)
    changed = sa.update(table).where(table.c.id == sa.bindparam("used_id"))
    return changed.values(use_count=table.c.use_count + sa.bindparam("uses"), last_used_at=newest)


def _by_key(used: Sequence[Used]) -> list[dict[str, object]]:
    totals: dict[str, tuple[int, datetime]] = {}
    for use in used:
        count, last = totals.get(use.key_id, (0, use.last_used_at))
        totals[use.key_id] = (count + use.count, max(last, use.last_used_at))
    return [_row(key_id, count, last) for key_id, (count, last) in totals.items()]


def _row(identifier: str, count: int, last_used_at: datetime) -> dict[str, object]:
    return {"used_id": identifier, "uses": count, "used_at": last_used_at}
