"""Every problem of our own API, as the OpenAPI document shows it, and the headers of answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from keystead.api.examples import REQUEST_ID, example_id
from keystead.api.problem import MEDIA_TYPE, FieldProblem, Problem
from keystead.api.problems import TITLES
from keystead.api.refusals import REFUSALS
from keystead.domain.ids import IdKind
from keystead.domain.verdict import Reason

Json = dict[str, Any]

PROBLEM_NAMES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "TooLarge",
    422: "InvalidInput",
    429: "TooManyCalls",
    503: "Unavailable",
}
"""The components that describe each status of a problem."""


def text_header(description: str, example: str | None = None, **schema: object) -> Json:
    """A header, or a parameter, that is text."""
    shown = {} if example is None else {"example": example}
    return {"description": description, "schema": {"type": "string", **schema}, **shown}


HEADERS: Json = {
    "X-Request-Id": {"required": True, **text_header("Names this request, in our log too.", REQUEST_ID)},
    "ETag": text_header("The revision, for `If-Match`.", '"3"'),
    "WWW-Authenticate": {
        "required": True,
        **text_header("How to authenticate (RFC 6750).", 'Bearer realm="api", error="invalid_token"'),
    },
    "Retry-After": text_header("Seconds to wait.", "7", pattern="^[0-9]+$"),
    "RateLimit": text_header("What is left, and seconds until there is more.", '"management";r=0;t=7'),
    "RateLimit-Policy": text_header("How many calls, in how many seconds.", '"management";q=600;w=60'),
    "X-Auth-Status": text_header(
        "The status that nginx would not have understood.", "429", pattern="^[0-9]{3}$"
    ),
}

_PROBLEM_HEADERS: Mapping[int, Sequence[str]] = {
    401: ["WWW-Authenticate"],
    429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
    503: ["Retry-After"],
}

_OF_KEYS = (Reason.NETWORK_DENIED, Reason.ORIGIN_DENIED, Reason.AMBIGUOUS_REQUEST, Reason.CONSTRAINT_UNMET)
"""Why a key that is in force may still be refused in our own API."""

PROBLEMS: Mapping[int, Mapping[str, str]] = {
    400: {"bad-request": "The body is not JSON: Input data was truncated."},
    401: {it.slug: it.detail for it in REFUSALS.values() if it.status == 401},  # noqa: PLR2004 - the status is the point
    403: {
        **{REFUSALS[it].slug: REFUSALS[it].detail for it in _OF_KEYS},
        "forbidden": "This key may not manage scopes.",
        "above-ceiling": "The organization's ceiling does not hold the scope jobs:write.",
        "beyond-reach": "scopes: wider than the key that asks, or not provably narrower. Keep within its own "
        "scopes.",
        "disabled-by-provider": "The provider disabled this key; only the provider enables it.",
        "ephemeral-makes-none": "An ephemeral key cannot make keys.",
        "provider-only": "metadata is set by the provider only. Leave it out.",
        "role-above-own": "This key may not give, change or take the role owner.",
        "self-rotation-off": "The app does not let its keys rotate themselves.",
    },
    404: {"not-found": f"There is no key {example_id(IdKind.KEY)} that you may see."},
    409: {
        "already-member": "The user is a member already. Change the role instead.",
        "email-taken": "Another user has this email.",
        "expired": "The key has expired. Give expires_at or expires_in to revive it.",
        "external-id-taken": "Another user has the external_id cus_42.",
        "idempotency-in-progress": "A request with this Idempotency-Key is still running. Wait for its "
        "answer, then retry.",
        "last-key": f"It is the last usable key of the app {example_id(IdKind.APP)}. Create another key "
        "first, or give reason=compromised if it was exposed.",
        "last-operator": "The last operator can neither be suspended nor be one no longer. Make another "
        "first.",
        "last-owner": "The last owner can neither leave nor be given another role. Make another owner first.",
        "newest-version": "The newest version cannot be retired by itself. Rotate the key with grace_s 0, "
        "or revoke it.",
        "not-newest-version": "Only the newest version of a key may rotate it.",
        "not-revealable": "A secret key's token is shown once, when it is made. Rotate the key to get a new "
        "one.",
        "revoked": "The key is revoked, which is final. Create a new key.",
        "scope-exists": "The catalogue has the scope jobs:read already.",
        "too-many-apps": "The organization has 100 apps, which is the most it may. Delete one first.",
        "too-many-keys": "The app holds 1000 live keys, which is the most it may. Delete keys no longer "
        "used.",
        "too-many-members": "The organization has 500 members, which is the most it may.",
        "too-many-versions": "The key has 5 live versions. Retire one, or rotate with grace_s 0.",
        "user-suspended": "The user is suspended. Resume them first.",
    },
    412: {
        "precondition-failed": f"The key {example_id(IdKind.KEY)} was changed since you read it. Read it "
        "again, then retry."
    },
    413: {"too-large": "The body is larger than 1 MiB."},
    422: {
        "invalid-input": "name: write 1 to 100 characters",
        "idempotency-key-reused": "Idempotency-Key: was used with another body; use a new key for a new "
        "request",
    },
    429: {"rate-limited": "Too many calls. Wait as long as Retry-After says, then go on more slowly."},
    503: {
        "unavailable": "The database is not available. Nothing was changed; try again in a moment.",
        "stale": REFUSALS[Reason.STALE].detail,
    },
}
"""Every problem of our own API: its status, its stable type, and a sentence as it may read."""

_TITLES = {(it.status, it.slug): it.title for it in REFUSALS.values()}


def problem_response(status: int, meaning: str, problems: Mapping[str, str] | None = None) -> Json:
    """The answer that is a problem, with an example of each type; of all in our own API unless said."""
    wanted = PROBLEMS[status] if problems is None else problems
    return {
        "description": meaning,
        "headers": header_refs("X-Request-Id", *_PROBLEM_HEADERS.get(status, ())),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    slug: {"value": _problem(status, slug, detail)} for slug, detail in wanted.items()
                },
            }
        },
    }


def header_refs(*names: str) -> Json:
    """Response headers, by reference."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: int, slug: str, detail: str) -> Json:
    field, _, fault = detail.partition(": ")
    errors = [FieldProblem(field=field, problem=fault)] if status == 422 else []  # noqa: PLR2004 - likewise
    title = _TITLES.get((status, slug)) or TITLES[status]
    problem = Problem(
        type=slug, title=title, status=status, detail=detail, request_id=REQUEST_ID, errors=errors
    )
    return dict(msgspec.to_builtins(problem))
