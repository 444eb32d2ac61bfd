"""What callers send, before the rules have judged it: wire shapes shared by every door.

Types and required fields are settled when a draft is decoded; `domain` judges contents when it is used.
An absent field is UNSET, which is not null: null says "none", absent says "as it is" or "the default".
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from keystead.domain.constraints import Constraint, ConstraintType, make_constraints
from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment, KeyType
from keystead.domain.networks import make_networks
from keystead.domain.origins import make_origins
from keystead.domain.rotation import DEFAULT_GRACE, MAX_GRACE, NewExpiry
from keystead.domain.tenants import Role
from keystead.domain.text import make_labels, make_metadata

MAX_LIFETIME_S = 3_155_760_000

Instant = Annotated[
    datetime,
    Meta(tz=True, description="An instant, RFC 3339 with a zone.", examples=["2027-01-31T00:00:00Z"]),
]
Seconds = Annotated[int, Meta(ge=1, le=MAX_LIFETIME_S, description="Seconds from now.", examples=[2592000])]
Name = Annotated[
    str, Meta(min_length=1, max_length=100, description="A name for people.", examples=["Nightly import"])
]
Labels = Annotated[
    dict[str, str],
    Meta(description="The customer's own notes; 16 KiB as JSON at most.", examples=[{"team": "ops"}]),
]
Metadata = Annotated[
    dict[str, object],
    Meta(
        description="The provider's facts, returned by verify; 16 KiB as JSON at most.",
        examples=[{"plan": "pro"}],
    ),
]
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=255,
        description="An e-mail address; letter case does not matter.",
        examples=["ada@example.com"],
        extra_json_schema={"format": "email"},
    ),
]
ExternalId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="The provider's own id.",
        examples=["cus_42"],
    ),
]
Origins = Annotated[
    list[str],
    Meta(
        max_length=50,
        description="Origins that may use the key; none: any.",
        examples=[["https://*.example.com"]],
    ),
]
BaseUrl = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=300,
        description="Where the API is that the app's keys are for: an address that people are shown.",
        examples=["https://api.example.com/v1"],
    ),
]
Networks = Annotated[
    list[str],
    Meta(
        max_length=50, description="Networks that may use the key; none: any.", examples=[["203.0.113.0/24"]]
    ),
]
Scopes = Annotated[
    list[str], Meta(max_length=64, description="Scopes the key carries.", examples=[["jobs:read"]])
]


class Draft(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A body of a request; an unknown field is refused."""


class ConstraintDraft(Draft):
    """A rule on method and path; several are OR'd."""

    type: Annotated[ConstraintType, Meta(description="How `pattern` is matched.", examples=["prefix"])]
    pattern: Annotated[
        str | None,
        Meta(
            description="A canonical path, or a regex of the whole path; absent for `verb`.",
            examples=["jobs/"],
        ),
    ] = None
    methods: Annotated[
        list[str],
        Meta(
            max_length=20,
            description="Methods in upper case; none: every method.",
            examples=[["GET", "POST"]],
        ),
    ] = msgspec.field(default_factory=list)


Constraints = Annotated[
    list[ConstraintDraft], Meta(max_length=50, description="What the key may call; none: any request.")
]


class NewKey(Draft):
    """A key to make.

    Give `expires_at` or `expires_in`, not both. With neither it expires as the ceiling says, else never.
    """

    name: Name
    type: KeyType = KeyType.SECRET
    ephemeral: bool = False
    expires_at: Instant | UnsetType | None = UNSET
    expires_in: Seconds | UnsetType = UNSET
    constraints: Constraints | UnsetType = UNSET
    allowed_origins: Origins | UnsetType = UNSET
    allowed_networks: Networks | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


class NewPersonalKey(NewKey):
    """A personal key to make; `organization_id` is required when its user is in several organizations."""

    environment: Environment = Environment.LIVE
    organization_id: str | UnsetType = UNSET


class NewRootKey(Draft):
    """A root key to make; always secret and live."""

    name: Name
    scopes: Scopes
    ephemeral: bool = False
    expires_at: Instant | UnsetType | None = UNSET
    expires_in: Seconds | UnsetType = UNSET
    constraints: Constraints | UnsetType = UNSET
    allowed_networks: Networks | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET


class KeyChange(Draft):
    """What to change of a key; what is absent stays."""

    name: Name | UnsetType = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    expires_in: Seconds | UnsetType = UNSET
    constraints: Constraints | UnsetType = UNSET
    allowed_origins: Origins | UnsetType = UNSET
    allowed_networks: Networks | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


class Rotation(Draft):
    """How to rotate: how long the current token still works, and a new expiry if the key shall have one."""

    grace_s: Annotated[
        int,
        Meta(
            ge=0,
            le=int(MAX_GRACE.total_seconds()),
            description="Seconds the old token works on; 0 ends every earlier one.",
        ),
    ] = int(DEFAULT_GRACE.total_seconds())
    expires_at: Instant | UnsetType | None = UNSET
    expires_in: Seconds | UnsetType = UNSET

    @property
    def grace(self) -> timedelta:
        """The grace as a duration."""
        return timedelta(seconds=self.grace_s)


