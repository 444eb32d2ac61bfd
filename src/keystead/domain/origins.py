"""Allowed origins: what may stand in the list, and whether an origin a browser sent is in it.

An origin guards what browsers do for a page; a program outside a browser can send any.
"""

import re
from collections.abc import Collection, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from keystead.domain.errors import InvalidInput

MAX_ORIGINS = 50
MAX_ORIGIN_LENGTH = 255

# A longer host than a pattern's own may stand under its wildcard.
_MAX_SENT_LENGTH = 512
_MAX_HOST_LENGTH = 253
_MAX_PORT = 65535
_DEFAULT_PORTS = {"http": "80", "https": "443"}

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_.*-]+)(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Browsers read a host whose last label is a number as an IPv4 address (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def make_origin(text: str, *, field: str) -> str:
    """An allowed origin in canonical form: `scheme://host[:port]` in lower case, without a default port.

    At most 255 characters. The leftmost label may be `*`, one label of any name, before at least two more.
    Raises InvalidInput, with the fix.
    """
    _require_speakable(text, field)
    canonical = _canonical(text, wildcard=True)
    if canonical is None:
        raise _fault(text, field)
    return canonical


def make_origins(items: Sequence[str], *, field: str) -> tuple[str, ...]:
    """At most 50 origins in canonical form, each once, in the order given. Raises InvalidInput."""
    if len(items) > MAX_ORIGINS:
        problem = f"give at most {MAX_ORIGINS}; there are {len(items)}"
        raise InvalidInput(field, problem, rule="too-many", most=MAX_ORIGINS, given=len(items))
    return tuple(dict.fromkeys(make_origin(item, field=f"{field}[{i}]") for i, item in enumerate(items)))


def origin_allowed(origin: str, allowed: Collection[str]) -> bool:
    """Whether `origin`, as sent, is one of `allowed`, which come from `make_origins`; an empty list has none.

    `null`, several origins and whatever else is no plain origin are never allowed. A wildcard stands for
    exactly one label; ports must be equal, the scheme's default one said or not.
    """
    canonical = _canonical(origin, wildcard=False)
    return canonical is not None and (canonical in allowed or _under_wildcard(canonical) in allowed)


def canonical_origin(text: str) -> str | None:
    """One origin, no pattern, in canonical form; None when it is none."""
    return _canonical(text, wildcard=False)


def origins_cover(outer: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    """Whether every origin that `inner` allows, `outer` allows too; an empty list stands for any origin."""
    if not outer:
        return True
    return bool(inner) and all(origin in outer or origin_allowed(origin, outer) for origin in inner)


def _under_wildcard(canonical: str) -> str:
    scheme, _, host = canonical.partition("://")
    # For `localhost` or an address this is no pattern that can be made, hence never in a list.
    return f"{scheme}://*.{host.partition('.')[2]}"


def _canonical(text: str, *, wildcard: bool) -> str | None:
    # ASCII first: the Kelvin sign lowers to a k.
    if len(text) > _MAX_SENT_LENGTH or not text.isascii():
        return None
    parts = _ORIGIN.fullmatch(text.lower())
    if parts is None:
        return None
    scheme, host, port = parts[1], _canonical_host(parts[2], wildcard=wildcard), parts[3]
    if host is None or (port is not None and int(port) > _MAX_PORT):
        return None
    said = port is not None and port != _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}:{port}" if said else f"{scheme}://{host}"


def _canonical_host(host: str, *, wildcard: bool) -> str | None:
    if host.startswith("["):
        return _canonical_ipv6(host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return host if _is_ipv4(host) else None
    if wildcard and labels[0] == "*" and len(labels) > 2:  # noqa: PLR2004 - `*.` takes two labels after it
        labels = labels[1:]
    named = len(host) <= _MAX_HOST_LENGTH and all(map(_LABEL.fullmatch, labels))
    return host if named else None


def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def _canonical_ipv6(text: str) -> str | None:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    if address.ipv4_mapped is None:
        return f"[{address}]"
    # Browsers write mapped addresses in hexadecimal, Python differently from version to version.
    low = int(address.ipv4_mapped)
    return f"[::ffff:{low >> 16:x}:{low & 0xFFFF:x}]"


def _require_speakable(text: str, field: str) -> None:
    if not 1 <= len(text) <= MAX_ORIGIN_LENGTH:
        problem = f"write 1 to {MAX_ORIGIN_LENGTH} characters, like https://app.example.com"
        raise InvalidInput(field, problem, rule="origin-length", most=MAX_ORIGIN_LENGTH)
    if text == "*":
        problem = "name the origins, or leave the list empty to allow any"
        raise InvalidInput(field, problem, rule="origin-any")
    if text.lower() == "null":
        problem = "name an origin: anyone's sandboxed pages and local files send null"
        raise InvalidInput(field, problem, rule="origin-null")
    if not text.isascii():
        problem = "write the host in its ASCII form, such as https://xn--bcher-kva.example"
        raise InvalidInput(field, problem, rule="origin-not-ascii")


def _fault(text: str, field: str) -> InvalidInput:
    unslashed = _canonical(text.removesuffix("/"), wildcard=True)
    if unslashed is not None:
        problem = f"write {unslashed}, without the / at its end"
        return InvalidInput(field, problem, rule="origin-slash", origin=unslashed)
    if "*" in text:
        problem = "write * only as the whole leftmost label, before two more at least: https://*.example.com"
        return InvalidInput(field, problem, rule="origin-wildcard")
    problem = "write scheme://host or scheme://host:port and no more, such as https://app.example.com"
    return InvalidInput(field, problem, rule="origin")
