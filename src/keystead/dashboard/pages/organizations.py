"""All organizations, for operators: making one, its ceiling, suspending it."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import UNSET

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.lists import by_field, lines_of
from keystead.dashboard.paging import by_made, trail_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.revisions import revision_of
from keystead.dashboard.standing import instance_place, say
from keystead.dashboard.tester import METHODS
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import InvalidInput, KeysteadError, Stale
from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Power
from keystead.domain.tenants import Ceiling, Organization
from keystead.ports.store import TenantFilter
from keystead.services.access import require
from keystead.services.drafts import MAX_LIFETIME_S, CeilingDraft, NewOrganization, OrganizationChange
from keystead.services.organizations import (
    change_organization,
    create_organization,
    get_organization,
    list_organizations,
)

ORGANIZATIONS_PER_PAGE = 50
LONGEST_SEARCH = 200

_DAY_S = 86_400


@get("/instance/organizations")
async def get_organizations(caller: AtDoor) -> Response[str]:
    """Every organization, the newest first."""
    actor, trail = caller.actor(None), trail_of(caller.request)
    require(actor.principal, Power.PROVIDE_ORGANIZATIONS)
    sought = caller.request.query_params.get("q", "").strip()[:LONGEST_SEARCH]
    wanted = TenantFilter(name=sought or None)
    found = await list_organizations(caller.context, actor, wanted, trail.page(ORGANIZATIONS_PER_PAGE))
    return page(
        caller.request,
        "instance/organizations.html",
        place=instance_place(caller.request, "organizations"),
        organizations=found.items,
        q=sought,
        back=trail.back,
        onward=trail.on(found, by_made),
    )


@get("/instance/organizations/new")
async def get_new_organization(caller: AtDoor) -> Response[str]:
    """The form of a new organization."""
    require(caller.actor(None).principal, Power.PROVIDE_ORGANIZATIONS)
    return _new_page(caller, {"name": "", "external_id": "", "once": caller.new_once()})


@post("/instance/organizations/new")
async def post_new_organization(caller: AtDoor, form: Sent) -> Response[str]:
    """Make an organization, with its first app and key."""
    external_id = form.text("external_id")
    draft = NewOrganization(name=form.text("name"), external_id=external_id or UNSET)
    try:
        made = await create_organization(caller.context, caller.actor(None, once=form.once), draft)
    except KeysteadError as error:
        values = {"name": "", "external_id": "", **form.values, "once": caller.once_again(form, error)}
        return _new_page(caller, values, error)
    toast = Toast(message_id="toast.organization-created", values={"name": made.value.name})
    return redirect(caller.request, f"/instance/organizations/{made.value.id}", toast=toast)


@get("/instance/organizations/{organization_id:str}")
async def get_one(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """An organization as the provider sees it: its external id and its ceiling."""
    organization = await _find(caller, organization_id)
    return _one_page(caller, organization, _values(organization))


@post("/instance/organizations/{organization_id:str}")
async def post_one(caller: AtDoor, form: Sent, organization_id: FromPath[str]) -> Response[str]:
    """Change what only the provider may, unless somebody else did since the page was shown."""
    organization = await _find(caller, organization_id)
    try:
        draft = OrganizationChange(
            external_id=form.text("external_id") or None,
            ceiling=CeilingDraft(
                scopes=lines_of(form.text("scopes")) if form.flag("limited") else None,
                max_lifetime_s=_lifetime_s(form.text("days")),
                public_methods=list(form.all("methods")),
            ),
        )
        await change_organization(
            caller.context, caller.actor(None), organization.id, draft, revision=revision_of(form)
        )
    except Stale as error:
        return _one_page(caller, organization, _values(organization), error)
    except KeysteadError as error:
        return _one_page(caller, organization, _typed(form), error)
    toast = Toast(message_id="toast.ceiling-saved", values={"name": organization.name})
    return redirect(caller.request, f"/instance/organizations/{organization.id}", toast=toast)


@get("/instance/organizations/{organization_id:str}/suspend")
async def get_suspend(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """What suspending an organization stops."""
    organization = await _find(caller, organization_id)
    crumb = Crumb(organization.name, f"/instance/organizations/{organization.id}")
    return page(
        caller.request,
        "instance/organization_suspend.html",
        place=instance_place(caller.request, "organizations", crumb),
        organization=organization,
    )


@post("/instance/organizations/{organization_id:str}/suspend")
async def post_suspend(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """Suspend an organization: every key below it is refused until it is resumed."""
    return await _set_suspended(caller, organization_id, suspended=True)


@post("/instance/organizations/{organization_id:str}/resume")
async def post_resume(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """Let an organization go on."""
    return await _set_suspended(caller, organization_id, suspended=False)


async def _find(caller: Caller, organization_id: str) -> Organization:
    actor = caller.actor(None)
    require(actor.principal, Power.PROVIDE_ORGANIZATIONS)
    return await get_organization(caller.context, actor, OrganizationId(organization_id))


async def _set_suspended(caller: Caller, organization_id: str, *, suspended: bool) -> Response[str]:
    organization = await _find(caller, organization_id)
    draft = OrganizationChange(disabled=suspended)
    await change_organization(caller.context, caller.actor(None), organization.id, draft)
    which = "suspended" if suspended else "resumed"
    toast = Toast(message_id=f"toast.organization-{which}", values={"name": organization.name})
    return redirect(caller.request, f"/instance/organizations/{organization.id}", toast=toast)


def _new_page(caller: Caller, values: Mapping[str, str], error: KeysteadError | None = None) -> Response[str]:
    crumb = Crumb(say(caller.request, "instance.new-organization"))
    return page(
        caller.request,
        "instance/organization_new.html",
        status=200 if error is None else status_of(error),
        place=instance_place(caller.request, "organizations", crumb),
        values=values,
        errors={} if error is None else errors_of(caller.request, error),
    )


def _one_page(
    caller: Caller,
    organization: Organization,
    values: Mapping[str, object],
    error: KeysteadError | None = None,
) -> Response[str]:
    stale = isinstance(error, Stale)
    errors = {} if error is None or stale else errors_of(caller.request, error)
    named = {name.removeprefix("ceiling."): problem for name, problem in errors.items()}
    return page(
        caller.request,
        "instance/organization.html",
        status=200 if error is None else status_of(error),
        place=instance_place(caller.request, "organizations", Crumb(organization.name)),
        organization=organization,
        values=values,
        methods=[(it, it) for it in METHODS],
        errors=by_field(named, {"scopes": str(values["scopes"])}),
        stale=stale,
    )


def _values(organization: Organization) -> Mapping[str, object]:
    ceiling: Ceiling = organization.ceiling
    lifetime = ceiling.max_lifetime
    return {
        "external_id": organization.external_id or "",
        "limited": ceiling.scopes is not None,
        "scopes": "\n".join(ceiling.scopes or ()),
        "days": "" if lifetime is None else f"{lifetime.total_seconds() / _DAY_S:g}",
        "methods": ceiling.public_methods,
    }


def _typed(form: Form) -> Mapping[str, object]:
    return {
        "external_id": form.text("external_id"),
        "limited": form.flag("limited"),
        "scopes": form.text("scopes"),
        "days": form.text("days"),
        "methods": form.all("methods"),
    }


def _lifetime_s(text: str) -> int | None:
    """Days as seconds; None for nothing typed. Raises InvalidInput."""
    if not text:
        return None
    try:
        seconds = round(float(text) * _DAY_S)
    except (ValueError, OverflowError):
        seconds = 0
    if not 1 <= seconds <= MAX_LIFETIME_S:
        problem = "write a number of days, such as 90, or leave it empty"
        raise InvalidInput("days", problem, rule="days")
    return seconds


ROUTES = (
    get_organizations,
    get_new_organization,
    post_new_organization,
    get_one,
    post_one,
    get_suspend,
    post_suspend,
    post_resume,
)
