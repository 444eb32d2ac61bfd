"""What every service is given: the seams, the bounds, and who is asking."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, NodeId, VersionId, make_id
from keystead.domain.instants import at
from keystead.domain.keys import Environment
from keystead.domain.powers import Principal, System
from keystead.domain.secrets import SECRET_ENTROPY_BYTES, Secret, make_secret
from keystead.domain.tokens import TOKEN_ENTROPY_BYTES, Token, TokenKind, make_token
from keystead.domain.verdict import Attempt
from keystead.ports.chance import Clock, Entropy
from keystead.ports.people import Mail, Passwords, Words
from keystead.ports.replica import Replica
from keystead.ports.store import Store, Uses
from keystead.services.guessing import Guessing

MIN_SEAL_BYTES = 16
_UNNAMED = NodeId(make_id(IdKind.NODE, bytes(ID_ENTROPY_BYTES)))


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
class Freshness:
    """How long after this node last proved itself level with the primary it serves as if it still were.

    From `fresh_for_ms` on it is degraded, and says so; from `stale_limit_ms` on it refuses with STALE.
    """

    fresh_for_ms: int = 2_000
    stale_limit_ms: int = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How people sign in here. `address` is where they reach us, without a `/` at its end.

    `mail` None: no mail server was named, so that links are shown to whoever makes them, and not sent.
    `return_urls` are those below which the link back to a provider may lead.
    """

    passwords: Passwords
    words: Words
    mail: Mail | None = None
    address: str = "http://localhost:8420"
    product_name: str = "Keystead"
    session_lifetime: timedelta = timedelta(days=14)
    sign_up_open: bool = False
    return_urls: tuple[str, ...] = ()
    guessing: Guessing = field(default_factory=Guessing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The seams and settings that services work with; made by `wiring`, one a process."""

    store: Store
    replica: Replica
    uses: Uses
    clock_ms: Clock
    entropy: Entropy
    seals: Seals
    people: People
    bounds: Bounds = Bounds()
    freshness: Freshness = Freshness()
    token_prefix: str = "ks"  # noqa: S105 - not a password
    node_id: NodeId = _UNNAMED
    node_name: str = "local"
    running: set[tuple[str, str, str, str]] = field(default_factory=set)
    """Requests with an `Idempotency-Key` that are under way in this process."""

    def clock(self) -> datetime:
        """Now, as aware UTC in whole milliseconds."""
        return at(self.clock_ms())

    def new_id(self, kind: IdKind) -> str:
        """A fresh id."""
        return make_id(kind, self.entropy(ID_ENTROPY_BYTES))

    def new_token(self, kind: TokenKind, environment: Environment) -> Token:
        """A fresh token."""
        return make_token(self.token_prefix, kind, environment, self.entropy(TOKEN_ENTROPY_BYTES))

    def new_secret(self) -> Secret:
        """A fresh secret, for a session or a link."""
        return make_secret(self.entropy(SECRET_ENTROPY_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """An `Idempotency-Key` with the request it came on; `body` as sent, of which only an HMAC is kept."""

    method: str
    path: str
    key: str
    body: bytes = field(repr=False)


def _no_one() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, and from where; `version_id` is of the one whose token was presented, None without a token.

    `attempt` is what its key was judged on, and with `unconstrained` its constraints were left out: whoever
    writes judges it again.
    """

    principal: Principal
    version_id: VersionId | None = None
    attempt: Attempt | None = None
    unconstrained: bool = False
    address: str | None = None
    request_id: str | None = None
    once: Once | None = None
    on_epoch: Callable[[], None] = _no_one
    """Called when a mutation makes its epoch: nobody else changes anything until it is committed."""
    wait: timedelta | None = None
    """How long a change may wait for all nodes to have applied it; None: it does not."""
    language: str | None = None
    """What who asks reads, as far as the door knows: they are written to in it, and whom they invite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A browser that nobody is signed in with yet: where it calls from, and what it brings.

    `session` and `device` are what its cookies hold, as sent: a session that it had ends when it signs in.
    `language` is what it asks for: letters to whoever is before it are written in that.
    """

    address: str | None = None
    agent: str = ""
    request_id: str | None = None
    session: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    language: str | None = None

    @property
    def actor(self) -> Actor:
        """Who acts until somebody let themselves in (see `Mutation.become`): Keystead itself."""
        return Actor(principal=System(), address=self.address, request_id=self.request_id)
