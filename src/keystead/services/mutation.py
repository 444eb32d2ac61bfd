"""A mutation: one transaction with the change, its audit entries, its epoch and its idempotency record."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from keystead.domain.audit import Entry, Subject
from keystead.domain.errors import Conflict, InvalidInput
from keystead.domain.ids import IdKind, OrganizationId
from keystead.domain.powers import acting_by
from keystead.domain.sessions import require_proven
from keystead.domain.tenants import User
from keystead.domain.tokens import Token
from keystead.ports.store import Node, Recorded, Tables
from keystead.services.authenticate import Judged, judged_again
from keystead.services.context import Actor, Context, Once

MARK_BYTES = 8
REPLAYABLE_FOR = timedelta(hours=24)

_UNRECORDED = frozenset({"digest", "token", "password", "use_count", "last_used_at", "revision"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Which nodes have applied what was waited for, and which have not yet; none stands in both."""

    confirmed: tuple[Node, ...]
    lagging: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Generic[T]):
    """What a mutation leaves: the value as it is now, and the epoch that made it so, if a verdict changed.

    `token` is in clear only here, in the answer that makes it. `replayed` says that an earlier request with
    the same `Idempotency-Key` did the work; its token went with that answer. `created` says that what a
    provider's own id names was made, since it was not there. `acknowledgement` is there if it was asked for.
    """

    value: T
    epoch: int | None
    token: Token | None = None
    replayed: bool = False
    created: bool = False
    acknowledgement: Acknowledgement | None = None


class Mutation:
    """One mutation under way: reads and writes through `tables`, tells what it did through `record`."""

    def __init__(self, context: Context, actor: Actor, judged: Judged, tables: Tables) -> None:
        self.tables = tables
        self.principal = judged.principal
        """Who acts, as judged in this transaction: not as it was when the request came in."""
        self.maker = judged.key
        """The key that acts, as it is in this transaction; None for who needs none."""
        self.session = judged.session
        """The session of the person who acts, likewise."""
        self.by = judged.principal.by
        """Whom audit names."""
        self.now = context.clock()
        self.epoch: int | None = None
        self.about: Subject | None = None
        """What a repeated request answers with; unless said, the first thing recorded."""
        self._context = context
        self._actor = actor
        self._done: list[tuple[str, Subject, OrganizationId | None, object, object]] = []
        self._touched: list[Subject] = []
        self._replayed = False

    def become(self, user: User) -> None:
        """From here on it is this user who acts: they let themselves in, by a password or a link."""
        self.by = acting_by(user)

    def require_proven(self) -> None:
        """Raise ProofNeeded unless the person who acts gave their password lately; a key need not."""
        if self.session is not None:
            require_proven(self.session, self.now)

    async def earlier(self, about: Subject | None = None) -> Recorded | None:
        """What this `Idempotency-Key` did before, or None if the work is still to be done.

        Called once the actor was judged, so that a replay is judged again. `about` is the subject to remember
        if nothing comes to be recorded. Raises InvalidInput when the key came with another body.
        """
        self.about = about
        once = self._actor.once
        if once is None:
            return None
        await self.tables.idempotency.purge(self.now - REPLAYABLE_FOR)
        found = await self.tables.idempotency.find(self.principal.by.id, once.method, once.path, once.key)
        if found is None:
            return None
        if found.body_hmac != self._body_hmac(once):
            problem = "was used with another body; use a new key for a new request"
            raise InvalidInput("Idempotency-Key", problem, code="idempotency-key-reused")
        self._replayed = True
        self.epoch = found.epoch
        return found

    def record(  # noqa: PLR0913 - an audit entry has this many parts
        self,
        action: str,
        subject: Subject,
        organization_id: OrganizationId | None,
        *,
        before: object,
        after: object,
        verdicts: bool = True,
    ) -> None:
        """Say what was changed; `before` None for what was made, `after` None for what is gone.

        `verdicts` says whether a verdict can change by it, which gives the mutation its epoch.
        """
        self._done.append((action, subject, organization_id, before, after))
        if verdicts:
            self._touched.append(subject)

    async def finish(self) -> None:
        """Write the epoch, the audit entries and the idempotency record; the caller's block commits."""
        if self._replayed:
            return
        if self._touched:
            self.epoch = await self.tables.changes.append(self._touched, self._context.entropy(MARK_BYTES))
            self._actor.on_epoch()
        await self.tables.audit.append([self._entry(*done) for done in self._done])
        about = self.about or (self._done[0][1] if self._done else None)
        if self._actor.once is not None and about is not None:
            await self.tables.idempotency.insert(self._recorded(self._actor.once, about))

    def _entry(
        self,
        action: str,
        subject: Subject,
        organization_id: OrganizationId | None,
        before: object,
        after: object,
    ) -> Entry:
        old, new = _differences(before, after)
        return Entry(
            id=self._context.new_id(IdKind.AUDIT),
            at=self.now,
            by=self.by,
            action=action,
            subject=subject,
            organization_id=organization_id,
            before=old,
            after=new,
            address=self._actor.address,
            request_id=self._actor.request_id,
            epoch=self.epoch,
        )

    def _recorded(self, once: Once, about: Subject) -> Recorded:
        return Recorded(
            principal=self.principal.by.id,
            method=once.method,
            path=once.path,
            key=once.key,
            body_hmac=self._body_hmac(once),
            subject=about,
            epoch=self.epoch,
            at=self.now,
        )

    def _body_hmac(self, once: Once) -> bytes:
        return self._context.seals.seal("idempotency", once.body)


