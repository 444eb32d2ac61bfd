"""What services ask for people's sake: hashing passwords, and sending mail."""

from typing import Protocol


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


class Mail(Protocol):
    """Sends mail to people."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand a plain text over to the mail server. Raises Unavailable when it is not taken."""
