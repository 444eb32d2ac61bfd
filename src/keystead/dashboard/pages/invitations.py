"""Links that are shown once, to whoever made them: invitations, and for operators password resets."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.pages.members import MOST_INVITATIONS, role_of, roles_for
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import InOrganization, in_organization, say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import KeysteadError, NotFound
from keystead.domain.ids import LinkId, UserId
from keystead.domain.powers import Power
from keystead.domain.tenants import Role, User
from keystead.ports.store import Page
from keystead.services.access import require
from keystead.services.drafts import NewInvitation
from keystead.services.links import (
    MadeLink,
    link_url,
    list_invitations,
    make_invitation,
    make_password_reset,
    withdraw_invitation,
)
from keystead.services.users import get_user


@get("/organizations/{organization_id:str}/invitations/new")
async def get_new_invitation(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """The form of an invitation."""
    here = await in_organization(caller, organization_id)
    require(here.actor.principal, Power.CHANGE_MEMBERS)
    values = {"email": "", "role": Role.DEVELOPER.value, "once": caller.new_once()}
    return _ask(
        caller, here, "organization/invite.html", values=values, roles=roles_for(here.actor.principal)
    )


@post("/organizations/{organization_id:str}/invitations/new")
async def post_new_invitation(caller: AtDoor, form: Sent, organization_id: FromPath[str]) -> Response[str]:
    """Make an invitation; this answer is the only one that shows its link."""
    here = await in_organization(caller, organization_id, once=form.once)
    try:
        role = role_of(form.text("role"))
        if role is Role.OWNER:
            await prove(caller, form)
        draft = NewInvitation(email=form.text("email"), role=role)
        made = await make_invitation(caller.context, here.actor, here.organization.id, draft)
    except KeysteadError as error:
        values = {"email": "", "role": "", **form.values, "once": caller.once_again(form, error)}
        roles = roles_for(here.actor.principal)
        return _ask(caller, here, "organization/invite.html", error, values=values, roles=roles)
    return _shown(caller, here, made.value, made.value.link.email or "")


@get("/organizations/{organization_id:str}/invitations/{link_id:str}/withdraw")
async def get_withdraw(
    caller: AtDoor, organization_id: FromPath[str], link_id: FromPath[str]
) -> Response[str]:
    """What withdrawing an invitation does."""
    here = await in_organization(caller, organization_id)
    wanted = Page(limit=MOST_INVITATIONS)
    found = await list_invitations(caller.context, here.actor, here.organization.id, wanted)
    link = next((it for it in found.items if it.id == link_id), None)
    if link is None:
        raise NotFound("invitation", link_id)
    return _ask(caller, here, "organization/withdraw.html", link=link)


@post("/organizations/{organization_id:str}/invitations/{link_id:str}/withdraw")
async def post_withdraw(
    caller: AtDoor, organization_id: FromPath[str], link_id: FromPath[str]
) -> Response[str]:
    """End an invitation that was not accepted."""
    here = await in_organization(caller, organization_id)
    await withdraw_invitation(caller.context, here.actor, here.organization.id, LinkId(link_id))
    return redirect(caller.request, here.path("/members"), toast=Toast(message_id="toast.withdrawn"))


@get("/organizations/{organization_id:str}/members/{user_id:str}/reset-link")
async def get_reset(caller: AtDoor, organization_id: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    """What a reset link does, for operators."""
    here = await in_organization(caller, organization_id)
    require(here.actor.principal, Power.PROVIDE_USERS)
    user = await get_user(caller.context, here.actor, UserId(user_id))
    return _ask(caller, here, "organization/reset.html", user=user, once=caller.new_once())


@post("/organizations/{organization_id:str}/members/{user_id:str}/reset-link")
async def post_reset(
    caller: AtDoor, form: Sent, organization_id: FromPath[str], user_id: FromPath[str]
) -> Response[str]:
    """Make a link by which a member sets another password; this answer is the only one that shows it."""
    here = await in_organization(caller, organization_id, once=form.once)
    user: User = await get_user(caller.context, here.actor, UserId(user_id))
    try:
        await prove(caller, form)
        made = await make_password_reset(caller.context, here.actor, user.id)
    except KeysteadError as error:
        return _ask(
            caller, here, "organization/reset.html", error, user=user, once=caller.once_again(form, error)
        )
    return _shown(caller, here, made.value, user.email)


def _shown(caller: Caller, here: InOrganization, made: MadeLink, email: str) -> Response[str]:
    address = None if made.secret is None else link_url(caller.context, made.secret)
    return _ask(
        caller,
        here,
        "organization/link.html",
        link=made.link,
        address=address,
        mailed=made.mailed,
        email=email,
    )


def _ask(
    caller: Caller, here: InOrganization, template: str, error: KeysteadError | None = None, **values: object
) -> Response[str]:
    errors: Mapping[str, str] = {} if error is None else errors_of(caller.request, error)
    return page(
        caller.request,
        template,
        status=200 if error is None else status_of(error),
        headers=None,  # said, lest the checker looks for them among the values
        place=here.place(
            "members", Crumb(say(caller.request, "organization.members"), here.path("/members"))
        ),
        organization=here.organization,
        errors=errors,
        **values,
    )


ROUTES = (
    get_new_invitation,
    post_new_invitation,
    get_withdraw,
    post_withdraw,
    get_reset,
    post_reset,
)
