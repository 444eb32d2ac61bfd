"""The catalogue of scopes."""

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from keystead.api.desk import QUERY, AtDesk
from keystead.api.paging import PAGE_QUERY, Cursor, Limit, page_at, view_list
from keystead.api.routes.answers import ONCE, created, errors
from keystead.api.views import view_scope
from keystead.api.wire import ListView, ScopeView
from keystead.domain.errors import NotFound
from keystead.domain.scopes import is_scope
from keystead.ports.store import Position
from keystead.services import scopes
from keystead.services.drafts import NewScope, ScopeChange


@post("/scopes", responses=errors(409, 413), dependencies=ONCE)
async def post_scope(data: JSONBody[NewScope], desk: AtDesk) -> Response[ScopeView]:
    """Add a scope to the catalogue."""
    changed = await scopes.create_scope(desk.context, desk.actor, data)
    return created(view_scope(changed.value))


@get("/scopes", responses=errors(), opt={QUERY: PAGE_QUERY})
async def get_scopes(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> ListView[ScopeView]:
    """List the catalogue; customers see what they may grant."""
    seals = desk.context.seals
    listing = await scopes.list_scopes(desk.context, desk.actor, page_at(seals, limit, cursor))
    return view_list(seals, listing, view_scope, lambda it: Position(at=it.created_at, id=it.name))


@patch("/scopes/{name:str}", responses=errors(404, 413))
async def patch_scope(name: FromPath[str], data: JSONBody[ScopeChange], desk: AtDesk) -> ScopeView:
    """Change a scope's description, or whether customers may grant it."""
    changed = await scopes.change_scope(desk.context, desk.actor, _name(name), data)
    return view_scope(changed.value)


@delete("/scopes/{name:str}", status_code=200, responses=errors(404))
async def delete_scope(name: FromPath[str], desk: AtDesk) -> ScopeView:
    """Take a scope out of the catalogue; keys that carry it keep it."""
    changed = await scopes.delete_scope(desk.context, desk.actor, _name(name))
    return view_scope(changed.value)


def _name(text: str) -> str:
    if not is_scope(text):
        raise NotFound("scope", text)
    return text


SCOPE_ROUTES = Router(
    path="/", tags=["Scopes"], route_handlers=[post_scope, get_scopes, patch_scope, delete_scope]
)
