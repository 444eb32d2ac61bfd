"""May this key do this, here, now? The checks, in the order they are judged, and the verdict."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from keystead.domain.ids import KeyId, VersionId, pack_ids, unpack_ids
from keystead.domain.instants import NEVER, at_ms
from keystead.domain.keys import Environment, Key, KeyType, OwnerKind, Version
from keystead.domain.networks import Address, network_allowed
from keystead.domain.origins import origin_allowed
from keystead.domain.paths import canonical_path
from keystead.domain.policy import Policy
from keystead.domain.scopes import scopes_cover


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


# Attempts, what is known and verdicts are made at every verification: frozen, each would take a microsecond
# more. Nothing changes them all the same.


@dataclass(slots=True)
class Attempt:
    """The circumstances of one presented token; None where the caller did not say.

    `now_ms` is in milliseconds since 1970. What is missing is never made up: a check that the key carries and
    the attempt gives no input for fails. `path` is raw, as sent; `overridden` says that a method-override
    header came along.
    """

    now_ms: int
    method: str | None = None
    path: str | None = None
    origin: str | None = None
    address: Address | None = None
    overridden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the route asks of the key; None stands for any. Never taken from a client's header."""

    scopes: tuple[str, ...] = ()
    environment: Environment | None = Environment.LIVE
    type: KeyType | None = None
    owner: OwnerKind | None = OwnerKind.APP
    cost: int = 1


@dataclass(slots=True)
class Known:
    """A key found by its token, with all that a verdict on it needs: the shape in which it is looked up.

    Instants are milliseconds since 1970,
    `NEVER` for none, and the first instant of refusal; `retires_at_ms` is the presented version's.
    """

    ids: bytes
    """The key's id and the presented version's, packed (`ids.pack_ids`)."""
    revoked: bool
    disabled: bool
    expires_at_ms: int
    retires_at_ms: int
    policy: Policy
    about: bytes
    """The key's name and metadata, packed (`pack_about`)."""

    @property
    def key_id(self) -> KeyId:
        """The key's id."""
        return unpack_ids(self.ids)[0]

    @property
    def version_id(self) -> VersionId:
        """The id of the version whose token was presented."""
        return unpack_ids(self.ids)[1]

    @property
    def name(self) -> str:
        """The key's name."""
        return self.about.partition(b"\0")[0].decode()

    @property
    def metadata_json(self) -> bytes:
        """The provider's facts on the key, a JSON object."""
        return self.about.partition(b"\0")[2] or b"{}"

    @property
    def metadata(self) -> Mapping[str, object]:
        """The provider's facts on the key."""
        return cast("dict[str, Any]", json.loads(self.metadata_json))


def known_of(key: Key, version: Version, policy: Policy) -> Known:
    """`key` as found by the token of `version`."""
    return Known(
        ids=pack_ids(key.id, version.id),
        revoked=key.revoked_at is not None,
        disabled=key.disabled_at is not None,
        expires_at_ms=NEVER if key.expires_at is None else at_ms(key.expires_at),
        retires_at_ms=NEVER if version.retires_at is None else at_ms(version.retires_at),
        policy=policy,
        about=pack_about(key.name, key.metadata),
    )


def pack_about(name: str, metadata: Mapping[str, object]) -> bytes:
    """A name, and behind a zero byte the metadata as JSON unless there are none."""
    plain = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False) if metadata else ""
    return f"{name}\0{plain}".encode() if plain else name.encode()


