"""Links in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keystead.domain.ids import LinkId, OrganizationId, UserId
from keystead.domain.keys import By, ByKind
from keystead.domain.links import Link, LinkKind
from keystead.domain.tenants import Role
from keystead.ports.store import Listing, Page
from keystead.storage.sql.paging import fetch_page
from keystead.storage.sql.schema import links
from keystead.storage.sql.seam import Work

_T = links.c
_ALL = sa.select(
    _T.id,
    _T.kind,
    _T.digest,
    _T.user_id,
    _T.email,
    _T.organization_id,
    _T.role,
    _T.return_url,
    _T.made_by_kind,
    _T.made_by_id,
    _T.created_at,
    _T.expires_at,
    _T.used_at,
)


def _decode(row: Sequence[Any]) -> Link:
    return Link(
        id=row[0],
        kind=LinkKind(row[1]),
        digest=bytes(row[2]),
        user_id=row[3],
        email=row[4],
        organization_id=row[5],
        role=None if row[6] is None else Role(row[6]),
        return_url=row[7],
        made_by=By(kind=ByKind(row[8]), id=row[9]),
        created_at=row[10],
        expires_at=row[11],
        used_at=row[12],
    )


def _encode(link: Link) -> dict[str, object]:
    return {
        "id": link.id,
        "kind": link.kind,
        "digest": link.digest,
        "user_id": link.user_id,
        "email": link.email,
        "organization_id": link.organization_id,
        "role": link.role,
        "return_url": link.return_url,
        "made_by_kind": link.made_by.kind,
        "made_by_id": link.made_by.id,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "used_at": link.used_at,
    }


class SqlLinks:
    """See `ports.store.Links`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, link_id: LinkId) -> Link | None:
        """By the primary key."""
        return await self._one(_T.id == link_id)

    async def find_digest(self, digest: bytes) -> Link | None:
        """By the unique digest."""
        return await self._one(_T.digest == digest)

    async def insert(self, link: Link) -> None:
        await self._work.change(sa.insert(links).values(_encode(link)))

    async def use(self, link_id: LinkId, at: datetime) -> bool:
        """One statement that looks and marks, by the primary key."""
        used = sa.update(links).where(_T.id == link_id, _T.used_at.is_(None), _T.expires_at > at)
        return await self._work.change(used.values(used_at=at)) == 1

    async def delete(self, kind: LinkKind, user_id: UserId | None) -> int:
        """By an index on the user; those of nobody known yet are few until they are purged."""
        theirs = _T.user_id.is_(None) if user_id is None else _T.user_id == user_id
        return await self._work.change(sa.delete(links).where(_T.kind == kind, theirs))

    async def withdraw(self, link_id: LinkId) -> bool:
        """By the primary key."""
        return await self._work.change(sa.delete(links).where(_T.id == link_id, _T.used_at.is_(None))) == 1

    async def list_open(self, organization_id: OrganizationId, now: datetime, page: Page) -> Listing[Link]:
        """In the order of an index."""
        below = _ALL.where(_T.organization_id == organization_id, _T.kind == LinkKind.INVITATION)
        standing = below.where(_T.used_at.is_(None), _T.expires_at > now)
        return await fetch_page(self._work, standing, page, order=(_T.created_at, _T.id), decode=_decode)

    async def purge(self, expired_before: datetime) -> int:
        """By an index."""
        return await self._work.change(sa.delete(links).where(_T.expires_at < expired_before))

    async def _one(self, condition: sa.ColumnElement[bool]) -> Link | None:
        row = await self._work.row(_ALL.where(condition))
        return None if row is None else _decode(row)
