"""Links that let somebody in, once: making them, looking at them (a GET), and using them up (a POST).

Whatever a link does (see `accept`, `set_up` and `sign_up`) is done in the transaction that uses it up: of two
who accept it at once one succeeds, and what fails half-way leaves it open.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from msgspec import UNSET

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, LinkClosed, NotFound, TooManyAttempts, Unavailable
from keystead.domain.ids import IdKind, KeyId, LinkId, OrganizationId, UserId, is_id
from keystead.domain.keys import ByKind, OwnerKind, Status
from keystead.domain.links import LIFETIMES, Link, LinkKind, make_return_url
from keystead.domain.passwords import make_password
from keystead.domain.powers import POWERS, Power
from keystead.domain.secrets import Secret, presented_secret
from keystead.domain.tenants import Organization, Role, User, outranks
from keystead.domain.text import make_email
from keystead.ports.store import Listing, Page, Recorded, Tables
from keystead.services import letters
from keystead.services.access import reach_organization, reach_user, require
from keystead.services.context import Actor, Context, Visit
from keystead.services.drafts import NewInvitation, NewSignInLink
from keystead.services.letters import Letter
from keystead.services.members import (
    require_proven_for,
    require_role,
    require_room_for_members,
)
from keystead.services.mutation import Changed, Mutation, mutation

LINK_PATH = "/link"
"""Where the dashboard shows every link; its secret is in the query, which our log leaves out."""

SECRET_QUERY = "secret"  # noqa: S105 - a parameter's name


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A link that was just made. `secret` is in clear only here; a repeated request gets None.

    `mailed` says whether it was also sent to the one whom it is for.
    """

    link: Link
    secret: Secret | None
    mailed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An open link, as whoever holds it may see it. `user` is whom it lets in, or who has its e-mail."""

    link: Link
    user: User | None
    organization: Organization | None


def link_url(context: Context, secret: Secret) -> str:
    """The address at which a link is opened."""
    return f"{context.people.address}{LINK_PATH}?{urlencode({SECRET_QUERY: secret.reveal()})}"


async def make_invitation(
    context: Context, actor: Actor, organization_id: OrganizationId, draft: NewInvitation
) -> Changed[MadeLink]:
    """Make a link by which whoever has the e-mail joins an organization; sent to them if mail is set up.

    Raises Denied for a role that the principal may not give, Conflict (`already-member`, `too-many-members`).
    """
    async with mutation(context, actor) as work:
        organization = await reach_organization(
            work.tables, work.principal, Power.CHANGE_MEMBERS, organization_id
        )
        require_role(work.principal, draft.role)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        require_proven_for(work, draft.role)
        await require_room_for_members(context, work, organization.id)
        email = make_email(draft.email)
        user = await work.tables.users.find_email(email)
        if user is not None and await work.tables.members.find(organization.id, user.id) is not None:
            raise Conflict(
                "The user is a member already. Change the role instead.", code="already-member", field="email"
            )
        secret = context.new_secret()
        link = replace(
            new_link(context, work, LinkKind.INVITATION, secret),
            email=email,
            organization_id=organization.id,
            role=draft.role,
        )
        await insert_link(work, link)
    letter = letters.invitation(
        context.people,
        reads(user, actor),
        organization=organization.name,
        role=draft.role,
        url=link_url(context, secret),
    )
    mailed = await try_to_mail(context, email, letter, sender=organization.id)
    return Changed(value=MadeLink(link=link, secret=secret, mailed=mailed), epoch=None)


async def list_invitations(
    context: Context, actor: Actor, organization_id: OrganizationId, page: Page
) -> Listing[Link]:
    """An organization's invitations that can still be accepted."""
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.CHANGE_MEMBERS, organization_id)
        return await tables.links.list_open(found.id, context.clock(), page)


async def withdraw_invitation(
    context: Context, actor: Actor, organization_id: OrganizationId, link_id: LinkId
) -> None:
    """End an invitation that was not accepted. Raises NotFound, and Denied as making it would."""
    async with mutation(context, actor) as work:
        await reach_organization(work.tables, work.principal, Power.CHANGE_MEMBERS, organization_id)
        link = await work.tables.links.find(link_id)
        if link is None or link.organization_id != organization_id or link.role is None:
            raise NotFound("invitation", link_id)
        require_role(work.principal, link.role)
        if not await work.tables.links.withdraw(link.id):
            raise NotFound("invitation", link_id)
        work.record("link.withdraw", _subject(link), organization_id, before=link, after=None, verdicts=False)


async def make_password_reset(context: Context, actor: Actor, user_id: UserId) -> Changed[MadeLink]:
    """Make a link by which a user sets another password; for the provider only. Earlier ones end.

    It is shown to who made it and never sent. Raises Denied, Conflict (`user-suspended`).
    """
    async with mutation(context, actor) as work:
        user = await _reach_to_let_in(work, user_id)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        work.require_proven()
        await work.tables.links.delete(LinkKind.PASSWORD_RESET, user.id)
        secret = context.new_secret()
        link = replace(new_link(context, work, LinkKind.PASSWORD_RESET, secret), user_id=user.id)
        await insert_link(work, link)
    return Changed(value=MadeLink(link=link, secret=secret), epoch=None)


async def make_sign_in_link(
    context: Context, actor: Actor, user_id: UserId, draft: NewSignInLink
) -> Changed[MadeLink]:
    """Make a link that signs a user in, once, within a minute: for a provider whose login they have passed.

    Raises Denied, Conflict (`user-suspended`), InvalidInput for a `return_url` that is not on the list.
    """
    async with mutation(context, actor) as work:
        user = await _reach_to_let_in(work, user_id)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        work.require_proven()
        back = None
        if draft.return_url is not UNSET:
            back = make_return_url(draft.return_url, context.people.return_urls)
        secret = context.new_secret()
        link = replace(new_link(context, work, LinkKind.SIGN_IN, secret), user_id=user.id, return_url=back)
        await insert_link(work, link)
    return Changed(value=MadeLink(link=link, secret=secret), epoch=None)


