"""Signing in and out, and what a session tells: who is there, and whether they just proved it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Denied, InvalidInput, NotFound, SignedOut, Unavailable
from keystead.domain.ids import IdKind, OrganizationId, SessionId
from keystead.domain.passwords import normalized
from keystead.domain.powers import Person, Power, Principal
from keystead.domain.secrets import Secret, presented_secret
from keystead.domain.sessions import Session, make_agent
from keystead.domain.tenants import User
from keystead.domain.text import make_email
from keystead.ports.store import Resumed
from keystead.services.access import require
from keystead.services.context import Actor, Context, Visit
from keystead.services.devices import device_cookie, known_device
from keystead.services.mutation import Mutation, mutation

SEEN_EVERY = timedelta(minutes=1)
"""How far `last_seen_at` may lag: a page that was asked for is no reason to write each time."""

MOST_SESSIONS = 50
"""Sessions that one user may have; signing in beyond them ends the one that was seen longest ago."""

_LONGEST_EMAIL = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody let in. `secret` is for the session's cookie, and in clear only here; so is `device`.

    `return_url` is where the provider who let them in wants them back.
    """

    session: Session
    user: User
    secret: Secret
    device: str = field(repr=False)
    return_url: str | None = None


async def sign_in(context: Context, visit: Visit, *, email: str, password: str) -> SignedIn | None:
    """Begin a session for whoever has this e-mail and password; the one that the browser had ends.

    None alike, and after the same time, for an unknown e-mail, a wrong password, a user who is suspended or
    has no password. Raises TooManyAttempts, before anything is hashed, and Unavailable.
    """
    user = await _find_user(context, email)
    device = None if user is None else known_device(context, user, visit.device)
    if device is None:
        context.people.guessing.try_password(_account(email), visit.address, context.clock())
    else:
        context.people.guessing.try_known(device, context.clock())
    known = None if user is None else user.password
    right = await context.people.passwords.verify(known, normalized(password))
    if user is None or known is None or user.suspension is not None or not right:
        return None
    rehashed = await _rehashed(context, known, password)
    async with mutation(context, visit.actor) as work:
        now = await work.tables.users.find(user.id)
        if now is None or now.suspension is not None or now.password != known:
            return None
        if rehashed != known:
            now = replace(now, password=rehashed)
            await work.tables.users.update(now)
        return await begin_session(context, work, now, visit)


async def begin_session(
    context: Context, work: Mutation, user: User, visit: Visit, *, return_url: str | None = None
) -> SignedIn:
    """Begin a session as part of a mutation, which the user carries from here on.

    Its secret is new, and the session that the browser had ends: nobody can have planted it.
    """
    work.become(user)
    if (earlier := presented_secret(visit.session or "")) is not None:
        await work.tables.sessions.delete_digest(earlier.digest)
    for crowding in (await work.tables.sessions.of_user(user.id))[MOST_SESSIONS - 1 :]:
        await work.tables.sessions.delete(crowding.id)
    secret = context.new_secret()
    session = Session(
        id=SessionId(context.new_id(IdKind.SESSION)),
        user_id=user.id,
        created_at=work.now,
        last_seen_at=work.now,
        expires_at=work.now + context.people.session_lifetime,
        proven_at=work.now,
        address=visit.address,
        agent=make_agent(visit.agent),
    )
    await work.tables.sessions.insert(session, secret.digest)
    work.record("session.begin", _subject(session), None, before=None, after=session, verdicts=False)
    return SignedIn(
        session=session,
        user=user,
        secret=secret,
        device=device_cookie(context, user),
        return_url=return_url,
    )


async def resume(context: Context, text: str) -> Resumed | None:
    """The session whose secret a browser brought, with its user and organizations as they are now.

    None when there is none, when it has expired, and when its user is suspended. Reads the primary, in one
    statement; notes that the session was seen, at most once a minute. Raises Unavailable.
    """
    secret = presented_secret(text)
    if secret is None:
        return None
    async with context.store.read() as tables:
        found = await tables.sessions.resume(secret.digest)
    now = context.clock()
    if found is None or not found.session.is_live(now) or found.user.suspension is not None:
        return None
    if now - found.session.last_seen_at >= SEEN_EVERY:
        # Whoever asks can be answered though nothing can be written now.
        with suppress(Unavailable):
            await _see(context, found.session)
    return found


