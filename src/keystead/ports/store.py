"""What services ask of the primary, and of the counting of uses that are written to it.

Every method of a table raises `Unavailable` when the store cannot be read or written.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.checkup import Finding, Survey
from keystead.domain.ids import AppId, KeyId, LinkId, NodeId, OrganizationId, SessionId, UserId, VersionId
from keystead.domain.keys import Key, KeyType, Owner, OwnerKind, Status
from keystead.domain.links import Link, LinkKind
from keystead.domain.sessions import Session
from keystead.domain.tenants import App, CatalogueScope, Member, Organization, User
from keystead.domain.verdict import Known

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the instant that the list is ordered by, and the id, of its last item.

    `name` stands in for the instant where the list is ordered by name.
    """

    at: datetime
    id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is wanted: newest first, at most `limit` items, after `after`."""

    limit: int = 50
    after: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """A page of a list; `more` says whether another follows."""

    items: Sequence[T]
    more: bool


class KeyOrder(StrEnum):
    """In which order keys are listed: the newest first, by name, used last first, or expiring first.

    The first two follow an index, by name among keys that are not revoked. The others sort all keys that are
    wanted, of which an owner has a bounded number; those never used and those that do not expire come last.
    Whatever the order, every page costs what the first one does.
    """

    NEWEST = "newest"
    NAME = "name"
    USED = "used"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys are listed; None (or empty) does not filter.

    `status` None lists all but revoked ones; `ephemeral` chooses between ephemeral keys and the others.
    `name` is a part of the name in any letter case; `external_id` is the owning app's or user's; `text` is
    what people know a key by: a part of its name, the beginning of its start, or its last4;
    `unused_since` also finds keys never used that were made before it; `finding` finds active keys only.
    """

    now: datetime
    organization_id: OrganizationId | None = None
    owner_kind: OwnerKind | None = None
    owner_id: AppId | UserId | None = None
    status: Status | None = None
    type: KeyType | None = None
    name: str | None = None
    start: str | None = None
    last4: str | None = None
    text: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None
    expires_before: datetime | None = None
    unused_since: datetime | None = None
    finding: Finding | None = None
    ephemeral: bool = False
    order: KeyOrder = KeyOrder.NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFilter:
    """Which organizations, apps or users are listed; None (or empty) does not filter."""

    organization_id: OrganizationId | None = None
    name: str | None = None
    external_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are listed; None does not filter. `by` is the id of whoever did it."""

    kind: SubjectKind | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an `Idempotency-Key` did: `subject` and the HMAC of the body that was sent with it."""

    principal: str
    method: str
    path: str
    key: str
    body_hmac: bytes
    subject: Subject
    epoch: int | None
    at: datetime


class Used(NamedTuple):
    """Accepted attempts with one version that were not yet written: how many, and when the last one was."""

    key_id: KeyId
    version_id: VersionId
    uses: int
    last_used_ms: int


class Seen(NamedTuple):
    """A version of a secret key that was presented with an `Origin`, and when the last time was."""

    version_id: VersionId
    at_ms: int


class Organizations(Protocol):
    """Organizations by id; deleted ones are found by nothing here."""

    async def find(self, organization_id: OrganizationId) -> Organization | None: ...

    async def find_external(self, external_id: str) -> Organization | None: ...

    async def insert(self, organization: Organization) -> None:
        """Add it; its `external_id` must be free (services look under the write lock)."""

    async def update(self, organization: Organization) -> None: ...

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[Organization]: ...


class Apps(Protocol):
    """Apps by id; deleted ones are found by nothing here."""

    async def find(self, app_id: AppId) -> App | None: ...

    async def find_external(self, external_id: str) -> App | None: ...

    async def insert(self, app: App) -> None: ...

    async def update(self, app: App) -> None: ...

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[App]: ...

    async def count(self, organization_id: OrganizationId) -> int: ...


class Users(Protocol):
    """Users by id, e-mail (lower case) and external id."""

    async def find(self, user_id: UserId) -> User | None: ...

    async def find_email(self, email: str) -> User | None: ...

    async def find_external(self, external_id: str) -> User | None: ...

    async def insert(self, user: User) -> None: ...

    async def update(self, user: User) -> None: ...

    async def list(self, wanted: TenantFilter, page: Page) -> Listing[User]: ...

    async def count_operators(self) -> int:
        """How many operators there are, suspended ones not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A session with its user and the organizations they belong to, oldest membership first."""

    session: Session
    user: User
    memberships: Sequence[tuple[Member, Organization]]


