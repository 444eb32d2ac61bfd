"""Users and their memberships in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from keystead.domain.ids import OrganizationId, UserId
from keystead.domain.tenants import Member, Role, Theme, User
from keystead.ports.store import Listing, Page, TenantFilter
from keystead.storage.sql.paging import fetch_page, fold, name_holds
from keystead.storage.sql.schema import members, organizations, users
from keystead.storage.sql.seam import Work
from keystead.storage.sql.shapes import suspension_from_row, suspension_to_row

_T = users.c
_M = members.c
COLUMNS = (
    _T.id,
    _T.email,
    _T.name,
    _T.external_id,
    _T.metadata,
    _T.created_at,
    _T.suspended_at,
    _T.suspended_by_kind,
    _T.suspended_by_id,
    _T.revision,
    _T.operator,
    _T.password,
    _T.email_confirmed_at,
    _T.language,
    _T.theme,
    _T.time_zone,
)
_ALL = sa.select(*COLUMNS)
_BY_ID = _ALL.where(_T.id == sa.bindparam("wanted"))
_BY_EMAIL = _ALL.where(_T.email == sa.bindparam("wanted"))
_BY_EXTERNAL_ID = _ALL.where(_T.external_id == sa.bindparam("wanted"))

MEMBER_COLUMNS = (_M.organization_id, _M.user_id, _M.role, _M.created_at)
_MEMBER = sa.select(*MEMBER_COLUMNS).where(
    _M.organization_id == sa.bindparam("organization"), _M.user_id == sa.bindparam("user")
)


def decode_user(row: Sequence[Any]) -> User:
    """A user from `COLUMNS`."""
    return User(
        id=row[0],
        email=row[1],
        name=row[2],
        external_id=row[3],
        metadata=row[4],
        created_at=row[5],
        suspension=suspension_from_row(row[6], row[7], row[8]),
        revision=row[9],
        operator=row[10],
        password=row[11],
        email_confirmed_at=row[12],
        language=row[13],
        theme=None if row[14] is None else Theme(row[14]),
        time_zone=row[15],
    )


def decode_member(row: Sequence[Any]) -> Member:
    """A membership from `MEMBER_COLUMNS`."""
    return Member(organization_id=row[0], user_id=row[1], role=Role(row[2]), created_at=row[3])


def _decode_both(row: Sequence[Any]) -> tuple[Member, User]:
    split = len(MEMBER_COLUMNS)
    return decode_member(row[:split]), decode_user(row[split:])


class SqlUsers:
    """See `ports.store.Users`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, user_id: UserId) -> User | None:
        """By the primary key."""
        return await self._one(_BY_ID, user_id)

    async def find_email(self, email: str) -> User | None:
        """By the unique e-mail address, in lower case as it is kept."""
        return await self._one(_BY_EMAIL, email)

    async def find_external(self, external_id: str) -> User | None:
        """By the unique external id."""
        return await self._one(_BY_EXTERNAL_ID, external_id)

    async def insert(self, user: User) -> None:
        await self._work.change(sa.insert(users).values({**_encode(user), "number": next_number(_T.number)}))

    async def update(self, user: User) -> None:
        await self._work.change_one(sa.update(users).where(_T.id == user.id).values(_encode(user)))

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[User]:
        """In the order of an index. Users have no labels, so those do not filter."""
        statement = _ALL.where(*_matches(wanted))
        return await fetch_page(self._work, statement, page, order=(_T.created_at, _T.id), decode=decode_user)

    async def count_operators(self) -> int:
        """By an index: operators are few among users."""
        operating = sa.select(sa.func.count()).where(_T.operator.is_(True), _T.suspended_at.is_(None))
        return int(await self._work.value(operating))

    async def _one(self, statement: sa.Select[Any], wanted: str) -> User | None:
        row = await self._work.row(statement, {"wanted": wanted})
        return None if row is None else decode_user(row)


def next_number(column: sa.Column[int]) -> sa.ColumnElement[int]:
    """One more than the largest number, read by its index; alone under the write lock."""
    return sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()


def _matches(wanted: TenantFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.organization_id is not None:
        belongs = sa.and_(_M.organization_id == wanted.organization_id, _M.user_id == _T.id)
        conditions.append(sa.exists().where(belongs))
    if wanted.name is not None:
        conditions.append(name_holds(_T.name_folded, wanted.name))
    if wanted.external_id is not None:
        conditions.append(_T.external_id == wanted.external_id)
    if wanted.email is not None:
        conditions.append(_T.email == wanted.email)
    return conditions


def _encode(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "name_folded": fold(user.name),
        "external_id": user.external_id,
        "metadata": user.metadata,
        "created_at": user.created_at,
        **suspension_to_row(user.suspension),
        "revision": user.revision,
        "operator": user.operator,
        "password": user.password,
        "email_confirmed_at": user.email_confirmed_at,
        "language": user.language,
        "theme": user.theme,
        "time_zone": user.time_zone,
    }


class SqlMembers:
    """See `ports.store.Members`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, organization_id: OrganizationId, user_id: UserId) -> Member | None:
        """By the primary key."""
        row = await self._work.row(_MEMBER, {"organization": organization_id, "user": user_id})
        return None if row is None else decode_member(row)

    async def insert(self, member: Member) -> None:
        values = {
            "organization_id": member.organization_id,
            "user_id": member.user_id,
            "role": member.role,
            "created_at": member.created_at,
        }
        await self._work.change(sa.insert(members).values(values))

    async def update(self, member: Member) -> None:
        changed = sa.update(members).where(*_is(member.organization_id, member.user_id))
        await self._work.change_one(changed.values(role=member.role, created_at=member.created_at))

    async def delete(self, organization_id: OrganizationId, user_id: UserId) -> None:
        await self._work.change(sa.delete(members).where(*_is(organization_id, user_id)))

    async def list(self, organization_id: OrganizationId, page: Page) -> Listing[tuple[Member, User]]:
        """One join in the order of an index."""
        joined = members.join(users, _T.id == _M.user_id)
        statement = sa.select(*MEMBER_COLUMNS, *COLUMNS).select_from(joined)
        below = statement.where(_M.organization_id == organization_id)
        return await fetch_page(
            self._work, below, page, order=(_M.created_at, _M.user_id), decode=_decode_both
        )

    async def of_user(self, user_id: UserId) -> Sequence[Member]:
        """By an index on the user; oldest membership first."""
        joined = members.join(organizations, organizations.c.id == _M.organization_id)
        statement = sa.select(*MEMBER_COLUMNS).select_from(joined)
        held = statement.where(_M.user_id == user_id, organizations.c.deleted_at.is_(None))
        rows = await self._work.rows(held.order_by(_M.created_at, _M.organization_id))
        return [decode_member(row) for row in rows]

    async def count(self, organization_id: OrganizationId) -> int:
        """Reads the organization's rows only, which a bound keeps few."""
        return await self._count(_M.organization_id == organization_id)

    async def count_owners(self, organization_id: OrganizationId) -> int:
        """Reads the organization's rows only, which a bound keeps few."""
        return await self._count(_M.organization_id == organization_id, _M.role == Role.OWNER)

    async def _count(self, *conditions: sa.ColumnElement[bool]) -> int:
        return int(await self._work.value(sa.select(sa.func.count()).select_from(members).where(*conditions)))


def _is(organization_id: OrganizationId, user_id: UserId) -> tuple[sa.ColumnElement[bool], ...]:
    return _M.organization_id == organization_id, _M.user_id == user_id
