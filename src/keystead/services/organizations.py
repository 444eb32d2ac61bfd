"""Organizations: making, finding, changing, suspending and deleting them."""

from dataclasses import replace
from datetime import timedelta

from msgspec import UNSET, UnsetType

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.constraints import make_methods
from keystead.domain.errors import Conflict, NotFound, Stale
from keystead.domain.ids import IdKind, KeyId, OrganizationId
from keystead.domain.keys import Key, KeyType, Owner, OwnerKind, RevokedReason
from keystead.domain.powers import Power, customer
from keystead.domain.scopes import make_scopes
from keystead.domain.tenants import App, Ceiling, Organization
from keystead.domain.text import make_external_id, make_name
from keystead.domain.tokens import TokenKind
from keystead.ports.store import Listing, Page, Recorded, TenantFilter
from keystead.services.access import reach_organization, require, require_provider
from keystead.services.acknowledge import acknowledged
from keystead.services.apps import all_apps, delete_one, first_app, insert_app
from keystead.services.context import Actor, Context
from keystead.services.drafts import (
    CeilingDraft,
    ExternalOrganization,
    NewOrganization,
    OrganizationChange,
    drafted_labels,
    drafted_metadata,
)
from keystead.services.making import given, insert_key, new_version, require_maker
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.revoke import revoke_all
from keystead.services.suspending import suspension

_PROVIDED = ("external_id", "ceiling", "metadata", "disabled")
"""Fields that only the provider sets on an organization."""


@acknowledged
async def create_organization(
    context: Context, actor: Actor, draft: NewOrganization
) -> Changed[Organization]:
    """Make an organization, its first app and that app's public key, "Default API Key"."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_ORGANIZATIONS)
        require_maker(work)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        external_id = given(draft.external_id, make_external_id, None)
        await _require_free(work, external_id)
        organization = await make_organization(context, work, draft, external_id)
    return Changed(value=organization, epoch=work.epoch)


@acknowledged
async def put_organization(
    context: Context, actor: Actor, external_id: str, draft: ExternalOrganization
) -> Changed[Organization]:
    """Bring the organization that the provider knows by `external_id` up to date, or make it.

    Sending the same again changes nothing.
    """
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_ORGANIZATIONS)
        require_maker(work)
        known = make_external_id(external_id)
        organization = await work.tables.organizations.find_external(known)
        created = organization is None
        if organization is None:
            new = NewOrganization(name=draft.name, labels=draft.labels, metadata=draft.metadata)
            organization = await make_organization(context, work, new, known)
        change = OrganizationChange(
            name=draft.name,
            ceiling=draft.ceiling,
            labels=draft.labels,
            metadata=draft.metadata,
            disabled=draft.disabled,
        )
        saved = await _save(work, organization, _changed(work, organization, change))
    return Changed(value=saved, epoch=work.epoch, created=created)


async def get_organization(context: Context, actor: Actor, organization_id: OrganizationId) -> Organization:
    """One organization."""
    async with context.store.read() as tables:
        return await reach_organization(tables, actor.principal, Power.READ_ORGANIZATIONS, organization_id)


async def list_organizations(
    context: Context, actor: Actor, wanted: TenantFilter, page: Page
) -> Listing[Organization]:
    """The organizations that the principal knows of: all for the provider, else the one it acts in."""
    require(actor.principal, Power.READ_ORGANIZATIONS)
    own = customer(actor.principal)
    if own is not None:
        wanted = replace(wanted, organization_id=own.organization_id)
    async with context.store.read() as tables:
        return await tables.organizations.list(wanted, page)


@acknowledged
async def change_organization(
    context: Context,
    actor: Actor,
    organization_id: OrganizationId,
    draft: OrganizationChange,
    *,
    revision: int | None = None,
) -> Changed[Organization]:
    """Change an organization; what the draft leaves out stays.

    Raises Stale when `revision` is no longer the newest, Denied (`provider-only`) for a customer who
    sends what the provider sets, Conflict (`external-id-taken`).
    """
    async with mutation(context, actor) as work:
        organization = await reach_organization(
            work.tables, work.principal, Power.CHANGE_ORGANIZATIONS, organization_id
        )
        for field in _PROVIDED:
            if getattr(draft, field) is not UNSET:
                require_provider(work.principal, field)
        if revision is not None and revision != organization.revision:
            raise Stale("organization", organization.id)
        changed = _changed(work, organization, draft)
        if changed.external_id != organization.external_id:
            await _require_free(work, changed.external_id)
        saved = await _save(work, organization, changed)
    return Changed(value=saved, epoch=work.epoch)


@acknowledged
async def delete_organization(
    context: Context, actor: Actor, organization_id: OrganizationId
) -> Changed[Organization]:
    """Delete an organization and its apps, and revoke every key below it, in one epoch. Audit outlives it."""
    async with mutation(context, actor) as work:
        organization = await reach_organization(
            work.tables, work.principal, Power.DELETE_ORGANIZATIONS, organization_id
        )
        doomed = await work.tables.keys.unrevoked(organization_id=organization.id)
        deleted = replace(
            organization, deleted_at=work.now, external_id=None, revision=organization.revision + 1
        )
        await work.tables.organizations.update(deleted)
        work.record(
            "organization.delete", _subject(organization), organization.id, before=organization, after=deleted
        )
        for app in await all_apps(work.tables, organization.id):
            await delete_one(work, app)
        await revoke_all(work, doomed, RevokedReason.UNSPECIFIED)
    return Changed(value=deleted, epoch=work.epoch)


async def make_organization(
    context: Context, work: Mutation, draft: NewOrganization, external_id: str | None = None
) -> Organization:
    """Make an organization as part of a mutation, with its first app and key; `external_id` is free."""
    organization = Organization(
        id=OrganizationId(context.new_id(IdKind.ORGANIZATION)),
        name=make_name(draft.name),
        external_id=external_id,
        ceiling=_ceiling(draft.ceiling, Ceiling()),
        labels=given(draft.labels, drafted_labels, {}),
        metadata=given(draft.metadata, drafted_metadata, {}),
        created_at=work.now,
    )
    await work.tables.organizations.insert(organization)
    work.record(
        "organization.create", _subject(organization), organization.id, before=None, after=organization
    )
    app = first_app(context, organization.id, work)
    await insert_app(work, app)
    await insert_key(work, _default_key(context, app, work))
    return organization


def _default_key(context: Context, app: App, work: Mutation) -> Key:
    """The public key that a new organization's first app begins with."""
    token = context.new_token(TokenKind.PUBLIC, app.environment)
    return Key(
        id=KeyId(context.new_id(IdKind.KEY)),
        name="Default API Key",
        type=KeyType.PUBLIC,
        environment=app.environment,
        owner=Owner(kind=OwnerKind.APP, id=app.id),
        organization_id=app.organization_id,
        ephemeral=False,
        created_at=work.now,
        created_by=work.by,
        expires_at=None,
        lifetime=None,
        constraints=(),
        allowed_origins=(),
        allowed_networks=(),
        scopes=(),
        labels={},
        metadata={},
        versions=(new_version(context, token, KeyType.PUBLIC, work),),
    )