def new_link(context: Context, work: Mutation, kind: LinkKind, secret: Secret) -> Link:
    """A link of `kind` that is not written yet, and lets nobody in particular in."""
    return Link(
        id=LinkId(context.new_id(IdKind.LINK)),
        kind=kind,
        digest=secret.digest,
        made_by=work.by,
        created_at=work.now,
        expires_at=work.now + LIFETIMES[kind],
    )


async def insert_link(work: Mutation, link: Link) -> None:
    """Write a new link and record it."""
    await work.tables.links.insert(link)
    work.record("link.make", _subject(link), link.organization_id, before=None, after=link, verdicts=False)


def reads(user: User | None, who: Actor | Visit) -> str | None:
    """The language to write to somebody in: the one they chose, else that of whoever causes the letter."""
    return (None if user is None else user.language) or who.language


async def try_to_mail(context: Context, to: str, letter: Letter, *, sender: str) -> bool:
    """Send a letter if mail is set up; says whether it went. `sender` is who has an allowance of mails."""
    if context.people.mail is None:
        return False
    try:
        context.people.guessing.try_mail(to, sender, context.clock())
        await context.people.mail.send(to, letter.subject, letter.text)
    except (TooManyAttempts, Unavailable):
        return False
    return True


async def look_at(context: Context, text: str) -> Looked | None:
    """What an open link is for; None for one that was used, has expired or never was. Uses nothing up."""
    secret = presented_secret(text)
    if secret is None:
        return None
    async with context.store.read() as tables:
        return await _find_open(tables, secret, context.clock())


async def require_open(context: Context, text: str, kind: LinkKind) -> Looked:
    """The open link: before a password is hashed, so that only who holds one makes us work."""
    looked = await look_at(context, text)
    if looked is None or looked.link.kind is not kind:
        raise LinkClosed
    return looked


async def hashed_for(context: Context, link: Link, password: str, *, email: str, name: str) -> str:
    """The hash of a password that whoever holds an open link chose, for the person who is called so.

    Raises InvalidInput, and TooManyAttempts before anything is hashed: what fails later leaves the link open.
    """
    chosen = make_password(password, email=email, name=name)
    context.people.guessing.try_known(link.id, context.clock())
    return await context.people.passwords.hash(chosen)


async def use_link(work: Mutation, text: str, kind: LinkKind) -> Link:
    """Use up an open link of this kind, in the mutation that does what it gives. Raises LinkClosed."""
    secret = presented_secret(text)
    looked = None if secret is None else await _find_open(work.tables, secret, work.now)
    if looked is None or looked.link.kind is not kind:
        raise LinkClosed
    if not await work.tables.links.use(looked.link.id, work.now):
        raise LinkClosed
    link = looked.link
    used = replace(link, used_at=work.now)
    work.record("link.use", _subject(link), link.organization_id, before=link, after=used, verdicts=False)
    return used


async def _find_open(tables: Tables, secret: Secret, now: datetime) -> Looked | None:
    link = await tables.links.find_digest(secret.digest)
    if link is None or not link.is_open(now):
        return None
    user, organization = None, None
    if link.user_id is not None:
        user = await tables.users.find(link.user_id)
    elif link.email is not None:
        user = await tables.users.find_email(link.email)
    if link.organization_id is not None:
        organization = await tables.organizations.find(link.organization_id)
    if link.kind is LinkKind.SET_UP and await tables.users.count_operators():
        return None
    if link.kind is LinkKind.INVITATION and not await _stands(tables, link, organization, now):
        return None
    return Looked(link=link, user=user, organization=organization)


async def _stands(tables: Tables, link: Link, organization: Organization | None, now: datetime) -> bool:
    """Whether an invitation could still be made as it was: who lost their power, lost it for these too."""
    if organization is None or organization.suspension is not None or link.role is None:
        return False
    by = link.made_by
    user_id: object = None
    if by.kind in {ByKind.KEY, ByKind.ROOT_KEY}:
        key = await tables.keys.find(KeyId(by.id))
        if key is None or key.status(now) is not Status.ACTIVE:
            return False
        user_id = key.owner.id if key.owner.kind is OwnerKind.USER else None
    elif is_id(IdKind.USER, by.id):
        user_id = by.id
    if user_id is None:
        return True
    user = await tables.users.find(UserId(str(user_id)))
    if user is None or user.suspension is not None:
        return False
    member = await tables.members.find(organization.id, user.id)
    return user.operator or (member is not None and _may_give(member.role, link.role))


def _may_give(own: Role, role: Role) -> bool:
    return own in POWERS[Power.CHANGE_MEMBERS].roles and not outranks(role, own)


async def _reach_to_let_in(work: Mutation, user_id: UserId) -> User:
    """The user, if the principal may let them in without a password: an operator takes the highest power."""
    user = await reach_user(work.tables, work.principal, Power.PROVIDE_USERS, user_id)
    if user.operator:
        require(work.principal, Power.MANAGE_OPERATORS)
    if user.suspension is not None:
        raise Conflict("The user is suspended. Resume them first.", code="user-suspended")
    return user


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[MadeLink]:
    link = await work.tables.links.find(LinkId(earlier.subject.id))
    if link is None:
        raise NotFound("link", earlier.subject.id)
    return Changed(value=MadeLink(link=link, secret=None), epoch=None, replayed=True)


def _subject(link: Link) -> Subject:
    return Subject(kind=SubjectKind.LINK, id=link.id)
