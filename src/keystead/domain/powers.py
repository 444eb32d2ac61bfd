"""Who may do what: one table, read by every service and printed in the docs."""

from dataclasses import dataclass
from enum import StrEnum

from keystead.domain.ids import KeyId, OrganizationId, SessionId, UserId
from keystead.domain.keys import By, ByKind, KeyType, OwnerKind
from keystead.domain.scopes import scope_covers
from keystead.domain.tenants import Role, User
from keystead.domain.verdict import Known


class Power(StrEnum):
    """Something that a principal may be allowed to do."""

    READ_ORGANIZATIONS = "read organizations"
    CHANGE_ORGANIZATIONS = "rename organizations and edit their labels"
    DELETE_ORGANIZATIONS = "delete organizations"
    PROVIDE_ORGANIZATIONS = "create and suspend organizations, set ceilings, metadata and external ids"
    READ_MEMBERS = "list members"
    CHANGE_MEMBERS = "add, change and remove members"
    READ_APPS = "read apps"
    CHANGE_APPS = "create, change, suspend and delete apps"
    PROVIDE_APPS = "set metadata and external ids of apps"
    READ_APP_KEYS = "read app keys"
    CHANGE_APP_KEYS = "create, change, rotate, disable, reveal and revoke app keys"
    USE_PERSONAL_KEYS = "read and manage personal keys (members: their own)"
    READ_USERS = "read users (members: themselves)"
    PROVIDE_USERS = "create, change and suspend users, make sign-in and password reset links"
    USE_ACCOUNT = "change one's own name, e-mail, password, sessions and preferences"
    MANAGE_OPERATORS = "make and end operators, and change their users"
    READ_SCOPES = "read the scope catalogue (members: what they may grant)"
    PROVIDE_SCOPES = "change the scope catalogue"
    MANAGE_ROOT_KEYS = "read and manage root keys"
    READ_AUDIT = "read the audit log"
    READ_NODES = "list nodes"
    READ_METRICS = "read metrics"
    VERIFY = "verify keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The root scope that carries a power (None: no key does), and the roles that do.

    `people` says that every signed-in person holds it, in whichever role, and no key.
    """

    scope: str | None
    roles: frozenset[Role] = frozenset()
    people: bool = False


_OWNER = frozenset({Role.OWNER})
_ADMINS = _OWNER | {Role.ADMIN}
_DEVELOPERS = _ADMINS | {Role.DEVELOPER}
_MEMBERS = _DEVELOPERS | {Role.VIEWER}

POWERS: dict[Power, Rule] = {
    Power.READ_ORGANIZATIONS: Rule(scope="organizations:*", roles=_MEMBERS),
    Power.CHANGE_ORGANIZATIONS: Rule(scope="organizations:*", roles=_ADMINS),
    Power.DELETE_ORGANIZATIONS: Rule(scope="organizations:*", roles=_OWNER),
    Power.PROVIDE_ORGANIZATIONS: Rule(scope="organizations:*"),
    Power.READ_MEMBERS: Rule(scope="users:*", roles=_MEMBERS),
    Power.CHANGE_MEMBERS: Rule(scope="users:*", roles=_ADMINS),
    Power.READ_APPS: Rule(scope="apps:*", roles=_MEMBERS),
    Power.CHANGE_APPS: Rule(scope="apps:*", roles=_ADMINS),
    Power.PROVIDE_APPS: Rule(scope="apps:*"),
    Power.READ_APP_KEYS: Rule(scope="keys:*", roles=_MEMBERS),
    Power.CHANGE_APP_KEYS: Rule(scope="keys:*", roles=_DEVELOPERS),
    Power.USE_PERSONAL_KEYS: Rule(scope="personal_keys:*", roles=_MEMBERS),
    Power.READ_USERS: Rule(scope="users:*", roles=_MEMBERS),
    Power.PROVIDE_USERS: Rule(scope="users:*"),
    Power.USE_ACCOUNT: Rule(scope=None, people=True),
    # No narrower scope covers this one: whoever makes operators can do all.
    Power.MANAGE_OPERATORS: Rule(scope="*"),
    Power.READ_SCOPES: Rule(scope="scopes:*", roles=_MEMBERS),
    Power.PROVIDE_SCOPES: Rule(scope="scopes:*"),
    Power.MANAGE_ROOT_KEYS: Rule(scope="root_keys:*"),
    Power.READ_AUDIT: Rule(scope="audit:read", roles=_ADMINS),
    Power.READ_NODES: Rule(scope="nodes:read"),
    Power.READ_METRICS: Rule(scope="metrics:read"),
    Power.VERIFY: Rule(scope="verify"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person at the data directory: may do all."""

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.OPERATOR, id="local")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Keystead itself, doing what its settings say."""

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.SYSTEM, id="keystead")


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """A root key: may do what its scopes say, everywhere."""

    key_id: KeyId
    scopes: tuple[str, ...]

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.ROOT_KEY, id=self.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalKey:
    """A personal key: acts as its user, with the role held at this moment in the key's organization."""

    key_id: KeyId
    user_id: UserId
    organization_id: OrganizationId
    role: Role

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.KEY, id=self.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppKey:
    """An app's secret key: may read, rotate and revoke itself."""

    key_id: KeyId

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.KEY, id=self.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key, an app's or a user's: opens nothing in our own API."""

    key_id: KeyId

    @property
    def by(self) -> By:
        """How audit names it."""
        return By(kind=ByKind.KEY, id=self.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in user acting in one organization, with the role held there; in none, both are None.

    An operator is one everywhere, and may do all.
    """

    user_id: UserId
    session_id: SessionId
    operator: bool = False
    organization_id: OrganizationId | None = None
    role: Role | None = None

    @property
    def by(self) -> By:
        """How audit names it: an operator as the provider, who alone resumes what they suspend."""
        return _by_person(self.user_id, operator=self.operator)


