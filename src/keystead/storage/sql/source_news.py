"""What changed since a point of the primary's history, and where two histories part."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from keystead.domain.audit import SubjectKind
from keystead.domain.errors import Unavailable
from keystead.domain.policy import Tenant
from keystead.ports.replica import BEGINNING, News, Point, RoleRow, VersionRow
from keystead.storage.sql.schema import changes, keys, members
from keystead.storage.sql.seam import DEPENDENCY, Work
from keystead.storage.sql.source_rows import NOW_MS, ROLES, TENANTS, VERSIONS, role_row, version_row
from keystead.storage.sql.versions import portions

MAX_NEWS = 100_000
"""How many changes are read as news: one by one they take seconds then, and some 50 MB of memory.

Not fewer, since one mutation may have as many (an organization deleted with all its keys), and until a
rebuild from a snapshot has ended, what it revoked is accepted.
"""

_PORTION = 500
_C = changes.c
_AFTER = sa.bindparam("epoch", type_=sa.BigInteger)
_MARK_AT = sa.select(_C.mark).where(_C.epoch == _AFTER).limit(1)
_NEWEST: sa.Select[Any] = sa.select(_C.epoch, _C.mark).order_by(_C.epoch.desc()).limit(1)


def _since(standby: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Whether it is a standby, the mark at an epoch, the clock, all changes after that; one row at least."""
    held = _MARK_AT.scalar_subquery().label("held")
    start = sa.select(standby.label("standby"), held, NOW_MS.label("now_ms")).subquery()
    later = sa.select(_C.epoch, _C.mark, _C.kind, _C.id).where(_C.epoch > _AFTER)
    later_ones = later.order_by(_C.epoch).limit(MAX_NEWS + 1).subquery()
    both = start.outerjoin(later_ones, sa.true())
    return sa.select(start, later_ones).select_from(both).order_by(later_ones.c.epoch)


_IN_RECOVERY = sa.func.pg_is_in_recovery(type_=sa.Boolean)
_SINCE = {True: _since(_IN_RECOVERY), False: _since(sa.false())}
"""One statement, by whether it is PostgreSQL: what proves to be the primary is what was read."""


async def require_primary(work: Work) -> None:
    """Raise Unavailable on a standby: newer changes may have been committed than it has."""
    if work.is_postgresql and await work.value(sa.select(_IN_RECOVERY)):
        raise Unavailable(DEPENDENCY)


async def newest_point(work: Work) -> Point:
    """The end of the history."""
    row = await work.row(_NEWEST)
    return BEGINNING if row is None else _point(row)


async def newest_common(work: Work, points: Sequence[Point]) -> Point:
    """The newest of `points`, oldest first, that is in the history.

    Found by halving: histories that share a point share all before it.
    """
    low, high = 0, len(points)
    while low < high:
        middle = (low + high) // 2
        if await _is_held(work, points[middle]):
            low = middle + 1
        else:
            high = middle
    return points[low - 1] if low else BEGINNING


async def read_news(work: Work, after: Point) -> News | None:
    """See `ports.replica.Source.news`; `work` is one consistent view.

    None too when a change is of a kind that this version does not know: what else changed with it cannot be
    told, while a snapshot holds it all, and ends at a point beyond it.
    """
    rows: Sequence[Sequence[Any]] = await work.rows(_SINCE[work.is_postgresql], {"epoch": after.epoch})
    standby, held, now_ms = rows[0][:3]
    if standby:
        raise Unavailable(DEPENDENCY)
    changed = [row[3:] for row in rows if row[3] is not None]
    passed = list(dict.fromkeys(map(_point, changed)))
    if after != BEGINNING and (held is None or bytes(held) != after.mark):
        return None
    if len(changed) > MAX_NEWS or not _without_gap([after, *passed]):
        return None
    if not passed:
        return News(passed=())
    touched = _by_kind(changed)
    if touched.keys() - set(SubjectKind):
        return None
    return News(
        passed=passed,
        versions=await _versions(work, touched.get(SubjectKind.KEY, ()), now_ms),
        tenants=await _tenants(work, touched),
        roles=await _roles(work, touched.get(SubjectKind.MEMBER, ())),
        gone=[bytes.fromhex(it) for it in touched.get(SubjectKind.DIGEST, ())],
    )


async def _is_held(work: Work, point: Point) -> bool:
    if point.epoch == BEGINNING.epoch:
        return True
    row = await work.row(_MARK_AT, {"epoch": point.epoch})
    return row is not None and bytes(row[0]) == point.mark


def _without_gap(points: Sequence[Point]) -> bool:
    return all(later.epoch == earlier.epoch + 1 for earlier, later in pairwise(points))


def _point(row: Sequence[Any]) -> Point:
    return Point(row[0], bytes(row[1]))


def _by_kind(rows: Iterable[Sequence[Any]]) -> dict[str, list[str]]:
    touched: dict[str, dict[str, None]] = {}
    for _, _, kind, identifier in rows:
        touched.setdefault(kind, {})[identifier] = None
    return {kind: list(ids) for kind, ids in touched.items()}


async def _versions(work: Work, key_ids: Sequence[str], now_ms: int) -> Sequence[VersionRow]:
    held: list[VersionRow] = []
    # Equal rules are kept once: they would be most of the memory.
    shared: dict[tuple[object, ...], tuple[object, ...]] = {}
    for some in portions(key_ids, _PORTION):
        found = await work.rows(VERSIONS.where(keys.c.id.in_(some)))
        rows = (version_row(row, now_ms) for row in found)
        held.extend(row._replace(rules=shared.setdefault(row.rules, row.rules)) for row in rows)
    return held


async def _tenants(work: Work, touched: dict[str, list[str]]) -> Sequence[Tenant]:
    held: list[Tenant] = []
    for kind, (table, chosen, decode) in TENANTS.items():
        for some in portions(touched.get(kind, []), _PORTION):
            held.extend(map(decode, await work.rows(chosen.where(table.c.id.in_(some)))))
    return held


async def _roles(work: Work, subjects: Sequence[str]) -> Sequence[RoleRow]:
    held: list[RoleRow] = []
    for some in portions(subjects, _PORTION):
        pairs = [(organization_id, user_id) for organization_id, _, user_id in map(_split, some)]
        member = sa.tuple_(members.c.organization_id, members.c.user_id)
        found = {row[:2]: row for row in map(role_row, await work.rows(ROLES.where(member.in_(pairs))))}
        held.extend(found.get(pair, RoleRow(*pair, None)) for pair in pairs)
    return held


def _split(subject: str) -> tuple[str, str, str]:
    return subject.partition("/")
