"""Links that let people in: for a provider who has a login already, and for whoever invites."""

from litestar import Response, Router, post
from litestar.params import FromPath, JSONBody

from keystead.api.desk import AtDesk, Desk
from keystead.api.routes.answers import ONCE, created, errors, organization_id, user_id
from keystead.api.views import view_link
from keystead.api.wire import LinkView
from keystead.services import links
from keystead.services.drafts import NewInvitation, NewSignInLink
from keystead.services.links import MadeLink, link_url
from keystead.services.mutation import Changed

REPLAY_NOTICE = (
    "An earlier request with this Idempotency-Key made this link, and its address went with that answer. "
    "If you never got it, make another."
)


@post("/users/{user:str}/sign-in-links", responses=errors(404, 409, 413), dependencies=ONCE)
async def post_sign_in_link(
    user: FromPath[str], desk: AtDesk, data: JSONBody[NewSignInLink | None] = None
) -> Response[LinkView]:
    """Make a link that signs a user in to the dashboard, once, within 60 seconds."""
    draft = data or NewSignInLink()
    return _made(desk, await links.make_sign_in_link(desk.context, desk.actor, user_id(user), draft))


@post("/users/{user:str}/password-reset-links", responses=errors(404, 409), dependencies=ONCE)
async def post_password_reset_link(user: FromPath[str], desk: AtDesk) -> Response[LinkView]:
    """Make a link by which a user sets another password, once, within an hour; earlier ones end."""
    return _made(desk, await links.make_password_reset(desk.context, desk.actor, user_id(user)))


@post("/organizations/{organization:str}/invitations", responses=errors(404, 409, 413), dependencies=ONCE)
async def post_invitation(
    organization: FromPath[str], data: JSONBody[NewInvitation], desk: AtDesk
) -> Response[LinkView]:
    """Invite somebody by e-mail; the link works once, within seven days."""
    made = await links.make_invitation(desk.context, desk.actor, organization_id(organization), data)
    return _made(desk, made)


def _made(desk: Desk, changed: Changed[MadeLink]) -> Response[LinkView]:
    secret = changed.value.secret
    url = None if secret is None else link_url(desk.context, secret)
    return created(view_link(changed.value, url, REPLAY_NOTICE if changed.replayed else None))


LINK_ROUTES = Router(
    path="/",
    tags=["Links"],
    route_handlers=[post_sign_in_link, post_password_reset_link, post_invitation],
)
