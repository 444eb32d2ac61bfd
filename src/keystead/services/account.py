"""What people change of their own account."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from keystead.domain.errors import Conflict, InvalidInput, SignedOut
from keystead.domain.ids import UserId
from keystead.domain.links import LinkKind
from keystead.domain.passwords import make_password
from keystead.domain.tenants import Theme, User
from keystead.domain.text import make_email, make_language, make_name, make_time_zone
from keystead.ports.store import Tables
from keystead.services import letters
from keystead.services.authenticate import judged_again
from keystead.services.context import Actor, Context
from keystead.services.links import insert_link, link_url, new_link
from keystead.services.making import given
from keystead.services.mutation import Changed, mutation
from keystead.services.people import require_person, require_proven
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


async def change_password(context: Context, actor: Actor, *, password: str) -> Changed[User]:
    """Change one's own password: the other sessions end, and reset links that were made.

    Raises ProofNeeded, TooManyAttempts and InvalidInput, all before anything is hashed.
    """
    person = require_person(actor.principal)
    # Judged twice: before the work of hashing, and in the transaction that writes.
    async with context.store.read() as tables:
        judged = await judged_again(context, actor, tables)
        user = await _own(tables, person.user_id)
    if judged.session is not None:
        require_proven(context, judged.session)
    context.people.guessing.try_known(person.session_id, context.clock())
    hashed = await context.people.passwords.hash(make_password(password, email=user.email, name=user.name))
    async with mutation(context, actor) as work:
        work.require_proven()
        saved = await set_password(work, await _own(work.tables, person.user_id), hashed)
        await work.tables.sessions.delete_of_user(person.user_id, keep=person.session_id)
    return Changed(value=saved, epoch=None)


async def change_email(context: Context, actor: Actor, *, email: str) -> Changed[User]:
    """Change one's own e-mail: at once or, where mail is set up, when the link sent to it was accepted.

    The user that is returned tells which. Raises ProofNeeded, InvalidInput, TooManyAttempts, Conflict
    (`email-taken`), Unavailable when the mail could not be sent.
    """
    person = require_person(actor.principal)
    to, secret = make_email(email), context.new_secret()
    async with mutation(context, actor) as work:
        work.require_proven()
        user = await _own(work.tables, person.user_id)
        other = await work.tables.users.find_email(to)
        if other is not None and other.id != user.id:
            raise Conflict("Another user has this email.", code="email-taken")
        await work.tables.links.delete(LinkKind.EMAIL, user.id)
        if to == user.email:
            return Changed(value=user, epoch=None)
        if context.people.mail is None:
            changed = replace(user, email=to, email_confirmed_at=None)
            return Changed(
                value=await save_user(work, "user.update", user, changed, verdicts=False), epoch=None
            )
        link = new_link(context, work, LinkKind.EMAIL, secret)
        await insert_link(work, replace(link, email=to, user_id=user.id))
    context.people.guessing.try_mail(to, user.id, context.clock())
    letter = letters.confirmation(context.people.product_name, link_url(context, secret))
    await context.people.mail.send(to, letter.subject, letter.text)
    return Changed(value=user, epoch=None)


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
        raise InvalidInput("time_zone", "is not a time zone that is known here") from None
