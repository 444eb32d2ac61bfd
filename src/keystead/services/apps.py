"""Apps: making, finding, changing, suspending and deleting them."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import UNSET

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.base_url import make_base_url
from keystead.domain.errors import Conflict, NotFound, Stale
from keystead.domain.ids import AppId, IdKind, OrganizationId
from keystead.domain.keys import Environment, RevokedReason
from keystead.domain.powers import Power
from keystead.domain.tenants import App
from keystead.domain.text import make_external_id, make_name
from keystead.ports.store import Listing, Page, Recorded, Tables, TenantFilter
from keystead.services.access import reach_app, reach_organization, require_provider
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import (
    AppChange,
    NewApp,
    drafted_labels,
    drafted_metadata,
    drafted_networks,
    drafted_origins,
)
from keystead.services.making import given
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.revoke import revoke_all
from keystead.services.suspending import suspension

_PROVIDED = ("external_id", "metadata")
"""Fields that only the provider sets on an app."""

_EVERY = 1_000_000
"""More apps than any organization may hold."""


@acknowledged
async def create_app(
    context: Context, actor: Actor, organization_id: OrganizationId, draft: NewApp
) -> Changed[App]:
    """Make an app of an organization, without keys.

    Raises Conflict (`too-many-apps`) at the bound of apps an organization, and `external-id-taken`.
    """
    async with mutation(context, actor) as work:
        organization = await reach_organization(
            work.tables, work.principal, Power.CHANGE_APPS, organization_id
        )
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        _require_may_provide(work, draft)
        most = context.bounds.apps_per_organization
        if await work.tables.apps.count(organization.id) >= most:
            problem = f"The organization has {most} apps, which is the most it may. Delete one first."
            raise Conflict(problem, code="too-many-apps", most=most)
        app = App(
            id=AppId(context.new_id(IdKind.APP)),
            organization_id=organization.id,
            name=make_name(draft.name),
            environment=draft.environment,
            external_id=given(draft.external_id, make_external_id, None),
            allowed_origins=given(draft.allowed_origins, drafted_origins, ()),
            allowed_networks=given(draft.allowed_networks, drafted_networks, ()),
            last_key_protection=draft.last_key_protection,
            self_rotation=draft.self_rotation,
            api_base_url=given(draft.api_base_url, make_base_url, None),
            labels=given(draft.labels, drafted_labels, {}),
            metadata=given(draft.metadata, drafted_metadata, {}),
            created_at=work.now,
        )
        await _require_free(work, app.external_id)
        await insert_app(work, app)
    return Changed(value=app, epoch=work.epoch)


async def get_app(context: Context, actor: Actor, app_id: AppId) -> App:
    """One app."""
    async with context.store.read() as tables:
        return await reach_app(tables, actor.principal, Power.READ_APPS, app_id)


async def list_apps(
    context: Context, actor: Actor, organization_id: OrganizationId, wanted: TenantFilter, page: Page
) -> Listing[App]:
    """An organization's apps."""
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_APPS, organization_id)
        return await tables.apps.list(replace(wanted, organization_id=found.id), page)


@acknowledged
async def change_app(
    context: Context, actor: Actor, app_id: AppId, draft: AppChange, *, revision: int | None = None
) -> Changed[App]:
    """Change an app; what the draft leaves out stays.

    Raises Stale when `revision` is no longer the newest, Denied (`provider-only`) for a customer who
    sends what the provider sets, Conflict (`external-id-taken`).
    """
    async with mutation(context, actor) as work:
        app = await reach_app(work.tables, work.principal, Power.CHANGE_APPS, app_id)
        _require_may_provide(work, draft)
        if revision is not None and revision != app.revision:
            raise Stale("app", app.id)
        changed = _changed(work, app, draft)
        if changed.external_id != app.external_id:
            await _require_free(work, changed.external_id)
        saved = await _save(work, app, changed)
    return Changed(value=saved, epoch=work.epoch)


