"""Every piece in every state, for tests and pictures; nothing here asks a service."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery

from keystead.dashboard.problems import problem_page
from keystead.dashboard.render import page, put_viewer, redirect
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb, Place, Spot, Viewer

_ACME = Spot("org_0000000000000000000000", "Acme")
_STOREFRONT = Spot("app_0000000000000000000000", "Storefront", "live")
_ADA = Viewer(
    name="Ada Lovelace",
    email="ada@acme.example",
    operator=True,
    organization=_ACME,
    organizations=(_ACME, Spot("org_1111111111111111111111", "Nordwind Logistics")),
    time_zone="Europe/Madrid",
)
_PLACE = Place(
    section="app-keys",
    app=_STOREFRONT,
    crumbs=(
        Crumb("Acme", "/apps"),
        Crumb("Storefront", "/apps/app_0000000000000000000000"),
        Crumb("Pieces"),
    ),
)


@get("/_pieces", sync_to_thread=False)
def get_pieces(request: Request[Any, Any, Any], theme: FromQuery[str | None] = None) -> Response[str]:
    """The pieces, inside the frame."""
    _sign_in(request, theme)
    now = request.app.state.renderer.reading(request).now
    return page(
        request,
        "pieces.html",
        place=_PLACE,
        moments={
            "now": now,
            "minutes": now - timedelta(minutes=2),
            "hours": now - timedelta(hours=9),
            "days": now - timedelta(days=83),
            "soon": now + timedelta(days=5),
            "later": now + timedelta(days=92),
        },
    )


@get("/_pieces/plain", sync_to_thread=False)
def get_plain(request: Request[Any, Any, Any]) -> Response[str]:
    """A page outside the frame."""
    return page(request, "pieces_plain.html")


@get("/_pieces/dialog", sync_to_thread=False)
def get_dialog(request: Request[Any, Any, Any]) -> Response[str]:
    """A form that scripts show in a dialog, and that is a page of its own without them."""
    _sign_in(request, None)
    return page(request, "pieces_dialog.html", place=_PLACE, error=None)


@post("/_pieces/dialog")
async def post_dialog(request: Request[Any, Any, Any]) -> Response[str]:
    """What the form's button does: on with a toast, or the form again with its fault."""
    _sign_in(request, None)
    form = await request.form()
    if form.get("typed") != "DELETE":
        return page(
            request,
            "pieces_dialog.html",
            status=422,
            place=_PLACE,
            error="Type DELETE to go on, in capitals.",
        )
    return redirect(
        request, "/_pieces", toast=Toast(message_id="toast.key-deleted", values={"name": "Nightly export"})
    )


@get("/_pieces/problem/{status:int}", sync_to_thread=False)
def get_problem(request: Request[Any, Any, Any], status: FromPath[int]) -> Response[str]:
    """The page of an error."""
    return problem_page(request, status)


def _sign_in(request: Request[Any, Any, Any], theme: str | None) -> None:
    put_viewer(request, replace(_ADA, theme=theme))


ROUTES = (get_pieces, get_plain, get_dialog, post_dialog, get_problem)