def acting(resumed: Resumed, organization_id: OrganizationId | None) -> Person:
    """The person of a session, acting in an organization; in none where it is not theirs, or is suspended.

    An operator acts in any.
    """
    roles = {
        organization.id: member.role
        for member, organization in resumed.memberships
        if organization.suspension is None
    }
    role = None if organization_id is None else roles.get(organization_id)
    return Person(
        user_id=resumed.user.id,
        session_id=resumed.session.id,
        operator=resumed.user.operator,
        organization_id=organization_id if role is not None or resumed.user.operator else None,
        role=role,
    )


async def prove(context: Context, actor: Actor, password: str) -> bool:
    """Note that the person who acts gave the right password just now; False for a wrong one.

    Raises TooManyAttempts, before anything is hashed, and SignedOut.
    """
    person = require_person(actor.principal)
    context.people.guessing.try_known(person.session_id, context.clock())
    async with context.store.read() as tables:
        user = await tables.users.find(person.user_id)
    known = None if user is None else user.password
    if not await context.people.passwords.verify(known, normalized(password)):
        return False
    async with mutation(context, actor) as work:
        now, session = await work.tables.users.find(person.user_id), acting_session(work)
        if now is None or now.password != known:
            return False
        proven = replace(session, proven_at=work.now, last_seen_at=work.now)
        await work.tables.sessions.update(proven)
        work.record("session.prove", _subject(session), None, before=session, after=proven, verdicts=False)
    return True


async def sign_out(context: Context, actor: Actor) -> None:
    """End the session that asks; one that has ended already is as good."""
    person = require_person(actor.principal)
    with suppress(SignedOut):
        async with mutation(context, actor) as work:
            await _end(work, acting_session(work))
            return
    async with context.store.write() as tables:
        await tables.sessions.delete(person.session_id)


async def sign_out_elsewhere(context: Context, actor: Actor) -> int:
    """End all sessions of the person who acts but the one that asks; says how many."""
    person = require_person(actor.principal)
    async with mutation(context, actor) as work:
        ended = 0
        for session in await work.tables.sessions.of_user(person.user_id):
            if session.id != person.session_id:
                await _end(work, session)
                ended += 1
    return ended


async def end_session(context: Context, actor: Actor, session_id: SessionId) -> None:
    """End one session of the person who acts. Raises NotFound for one that is not theirs, or ended."""
    person = require_person(actor.principal)
    async with mutation(context, actor) as work:
        session = await work.tables.sessions.find(session_id)
        if session is None or session.user_id != person.user_id:
            raise NotFound("session", session_id)
        await _end(work, session)


async def list_sessions(context: Context, actor: Actor) -> Sequence[Session]:
    """The live sessions of the person who acts, the one seen last first."""
    person = require_person(actor.principal)
    async with context.store.read() as tables:
        found = await tables.sessions.of_user(person.user_id)
    return [it for it in found if it.is_live(context.clock())]


def require_person(principal: Principal) -> Person:
    """The principal, which must be a signed-in person. Raises Denied."""
    require(principal, Power.USE_ACCOUNT)
    if not isinstance(principal, Person):
        raise Denied("Only a signed-in person has an account.")
    return principal


def acting_session(work: Mutation) -> Session:
    """The session of the person who acts, as it is in this transaction."""
    if work.session is None:
        raise AssertionError("a person acts without a session")
    return work.session


async def _find_user(context: Context, text: str) -> User | None:
    try:
        email = make_email(text)
    except InvalidInput:
        return None
    async with context.store.read() as tables:
        return await tables.users.find_email(email)


def _account(text: str) -> str:
    """What was typed as an e-mail, as guesses at it are counted."""
    return text.strip().lower()[:_LONGEST_EMAIL]


async def _rehashed(context: Context, known: str, password: str) -> str:
    """The hash to keep of a password that was right: at today's cost, whatever it was when it was set."""
    if not context.people.passwords.needs_rehash(known):
        return known
    return await context.people.passwords.hash(normalized(password) or "")


async def _see(context: Context, session: Session) -> None:
    async with context.store.write() as tables:
        now = await tables.sessions.find(session.id)
        if now is not None:
            await tables.sessions.update(replace(now, last_seen_at=context.clock()))


async def _end(work: Mutation, session: Session) -> None:
    await work.tables.sessions.delete(session.id)
    work.record("session.end", _subject(session), None, before=session, after=None, verdicts=False)


def _subject(session: Session) -> Subject:
    return Subject(kind=SubjectKind.SESSION, id=session.id)