@dataclass(slots=True)
class Verdict:
    """Accepted (`reason` None), or refused with a reason; `known` only when the token is.

    `age_ms` is how long ago, as far as is known, what it rests on was proved to be the newest.
    """

    reason: Reason | None
    known: Known | None = None
    age_ms: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the attempt is let through."""
        return self.reason is None


def _revoked(known: Known, _attempt: Attempt, _demands: Demands) -> bool:
    return known.revoked or known.policy.left


def _disabled(known: Known, _attempt: Attempt, _demands: Demands) -> bool:
    return known.disabled or known.policy.suspended


def _expired(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    return attempt.now_ms >= known.expires_at_ms


def _retired(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    return attempt.now_ms >= known.retires_at_ms


def _wrong_environment(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.environment is not None and known.policy.rules.environment is not demands.environment


def _wrong_type(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.type is not None and known.policy.rules.type is not demands.type


def _wrong_owner(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return demands.owner is not None and known.policy.rules.owner.kind is not demands.owner


def _network_denied(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    lists = known.policy.networks
    return bool(lists) and (
        attempt.address is None or not all(network_allowed(attempt.address, allowed) for allowed in lists)
    )


def _origin_denied(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    lists = known.policy.origins
    return bool(lists) and (
        attempt.origin is None or not all(origin_allowed(attempt.origin, allowed) for allowed in lists)
    )


def _ambiguous_request(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    policy = known.policy
    if attempt.overridden and (policy.matcher is not None or policy.rules.type is KeyType.PUBLIC):
        return True
    return policy.matcher is not None and attempt.path is not None and canonical_path(attempt.path) is None


def _constraint_unmet(known: Known, attempt: Attempt, _demands: Demands) -> bool:
    policy = known.policy
    if policy.rules.type is KeyType.PUBLIC and not _public_method_met(policy, attempt):
        return True
    if policy.matcher is None:
        return False
    path = None if attempt.path is None else canonical_path(attempt.path)
    return attempt.method is None or path is None or not policy.matcher.matches(attempt.method, path)


def _public_method_met(policy: Policy, attempt: Attempt) -> bool:
    return policy.organization is not None and attempt.method in policy.organization.public_methods


def _scope_missing(known: Known, _attempt: Attempt, demands: Demands) -> bool:
    return bool(demands.scopes) and not scopes_cover(known.policy.rules.scopes, demands.scopes)


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


def decide(known: Known, attempt: Attempt, demands: Demands) -> Reason | None:  # noqa: C901, PLR0911, PLR0912 - a list
    """Say why `known` must be refused for `attempt`, or None to let it through.

    Checks stop at the first failure, in the order of `CHECKS`: a key both revoked and expired is REVOKED.
    They are written out here, since calling each would take as long as all the rest of a verification; a
    property holds the two together.
    """
    policy, now_ms = known.policy, attempt.now_ms
    rules, matcher = policy.rules, policy.matcher
    if known.revoked or policy.left:
        return Reason.REVOKED
    if known.disabled or policy.suspended:
        return Reason.DISABLED
    if now_ms >= known.expires_at_ms:
        return Reason.EXPIRED
    if now_ms >= known.retires_at_ms:
        return Reason.RETIRED
    if demands.environment is not None and rules.environment is not demands.environment:
        return Reason.WRONG_ENVIRONMENT
    if demands.type is not None and rules.type is not demands.type:
        return Reason.WRONG_TYPE
    if demands.owner is not None and rules.owner.kind is not demands.owner:
        return Reason.WRONG_OWNER
    if policy.networks and _network_denied(known, attempt, demands):
        return Reason.NETWORK_DENIED
    if policy.origins and _origin_denied(known, attempt, demands):
        return Reason.ORIGIN_DENIED
    if attempt.overridden and _ambiguous_request(known, attempt, demands):
        return Reason.AMBIGUOUS_REQUEST
    if matcher is not None:
        path = None if attempt.path is None else canonical_path(attempt.path)
        if path is None and attempt.path is not None:
            return Reason.AMBIGUOUS_REQUEST
        if path is None or attempt.method is None or not matcher.matches(attempt.method, path):
            return Reason.CONSTRAINT_UNMET
    if rules.type is KeyType.PUBLIC and not _public_method_met(policy, attempt):
        return Reason.CONSTRAINT_UNMET
    if demands.scopes and not scopes_cover(rules.scopes, demands.scopes):
        return Reason.SCOPE_MISSING
    return None


def explain(known: Known, attempt: Attempt, demands: Demands) -> tuple[tuple[Reason, bool], ...]:
    """Every check with whether it passed, in the order judged; nothing stops at the first failure."""
    return tuple((reason, not refuses(known, attempt, demands)) for reason, refuses in CHECKS)
