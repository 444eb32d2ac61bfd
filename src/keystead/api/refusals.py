"""How each Reason reads over HTTP: status, problem type, sentence and challenge (RFC 9457, RFC 6750)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from keystead.api.problem import Problem
from keystead.domain.presented import Place
from keystead.domain.verdict import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the one who presents a token is told. MALFORMED and UNKNOWN read alike, on purpose."""

    status: int
    slug: str
    title: str
    detail: str


def _refusal(status: int, slug: str, title: str, detail: str) -> Refusal:
    return Refusal(status=status, slug=slug, title=title, detail=detail)


_INVALID = _refusal(
    401, "invalid-token", "Invalid token", "The token is not one that is known here. Check it for typos."
)

REFUSALS: dict[Reason, Refusal] = {
    Reason.STALE: _refusal(
        503, "stale", "Not up to date", "Keys cannot be judged right now. Try again in a moment."
    ),
    Reason.MISSING: _refusal(401, "missing", "Token missing", "Send a token as `Authorization: Bearer …`."),
    Reason.MALFORMED: _INVALID,
    Reason.UNKNOWN: _INVALID,
    Reason.REVOKED: _refusal(
        401, "revoked", "Key revoked", "The key was revoked. Ask its owner for another."
    ),
    Reason.DISABLED: _refusal(
        401, "disabled", "Key disabled", "The key, or what it belongs to, is disabled for now."
    ),
    Reason.EXPIRED: _refusal(
        401, "expired", "Key expired", "The key has expired. Rotate it with a new expiry."
    ),
    Reason.RETIRED: _refusal(401, "retired", "Token retired", "The key was rotated. Use its newest token."),
    Reason.WRONG_ENVIRONMENT: _refusal(
        403,
        "wrong-environment",
        "Wrong environment",
        "The key is for another environment, live or test, than this.",
    ),
    Reason.WRONG_TYPE: _refusal(
        403, "wrong-type", "Wrong type of key", "This asks for the other type of key."
    ),
    Reason.WRONG_OWNER: _refusal(
        403, "wrong-owner", "Wrong kind of key", "This asks for another kind of key."
    ),
    Reason.NETWORK_DENIED: _refusal(
        403, "network-denied", "Network denied", "The key may not be used from this address."
    ),
    Reason.ORIGIN_DENIED: _refusal(
        403, "origin-denied", "Origin denied", "The key may not be used from this origin."
    ),
    Reason.AMBIGUOUS_REQUEST: _refusal(
        403,
        "ambiguous-request",
        "Ambiguous request",
        "The path could be read in two ways. Send it in its plain form.",
    ),
    Reason.CONSTRAINT_UNMET: _refusal(
        403,
        "constraint-unmet",
        "Constraint unmet",
        "The key's constraints do not allow this method on this path.",
    ),
    Reason.SCOPE_MISSING: _refusal(
        403, "scope-missing", "Scope missing", "The key lacks a scope that this needs."
    ),
    Reason.RATE_LIMITED: _refusal(
        429, "rate-limited", "Rate limited", "Too many requests. Wait, then try again."
    ),
    Reason.QUOTA_EXCEEDED: _refusal(429, "quota-exceeded", "Quota exceeded", "The key's quota is used up."),
}


def refusal_problem(reason: Reason, request_id: str) -> Problem:
    """A refusal as a problem: its type is the reason in lower case with hyphens."""
    refusal = REFUSALS[reason]
    return Problem(
        type=refusal.slug,
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        request_id=request_id,
    )


def challenges(reason: Reason, places: Collection[Place], scopes: Sequence[str] = ()) -> list[str]:
    """The `WWW-Authenticate` values that go with a refusal; none where no other token would help.

    Without credentials a bare challenge, else the error code of RFC 6750. `ApiKey` is named too where
    `X-API-Key` is read.
    """
    refusal = REFUSALS[reason]
    if reason is Reason.SCOPE_MISSING:
        return [f'Bearer realm="api", error="insufficient_scope", scope="{" ".join(scopes)}"']
    if refusal.status != 401:  # noqa: PLR2004 - the status is the point
        return []
    error = "" if reason is Reason.MISSING else ', error="invalid_token"'
    bearer = [f'Bearer realm="api"{error}'] if Place.AUTHORIZATION in places else []
    return bearer + (['ApiKey realm="api"'] if Place.X_API_KEY in places else [])