class Sessions(Protocol):
    """Sessions of users; those that ended are not kept."""

    async def resume(self, digest: bytes) -> Resumed | None:
        """The session whose secret has this digest, with all that a request of it is judged on.

        Whether it has expired or its user is suspended, the caller judges. One statement.
        """

    async def find(self, session_id: SessionId) -> Session | None: ...

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """All sessions of a user, the one seen last first; expired ones too until they are purged."""

    async def insert(self, session: Session, digest: bytes) -> None: ...

    async def update(self, session: Session) -> bool:
        """Write when it was last seen and proven; False when it is no longer there."""

    async def renew(self, session_id: SessionId, digest: bytes) -> bool:
        """Give it another secret, so that the one it had opens nothing; False when it is no longer there."""

    async def delete(self, session_id: SessionId) -> bool:
        """End it; False when it is not there."""

    async def delete_digest(self, digest: bytes) -> bool:
        """End the session whose secret has this digest; False when there is none."""

    async def delete_of_user(self, user_id: UserId, *, keep: SessionId | None = None) -> int:
        """End all sessions of a user but one; says how many."""

    async def purge(self, expired_before: datetime) -> int:
        """Delete sessions that expired before the instant; says how many."""


class Links(Protocol):
    """Links that were made; used and expired ones too until they are purged."""

    async def find(self, link_id: LinkId) -> Link | None: ...

    async def find_digest(self, digest: bytes) -> Link | None: ...

    async def insert(self, link: Link) -> None: ...

    async def use(self, link_id: LinkId, at: datetime) -> bool:
        """Mark an open link as used; False when it is used, expired or gone: of two callers one gets True."""

    async def delete(self, kind: LinkKind, user_id: UserId | None) -> int:
        """Delete all links of a kind that let this user in, or (None) nobody known yet; says how many."""

    async def withdraw(self, link_id: LinkId) -> bool:
        """Delete a link that was not used; False when there is none."""

    async def list_open(self, organization_id: OrganizationId, now: datetime, page: Page) -> Listing[Link]:
        """An organization's invitations that can still be accepted."""

    async def purge(self, expired_before: datetime) -> int:
        """Delete links that expired before the instant; says how many."""


class Members(Protocol):
    """Who belongs to which organization."""

    async def find(self, organization_id: OrganizationId, user_id: UserId) -> Member | None: ...

    async def insert(self, member: Member) -> None: ...

    async def update(self, member: Member) -> None: ...

    async def delete(self, organization_id: OrganizationId, user_id: UserId) -> None: ...

    async def list(self, organization_id: OrganizationId, page: Page) -> Listing[tuple[Member, User]]:
        """Members with their users; a position is the membership's instant and the user's id."""

    async def of_user(self, user_id: UserId) -> Sequence[Member]:
        """The user's memberships in organizations that are not deleted."""

    async def count(self, organization_id: OrganizationId) -> int: ...

    async def count_owners(self, organization_id: OrganizationId) -> int: ...


class Owned(NamedTuple):
    """Whose a key is, and in which organization."""

    owner: Owner
    organization_id: OrganizationId | None


class Keys(Protocol):
    """Keys with all their versions, whole values in and out."""

    async def find(self, key_id: KeyId) -> Key | None: ...

    async def find_digest(self, digest: bytes) -> Key | None: ...

    async def owned(self, key_ids: Sequence[KeyId]) -> Mapping[KeyId, Owned]:
        """Whose keys these are; those that are gone are left out. One statement."""

    async def insert(self, key: Key) -> None: ...

    async def update(self, before: Key, after: Key) -> None:
        """Write what of a key has changed, versions that are new included; nothing when nothing has.

        `before` is the key as this transaction has read or written it. Leaves `use_count` and `last_used_at`
        alone: those belong to `UseStore`.
        """

    async def list(self, wanted: KeyFilter, page: Page) -> Listing[Key]: ...

    async def count_live(self, owner_id: AppId | UserId, now: datetime) -> int:
        """How many keys of an app or user are neither revoked nor expired."""

    async def any_usable(self, app_id: AppId, now: datetime) -> bool:
        """Whether an app has a key that is usable at `now`, as `Key.is_usable` says."""

    async def survey(self, app_id: AppId, now: datetime) -> Survey:
        """What all keys of an app come to, however many there are."""

    async def unrevoked(
        self, *, organization_id: OrganizationId | None = None, owner_id: AppId | UserId | None = None
    ) -> Sequence[Key]:
        """All keys below an organization, an app or a user (or a user in one organization) not yet revoked.

        At least one of the two is given; when both are, both must hold.
        """

    async def made_by(self, key_ids: Sequence[KeyId]) -> Sequence[Key]:
        """Keys whose `created_by` names one of these keys, revoked ones too; one generation."""

    async def purge_ephemeral(self, ended_before: datetime, *, limit: int) -> Sequence[Key]:
        """Delete ephemeral keys that were revoked or expired before the instant, at most `limit`.

        Returns them as they were: whoever purges has to tell the replicas which digests are gone.
        """


