"""Reading keys: one, a page of them, the token of a public one, and the key behind a token."""

from dataclasses import replace
from typing import assert_never

from keystead.domain.errors import Conflict, Denied, NotFound
from keystead.domain.ids import AppId, KeyId, OrganizationId, UserId
from keystead.domain.instants import EPOCH, FAR
from keystead.domain.keys import Key, KeyType, OwnerKind
from keystead.domain.powers import Power, customer, is_provider, key_of
from keystead.domain.tokens import Token, presentable
from keystead.ports.store import KeyFilter, KeyOrder, Listing, Page, Position
from keystead.services.access import reach_app, reach_key, reach_organization, reach_user, require, sees
from keystead.services.context import Actor, Context
from keystead.services.making import require_within


async def get_key(context: Context, actor: Actor, key_id: KeyId) -> Key:
    """One key of any kind."""
    async with context.store.read() as tables:
        return await reach_key(tables, actor.principal, key_id, change=False)


async def list_app_keys(
    context: Context, actor: Actor, app_id: AppId, wanted: KeyFilter, page: Page
) -> Listing[Key]:
    """An app's keys."""
    async with context.store.read() as tables:
        app = await reach_app(tables, actor.principal, Power.READ_APP_KEYS, app_id)
        if wanted.owner_id not in {None, app.id}:
            return Listing(items=(), more=False)
        return await tables.keys.list(replace(wanted, owner_kind=OwnerKind.APP, owner_id=app.id), page)


async def list_organization_keys(
    context: Context, actor: Actor, organization_id: OrganizationId, wanted: KeyFilter, page: Page
) -> Listing[Key]:
    """The app keys of all of an organization's apps; personal keys are their users' alone."""
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_APP_KEYS, organization_id)
        narrowed = replace(wanted, owner_kind=OwnerKind.APP, organization_id=found.id)
        return await tables.keys.list(narrowed, page)


def position_of(key: Key, order: KeyOrder) -> Position:
    """Where a key stands in a list of this order."""
    match order:
        case KeyOrder.NEWEST:
            return Position(at=key.created_at, id=key.id)
        case KeyOrder.NAME:
            return Position(at=key.created_at, id=key.id, name=key.name)
        case KeyOrder.USED:
            return Position(at=key.last_used_at or EPOCH, id=key.id)
        case KeyOrder.EXPIRY:
            return Position(at=key.expires_at or FAR, id=key.id)
        case _:
            assert_never(order)


async def list_personal_keys(
    context: Context, actor: Actor, user_id: UserId, wanted: KeyFilter, page: Page
) -> Listing[Key]:
    """A user's personal keys; a customer sees those of the organization it acts in."""
    async with context.store.read() as tables:
        user = await reach_user(tables, actor.principal, Power.USE_PERSONAL_KEYS, user_id)
        if wanted.owner_id not in {None, user.id}:
            return Listing(items=(), more=False)
        own = customer(actor.principal)
        within = wanted.organization_id if own is None else own.organization_id
        narrowed = replace(wanted, owner_kind=OwnerKind.USER, owner_id=user.id, organization_id=within)
        return await tables.keys.list(narrowed, page)


async def list_root_keys(context: Context, actor: Actor, wanted: KeyFilter, page: Page) -> Listing[Key]:
    """The instance's root keys."""
    require(actor.principal, Power.MANAGE_ROOT_KEYS)
    async with context.store.read() as tables:
        return await tables.keys.list(replace(wanted, owner_kind=OwnerKind.INSTANCE), page)


async def reveal_key(context: Context, actor: Actor, key_id: KeyId) -> tuple[Key, Token]:
    """A public key with its newest token.

    Raises Conflict (`not-revealable`) for a secret key, whose token is not kept.
    """
    async with context.store.read() as tables:
        key = await reach_key(tables, actor.principal, key_id, change=True)
        acting = key_of(actor.principal)
        maker = None if acting is None else await tables.keys.find(acting)
    require_within(maker, key)
    if key.type is not KeyType.PUBLIC or key.newest.token is None:
        problem = "A secret key's token is shown once, when it is made. Rotate the key to get a new one."
        raise Conflict(problem, code="not-revealable")
    return key, Token(key.newest.token)


async def lookup_key(context: Context, actor: Actor, text: str) -> Key:
    """The key that a token belongs to, whatever its state; for the provider only.

    Raises NotFound for a token that is not known, or whose kind of key the root key may not read.
    """
    if not is_provider(actor.principal):
        raise Denied("Only the provider looks keys up by token.")
    token = presentable(text)
    async with context.store.read() as tables:
        found = None if token is None else await tables.keys.find_digest(token.digest)
    if found is None or not sees(actor.principal, found):
        raise NotFound("key", "with this token")
    return found
