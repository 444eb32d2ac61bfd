"""What a replica is made of, as the tables hold it: narrow rows, read without more work than they need."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from keystead.domain.audit import SubjectKind
from keystead.domain.instants import NEVER
from keystead.domain.keys import Environment, KeyType, Owner, OwnerKind
from keystead.domain.policy import Rules, Tenant
from keystead.domain.tenants import Role
from keystead.ports.replica import RoleRow, VersionRow
from keystead.storage.sql.nodes import PrimaryNow
from keystead.storage.sql.schema import apps, keys, members, organizations, users, versions
from keystead.storage.sql.seam import Refused
from keystead.storage.sql.shapes import ceiling_from_json, constraints_from_json

_K = keys.c
_V = versions.c
_M = members.c
_NEVER = sa.literal_column(str(NEVER), sa.BigInteger)
# Of other versions of this program, which must not stop this one from reading the rest.
_UNKNOWN = (Refused, ValueError, TypeError, KeyError)


def _as_stored(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """The text of a JSON column, which is not parsed."""
    return sa.cast(column, sa.Text)


def _ms(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """An instant in the milliseconds it is stored in; `NEVER` for none."""
    return sa.func.coalesce(sa.type_coerce(column, sa.BigInteger), _NEVER, type_=sa.BigInteger)


VERSIONS = sa.select(
    _V.digest,
    _V.key_id,
    _V.id,
    _K.revoked_at.is_not(None),
    _K.disabled_at.is_not(None),
    _ms(_K.expires_at),
    _ms(_V.retires_at),
    _K.name,
    _as_stored(_K.metadata),
    _K.type,
    _K.environment,
    _K.owner_kind,
    sa.func.coalesce(_K.app_id, _K.user_id),
    _K.organization_id,
    _as_stored(_K.constraints),
    _as_stored(_K.allowed_origins),
    _as_stored(_K.allowed_networks),
    _as_stored(_K.scopes),
).select_from(versions.join(keys, _K.id == _V.key_id))


NOW_MS = sa.type_coerce(PrimaryNow(), sa.BigInteger)
"""The primary's clock. What a node's own, an hour ahead, took for ended would be refused for good."""


def version_row(row: Sequence[Any], now_ms: int) -> VersionRow:
    """A row of `VERSIONS`, read at `NOW_MS`; written out, since ten million of them are read in a row."""
    (
        digest,
        key_id,
        version_id,
        revoked,
        disabled,
        expires_at_ms,
        retires_at_ms,
        name,
        metadata,
        type_,
        environment,
        owner_kind,
        owner_id,
        organization_id,
        constraints,
        origins,
        networks,
        scopes,
    ) = row
    # As `verdict.pack_about` does it; metadata are stored as compact as there.
    about = name if metadata == "{}" else f"{name}\0{metadata}"
    return VersionRow(
        digest,
        key_id,
        version_id,
        revoked,
        disabled,
        expires_at_ms,
        retires_at_ms,
        about.encode(),
        (
            type_,
            environment,
            owner_kind,
            owner_id,
            organization_id,
            constraints,
            origins,
            networks,
            scopes,
        ),
        retires_at_ms <= now_ms,
    )


def read_rules(stored: tuple[object, ...]) -> Rules | None:
    """The rules of a `VersionRow`; None when they hold one that this version does not know."""
    try:
        return _rules(cast("tuple[Any, ...]", stored))
    except _UNKNOWN:
        return None


def _rules(stored: tuple[Any, ...]) -> Rules:
    type_, environment, owner_kind, owner_id, organization_id, constraints, *lists = stored
    origins, networks, scopes = map(_texts, lists)
    return Rules(
        type=KeyType(type_),
        environment=Environment(environment),
        owner=Owner(kind=OwnerKind(owner_kind), id=owner_id),
        organization_id=organization_id,
        constraints=constraints_from_json(msgspec.json.decode(constraints)),
        allowed_origins=origins,
        allowed_networks=networks,
        scopes=scopes,
    )


def _texts(stored: str) -> tuple[str, ...]:
    return msgspec.json.decode(stored, type=tuple[str, ...])


def _organization(row: Sequence[Any]) -> Tenant:
    identifier, external_id, metadata, suspended, ceiling = row
    try:
        methods = ceiling_from_json(ceiling).public_methods
    except _UNKNOWN:
        # A rule that this version does not know refuses.
        methods, suspended = (), True
    return _tenant(identifier, external_id, metadata, suspended, public_methods=methods)


def _app(row: Sequence[Any]) -> Tenant:
    identifier, external_id, metadata, suspended, origins, networks = row
    return _tenant(
        identifier,
        external_id,
        metadata,
        suspended,
        allowed_origins=tuple(origins),
        allowed_networks=tuple(networks),
    )


def _tenant(
    identifier: str,
    external_id: str | None,
    metadata: Mapping[str, object],
    suspended: bool,  # noqa: FBT001 - a row's column
    **lists: tuple[str, ...],
) -> Tenant:
    return Tenant(id=identifier, external_id=external_id, metadata=metadata, suspended=suspended, **lists)


def _tenants(table: sa.Table, *more: sa.Column[Any]) -> sa.Select[Any]:
    held = table.c
    # What is deleted refuses as what is suspended does.
    ended = [held[name] for name in ("suspended_at", "deleted_at") if name in held]
    suspended = sa.or_(*(it.is_not(None) for it in ended))
    return sa.select(held.id, held.external_id, held.metadata, suspended, *more)


TENANTS: Mapping[SubjectKind, tuple[sa.Table, sa.Select[Any], Callable[[Sequence[Any]], Tenant]]] = {
    SubjectKind.ORGANIZATION: (
        organizations,
        _tenants(organizations, organizations.c.ceiling),
        _organization,
    ),
    SubjectKind.APP: (apps, _tenants(apps, apps.c.allowed_origins, apps.c.allowed_networks), _app),
    SubjectKind.USER: (users, _tenants(users), lambda row: _tenant(*row)),
}
"""By kind of tenant its table, all that is read of it, and what a row stands for; deleted ones too."""

ROLES = sa.select(_M.organization_id, _M.user_id, _M.role)


def role_row(row: Sequence[Any]) -> RoleRow:
    """A row of `ROLES`; a role that this version does not know is none."""
    organization_id, user_id, role = row
    return RoleRow(organization_id, user_id, Role(role) if role in _ROLES else None)


_ROLES = frozenset(Role)
