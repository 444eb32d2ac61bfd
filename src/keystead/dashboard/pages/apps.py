"""Apps: the list of those in the organization one is in, and making one."""

from collections.abc import Mapping

from litestar import Response, get, post

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.paging import by_made, trail_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import InOrganization, in_organization, say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb, Place
from keystead.domain.errors import InvalidInput, KeysteadError
from keystead.domain.keys import Environment
from keystead.domain.powers import Power
from keystead.ports.store import TenantFilter
from keystead.services.access import require
from keystead.services.apps import create_app, list_apps
from keystead.services.drafts import NewApp

APPS_PER_PAGE = 50
LONGEST_SEARCH = 200

_NEW_APP = {"name": "", "environment": Environment.LIVE.value}


@get("/apps")
async def get_apps(caller: AtDoor) -> Response[str]:
    """The apps of the organization one is in."""
    if caller.organization_id is None:
        return _nowhere_page(caller)
    request, trail = caller.request, trail_of(caller.request)
    sought = request.query_params.get("q", "").strip()[:LONGEST_SEARCH]
    here = await in_organization(caller, caller.organization_id)
    wanted = TenantFilter(name=sought or None)
    found = await list_apps(
        caller.context, here.actor, here.organization.id, wanted, trail.page(APPS_PER_PAGE)
    )
    return page(
        request,
        "apps/list.html",
        place=here.place("apps", Crumb(say(request, "apps.title"))),
        organization=here.organization,
        apps=found.items,
        q=sought,
        back=trail.back,
        onward=trail.on(found, by_made),
        may_change=here.may(Power.CHANGE_APPS),
    )


@get("/apps/new")
async def get_new_app(caller: AtDoor) -> Response[str]:
    """The form of a new app, in the organization one is in."""
    here = await in_organization(caller, caller.organization_id or "")
    require(here.actor.principal, Power.CHANGE_APPS)
    return _new_page(caller, here, {**_NEW_APP, "once": caller.new_once()})


@post("/apps/new")
async def post_new_app(caller: AtDoor, form: Sent) -> Response[str]:
    """Make an app, and go on to it."""
    here = await in_organization(caller, form.text("organization"), once=form.once)
    try:
        draft = NewApp(name=form.text("name"), environment=_environment(form.text("environment")))
        made = await create_app(caller.context, here.actor, here.organization.id, draft)
    except KeysteadError as error:
        return _new_page(
            caller, here, {**_NEW_APP, **form.values, "once": caller.once_again(form, error)}, error
        )
    toast = Toast(message_id="toast.app-created", values={"name": made.value.name})
    return redirect(caller.request, f"/apps/{made.value.id}", toast=toast)


def _nowhere_page(caller: Caller) -> Response[str]:
    return page(
        caller.request,
        "apps/list.html",
        place=Place(section="apps"),
        organization=None,
        apps=(),
        q="",
        back=None,
        onward=None,
        may_change=False,
    )


def _new_page(
    caller: Caller, here: InOrganization, values: Mapping[str, str], error: KeysteadError | None = None
) -> Response[str]:
    return page(
        caller.request,
        "apps/new.html",
        status=200 if error is None else status_of(error),
        place=here.place(
            "apps",
            Crumb(say(caller.request, "apps.title"), "/apps"),
            Crumb(say(caller.request, "apps.new-title")),
        ),
        organization=here.organization,
        values=values,
        errors={} if error is None else errors_of(caller.request, error),
    )


def _environment(text: str) -> Environment:
    try:
        return Environment(text)
    except ValueError:
        raise InvalidInput("environment", "choose live or test", rule="choice") from None


ROUTES = (get_apps, get_new_app, post_new_app)