Principal = Operator | System | RootKey | PersonalKey | AppKey | PublicKey | Person


def principal_of(known: Known) -> Principal:
    """Who acts when this key was accepted in our own API."""
    policy, rules = known.policy, known.policy.rules
    if rules.type is KeyType.PUBLIC:
        return PublicKey(key_id=known.key_id)
    if rules.owner.kind is OwnerKind.INSTANCE:
        return RootKey(key_id=known.key_id, scopes=rules.scopes)
    if policy.user is None or policy.role is None or rules.organization_id is None:
        return AppKey(key_id=known.key_id)
    return PersonalKey(
        key_id=known.key_id,
        user_id=UserId(policy.user.id),
        organization_id=rules.organization_id,
        role=policy.role,
    )


def holds(principal: Principal, power: Power) -> bool:
    """Whether `principal` has `power` anywhere at all.

    Judged before anything is looked up, so that a refusal says nothing about what exists.
    """
    match principal:
        case Operator() | System():
            return True
        case RootKey(scopes=scopes):
            wanted = POWERS[power].scope
            return wanted is not None and any(scope_covers(scope, wanted) for scope in scopes)
        case PersonalKey(role=role):
            return role in POWERS[power].roles
        case Person(operator=operator, role=role):
            return operator or POWERS[power].people or role in POWERS[power].roles
        case AppKey() | PublicKey():
            return False


def reaches(principal: Principal, organization_id: OrganizationId | None) -> bool:
    """Whether what belongs to `organization_id` (None: to the instance) is the principal's to know of."""
    match principal:
        case Operator() | System() | RootKey():
            return True
        case PersonalKey(organization_id=own):
            return own == organization_id
        case Person(operator=operator, organization_id=own):
            # In no organization one does not reach what belongs to none.
            return operator or (own is not None and own == organization_id)
        case AppKey() | PublicKey():
            return False


def is_provider(principal: Principal) -> bool:
    """Whether the provider acts: an operator, a root key, or Keystead as its settings say."""
    if isinstance(principal, Person):
        return principal.operator
    return isinstance(principal, Operator | System | RootKey)


def acting_by(user: User) -> By:
    """How audit names a user who lets themselves in, before they have a session."""
    return _by_person(user.id, operator=user.operator)


def customer(principal: Principal) -> PersonalKey | Person | None:
    """The principal if it is a customer's user, who is bound to their own account and one organization."""
    if isinstance(principal, Person) and principal.operator:
        return None
    return principal if isinstance(principal, PersonalKey | Person) else None


def key_of(principal: Principal) -> KeyId | None:
    """The key that acts; None for who needs none."""
    return None if isinstance(principal, Operator | System | Person) else principal.key_id


def _by_person(user_id: UserId, *, operator: bool) -> By:
    return By(kind=ByKind.OPERATOR if operator else ByKind.USER, id=user_id)
