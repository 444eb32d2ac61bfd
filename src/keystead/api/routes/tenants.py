"""Organizations with their members and audit, apps, and users."""

from typing import Any
from urllib.parse import unquote

from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from keystead.api.desk import QUERY, AtDesk
from keystead.api.paging import PAGE_QUERY, Cursor, Limit, page_at, view_list
from keystead.api.routes.answers import (
    WAIT,
    WAIT_ONCE,
    WAITS,
    IfMatch,
    app_id,
    created,
    created_spec,
    errors,
    ok,
    organization_id,
    user_id,
    wanted_revision,
)
from keystead.api.routes.keys import require_said, wanted_labels
from keystead.api.views import view_app, view_entry, view_me, view_member, view_organization, view_user
from keystead.api.wire import AppView, EntryView, ListView, MemberView, MeView, OrganizationView, UserView
from keystead.domain.audit import SubjectKind
from keystead.domain.text import make_email, make_external_id, make_filter
from keystead.ports.store import AuditFilter, Position, TenantFilter
from keystead.services import apps, members, organizations, users
from keystead.services.auditing import list_audit
from keystead.services.drafts import (
    AppChange,
    ExternalOrganization,
    ExternalUser,
    MemberChange,
    NewApp,
    NewMember,
    NewOrganization,
    NewUser,
    OrganizationChange,
    UserChange,
)

TENANT_QUERY = (*PAGE_QUERY, "name", "external_id", "labels.*")
AUDIT_QUERY = (*PAGE_QUERY, "kind", "by")
USER_QUERY = (*PAGE_QUERY, "name", "external_id", "email")


def provide_tenant_filter(
    request: Request[Any, Any, Any],
    name: FromQuery[str | None] = None,
    external_id: FromQuery[str | None] = None,
) -> TenantFilter:
    """Dependency: which organizations or apps are wanted; also `labels.NAME=value`."""
    return TenantFilter(
        name=None if name is None else make_filter(name, field="name"),
        external_id=None if external_id is None else make_external_id(external_id),
        labels=wanted_labels(request),
    )


def provide_user_filter(
    name: FromQuery[str | None] = None,
    external_id: FromQuery[str | None] = None,
    email: FromQuery[str | None] = None,
) -> TenantFilter:
    """Dependency: which users are wanted."""
    return TenantFilter(
        name=None if name is None else make_filter(name, field="name"),
        external_id=None if external_id is None else make_external_id(external_id),
        email=None if email is None else make_email(email),
    )


def sent_external_id(request: Request[Any, Any, Any]) -> str:
    """The external id in a PUT's path, as sent: the framework folds `//` and drops a `/` at its end."""
    raw = request.scope["raw_path"].decode("latin-1")
    return unquote(raw.partition("/external/")[2], errors="replace")


ATenantFilter = NamedDependency[SkipValidation[TenantFilter]]


