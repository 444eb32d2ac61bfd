"""Making keys: app keys, personal keys and root keys."""

from msgspec import UNSET

from keystead.domain.errors import InvalidInput, NotFound
from keystead.domain.ids import AppId, OrganizationId, UserId
from keystead.domain.keys import INSTANCE, Environment, Key, Owner, OwnerKind
from keystead.domain.powers import Power, Principal, customer
from keystead.domain.tenants import Organization
from keystead.ports.store import Tables
from keystead.services.access import reach_app, reach_user, require
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import NewKey, NewPersonalKey, NewRootKey
from keystead.services.making import Place, make_key, place_below, replayed_key, require_maker, require_room
from keystead.services.mutation import Changed, mutation


@acknowledged
async def create_app_key(context: Context, actor: Actor, app_id: AppId, draft: NewKey) -> Changed[Key]:
    """Make a key of an app; its environment is the app's. The token is in this answer only.

    Raises what `make_key` does, and Conflict (`too-many-keys`) at the bound of live keys an app.
    """
    async with mutation(context, actor) as work:
        app = await reach_app(work.tables, work.principal, Power.CHANGE_APP_KEYS, app_id)
        require_maker(work)
        if (earlier := await work.earlier()) is not None:
            return await replayed_key(work, earlier)
        organization = await _organization(work.tables, app.organization_id)
        place = place_below(organization, Owner(kind=OwnerKind.APP, id=app.id), app.environment)
        await require_room(context, work, place.owner)
        made = await make_key(context, work, draft, place)
    return Changed(value=made.value, epoch=work.epoch, token=made.token)


@acknowledged
async def create_personal_key(
    context: Context, actor: Actor, user_id: UserId, draft: NewPersonalKey
) -> Changed[Key]:
    """Make a personal key of a user, in one of the user's organizations. The token is in this answer only.

    Raises what `make_key` does, Conflict (`too-many-keys`), InvalidInput when `organization_id` is
    needed and absent, and NotFound for an organization that the user is not in.
    """
    async with mutation(context, actor) as work:
        user = await reach_user(work.tables, work.principal, Power.USE_PERSONAL_KEYS, user_id)
        require_maker(work)
        if (earlier := await work.earlier()) is not None:
            return await replayed_key(work, earlier)
        chosen = await _chosen_organization(work.tables, work.principal, user.id, draft)
        organization = await _organization(work.tables, chosen)
        place = place_below(organization, Owner(kind=OwnerKind.USER, id=user.id), draft.environment)
        await require_room(context, work, place.owner)
        made = await make_key(context, work, draft, place)
    return Changed(value=made.value, epoch=work.epoch, token=made.token)


@acknowledged
async def create_root_key(context: Context, actor: Actor, draft: NewRootKey) -> Changed[Key]:
    """Make a root key with scopes from the closed set. The token is in this answer only."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.MANAGE_ROOT_KEYS)
        require_maker(work)
        if (earlier := await work.earlier()) is not None:
            return await replayed_key(work, earlier)
        as_key = NewKey(
            name=draft.name,
            ephemeral=draft.ephemeral,
            expires_at=draft.expires_at,
            expires_in=draft.expires_in,
            constraints=draft.constraints,
            allowed_networks=draft.allowed_networks,
            scopes=draft.scopes,
            labels=draft.labels,
        )
        place = Place(owner=INSTANCE, organization_id=None, environment=Environment.LIVE, ceiling=None)
        made = await make_key(context, work, as_key, place)
    return Changed(value=made.value, epoch=work.epoch, token=made.token)


async def _organization(tables: Tables, organization_id: OrganizationId) -> Organization:
    found = await tables.organizations.find(organization_id)
    if found is None:
        raise NotFound("organization", organization_id)
    return found


async def _chosen_organization(
    tables: Tables, principal: Principal, user_id: UserId, draft: NewPersonalKey
) -> OrganizationId:
    """The organization that was named, else the user's only one; a customer's is the one it acts in."""
    own = {member.organization_id for member in await tables.members.of_user(user_id)}
    acting = customer(principal)
    if acting is not None:
        own = {it for it in own if it == acting.organization_id}
    if draft.organization_id is not UNSET:
        named = OrganizationId(draft.organization_id)
        if named not in own:
            raise NotFound("organization", named)
        return named
    if len(own) != 1:
        problem = "name the organization: the user is not in exactly one"
        raise InvalidInput("organization_id", problem, rule="which-organization")
    return own.pop()
