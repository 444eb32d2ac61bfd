"""What a request says of itself, and how far it is believed. One function for each fact, for every way in."""

from collections.abc import Iterable, Sequence

from keystead.domain.networks import Address, client_address, network_allowed, parse_address
from keystead.domain.paths import is_method_override

Headers = Sequence[tuple[bytes, bytes]]
"""Raw header names and values, as the server read them."""


def only(headers: Headers, name: bytes) -> str | None:
    """The value of a header sent exactly once; sent twice, it counts as absent."""
    values = [value for key, value in headers if key.lower() == name]
    return values[0].strip(b" \t").decode("latin-1") if len(values) == 1 else None


def has_override(headers: Headers) -> bool:
    """Whether a method-override header came along, in any spelling."""
    return any(is_method_override(key.decode("latin-1")) for key, _ in headers)


def peer_address(client: Iterable[object] | None) -> Address | None:
    """The socket peer's address; None for a Unix socket."""
    host = next(iter(client), None) if client is not None else None
    return parse_address(host) if isinstance(host, str) else None


def is_trusted(peer: Address | None, trusted: tuple[str, ...]) -> bool:
    """Whether the socket peer is one of the trusted proxies."""
    return peer is not None and network_allowed(peer, trusted)


def caller_address(peer: Address | None, headers: Headers, trusted: tuple[str, ...]) -> Address | None:
    """Who calls our own API: the socket peer or, behind a trusted proxy that says, the client it names."""
    if not is_trusted(peer, trusted):
        return peer
    forwarded = forwarded_address(headers, trusted)
    return forwarded if any(key.lower() == b"x-forwarded-for" for key, _ in headers) else peer


def forwarded_address(headers: Headers, trusted: tuple[str, ...]) -> Address | None:
    """The rightmost address of X-Forwarded-For that is no trusted proxy; None without one, or sent twice."""
    value = only(headers, b"x-forwarded-for")
    return None if value is None else client_address(value, trusted)
