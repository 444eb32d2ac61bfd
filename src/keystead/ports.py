"""The seams: what services need from the outside, as small Protocols in the domain's words.

Every method of a table raises `Unavailable` when the store cannot be read or written.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

from keystead.domain.audit import Entry, Subject
from keystead.domain.errors import Unavailable
from keystead.domain.ids import AppId, KeyId, NodeId, OrganizationId, UserId, VersionId
from keystead.domain.instants import NEVER
from keystead.domain.keys import Key, KeyType, OwnerKind, Status
from keystead.domain.policy import Rules, Tenant
from keystead.domain.tenants import App, CatalogueScope, Member, Organization, Role, User
from keystead.domain.verdict import Known

Clock = Callable[[], int]
"""Now, in whole milliseconds since 1970."""

Entropy = Callable[[int], bytes]
"""So many bytes from the operating system's source of chance."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the instant and id of its last item."""

    created_at: datetime
    id: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys are listed; None (or empty) does not filter.

    `status` None lists all but revoked ones; `ephemeral` chooses between ephemeral keys and the others.
    `name` is a part of the name in any letter case; `external_id` is the owning app's or user's;
    `unused_since` also finds keys never used that were made before it.
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
    labels: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None
    expires_before: datetime | None = None
    unused_since: datetime | None = None
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFilter:
    """Which organizations, apps or users are listed; None (or empty) does not filter."""

    organization_id: OrganizationId | None = None
    name: str | None = None
    external_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    email: str | None = None


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


class Keys(Protocol):
    """Keys with all their versions, whole values in and out."""

    async def find(self, key_id: KeyId) -> Key | None: ...

    async def find_digest(self, digest: bytes) -> Key | None: ...

    async def insert(self, key: Key) -> None: ...

    async def update(self, key: Key) -> None:
        """Write the key as it is now, and those of its versions that are new or have changed.

        Leaves `use_count` and `last_used_at` alone: those belong to `UseStore`.
        """

    async def list(self, wanted: KeyFilter, page: Page) -> Listing[Key]: ...

    async def count_live(self, owner_id: AppId | UserId, now: datetime) -> int:
        """How many keys of an app or user are neither revoked nor expired."""

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

    async def list(self, organization_id: OrganizationId, page: Page) -> Listing[Entry]: ...

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

    async def insert(self, recorded: Recorded) -> None: ...

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


class Store(Protocol):
    """The primary."""

    def read(self) -> AbstractAsyncContextManager[Tables]:
        """One consistent view; writes nothing."""

    def write(self) -> AbstractAsyncContextManager[Tables]:
        """One transaction that no other write runs beside, in this process or another.

        Leaving the block commits, durably; an exception in it undoes all. What is read inside cannot change
        before the commit, so reading, deciding and writing never loses an update.
        """


class Replica(Protocol):
    """A node's copy of what verdicts rest on: read in memory, without waiting."""

    def find(self, digest: bytes) -> Known | None:
        """What is known of a token, by its digest, dead versions included; None if it was never ours.

        Answers as of the newest epoch that this node has applied. Raises Unavailable when it cannot be read.
        """

    def age_ms(self) -> int:
        """How long ago, at least, this node proved itself level with the primary; huge if it never did.

        By the clock of the machine's boot, which nobody sets.
        """

    def applied_epoch(self) -> int:
        """The newest epoch that this node has applied; 0 at the beginning."""

    async def await_applied(self, epoch: int, within: timedelta) -> bool:
        """Wait until this node has applied `epoch`; False if it did not in time."""


class Point(NamedTuple):
    """A point in the primary's history: an epoch, with the random mark that tells two histories apart."""

    epoch: int
    mark: bytes


BEGINNING = Point(0, b"")
"""Before the first change; in every history."""


