"""The way in to our own API: who asks is judged before anything that was sent is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, SkipValidation
from litestar.types import HTTPScope

from keystead.api.facts import Headers, caller_address, has_override, only, peer_address
from keystead.api.metrics import Metrics
from keystead.api.problems import TooManyCalls, request_id
from keystead.domain.errors import InvalidInput
from keystead.domain.gcra import Refused
from keystead.domain.networks import Address
from keystead.domain.powers import Operator, PersonalKey, Principal, RootKey, principal_of
from keystead.domain.presented import Place, presented_token
from keystead.domain.verdict import Attempt, Reason
from keystead.services.authenticate import KeyRefused, authenticate
from keystead.services.context import Actor, Context, Once
from keystead.services.throttle import Throttle

API_ROOT = b"/api/v1"
METRICS_PATH = b"/metrics"
UNCONSTRAINED = "unconstrained"
"""A route's option: reading and revoking oneself, which no constraint blocks."""

QUERY = "query"
"""A route's option: the query parameters it knows; any other is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the API needs to know at its door; `as_operator` lets in who stands at the data directory."""

    context: Context
    throttle: Throttle
    metrics: Metrics
    places: tuple[Place, ...]
    trusted_proxies: tuple[str, ...]
    as_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a route handler works with: the services' context, and who asks."""

    context: Context
    actor: Actor
    metrics: Metrics


AtDesk = NamedDependency[SkipValidation[Desk]]

Connection = ASGIConnection[Any, Any, Any, Any]


async def admit(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard: judge the calling key and its rate, count its use, then refuse what the query may not hold."""
    door: Door = connection.app.state.door
    connection.state.actor = await _actor(
        connection, door, unconstrained=bool(handler.opt.get(UNCONSTRAINED))
    )
    _require_known_query(connection, handler.opt.get(QUERY, ()))


OnceKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Makes the request safe to repeat within 24 hours: a repetition answers with what the "
        "first one made, without its token.",
        min_length=1,
        max_length=255,
    ),
]


async def answer_options(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Before a handler: the methods of a path. The framework's own answer names only the first registered."""
    if request.method != "OPTIONS":
        return None
    here = request.scope["path_template"]
    methods = next(it.methods for it in request.app.routes if it.path_format == here)
    return Response(None, status_code=204, headers={"Allow": ", ".join(sorted(methods))})


async def provide_desk(request: Request[Any, Any, Any]) -> Desk:
    """Dependency: the desk of an admitted request."""
    door: Door = request.app.state.door
    return Desk(context=door.context, actor=request.state.actor, metrics=door.metrics)


async def provide_once_desk(request: Request[Any, Any, Any], once_key: OnceKey = None) -> Desk:
    """Dependency: the desk of an admitted request that may carry an `Idempotency-Key`."""
    desk = await provide_desk(request)
    if once_key is None:
        return desk
    if not once_key.isascii() or not once_key.isprintable():
        raise InvalidInput("Idempotency-Key", "write 1 to 255 visible ASCII characters, such as a UUID")
    once = Once(method=request.method, path=request.scope["path"], key=once_key, body=await request.body())
    return replace(desk, actor=replace(desk.actor, once=once))


async def _actor(connection: Connection, door: Door, *, unconstrained: bool) -> Actor:
    scope = cast("HTTPScope", connection.scope)
    headers: Headers = list(scope["headers"])
    address = caller_address(peer_address(scope["client"]), headers, door.trusted_proxies)
    if door.as_operator:
        return Actor(principal=Operator(), request_id=request_id(connection))
    attempt = Attempt(
        now=door.context.clock(),
        method=scope["method"],
        path=_own_path(scope),
        origin=only(headers, b"origin"),
        address=address,
        overridden=has_override(headers),
    )
    presented = presented_token(headers, door.places)
    verdict = await authenticate(door.context, presented, attempt, unconstrained=unconstrained)
    if verdict.known is None or verdict.reason is not None:
        raise KeyRefused(verdict.reason or Reason.UNKNOWN)
    principal = principal_of(verdict.known)
    _require_rate(door, principal)
    door.context.uses.count(verdict.known, attempt.now)
    return Actor(
        principal=principal,
        version=verdict.known.version,
        attempt=attempt,
        unconstrained=unconstrained,
        address=_text(address),
        request_id=request_id(connection),
    )


def _own_path(scope: HTTPScope) -> str:
    """What follows `/api/v1`, raw as sent: what the constraints of keys for our own API are judged on.

    Raises NotFoundException for other spellings that the router would take for the same path (a `/` at the
    end, an escaped `/api/v1`): a key's constraints would be judged on another path than the one served.
    """
    raw = scope["raw_path"]
    if raw.endswith(b"/") or not raw.startswith((API_ROOT + b"/", METRICS_PATH)):
        raise NotFoundException
    return raw.removeprefix(API_ROOT).decode("latin-1")


def _require_rate(door: Door, principal: Principal) -> None:
    if isinstance(principal, Operator | RootKey):
        return
    # A user is one principal, however many personal keys it has.
    name = principal.user_id if isinstance(principal, PersonalKey) else principal.by.id
    taken = door.throttle.take(name, door.context.clock())
    if isinstance(taken, Refused):
        raise TooManyCalls(_rate_headers(door.throttle, taken))


def _rate_headers(throttle: Throttle, refused: Refused) -> dict[str, str]:
    """The fields of the IETF's RateLimit draft, and Retry-After in whole seconds."""
    rate, wait_s = throttle.rate, max(1, math.ceil(refused.retry_after_us / 1_000_000))
    return {
        "RateLimit-Policy": f'"management";q={rate.units};w={rate.period_s}',
        "RateLimit": f'"management";r=0;t={wait_s}',
        "Retry-After": str(wait_s),
    }


def _require_known_query(connection: Connection, known: Sequence[str]) -> None:
    seen: set[str] = set()
    for name, _ in connection.query_params.multi_items():
        if name not in known and not ("labels.*" in known and name.startswith("labels.")):
            raise InvalidInput(name, "is not a query parameter here; leave it out")
        if name in seen:
            raise InvalidInput(name, "was given twice; give it once")
        seen.add(name)


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)
