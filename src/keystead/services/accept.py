"""Accepting links: what each lets whoever holds it do, once."""

from dataclasses import replace

from keystead.domain.errors import Conflict, Denied, LinkClosed
from keystead.domain.links import Link, LinkKind
from keystead.domain.tenants import Member, User
from keystead.domain.text import make_name
from keystead.services import letters
from keystead.services.acknowledge import acknowledged, await_own
from keystead.services.context import Actor, Context, Visit
from keystead.services.links import hashed_for, reads, require_open, use_link
from keystead.services.members import insert_member, require_room_for_members
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.notices import tell
from keystead.services.people import SignedIn, begin_session, require_person
from keystead.services.users import insert_user, new_user, save_user, set_password


async def accept_invitation(
    context: Context, visit: Visit, text: str, *, name: str, password: str
) -> SignedIn:
    """Make an account for somebody invited who has none, a member of the organization, and sign them in.

    Raises LinkClosed, InvalidInput, and Conflict: `email-taken` for who has an account and therefore signs in
    and joins, `too-many-members`.
    """
    looked = await require_open(context, text, LinkKind.INVITATION)
    email, name = str(looked.link.email), make_name(name)
    if looked.user is not None:
        raise _has_account()
    hashed = await hashed_for(context, looked.link, password, email=email, name=name)
    async with mutation(context, visit.actor) as work:
        link = await use_link(work, text, LinkKind.INVITATION)
        user = replace(new_user(context, work, email, name), password=hashed)
        work.become(user)
        if await work.tables.users.find_email(email) is not None:
            raise _has_account()
        await insert_user(work, user)
        await _join(context, work, link, user)
        signed_in = await begin_session(context, work, user, visit)
    await await_own(context, work.epoch)
    return signed_in


@acknowledged
async def join(context: Context, actor: Actor, text: str) -> Changed[Member]:
    """Accept an invitation as the person who acts, who must have the e-mail that was invited.

    Raises LinkClosed, Denied for another e-mail, Conflict (`already-member`, `too-many-members`).
    """
    person = require_person(actor.principal)
    async with mutation(context, actor) as work:
        link = await use_link(work, text, LinkKind.INVITATION)
        user = await work.tables.users.find(person.user_id)
        if user is None or user.email != link.email:
            problem = "The invitation is for another e-mail. Sign in with the account that has it."
            raise Denied(problem, rule="invited-another")
        member = await _join(context, work, link, user)
    return Changed(value=member, epoch=work.epoch)


async def reset_password(context: Context, visit: Visit, text: str, *, password: str) -> User:
    """Give the user of a reset link another password, and end all their sessions. Signs nobody in.

    Raises LinkClosed, InvalidInput.
    """
    looked = await require_open(context, text, LinkKind.PASSWORD_RESET)
    if looked.user is None:
        raise LinkClosed
    hashed = await hashed_for(context, looked.link, password, email=looked.user.email, name=looked.user.name)
    async with mutation(context, visit.actor) as work:
        user = await _let_in(work, await use_link(work, text, LinkKind.PASSWORD_RESET))
        work.become(user)
        saved = await set_password(work, user, hashed)
        await work.tables.sessions.delete_of_user(user.id)
    letter = letters.password_changed(context.people, reads(saved, visit), name=saved.name)
    await tell(context, saved.email, letter)
    return saved


async def confirm_email(context: Context, visit: Visit, text: str) -> User:
    """Give a user the address that they asked for, now that it is shown to be theirs.

    Raises LinkClosed, also for the link of somebody who signs up; Conflict (`email-taken`).
    """
    async with mutation(context, visit.actor) as work:
        link = await use_link(work, text, LinkKind.EMAIL)
        user = await _let_in(work, link)
        work.become(user)
        other = await work.tables.users.find_email(str(link.email))
        if other is not None and other.id != user.id:
            raise Conflict("Another user has this email.", code="email-taken")
        confirmed = replace(user, email=str(link.email), email_confirmed_at=work.now)
        saved = await save_user(work, "user.update", user, confirmed, verdicts=False)
    if saved.email != user.email:
        letter = letters.email_changed(context.people, reads(user, visit), name=user.name)
        await tell(context, user.email, letter)
    return saved


async def sign_in_by_link(context: Context, visit: Visit, text: str) -> SignedIn:
    """Begin a session for the user of a sign-in link; one that the browser had ends. Raises LinkClosed."""
    async with mutation(context, visit.actor) as work:
        link = await use_link(work, text, LinkKind.SIGN_IN)
        user = await _let_in(work, link)
        return await begin_session(context, work, user, visit, return_url=link.return_url)


async def _let_in(work: Mutation, link: Link) -> User:
    """The user of a link that was used. Raises LinkClosed where there is none, or is suspended."""
    user = None if link.user_id is None else await work.tables.users.find(link.user_id)
    if user is None or user.suspension is not None:
        raise LinkClosed
    return user


async def _join(context: Context, work: Mutation, link: Link, user: User) -> Member:
    if link.organization_id is None or link.role is None:
        raise AssertionError("an invitation to nothing")
    await require_room_for_members(context, work, link.organization_id)
    return await insert_member(work, link.organization_id, user, link.role)


def _has_account() -> Conflict:
    return Conflict("There is an account with this email. Sign in to it to accept.", code="email-taken")
