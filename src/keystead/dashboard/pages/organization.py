"""An organization: its page, its settings, deleting it."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.revisions import revision_of
from keystead.dashboard.standing import InOrganization, in_organization, say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import KeysteadError, Stale
from keystead.domain.powers import Power
from keystead.services.access import require
from keystead.services.drafts import OrganizationChange
from keystead.services.organizations import change_organization, delete_organization


@get("/organizations/{organization_id:str}")
async def get_overview(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """An organization's page: what there is to go on to."""
    here = await in_organization(caller, organization_id)
    return page(
        caller.request,
        "organization/overview.html",
        place=here.place(""),
        organization=here.organization,
        role=caller.role_in(here.organization.id),
        may_audit=here.may(Power.READ_AUDIT),
    )


@get("/organizations/{organization_id:str}/settings")
async def get_settings(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """The settings of an organization."""
    here = await in_organization(caller, organization_id)
    return _settings_page(caller, here, {"name": here.organization.name})


@post("/organizations/{organization_id:str}/settings")
async def post_settings(caller: AtDoor, form: Sent, organization_id: FromPath[str]) -> Response[str]:
    """Rename an organization, unless somebody else changed it since the page was shown."""
    here = await in_organization(caller, organization_id)
    draft = OrganizationChange(name=form.text("name"))
    try:
        await change_organization(
            caller.context, here.actor, here.organization.id, draft, revision=revision_of(form)
        )
    except Stale as error:
        return _settings_page(caller, here, {"name": here.organization.name}, error)
    except KeysteadError as error:
        return _settings_page(caller, here, {"name": form.text("name")}, error)
    toast = Toast(message_id="toast.organization-saved")
    return redirect(caller.request, here.path("/settings"), toast=toast)


@get("/organizations/{organization_id:str}/delete")
async def get_delete(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """What deleting an organization ends; its name must be typed."""
    here = await in_organization(caller, organization_id)
    require(here.actor.principal, Power.DELETE_ORGANIZATIONS)
    return _delete_page(caller, here, {})


@post("/organizations/{organization_id:str}/delete")
async def post_delete(caller: AtDoor, form: Sent, organization_id: FromPath[str]) -> Response[str]:
    """Delete an organization with its apps, and revoke every key below it."""
    here = await in_organization(caller, organization_id)
    if form.text("typed") != here.organization.name:
        wrong = say(caller.request, "organization.delete-wrong", name=here.organization.name)
        return _delete_page(caller, here, {"typed": wrong})
    await delete_organization(caller.context, here.actor, here.organization.id)
    toast = Toast(message_id="toast.organization-deleted", values={"name": here.organization.name})
    return redirect(caller.request, "/apps", toast=toast)


def _settings_page(
    caller: Caller, here: InOrganization, values: Mapping[str, str], error: KeysteadError | None = None
) -> Response[str]:
    request, stale = caller.request, isinstance(error, Stale)
    return page(
        request,
        "organization/settings.html",
        status=200 if error is None else status_of(error),
        place=here.place("organization-settings", Crumb(say(request, "organization.settings"))),
        organization=here.organization,
        values=values,
        errors={} if error is None or stale else errors_of(request, error),
        stale=stale,
        bounds=caller.context.bounds,
        may_change=here.may(Power.CHANGE_ORGANIZATIONS),
        may_delete=here.may(Power.DELETE_ORGANIZATIONS),
        may_provide=here.may(Power.PROVIDE_ORGANIZATIONS),
    )


def _delete_page(caller: Caller, here: InOrganization, errors: Mapping[str, str]) -> Response[str]:
    settings = Crumb(say(caller.request, "organization.settings"), here.path("/settings"))
    return page(
        caller.request,
        "organization/delete.html",
        status=422 if errors else 200,
        place=here.place("organization-settings", settings),
        organization=here.organization,
        errors=errors,
    )


ROUTES = (get_overview, get_settings, post_settings, get_delete, post_delete)
