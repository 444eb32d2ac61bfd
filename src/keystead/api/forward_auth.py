"""Forward-auth: a proxy asks about a request it holds; identity headers let it through, a problem refuses it.

Each profile reads only its own headers, since a client can send the others'. Demands come from the query of
our own address, which the proxy's configuration writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from keystead.api.answer import Answer, Template, header_lines, last_lines, problem_answer, template
from keystead.api.by_policy import ByPolicy
from keystead.api.metrics import Metrics
from keystead.api.problem import FieldProblem, Problem, unavailable_problem
from keystead.api.refusals import challenges, refusal_problem
from keystead.domain.demands import make_demands
from keystead.domain.errors import InvalidInput, Unavailable
from keystead.domain.ids import key_id_bytes
from keystead.domain.keys import OwnerKind
from keystead.domain.networks import Address
from keystead.domain.policy import Policy, Rules
from keystead.domain.presented import Place
from keystead.domain.verdict import Attempt, Demands, Reason
from keystead.services.context import Context
from keystead.services.verify import verify
from keystead.web.facts import Heard, TokenPlaces, address_of, forwarded_address, has_override, heard, only
from keystead.web.head import Head

NONE = "-"
"""What an identity header says where there is nothing: always there, it overwrites a forged one."""

IDENTITY_HEADERS = (
    "X-Key-Id",
    "X-Key-Owner",
    "X-Key-Type",
    "X-Key-Organization",
    "X-Key-External-Id",
    "X-Key-Scopes",
    "X-Key-Environment",
)

DEGRADED_HEADER = "X-Auth-Degraded"
"""On an answer, as `1`: this node has not proved itself level with the database for a while."""

_DEMANDS = frozenset({"scopes", "environment", "type", "owner", "cost", "preflight"})
_DEGRADED = header_lines([(DEGRADED_HEADER, "1")])
_RETRY = ("Retry-After", "1")
_KEY_ID = f"{IDENTITY_HEADERS[0].lower()}: ".encode()
_ROUTES_KEPT = 1024
_QUERY_KEPT_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a kind of proxy sends, and what it understands.

    `statuses` None: any status; else those passed on, and any other becomes 403 with `X-Auth-Status`.
    """

    method: bytes
    path: bytes
    address: Callable[[Heard, tuple[str, ...]], Address | None]
    statuses: frozenset[int] | None = None


def _real_ip(values: Heard, _trusted: tuple[str, ...]) -> Address | None:
    value = only(values, b"x-real-ip")
    return None if value is None else address_of(value)


PROFILES: Mapping[str, Profile] = {
    "/auth": Profile(method=b"x-forwarded-method", path=b"x-forwarded-uri", address=forwarded_address),
    # nginx's auth_request turns any status but these into 500.
    "/auth/nginx": Profile(
        method=b"x-original-method",
        path=b"x-original-uri",
        address=_real_ip,
        statuses=frozenset({200, 401, 403}),
    ),
}


class _Route(NamedTuple):
    """What a forward-auth address asks of a key, with the refusal that tells of it."""

    demands: Demands
    lets_preflights: bool
    scope_missing: Template


