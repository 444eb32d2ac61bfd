"""What the OpenAPI document says that no route can: about the whole, and of the ways in beside its routes."""

from collections.abc import Mapping, Sequence
from typing import Any

from keystead import __version__
from keystead.api.examples import KEY, example_id
from keystead.api.forward_auth import IDENTITY_HEADERS
from keystead.api.openapi_problems import PROBLEM_NAMES, header_refs, problem_response, text_header
from keystead.api.refusals import REFUSALS
from keystead.domain.ids import IdKind

Json = dict[str, Any]

INFO: Json = {
    "title": "Keystead API",
    "version": __version__,
    "summary": "Issue, scope, rotate, revoke and verify API keys.",
    "description": """\
Call it with a token, as `Authorization: Bearer …` or `X-API-Key: …`. A **root key** administers the instance,
a **personal key** acts as its user, an app's **secret key** opens only `self`; public keys open nothing here.

**Errors** are problem details (RFC 9457): look at `type`, a stable word, and show people `detail`. Beside
those that an operation lists, any may answer 500 `internal-error`, and a path answers other methods with 405
`method-not-allowed`. Every answer carries `X-Request-Id`.

**Changes** that can change a verdict have an `epoch`, which every node applies in turn. With `wait=2s` one is
answered once all nodes have, or 2 seconds later, naming those that lag.

**Lists** come in pages, newest first: pass `next_cursor` on as `cursor` until it is null.

**Safe to repeat**: a POST with an `Idempotency-Key` is done once within 24 hours. **Safe to change**: a PATCH
with `If-Match` is refused with 412 when somebody else was faster.

A body, or a query, with a field that is not known is refused, so that a misspelt one is not overlooked.
Instants are RFC 3339 with a zone.""",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

TAGS: Sequence[Json] = [
    {
        "name": "Organizations and members",
        "description": "The provider's customers, and the users who act for them.",
    },
    {
        "name": "Apps",
        "description": "What an organization builds: apps hold keys, and lists that bind them all.",
    },
    {"name": "Users", "description": "People, known by e-mail or by the provider's own id."},
    {"name": "Links", "description": "What lets somebody in once: invitations, sign-ins and resets."},
    {"name": "Keys", "description": "App keys, personal keys and root keys, from making to revoking."},
    {
        "name": "Scopes",
        "description": "The catalogue: the permissions of the provider's API that keys may carry.",
    },
    {"name": "Verify", "description": "May this key do this, here, now?"},
    {"name": "Nodes", "description": "The machines that verify keys, and how far each has applied changes."},
    {"name": "Self", "description": "What the key that asks may know and do about itself."},
    {
        "name": "Forward-auth",
        "description": "For a proxy that asks about each request it holds; only trusted ones are answered.",
    },
    {"name": "Health", "description": "For those who look after the instance."},
]

SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, as `Authorization: Bearer …`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A token, by itself."},
}
SECURITY: Sequence[Json] = [{"bearer": []}, {"apiKey": []}]


def _id_parameter(kind: IdKind, what: str) -> Json:
    example = KEY.versions[0].id if kind is IdKind.VERSION else example_id(kind)
    pattern = rf"^{kind}_[0-9A-Za-z]{{22}}$"
    return {
        "description": f"The id of the {what}.",
        "schema": {"type": "string", "pattern": pattern},
        "example": example,
    }


ID_PARAMETERS: Json = {
    "organization": _id_parameter(IdKind.ORGANIZATION, "organization"),
    "app": _id_parameter(IdKind.APP, "app"),
    "user": _id_parameter(IdKind.USER, "user"),
    "key": _id_parameter(IdKind.KEY, "key"),
    "version": _id_parameter(IdKind.VERSION, "version"),
    "name": {
        "description": "The scope.",
        "schema": {
            "type": "string",
            "pattern": r"^(?:[a-z0-9_.-]{1,64}|\*):(?:[a-z0-9_.-]{1,64}|\*)$",
        },
        "example": "jobs:read",
    },
    "external_id": {
        "description": "The provider's own id, percent-encoded.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]+$", "maxLength": 128},
        "example": "cus_42",
    },
}
"""Parameters in paths."""

PARAMETER_TEXTS: Mapping[str, str] = {
    "by": "The id of the user or key that did it.",
    "email": "The e-mail address, in any case of letters.",
    "ephemeral": "Also keys made for one job.",
    "expires_before": "Keys that expire before this instant.",
    "external_id": "The provider's own id.",
    "finding": "What is worth a look at the key; of those that are active.",
    "kind": "The kind of thing that was changed.",
    "last4": "The last four characters of a token.",
    "name": "Part of the name, in any case of letters.",
    "owner": "The id of the app or user that owns the key.",
    "start": "How a token begins.",
    "status": "What the key is now; revoked ones are listed only when asked for.",
    "type": "Public or secret.",
    "unused_since": "Keys not used since this instant.",
}
"""What the filters mean."""

LABELS_PARAMETER: Json = {
    "name": "labels",
    "in": "query",
    "description": (
        'Labels to have, one parameter each: `labels.team=ops`. Here, write `{"labels.team": "ops"}`.'
    ),
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {
        "type": "object",
        "patternProperties": {r"^labels\.[a-z]+$": {"type": "string", "minLength": 1, "maxLength": 200}},
        "additionalProperties": False,
    },
}


