"""The small tables in SQL: the catalogue of scopes, idempotency records and facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict
from keystead.domain.tenants import CatalogueScope
from keystead.ports.store import Listing, Page, Recorded
from keystead.storage.sql.paging import fetch_page
from keystead.storage.sql.schema import facts, idempotency, scopes
from keystead.storage.sql.seam import Work

_S = scopes.c
_I = idempotency.c
_SCOPE_COLUMNS = (_S.name, _S.description, _S.customer_grantable, _S.created_at)
# SQLite reads the same words.
_INSERT_NEW = insert(idempotency).on_conflict_do_nothing(index_elements=list(idempotency.primary_key))


def _decode_scope(row: Sequence[Any]) -> CatalogueScope:
    return CatalogueScope(name=row[0], description=row[1], customer_grantable=row[2], created_at=row[3])


def _encode_scope(scope: CatalogueScope) -> dict[str, object]:
    return {
        "name": scope.name,
        "description": scope.description,
        "customer_grantable": scope.customer_grantable,
        "created_at": scope.created_at,
    }


class SqlScopes:
    """See `ports.store.Scopes`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, name: str) -> CatalogueScope | None:
        """By the primary key."""
        row = await self._work.row(sa.select(*_SCOPE_COLUMNS).where(_S.name == name))
        return None if row is None else _decode_scope(row)

    async def find_many(self, names: Sequence[str]) -> Sequence[CatalogueScope]:
        """One statement by the primary key; sorted by name, those that are missing left out."""
        rows = await self._work.rows(sa.select(*_SCOPE_COLUMNS).where(_S.name.in_(names)).order_by(_S.name))
        return [_decode_scope(row) for row in rows]

    async def insert(self, scope: CatalogueScope) -> None:
        await self._work.change(sa.insert(scopes).values(_encode_scope(scope)))

    async def update(self, scope: CatalogueScope) -> None:
        await self._work.change_one(
            sa.update(scopes).where(_S.name == scope.name).values(_encode_scope(scope))
        )

    async def delete(self, name: str) -> None:
        await self._work.change(sa.delete(scopes).where(_S.name == name))

    async def list(self, page: Page, *, grantable_only: bool) -> Listing[CatalogueScope]:
        """In the order of an index."""
        statement = sa.select(*_SCOPE_COLUMNS)
        if grantable_only:
            statement = statement.where(_S.customer_grantable)
        return await fetch_page(
            self._work, statement, page, order=(_S.created_at, _S.name), decode=_decode_scope
        )


class SqlIdempotency:
    """See `ports.store.Idempotency`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, principal: str, method: str, path: str, key: str) -> Recorded | None:
        """By the primary key."""
        asked = (_I.principal == principal, _I.method == method, _I.path == path, _I.key == key)
        row = await self._work.row(sa.select(idempotency).where(*asked))
        if row is None:
            return None
        subject = Subject(kind=SubjectKind(row.subject_kind), id=row.subject_id)
        return Recorded(
            principal=row.principal,
            method=row.method,
            path=row.path,
            key=row.key,
            body_hmac=row.body_hmac,
            subject=subject,
            epoch=row.epoch,
            at=row.at,
        )

    async def insert(self, recorded: Recorded) -> None:
        """Add it; raises Conflict (`idempotency-in-progress`) when it is there already."""
        if not await self._work.change(_INSERT_NEW, _encode_recorded(recorded)):
            problem = "A request with this Idempotency-Key was answered meanwhile. Retry to get its answer."
            raise Conflict(problem, code="idempotency-in-progress")

    async def purge(self, before: datetime) -> int:
        """By an index."""
        return await self._work.change(sa.delete(idempotency).where(_I.at <= before))


def _encode_recorded(recorded: Recorded) -> dict[str, object]:
    return {
        "principal": recorded.principal,
        "method": recorded.method,
        "path": recorded.path,
        "key": recorded.key,
        "body_hmac": recorded.body_hmac,
        "subject_kind": recorded.subject.kind,
        "subject_id": recorded.subject.id,
        "epoch": recorded.epoch,
        "at": recorded.at,
    }


class SqlFacts:
    """See `ports.store.Facts`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def find(self, name: str) -> str | None:
        """By the primary key."""
        return cast(
            "str | None", await self._work.value(sa.select(facts.c.value).where(facts.c.name == name))
        )

    async def insert(self, name: str, value: str) -> None:
        await self._work.change(sa.insert(facts).values(name=name, value=value))
