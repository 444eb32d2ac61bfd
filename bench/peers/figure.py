"""What a peer hands back: how fast it was, or why it is missing; and how a server is reached."""

import secrets
from dataclasses import dataclass

from keystead.domain.keys import Environment
from keystead.domain.tokens import TOKEN_ENTROPY_BYTES, TokenKind, make_token

KEYS = 10_000
CORE = 1
"""Where what is measured runs; the load comes from core 0."""


class Missing(Exception):
    """The peer cannot be measured here; `reason` is for the table."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Accepted verifications a second on one core; the time half and all but a hundredth took at most.

    `note` says what was checked and how, for the table.
    """

    name: str
    per_second: float
    p50_us: float
    p99_us: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server: where to send what a proxy would ask, and the processes that answer."""

    url: str
    pids: tuple[int, ...]


def some_tokens(count: int) -> list[str]:
    """Secret tokens as Keystead makes them: every peer that takes foreign tokens gets the same kind."""
    made = (
        make_token("ks", TokenKind.SECRET, Environment.LIVE, secrets.token_bytes(TOKEN_ENTROPY_BYTES))
        for _ in range(count)
    )
    return [token.reveal() for token in made]