def _changed(work: Mutation, organization: Organization, draft: OrganizationChange) -> Organization:
    return replace(
        organization,
        name=given(draft.name, make_name, organization.name),
        external_id=given(draft.external_id, _external_id, organization.external_id),
        ceiling=_ceiling(draft.ceiling, organization.ceiling),
        labels=given(draft.labels, drafted_labels, dict(organization.labels)),
        metadata=given(draft.metadata, drafted_metadata, dict(organization.metadata)),
        suspension=suspension(organization.suspension, draft.disabled, work.principal, work.now),
    )


async def _save(work: Mutation, before: Organization, after: Organization) -> Organization:
    if after == before:
        return before
    saved = replace(after, revision=before.revision + 1)
    await work.tables.organizations.update(saved)
    work.record("organization.update", _subject(saved), saved.id, before=before, after=saved)
    return saved


def _ceiling(draft: CeilingDraft | UnsetType | None, now: Ceiling) -> Ceiling:
    """The ceiling after `draft`: null lifts it altogether, a field left out stays, a null field is lifted."""
    if draft is None:
        return Ceiling()
    if isinstance(draft, UnsetType):
        return now
    return Ceiling(
        scopes=given(draft.scopes, _ceiling_scopes, now.scopes),
        max_lifetime=given(draft.max_lifetime_s, _lifetime, now.max_lifetime),
        public_methods=given(draft.public_methods, _public_methods, now.public_methods),
    )


def _ceiling_scopes(items: list[str] | None) -> tuple[str, ...] | None:
    return None if items is None else make_scopes(items, field="ceiling.scopes")


def _lifetime(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _public_methods(items: list[str] | None) -> tuple[str, ...]:
    return Ceiling().public_methods if items is None else make_methods(items, field="ceiling.public_methods")


def _external_id(text: str | None) -> str | None:
    return None if text is None else make_external_id(text)


async def _require_free(work: Mutation, external_id: str | None) -> None:
    if external_id is not None and await work.tables.organizations.find_external(external_id) is not None:
        problem = f"Another organization has the external_id {external_id}."
        raise Conflict(problem, code="external-id-taken", field="external_id")


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[Organization]:
    found = await work.tables.organizations.find(OrganizationId(earlier.subject.id))
    if found is None:
        raise NotFound("organization", earlier.subject.id)
    return Changed(value=found, epoch=earlier.epoch, replayed=True)


def _subject(organization: Organization) -> Subject:
    return Subject(kind=SubjectKind.ORGANIZATION, id=organization.id)
