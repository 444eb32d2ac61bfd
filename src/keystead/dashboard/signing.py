"""Cookies as somebody comes in and goes."""

from datetime import timedelta

from litestar import Response

from keystead.dashboard.cookies import DEVICE, LONGEST, ORGANIZATION, PROVIDER, SESSION
from keystead.dashboard.provider import back_cookie
from keystead.dashboard.render import AnyRequest, Renderer, find_cookie, redirect
from keystead.dashboard.toasts import Toast
from keystead.domain.ids import OrganizationId
from keystead.services.people import SignedIn

_NEVER = timedelta(0)


def let_in(
    request: AnyRequest, signed_in: SignedIn, path: str = "/", *, toast: Toast | None = None
) -> Response[str]:
    """Send somebody who was let in on to a page of ours; the way back to a provider who did it is kept."""
    renderer: Renderer = request.app.state.renderer
    house, session = renderer.house, signed_in.session
    response = redirect(request, path, toast=toast)
    lasts = session.expires_at - session.created_at
    response.set_cookie(house.cookie(SESSION, signed_in.secret.reveal(), lasts=lasts))
    if signed_in.return_url is not None:
        response.set_cookie(house.cookie(PROVIDER, back_cookie(signed_in.return_url), lasts=lasts))
    elif find_cookie(request, PROVIDER):  # of a session that the browser had before
        response.set_cookie(house.cookie(PROVIDER, "", lasts=_NEVER))
    return know_again(request, response, signed_in.device)


def know_again(request: AnyRequest, response: Response[str], device: str) -> Response[str]:
    """Have the browser tell, when somebody signs in with it, that it was theirs before."""
    renderer: Renderer = request.app.state.renderer
    response.set_cookie(renderer.house.cookie(DEVICE, device, lasts=LONGEST))
    return response


def let_out(request: AnyRequest, response: Response[str]) -> Response[str]:
    """Have the browser forget whose it was; that it was theirs before it keeps, for the next time."""
    renderer: Renderer = request.app.state.renderer
    for name in (SESSION, ORGANIZATION, PROVIDER):
        response.set_cookie(renderer.house.cookie(name, "", lasts=_NEVER))
    return response


def enter(request: AnyRequest, response: Response[str], organization_id: OrganizationId) -> Response[str]:
    """Have the next pages be those of an organization."""
    renderer: Renderer = request.app.state.renderer
    response.set_cookie(renderer.house.cookie(ORGANIZATION, organization_id, lasts=LONGEST))
    return response
