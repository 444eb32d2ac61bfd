"""The first start: an instance without an operator gets one, with an organization of their own.

Never a second: either whoever holds the set-up link says who it is, or the settings do.
"""

from dataclasses import replace

from keystead.domain.errors import LinkClosed
from keystead.domain.links import LinkKind
from keystead.domain.passwords import make_password
from keystead.domain.secrets import Secret
from keystead.domain.tenants import Role, User
from keystead.domain.text import make_email, make_name
from keystead.services.acknowledge import await_own
from keystead.services.context import Context, Visit
from keystead.services.drafts import NewOrganization
from keystead.services.links import hashed_for, insert_link, new_link, require_open, use_link
from keystead.services.members import insert_member
from keystead.services.mutation import Mutation, mutation
from keystead.services.organizations import make_organization
from keystead.services.people import SignedIn, begin_session
from keystead.services.users import insert_user, new_user


async def make_set_up_link(context: Context) -> Secret | None:
    """Make the link that leads to the first operator, and end an earlier one; None where there is one."""
    async with context.store.read() as tables:
        if await tables.users.count_operators():
            return None
    async with mutation(context, Visit().actor) as work:
        if await work.tables.users.count_operators():
            return None
        await work.tables.links.delete(LinkKind.SET_UP, None)
        secret = context.new_secret()
        await insert_link(work, new_link(context, work, LinkKind.SET_UP, secret))
    return secret


async def set_up(  # noqa: PLR0913 - a form has as many fields
    context: Context,
    visit: Visit,
    text: str,
    *,
    email: str,
    name: str,
    password: str,
    organization: str,
) -> SignedIn:
    """Make the first operator, with an organization of their own, and sign them in: all of it, or nothing.

    Raises LinkClosed, InvalidInput, Conflict (`email-taken`).
    """
    looked = await require_open(context, text, LinkKind.SET_UP)
    email, name = make_email(email), make_name(name)
    hashed = await hashed_for(context, looked.link, password, email=email, name=name)
    async with mutation(context, visit.actor) as work:
        await use_link(work, text, LinkKind.SET_UP)
        operator = replace(new_user(context, work, email, name), operator=True, password=hashed)
        user = await _insert_first(context, work, operator, organization)
        signed_in = await begin_session(context, work, user, visit)
    await await_own(context, work.epoch)
    return signed_in


async def set_up_by_settings(context: Context, *, email: str, password: str) -> bool:
    """Make the first operator whom the settings name, with an organization of their own; never a second.

    False where there is an operator. Raises InvalidInput, Conflict (`email-taken`).
    """
    email = make_email(email)
    name = email.partition("@")[0]
    async with context.store.read() as tables:
        if await tables.users.count_operators():
            return False
    hashed = await context.people.passwords.hash(make_password(password, email=email, name=name))
    try:
        async with mutation(context, Visit().actor) as work:
            operator = replace(new_user(context, work, email, name), operator=True, password=hashed)
            await _insert_first(context, work, operator, name)
    except LinkClosed:
        return False
    return True


async def _insert_first(context: Context, work: Mutation, operator: User, organization: str) -> User:
    """The first operator and their organization, in a transaction that no other set-up runs beside."""
    if await work.tables.users.count_operators():
        raise LinkClosed
    work.become(operator)
    await insert_user(work, operator)
    made = await make_organization(context, work, NewOrganization(name=organization))
    await insert_member(work, made.id, operator, Role.OWNER)
    await work.tables.links.delete(LinkKind.SET_UP, None)
    return operator
