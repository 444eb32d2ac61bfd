"""Verify: may this key do this, here, now."""

from typing import Annotated, Literal

from litestar import Router, post
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType, field

from keystead.api.desk import AtDesk
from keystead.api.routes.answers import errors
from keystead.api.wire import Instant, OwnerView, View
from keystead.domain.demands import make_demands
from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment, KeyType
from keystead.domain.networks import Address, parse_address
from keystead.domain.powers import Power
from keystead.domain.tenants import App, Organization
from keystead.domain.tokens import Token, presentable
from keystead.domain.verdict import Attempt, Known, Reason
from keystead.services.access import require
from keystead.services.drafts import Draft
from keystead.services.verify import explain_verify, verify


class VerifyRequest(Draft):
    """One attempt: the token that a client presented, its circumstances, and what the route demands.

    Nothing is guessed: what is left out is missing, and a check of the key that needs it refuses.
    """

    token: Annotated[str, Meta(description="The token as it was presented.")]
    method: Annotated[str, Meta(description="The request's method.", examples=["GET"])] | None = None
    path: (
        Annotated[str, Meta(description="The request's path, raw as sent.", examples=["/jobs/7"])] | None
    ) = None
    origin: Annotated[str, Meta(description="The request's Origin header.")] | None = None
    ip: (
        Annotated[str, Meta(description="The client's address.", max_length=64, examples=["203.0.113.9"])]
        | None
    ) = None
    user_agent: Annotated[str, Meta(description="The request's User-Agent header.")] | None = None
    explain: Annotated[bool, Meta(description="Answer with every check; count nothing.")] = False
    scopes: Annotated[list[str], Meta(max_length=64, description="Scopes the route needs, all of them.")] = (
        field(default_factory=list)
    )
    environment: Literal["live", "test", "any"] = "live"
    type: Literal["secret", "public", "any"] = "any"
    owner: Literal["app", "user", "any"] = "app"
    cost: Annotated[int, Meta(ge=0, le=1_000_000, description="What the call costs.")] = 1


class TenantFacts(View):
    """The key's app, or its organization."""

    id: str
    external_id: str | None
    metadata: dict[str, object]


class KeyFacts(View):
    """What verify tells of a known key."""

    id: str
    name: str
    type: KeyType
    environment: Environment
    version_id: str
    owner: OwnerView
    app: TenantFacts | None
    organization: TenantFacts | None
    scopes: list[str]
    metadata: dict[str, object]
    expires_at: Instant | None


class CheckView(View):
    """A check, by the reason it would refuse with."""

    reason: Reason
    passed: bool


class VerifyAnswer(View, kw_only=True):
    """The verdict. `key` is there only when the token is known; `as_of`: when this node was last level."""

    valid: bool
    reason: Reason | None
    key: KeyFacts | UnsetType = UNSET
    limits: list[str]
    as_of: Instant
    degraded: bool
    checks: list[CheckView] | UnsetType = UNSET


@post("/verify", status_code=200, responses=errors(413), tags=["Verify"])
async def post_verify(data: JSONBody[VerifyRequest], desk: AtDesk) -> VerifyAnswer:
    """Judge one attempt. A refused key is an answer (200, `valid: false`), not an error."""
    require(desk.actor.principal, Power.VERIFY)
    now = desk.context.clock()
    demands = make_demands(
        scopes=data.scopes, environment=data.environment, type=data.type, owner=data.owner, cost=data.cost
    )
    attempt = Attempt(
        now=now, method=data.method, path=data.path, origin=data.origin, address=_address(data.ip)
    )
    checks: list[CheckView] | UnsetType = UNSET
    if data.explain:
        verdict, judged = await explain_verify(desk.context, _presented(data.token), attempt, demands)
        checks = [CheckView(reason=reason, passed=passed) for reason, passed in judged]
    else:
        verdict = await verify(desk.context, _presented(data.token), attempt, demands)
        desk.metrics.count_verdict(verdict.reason)
    return VerifyAnswer(
        valid=verdict.accepted,
        reason=verdict.reason,
        key=UNSET if verdict.known is None else _facts(verdict.known),
        limits=[],
        as_of=now,
        degraded=False,
        checks=checks,
    )


def _presented(text: str) -> Token | Reason:
    if not text:
        return Reason.MISSING
    return presentable(text) or Reason.MALFORMED


def _address(text: str | None) -> Address | None:
    address = None if text is None else parse_address(text)
    if text is not None and address is None:
        raise InvalidInput("ip", "write an IPv4 or IPv6 address, such as 203.0.113.9, or leave it out")
    return address


def _facts(known: Known) -> KeyFacts:
    key, app, organization = known.key, known.app, known.organization
    return KeyFacts(
        id=key.id,
        name=key.name,
        type=key.type,
        environment=key.environment,
        version_id=known.version.id,
        owner=OwnerView(kind=key.owner.kind, id=key.owner.id),
        app=_tenant(app),
        organization=_tenant(organization),
        scopes=list(key.scopes),
        metadata=dict(key.metadata),
        expires_at=key.expires_at,
    )


def _tenant(it: App | Organization | None) -> TenantFacts | None:
    if it is None:
        return None
    return TenantFacts(id=it.id, external_id=it.external_id, metadata=dict(it.metadata))


VERIFY_ROUTES = Router(path="/", route_handlers=[post_verify])
