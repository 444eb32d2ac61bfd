"""Every error as `application/problem+json` (RFC 9457), with a stable type and a request id."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, SerializationException, ValidationException

from keystead.api.problem import MEDIA_TYPE, FieldProblem, Problem, internal_problem, missing_problem
from keystead.api.refusals import challenges, refusal_problem
from keystead.domain.errors import (
    Conflict,
    Denied,
    InvalidInput,
    KeysteadError,
    NotFound,
    Stale,
    Unavailable,
)
from keystead.logs import mask_tokens
from keystead.services.authenticate import KeyRefused

REQUEST_ID = "keystead.request_id"
"""Where the ASGI scope keeps the request's id."""

_STATUS: dict[type[KeysteadError], int] = {
    InvalidInput: 422,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Unavailable: 503,
}
_LOG = structlog.get_logger()


class SlowBody(HTTPException):
    """The body did not arrive in time."""

    status_code = 408


class TooManyCalls(Exception):
    """The principal calls our own API too often; `headers` say how often it may, and when again."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("too many calls")
        self.headers = headers


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    """A problem as a response; its status is the problem's."""
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def on_keystead_error(request: Request[Any, Any, Any], error: KeysteadError) -> Response[Problem]:
    """What a service raised, as the table of STATUS says."""
    status = _STATUS.get(type(error), 500)
    errors = (
        [FieldProblem(field=error.field, problem=error.problem)] if isinstance(error, InvalidInput) else []
    )
    headers = None
    if isinstance(error, Unavailable):
        headers = {"Retry-After": "1"}
        _LOG.error("unavailable", dependency=error.dependency, cause=str(error.__cause__))
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("request failed", exc_info=error)
    return problem_response(_problem(request, status, error.code, str(error), errors), headers)


def on_refused_call(request: Request[Any, Any, Any], error: KeyRefused) -> Response[Problem]:
    """The caller's key was refused: the reason's own problem, with a challenge."""
    problem = refusal_problem(error.reason, request_id(request))
    challenge = ", ".join(challenges(error.reason, request.app.state.door.places))
    return problem_response(problem, {"WWW-Authenticate": challenge} if challenge else None)


def on_too_many_calls(request: Request[Any, Any, Any], error: TooManyCalls) -> Response[Problem]:
    """The caller is over the management rate."""
    detail = "Too many calls. Wait as long as Retry-After says, then go on more slowly."
    return problem_response(_problem(request, 429, "rate-limited", detail), error.headers)


def on_validation_error(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """What was sent has the wrong shape: 422, naming each field."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = [_field_problem(item) for item in extra]
    detail = "; ".join(f"{it.field}: {it.problem}" for it in errors) or str(error.detail)
    return problem_response(_problem(request, 422, "invalid-input", detail, errors))


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refused by itself: no such route, wrong method, too large, broken JSON."""
    status = error.status_code
    if status == HTTPStatus.NOT_FOUND:
        return problem_response(missing_problem(request_id(request)))
    slug, detail = _FRAMEWORK.get(
        status, (HTTPStatus(status).phrase.lower().replace(" ", "-"), str(error.detail))
    )
    if isinstance(error.__cause__, SerializationException):
        detail = f"The body is not JSON: {error.detail}."
    return problem_response(_problem(request, status, slug, detail), error.headers)


def on_unreadable_body(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """JSON in broken UTF-8, or nested beyond reason."""
    detail = (
        "The body is not JSON in UTF-8." if isinstance(error, UnicodeError) else "The body nests too deeply."
    )
    return problem_response(_problem(request, 400, "bad-request", detail))


def on_any_error(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A fault of ours: the log has it, the answer only the request id to find it by."""
    _LOG.error("request failed", exc_info=error)
    return problem_response(internal_problem(request_id(request)))


def request_id(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The id of this request."""
    return str(connection.scope.get(REQUEST_ID, "-"))


_FRAMEWORK = {
    400: ("bad-request", "The request cannot be read."),
    405: ("method-not-allowed", "This path does not answer that method. `/api/docs` lists what there is."),
    408: ("request-timeout", "The body did not arrive within ten seconds. Send it at once."),
    413: ("too-large", "The body is larger than 1 MiB."),
}

TITLES = {
    400: "Bad request",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    422: "Invalid input",
    429: "Too many calls",
    500: "Internal error",
    503: "Unavailable",
}


def _problem(
    request: Request[Any, Any, Any], status: int, slug: str, detail: str, errors: Sequence[FieldProblem] = ()
) -> Problem:
    return Problem(
        type=slug,
        title=TITLES.get(status, HTTPStatus(status).phrase),
        status=status,
        # What was sent may be repeated here, and people put tokens in wrong places.
        detail=mask_tokens(detail),
        request_id=request_id(request),
        errors=[FieldProblem(field=mask_tokens(it.field), problem=mask_tokens(it.problem)) for it in errors],
    )


_HEADERS = {"if_match": "If-Match", "once_key": "Idempotency-Key"}
_MISSING = re.compile(r"Object missing required field `(.+?)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")


def _field_problem(item: object) -> FieldProblem:
    """A fault as the framework tells it, in the sender's words: where in what was sent, and what to do."""
    fault = item if isinstance(item, dict) else {"message": str(item)}
    place, message = str(fault.get("key", "data")), str(fault.get("message", "is not valid"))
    if missing := _MISSING.match(message):
        return FieldProblem(field=_within(place, missing[1]), problem="is missing")
    if unknown := _UNKNOWN.match(message):
        return FieldProblem(field=_within(place, unknown[1]), problem="is not a field here; leave it out")
    if place == "data":
        return FieldProblem(field="body", problem="send a JSON object" if message == "'data'" else message)
    return FieldProblem(field=_HEADERS.get(place, place), problem=message)


def _within(place: str, field: str) -> str:
    """A field of the body or, where the fault lies deeper, of what stands at `place` in it."""
    return field if place == "data" else f"{place}.{field}"
