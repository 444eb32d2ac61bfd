"""Members: who belongs to an organization, and with which role."""

from dataclasses import replace

from msgspec import UNSET

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, Denied, InvalidInput, NotFound
from keystead.domain.ids import IdKind, OrganizationId, UserId, is_id
from keystead.domain.keys import RevokedReason
from keystead.domain.powers import PersonalKey, Power, Principal, is_provider
from keystead.domain.tenants import Member, Role, User, outranks
from keystead.domain.text import make_email
from keystead.ports.store import Listing, Page, Recorded, Tables
from keystead.services.access import reach_organization
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import MemberChange, NewMember
from keystead.services.mutation import Changed, Mutation, mutation
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
        most = context.bounds.members_per_organization
        if await work.tables.members.count(organization.id) >= most:
            problem = f"The organization has {most} members, which is the most it may."
            raise Conflict(problem, code="too-many-members")
        user = await _chosen_user(context, work, draft)
        if await work.tables.members.find(organization.id, user.id) is not None:
            raise Conflict("The user is a member already. Change the role instead.", code="already-member")
        member = Member(
            organization_id=organization.id, user_id=user.id, role=draft.role, created_at=work.now
        )
        await work.tables.members.insert(member)
        work.about = _subject(member)
        work.record("member.add", _subject(member), organization.id, before=None, after=member)
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
        await _require_owner_left(work.tables, member)
        await work.tables.members.delete(organization_id, user_id)
        work.record("member.remove", _subject(member), organization_id, before=member, after=None)
        doomed = await work.tables.keys.unrevoked(organization_id=organization_id, owner_id=user_id)
        await revoke_all(work, doomed, RevokedReason.OWNER_LEFT)
    return Changed(value=(member, user), epoch=work.epoch)


def require_role(principal: Principal, role: Role) -> None:
    """Raise Denied unless the principal may give, change or take `role`.

    Nobody may one above its own, and a personal key never touches an owner.
    """
    if not isinstance(principal, PersonalKey):
        return
    if role is Role.OWNER or outranks(role, principal.role):
        raise Denied(f"This key may not give, change or take the role {role}.", code="role-above-own")


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


async def _require_owner_left(tables: Tables, member: Member) -> None:
    if member.role is Role.OWNER and await tables.members.count_owners(member.organization_id) == 1:
        problem = "The last owner can neither leave nor be given another role. Make another owner first."
        raise Conflict(problem, code="last-owner")


async def _chosen_user(context: Context, work: Mutation, draft: NewMember) -> User:
    if (draft.email is UNSET) == (draft.user_id is UNSET):
        raise InvalidInput("email", "give email or user_id, and only one of them")
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
