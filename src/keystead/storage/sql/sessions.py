"""Sessions in SQL. The digest of a session's secret is looked up by and never read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keystead.domain.ids import SessionId, UserId
from keystead.domain.sessions import Session
from keystead.ports.store import Resumed
from keystead.storage.sql.organizations import COLUMNS as ORGANIZATION_COLUMNS
from keystead.storage.sql.organizations import decode_organization
from keystead.storage.sql.schema import members, organizations, sessions, users
from keystead.storage.sql.seam import Work
from keystead.storage.sql.users import COLUMNS as USER_COLUMNS
from keystead.storage.sql.users import MEMBER_COLUMNS, decode_member, decode_user

_T = sessions.c
_M = members.c
_COLUMNS = (
    _T.id,
    _T.user_id,
    _T.created_at,
    _T.last_seen_at,
    _T.expires_at,
    _T.proven_at,
    _T.address,
    _T.agent,
)
_ALL = sa.select(*_COLUMNS)
_PARTS = (_COLUMNS, USER_COLUMNS, MEMBER_COLUMNS, ORGANIZATION_COLUMNS)
_HELD = members.join(
    organizations,
    sa.and_(organizations.c.id == _M.organization_id, organizations.c.deleted_at.is_(None)),
)
_RESUMED = (
    sa.select(*(column for part in _PARTS for column in part))
    .select_from(sessions.join(users, users.c.id == _T.user_id).outerjoin(_HELD, _M.user_id == users.c.id))
    .where(_T.digest == sa.bindparam("wanted"))
    .order_by(_M.created_at, _M.organization_id)
)


def _decode(row: Sequence[Any]) -> Session:
    return Session(
        id=row[0],
        user_id=row[1],
        created_at=row[2],
        last_seen_at=row[3],
        expires_at=row[4],
        proven_at=row[5],
        address=row[6],
        agent=row[7],
    )


def _split(row: Sequence[Any]) -> list[Sequence[Any]]:
    """The parts of a row of `_RESUMED`."""
    parts, begin = [], 0
    for columns in _PARTS:
        parts.append(row[begin : begin + len(columns)])
        begin += len(columns)
    return parts


class SqlSessions:
    """See `ports.store.Sessions`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def resume(self, digest: bytes) -> Resumed | None:
        """One join from a unique index, with a row for each of the user's memberships."""
        rows = [_split(row) for row in await self._work.rows(_RESUMED, {"wanted": digest})]
        if not rows:
            return None
        session, user, _, _ = rows[0]
        return Resumed(
            session=_decode(session),
            user=decode_user(user),
            memberships=[
                (decode_member(member), decode_organization(organization))
                for _, _, member, organization in rows
                if member[0] is not None
            ],
        )

    async def find(self, session_id: SessionId) -> Session | None:
        """By the primary key."""
        row = await self._work.row(_ALL.where(_T.id == session_id))
        return None if row is None else _decode(row)

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """By an index; services keep them few."""
        newest_first = _ALL.where(_T.user_id == user_id).order_by(_T.last_seen_at.desc(), _T.id)
        return [_decode(row) for row in await self._work.rows(newest_first)]

    async def insert(self, session: Session, digest: bytes) -> None:
        values = {
            "id": session.id,
            "digest": digest,
            "user_id": session.user_id,
            "created_at": session.created_at,
            "last_seen_at": session.last_seen_at,
            "expires_at": session.expires_at,
            "proven_at": session.proven_at,
            "address": session.address,
            "agent": session.agent,
        }
        await self._work.change(sa.insert(sessions).values(values))

    async def update(self, session: Session) -> bool:
        """By the primary key."""
        changed = sa.update(sessions).where(_T.id == session.id)
        values = {"last_seen_at": session.last_seen_at, "proven_at": session.proven_at}
        return await self._work.change(changed.values(values)) == 1

    async def renew(self, session_id: SessionId, digest: bytes) -> bool:
        """By the primary key."""
        renewed = sa.update(sessions).where(_T.id == session_id).values(digest=digest)
        return await self._work.change(renewed) == 1

    async def delete(self, session_id: SessionId) -> bool:
        """By the primary key."""
        return await self._work.change(sa.delete(sessions).where(_T.id == session_id)) == 1

    async def delete_digest(self, digest: bytes) -> bool:
        """By the unique digest."""
        return await self._work.change(sa.delete(sessions).where(_T.digest == digest)) == 1

    async def delete_of_user(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        """By an index on the user."""
        ended = sa.delete(sessions).where(_T.user_id == user_id)
        return await self._work.change(ended if keep is None else ended.where(_T.id != keep))

    async def purge(self, expired_before: datetime) -> int:
        """By an index."""
        return await self._work.change(sa.delete(sessions).where(_T.expires_at < expired_before))
