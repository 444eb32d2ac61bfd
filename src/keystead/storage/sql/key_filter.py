"""Which keys a filter wants, as conditions of SQL."""

from datetime import datetime
from typing import Any, assert_never

import sqlalchemy as sa

from keystead.domain.ids import AppId, UserId
from keystead.domain.instants import EPOCH, FAR
from keystead.domain.keys import OwnerKind, Status
from keystead.ports.store import KeyFilter, KeyOrder, Page
from keystead.storage.sql.paging import fold, labels_hold, name_holds
from keystead.storage.sql.schema import Instant, apps, keys, users

Condition = sa.ColumnElement[bool]
Now = datetime | sa.BindParameter[datetime]

_K = keys.c
_LONG_AGO = sa.literal(EPOCH, Instant)
_FAR_OFF = sa.literal(FAR, Instant)


def matches(wanted: KeyFilter) -> list[Condition]:
    """What all hold for the keys that are wanted."""
    return [
        is_ephemeral(wanted=wanted.ephemeral),
        has_status(wanted.status, wanted.now),
        *_equals(wanted),
        *_owner_is(wanted),
        *_looks_like(wanted),
        *_by_time(wanted),
        *labels_hold(_K.labels, wanted.labels),
    ]


def sorted_keys(statement: sa.Select[Any], order: KeyOrder, page: Page) -> sa.Select[Any]:
    """The page's rows, and one beyond, in this order.

    A page begins after the values that the one before ended with, not after the key that had them: that one
    may have been renamed, used or deleted meanwhile.
    """
    value, ascending = _sorted_by(order)
    if page.after is not None:
        ended = fold(page.after.name) if order is KeyOrder.NAME else page.after.at
        last = sa.tuple_(sa.literal(ended, value.type), sa.literal(page.after.id, _K.id.type))
        place = sa.tuple_(value, _K.id)
        statement = statement.where(place > last if ascending else place < last)
    ends = (value, _K.id) if ascending else (value.desc(), _K.id.desc())
    return statement.order_by(*ends).limit(page.limit + 1)


def _sorted_by(order: KeyOrder) -> tuple[sa.ColumnElement[Any], bool]:
    """What keys are ordered by, as `services.reading.position_of` says it, and whether ascending."""
    match order:
        case KeyOrder.NEWEST:
            return _K.created_at, False
        case KeyOrder.NAME:
            return _K.name_folded, True
        case KeyOrder.USED:
            return sa.func.coalesce(_K.last_used_at, _LONG_AGO), False
        case KeyOrder.EXPIRY:
            return sa.func.coalesce(_K.expires_at, _FAR_OFF), True
        case _:
            assert_never(order)


def is_ephemeral(*, wanted: bool) -> Condition:
    """Whether a key is ephemeral, or is not, as an equation: SQLite follows an index by no other."""
    return _K.ephemeral == sa.literal(wanted)


def expired(now: Now) -> Condition:
    """As `Key.is_expired` says it."""
    return sa.and_(_K.expires_at.is_not(None), _K.expires_at <= now)


def has_status(status: Status | None, now: Now) -> Condition:
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
            return sa.and_(unrevoked, enabled, expired(now))
        case Status.ACTIVE:
            return sa.and_(unrevoked, enabled, sa.not_(expired(now)))
        case _:
            assert_never(status)


def owned_by(owner_id: AppId | UserId | sa.BindParameter[str]) -> Condition:
    """Whether it is a key of the app or user."""
    return sa.or_(_K.app_id == owner_id, _K.user_id == owner_id)


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
            return owned_by(owner_id)
        case _:
            assert_never(kind)


def _looks_like(wanted: KeyFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.name is not None:
        conditions.append(name_holds(_K.name_folded, wanted.name))
    if wanted.start is not None:
        conditions.append(_starts_with(wanted.start))
    if wanted.text is not None:
        text = wanted.text
        conditions.append(sa.or_(name_holds(_K.name_folded, text), _starts_with(text), _K.last4 == text))
    return conditions


def _starts_with(start: str) -> Condition:
    # Not LIKE, which in SQLite overlooks the case of letters.
    return sa.func.substr(_K.start, 1, len(start)) == start


def _by_time(wanted: KeyFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.expires_before is not None:
        conditions.append(_K.expires_at < wanted.expires_before)
    if wanted.unused_since is not None:
        conditions.append(sa.func.coalesce(_K.last_used_at, _K.created_at) < wanted.unused_since)
    return conditions
