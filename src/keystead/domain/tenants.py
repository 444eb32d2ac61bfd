"""Who holds keys: organizations (customers), their apps, users, members and what they may grant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from keystead.domain.ids import AppId, OrganizationId, UserId
from keystead.domain.keys import By, Environment


class Role(StrEnum):
    """A member's role, strongest first; see `powers` for what each may do."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


_RANK = {role: rank for rank, role in enumerate(reversed(Role))}


def outranks(role: Role, other: Role) -> bool:
    """Whether `role` stands above `other`."""
    return _RANK[role] > _RANK[other]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What an organization may grant at most; set by the provider only.

    `scopes` None: all that the catalogue lists. `max_lifetime` None: keys need not expire. A public key can
    never do more than `public_methods`, whatever its own constraints say.
    """

    scopes: tuple[str, ...] | None = None
    max_lifetime: timedelta | None = None
    public_methods: tuple[str, ...] = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A pause laid on an organization, app or user: every key below is refused until it is lifted."""

    at: datetime
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A customer. `metadata` are the provider's facts, `labels` the customer's own notes."""

    id: OrganizationId
    name: str
    external_id: str | None
    ceiling: Ceiling
    labels: Mapping[str, str]
    metadata: Mapping[str, object]
    created_at: datetime
    suspension: Suspension | None = None
    deleted_at: datetime | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A thing that an organization builds: it holds keys, allowed origins and allowed networks.

    `api_base_url` is where the API is that its keys are for (see `base_url`): shown to people, never called.
    """

    id: AppId
    organization_id: OrganizationId
    name: str
    environment: Environment
    external_id: str | None
    allowed_origins: tuple[str, ...]
    allowed_networks: tuple[str, ...]
    last_key_protection: bool
    self_rotation: bool
    labels: Mapping[str, str]
    metadata: Mapping[str, object]
    created_at: datetime
    suspension: Suspension | None = None
    deleted_at: datetime | None = None
    revision: int = 1
    api_base_url: str | None = None


class Theme(StrEnum):
    """How the dashboard looks; without one, as the person's system does."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person. `email` is unique and kept in lower case.

    An `operator` is the provider's, and may do all. `password` is what Argon2 made of it (a PHC string), None
    for who has none: it stands in no audit entry and in no answer. `email_confirmed_at` is when the person
    showed that the address is theirs. `language`, `theme` and `time_zone` None: as the browser says.
    """

    id: UserId
    email: str
    name: str
    external_id: str | None
    metadata: Mapping[str, object]
    created_at: datetime
    suspension: Suspension | None = None
    revision: int = 1
    operator: bool = False
    password: str | None = field(default=None, repr=False)
    email_confirmed_at: datetime | None = None
    language: str | None = None
    theme: Theme | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user in an organization, with a role."""

    organization_id: OrganizationId
    user_id: UserId
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueScope:
    """A scope of the provider's API that keys may carry; customers grant it only if `customer_grantable`."""

    name: str
    description: str
    customer_grantable: bool
    created_at: datetime
