"""Every error as `application/problem+json` (RFC 9457), with a stable type and a request id."""

import re
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from litestar import Request, Response
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
from keystead.domain.presented import Place
from keystead.domain.verdict import Reason
from keystead.logs import mask_tokens
from keystead.services.authenticate import KeyRefused
from keystead.web.request_id import request_id

_STATUS: dict[type[KeysteadError], int] = {
    InvalidInput: 422,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Unavailable: 503,
}
RETRY = {"Retry-After": "1"}
"""Goes with a 503."""

_LOG = structlog.get_logger()


class SlowBody(HTTPException):
    """The body did not arrive in time."""

    status_code = 408


class LargeBody(HTTPException):
    """The body is larger than any of ours."""

    status_code = 413


class TooManyCalls(Exception):
    """The principal calls our own API too often; `headers` say how often it may, and when again."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("too many calls")
        self.headers = headers


class Told(NamedTuple):
    """What is answered to an error."""

    problem: Problem
    headers: Mapping[str, str] | None = None


def told(error: Exception, request_id: str, places: Collection[Place]) -> Told:  # noqa: PLR0911 - a table
    """Any error as a problem, for every way in; a fault of ours is logged here."""
    match error:
        case KeyRefused():
            return _refused(error.reason, request_id, places)
        case KeysteadError():
            return _keystead_error(error, request_id)
        case TooManyCalls():
            detail = "Too many calls. Wait as long as Retry-After says, then go on more slowly."
            return Told(_problem(request_id, 429, "rate-limited", detail), error.headers)
        case ValidationException():
            return _invalid(error, request_id)
        case HTTPException():
            return _framework_error(error, request_id)
        case UnicodeDecodeError():
            return Told(_problem(request_id, 400, "bad-request", "The body is not JSON in UTF-8."))
        case RecursionError():
            return Told(_problem(request_id, 400, "bad-request", "The body nests too deeply."))
        case _:
            _LOG.error("request failed", exc_info=error)
            return Told(internal_problem(request_id))


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Whatever was raised while a request was answered, as a problem."""
    problem, headers = told(error, request_id(request), request.app.state.door.places)
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def _refused(reason: Reason, request_id: str, places: Collection[Place]) -> Told:
    """The caller's key was refused: the reason's own problem, with a challenge."""
    headers = dict(RETRY) if reason is Reason.STALE else {}
    if challenge := ", ".join(challenges(reason, places)):
        headers["WWW-Authenticate"] = challenge
    return Told(refusal_problem(reason, request_id), headers)


def _keystead_error(error: KeysteadError, request_id: str) -> Told:
    """What a service raised, as the table of STATUS says."""
    status = _STATUS.get(type(error), 500)
    errors = (
        [FieldProblem(field=error.field, problem=error.problem)] if isinstance(error, InvalidInput) else []
    )
    headers = None
    if isinstance(error, Unavailable):
        status, headers = 503, RETRY
        _LOG.error("unavailable", dependency=error.dependency, cause=str(error.__cause__))
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("request failed", exc_info=error)
    return Told(_problem(request_id, status, error.code, str(error), errors), headers)


def _invalid(error: ValidationException, request_id: str) -> Told:
    """What was sent has the wrong shape: 422, naming each field."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = [_field_problem(item) for item in extra]
    detail = "; ".join(f"{it.field}: {it.problem}" for it in errors) or str(error.detail)
    return Told(_problem(request_id, 422, "invalid-input", detail, errors))


def _framework_error(error: HTTPException, request_id: str) -> Told:
    """What the framework refused by itself: no such route, wrong method, too large, broken JSON."""
    status = error.status_code
    if status == HTTPStatus.NOT_FOUND:
        return Told(missing_problem(request_id))
    slug, detail = _FRAMEWORK.get(
        status, (HTTPStatus(status).phrase.lower().replace(" ", "-"), str(error.detail))
    )
    if isinstance(error.__cause__, SerializationException):
        detail = f"The body is not JSON: {error.detail}."
    return Told(_problem(request_id, status, slug, detail), error.headers)


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
    request_id: str, status: int, slug: str, detail: str, errors: Sequence[FieldProblem] = ()
) -> Problem:
    return Problem(
        type=slug,
        title=TITLES.get(status, HTTPStatus(status).phrase),
        status=status,
        # What was sent may be repeated here, and people put tokens in wrong places.
        detail=mask_tokens(detail),
        request_id=request_id,
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
