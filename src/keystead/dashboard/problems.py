"""Every error as a page: what happened, what to do, and the id to find it by."""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException

from keystead.dashboard.faults import fault_text
from keystead.dashboard.forms import ForeignForm
from keystead.dashboard.onwards import way_back
from keystead.dashboard.render import AnyRequest, page, redirect, texts_of
from keystead.domain.errors import (
    Conflict,
    Denied,
    InvalidInput,
    KeysteadError,
    LinkClosed,
    NotFound,
    ProofNeeded,
    SignedOut,
    Stale,
    TooManyAttempts,
    Unavailable,
)

_STATUS: dict[type[KeysteadError], int] = {
    InvalidInput: 422,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Unavailable: 503,
    SignedOut: 401,
    ProofNeeded: 403,
    LinkClosed: 410,
    TooManyAttempts: 429,
}
_TOLD = (Conflict, Denied, InvalidInput)
"""Errors whose own text says more than the one for their status."""

STATUSES = frozenset({400, 403, 404, 405, 408, 409, 410, 412, 413, 422, 429, 500, 503})
"""Statuses that have a text of their own."""

_LOG = structlog.get_logger()


def on_error(request: AnyRequest, error: Exception) -> Response[str]:
    """Whatever was raised while a page was made, as a page.

    Who has to sign in, or to give their password again, is asked to and then comes back.
    """
    match error:
        case SignedOut():
            return redirect(request, "/sign-in", next=way_back(request))
        case ProofNeeded():
            return redirect(request, "/prove", next=way_back(request))
        case ForeignForm():
            return page(request, "problem.html", status=HTTPStatus.FORBIDDEN, kind="form")
        case TooManyAttempts():
            return _patience_page(request, error)
        case _:
            return _problem(request, error)


def problem_page(
    request: AnyRequest, status: int, *, headers: Mapping[str, str] | None = None, **values: object
) -> Response[str]:
    """The page for a status; `text` is what it says instead of the usual."""
    kind = status if status in STATUSES else (500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400)
    return page(request, "problem.html", status=status, headers=headers, kind=kind, **values)


def status_of(error: Exception) -> int:
    """The status of an answer that tells of an error."""
    match error:
        case KeysteadError():
            return next((it for kind, it in _STATUS.items() if isinstance(error, kind)), 500)
        case HTTPException():
            return error.status_code
        case _:
            return 500


def _problem(request: AnyRequest, error: Exception) -> Response[str]:
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("page failed", exc_info=error)
    if isinstance(error, _TOLD):
        return problem_page(request, status, text=fault_text(texts_of(request), error))
    return problem_page(request, status, headers=_headers(error))


def _headers(error: Exception) -> Mapping[str, str]:
    match error:
        case Unavailable():
            return {"Retry-After": "1"}
        case MethodNotAllowedException():
            return error.headers or {}  # `Allow`, as RFC 9110 wants
        case _:
            return {}


def _patience_page(request: AnyRequest, error: TooManyAttempts) -> Response[str]:
    return page(
        request,
        "problem.html",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        headers={"Retry-After": str(error.retry_after_s)},
        kind="429",
        text=fault_text(texts_of(request), error),
    )