@post("/organizations", responses=errors(409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_organization(data: JSONBody[NewOrganization], desk: AtDesk) -> Response[OrganizationView]:
    """Create an organization, with a first app and its public key, "Default API Key"."""
    changed = await organizations.create_organization(desk.context, desk.actor, data)
    return created(view_organization(changed.value, changed), changed.value.revision)


@get("/organizations", responses=errors(), opt={QUERY: TENANT_QUERY})
async def get_organizations(
    tenants: ATenantFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[OrganizationView]:
    """List organizations: all for a root key, its own for a personal key."""
    seals = desk.context.seals
    listing = await organizations.list_organizations(
        desk.context, desk.actor, tenants, page_at(seals, limit, cursor)
    )
    return view_list(seals, listing, view_organization, lambda it: Position(at=it.created_at, id=it.id))


@get("/organizations/{organization:str}", responses=errors(404))
async def get_organization(organization: FromPath[str], desk: AtDesk) -> Response[OrganizationView]:
    """Read an organization."""
    found = await organizations.get_organization(desk.context, desk.actor, organization_id(organization))
    return ok(view_organization(found), found.revision)


@patch(
    "/organizations/{organization:str}", responses=errors(404, 409, 412, 413), dependencies=WAIT, opt=WAITS
)
async def patch_organization(
    organization: FromPath[str],
    data: JSONBody[OrganizationChange],
    desk: AtDesk,
    if_match: IfMatch = None,
) -> Response[OrganizationView]:
    """Change an organization; what is left out stays. `disabled: true` suspends it."""
    changed = await organizations.change_organization(
        desk.context,
        desk.actor,
        organization_id(organization),
        data,
        revision=wanted_revision(if_match),
    )
    return ok(view_organization(changed.value, changed), changed.value.revision)


@put(
    "/organizations/external/{external_id:path}",
    responses={**errors(409, 413), **created_spec(OrganizationView)},
    dependencies=WAIT,
    opt=WAITS,
)
async def put_organization(
    external_id: FromPath[str],  # noqa: ARG001 - see `sent_external_id`
    request: Request[Any, Any, Any],
    data: JSONBody[ExternalOrganization],
    desk: AtDesk,
) -> Response[OrganizationView]:
    """Create or update the organization that you know by `external_id`; the same again changes nothing."""
    known = sent_external_id(request)
    changed = await organizations.put_organization(desk.context, desk.actor, known, data)
    view = view_organization(changed.value, changed)
    return (created if changed.created else ok)(view, changed.value.revision)


@delete(
    "/organizations/{organization:str}", status_code=200, responses=errors(404), dependencies=WAIT, opt=WAITS
)
async def delete_organization(organization: FromPath[str], desk: AtDesk) -> OrganizationView:
    """Delete an organization and its apps, and revoke all keys below it."""
    changed = await organizations.delete_organization(desk.context, desk.actor, organization_id(organization))
    return view_organization(changed.value, changed)


@get("/organizations/{organization:str}/members", responses=errors(404), opt={QUERY: PAGE_QUERY})
async def get_members(
    organization: FromPath[str], desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[MemberView]:
    """List an organization's members."""
    seals = desk.context.seals
    listing = await members.list_members(
        desk.context, desk.actor, organization_id(organization), page_at(seals, limit, cursor)
    )
    return view_list(seals, listing, view_member, lambda it: Position(at=it[0].created_at, id=it[0].user_id))


@post(
    "/organizations/{organization:str}/members",
    responses=errors(404, 409, 413),
    dependencies=WAIT_ONCE,
    opt=WAITS,
)
async def post_member(
    organization: FromPath[str], data: JSONBody[NewMember], desk: AtDesk
) -> Response[MemberView]:
    """Add a member by e-mail, or by user id."""
    changed = await members.add_member(desk.context, desk.actor, organization_id(organization), data)
    return created(view_member(changed.value, changed))


@patch(
    "/organizations/{organization:str}/members/{user:str}",
    responses=errors(404, 409, 413),
    dependencies=WAIT,
    opt=WAITS,
)
async def patch_member(
    organization: FromPath[str], user: FromPath[str], data: JSONBody[MemberChange], desk: AtDesk
) -> MemberView:
    """Give a member another role."""
    changed = await members.change_member(
        desk.context, desk.actor, organization_id(organization), user_id(user), data
    )
    return view_member(changed.value, changed)


@delete(
    "/organizations/{organization:str}/members/{user:str}",
    status_code=200,
    responses=errors(404, 409),
    dependencies=WAIT,
    opt=WAITS,
)
async def delete_member(organization: FromPath[str], user: FromPath[str], desk: AtDesk) -> MemberView:
    """Remove a member, and revoke the personal keys it has in the organization."""
    changed = await members.remove_member(
        desk.context, desk.actor, organization_id(organization), user_id(user)
    )
    return view_member(changed.value, changed)


@get("/organizations/{organization:str}/audit", responses=errors(404), opt={QUERY: AUDIT_QUERY})
async def get_audit(  # noqa: PLR0913, PLR0917 - the framework takes a query by its names
    organization: FromPath[str],
    request: Request[Any, Any, Any],
    desk: AtDesk,
    kind: FromQuery[SubjectKind | None] = None,
    by: FromQuery[str | None] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListView[EntryView]:
    """Read an organization's audit log: `kind` of what was changed, `by` the id of whoever did it."""
    require_said(request, kind=kind)
    seals = desk.context.seals
    wanted = AuditFilter(kind=kind, by=None if by is None else make_filter(by, field="by"))
    listing = await list_audit(
        desk.context, desk.actor, organization_id(organization), wanted, page_at(seals, limit, cursor)
    )
    return view_list(seals, listing, view_entry, lambda it: Position(at=it.at, id=it.id))


@post(
    "/organizations/{organization:str}/apps",
    responses=errors(404, 409, 413),
    dependencies=WAIT_ONCE,
    opt=WAITS,
)
async def post_app(organization: FromPath[str], data: JSONBody[NewApp], desk: AtDesk) -> Response[AppView]:
    """Create an app."""
    changed = await apps.create_app(desk.context, desk.actor, organization_id(organization), data)
    return created(view_app(changed.value, changed), changed.value.revision)


@get("/organizations/{organization:str}/apps", responses=errors(404), opt={QUERY: TENANT_QUERY})
async def get_apps(
    organization: FromPath[str],
    tenants: ATenantFilter,
    desk: AtDesk,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListView[AppView]:
    """List an organization's apps."""
    seals = desk.context.seals
    listing = await apps.list_apps(
        desk.context, desk.actor, organization_id(organization), tenants, page_at(seals, limit, cursor)
    )
    return view_list(seals, listing, view_app, lambda it: Position(at=it.created_at, id=it.id))


@get("/apps/{app:str}", responses=errors(404))
async def get_app(app: FromPath[str], desk: AtDesk) -> Response[AppView]:
    """Read an app."""
    found = await apps.get_app(desk.context, desk.actor, app_id(app))
    return ok(view_app(found), found.revision)


@patch("/apps/{app:str}", responses=errors(404, 409, 412, 413), dependencies=WAIT, opt=WAITS)
async def patch_app(
    app: FromPath[str], data: JSONBody[AppChange], desk: AtDesk, if_match: IfMatch = None
) -> Response[AppView]:
    """Change an app; what is left out stays. `disabled: true` suspends it."""
    changed = await apps.change_app(
        desk.context, desk.actor, app_id(app), data, revision=wanted_revision(if_match)
    )
    return ok(view_app(changed.value, changed), changed.value.revision)


@delete("/apps/{app:str}", status_code=200, responses=errors(404), dependencies=WAIT, opt=WAITS)
async def delete_app(app: FromPath[str], desk: AtDesk) -> AppView:
    """Delete an app and revoke its keys."""
    changed = await apps.delete_app(desk.context, desk.actor, app_id(app))
    return view_app(changed.value, changed)


@post("/users", responses=errors(409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_user(data: JSONBody[NewUser], desk: AtDesk) -> Response[UserView]:
    """Create a user."""
    changed = await users.create_user(desk.context, desk.actor, data)
    return created(view_user(changed.value, changed), changed.value.revision)


@get("/users", responses=errors(), opt={QUERY: USER_QUERY})
async def get_users(
    people: ATenantFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[UserView]:
    """List users; for root keys."""
    seals = desk.context.seals
    listing = await users.list_users(desk.context, desk.actor, people, page_at(seals, limit, cursor))
    return view_list(seals, listing, view_user, lambda it: Position(at=it.created_at, id=it.id))


@get("/users/me", responses=errors())
async def get_me(desk: AtDesk) -> MeView:
    """Read the user that a personal key acts as."""
    me = await users.get_me(desk.context, desk.actor)
    return view_me(me.user, me.members)


@get("/users/{user:str}", responses=errors(404))
async def get_user(user: FromPath[str], desk: AtDesk) -> Response[UserView]:
    """Read a user."""
    found = await users.get_user(desk.context, desk.actor, user_id(user))
    return ok(view_user(found), found.revision)


@patch("/users/{user:str}", responses=errors(404, 409, 412, 413), dependencies=WAIT, opt=WAITS)
async def patch_user(
    user: FromPath[str], data: JSONBody[UserChange], desk: AtDesk, if_match: IfMatch = None
) -> Response[UserView]:
    """Change a user; what is left out stays. `disabled: true` suspends them."""
    changed = await users.change_user(
        desk.context, desk.actor, user_id(user), data, revision=wanted_revision(if_match)
    )
    return ok(view_user(changed.value, changed), changed.value.revision)


@put(
    "/users/external/{external_id:path}",
    responses={**errors(409, 413), **created_spec(UserView)},
    dependencies=WAIT,
    opt=WAITS,
)
async def put_user(
    external_id: FromPath[str],  # noqa: ARG001 - see `sent_external_id`
    request: Request[Any, Any, Any],
    data: JSONBody[ExternalUser],
    desk: AtDesk,
) -> Response[UserView]:
    """Create or update the user that you know by `external_id`; the same again changes nothing."""
    known = sent_external_id(request)
    changed = await users.put_user(desk.context, desk.actor, known, data)
    view = view_user(changed.value, changed)
    return (created if changed.created else ok)(view, changed.value.revision)


ORGANIZATION_ROUTES = Router(
    path="/",
    tags=["Organizations and members"],
    route_handlers=[
        post_organization,
        get_organizations,
        get_organization,
        patch_organization,
        put_organization,
        delete_organization,
        get_members,
        post_member,
        patch_member,
        delete_member,
        get_audit,
    ],
)
APP_ROUTES = Router(
    path="/", tags=["Apps"], route_handlers=[post_app, get_apps, get_app, patch_app, delete_app]
)
USER_ROUTES = Router(
    path="/",
    tags=["Users"],
    route_handlers=[post_user, get_users, get_me, get_user, patch_user, put_user],
)
