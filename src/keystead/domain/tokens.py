"""The token: the full string that a client presents, and what is kept of it.

`{prefix}_{pk|sk|rk}_{live|test}_{32 base62}{6 base62}`: 190 bits of chance, then the CRC-32 (zlib's) of
everything before it, so that a typo is told from a token and a scanner can tell ours from noise.

Compatibility law: the first byte of a stored digest names how it was made (1: SHA-256 of the whole token).
A byte once used keeps its meaning for ever; another way to digest takes another byte.
"""

import hashlib
import re
import zlib
from enum import StrEnum

from keystead.domain.base62 import base62
from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment

TOKEN_ENTROPY_BYTES = 32
MAX_TOKEN_LENGTH = 512
"""Characters; longer than any token we make, so that imported ones fit. What is longer is MALFORMED."""

DIGEST_SHA256 = b"\x01"

_BODY_LENGTH = 32
_CHECKSUM_LENGTH = 6
_READABLE_RANDOM = 4
_PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
_SHAPE = re.compile(r"[a-z][a-z0-9]{1,15}_(?:pk|sk|rk)_(?:live|test)_[0-9A-Za-z]{38}")
_PRESENTABLE = re.compile(r"[\x21-\x7e]{1,512}")


class TokenKind(StrEnum):
    """The part of a token that says what it opens."""

    PUBLIC = "pk"
    SECRET = "sk"
    ROOT = "rk"


class Token:
    """A token in clear. Prints as its start, so that no log, exception or traceback ever shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The whole string: for the one response that makes it, and for digesting it."""
        return self._text

    @property
    def digest(self) -> bytes:
        """What is stored and looked up: the format byte, then SHA-256 of the whole string."""
        return DIGEST_SHA256 + hashlib.sha256(self._text.encode()).digest()

    @property
    def start(self) -> str:
        """The readable head, to the fourth random character; at most eight characters of a foreign token."""
        if _SHAPE.fullmatch(self._text):
            return self._text[: -(_BODY_LENGTH + _CHECKSUM_LENGTH - _READABLE_RANDOM)]
        return self._text[: min(8, len(self._text) // 4)]

    @property
    def last4(self) -> str:
        """The readable tail."""
        return self._text[-4:]

    def __repr__(self) -> str:
        return f"Token({self.start}…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        # A queue or a cache that pickles would write the secret down.
        message = "a token is never serialised"
        raise TypeError(message)


def make_token(prefix: str, kind: TokenKind, environment: Environment, entropy: bytes) -> Token:
    """A new token from `TOKEN_ENTROPY_BYTES` random bytes.

    256 bits are reduced to 32 base62 digits (190.5 bits): the bias of the remainder is below 2**-65.
    """
    head = f"{prefix}_{kind}_{environment}_{base62(int.from_bytes(entropy), _BODY_LENGTH)}"
    return Token(head + _checksum(head))


def presentable(text: str) -> Token | None:
    """`text` as a token that may be looked up, or None: 1 to 512 printable characters without spaces."""
    return Token(text) if _PRESENTABLE.fullmatch(text) else None


def could_be_issued(token: Token) -> bool:
    """Whether the token has our shape and its checksum is right: what is not is a typo or made up."""
    text = token.reveal()
    return (
        _SHAPE.fullmatch(text) is not None and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]
    )


def make_prefix(text: str, *, field: str) -> str:
    """A token prefix: `[a-z][a-z0-9]{1,15}`."""
    if not _PREFIX.fullmatch(text):
        problem = "write 2 to 16 lower-case letters and digits, beginning with a letter"
        raise InvalidInput(field, problem, rule="prefix")
    return text


def _checksum(head: str) -> str:
    return base62(zlib.crc32(head.encode()), _CHECKSUM_LENGTH)
