"""What a request says of itself, and how far it is believed. One function for each fact, for every way in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from keystead.domain.networks import Address, client_address, network_allowed, parse_address
from keystead.domain.paths import METHOD_OVERRIDES
from keystead.domain.presented import Place, presented_token
from keystead.domain.tokens import Token
from keystead.domain.verdict import Reason

Heard = Mapping[bytes, bytes | None]
"""The headers of a request by name, in lower case; None stands for one sent twice."""

_KEPT = 4096
_MOST_KEPT = 128
"""Characters; a longer text is read anew each time, so that nobody can fill our memory with them."""

_AUTHORIZATION = Place.AUTHORIZATION.encode()


def _spellings(name: str) -> Iterable[bytes]:
    """A header's name with `-` or `_` in each place: servers in CGI's line of descent read them alike."""
    words = name.encode().split(b"-")
    for joints in product((b"-", b"_"), repeat=len(words) - 1):
        yield words[0] + b"".join(joint + word for joint, word in zip(joints, words[1:], strict=True))


_OVERRIDES = frozenset(spelling for name in METHOD_OVERRIDES for spelling in _spellings(name))


def heard(headers: Sequence[tuple[bytes, bytes]]) -> Heard:
    """The headers by name, which is in lower case."""
    values: dict[bytes, bytes | None] = dict(headers)
    if len(values) < len(headers):
        values.update(
            (name, None) for name, count in Counter(name for name, _ in headers).items() if count > 1
        )
    return values


def only(values: Heard, name: bytes) -> str | None:
    """The value of a header sent exactly once; sent twice, it counts as absent."""
    value = values.get(name)
    return None if value is None else value.strip(b" \t").decode("latin-1")


def has_override(values: Heard) -> bool:
    """Whether a method-override header came along, in any spelling."""
    return not _OVERRIDES.isdisjoint(values)


class TokenPlaces:
    """The headers that a token is read from."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._names = tuple(place.encode() for place in places)
        self._beside = frozenset(self._names) - {_AUTHORIZATION}
        self._first = _AUTHORIZATION if _AUTHORIZATION in self._names else None

    def presented(self, values: Heard) -> Token | Reason:
        """The token that a request presents, or why there is none to look up."""
        # How nearly all come: the rule in full would take some microseconds.
        value = values.get(self._first) if self._first is not None else None
        if value is not None and value[:7] == b"Bearer " and self._beside.isdisjoint(values):
            text = value[7:].strip(b" \t")
            # What no token can be is not found either, and then read as the rule in full would read it.
            if text:
                return Token(text.decode("latin-1"))
        given = [(name, values[name]) for name in self._names if name in values]
        sent = [(name, value) for name, value in given if value is not None]
        return presented_token(sent, self._places) if len(sent) == len(given) else Reason.MALFORMED


def address_of(text: str) -> Address | None:
    """The address that `text` spells; kept for a while, since the same ones come again and again."""
    return _address_of(text) if len(text) <= _MOST_KEPT else parse_address(text)


_address_of = lru_cache(_KEPT)(parse_address)


class Peer(NamedTuple):
    """Who holds the other end of the socket; no address for a Unix socket."""

    address: Address | None
    trusted: bool


@lru_cache(_KEPT)
def peer(host: str | None, trusted: tuple[str, ...]) -> Peer:
    """The peer that the server names, and whether it is one of the trusted proxies; a Unix socket is none."""
    address = None if host is None else parse_address(host)
    return Peer(address, address is not None and network_allowed(address, trusted))


def caller_address(who: Peer, values: Heard, trusted: tuple[str, ...]) -> Address | None:
    """Who calls our own API: the socket peer or, behind a trusted proxy that says, the client it names."""
    behind = who.trusted and b"x-forwarded-for" in values
    return forwarded_address(values, trusted) if behind else who.address


def forwarded_address(values: Heard, trusted: tuple[str, ...]) -> Address | None:
    """The rightmost address of X-Forwarded-For that is no trusted proxy; None without one, or sent twice."""
    value = only(values, b"x-forwarded-for")
    if value is None:
        return None
    return _forwarded(value, trusted) if len(value) <= _MOST_KEPT else client_address(value, trusted)


_forwarded = lru_cache(_KEPT)(client_address)
