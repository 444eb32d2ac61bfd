"""What routes share: documented errors, path ids, revisions and replayed answers."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from litestar import Response
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

from keystead.api.desk import QUERY, provide_once_desk, provide_waiting_desk, provide_waiting_once_desk
from keystead.api.problem import MEDIA_TYPE, Problem
from keystead.domain.errors import InvalidInput, NotFound
from keystead.domain.ids import AppId, IdKind, KeyId, OrganizationId, UserId, VersionId, is_id

T = TypeVar("T", bound=msgspec.Struct)

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The ETag last read; a stale one is 412.", max_length=200),
]
ONCE = {"desk": Provide(provide_once_desk)}
"""What a POST depends on that may carry an `Idempotency-Key`."""

WAIT = {"desk": Provide(provide_waiting_desk)}
"""What a change depends on that can make an epoch, and so may `wait` for all nodes."""

WAIT_ONCE = {"desk": Provide(provide_waiting_once_desk)}
"""What a POST depends on that may do both."""

WAITS = {QUERY: ("wait",)}
"""The options of a route that may `wait`."""

REPLAY_NOTICE = (
    "An earlier request with this Idempotency-Key did this, and its token went with that answer. "
    "If you never got it, rotate the key with grace_s 0 for a new one."
)

_MEANINGS = {
    400: "The body is not JSON.",
    401: "The token is missing, unknown, or its key no longer works.",
    403: "The key may not do this, or not from here.",
    404: "There is no such thing, or it is not yours to know of.",
    409: "The state of things does not allow it.",
    412: "It was changed since you read it.",
    413: "The body is larger than 1 MiB.",
    422: "Something that was sent cannot be; `errors` names the field and the fix.",
    429: "Too many calls; `Retry-After` says when again.",
    503: "The database did not answer; nothing was changed.",
}

_ALWAYS = (400, 401, 403, 422, 429, 503)


def errors(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The problems that a route of the API may answer with, beside those that every one may."""
    return {status: _problem_spec(status) for status in sorted({*_ALWAYS, *statuses})}


def created_spec(view: type[msgspec.Struct]) -> dict[int, ResponseSpec]:
    """The 201 that a PUT answers when it made what it names."""
    return {
        201: ResponseSpec(
            data_container=view, generate_examples=False, description="Made, since it was not there."
        )
    }


def created(body: T, revision: int | None = None) -> Response[T]:
    """A 201 answer."""
    return Response(body, status_code=201, headers=_etag(revision))


def ok(body: T, revision: int | None = None) -> Response[T]:
    """A 200 answer."""
    return Response(body, status_code=200, headers=_etag(revision))


def wanted_revision(if_match: str | None) -> int | None:
    """The revision that `If-Match` names; None for any. Raises InvalidInput for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix('"').removesuffix('"')
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 - no revision is longer
        raise InvalidInput("If-Match", 'send the ETag as it was answered, such as "3"')
    return int(text)


def organization_id(text: str) -> OrganizationId:
    """An organization's id from a path; what cannot be one names nothing."""
    return OrganizationId(_id(IdKind.ORGANIZATION, "organization", text))


def app_id(text: str) -> AppId:
    """An app's id from a path."""
    return AppId(_id(IdKind.APP, "app", text))


def user_id(text: str) -> UserId:
    """A user's id from a path."""
    return UserId(_id(IdKind.USER, "user", text))


def key_id(text: str) -> KeyId:
    """A key's id from a path."""
    return KeyId(_id(IdKind.KEY, "key", text))


def version_id(text: str) -> VersionId:
    """A version's id from a path."""
    return VersionId(_id(IdKind.VERSION, "version", text))


def _id(kind: IdKind, name: str, text: str) -> str:
    if not is_id(kind, text):
        raise NotFound(name, text)
    return text


def _etag(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"ETag": f'"{revision}"'}


def _problem_spec(status: int) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description=_MEANINGS[status],
        media_type=MEDIA_TYPE,
    )
