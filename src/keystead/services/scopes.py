"""The catalogue of scopes: what keys may carry, and what customers may grant themselves."""

from dataclasses import replace

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, NotFound
from keystead.domain.powers import Power, is_provider
from keystead.domain.scopes import make_scope
from keystead.domain.tenants import CatalogueScope
from keystead.domain.text import make_note
from keystead.ports.store import Listing, Page, Recorded, Tables
from keystead.services.access import require
from keystead.services.context import Actor, Context
from keystead.services.drafts import NewScope, ScopeChange
from keystead.services.making import given
from keystead.services.mutation import Changed, Mutation, mutation


async def list_scopes(context: Context, actor: Actor, page: Page) -> Listing[CatalogueScope]:
    """The catalogue; customers see what they may grant."""
    require(actor.principal, Power.READ_SCOPES)
    async with context.store.read() as tables:
        return await tables.scopes.list(page, grantable_only=not is_provider(actor.principal))


async def get_scope(context: Context, actor: Actor, name: str) -> CatalogueScope:
    """A scope of the catalogue, for the provider. Raises NotFound."""
    require(actor.principal, Power.PROVIDE_SCOPES)
    async with context.store.read() as tables:
        return await _get(tables, name)


async def create_scope(context: Context, actor: Actor, draft: NewScope) -> Changed[CatalogueScope]:
    """Add a scope to the catalogue. Raises Conflict (`scope-exists`)."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_SCOPES)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        scope = CatalogueScope(
            name=make_scope(draft.name, field="name"),
            description=make_note(draft.description, field="description"),
            customer_grantable=draft.customer_grantable,
            created_at=work.now,
        )
        if await work.tables.scopes.find(scope.name) is not None:
            raise Conflict(
                f"The catalogue has the scope {scope.name} already.", code="scope-exists", field="name"
            )
        await work.tables.scopes.insert(scope)
        _record(work, "scope.create", None, scope)
    return Changed(value=scope, epoch=None)


async def change_scope(
    context: Context, actor: Actor, name: str, draft: ScopeChange
) -> Changed[CatalogueScope]:
    """Change a scope's description, or whether customers may grant it from now on."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_SCOPES)
        scope = await _get(work.tables, name)
        changed = replace(
            scope,
            description=given(
                draft.description, lambda it: make_note(it, field="description"), scope.description
            ),
            customer_grantable=given(draft.customer_grantable, bool, scope.customer_grantable),
        )
        if changed != scope:
            await work.tables.scopes.update(changed)
            _record(work, "scope.update", scope, changed)
    return Changed(value=changed, epoch=None)


async def delete_scope(context: Context, actor: Actor, name: str) -> Changed[CatalogueScope]:
    """Take a scope out of the catalogue: it can no longer be granted; keys that carry it keep it."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_SCOPES)
        scope = await _get(work.tables, name)
        await work.tables.scopes.delete(name)
        _record(work, "scope.delete", scope, None)
    return Changed(value=scope, epoch=None)


def _record(work: Mutation, action: str, before: CatalogueScope | None, after: CatalogueScope | None) -> None:
    named = after or before
    assert named is not None, "a change has a before or an after"  # noqa: S101 - a broken invariant
    subject = Subject(kind=SubjectKind.SCOPE, id=named.name)
    # The catalogue is judged when a scope is granted, never at a verdict: no epoch.
    work.record(action, subject, None, before=before, after=after, verdicts=False)


async def _get(tables: Tables, name: str) -> CatalogueScope:
    found = await tables.scopes.find(name)
    if found is None:
        raise NotFound("scope", name)
    return found


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[CatalogueScope]:
    return Changed(value=await _get(work.tables, earlier.subject.id), epoch=None, replayed=True)
