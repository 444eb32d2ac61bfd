"""The dashboard as one ASGI application."""

from collections.abc import Sequence
from pathlib import Path

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from keystead.dashboard.door import Entrance, provide_caller, provide_visit
from keystead.dashboard.forms import admit_form, provide_form
from keystead.dashboard.house import House
from keystead.dashboard.packing import Packing
from keystead.dashboard.pages import (
    app_overview,
    app_settings,
    apps,
    audit,
    entrance,
    health,
    invitations,
    key,
    key_edit,
    key_pause,
    key_tokens,
    keys,
    keys_new,
    keys_personal,
    links,
    members,
    organization,
    organizations,
    profile,
    root_keys,
    scopes,
    sign_up,
)
from keystead.dashboard.pages import pieces as pieces_pages
from keystead.dashboard.problems import on_error
from keystead.dashboard.render import Renderer
from keystead.dashboard.statics import Statics, get_static
from keystead.dashboard.texts import LOCALES, load_texts

ROUTES: Sequence[ControllerRouterHandler] = (
    *entrance.ROUTES,
    *links.ROUTES,
    *profile.ROUTES,
    *sign_up.ROUTES,
    *apps.ROUTES,
    *app_overview.ROUTES,
    *app_settings.ROUTES,
    *keys.ROUTES,
    *keys_new.ROUTES,
    *keys_personal.ROUTES,
    *key.ROUTES,
    *key_edit.ROUTES,
    *key_pause.ROUTES,
    *key_tokens.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *organization.ROUTES,
    *audit.ROUTES,
    *organizations.ROUTES,
    *scopes.ROUTES,
    *root_keys.ROUTES,
    *health.ROUTES,
)
"""What every instance serves: the `ROUTES` of each module in `pages/`."""

MAX_FORM_BYTES = 256 * 1024


def make_dashboard(
    house: House,
    *,
    entrance: Entrance,
    pieces: bool = False,
    locales: Path = LOCALES,
) -> Litestar:
    """The pages of one instance.

    `pieces` adds `/_pieces`, which shows every piece in every state: for tests and pictures only.
    Raises FileNotFoundError where `make setup` did not build the files and texts.
    """
    renderer = Renderer(
        house, clock=entrance.context.clock_ms, languages=load_texts(locales), statics=Statics()
    )
    return Litestar(
        route_handlers=[get_static, *ROUTES, *(pieces_pages.ROUTES if pieces else ())],
        state=State({"renderer": renderer, "entrance": entrance}),
        before_request=admit_form,
        middleware=[Packing],
        dependencies={
            "caller": Provide(provide_caller),
            "form": Provide(provide_form, sync_to_thread=False),
            "visit": Provide(provide_visit),
        },
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_FORM_BYTES,
        exception_handlers={Exception: on_error, HTTPException: on_error},
    )
