"""May this key do this, here, now? The checks, in the order they are judged, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from keystead.domain.constraints import compile_constraints
from keystead.domain.keys import Environment, Key, KeyType, OwnerKind, Version
from keystead.domain.networks import network_allowed
from keystead.domain.origins import origin_allowed
from keystead.domain.paths import canonical_path
from keystead.domain.scopes import scopes_cover
from keystead.domain.tenants import App, Organization, Role, User


class Reason(StrEnum):
    """Why an attempt is refused: a closed set, in the order judged."""

    STALE = "STALE"
    MISSING = "MISSING"
    MALFORMED = "MALFORMED"
    UNKNOWN = "UNKNOWN"
    REVOKED = "REVOKED"
    DISABLED = "DISABLED"
    EXPIRED = "EXPIRED"
    RETIRED = "RETIRED"
    WRONG_ENVIRONMENT = "WRONG_ENVIRONMENT"
    WRONG_TYPE = "WRONG_TYPE"
    WRONG_OWNER = "WRONG_OWNER"
    NETWORK_DENIED = "NETWORK_DENIED"
    ORIGIN_DENIED = "ORIGIN_DENIED"
    AMBIGUOUS_REQUEST = "AMBIGUOUS_REQUEST"
    CONSTRAINT_UNMET = "CONSTRAINT_UNMET"
    SCOPE_MISSING = "SCOPE_MISSING"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The circumstances of one presented token; None where the caller did not say.

    What is missing is never made up: a check that the key carries and the attempt gives no input for fails.
    `path` is raw, as sent; `overridden` says that a method-override header came along.
    """

    now: datetime
    method: str | None = None
    path: str | None = None
    origin: str | None = None
    address: IPv4Address | IPv6Address | None = None
    overridden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the route asks of the key; None stands for any. Never taken from a client's header."""

    scopes: tuple[str, ...] = ()
    environment: Environment | None = Environment.LIVE
    type: KeyType | None = None
    owner: OwnerKind | None = OwnerKind.APP
    cost: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A key found by its token, with all that a verdict on it needs.

    `version` is the one whose token was presented, and may be the only one in `key.versions`. `app` stands
    for app keys; `user` and the user's `role` in the organization (None: no longer a member) for personal
    keys; root keys have neither.
    """

    key: Key
    version: Version
    organization: Organization | None = None
    app: App | None = None
    user: User | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Accepted (`reason` None), or refused with a reason; `known` only when the token is."""

    reason: Reason | None
    known: Known | None = None

    @property
    def accepted(self) -> bool:
        """Whether the attempt is let through."""
        return self.reason is None


def _revoked(known: Known, _attempt: Attempt, _demands: Demands) -> bool:
    # Leaving an organization revokes the personal keys there; a missing role refuses them even if it did not.
    left = known.key.owner.kind is OwnerKind.USER and known.role is None
    return known.key.revoked_at is not None or left


def _disabled(known: Known, _attempt: Attempt, _demands: Demands) -> bool:
    above = (known.organization, known.app, known.user)
    return known.key.disabled_at is not None or any(
        it is not None and it.suspension is not None for it in above
    )


def _expired(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    return known.key.is_expired(attempt.now)


def _retired(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    return not known.version.is_live(attempt.now)


def _wrong_environment(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.environment is not None and known.key.environment is not demands.environment


def _wrong_type(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.type is not None and known.key.type is not demands.type


def _wrong_owner(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.owner is not None and known.key.owner.kind is not demands.owner


def _network_denied(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    lists = (known.key.allowed_networks, known.app.allowed_networks if known.app else ())
    return any(
        allowed and (attempt.address is None or not network_allowed(attempt.address, allowed))
        for allowed in lists
    )


def _origin_denied(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    lists = (known.key.allowed_origins, known.app.allowed_origins if known.app else ())
    return any(
        allowed and (attempt.origin is None or not origin_allowed(attempt.origin, allowed))
        for allowed in lists
    )


def _ambiguous_request(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    constrained = bool(known.key.constraints)
    if attempt.overridden and (constrained or known.key.type is KeyType.PUBLIC):
        return True
    return constrained and attempt.path is not None and canonical_path(attempt.path) is None


def _constraint_unmet(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    return _public_method_unmet(known, attempt) or _constraints_unmet(known.key, attempt)


def _public_method_unmet(known: Known, attempt: Attempt) -> bool:
    if known.key.type is not KeyType.PUBLIC:
        return False
    return known.organization is None or attempt.method not in known.organization.ceiling.public_methods


def _constraints_unmet(key: Key, attempt: Attempt) -> bool:
    if not key.constraints:
        return False
    path = None if attempt.path is None else canonical_path(attempt.path)
    if attempt.method is None or path is None:
        return True
    return not compile_constraints(key.constraints).matches(attempt.method, path)


def _scope_missing(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return not scopes_cover(known.key.scopes, demands.scopes)


Refuses = Callable[[Known, Attempt, Demands], bool]

CHECKS: tuple[tuple[Reason, Refuses], ...] = (
    (Reason.REVOKED, _revoked),
    (Reason.DISABLED, _disabled),
    (Reason.EXPIRED, _expired),
    (Reason.RETIRED, _retired),
    (Reason.WRONG_ENVIRONMENT, _wrong_environment),
    (Reason.WRONG_TYPE, _wrong_type),
    (Reason.WRONG_OWNER, _wrong_owner),
    (Reason.NETWORK_DENIED, _network_denied),
    (Reason.ORIGIN_DENIED, _origin_denied),
    (Reason.AMBIGUOUS_REQUEST, _ambiguous_request),
    (Reason.CONSTRAINT_UNMET, _constraint_unmet),
    (Reason.SCOPE_MISSING, _scope_missing),
)
"""What is judged of a known key, in order; each function says whether it refuses."""


def decide(known: Known, attempt: Attempt, demands: Demands) -> Reason | None:
    """Say why `known` must be refused for `attempt`, or None to let it through.

    Checks stop at the first failure, in the order of `CHECKS`: a key both revoked and expired is REVOKED.
    """
    for reason, refuses in CHECKS:
        if refuses(known, attempt, demands):
            return reason
    return None


def explain(known: Known, attempt: Attempt, demands: Demands) -> tuple[tuple[Reason, bool], ...]:
    """Every check with whether it passed, in the order judged; nothing stops at the first failure."""
    return tuple((reason, not refuses(known, attempt, demands)) for reason, refuses in CHECKS)
