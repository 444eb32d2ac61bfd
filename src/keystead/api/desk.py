"""The way in to our own API: who asks is judged before anything that was sent is read."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, cast

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, QueryParameter, SkipValidation
from litestar.types import HTTPScope

from keystead.api.metrics import Metrics
from keystead.api.problems import TooManyCalls
from keystead.api.surface import Surface
from keystead.domain.errors import InvalidInput, Unavailable
from keystead.domain.gcra import Refused
from keystead.domain.networks import Address
from keystead.domain.powers import Operator, PersonalKey, Power, Principal, RootKey, holds, principal_of
from keystead.domain.presented import Place
from keystead.domain.verdict import Attempt, Reason
from keystead.services.access import require
from keystead.services.authenticate import KeyRefused, authenticate
from keystead.services.context import Actor, Context, Once
from keystead.services.throttle import Throttle
from keystead.web.facts import TokenPlaces, caller_address, has_override, heard, only, peer
from keystead.web.request_id import request_id

API_ROOT = b"/api/v1"
METRICS_PATH = b"/metrics"
READY_PATH = b"/readyz"
SURFACE = "keystead.surface"
"""Where the ASGI scope keeps which surface of ours was asked."""

UNCONSTRAINED = "unconstrained"
"""A route's option: reading and revoking oneself, which no constraint blocks."""

QUERY = "query"
"""A route's option: the query parameters it knows; any other is refused."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the API needs to know at its door; `as_operator` lets in who stands at the data directory.

    `rebuilding` says how many tokens of about how many a rebuild of the replica has written; None: none runs.
    """

    context: Context
    throttle: Throttle
    metrics: Metrics
    places: tuple[Place, ...]
    trusted_proxies: tuple[str, ...]
    as_operator: bool = False
    rebuilding: Callable[[], tuple[int, int] | None] = _nothing


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
    connection.state.actor = _actor(connection, door, unconstrained=bool(handler.opt.get(UNCONSTRAINED)))
    require_known_query(connection.query_params.multi_items(), handler.opt.get(QUERY, ()))


async def admit_reader(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard: who asks on the internal listener is let in; elsewhere it takes a key with `metrics:read`."""
    if connection.scope.get(SURFACE) == Surface.INTERNAL:
        return
    await admit(connection, handler)
    require(connection.state.actor.principal, Power.READ_METRICS)


def is_reader(connection: Connection) -> bool:
    """Whether who asks would get past `admit_reader`."""
    if connection.scope.get(SURFACE) == Surface.INTERNAL:
        return True
    try:
        actor = _actor(connection, connection.app.state.door, unconstrained=False)
    except (KeyRefused, TooManyCalls, Unavailable, NotFoundException):
        return False
    return holds(actor.principal, Power.READ_METRICS)


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


Wait = Annotated[
    str | None,
    QueryParameter(
        description="Answer once every node has applied the change, or after this long: `1s` to `30s`. The "
        "answer then has `confirmed` and `lagging`.",
        schema_extra={"pattern": "^([1-9]|[12][0-9]|30)s?$"},
    ),
]
_WAIT = re.compile(r"([1-9]|[12][0-9]|30)s?")


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


async def provide_waiting_desk(request: Request[Any, Any, Any], wait: Wait = None) -> Desk:
    """Dependency: the desk of an admitted request that may wait for all nodes."""
    return _waiting(await provide_desk(request), wait)


async def provide_waiting_once_desk(
    request: Request[Any, Any, Any], once_key: OnceKey = None, wait: Wait = None
) -> Desk:
    """Dependency: the desk of an admitted request that may do both."""
    return _waiting(await provide_once_desk(request, once_key), wait)


def _waiting(desk: Desk, wait: str | None) -> Desk:
    if wait is None:
        return desk
    seconds = _WAIT.fullmatch(wait)
    if seconds is None:
        raise InvalidInput("wait", "write how long, from 1s to 30s")
    return replace(desk, actor=replace(desk.actor, wait=timedelta(seconds=int(seconds[1]))))


def _actor(connection: Connection, door: Door, *, unconstrained: bool) -> Actor:
    scope = cast("HTTPScope", connection.scope)
    values = heard(list(scope["headers"]))
    host = scope["client"][0] if scope["client"] else None
    address = caller_address(peer(host, door.trusted_proxies), values, door.trusted_proxies)
    if door.as_operator:
        return Actor(principal=Operator(), request_id=request_id(connection))
    attempt = Attempt(
        now_ms=door.context.clock_ms(),
        method=scope["method"],
        path=_own_path(scope),
        origin=only(values, b"origin"),
        address=address,
        overridden=has_override(values),
    )
    presented = TokenPlaces(door.places).presented(values)
    verdict = authenticate(door.context, presented, attempt, unconstrained=unconstrained)
    if verdict.known is None or verdict.reason is not None:
        raise KeyRefused(verdict.reason or Reason.UNKNOWN)
    principal = principal_of(verdict.known)
    require_rate(door, principal)
    door.context.uses.count(verdict.known, attempt.now_ms)
    return Actor(
        principal=principal,
        version_id=verdict.known.version_id,
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
    if raw.endswith(b"/") or not raw.startswith((API_ROOT + b"/", METRICS_PATH, READY_PATH)):
        raise NotFoundException
    return raw.removeprefix(API_ROOT).decode("latin-1")


def require_rate(door: Door, principal: Principal) -> None:
    """Raise TooManyCalls if the principal has called our own API too often; root keys never have."""
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


def require_known_query(given: Iterable[tuple[str, str]], known: Sequence[str]) -> None:
    """Raise InvalidInput for a query parameter that is not `known`, or is given twice."""
    seen: set[str] = set()
    for name, _ in given:
        if name not in known and not ("labels.*" in known and name.startswith("labels.")):
            raise InvalidInput(name, "is not a query parameter here; leave it out")
        if name in seen:
            raise InvalidInput(name, "was given twice; give it once")
        seen.add(name)


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)