class Scopes(Protocol):
    """The catalogue of scopes."""

    async def find(self, name: str) -> CatalogueScope | None: ...

    async def find_many(self, names: Sequence[str]) -> Sequence[CatalogueScope]: ...

    async def insert(self, scope: CatalogueScope) -> None: ...

    async def update(self, scope: CatalogueScope) -> None: ...

    async def delete(self, name: str) -> None: ...

    async def list(self, page: Page, *, grantable_only: bool) -> Listing[CatalogueScope]:
        """A position is the scope's instant and its name."""


class Audit(Protocol):
    """The audit log: appended to, never changed."""

    async def append(self, entries: Sequence[Entry]) -> None: ...

    async def list(self, organization_id: OrganizationId, wanted: AuditFilter, page: Page) -> Listing[Entry]:
        """An organization's entries, those of one instant in an order that stays."""

    async def newest_at(self) -> datetime | None:
        """The instant of the last entry; what a clock that went back is told by."""


class Changes(Protocol):
    """The primary's change numbers."""

    async def append(self, subjects: Sequence[Subject], mark: bytes) -> int:
        """One epoch for one mutation: a row for each subject, all with `mark`. Returns the epoch.

        Epochs grow by one in commit order.
        """

    async def newest(self) -> int:
        """The last epoch, 0 at the beginning."""


class Idempotency(Protocol):
    """What `Idempotency-Key`s did, for 24 hours."""

    async def find(self, principal: str, method: str, path: str, key: str) -> Recorded | None: ...

    async def insert(self, recorded: Recorded) -> None:
        """Add it; raises Conflict (`idempotency-in-progress`) when it is there already."""

    async def purge(self, before: datetime) -> int:
        """Delete what was recorded at the instant or before it; says how many."""


class Facts(Protocol):
    """Small facts about the instance, by name."""

    async def find(self, name: str) -> str | None: ...

    async def insert(self, name: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as it reports itself: `applied_epoch` is the newest epoch that its replica has applied.

    `mark` is that epoch's, by which the primary knows the epoch for one of its own history.
    """

    id: NodeId
    name: str
    applied_epoch: int
    mark: bytes = b""


class Nodes(Protocol):
    """The nodes that report to the primary."""

    async def list(self, seen_within: timedelta | None = None) -> Sequence[tuple[Node, datetime]]:
        """All nodes, by name, with when each was last seen, by the primary's clock.

        `seen_within` leaves out those not seen for longer, likewise.
        """

    async def upsert(self, node: Node) -> None:
        """Write the node as seen now, by the primary's clock.

        Its applied epoch goes back only from a point that is not in `changes`. One reported that is not there
        is of another history, and says nothing of this one: 0 is written.
        """

    async def purge(self, unseen_for: timedelta) -> int:
        """Delete nodes not seen for longer, by the primary's clock; says how many."""


class Tables(Protocol):
    """All tables as one transaction sees them."""

    @property
    def organizations(self) -> Organizations: ...
    @property
    def apps(self) -> Apps: ...
    @property
    def users(self) -> Users: ...
    @property
    def members(self) -> Members: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def scopes(self) -> Scopes: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def nodes(self) -> Nodes: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def links(self) -> Links: ...


class Store(Protocol):
    """The primary."""

    def read(self) -> AbstractAsyncContextManager[Tables]:
        """One consistent view; writes nothing."""

    def write(self) -> AbstractAsyncContextManager[Tables]:
        """One transaction that no other write runs beside, in this process or another.

        Leaving the block commits, durably; an exception in it undoes all. What is read inside cannot change
        before the commit, so reading, deciding and writing never loses an update.
        """


class Uses(Protocol):
    """Counts accepted attempts on the hot path; a crash may lose what was not flushed."""

    def count(self, known: Known, now_ms: int) -> None:
        """Add one use of the presented version at `now_ms`. Never waits and never fails."""

    def see_origin(self, known: Known, now_ms: int) -> None:
        """Keep that the presented version came with an `Origin` at `now_ms`. Never waits and never fails."""

    @property
    def dropped(self) -> int:
        """How many uses were not kept, since too many versions waited to be written down."""


class UseStore(Protocol):
    """Where counted uses are kept."""

    async def add_uses(self, used: Sequence[Used]) -> None:
        """Add all counts, to versions and their keys, in one transaction; versions gone are passed over.

        Each version stands in `used` once.

        `last_used_at` only ever moves forward.
        """

    async def see_origins(self, seen: Sequence[Seen]) -> None:
        """Write down all in one statement; versions gone are passed over.

        Each version stands in `seen` once. `origin_seen_at` only ever moves forward.
        """