class ForwardAuth:
    """Answers what trusted proxies ask in one profile; nothing in it waits."""

    def __init__(
        self,
        profile: Profile,
        *,
        context: Context,
        metrics: Metrics,
        places: tuple[Place, ...],
        trusted_proxies: tuple[str, ...],
    ) -> None:
        self._profile = profile
        self._context = context
        self._token_places = TokenPlaces(places)
        self._metrics = metrics
        self._places = places
        self._trusted_proxies = trusted_proxies
        self._refusals = {reason: self._refusal(reason) for reason in Reason}
        self._route = lru_cache(_ROUTES_KEPT)(self._read_route)
        self._identity = ByPolicy(_identity_lines)

    def answer(self, head: Head, request_id: str) -> Answer:
        """Judge the request that a trusted proxy holds; 503 when keys cannot be read."""
        try:
            query = head.query
            route = (self._route if len(query) <= _QUERY_KEPT_BYTES else self._read_route)(query)
        except InvalidInput as error:
            return self.told(_misconfigured(error, request_id))
        context, profile, values = self._context, self._profile, heard(head.headers)
        method = only(values, profile.method)
        presented = self._token_places.presented(values)
        if presented is Reason.MISSING and route.lets_preflights and _is_preflight(method, values):
            return Answer(200, f"{_NOBODY}{last_lines(request_id)}".encode())
        attempt = Attempt(
            context.clock_ms(),
            method,
            only(values, profile.path),
            only(values, b"origin"),
            profile.address(values, self._trusted_proxies),
            has_override(values),
        )
        try:
            verdict = verify(context, presented, attempt, route.demands)
        except Unavailable as error:
            return self.told(unavailable_problem(str(error), request_id), [_RETRY])
        reason, known = verdict.reason, verdict.known
        self._metrics.count_verdict(reason)
        degraded = _DEGRADED if verdict.age_ms >= context.freshness.fresh_for_ms else ""
        if known is not None and reason is None:
            lines = f"{self._identity(known.policy)}{degraded}{last_lines(request_id)}".encode()
            return Answer(200, b"%b%b\r\n%b" % (_KEY_ID, key_id_bytes(known.ids), lines))
        if reason is Reason.SCOPE_MISSING:
            return route.scope_missing.filled(request_id, degraded)
        return self._refusals[reason or Reason.UNKNOWN].filled(request_id, degraded)

    def told(self, problem: Problem, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        """A problem as an answer that the proxy understands."""
        return problem_answer(*self._understood(problem, headers))

    def _read_route(self, query: bytes) -> _Route:
        demands, preflight = _demands(query)
        return _Route(demands, preflight, self._refusal(Reason.SCOPE_MISSING, demands.scopes))

    def _refusal(self, reason: Reason, scopes: Sequence[str] = ()) -> Template:
        asked = [("WWW-Authenticate", it) for it in challenges(reason, self._places, scopes)]
        retry = [_RETRY] if reason is Reason.STALE else []
        return template(*self._understood(refusal_problem(reason, ""), [*asked, *retry]))

    def _understood(
        self, problem: Problem, headers: Sequence[tuple[str, str]]
    ) -> tuple[Problem, Sequence[tuple[str, str]]]:
        """A refusal in a status that the proxy understands; the true one goes along in a header."""
        statuses = self._profile.statuses
        if statuses is None or problem.status in statuses:
            return problem, headers
        told = msgspec.structs.replace(problem, status=403)
        return told, [*headers, ("X-Auth-Status", str(problem.status))]


def _demands(query: bytes) -> tuple[Demands, bool]:
    """The demands that the address's query makes, and whether it lets preflights through.

    An unknown or repeated parameter is refused: a demand that is misspelt must not be no demand.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in _DEMANDS or name in given:
            raise InvalidInput(
                name, f"write each of {', '.join(sorted(_DEMANDS))} at most once, and no other"
            )
        given[name] = value
    preflight = given.pop("preflight", None)
    if preflight not in {None, "allow"}:
        raise InvalidInput("preflight", "write allow, or leave it out")
    scopes = given.pop("scopes", None)
    wanted = (scopes or "").replace(",", " ").split()
    if scopes is not None and not wanted:
        raise InvalidInput("scopes", "name a scope, or leave it out")
    cost = given.pop("cost", "1")
    if not (cost.isascii() and cost.isdecimal() and len(cost) <= 7):  # noqa: PLR2004 - 1,000,000 has seven digits
        raise InvalidInput("cost", "write a whole number from 0 to 1000000")
    return make_demands(scopes=wanted, cost=int(cost), **given), preflight == "allow"


def _is_preflight(method: str | None, values: Heard) -> bool:
    """A CORS preflight (Fetch standard): OPTIONS with Origin and Access-Control-Request-Method."""
    asked = only(values, b"access-control-request-method")
    return method == "OPTIONS" and only(values, b"origin") is not None and asked is not None


def _lines(values: Sequence[str], names: Sequence[str]) -> str:
    """Identity headers; a proxy that caches must not keep them."""
    return header_lines([*zip(names, values, strict=True), ("Cache-Control", "no-store")])


def _identity_lines(policy: Policy) -> str:
    """All the identity headers but the key's id, `-` in each where there is nothing to say."""
    rules, organization = policy.rules, policy.organization
    values = (
        _owner(rules),
        rules.type,
        rules.organization_id or NONE,
        (organization.external_id if organization else None) or NONE,
        " ".join(rules.scopes) or NONE,
        rules.environment,
    )
    return _lines(values, IDENTITY_HEADERS[1:])


_NOBODY = _lines([NONE] * len(IDENTITY_HEADERS), IDENTITY_HEADERS)


def _owner(rules: Rules) -> str:
    return NONE if rules.owner.kind is OwnerKind.INSTANCE else f"{rules.owner.kind}:{rules.owner.id}"


def _misconfigured(error: InvalidInput, request_id: str) -> Problem:
    return Problem(
        type="invalid-input",
        title="Invalid input",
        status=422,
        detail=f"The proxy's forward-auth address is wrong: {error}.",
        request_id=request_id,
        errors=[FieldProblem(field=error.field, problem=error.problem)],
    )
