"""What people change of their own account."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from keystead.domain.errors import Conflict, InvalidInput, SignedOut
from keystead.domain.ids import UserId
from keystead.domain.links import LinkKind
from keystead.domain.passwords import make_password
from keystead.domain.powers import Person
from keystead.domain.sessions import require_proven
from keystead.domain.tenants import Theme, User
from keystead.domain.text import make_email, make_language, make_name, make_time_zone
from keystead.ports.store import Tables
from keystead.services import letters
from keystead.services.authenticate import judged_again
from keystead.services.context import Actor, Context
from keystead.services.devices import device_cookie
from keystead.services.links import insert_link, link_url, new_link, reads
from keystead.services.making import given
from keystead.services.mutation import Changed, mutation
from keystead.services.notices import tell
from keystead.services.people import SignedIn, acting_session, require_person
from keystead.services.sign_up import SIGN_IN_PATH
from keystead.services.users import save_user, set_password


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What people change of their own account; UNSET stays, None is as the browser says."""

    name: str | UnsetType = UNSET
    language: str | UnsetType | None = UNSET
    theme: Theme | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET


async def change_account(context: Context, actor: Actor, draft: AccountChange) -> Changed[User]:
    """Change one's own name and preferences; what the draft leaves out stays."""
    person = require_person(actor.principal)
    async with mutation(context, actor) as work:
        user = await _own(work.tables, person.user_id)
        changed = replace(
            user,
            name=given(draft.name, make_name, user.name),
            language=given(draft.language, _language, user.language),
            theme=given(draft.theme, _theme, user.theme),
            time_zone=given(draft.time_zone, _time_zone, user.time_zone),
        )
        if changed != user:
            changed = await save_user(work, "user.update", user, changed, verdicts=False)
    return Changed(value=changed, epoch=None)


async def change_password(context: Context, actor: Actor, *, password: str) -> SignedIn:
    """Change one's own password: the other sessions end, and links that were made. This one goes on.

    It does so by another secret, which whoever copied its cookie does not have. Raises ProofNeeded,
    TooManyAttempts and InvalidInput, all before anything is hashed.
    """
    person = require_person(actor.principal)
    # Judged twice: before the work of hashing, and in the transaction that writes.
    async with context.store.read() as tables:
        judged = await judged_again(context, actor, tables)
        user = await _own(tables, person.user_id)
    if judged.session is not None:
        require_proven(judged.session, context.clock())
    context.people.guessing.try_known(person.session_id, context.clock())
    hashed = await context.people.passwords.hash(make_password(password, email=user.email, name=user.name))
    secret = context.new_secret()
    async with mutation(context, actor) as work:
        work.require_proven()
        saved = await set_password(work, await _own(work.tables, person.user_id), hashed)
        await work.tables.sessions.delete_of_user(person.user_id, keep=person.session_id)
        await work.tables.sessions.renew(person.session_id, secret.digest)
        session = acting_session(work)
    letter = letters.password_changed(context.people, reads(saved, actor), name=saved.name)
    await tell(context, saved.email, letter)
    return SignedIn(session=session, user=saved, secret=secret, device=device_cookie(context, saved))


async def change_email(context: Context, actor: Actor, *, email: str) -> Changed[User]:
    """Change one's own e-mail: at once or, where mail is set up, when the link sent to it was accepted.

    The user that is returned tells which. That another user has it is told, where mail is set up, to that
    user only. Raises ProofNeeded, InvalidInput, TooManyAttempts, Conflict (`email-taken`) without mail,
    Unavailable when it could not be sent.
    """
    person = require_person(actor.principal)
    to, secret, mail = make_email(email), context.new_secret(), context.people.mail
    async with mutation(context, actor) as work:
        work.require_proven()
        _spend_address(context, person, to)
        user = await _own(work.tables, person.user_id)
        other = await work.tables.users.find_email(to)
        taken = other is not None and other.id != user.id
        if taken and mail is None:
            raise Conflict("Another user has this email.", code="email-taken", field="email")
        await work.tables.links.delete(LinkKind.EMAIL, user.id)
        if to == user.email:
            return Changed(value=user, epoch=None)
        if mail is None:
            changed = replace(user, email=to, email_confirmed_at=None)
            return Changed(
                value=await save_user(work, "user.update", user, changed, verdicts=False), epoch=None
            )
        link = new_link(context, work, LinkKind.EMAIL, secret)
        # Written either way, so that both take as long; of one for a taken address nobody gets the secret.
        await insert_link(work, replace(link, email=to, user_id=user.id))
    people = context.people
    letter = (
        letters.already_known(people, reads(other, actor), url=f"{people.address}{SIGN_IN_PATH}")
        if taken
        else letters.confirmation(people, reads(user, actor), url=link_url(context, secret))
    )
    await mail.send(to, letter.subject, letter.text)
    return Changed(value=user, epoch=None)


def _spend_address(context: Context, person: Person, to: str) -> None:
    """Take one try of an address: who may ask for any could tell by the answers who has an account."""
    guessing = context.people.guessing
    if context.people.mail is None:
        guessing.try_known(person.session_id, context.clock())
    else:
        guessing.try_mail(to, person.user_id, context.clock())


async def _own(tables: Tables, user_id: UserId) -> User:
    user = await tables.users.find(user_id)
    if user is None:
        raise SignedOut
    return user


def _language(text: str | None) -> str | None:
    return None if text is None else make_language(text)


def _theme(theme: Theme | None) -> Theme | None:
    return theme


def _time_zone(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return ZoneInfo(make_time_zone(text)).key
    except (LookupError, OSError, ValueError):
        raise InvalidInput("time_zone", "is not a time zone that is known here", rule="time-zone") from None
