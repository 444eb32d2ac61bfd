"""What is asked of a node's replica, and what its applier reads of the primary to keep it level."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from keystead.domain.errors import Unavailable
from keystead.domain.instants import NEVER
from keystead.domain.policy import Rules, Tenant
from keystead.domain.tenants import Role
from keystead.domain.verdict import Known
from keystead.ports.store import Node

EVER_MS = 2**48
"""Longer than any machine has been up: older is what was never level."""


class Replica(Protocol):
    """A node's copy of what verdicts rest on: read in memory, without waiting."""

    def find(self, digest: bytes) -> Known | None:
        """What is known of a token, by its digest, dead versions included; None if it was never ours.

        Answers as of the newest epoch that this node has applied. Raises Unavailable when it cannot be read.
        """

    def age_ms(self) -> int:
        """How long ago, at least, this node proved itself level with the primary; beyond `EVER_MS` if never.

        By the clock of the machine's boot, which nobody sets.
        """

    def applied_epoch(self) -> int:
        """The newest epoch that this node has applied; 0 at the beginning."""

    def instant_ns(self) -> int:
        """Now, by the clock of the machine's boot."""

    def has_applied(self, epoch: int, since_ns: int) -> bool:
        """Whether this node has applied `epoch`, of the history that the primary had at `since_ns`.

        A look at the primary that began since then must have found in it what is applied. An older one may
        have been at the history before the primary was put back: there the number is another change's.
        """

    async def await_applied(self, epoch: int, within: timedelta, since_ns: int = 0) -> bool:
        """Wait until `has_applied`; False if it was not in time."""


class Point(NamedTuple):
    """A point in the primary's history: an epoch, with the random mark that tells two histories apart."""

    epoch: int
    mark: bytes


BEGINNING = Point(0, b"")
"""Before the first change; in every history."""


class VersionRow(NamedTuple):
    """A version as verdicts need it, with its key's state: what `Known` is made from.

    `rules` are the key's rules as they are stored: equal ones are equal, and `Source.read_rules` reads them.
    `ended` says that the version had retired, by the primary's clock, when it was read: then it has until
    it is read again, also when a wall clock is set back meanwhile.
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
    `digest`, of a token by which the key was known; `retires_at_ms` is when a version retires, `ended`
    whether it has.
    """

    kind: RefusalKind
    id: str
    key_id: str = ""
    digest: bytes = b""
    retires_at_ms: int = NEVER
    ended: bool = False


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
