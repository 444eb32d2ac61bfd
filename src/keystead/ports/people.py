"""What services ask for people's sake: hashing passwords, counting guesses, and mail with its words."""

from datetime import datetime
from typing import Protocol

from keystead.domain.gcra import Admitted, Refused


class Passwords(Protocol):
    """Hashes passwords slowly, beside the event loop, a few at once; takes what `normalized` makes of them.

    Every method raises Unavailable when too many wait already.
    """

    async def hash(self, password: str) -> str:
        """A PHC string of today's cost, with a salt of its own."""

    async def verify(self, hashed: str | None, password: str | None) -> bool:
        """Whether the password is the one that was hashed.

        Takes the same time whatever it finds: where either is None, a hash of nobody's password is compared.
        """

    def needs_rehash(self, hashed: str) -> bool:
        """Whether it was hashed at another cost than today's."""


class Throttling(Protocol):
    """Allowances of one kind, of whoever comes; who stays away for long may be forgotten."""

    def take(self, who: str, now: datetime) -> Admitted | Refused:
        """Take one from somebody's allowance, or say when the next may be taken; then nothing is taken."""


class Words(Protocol):
    """Says things in the languages that people read."""

    def say(self, language: str | None, message_id: str, /, **values: str) -> str:
        """The text with this id, with the values as they are; in English where there is no such language."""


class Mail(Protocol):
    """Sends mail to people."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand a plain text over to the mail server. Raises Unavailable when it is not taken."""
