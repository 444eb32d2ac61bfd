"""An organization's members: who they are, which role they have, giving another and removing them."""

from collections.abc import Mapping, Sequence

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.paging import trail_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import InOrganization, in_organization, say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import Denied, InvalidInput, KeysteadError, NotFound
from keystead.domain.ids import UserId
from keystead.domain.links import Link
from keystead.domain.powers import Power, Principal
from keystead.domain.tenants import Role
from keystead.ports.store import Page, Position
from keystead.services.access import require
from keystead.services.drafts import MemberChange
from keystead.services.links import list_invitations
from keystead.services.members import (
    Membership,
    change_member,
    leave,
    list_members,
    remove_member,
    require_role,
)

MEMBERS_PER_PAGE = 50
MOST_INVITATIONS = 200
"""More than these, which expire within days, are not listed at once; the newest come first."""


@get("/organizations/{organization_id:str}/members")
async def get_members(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """The members, and for those who manage them the invitations that are open."""
    here = await in_organization(caller, organization_id)
    trail = trail_of(caller.request)
    found = await list_members(caller.context, here.actor, here.organization.id, trail.page(MEMBERS_PER_PAGE))
    return page(
        caller.request,
        "organization/members.html",
        place=here.place("members", Crumb(say(caller.request, "organization.members"))),
        organization=here.organization,
        members=[_shown(caller, here, it) for it in found.items],
        invitations=await _invitations(caller, here),
        back=trail.back,
        onward=trail.on(found, _position),
        may_change=here.may(Power.CHANGE_MEMBERS),
    )


@get("/organizations/{organization_id:str}/members/{user_id:str}/role")
async def get_role(caller: AtDoor, organization_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    """The form of a member's role."""
    here = await in_organization(caller, organization_id)
    require(here.actor.principal, Power.CHANGE_MEMBERS)
    member, _ = found = await _find(caller, here, user_id)
    return _ask(caller, here, found, "organization/role.html", {"role": member.role})


@post("/organizations/{organization_id:str}/members/{user_id:str}/role")
async def post_role(
    caller: AtDoor, form: Sent, organization_id: FromPath[str], user_id: FromPath[str]
) -> Response[str]:
    """Give a member another role."""
    here = await in_organization(caller, organization_id)
    found = await _find(caller, here, user_id)
    try:
        role = role_of(form.text("role"))
        if role is Role.OWNER and found[0].role is not Role.OWNER:
            await prove(caller, form)
        draft = MemberChange(role=role)
        await change_member(caller.context, here.actor, here.organization.id, found[1].id, draft)
    except KeysteadError as error:
        return _ask(caller, here, found, "organization/role.html", form.values, error)
    toast = Toast(message_id=f"toast.now-{role}", values={"name": found[1].name})
    return redirect(caller.request, here.path("/members"), toast=toast)


@get("/organizations/{organization_id:str}/members/{user_id:str}/remove")
async def get_remove(caller: AtDoor, organization_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    """What removing a member ends; of oneself it is leaving."""
    here = await in_organization(caller, organization_id)
    found = await _find(caller, here, user_id)
    if found[1].id != caller.user.id:
        require(here.actor.principal, Power.CHANGE_MEMBERS)
    return _ask(caller, here, found, "organization/remove.html", {})


@post("/organizations/{organization_id:str}/members/{user_id:str}/remove")
async def post_remove(
    caller: AtDoor, form: Sent, organization_id: FromPath[str], user_id: FromPath[str]
) -> Response[str]:
    """Remove a member, or leave."""
    here = await in_organization(caller, organization_id)
    found = await _find(caller, here, user_id)
    leaving = found[1].id == caller.user.id
    try:
        if leaving:
            await leave(caller.context, here.actor, here.organization.id)
        else:
            await remove_member(caller.context, here.actor, here.organization.id, found[1].id)
    except KeysteadError as error:
        return _ask(caller, here, found, "organization/remove.html", form.values, error)
    if leaving:
        left = Toast(message_id="toast.left", values={"name": here.organization.name})
        return redirect(caller.request, "/apps", toast=left)
    toast = Toast(message_id="toast.member-removed", values={"name": found[1].name})
    return redirect(caller.request, here.path("/members"), toast=toast)


def role_of(text: str) -> Role:
    """The role that was chosen. Raises InvalidInput."""
    try:
        return Role(text)
    except ValueError:
        raise InvalidInput("role", "choose one of the roles", rule="choice") from None


def roles_for(principal: Principal) -> Sequence[Role]:
    """The roles that somebody may give, change and take."""
    return [role for role in Role if _gives(principal, role)]


def _gives(principal: Principal, role: Role) -> bool:
    try:
        require_role(principal, role)
    except Denied:
        return False
    return True


async def _invitations(caller: Caller, here: InOrganization) -> Sequence[tuple[Link, bool]]:
    """The open invitations, each with whether it is theirs to withdraw; none for who may not invite."""
    if not here.may(Power.CHANGE_MEMBERS):
        return ()
    wanted = Page(limit=MOST_INVITATIONS)
    found = await list_invitations(caller.context, here.actor, here.organization.id, wanted)
    return [(it, it.role is not None and _gives(here.actor.principal, it.role)) for it in found.items]


def _shown(caller: Caller, here: InOrganization, found: Membership) -> Mapping[str, object]:
    member, user = found
    return {
        "member": member,
        "user": user,
        "own": user.id == caller.user.id,
        "manageable": here.may(Power.CHANGE_MEMBERS) and _gives(here.actor.principal, member.role),
        "resettable": here.may(Power.PROVIDE_USERS),
    }


async def _find(caller: Caller, here: InOrganization, user_id: str) -> Membership:
    """One membership, by where it stands in the list. Raises NotFound."""
    wanted = Page(limit=caller.context.bounds.members_per_organization)
    found = await list_members(caller.context, here.actor, here.organization.id, wanted)
    membership = next((it for it in found.items if it[1].id == UserId(user_id)), None)
    if membership is None:
        raise NotFound("member", user_id)
    return membership


def _ask(  # noqa: PLR0913, PLR0917 - a form has this many parts
    caller: Caller,
    here: InOrganization,
    found: Membership,
    template: str,
    values: Mapping[str, str],
    error: KeysteadError | None = None,
) -> Response[str]:
    members = Crumb(say(caller.request, "organization.members"), here.path("/members"))
    return page(
        caller.request,
        template,
        status=200 if error is None else status_of(error),
        place=here.place("members", members, Crumb(found[1].name)),
        organization=here.organization,
        member=found[0],
        user=found[1],
        own=found[1].id == caller.user.id,
        roles=roles_for(here.actor.principal),
        values={"role": found[0].role, **values},
        errors={} if error is None else errors_of(caller.request, error),
    )


def _position(found: Membership) -> Position:
    return Position(at=found[0].created_at, id=found[1].id)


ROUTES = (get_members, get_role, post_role, get_remove, post_remove)
