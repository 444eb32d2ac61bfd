"""The catalogue of scopes, for operators."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.paging import trail_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import instance_place, say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import KeysteadError
from keystead.domain.powers import Power
from keystead.domain.tenants import CatalogueScope
from keystead.ports.store import Position
from keystead.services.access import require
from keystead.services.drafts import NewScope, ScopeChange
from keystead.services.scopes import change_scope, create_scope, delete_scope, get_scope, list_scopes

SCOPES_PER_PAGE = 100


@get("/instance/scopes")
async def get_scopes(caller: AtDoor) -> Response[str]:
    """The catalogue."""
    actor = caller.actor(None)
    require(actor.principal, Power.PROVIDE_SCOPES)
    trail = trail_of(caller.request)
    found = await list_scopes(caller.context, actor, trail.page(SCOPES_PER_PAGE))
    return page(
        caller.request,
        "instance/scopes.html",
        place=instance_place(caller.request, "scopes"),
        scopes=found.items,
        back=trail.back,
        onward=trail.on(found, _position),
    )


@get("/instance/scopes/new")
async def get_new_scope(caller: AtDoor) -> Response[str]:
    """The form of a new scope."""
    require(caller.actor(None).principal, Power.PROVIDE_SCOPES)
    values = {"name": "", "description": "", "customer_grantable": "", "once": caller.new_once()}
    return _form_page(caller, "instance/scope_new.html", values)


@post("/instance/scopes/new")
async def post_new_scope(caller: AtDoor, form: Sent) -> Response[str]:
    """Add a scope to the catalogue."""
    draft = NewScope(
        name=form.text("name"),
        description=form.text("description"),
        customer_grantable=form.flag("customer_grantable"),
    )
    try:
        made = await create_scope(caller.context, caller.actor(None, once=form.once), draft)
    except KeysteadError as error:
        values = {**_typed(form), "once": caller.once_again(form, error)}
        return _form_page(caller, "instance/scope_new.html", values, error)
    return _on(caller, "toast.scope-created", made.value)


@get("/instance/scopes/{name:str}/edit")
async def get_edit_scope(caller: AtDoor, name: FromPath[str]) -> Response[str]:
    """The form of a scope that is there."""
    scope = await get_scope(caller.context, caller.actor(None), name)
    values = {
        "name": scope.name,
        "description": scope.description,
        "customer_grantable": "on" if scope.customer_grantable else "",
        "once": "",
    }
    return _form_page(caller, "instance/scope_edit.html", values)


@post("/instance/scopes/{name:str}/edit")
async def post_edit_scope(caller: AtDoor, form: Sent, name: FromPath[str]) -> Response[str]:
    """Change what a scope is said to be for, and whether customers may grant it."""
    draft = ScopeChange(
        description=form.text("description"), customer_grantable=form.flag("customer_grantable")
    )
    try:
        changed = await change_scope(caller.context, caller.actor(None), name, draft)
    except KeysteadError as error:
        return _form_page(caller, "instance/scope_edit.html", {**_typed(form), "name": name}, error)
    return _on(caller, "toast.scope-saved", changed.value)


@get("/instance/scopes/{name:str}/delete")
async def get_delete_scope(caller: AtDoor, name: FromPath[str]) -> Response[str]:
    """What taking a scope out of the catalogue does."""
    scope = await get_scope(caller.context, caller.actor(None), name)
    return _form_page(caller, "instance/scope_delete.html", {"name": scope.name})


@post("/instance/scopes/{name:str}/delete")
async def post_delete_scope(caller: AtDoor, name: FromPath[str]) -> Response[str]:
    """Take a scope out of the catalogue."""
    gone = await delete_scope(caller.context, caller.actor(None), name)
    return _on(caller, "toast.scope-deleted", gone.value)


def _form_page(
    caller: Caller, template: str, values: Mapping[str, str], error: KeysteadError | None = None
) -> Response[str]:
    name = values["name"] or say(caller.request, "instance.new-scope")
    return page(
        caller.request,
        template,
        status=200 if error is None else status_of(error),
        place=instance_place(caller.request, "scopes", Crumb(name)),
        values=values,
        errors={} if error is None else errors_of(caller.request, error),
    )


def _typed(form: Form) -> Mapping[str, str]:
    return {"name": "", "description": "", "customer_grantable": "", "once": "", **form.values}


def _on(caller: Caller, message_id: str, scope: CatalogueScope) -> Response[str]:
    toast = Toast(message_id=message_id, values={"name": scope.name})
    return redirect(caller.request, "/instance/scopes", toast=toast)


def _position(scope: CatalogueScope) -> Position:
    return Position(at=scope.created_at, id=scope.name)


ROUTES = (
    get_scopes,
    get_new_scope,
    post_new_scope,
    get_edit_scope,
    post_edit_scope,
    get_delete_scope,
    post_delete_scope,
)
