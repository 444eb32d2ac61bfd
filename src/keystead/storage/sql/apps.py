"""Apps in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from keystead.domain.ids import AppId, OrganizationId
from keystead.domain.keys import Environment
from keystead.domain.tenants import App
from keystead.ports.store import Listing, Page, TenantFilter
from keystead.storage.sql.paging import fetch_page, fold, labels_hold, name_holds
from keystead.storage.sql.schema import apps
from keystead.storage.sql.seam import Work
from keystead.storage.sql.shapes import suspension_from_row, suspension_to_row

_T = apps.c
COLUMNS = (
    _T.id,
    _T.organization_id,
    _T.name,
    _T.environment,
    _T.external_id,
    _T.allowed_origins,
    _T.allowed_networks,
    _T.last_key_protection,
    _T.self_rotation,
    _T.labels,
    _T.metadata,
    _T.created_at,
    _T.suspended_at,
    _T.suspended_by_kind,
    _T.suspended_by_id,
    _T.deleted_at,
    _T.revision,
    _T.api_base_url,
)
_KEPT = sa.select(*COLUMNS).where(_T.deleted_at.is_(None))
_BY_ID = _KEPT.where(_T.id == sa.bindparam("wanted"))
_BY_EXTERNAL_ID = _KEPT.where(_T.external_id == sa.bindparam("wanted"))


def decode_app(row: Sequence[Any]) -> App:
    """An app from `COLUMNS`."""
    return App(
        id=row[0],
        organization_id=row[1],
        name=row[2],
        environment=Environment(row[3]),
        external_id=row[4],
        allowed_origins=tuple(row[5]),
        allowed_networks=tuple(row[6]),
        last_key_protection=row[7],
        self_rotation=row[8],
        labels=row[9],
        metadata=row[10],
        created_at=row[11],
        suspension=suspension_from_row(row[12], row[13], row[14]),
        deleted_at=row[15],
        revision=row[16],
        api_base_url=row[17],
    )


class SqlApps:
    """See `ports.store.Apps`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, app_id: AppId) -> App | None:
        """By the primary key."""
        return await self._one(_BY_ID, app_id)

    async def find_external(self, external_id: str) -> App | None:
        """By the unique external id."""
        return await self._one(_BY_EXTERNAL_ID, external_id)

    async def insert(self, app: App) -> None:
        await self._work.change(sa.insert(apps).values(_encode(app)))

    async def update(self, app: App) -> None:
        await self._work.change_one(sa.update(apps).where(_T.id == app.id).values(_encode(app)))

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[App]:
        """In the order of an index, an organization's or everybody's."""
        statement = _KEPT.where(*_matches(wanted))
        return await fetch_page(self._work, statement, page, order=(_T.created_at, _T.id), decode=decode_app)

    async def count(self, organization_id: OrganizationId) -> int:
        """Reads the organization's rows only, which a bound keeps few."""
        below = sa.select(sa.func.count()).where(_T.organization_id == organization_id)
        return int(await self._work.value(below.where(_T.deleted_at.is_(None))))

    async def _one(self, statement: sa.Select[Any], wanted: str) -> App | None:
        row = await self._work.row(statement, {"wanted": wanted})
        return None if row is None else decode_app(row)


def _matches(wanted: TenantFilter) -> list[sa.ColumnElement[bool]]:
    conditions = labels_hold(_T.labels, wanted.labels)
    if wanted.organization_id is not None:
        conditions.append(_T.organization_id == wanted.organization_id)
    if wanted.name is not None:
        conditions.append(name_holds(_T.name_folded, wanted.name))
    if wanted.external_id is not None:
        conditions.append(_T.external_id == wanted.external_id)
    return conditions


def _encode(app: App) -> dict[str, object]:
    return {
        "id": app.id,
        "organization_id": app.organization_id,
        "name": app.name,
        "name_folded": fold(app.name),
        "environment": app.environment,
        "external_id": app.external_id,
        "allowed_origins": app.allowed_origins,
        "allowed_networks": app.allowed_networks,
        "last_key_protection": app.last_key_protection,
        "self_rotation": app.self_rotation,
        "labels": app.labels,
        "metadata": app.metadata,
        "created_at": app.created_at,
        **suspension_to_row(app.suspension),
        "deleted_at": app.deleted_at,
        "revision": app.revision,
        "api_base_url": app.api_base_url,
    }
