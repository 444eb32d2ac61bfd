"""Allowed networks and trusted proxies: canonical text, and which address is in which.

An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`, what a dual-stack socket reports) is its IPv4 address
everywhere; so an IPv6 network such as `::/0` holds no IPv4 client.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from keystead.domain.errors import InvalidInput

MAX_NETWORKS = 50
MAX_HOPS = 32
"""Most entries of an X-Forwarded-For value that are read, from the right."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
_MAX_TEXT_LENGTH = 64
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


def make_network(text: str, *, field: str) -> str:
    """A network in canonical CIDR form; an address becomes a network of one (`/32`, `/128`).

    Networks of mapped addresses become the IPv4 ones. Raises InvalidInput, with the fix.
    """
    network = _find_network(text)
    if network is None:
        raise InvalidInput(
            field, "write an address or a network, such as 192.0.2.7 or 2001:db8::/32", rule="network"
        )
    if network.network_address != _find_address(text.partition("/")[0]):
        problem = f"has bits set beyond its length: write {_unmapped(network)}"
        raise InvalidInput(field, problem, rule="network-bits", network=str(_unmapped(network)))
    return str(_unmapped(network))


def make_networks(items: Sequence[str], *, field: str) -> tuple[str, ...]:
    """At most 50 networks in canonical form, each once, in the order given. Raises InvalidInput."""
    if len(items) > MAX_NETWORKS:
        problem = f"give at most {MAX_NETWORKS}; there are {len(items)}"
        raise InvalidInput(field, problem, rule="too-many", most=MAX_NETWORKS, given=len(items))
    return tuple(dict.fromkeys(make_network(item, field=f"{field}[{i}]") for i, item in enumerate(items)))


def parse_address(text: str) -> Address | None:
    """The address that `text` spells, a mapped one as IPv4; None for all else, zone id or port included."""
    address = _find_address(text)
    return None if address is None else _unmapped_address(address)


def network_allowed(address: Address, allowed: tuple[str, ...]) -> bool:
    """Whether `address` is in one of `allowed`, which come from `make_networks`; none is in an empty list."""
    plain = _unmapped_address(address)
    return any(plain in network for network in _parsed(allowed))


def networks_cover(outer: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    """Whether each network of `inner` lies within one of `outer`; an empty list stands for any address."""
    if not outer:
        return True
    return bool(inner) and all(any(_is_within(n, o) for o in _parsed(outer)) for n in _parsed(inner))


def client_address(forwarded_for: str, trusted: tuple[str, ...]) -> Address | None:
    """The rightmost address of an X-Forwarded-For value that is no trusted proxy.

    None when all are trusted, when something that is no address (with or without a port) stands before it as
    read from the right, or when it is not among the last 32. What stands left of it is the client's own tale.
    """
    for entry in reversed(forwarded_for.rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
        address = parse_address(_without_port(entry.strip(" \t")))
        if address is None or not network_allowed(address, trusted):
            return address
    return None


def _without_port(entry: str) -> str:
    parts = _WITH_PORT.fullmatch(entry)
    if parts is None:
        return entry
    return parts[1] or (parts[2] if ":" in parts[2] else entry)


def _find_network(text: str) -> Network | None:
    address, slash, length = text.partition("/")
    # The library also reads netmasks, of which some can be taken for their inverse.
    if slash and not _PREFIX_LENGTH.fullmatch(length):
        return None
    try:
        return ip_network(text, strict=False) if _find_address(address) else None
    except ValueError:
        return None


def _find_address(text: str) -> Address | None:
    if len(text) > _MAX_TEXT_LENGTH or "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def _unmapped_address(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _unmapped(network: Network) -> Network:
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    low = int(network.network_address) & 0xFFFFFFFF
    return IPv4Network((low, network.prefixlen - _MAPPED.prefixlen))


@lru_cache(maxsize=1024)
def _parsed(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _is_within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