def _ref(status: int) -> Json:
    return {"$ref": f"#/components/responses/{PROBLEM_NAMES[status]}"}


def _header(name: str, description: str, example: str) -> Json:
    return {"name": name, "in": "header", "required": False, **text_header(description, example)}


def _demand(name: str, description: str, **schema: object) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


_DEMANDS: Sequence[Json] = [
    _demand(
        "scopes",
        "Scopes that the key must carry, all of them; separated by commas or spaces.",
        pattern=r"^\S",
    ),
    _demand("environment", "What the key must be for.", enum=["live", "test", "any"], default="live"),
    _demand("type", "The type it must have.", enum=["secret", "public", "any"], default="any"),
    _demand("owner", "Whose it must be.", enum=["app", "user", "any"], default="app"),
    _demand("cost", "What the call costs.", type="integer", minimum=0, maximum=1_000_000, default=1),
    _demand("preflight", "Let CORS preflights without a token through.", enum=["allow"]),
]
_IDENTITY: Json = {
    name: {"required": True, **text_header(f"`-` where there is none: the key's {name[6:].lower()}.")}
    for name in IDENTITY_HEADERS
}


def _forward_auth(operation_id: str, proxies: str, headers: Sequence[Json], refusals: Json) -> Json:
    accepted = {
        "description": "Let it through, with these headers in place of whatever the client sent.",
        "headers": {**header_refs("X-Request-Id"), **_IDENTITY},
    }
    operation = {
        "tags": ["Forward-auth"],
        "operationId": operation_id,
        "summary": f"Judge the request that {proxies} holds",
        "description": "Demands stand in the query, which the proxy's configuration writes; a client cannot.",
        "parameters": [
            *headers,
            _header("Origin", "The client's own.", "https://app.example.com"),
            *_DEMANDS,
        ],
        "responses": {"200": accepted, **refusals},
    }
    return {"get": operation}


def _refused(status: int, meaning: str) -> Json:
    """What a proxy is told of a key that is refused."""
    refusals = {it.slug: it.detail for it in REFUSALS.values() if it.status == status}
    return problem_response(status, meaning, refusals)


_MISCONFIGURED = problem_response(
    422,
    "The proxy's configuration asks what cannot be asked.",
    {
        "invalid-input": "The proxy's forward-auth address is wrong: cost: write a whole number from 0 to "
        "1000000."
    },
)
_DENIED = _refused(403, "The key may not do this, or not from here.")
_NGINX_DENIED = {
    **_DENIED,
    "description": "Refused; `X-Auth-Status` says so when the status is one that nginx does not pass on.",
    "headers": header_refs("X-Request-Id", "X-Auth-Status"),
}


def _health(operation_id: str, summary: str, status: str, problems: Json) -> Json:
    content = {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Health"},
            "example": {"status": status},
        }
    }
    operation = {
        "tags": ["Health"],
        "operationId": operation_id,
        "summary": summary,
        "security": [],
        "responses": {
            "200": {"description": "Yes.", "headers": header_refs("X-Request-Id"), "content": content},
            **problems,
        },
    }
    return {"get": operation}


_METRICS: Json = {
    "tags": ["Health"],
    "operationId": "get_metrics",
    "summary": "Read the metrics, in Prometheus' text format",
    "description": "Needs `metrics:read`.",
    "responses": {
        "200": {
            "description": "The metrics.",
            "headers": header_refs("X-Request-Id"),
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'keystead_verdicts_total{outcome="ACCEPTED"} 42.0\n',
                }
            },
        },
        **{str(status): _ref(status) for status in (401, 403, 422, 429, 503)},
    },
}

OPERATIONS: Json = {
    "/auth": _forward_auth(
        "forward_auth",
        "Caddy or Traefik",
        [
            _header("X-Forwarded-Method", "The request's method.", "GET"),
            _header("X-Forwarded-Uri", "Its path and query, raw.", "/jobs/7"),
            _header("X-Forwarded-For", "Where it comes from.", "203.0.113.9"),
        ],
        {
            **{str(status): _ref(status) for status in (401, 404, 503)},
            "403": _DENIED,
            "422": _MISCONFIGURED,
            "429": _refused(429, "A limit of the key is used up."),
        },
    ),
    "/auth/nginx": _forward_auth(
        "forward_auth_nginx",
        "nginx",
        [
            _header("X-Original-Method", "The request's method.", "GET"),
            _header("X-Original-URI", "Its path and query, raw.", "/jobs/7"),
            _header("X-Real-IP", "Where it comes from.", "203.0.113.9"),
        ],
        {"401": _ref(401), "403": _NGINX_DENIED, "404": _ref(404)},
    ),
    "/healthz": _health("get_health", "Whether this process answers", "ok", {}),
    "/readyz": _health("get_readiness", "Whether keys can be judged here", "ready", {"503": _ref(503)}),
    "/metrics": {"get": _METRICS},
}
"""The ways in that are no routes of the management API."""