@acknowledged
async def delete_app(context: Context, actor: Actor, app_id: AppId) -> Changed[App]:
    """Delete an app and revoke its keys, in one epoch. Its keys' records and audit outlive it."""
    async with mutation(context, actor) as work:
        app = await reach_app(work.tables, work.principal, Power.CHANGE_APPS, app_id)
        doomed = await work.tables.keys.unrevoked(owner_id=app.id)
        deleted = await delete_one(work, app)
        await revoke_all(work, doomed, RevokedReason.UNSPECIFIED)
    return Changed(value=deleted, epoch=work.epoch)


def first_app(context: Context, organization_id: OrganizationId, work: Mutation) -> App:
    """The app that a new organization begins with."""
    return App(
        id=AppId(context.new_id(IdKind.APP)),
        organization_id=organization_id,
        name="Default app",
        environment=Environment.LIVE,
        external_id=None,
        allowed_origins=(),
        allowed_networks=(),
        last_key_protection=True,
        self_rotation=True,
        labels={},
        metadata={},
        created_at=work.now,
    )


async def insert_app(work: Mutation, app: App) -> None:
    """Write a new app and record it."""
    await work.tables.apps.insert(app)
    work.record("app.create", _subject(app), app.organization_id, before=None, after=app)


async def delete_one(work: Mutation, app: App) -> App:
    """Mark an app deleted, as part of a mutation that also revokes its keys."""
    deleted = replace(app, deleted_at=work.now, external_id=None, revision=app.revision + 1)
    await work.tables.apps.update(deleted)
    work.record("app.delete", _subject(app), app.organization_id, before=app, after=deleted)
    return deleted


async def all_apps(tables: Tables, organization_id: OrganizationId) -> Sequence[App]:
    """Every app of an organization."""
    found = await tables.apps.list(TenantFilter(organization_id=organization_id), Page(limit=_EVERY))
    return found.items


def _require_may_provide(work: Mutation, draft: NewApp | AppChange) -> None:
    for field in _PROVIDED:
        if getattr(draft, field) is not UNSET:
            require_provider(work.principal, field)


def _changed(work: Mutation, app: App, draft: AppChange) -> App:
    return replace(
        app,
        name=given(draft.name, make_name, app.name),
        external_id=given(draft.external_id, _external_id, app.external_id),
        allowed_origins=given(draft.allowed_origins, drafted_origins, app.allowed_origins),
        allowed_networks=given(draft.allowed_networks, drafted_networks, app.allowed_networks),
        last_key_protection=given(draft.last_key_protection, bool, app.last_key_protection),
        self_rotation=given(draft.self_rotation, bool, app.self_rotation),
        api_base_url=given(draft.api_base_url, _base_url, app.api_base_url),
        labels=given(draft.labels, drafted_labels, dict(app.labels)),
        metadata=given(draft.metadata, drafted_metadata, dict(app.metadata)),
        suspension=suspension(app.suspension, draft.disabled, work.principal, work.now),
    )


async def _save(work: Mutation, before: App, after: App) -> App:
    if after == before:
        return before
    saved = replace(after, revision=before.revision + 1)
    await work.tables.apps.update(saved)
    work.record("app.update", _subject(saved), saved.organization_id, before=before, after=saved)
    return saved


def _external_id(text: str | None) -> str | None:
    return None if text is None else make_external_id(text)


def _base_url(text: str | None) -> str | None:
    return None if text is None else make_base_url(text)


async def _require_free(work: Mutation, external_id: str | None) -> None:
    if external_id is not None and await work.tables.apps.find_external(external_id) is not None:
        problem = f"Another app has the external_id {external_id}."
        raise Conflict(problem, code="external-id-taken", field="external_id")


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[App]:
    found = await work.tables.apps.find(AppId(earlier.subject.id))
    if found is None:
        raise NotFound("app", earlier.subject.id)
    return Changed(value=found, epoch=earlier.epoch, replayed=True)


def _subject(app: App) -> Subject:
    return Subject(kind=SubjectKind.APP, id=app.id)
