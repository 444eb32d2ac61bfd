"""A session: one signed-in browser of a user. Its secret is in the browser's cookie, its digest is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from keystead.domain.errors import ProofNeeded
from keystead.domain.ids import SessionId, UserId

PROVEN_FOR = timedelta(minutes=10)
"""How long a password that was just given counts for what is dangerous."""

MAX_AGENT_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser, as its owner may know it. `expires_at` is the first instant of refusal.

    `last_seen_at` lags by a minute at most. `proven_at` is when the user last proved to be there: signing in
    counts. `address` and `agent` are what the browser signed in with; the agent is whatever it said.
    """

    id: SessionId
    user_id: UserId
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    proven_at: datetime
    address: str | None
    agent: str

    def is_live(self, now: datetime) -> bool:
        """Whether the session still stands at `now`."""
        return now < self.expires_at

    def is_proven(self, now: datetime) -> bool:
        """Whether the user proved to be there less than `PROVEN_FOR` before `now`."""
        return now < self.proven_at + PROVEN_FOR


def require_proven(session: Session, now: datetime) -> None:
    """Raise ProofNeeded unless the user proved to be there a short while ago."""
    if not session.is_proven(now):
        raise ProofNeeded


def make_agent(text: str) -> str:
    """What a browser says it is, printable and cut to 200 characters; people know their devices by it."""
    return "".join(it for it in text[:MAX_AGENT_LENGTH] if it.isprintable())
