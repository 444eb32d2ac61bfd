"""The HTTP application: our own API under `/api/v1`, its documents, forward-auth and health."""

from functools import partial

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ASGIApp

from keystead.api.body import StrictRequest
from keystead.api.desk import Door, admit, answer_options, provide_desk
from keystead.api.docs import document_routes
from keystead.api.forward_auth import ForwardAuth
from keystead.api.front import Front
from keystead.api.health import HEALTH_ROUTES
from keystead.api.openapi import openapi_document
from keystead.api.problems import (
    TooManyCalls,
    on_any_error,
    on_http_error,
    on_keystead_error,
    on_refused_call,
    on_too_many_calls,
    on_unreadable_body,
    on_validation_error,
)
from keystead.api.routes.keys import KEY_ROUTES, provide_key_filter
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
from keystead.domain.errors import KeysteadError
from keystead.services.authenticate import KeyRefused

MAX_BODY_BYTES = 1024 * 1024

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
        KEY_ROUTES,
        SCOPE_ROUTES,
        VERIFY_ROUTES,
        SELF_ROUTES,
    ],
)


def make_app(door: Door) -> ASGIApp:
    """The ASGI application for one process; its maker opens and closes what the door's context holds."""
    document = partial(openapi_document, MANAGEMENT)
    if not door.as_operator:
        document()  # made at the start, not while somebody waits for a verdict
    inner = Litestar(
        route_handlers=[MANAGEMENT, HEALTH_ROUTES, document_routes(document)],
        state=State({"door": door}),
        openapi_config=None,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        exception_handlers={
            KeysteadError: on_keystead_error,
            KeyRefused: on_refused_call,
            TooManyCalls: on_too_many_calls,
            ValidationException: on_validation_error,
            HTTPException: on_http_error,
            UnicodeDecodeError: on_unreadable_body,
            RecursionError: on_unreadable_body,
            Exception: on_any_error,
        },
    )
    forward_auth = ForwardAuth(
        context=door.context,
        metrics=door.metrics,
        places=door.places,
        trusted_proxies=door.trusted_proxies,
    )
    return Front(inner, context=door.context, forward_auth=forward_auth, metrics=door.metrics)
