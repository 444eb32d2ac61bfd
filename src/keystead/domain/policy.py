"""What many keys hold alike: the rules a verdict rests on, and the tenants above them, compiled once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keystead.domain.constraints import Constraint, Matcher, compile_constraints
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import Environment, Key, KeyType, Owner, OwnerKind
from keystead.domain.tenants import App, Organization, Role, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a key says of itself beside its name, its state and its times; many keys say the same."""

    type: KeyType
    environment: Environment
    owner: Owner
    organization_id: OrganizationId | None
    constraints: tuple[Constraint, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """What a verdict needs of an organization, an app or a user; lists that it does not have are empty.

    One that was deleted is `suspended` too. `public_methods` is an organization's ceiling for public keys;
    origins and networks are an app's.
    """

    id: str
    external_id: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    suspended: bool = False
    allowed_origins: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    public_methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules with the tenants above them: all that keys alike share in a verdict. Never changed.

    `app` stands for app keys; `user` and the user's `role` in the organization (None: no longer a member)
    for personal keys; root keys have neither. What stands below `role` follows from the rest, made once
    since it is read at every verification.
    """

    rules: Rules
    organization: Tenant | None = None
    app: Tenant | None = None
    user: Tenant | None = None
    role: Role | None = None
    instance: bool = field(init=False, compare=False)
    """Whether it is a root key's."""
    left: bool = field(init=False, compare=False)
    """Whether the user has left: leaving revokes the keys there; a missing role refuses them even if not."""
    suspended: bool = field(init=False, compare=False)
    networks: tuple[tuple[str, ...], ...] = field(init=False, compare=False)
    """The lists, of key and app, that must each hold the address."""
    origins: tuple[tuple[str, ...], ...] = field(init=False, compare=False)
    """The lists, of key and app, that must each hold the origin."""
    matcher: Matcher | None = field(init=False, compare=False)
    """The compiled constraints; None for no constraint."""
    kept: dict[object, object] = field(init=False, compare=False, repr=False, default_factory=dict)
    """What others have made of this policy, by who made it: for them to keep it no longer than the policy."""

    def __post_init__(self) -> None:
        """Work out what follows."""
        rules, app = self.rules, self.app
        above = (self.organization, self.app, self.user)
        derived = {
            "instance": rules.owner.kind is OwnerKind.INSTANCE,
            "left": rules.owner.kind is OwnerKind.USER and self.role is None,
            "suspended": any(tenant is not None and tenant.suspended for tenant in above),
            "networks": _set(rules.allowed_networks, app.allowed_networks if app else ()),
            "origins": _set(rules.allowed_origins, app.allowed_origins if app else ()),
            "matcher": compile_constraints(rules.constraints) if rules.constraints else None,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


def rules_of(key: Key) -> Rules:
    """The rules of a key."""
    return Rules(
        type=key.type,
        environment=key.environment,
        owner=key.owner,
        organization_id=key.organization_id,
        constraints=key.constraints,
        allowed_origins=key.allowed_origins,
        allowed_networks=key.allowed_networks,
        scopes=key.scopes,
    )


def tenant_of(it: Organization | App | User) -> Tenant:
    """What a verdict needs of it."""
    match it:
        case Organization():
            return Tenant(
                id=it.id,
                external_id=it.external_id,
                metadata=it.metadata,
                suspended=it.suspension is not None or it.deleted_at is not None,
                public_methods=it.ceiling.public_methods,
            )
        case App():
            return Tenant(
                id=it.id,
                external_id=it.external_id,
                metadata=it.metadata,
                suspended=it.suspension is not None or it.deleted_at is not None,
                allowed_origins=it.allowed_origins,
                allowed_networks=it.allowed_networks,
            )
        case User():
            return Tenant(
                id=it.id,
                external_id=it.external_id,
                metadata=it.metadata,
                suspended=it.suspension is not None,
            )


def _set(*lists: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(it for it in lists if it)
