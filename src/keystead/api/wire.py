"""What the API answers with: one shape for each thing, everywhere."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from keystead.domain.constraints import ConstraintType
from keystead.domain.keys import (
    ByKind,
    Environment,
    KeyType,
    OwnerKind,
    RevokedReason,
    Status,
)
from keystead.domain.links import LinkKind
from keystead.domain.tenants import (
    Role,
)

T = TypeVar("T")

Instant = Annotated[datetime, Meta(tz=True)]
Epoch = Annotated[
    int | UnsetType, Meta(description="The change number; only in the answer to a change.", examples=[42])
]
Notice = Annotated[str | UnsetType, Meta(description="What to know about a replayed answer.")]
TokenText = Annotated[
    str | UnsetType,
    Meta(description="The token: only in the answer that makes it, and when a public key is revealed."),
]


class View(msgspec.Struct, kw_only=True):
    """What an answer holds."""


class AppliedView(View):
    """A node, as far as it has applied epochs."""

    id: str
    name: str
    applied_epoch: int


class ChangeView(View, kw_only=True):
    """What the answer to a change says besides; these fields come last."""

    epoch: Epoch = UNSET
    confirmed: Annotated[
        list[AppliedView] | UnsetType,
        Meta(description="Nodes that have applied it: when `wait` was asked."),
    ] = UNSET
    lagging: Annotated[
        list[AppliedView] | UnsetType,
        Meta(description="Nodes that had not applied it when the waiting ended."),
    ] = UNSET


class Ref(View):
    """Who did something."""

    kind: ByKind
    id: str


class OwnerView(View):
    """Whose key it is; `id` is null for the instance's root keys."""

    kind: OwnerKind
    id: str | None


class ConstraintView(View):
    """A rule on method and path."""

    type: ConstraintType
    pattern: str | None
    methods: list[str]


class VersionView(View):
    """One token of a key."""

    id: str
    start: str
    last4: str
    created_at: Instant
    retires_at: Instant | None
    last_used_at: Instant | None
    use_count: int
    origin_seen_at: Annotated[
        Instant | None,
        Meta(description="When it last came with an `Origin`, if it is a secret key's: from a browser."),
    ]


class KeyView(ChangeView):
    """A key, wherever it appears."""

    id: str
    name: str
    type: KeyType
    environment: Environment
    organization_id: str | None
    app_id: str | None
    owner: OwnerView
    start: str
    last4: str
    status: Status
    ephemeral: bool
    created_at: Instant
    created_by: Ref
    expires_at: Instant | None
    last_used_at: Instant | None
    use_count: int
    constraints: list[ConstraintView]
    allowed_origins: list[str]
    allowed_networks: list[str]
    scopes: list[str]
    labels: dict[str, str]
    metadata: dict[str, object]
    versions: list[VersionView]
    revoked_at: Instant | None
    revoked_reason: RevokedReason | None
    token: TokenText = UNSET
    notice: Notice = UNSET
    descendants: Annotated[
        list[str] | UnsetType, Meta(description="Keys revoked with it, when `descendants=true` was asked.")
    ] = UNSET


class CeilingView(View):
    """What an organization may grant at most."""

    scopes: list[str] | None
    max_lifetime_s: int | None
    public_methods: list[str]


class OrganizationView(ChangeView):
    """An organization."""

    id: str
    name: str
    external_id: str | None
    ceiling: CeilingView
    disabled: bool
    disabled_by: Ref | None
    labels: dict[str, str]
    metadata: dict[str, object]
    created_at: Instant
    deleted_at: Instant | None


class AppView(ChangeView):
    """An app."""

    id: str
    organization_id: str
    name: str
    environment: Environment
    external_id: str | None
    allowed_origins: list[str]
    allowed_networks: list[str]
    last_key_protection: bool
    self_rotation: bool
    api_base_url: Annotated[
        str | None, Meta(description="Where the API is that its keys are for, as people are shown it.")
    ]
    disabled: bool
    disabled_by: Ref | None
    labels: dict[str, str]
    metadata: dict[str, object]
    created_at: Instant
    deleted_at: Instant | None


class UserView(ChangeView):
    """A user; an `operator` administers the instance."""

    id: str
    email: str
    name: str
    external_id: str | None
    operator: bool
    disabled: bool
    disabled_by: Ref | None
    metadata: dict[str, object]
    created_at: Instant


class MembershipView(View):
    """An organization that one belongs to."""

    organization_id: str
    role: Role


class MeView(UserView, kw_only=True):
    """The user that a personal key acts as."""

    memberships: list[MembershipView]


class MemberView(ChangeView):
    """A user in an organization."""

    organization_id: str
    user_id: str
    email: str
    name: str
    role: Role
    created_at: Instant


class LinkView(View):
    """A link that lets somebody in, once."""

    id: str
    kind: LinkKind
    user_id: str | None
    email: str | None
    organization_id: str | None
    role: Role | None
    return_url: str | None
    created_at: Instant
    expires_at: Instant
    mailed: Annotated[bool, Meta(description="Whether it was also sent to the one it is for.")]
    url: Annotated[
        str | UnsetType, Meta(description="Where it is opened: only in the answer that makes it.")
    ] = UNSET
    notice: Notice = UNSET


class ScopeView(View):
    """A scope of the catalogue."""

    name: str
    description: str
    customer_grantable: bool
    created_at: Instant


class NodeView(View):
    """A node: how many epochs it is behind (`lag`), and whether it is the one that answers."""

    id: str
    name: str
    applied_epoch: int
    lag: int
    seen_at: Instant
    this_node: bool


class SubjectView(View):
    """What was changed."""

    kind: str
    id: str


class EntryView(View):
    """One entry of the audit log; `before` and `after` hold what differs."""

    id: str
    at: Instant
    by: Ref
    action: str
    subject: SubjectView
    organization_id: str | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    address: str | None
    request_id: str | None
    epoch: int | None


class ListView(View, Generic[T]):
    """A page of a list, newest first; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None