class CeilingDraft(Draft):
    """What an organization may grant at most; what is absent stays, null means no ceiling."""

    scopes: Scopes | UnsetType | None = UNSET
    max_lifetime_s: Annotated[int, Meta(ge=1, le=MAX_LIFETIME_S)] | UnsetType | None = UNSET
    public_methods: (
        Annotated[list[str], Meta(max_length=20, examples=[["GET", "HEAD"]])] | UnsetType | None
    ) = UNSET


class NewOrganization(Draft):
    """An organization to make."""

    name: Name
    external_id: ExternalId | UnsetType = UNSET
    ceiling: CeilingDraft | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


class OrganizationChange(Draft):
    """What to change of an organization; `disabled` suspends it."""

    name: Name | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    ceiling: CeilingDraft | UnsetType | None = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class ExternalOrganization(Draft):
    """An organization as the provider knows it, made or brought up to date."""

    name: Name
    ceiling: CeilingDraft | UnsetType | None = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class NewApp(Draft):
    """An app to make; its environment never changes."""

    name: Name
    environment: Environment = Environment.LIVE
    external_id: ExternalId | UnsetType = UNSET
    allowed_origins: Origins | UnsetType = UNSET
    allowed_networks: Networks | UnsetType = UNSET
    last_key_protection: bool = True
    self_rotation: bool = True
    api_base_url: BaseUrl | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


class AppChange(Draft):
    """What to change of an app; `disabled` suspends it."""

    name: Name | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    allowed_origins: Origins | UnsetType = UNSET
    allowed_networks: Networks | UnsetType = UNSET
    last_key_protection: bool | UnsetType = UNSET
    self_rotation: bool | UnsetType = UNSET
    api_base_url: BaseUrl | UnsetType | None = UNSET
    labels: Labels | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class NewUser(Draft):
    """A user to make."""

    email: Email
    name: Name
    external_id: ExternalId | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


class UserChange(Draft):
    """What to change of a user; `disabled` suspends it, and an `operator` may do all."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    operator: bool | UnsetType = UNSET


class ExternalUser(Draft):
    """A user as the provider knows it, made or brought up to date."""

    email: Email
    name: Name
    metadata: Metadata | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class NewMember(Draft):
    """A member to add, by `email` or by `user_id`; an e-mail not yet known makes the user."""

    role: Role
    email: Email | UnsetType = UNSET
    user_id: str | UnsetType = UNSET


class MemberChange(Draft):
    """A member's new role."""

    role: Role


class NewInvitation(Draft):
    """An invitation to make, to whoever has this e-mail."""

    email: Email
    role: Role


class NewSignInLink(Draft):
    """A sign-in link to make; `return_url`, on `KEYSTEAD_RETURN_URLS`, is where pages link back to you."""

    return_url: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=2048,
                description="Where every page of the session, and the one after it, links back to you.",
                examples=["https://app.example.com/account"],
            ),
        ]
        | UnsetType
    ) = UNSET


class NewScope(Draft):
    """A scope of the provider's API for the catalogue."""

    name: Annotated[str, Meta(min_length=3, max_length=129, examples=["jobs:read"])]
    description: Annotated[str, Meta(max_length=500)] = ""
    customer_grantable: bool = False


class ScopeChange(Draft):
    """What to change of a catalogue scope."""

    description: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET
    customer_grantable: bool | UnsetType = UNSET


def asked_expiry(draft: NewKey | NewRootKey | KeyChange | Rotation, now: datetime) -> NewExpiry | None:
    """The expiry that a draft asks for, in whole milliseconds; None when it asks for none.

    Raises InvalidInput when both forms are given.
    """
    if draft.expires_in is not UNSET:
        if draft.expires_at is not UNSET:
            raise InvalidInput("expires_in", "give expires_at or expires_in, not both", rule="expiry-twice")
        return NewExpiry(at=now + timedelta(seconds=draft.expires_in))
    if draft.expires_at is UNSET:
        return None
    return NewExpiry(at=None if draft.expires_at is None else to_instant(draft.expires_at, "expires_at"))


def to_instant(given: datetime, field: str) -> datetime:
    """An aware instant as UTC in whole milliseconds. Raises InvalidInput beyond the years 1 to 9999."""
    try:
        utc = given.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "is out of range", rule="expiry-out-of-range") from None
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def drafted_constraints(drafts: Sequence[ConstraintDraft]) -> tuple[Constraint, ...]:
    """The constraints that the drafts describe, judged by the domain."""
    return make_constraints([(it.type, it.pattern, it.methods) for it in drafts])


def drafted_origins(items: Sequence[str]) -> tuple[str, ...]:
    """Canonical allowed origins."""
    return make_origins(items, field="allowed_origins")


def drafted_networks(items: Sequence[str]) -> tuple[str, ...]:
    """Canonical allowed networks."""
    return make_networks(items, field="allowed_networks")


def drafted_labels(items: dict[str, str]) -> dict[str, str]:
    """Labels within bounds."""
    return make_labels(items, size_bytes=len(msgspec.json.encode(items)))


def drafted_metadata(items: dict[str, object]) -> dict[str, object]:
    """Metadata within bounds."""
    return make_metadata(items, size_bytes=len(msgspec.json.encode(items)))
