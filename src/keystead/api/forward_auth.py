"""Forward-auth: a proxy asks about a request it holds; identity headers let it through, a problem refuses it.

Each profile reads only its own headers, since a client can send the others'. Demands come from the query of
our own address, which the proxy's configuration writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from keystead.api.answer import Answer, problem_answer
from keystead.api.facts import Headers, forwarded_address, has_override, only
from keystead.api.metrics import Metrics
from keystead.api.problem import FieldProblem, Problem, unavailable_problem
from keystead.api.refusals import challenges, refusal_problem
from keystead.domain.demands import make_demands
from keystead.domain.errors import InvalidInput, Unavailable
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.networks import Address, parse_address
from keystead.domain.presented import Place, presented_token
from keystead.domain.verdict import Attempt, Demands, Known, Reason
from keystead.services.context import Context
from keystead.services.verify import verify

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

_DEMANDS = frozenset({"scopes", "environment", "type", "owner", "cost", "preflight"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a kind of proxy sends, and what it understands.

    `statuses` None: any status; else those passed on, and any other becomes 403 with `X-Auth-Status`.
    """

    method: bytes
    path: bytes
    address: Callable[[Headers, tuple[str, ...]], Address | None]
    statuses: frozenset[int] | None = None


def _real_ip(headers: Headers, _trusted: tuple[str, ...]) -> Address | None:
    value = only(headers, b"x-real-ip")
    return None if value is None else parse_address(value)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuth:
    """Answers forward-auth requests of trusted proxies."""

    context: Context
    metrics: Metrics
    places: tuple[Place, ...]
    trusted_proxies: tuple[str, ...]

    async def answer(self, profile: Profile, headers: Headers, query: bytes, request_id: str) -> Answer:
        """Judge the request that a trusted proxy holds; 503 when keys cannot be read."""
        try:
            demands, preflight = _demands(query)
        except InvalidInput as error:
            return _refusal(profile, _misconfigured(error, request_id))
        presented = presented_token(headers, self.places)
        method = only(headers, profile.method)
        if preflight and presented is Reason.MISSING and _is_preflight(method, headers):
            return _accepted(None)
        attempt = Attempt(
            now=self.context.clock(),
            method=method,
            path=only(headers, profile.path),
            origin=only(headers, b"origin"),
            address=profile.address(headers, self.trusted_proxies),
            overridden=has_override(headers),
        )
        try:
            verdict = await verify(self.context, presented, attempt, demands)
        except Unavailable as error:
            return _refusal(profile, unavailable_problem(str(error), request_id))
        self.metrics.count_verdict(verdict.reason)
        if verdict.reason is None:
            return _accepted(verdict.known)
        asked = challenges(verdict.reason, self.places, demands.scopes)
        return _refusal(profile, refusal_problem(verdict.reason, request_id), asked)


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


def _is_preflight(method: str | None, headers: Headers) -> bool:
    """A CORS preflight (Fetch standard): OPTIONS with Origin and Access-Control-Request-Method."""
    asked = only(headers, b"access-control-request-method")
    return method == "OPTIONS" and only(headers, b"origin") is not None and asked is not None


def _accepted(known: Known | None) -> Answer:
    """All the identity headers, `-` in each where there is no key; a proxy that caches must not keep them."""
    values = (NONE,) * len(IDENTITY_HEADERS) if known is None else _identity_values(known)
    identity = zip(IDENTITY_HEADERS, values, strict=True)
    return Answer(status=200, headers=(*identity, ("Cache-Control", "no-store")))


def _identity_values(known: Known) -> tuple[str, ...]:
    key = known.key
    external_id = known.organization.external_id if known.organization else None
    return (
        key.id,
        _owner(key),
        key.type,
        key.organization_id or NONE,
        external_id or NONE,
        " ".join(key.scopes) or NONE,
        key.environment,
    )


def _owner(key: Key) -> str:
    return NONE if key.owner.kind is OwnerKind.INSTANCE else f"{key.owner.kind}:{key.owner.id}"


def _refusal(profile: Profile, problem: Problem, asked: Sequence[str] = ()) -> Answer:
    """A refusal in a status that the proxy understands; the true one goes along in a header."""
    headers = [("WWW-Authenticate", challenge) for challenge in asked]
    if profile.statuses is not None and problem.status not in profile.statuses:
        headers.append(("X-Auth-Status", str(problem.status)))
        problem = msgspec.structs.replace(problem, status=403)
    return problem_answer(problem, headers)


def _misconfigured(error: InvalidInput, request_id: str) -> Problem:
    return Problem(
        type="invalid-input",
        title="Invalid input",
        status=422,
        detail=f"The proxy's forward-auth address is wrong: {error}.",
        request_id=request_id,
        errors=[FieldProblem(field=error.field, problem=error.problem)],
    )
