"""The key: a record known by its stable id, and its versions, each of one token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keystead.domain.constraints import Constraint
from keystead.domain.ids import AppId, KeyId, OrganizationId, UserId, VersionId


class KeyType(StrEnum):
    """`public` identifies and may be published; `secret` is confidential."""

    PUBLIC = "public"
    SECRET = "secret"


class Environment(StrEnum):
    """What an app and its keys are for."""

    LIVE = "live"
    TEST = "test"


class OwnerKind(StrEnum):
    """App keys, personal keys and root keys, in this order."""

    APP = "app"
    USER = "user"
    INSTANCE = "instance"


class Status(StrEnum):
    """What a key is now, apart from suspensions above it."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


class RevokedReason(StrEnum):
    """Why a key was revoked."""

    UNSPECIFIED = "unspecified"
    COMPROMISED = "compromised"
    SUPERSEDED = "superseded"
    OWNER_LEFT = "owner_left"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"
    UNUSED = "unused"


class ByKind(StrEnum):
    """Who did something: a customer's key, a customer's user, a root key, an operator, or Keystead itself.

    An operator's id is the user's, or `local` for whoever stands at the data directory.
    """

    KEY = "key"
    USER = "user"
    ROOT_KEY = "root_key"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who did something, as audit, `created_by` and `disabled_by` name them."""

    kind: ByKind
    id: str

    @property
    def is_provider(self) -> bool:
        """Whether the provider did it: what the provider paused only the provider resumes."""
        return self.kind not in {ByKind.KEY, ByKind.USER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose key it is; `id` is an app's or a user's id, and None for the instance."""

    kind: OwnerKind
    id: AppId | UserId | None


INSTANCE = Owner(kind=OwnerKind.INSTANCE, id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One token of a key. `retires_at` is the first instant of refusal; `token` is kept of public keys.

    `origin_seen_at` is when a secret token was last presented with an `Origin`, accepted or refused: browsers
    send that, so it stands in a page.
    """

    id: VersionId
    digest: bytes
    start: str
    last4: str
    created_at: datetime
    retires_at: datetime | None = None
    token: str | None = None
    use_count: int = 0
    last_used_at: datetime | None = None
    origin_seen_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether the version has not retired."""
        return self.retires_at is None or now < self.retires_at

    def __repr__(self) -> str:
        return f"Version({self.id}, {self.start}…{self.last4})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key and its versions, oldest first (at least one).

    `expires_at` is the first instant of refusal; `lifetime` is how long it was given when the expiry was
    last set (None: for ever). An empty list of constraints, origins or networks is no restriction.
    `use_count` and `last_used_at` lag the accepted attempts by at most the flush interval.
    """

    id: KeyId
    name: str
    type: KeyType
    environment: Environment
    owner: Owner
    organization_id: OrganizationId | None
    ephemeral: bool
    created_at: datetime
    created_by: By
    expires_at: datetime | None
    lifetime: timedelta | None
    constraints: tuple[Constraint, ...]
    allowed_origins: tuple[str, ...]
    allowed_networks: tuple[str, ...]
    scopes: tuple[str, ...]
    labels: Mapping[str, str]
    metadata: Mapping[str, object]
    versions: tuple[Version, ...]
    disabled_at: datetime | None = None
    disabled_by: By | None = None
    revoked_at: datetime | None = None
    revoked_reason: RevokedReason | None = None
    use_count: int = 0
    last_used_at: datetime | None = None
    revision: int = 1

    @property
    def newest(self) -> Version:
        """The version made last: the one whose start and last4 the key shows."""
        return self.versions[-1]

    def is_expired(self, now: datetime) -> bool:
        """Whether `now` is at or after `expires_at`."""
        return self.expires_at is not None and now >= self.expires_at

    def status(self, now: datetime) -> Status:
        """The first of revoked, disabled, expired that holds; else active."""
        if self.revoked_at is not None:
            return Status.REVOKED
        if self.disabled_at is not None:
            return Status.DISABLED
        return Status.EXPIRED if self.is_expired(now) else Status.ACTIVE

    def is_usable(self, now: datetime) -> bool:
        """Whether it could serve an app: active, with a live version, and not made for one job only."""
        return (
            not self.ephemeral
            and self.status(now) is Status.ACTIVE
            and any(v.is_live(now) for v in self.versions)
        )
