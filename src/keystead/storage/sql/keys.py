"""Keys in SQL, whole values in and out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keystead.domain.checkup import Survey
from keystead.domain.granting import MAX_EPHEMERAL_LIFETIME
from keystead.domain.ids import AppId, KeyId, OrganizationId, UserId
from keystead.domain.keys import Key, Owner, OwnerKind, Status, Version
from keystead.ports.store import KeyFilter, Listing, Owned, Page
from keystead.storage.sql.checkup import survey, worth_a_look
from keystead.storage.sql.key_filter import (
    Condition,
    expired,
    has_status,
    is_ephemeral,
    matches,
    owned_by,
    sorted_keys,
)
from keystead.storage.sql.schema import Instant, keys, versions
from keystead.storage.sql.seam import Work
from keystead.storage.sql.users import next_number
from keystead.storage.sql.versions import (
    KEY_COLUMNS,
    ONE_KEY,
    decode_one_key,
    encode_key,
    encode_version,
    portions,
    with_versions,
)

_K = keys.c
_V = versions.c
_ORDER = (_K.created_at, _K.id)
_NOW = sa.bindparam("now", type_=Instant)

_VERSION_OF_DIGEST = sa.select(_V.key_id).where(_V.digest == sa.bindparam("digest"))
_BY_ID = ONE_KEY.where(_V.key_id == sa.bindparam("key_id"))
_BY_DIGEST = ONE_KEY.where(_V.key_id == _VERSION_OF_DIGEST.correlate(None).scalar_subquery())

_OWNED = sa.select(
    _K.id, _K.owner_kind, sa.func.coalesce(_K.app_id, _K.user_id).label("owner_id"), _K.organization_id
)

_INSERT = sa.insert(keys).values(number=next_number(_K.number))
_UPDATE = sa.update(keys).where(_K.id == sa.bindparam("key_id"))
_INSERT_VERSIONS = sa.insert(versions)
_UPDATE_VERSIONS = (
    sa.update(versions)
    .where(_V.id == sa.bindparam("version_id"))
    .values(retires_at=sa.bindparam("retires"), token=sa.bindparam("kept"))
)

_COUNT_LIVE = sa.select(sa.func.count()).where(
    owned_by(sa.bindparam("owner_id")), _K.revoked_at.is_(None), sa.not_(expired(_NOW))
)
# As `Key.is_usable` says it. The order is the index's: without one PostgreSQL, which hopes to meet such a key
# soon, reads everybody's.
_USABLE = (
    sa.select(_K.id)
    .where(
        _K.app_id == sa.bindparam("app_id"),
        is_ephemeral(wanted=False),
        has_status(Status.ACTIVE, _NOW),
        sa.exists().where(_V.key_id == _K.id, sa.or_(_V.retires_at.is_(None), _V.retires_at > _NOW)),
    )
    .order_by(_K.created_at.desc(), _K.id.desc())
    .limit(1)
)


class SqlKeys:
    """See `ports.store.Keys`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, key_id: KeyId) -> Key | None:
        """By the primary key."""
        return decode_one_key(await self._work.rows(_BY_ID, {"key_id": key_id}))

    async def find_digest(self, digest: bytes) -> Key | None:
        """By the unique digest of any version."""
        return decode_one_key(await self._work.rows(_BY_DIGEST, {"digest": digest}))

    async def owned(self, key_ids: Sequence[KeyId]) -> Mapping[KeyId, Owned]:
        """By the primary key."""
        rows = await self._work.rows(_OWNED.where(_K.id.in_(key_ids)))
        return {it.id: Owned(_owner_of(it), it.organization_id) for it in rows}

    async def insert(self, key: Key) -> None:
        uses = {"use_count": key.use_count, "last_used_at": key.last_used_at}
        await self._work.change(_INSERT, {**encode_key(key), **uses})
        await self._insert_versions(key, range(len(key.versions)))

    async def update(self, before: Key, after: Key) -> None:
        """Leaves alone the columns that stay, and so most indexes."""
        if changes := _differing(encode_key(before), encode_key(after)):
            await self._work.change_one(_UPDATE, {**changes, "key_id": after.id})
        stored = {version.id: version for version in before.versions}
        await self._update_versions(v for v in after.versions if v.id in stored and _differ(stored[v.id], v))
        await self._insert_versions(after, [at for at, v in enumerate(after.versions) if v.id not in stored])

    async def list(self, wanted: KeyFilter, page: Page) -> Listing[Key]:
        """Two queries, whatever the page's length and wherever it begins; see `KeyOrder` for their cost."""
        statement = sa.select(*KEY_COLUMNS).where(*matches(wanted))
        if wanted.finding is not None:
            statement = statement.where(worth_a_look(wanted.finding, wanted.now))
        rows = await self._work.rows(sorted_keys(statement, wanted.order, page))
        keys = await with_versions(self._work, rows[: page.limit])
        return Listing(items=keys, more=len(rows) > page.limit)

    async def count_live(self, owner_id: AppId | UserId, now: datetime) -> int:
        """Reads the owner's rows only."""
        return int(await self._work.value(_COUNT_LIVE, {"owner_id": owner_id, "now": now}))

    async def any_usable(self, app_id: AppId, now: datetime) -> bool:
        """By the app's index, from the newest to the first that is."""
        return await self._work.row(_USABLE, {"app_id": app_id, "now": now}) is not None

    async def survey(self, app_id: AppId, now: datetime) -> Survey:
        """By the app's index."""
        return await survey(self._work, app_id, now)

    async def unrevoked(
        self, *, organization_id: OrganizationId | None = None, owner_id: AppId | UserId | None = None
    ) -> Sequence[Key]:
        """By the owner's or organization's index; oldest first."""
        below: list[Condition] = []
        if organization_id is not None:
            below.append(_K.organization_id == organization_id)
        if owner_id is not None:
            below.append(owned_by(owner_id))
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

    async def _all(self, *conditions: Condition) -> Sequence[Key]:
        rows = await self._work.rows(sa.select(*KEY_COLUMNS).where(*conditions).order_by(*_ORDER))
        return await with_versions(self._work, rows)

    async def _insert_versions(self, key: Key, positions: Sequence[int]) -> None:
        await self._work.change_each(_INSERT_VERSIONS, [encode_version(key, at) for at in positions])

    async def _update_versions(self, some: Iterable[Version]) -> None:
        rows = [{"version_id": v.id, "retires": v.retires_at, "kept": v.token} for v in some]
        await self._work.change_each(_UPDATE_VERSIONS, rows)


def _owner_of(row: sa.Row[Any]) -> Owner:
    return Owner(kind=OwnerKind(row.owner_kind), id=row.owner_id)


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in after.items() if value != before[name]}


def _differ(before: Version, after: Version) -> bool:
    # Nothing else of a version can change, but for its uses, which are not written here.
    return (before.retires_at, before.token) != (after.retires_at, after.token)