@asynccontextmanager
async def mutation(context: Context, actor: Actor) -> AsyncIterator[Mutation]:
    """Open a mutation; leaving the block commits all of it, an exception undoes all of it.

    The actor is judged again first, since between the request's head and here its key may have been revoked
    or its role taken: raises KeyRefused then. Raises Conflict (`idempotency-in-progress`) while a request
    with the same `Idempotency-Key` is under way.
    """
    with _alone(context, actor):
        async with context.store.write() as tables:
            work = Mutation(context, actor, await judged_again(context, actor, tables), tables)
            yield work
            await work.finish()


@contextmanager
def _alone(context: Context, actor: Actor) -> Iterator[None]:
    once = actor.once
    if once is None:
        yield
        return
    claim = (actor.principal.by.id, once.method, once.path, once.key)
    if claim in context.running:
        problem = "A request with this Idempotency-Key is still running. Wait for its answer, then retry."
        raise Conflict(problem, code="idempotency-in-progress")
    context.running.add(claim)
    try:
        yield
    finally:
        context.running.discard(claim)


def _differences(
    before: object, after: object
) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
    if before is None or after is None:
        return _snapshot(before), _snapshot(after)
    # Most is equal, and then need not be made plain to say so.
    differing = [name for name in _recorded(after) if getattr(before, name) != getattr(after, name)]
    old, new = _plain_fields(before, differing), _plain_fields(after, differing)
    changed = [name for name in differing if old[name] != new[name]]
    return {name: old[name] for name in changed}, {name: new[name] for name in changed}


def _snapshot(value: object) -> dict[str, object] | None:
    """A value as audit may show it: plain, and without digests, tokens and counters."""
    return None if value is None else _plain_fields(value, _recorded(value))


def _recorded(value: object) -> Sequence[str]:
    assert is_dataclass(value), "only dataclasses are recorded"  # noqa: S101 - a broken invariant
    return [field.name for field in fields(value) if field.name not in _UNRECORDED]


def _plain_fields(value: object, names: Iterable[str]) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in names}


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _plain_fields(value, _recorded(value))
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case timedelta():
            return int(value.total_seconds())
        case tuple() | list():
            return [_plain(item) for item in value]
        case _:
            return value
