"""Organizations in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from keystead.domain.ids import OrganizationId
from keystead.domain.tenants import Organization
from keystead.ports.store import Listing, Page, TenantFilter
from keystead.storage.sql.paging import fetch_page, fold, labels_hold, name_holds
from keystead.storage.sql.schema import organizations
from keystead.storage.sql.seam import Work
from keystead.storage.sql.shapes import (
    ceiling_from_json,
    ceiling_to_json,
    suspension_from_row,
    suspension_to_row,
)

_T = organizations.c
COLUMNS = (
    _T.id,
    _T.name,
    _T.external_id,
    _T.ceiling,
    _T.labels,
    _T.metadata,
    _T.created_at,
    _T.suspended_at,
    _T.suspended_by_kind,
    _T.suspended_by_id,
    _T.deleted_at,
    _T.revision,
)
_KEPT = sa.select(*COLUMNS).where(_T.deleted_at.is_(None))
_BY_ID = _KEPT.where(_T.id == sa.bindparam("wanted"))
_BY_EXTERNAL_ID = _KEPT.where(_T.external_id == sa.bindparam("wanted"))


def decode_organization(row: Sequence[Any]) -> Organization:
    """An organization from `COLUMNS`."""
    return Organization(
        id=row[0],
        name=row[1],
        external_id=row[2],
        ceiling=ceiling_from_json(row[3]),
        labels=row[4],
        metadata=row[5],
        created_at=row[6],
        suspension=suspension_from_row(row[7], row[8], row[9]),
        deleted_at=row[10],
        revision=row[11],
    )


class SqlOrganizations:
    """See `ports.store.Organizations`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, organization_id: OrganizationId) -> Organization | None:
        """By the primary key."""
        return await self._one(_BY_ID, organization_id)

    async def find_external(self, external_id: str) -> Organization | None:
        """By the unique external id."""
        return await self._one(_BY_EXTERNAL_ID, external_id)

    async def insert(self, organization: Organization) -> None:
        await self._work.change(sa.insert(organizations).values(_encode(organization)))

    async def update(self, organization: Organization) -> None:
        changed = sa.update(organizations).where(_T.id == organization.id)
        await self._work.change_one(changed.values(_encode(organization)))

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[Organization]:
        """In the order of an index; names and labels are compared row by row on the way."""
        statement = _KEPT.where(*_matches(wanted))
        return await fetch_page(
            self._work, statement, page, order=(_T.created_at, _T.id), decode=decode_organization
        )

    async def _one(self, statement: sa.Select[Any], wanted: str) -> Organization | None:
        row = await self._work.row(statement, {"wanted": wanted})
        return None if row is None else decode_organization(row)


def _matches(wanted: TenantFilter) -> list[sa.ColumnElement[bool]]:
    conditions = labels_hold(_T.labels, wanted.labels)
    if wanted.organization_id is not None:
        conditions.append(_T.id == wanted.organization_id)
    if wanted.name is not None:
        conditions.append(name_holds(_T.name_folded, wanted.name))
    if wanted.external_id is not None:
        conditions.append(_T.external_id == wanted.external_id)
    return conditions


def _encode(organization: Organization) -> dict[str, object]:
    return {
        "id": organization.id,
        "name": organization.name,
        "name_folded": fold(organization.name),
        "external_id": organization.external_id,
        "ceiling": ceiling_to_json(organization.ceiling),
        "labels": organization.labels,
        "metadata": organization.metadata,
        "created_at": organization.created_at,
        **suspension_to_row(organization.suspension),
        "deleted_at": organization.deleted_at,
        "revision": organization.revision,
    }
