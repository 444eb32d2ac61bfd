"""Keys in SQL, whole values in and out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

import sqlalchemy as sa

from keystead.domain.granting import MAX_EPHEMERAL_LIFETIME
from keystead.domain.ids import AppId, KeyId, OrganizationId, UserId
from keystead.domain.keys import Key, OwnerKind, Status, Version
from keystead.ports import KeyFilter, Listing, Page
from keystead.storage.sql.paging import fetch_rows, labels_hold, name_holds
from keystead.storage.sql.schema import apps, keys, users, versions
from keystead.storage.sql.seam import Work
from keystead.storage.sql.users import next_number
from keystead.storage.sql.versions import KEY_COLUMNS, encode_key, encode_version, portions, with_versions

Condition = sa.ColumnElement[bool]

_K = keys.c
_V = versions.c
_ORDER = (_K.created_at, _K.id)
# Of a version only its retirement and its kept token can change.
_CHANGEABLE = (_V.retires_at, _V.token)


class SqlKeys:
    """See `ports.Keys`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, key_id: KeyId) -> Key | None:
        """By the primary key."""
        return await self._one(_K.id == key_id)

    async def find_digest(self, digest: bytes) -> Key | None:
        """By the unique digest of any version."""
        return await self._one(_K.id == sa.select(_V.key_id).where(_V.digest == digest).scalar_subquery())

    async def insert(self, key: Key) -> None:
        uses = {"use_count": key.use_count, "last_used_at": key.last_used_at}
        values = {**encode_key(key), **uses, "number": next_number(_K.number)}
        await self._work.change(sa.insert(keys).values(values))
        await self._insert_versions(key, range(len(key.versions)))

    async def update(self, key: Key) -> None:
        """Of the versions it writes those alone that are new or differ from what is stored."""
        await self._work.change_one(sa.update(keys).where(_K.id == key.id).values(encode_key(key)))
        rows = await self._work.rows(sa.select(_V.id, *_CHANGEABLE).where(_V.key_id == key.id))
        stored = {row.id: (row.retires_at, row.token) for row in rows}
        await self._update_versions(
            v for v in key.versions if v.id in stored and stored[v.id] != (v.retires_at, v.token)
        )
        await self._insert_versions(key, [at for at, v in enumerate(key.versions) if v.id not in stored])

    async def list(self, wanted: KeyFilter, page: Page) -> Listing[Key]:
        """In the order of the owner's or organization's index, two queries whatever the page's length."""
        statement = sa.select(*KEY_COLUMNS).where(*_matches(wanted))
        rows, more = await fetch_rows(self._work, statement, page, order=_ORDER)
        return Listing(items=await with_versions(self._work, rows), more=more)

    async def count_live(self, owner_id: AppId | UserId, now: datetime) -> int:
        """Reads the owner's rows only."""
        live = sa.and_(_K.revoked_at.is_(None), sa.not_(_expired(now)))
        return int(await self._work.value(sa.select(sa.func.count()).where(_owned_by(owner_id), live)))

    async def unrevoked(
        self, *, organization_id: OrganizationId | None = None, owner_id: AppId | UserId | None = None
    ) -> Sequence[Key]:
        """By the owner's or organization's index; oldest first."""
        below: list[Condition] = []
        if organization_id is not None:
            below.append(_K.organization_id == organization_id)
        if owner_id is not None:
            below.append(_owned_by(owner_id))
        if not below:
            raise AssertionError("unrevoked() without an organization or an owner means every key")
        return await self._all(*below, _K.revoked_at.is_(None))

    async def made_by(self, key_ids: Sequence[KeyId]) -> Sequence[Key]:
        """By an index, five hundred at a time; oldest first."""
        made = [key for some in portions(key_ids, 500) for key in await self._all(_K.created_by_id.in_(some))]
        return sorted(made, key=lambda key: (key.created_at, key.id))

    async def purge_ephemeral(self, ended_before: datetime, *, limit: int) -> Sequence[Key]:
        """By the index on expiry, since none of them lives for long. Versions go with their keys."""
        ended = sa.or_(_K.revoked_at < ended_before, _K.expires_at < ended_before)
        # Leaves none out: what was revoked by then was made by then, and lives no longer than this.
        soon = _K.expires_at <= ended_before + MAX_EPHEMERAL_LIFETIME
        chosen = sa.select(*KEY_COLUMNS).where(_K.ephemeral, ended, soon)
        rows = await self._work.rows(chosen.order_by(_K.expires_at).limit(limit))
        gone = await with_versions(self._work, rows)
        for some in portions([key.id for key in gone], 500):
            await self._work.change(sa.delete(keys).where(_K.id.in_(some)))
        return gone

    async def _one(self, condition: Condition) -> Key | None:
        found = await self._all(condition)
        return found[0] if found else None

    async def _all(self, *conditions: Condition) -> Sequence[Key]:
        rows = await self._work.rows(sa.select(*KEY_COLUMNS).where(*conditions).order_by(*_ORDER))
        return await with_versions(self._work, rows)

    async def _insert_versions(self, key: Key, positions: Sequence[int]) -> None:
        await self._work.change_each(sa.insert(versions), [encode_version(key, at) for at in positions])

    async def _update_versions(self, some: Iterable[Version]) -> None:
        changed = sa.update(versions).where(_V.id == sa.bindparam("version_id"))
        changed = changed.values(retires_at=sa.bindparam("retires"), token=sa.bindparam("kept"))
        rows = [{"version_id": v.id, "retires": v.retires_at, "kept": v.token} for v in some]
        await self._work.change_each(changed, rows)


