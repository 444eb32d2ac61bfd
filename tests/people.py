"""What people need of the outside, for tests: hashes that cost nothing, and mail that is kept."""

from typing import Any

from keystead.dashboard.words import CatalogWords
from keystead.domain.errors import Unavailable
from keystead.services.context import People


class PlainPasswords:
    """Hashes nothing; `done` says what was asked of it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.cost = 1

    async def hash(self, password: str) -> str:
        self.done.append("hash")
        return f"{self.cost}:{password}"

    async def verify(self, hashed: str | None, password: str | None) -> bool:
        self.done.append("verify")
        return None not in {hashed, password} and str(hashed).partition(":")[2] == password

    def needs_rehash(self, hashed: str) -> bool:
        return not hashed.startswith(f"{self.cost}:")


class KeptMail:
    """Keeps what it was to send; `away` makes it fail."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.away = False

    async def send(self, to: str, subject: str, text: str) -> None:
        if self.away:
            raise Unavailable("mail server")
        self.sent.append((to, subject, text))


def people(**changes: Any) -> People:
    """How people sign in, in tests."""
    return People(**{"passwords": PlainPasswords(), "words": CatalogWords(), **changes})
