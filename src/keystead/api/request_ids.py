"""Request ids: `req_` and 22 base62 characters, made without asking the operating system each time."""

from collections.abc import Iterator

from keystead.domain.base62 import DIGITS, base62
from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind
from keystead.ports.chance import Entropy

_TAILS = [first + second for first in DIGITS for second in DIGITS]


def request_ids(entropy: Entropy) -> Iterator[str]:
    """Ids without end. 20 characters of chance are shared by 3,844 ids, which are told apart by the rest.

    They name requests in logs and answers; nothing rests on their being hard to guess.
    """
    while True:
        head = f"{IdKind.REQUEST}_{base62(int.from_bytes(entropy(ID_ENTROPY_BYTES)), 20)}"
        for tail in _TAILS:
            yield head + tail
