"""The rows of keys and versions, and the values they stand for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from keystead.domain.keys import (
    By,
    Environment,
    Key,
    KeyType,
    Owner,
    OwnerKind,
    RevokedReason,
    Version,
)
from keystead.storage.sql.paging import fold
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.seam import Work
from keystead.storage.sql.shapes import by_from_row, constraints_from_json, constraints_to_json

_K = keys.c
_V = versions.c
VERSION_COLUMNS = (
    _V.id,
    _V.digest,
    _V.start,
    _V.last4,
    _V.created_at,
    _V.retires_at,
    _V.token,
    _V.use_count,
    _V.last_used_at,
    _V.origin_seen_at,
)
KEY_COLUMNS = (
    _K.id,
    _K.name,
    _K.type,
    _K.environment,
    _K.owner_kind,
    _K.app_id,
    _K.user_id,
    _K.organization_id,
    _K.ephemeral,
    _K.created_at,
    _K.created_by_kind,
    _K.created_by_id,
    _K.expires_at,
    _K.lifetime,
    _K.constraints,
    _K.allowed_origins,
    _K.allowed_networks,
    _K.scopes,
    _K.labels,
    _K.metadata,
    _K.disabled_at,
    _K.disabled_by_kind,
    _K.disabled_by_id,
    _K.revoked_at,
    _K.revoked_reason,
    _K.use_count,
    _K.last_used_at,
    _K.revision,
)

# One key in one statement. Its own columns stand beside its first version, and are empty beside the others:
# a key that is rotated every day has thousands.
ONE_KEY = (
    sa.select(*VERSION_COLUMNS, *KEY_COLUMNS)
    .select_from(versions.outerjoin(keys, sa.and_(_K.id == _V.key_id, _V.position == 0)))
    .order_by(_V.position)
)


def decode_one_key(rows: Sequence[sa.Row[Any]]) -> Key | None:
    """The key from rows of `ONE_KEY`; None from no rows."""
    if not rows:
        return None
    return decode_key(rows[0][len(VERSION_COLUMNS) :], tuple(decode_version(row) for row in rows))


def decode_version(row: Sequence[Any]) -> Version:
    """A version from `VERSION_COLUMNS`."""
    return Version(
        id=row[0],
        digest=row[1],
        start=row[2],
        last4=row[3],
        created_at=row[4],
        retires_at=row[5],
        token=row[6],
        use_count=row[7],
        last_used_at=row[8],
        origin_seen_at=row[9],
    )


def decode_key(row: Sequence[Any], held: tuple[Version, ...]) -> Key:
    """A key from `KEY_COLUMNS` and its versions, oldest first."""
    return Key(
        id=row[0],
        name=row[1],
        type=KeyType(row[2]),
        environment=Environment(row[3]),
        owner=Owner(kind=OwnerKind(row[4]), id=row[5] or row[6]),
        organization_id=row[7],
        ephemeral=row[8],
        created_at=row[9],
        created_by=cast("By", by_from_row(row[10], row[11])),
        expires_at=row[12],
        lifetime=row[13],
        constraints=constraints_from_json(row[14]),
        allowed_origins=tuple(row[15]),
        allowed_networks=tuple(row[16]),
        scopes=tuple(row[17]),
        labels=row[18],
        metadata=row[19],
        versions=held,
        disabled_at=row[20],
        disabled_by=by_from_row(row[21], row[22]),
        revoked_at=row[23],
        revoked_reason=None if row[24] is None else RevokedReason(row[24]),
        use_count=row[25],
        last_used_at=row[26],
        revision=row[27],
    )


def encode_key(key: Key) -> dict[str, object]:
    """The columns of a key, all but its number and its uses."""
    by = key.disabled_by
    return {
        "id": key.id,
        "name": key.name,
        "name_folded": fold(key.name),
        "type": key.type,
        "environment": key.environment,
        "owner_kind": key.owner.kind,
        "app_id": key.owner.id if key.owner.kind is OwnerKind.APP else None,
        "user_id": key.owner.id if key.owner.kind is OwnerKind.USER else None,
        "organization_id": key.organization_id,
        "ephemeral": key.ephemeral,
        "created_at": key.created_at,
        "created_by_kind": key.created_by.kind,
        "created_by_id": key.created_by.id,
        "expires_at": key.expires_at,
        "lifetime": key.lifetime,
        "constraints": constraints_to_json(key.constraints),
        "allowed_origins": key.allowed_origins,
        "allowed_networks": key.allowed_networks,
        "scopes": key.scopes,
        "labels": key.labels,
        "metadata": key.metadata,
        "disabled_at": key.disabled_at,
        "disabled_by_kind": None if by is None else by.kind,
        "disabled_by_id": None if by is None else by.id,
        "revoked_at": key.revoked_at,
        "revoked_reason": key.revoked_reason,
        "revision": key.revision,
        "start": key.newest.start,
        "last4": key.newest.last4,
    }


def encode_version(key: Key, position: int) -> dict[str, object]:
    """The columns of the version at `position` of `key`."""
    version = key.versions[position]
    return {
        "id": version.id,
        "key_id": key.id,
        "position": position,
        "digest": version.digest,
        "start": version.start,
        "last4": version.last4,
        "created_at": version.created_at,
        "retires_at": version.retires_at,
        "token": version.token,
        "use_count": version.use_count,
        "last_used_at": version.last_used_at,
        "origin_seen_at": version.origin_seen_at,
    }


async def with_versions(work: Work, rows: Sequence[Sequence[Any]]) -> list[Key]:
    """Keys from rows of `KEY_COLUMNS`: the versions of all of them come in one query, by an index."""
    held = await _versions_of(work, [row[0] for row in rows])
    return [decode_key(row, tuple(held[row[0]])) for row in rows]


async def _versions_of(work: Work, key_ids: Sequence[str]) -> Mapping[str, Sequence[Version]]:
    held: dict[str, list[Version]] = {key_id: [] for key_id in key_ids}
    for some in portions(key_ids, 1_000):
        chosen = sa.select(*VERSION_COLUMNS, _V.key_id).where(_V.key_id.in_(some))
        for row in await work.rows(chosen.order_by(_V.key_id, _V.position)):
            held[row.key_id].append(decode_version(row))
    return held


def portions(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    """Both databases bound how many parameters a statement may have."""
    return (items[at : at + size] for at in range(0, len(items), size))
