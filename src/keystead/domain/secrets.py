"""Secrets of ours that are no tokens: what a session's cookie and a link carry.

43 base62 digits of 256 bits of chance. Only the digest is kept, made as a token's is (see `tokens`).
"""

import re

from keystead.domain.base62 import base62
from keystead.domain.tokens import Token

SECRET_ENTROPY_BYTES = 32

_LENGTH = 43
_SHAPE = re.compile(r"[0-9A-Za-z]{43}")


class Secret:
    """A secret in clear. Prints as nothing of itself, so that no log, exception or traceback shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The whole string: for the one answer that hands it out, and for digesting it."""
        return self._text

    @property
    def digest(self) -> bytes:
        """What is stored and looked up."""
        return Token(self._text).digest

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        # A queue or a cache that pickles would write the secret down.
        message = "a secret is never serialised"
        raise TypeError(message)


def make_secret(entropy: bytes) -> Secret:
    """A new secret from `SECRET_ENTROPY_BYTES` random bytes, of which it loses none: 62**43 > 2**256."""
    return Secret(base62(int.from_bytes(entropy), _LENGTH))


def presented_secret(text: str) -> Secret | None:
    """`text` as a secret that may be looked up; None for what cannot be one of ours."""
    return Secret(text) if _SHAPE.fullmatch(text) else None