class VersionRow(NamedTuple):
    """A version as verdicts need it, with its key's state: what `Known` is made from.

    `rules` are the key's rules as they are stored: equal ones are equal, and `Source.read_rules` reads them.
    `ended` says that the version had retired when it was read: then it has for good, also when the wall clock
    is set back later.
    """

    digest: bytes
    key_id: str
    version_id: str
    revoked: bool
    disabled: bool
    expires_at_ms: int
    retires_at_ms: int
    about: bytes
    rules: tuple[object, ...]
    ended: bool = False


class RoleRow(NamedTuple):
    """A user's role in an organization; None: no longer a member."""

    organization_id: str
    user_id: str
    role: Role | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has changed since a point of the primary's history, as it is at the newest one.

    `passed` are the epochs after the first point, oldest first; empty when nothing has changed. `versions`
    are all versions of every key that changed; `gone` the digests of tokens whose keys were purged.
    """

    passed: Sequence[Point]
    versions: Sequence[VersionRow] = ()
    tenants: Sequence[Tenant] = ()
    roles: Sequence[RoleRow] = ()
    gone: Sequence[bytes] = ()


class RefusalKind(StrEnum):
    """What of a key (the first two), a version or a tenant is refused, and why."""

    REVOKED = "revoked"
    DISABLED = "disabled"
    RETIRED = "retired"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a node goes on refusing that its primary, put back to an earlier state, no longer does.

    `id` is the key's, the version's or the tenant's that is refused. Keys and versions also have `key_id` and
    `digest`, of a token by which the key was known; `retires_at_ms` is when a version retires.
    """

    kind: RefusalKind
    id: str
    key_id: str = ""
    digest: bytes = b""
    retires_at_ms: int = NEVER


Resubmit = Callable[[Sequence[Refusal]], Awaitable[None]]
"""Brings refusals to the primary again, leaving those that it has or cannot have. Raises Unavailable."""


class Snapshot(Protocol):
    """The whole primary at one point, in portions, so that no more than one of them is in memory."""

    @property
    def point(self) -> Point: ...

    @property
    def expected(self) -> int:
        """About how many versions there are, for showing progress."""

    def tenants(self) -> AsyncIterator[Sequence[Tenant]]:
        """All organizations, apps and users, deleted ones too."""

    def roles(self) -> AsyncIterator[Sequence[RoleRow]]: ...

    def versions(self) -> AsyncIterator[Sequence[VersionRow]]:
        """All versions, in the order of their digests' bytes."""


class ReadOnly(Unavailable):
    """The primary can be read, but this could not be written: its disk is full, say."""


class Source(Protocol):
    """What the applier of a node reads of the primary. Every method raises Unavailable."""

    async def news(self, after: Point) -> News | None:
        """All that changed since `after`, in one consistent view.

        None when `after` is not in this primary's history, or when so much changed that starting from a
        snapshot is cheaper. Unavailable too from a standby: it cannot prove that nothing newer was committed.
        """

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """One consistent view of everything; not bounded by the time that a statement may take."""

    async def newest_common(self, points: Sequence[Point]) -> Point:
        """The newest of `points` that is in this primary's history; `BEGINNING` if none is."""

    def read_rules(self, stored: tuple[object, ...]) -> Rules | None:
        """The rules of a `VersionRow`; None when they hold one that this version does not know."""

    async def report(self, node: Node) -> None:
        """Tell the primary which epoch the node has applied, and that it was seen just now, by its clock.

        Raises ReadOnly when the primary refuses to write, so that changes cannot be expected of it either; on
        SQLite, whose one node need not be told of itself, whenever the primary can at least be read.
        """

    async def changed(self, within: timedelta) -> None:
        """Return as soon as the primary may have changed, and after `within` at the latest.

        Notices within that time when the connection to the primary has died without a word.
        """

    async def close(self) -> None:
        """Give back what waiting for changes holds."""


class Uses(Protocol):
    """Counts accepted attempts on the hot path; a crash may lose what was not flushed."""

    def count(self, known: Known, now_ms: int) -> None:
        """Add one use of the presented version at `now_ms`. Never waits and never fails."""

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