def _owned_by(owner_id: AppId | UserId) -> Condition:
    return sa.or_(_K.app_id == owner_id, _K.user_id == owner_id)


def _expired(now: datetime) -> Condition:
    return sa.and_(_K.expires_at.is_not(None), _K.expires_at <= now)


def _matches(wanted: KeyFilter) -> list[Condition]:
    return [
        _K.ephemeral if wanted.ephemeral else sa.not_(_K.ephemeral),
        _has_status(wanted.status, wanted.now),
        *_equals(wanted),
        *_owner_is(wanted),
        *_looks_like(wanted),
        *_by_time(wanted),
        *labels_hold(_K.labels, wanted.labels),
    ]


def _has_status(status: Status | None, now: datetime) -> Condition:
    """As `Key.status` says it."""
    unrevoked, enabled = _K.revoked_at.is_(None), _K.disabled_at.is_(None)
    match status:
        case None:
            return unrevoked
        case Status.REVOKED:
            return _K.revoked_at.is_not(None)
        case Status.DISABLED:
            return sa.and_(unrevoked, sa.not_(enabled))
        case Status.EXPIRED:
            return sa.and_(unrevoked, enabled, _expired(now))
        case Status.ACTIVE:
            return sa.and_(unrevoked, enabled, sa.not_(_expired(now)))
        case _:
            assert_never(status)


def _equals(wanted: KeyFilter) -> list[Condition]:
    pairs = (
        (_K.organization_id, wanted.organization_id),
        (_K.type, wanted.type),
        (_K.last4, wanted.last4),
    )
    return [column == value for column, value in pairs if value is not None]


def _owner_is(wanted: KeyFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.owner_kind is OwnerKind.INSTANCE:
        # Root keys alone have none, and on this column there is an index in the order of the list.
        conditions.append(_K.organization_id.is_(None))
    if wanted.owner_id is not None:
        conditions.append(_owner_column_is(wanted.owner_kind, wanted.owner_id))
    elif wanted.owner_kind is not None:
        conditions.append(_K.owner_kind == wanted.owner_kind)
    if wanted.external_id is not None:
        app = sa.select(apps.c.id).where(apps.c.external_id == wanted.external_id)
        user = sa.select(users.c.id).where(users.c.external_id == wanted.external_id)
        conditions.append(sa.or_(_K.app_id == app.scalar_subquery(), _K.user_id == user.scalar_subquery()))
    return conditions


def _owner_column_is(kind: OwnerKind | None, owner_id: AppId | UserId) -> Condition:
    # One column where the kind is known, which says it all: its index then gives the order of the list too.
    match kind:
        case OwnerKind.APP:
            return _K.app_id == owner_id
        case OwnerKind.USER:
            return _K.user_id == owner_id
        case OwnerKind.INSTANCE | None:
            return _owned_by(owner_id)
        case _:
            assert_never(kind)


def _looks_like(wanted: KeyFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.name is not None:
        conditions.append(name_holds(_K.name_folded, wanted.name))
    if wanted.start is not None:
        # Not LIKE, which in SQLite overlooks the case of letters.
        conditions.append(sa.func.substr(_K.start, 1, len(wanted.start)) == wanted.start)
    return conditions


def _by_time(wanted: KeyFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.expires_before is not None:
        conditions.append(_K.expires_at < wanted.expires_before)
    if wanted.unused_since is not None:
        conditions.append(sa.func.coalesce(_K.last_used_at, _K.created_at) < wanted.unused_since)
    return conditions
