"""What every service is given: the seams, the bounds, and who is asking."""

import hashlib
import hmac
from dataclasses import dataclass, field

from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, make_id
from keystead.domain.keys import Environment, Version
from keystead.domain.powers import Principal
from keystead.domain.tokens import TOKEN_ENTROPY_BYTES, Token, TokenKind, make_token
from keystead.domain.verdict import Attempt
from keystead.ports import Clock, Entropy, Index, Store, Uses

MIN_SEAL_BYTES = 16


class Seals:
    """HMAC-SHA256 with the instance's secret key, one derived key a purpose."""

    def __init__(self, secret_key: bytes) -> None:
        self._secret_key = secret_key

    def seal(self, purpose: str, message: bytes) -> bytes:
        """32 bytes that only a holder of the secret key can make for this purpose and message."""
        derived = hmac.digest(self._secret_key, purpose.encode(), hashlib.sha256)
        return hmac.digest(derived, message, hashlib.sha256)

    def matches(self, seal: bytes, purpose: str, message: bytes) -> bool:
        """Whether `seal` is the first 16 bytes or more of the message's; in constant time."""
        return len(seal) >= MIN_SEAL_BYTES and hmac.compare_digest(
            seal, self.seal(purpose, message)[: len(seal)]
        )

    def __repr__(self) -> str:
        return "Seals()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one tenant may hold."""

    keys_per_owner: int = 1_000
    apps_per_organization: int = 100
    members_per_organization: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The seams and settings that services work with; made by `wiring`, one a process."""

    store: Store
    index: Index
    uses: Uses
    clock: Clock
    entropy: Entropy
    seals: Seals
    bounds: Bounds = Bounds()
    token_prefix: str = "ks"  # noqa: S105 - not a password
    running: set[tuple[str, str, str, str]] = field(default_factory=set)
    """Requests with an `Idempotency-Key` that are under way in this process."""

    def new_id(self, kind: IdKind) -> str:
        """A fresh id."""
        return make_id(kind, self.entropy(ID_ENTROPY_BYTES))

    def new_token(self, kind: TokenKind, environment: Environment) -> Token:
        """A fresh token."""
        return make_token(self.token_prefix, kind, environment, self.entropy(TOKEN_ENTROPY_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """An `Idempotency-Key` with the request it came on; `body` as sent, of which only an HMAC is kept."""

    method: str
    path: str
    key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, and from where; `version` is the one whose token was presented, None without a token.

    `attempt` is what its key was judged on, and with `unconstrained` its constraints were left out: whoever
    writes judges it again.
    """

    principal: Principal
    version: Version | None = None
    attempt: Attempt | None = None
    unconstrained: bool = False
    address: str | None = None
    request_id: str | None = None
    once: Once | None = None
