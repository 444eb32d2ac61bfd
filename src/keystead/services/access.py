"""Finding what a principal may touch: forbidden and missing answer alike.

Each function first asks whether the principal holds the power anywhere (Denied, whatever exists), then
whether the thing is there and within its reach (NotFound for both), so that no answer tells of others.
"""

from dataclasses import dataclass

from keystead.domain.errors import Denied, NotFound
from keystead.domain.ids import AppId, KeyId, OrganizationId, UserId
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.powers import Person, Power, Principal, customer, holds, is_provider, reaches
from keystead.domain.tenants import App, Organization, User
from keystead.ports.store import Owned, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyPowers:
    read: Power
    change: Power


_KEY_POWERS = {
    OwnerKind.APP: _KeyPowers(read=Power.READ_APP_KEYS, change=Power.CHANGE_APP_KEYS),
    OwnerKind.USER: _KeyPowers(read=Power.USE_PERSONAL_KEYS, change=Power.USE_PERSONAL_KEYS),
    OwnerKind.INSTANCE: _KeyPowers(read=Power.MANAGE_ROOT_KEYS, change=Power.MANAGE_ROOT_KEYS),
}


def require(principal: Principal, power: Power) -> None:
    """Raise Denied unless the principal holds the power."""
    if not holds(principal, power):
        raise Denied(f"{_who(principal)} may not {power}.")


def require_provider(principal: Principal, field: str) -> None:
    """Raise Denied (`provider-only`), naming the field, unless the provider acts."""
    if not is_provider(principal):
        raise Denied(f"{field} is set by the provider only. Leave it out.", code="provider-only", field=field)


async def reach_organization(
    tables: Tables, principal: Principal, power: Power, organization_id: OrganizationId
) -> Organization:
    """The organization, if the principal may use `power` on it."""
    require(principal, power)
    found = await tables.organizations.find(organization_id)
    if found is None or not reaches(principal, found.id):
        raise NotFound("organization", organization_id)
    return found


async def reach_app(tables: Tables, principal: Principal, power: Power, app_id: AppId) -> App:
    """The app, if the principal may use `power` on it."""
    require(principal, power)
    found = await tables.apps.find(app_id)
    if found is None or not reaches(principal, found.organization_id):
        raise NotFound("app", app_id)
    return found


async def reach_user(tables: Tables, principal: Principal, power: Power, user_id: UserId) -> User:
    """The user, if the principal may use `power` on it; a customer reaches its own user only."""
    require(principal, power)
    found = await tables.users.find(user_id)
    own = customer(principal)
    if found is None or (own is not None and own.user_id != user_id):
        raise NotFound("user", user_id)
    return found


async def reach_key(tables: Tables, principal: Principal, key_id: KeyId, *, change: bool) -> Key:
    """The key, of whichever kind, if the principal may read it or, with `change`, manage it."""
    if not any(holds(principal, powers.change if change else powers.read) for powers in _KEY_POWERS.values()):
        raise Denied(f"{_who(principal)} may not read or manage keys.")
    found = await tables.keys.find(key_id)
    if found is None or not sees(principal, found):
        raise NotFound("key", key_id)
    if change:
        require_change(principal, found)
    return found


def require_change(principal: Principal, key: Key) -> None:
    """Raise Denied unless the principal, who knows of the key, may manage it."""
    require(principal, _KEY_POWERS[key.owner.kind].change)


def sees(principal: Principal, key: Key | Owned) -> bool:
    """Whether the key is the principal's to know of: a personal key is its own user's and the provider's."""
    if not holds(principal, _KEY_POWERS[key.owner.kind].read) or not reaches(principal, key.organization_id):
        return False
    own = customer(principal)
    return own is None or key.owner.kind is not OwnerKind.USER or key.owner.id == own.user_id


def may_change(principal: Principal, key: Key) -> bool:
    """Whether the principal may manage the key."""
    return sees(principal, key) and holds(principal, _KEY_POWERS[key.owner.kind].change)


def _who(principal: Principal) -> str:
    return "Your role" if isinstance(principal, Person) else "This key"
