"""Signing up, where the provider lets anybody in: first the address is shown to be theirs."""

from dataclasses import replace

from keystead.domain.errors import Denied, LinkClosed
from keystead.domain.links import LinkKind
from keystead.domain.tenants import Role
from keystead.domain.text import make_email, make_name
from keystead.services import letters
from keystead.services.acknowledge import await_own
from keystead.services.context import Context, Visit
from keystead.services.drafts import NewOrganization
from keystead.services.guessing import network_of
from keystead.services.links import hashed_for, insert_link, link_url, look_at, new_link, reads, use_link
from keystead.services.members import insert_member
from keystead.services.mutation import mutation
from keystead.services.organizations import make_organization
from keystead.services.people import SignedIn, begin_session
from keystead.services.users import insert_user, new_user

SIGN_IN_PATH = "/sign-in"
"""Where the dashboard has people sign in."""


async def ask_to_sign_up(context: Context, visit: Visit, *, email: str) -> None:
    """Write to somebody who wants to sign up: a link to go on with, or that they have an account.

    Whoever asks is told the same either way. Raises Denied where signing up is closed, InvalidInput for what
    is no e-mail, TooManyAttempts, Unavailable when no mail could be sent.
    """
    mail = context.people.mail
    if not context.people.sign_up_open or mail is None:
        problem = "Here people join by invitation. Ask whoever runs it for one."
        raise Denied(problem, rule="sign-up-closed")
    to = make_email(email)
    context.people.guessing.try_mail(to, network_of(visit.address), context.clock())
    secret = context.new_secret()
    async with mutation(context, visit.actor) as work:
        known = await work.tables.users.find_email(to)
        # Written either way, so that both take as long; of one for a known address nobody gets the secret.
        await insert_link(work, replace(new_link(context, work, LinkKind.EMAIL, secret), email=to))
    people, language = context.people, reads(known, visit)
    letter = (
        letters.confirmation(people, language, url=link_url(context, secret))
        if known is None
        else letters.already_known(people, language, url=f"{people.address}{SIGN_IN_PATH}")
    )
    await mail.send(to, letter.subject, letter.text)


async def sign_up(  # noqa: PLR0913 - a form has as many fields
    context: Context, visit: Visit, text: str, *, name: str, password: str, organization: str
) -> SignedIn:
    """Make the account of somebody who confirmed their address, with an organization of their own.

    It begins with an app and its Default API Key. Raises LinkClosed, InvalidInput, Conflict (`email-taken`).
    """
    looked = await look_at(context, text)
    if looked is None or looked.link.kind is not LinkKind.EMAIL or looked.link.user_id is not None:
        raise LinkClosed
    email, name = str(looked.link.email), make_name(name)
    hashed = await hashed_for(context, looked.link, password, email=email, name=name)
    async with mutation(context, visit.actor) as work:
        await use_link(work, text, LinkKind.EMAIL)
        made = replace(new_user(context, work, email, name), password=hashed, email_confirmed_at=work.now)
        work.become(made)
        await insert_user(work, made)
        own = await make_organization(context, work, NewOrganization(name=organization))
        await insert_member(work, own.id, made, Role.OWNER)
        signed_in = await begin_session(context, work, made, visit)
    await await_own(context, work.epoch)
    return signed_in
