"""The HTTP application: our own API under `/api/v1`, its documents, forward-auth and health."""

from collections.abc import Mapping, Sequence
from functools import partial

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from keystead.api.body import StrictRequest
from keystead.api.desk import Door, admit, answer_options, provide_desk
from keystead.api.docs import document_routes
from keystead.api.front import Front
from keystead.api.health import HEALTH_ROUTES
from keystead.api.hot import Hot
from keystead.api.openapi import openapi_document
from keystead.api.problems import on_error
from keystead.api.request_ids import request_ids
from keystead.api.routes.keys import KEY_ROUTES, provide_key_filter
from keystead.api.routes.links import LINK_ROUTES
from keystead.api.routes.nodes import NODE_ROUTES
from keystead.api.routes.own import SELF_ROUTES
from keystead.api.routes.scopes import SCOPE_ROUTES
from keystead.api.routes.tenants import (
    APP_ROUTES,
    ORGANIZATION_ROUTES,
    USER_ROUTES,
    provide_tenant_filter,
    provide_user_filter,
)
from keystead.api.routes.verify import VERIFY_ROUTES
from keystead.api.surface import Surface
from keystead.api.switch import Switch
from keystead.api.verify import MAX_BODY_BYTES

MANAGEMENT = Router(
    path="/api/v1",
    before_request=answer_options,
    guards=[admit],
    dependencies={
        "desk": Provide(provide_desk),
        "wanted": Provide(provide_key_filter, sync_to_thread=False),
        "tenants": Provide(provide_tenant_filter, sync_to_thread=False),
        "people": Provide(provide_user_filter, sync_to_thread=False),
    },
    route_handlers=[
        ORGANIZATION_ROUTES,
        APP_ROUTES,
        USER_ROUTES,
        LINK_ROUTES,
        KEY_ROUTES,
        SCOPE_ROUTES,
        VERIFY_ROUTES,
        SELF_ROUTES,
        NODE_ROUTES,
    ],
)


def make_app(
    door: Door, surfaces: Sequence[Surface] = (Surface.ALL,), *, pages: ASGIApp | None = None
) -> Mapping[Surface, Front]:
    """The ASGI application for one process, as each listener serves it; all of them are one inside.

    `pages` has every path that is not the API's.
    Its maker opens and closes what the door's context holds.
    """
    document = partial(openapi_document, MANAGEMENT)
    if not door.as_operator:
        document()  # made at the start, not while somebody waits for a verdict
    api = Litestar(
        route_handlers=[MANAGEMENT, HEALTH_ROUTES, document_routes(document)],
        state=State({"door": door}),
        openapi_config=None,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        exception_handlers={Exception: on_error, HTTPException: on_error},
    )
    inner: ASGIApp = api if pages is None else Switch(api, pages)
    ids = request_ids(door.context.entropy)
    return {
        surface: Front(inner, hot=Hot(door, ids, surface), ids=ids, metrics=door.metrics, surface=surface)
        for surface in surfaces
    }
