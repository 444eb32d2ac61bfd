"""What the presenting key may know and do about itself."""

from litestar import Response, Router, get, post
from litestar.params import JSONBody

from keystead.api.desk import UNCONSTRAINED, AtDesk
from keystead.api.routes.answers import WAIT_ONCE, WAITS, errors, ok
from keystead.api.routes.keys import view_changed
from keystead.api.views import view_key
from keystead.api.wire import KeyView
from keystead.services.drafts import Rotation
from keystead.services.own import read_self
from keystead.services.revoke import revoke_self
from keystead.services.rotate import rotate_self


@get("/self", responses=errors(404), opt={UNCONSTRAINED: True})
async def get_self(desk: AtDesk) -> Response[KeyView]:
    """Read the key that asks; none of its constraints blocks this."""
    found = await read_self(desk.context, desk.actor)
    return ok(view_key(found, desk.context.clock()), found.revision)


@post("/self/rotate", status_code=200, responses=errors(404, 409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_self_rotate(desk: AtDesk, data: JSONBody[Rotation | None] = None) -> Response[KeyView]:
    """Give the key that asks a new token; only its newest token may, with a grace of an hour at least."""
    changed = await rotate_self(desk.context, desk.actor, data or Rotation())
    return ok(view_changed(desk, changed), changed.value.revision)


@post(
    "/self/revoke",
    status_code=200,
    responses=errors(404),
    dependencies=WAIT_ONCE,
    opt={**WAITS, UNCONSTRAINED: True},
)
async def post_self_revoke(desk: AtDesk) -> Response[KeyView]:
    """Revoke the key that asks, as compromised; none of its constraints blocks this."""
    changed = await revoke_self(desk.context, desk.actor)
    return ok(view_changed(desk, changed), changed.value.revision)


SELF_ROUTES = Router(path="/", tags=["Self"], route_handlers=[get_self, post_self_rotate, post_self_revoke])
