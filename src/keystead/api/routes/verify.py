"""Verify as the document tells it: what is sent, and what is answered."""

from typing import Annotated, Any, Literal

from litestar import Request, Router, post
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType, field

from keystead.api.routes.answers import errors
from keystead.api.wire import Instant, OwnerView, View
from keystead.domain.keys import Environment, KeyType
from keystead.domain.verdict import Reason
from keystead.services.drafts import Draft


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


async def _find_nothing(_request: Request[Any, Any, Any]) -> None:
    """Before the handler: what comes this way wrote the path in another spelling."""
    raise NotFoundException


@post("/verify", status_code=200, responses=errors(413), tags=["Verify"], before_request=_find_nothing)
async def post_verify(data: JSONBody[VerifyRequest]) -> VerifyAnswer:  # noqa: ARG001 - for the document
    """Judge one attempt. A refused key is an answer (200, `valid: false`), not an error."""
    # `api/verify.py` answers before requests are routed; this stands for it in the document, and the router
    # answers other methods because of it.
    raise NotFoundException


VERIFY_ROUTES = Router(path="/", route_handlers=[post_verify])
