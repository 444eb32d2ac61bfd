"""Where a client may put its token, and what is read from there (DESIGN: the token; RFC 6750, RFC 7617)."""

import base64
import binascii
from collections.abc import Collection, Iterable
from enum import StrEnum

from keystead.domain.tokens import Token, presentable
from keystead.domain.verdict import Reason


class Place(StrEnum):
    """A header that may hold a token; the operator says which are read. Whatever stands there is a token."""

    AUTHORIZATION = "authorization"
    X_API_KEY = "x-api-key"


def presented_token(headers: Iterable[tuple[bytes, bytes]], places: Collection[Place]) -> Token | Reason:
    """The one token that a request presents; else MISSING, or MALFORMED.

    `headers` are raw name and value pairs in any letter case. One listed header sent twice, two places with
    different values and what cannot be a token are MALFORMED. One empty header is as good as none.
    """
    values: dict[bytes, bytes] = {}
    names = {place.encode(): place for place in places}
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        if name in values:
            return Reason.MALFORMED
        if name in names:
            # Space and tab only (RFC 9110, 5.6.3): an upstream would not strip the rest of what Python does.
            values[name] = raw_value.strip(b" \t")
    texts = {_token_in(names[name], value.decode("latin-1")) for name, value in values.items() if value}
    if not texts:
        return Reason.MISSING
    token = presentable(texts.pop())
    return Reason.MALFORMED if texts or token is None else token


def _token_in(place: Place, value: str) -> str:
    if place is Place.X_API_KEY:
        return value
    scheme, _, rest = value.partition(" ")
    match scheme.lower():
        case "bearer" | "apikey":
            return rest.lstrip(" \t") or value
        case "basic":
            return _user_name(rest.lstrip(" \t"))
        case _:
            return value


def _user_name(credentials: str) -> str:
    """The user name of Basic credentials; empty (which no token is) when they cannot be read."""
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
