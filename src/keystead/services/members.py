"""Members: who belongs to an organization, and with which role."""

from dataclasses import replace

from msgspec import UNSET

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, Denied, InvalidInput, NotFound
from keystead.domain.ids import IdKind, OrganizationId, UserId, is_id
from keystead.domain.keys import RevokedReason
from keystead.domain.powers import PersonalKey, Power, Principal, customer, is_provider
from keystead.domain.tenants import Member, Role, User, outranks
from keystead.domain.text import make_email
from keystead.ports.store import Listing, Page, Recorded, Tables
from keystead.services.access import reach_organization
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import MemberChange, NewMember
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.people import require_person
from keystead.services.revoke import revoke_all
from keystead.services.users import make_user

Membership = tuple[Member, User]


async def list_members(
    context: Context, actor: Actor, organization_id: OrganizationId, page: Page
) -> Listing[Membership]:
    """An organization's members with their users."""
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_MEMBERS, organization_id)
        return await tables.members.list(found.id, page)


@acknowledged
async def add_member(
    context: Context, actor: Actor, organization_id: OrganizationId, draft: NewMember
) -> Changed[Membership]:
    """Add a user, by e-mail or by id, to an organization; an e-mail not yet known makes the user.

    Raises Denied for a role that the principal may not give, Conflict (`already-member`,
    `too-many-members`), NotFound for an unknown `user_id` (customers add by e-mail only).
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
        user = await _chosen_user(context, work, draft)
        member = await insert_member(work, organization.id, user, draft.role)
        work.about = _subject(member)
    return Changed(value=(member, user), epoch=work.epoch)


@acknowledged
async def change_member(
    context: Context, actor: Actor, organization_id: OrganizationId, user_id: UserId, draft: MemberChange
) -> Changed[Membership]:
    """Give a member another role.

    Raises Denied where the old or the new role is above the principal's own, Conflict (`last-owner`).
    """
    async with mutation(context, actor) as work:
        member, user = await _reach_member(work.tables, work.principal, organization_id, user_id)
        require_role(work.principal, draft.role)
        if draft.role is not Role.OWNER:
            await _require_owner_left(work.tables, member)
        elif member.role is not Role.OWNER:
            work.require_proven()
        changed = replace(member, role=draft.role)
        if changed != member:
            await work.tables.members.update(changed)
            work.record("member.update", _subject(member), organization_id, before=member, after=changed)
    return Changed(value=(changed, user), epoch=work.epoch)


@acknowledged
async def remove_member(
    context: Context, actor: Actor, organization_id: OrganizationId, user_id: UserId
) -> Changed[Membership]:
    """Remove a member, and revoke the personal keys it has there (`owner_left`) in the same epoch.

    Raises Denied where the member's role is above the principal's own, Conflict (`last-owner`).
    """
    async with mutation(context, actor) as work:
        member, user = await _reach_member(work.tables, work.principal, organization_id, user_id)
        await _remove(work, member)
    return Changed(value=(member, user), epoch=work.epoch)


@acknowledged
async def leave(context: Context, actor: Actor, organization_id: OrganizationId) -> Changed[Member]:
    """Leave an organization, as the person who acts; in whichever role. Ends what `remove_member` does.

    Raises NotFound where they are no member, Conflict (`last-owner`).
    """
    person = require_person(actor.principal)
    async with mutation(context, actor) as work:
        member = await work.tables.members.find(organization_id, person.user_id)
        if member is None:
            raise NotFound("organization", organization_id)
        await _remove(work, member)
    return Changed(value=member, epoch=work.epoch)


async def require_room_for_members(context: Context, work: Mutation, organization_id: OrganizationId) -> None:
    """Raise Conflict (`too-many-members`) when the organization has as many members as it may."""
    most = context.bounds.members_per_organization
    if await work.tables.members.count(organization_id) >= most:
        problem = f"The organization has {most} members, which is the most it may."
        raise Conflict(problem, code="too-many-members", most=most)


async def insert_member(work: Mutation, organization_id: OrganizationId, user: User, role: Role) -> Member:
    """Make a user a member, as part of a mutation. Raises Conflict (`already-member`)."""
    if await work.tables.members.find(organization_id, user.id) is not None:
        raise Conflict("The user is a member already. Change the role instead.", code="already-member")
    member = Member(organization_id=organization_id, user_id=user.id, role=role, created_at=work.now)
    await work.tables.members.insert(member)
    work.record("member.add", _subject(member), organization_id, before=None, after=member)
    return member


def require_role(principal: Principal, role: Role) -> None:
    """Raise Denied unless the principal may give, change or take `role`.

    Nobody may one above its own; a personal key never touches an owner, which the owner in person may.
    """
    own = customer(principal)
    if own is None:
        return
    by_key = isinstance(own, PersonalKey)
    if own.role is None or outranks(role, own.role) or (by_key and role is Role.OWNER):
        who = "This key" if by_key else "Your role"
        raise Denied(
            f"{who} may not give, change or take the role {role}.", code="role-above-own", field="role"
        )


def require_proven_for(work: Mutation, role: Role) -> None:
    """Raise ProofNeeded where a person makes an owner without having given their password lately."""
    if role is Role.OWNER:
        work.require_proven()


async def _reach_member(
    tables: Tables, principal: Principal, organization_id: OrganizationId, user_id: UserId
) -> Membership:
    await reach_organization(tables, principal, Power.CHANGE_MEMBERS, organization_id)
    member = await tables.members.find(organization_id, user_id)
    user = await tables.users.find(user_id)
    if member is None or user is None:
        raise NotFound("member", user_id)
    require_role(principal, member.role)
    return member, user


async def _remove(work: Mutation, member: Member) -> None:
    await _require_owner_left(work.tables, member)
    await work.tables.members.delete(member.organization_id, member.user_id)
    work.record("member.remove", _subject(member), member.organization_id, before=member, after=None)
    doomed = await work.tables.keys.unrevoked(organization_id=member.organization_id, owner_id=member.user_id)
    await revoke_all(work, doomed, RevokedReason.OWNER_LEFT)


async def _require_owner_left(tables: Tables, member: Member) -> None:
    if member.role is Role.OWNER and await tables.members.count_owners(member.organization_id) == 1:
        problem = "The last owner can neither leave nor be given another role. Make another owner first."
        raise Conflict(problem, code="last-owner")


async def _chosen_user(context: Context, work: Mutation, draft: NewMember) -> User:
    if (draft.email is UNSET) == (draft.user_id is UNSET):
        raise InvalidInput("email", "give email or user_id, and only one of them", rule="which-user")
    if draft.user_id is not UNSET:
        # By id a customer could probe for users of other organizations.
        findable = is_provider(work.principal) and is_id(IdKind.USER, draft.user_id)
        found = await work.tables.users.find(UserId(draft.user_id)) if findable else None
        if found is None:
            raise NotFound("user", draft.user_id)
        return found
    email = make_email(str(draft.email))
    known = await work.tables.users.find_email(email)
    return known or await make_user(context, work, email, email.partition("@")[0])


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[Membership]:
    organization_id, _, user_id = earlier.subject.id.partition("/")
    member = await work.tables.members.find(OrganizationId(organization_id), UserId(user_id))
    user = await work.tables.users.find(UserId(user_id))
    if member is None or user is None:
        raise NotFound("member", user_id)
    return Changed(value=(member, user), epoch=earlier.epoch, replayed=True)


def _subject(member: Member) -> Subject:
    return Subject(kind=SubjectKind.MEMBER, id=f"{member.organization_id}/{member.user_id}")
