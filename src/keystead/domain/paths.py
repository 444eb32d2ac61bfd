"""One canonical spelling of a request path, or none when two servers could read it differently.

Constraints are matched on this spelling only. Reserved characters keep the spelling they came with: `:` and
`%3A` are different paths (RFC 3986, 2.2), for patterns as well as for requests.
"""

import re
import string
from urllib.parse import unquote_to_bytes

MAX_REGEX_PATH_BYTES = 2048
"""Longest canonical path that a key with a regex may match."""

# What may stand raw in a segment: printable ASCII without / % ? # ; and the backslash.
_RAW = r'[!"$&-.0-:<->@-\[\]-~]'
_RAW_BUT_NO_DOT = r'[!"$&-\-0-:<->@-\[\]-~]'

# Segments that cannot be dot segments and hold no escape: already canonical, which is nearly every request.
_PLAIN = re.compile(rf"/(?:{_RAW_BUT_NO_DOT}{_RAW}*+/?)*+(?=\?|\Z)")
_WELL_FORMED = re.compile(rf"/(?:{_RAW}|/|%[0-9A-Fa-f]{{2}})*+")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
# Searched in otherwise canonical text: //, dot segments, encoded # % / ; ? \ and the controls C0, DEL, C1.
_AMBIGUOUS = re.compile(
    r"//|/\.\.?(?:/|\Z)|%(?:2[35F]|3[BF]|5C|[01][0-9A-F]|7F|C2%[89][0-9A-F])",
)

METHOD_OVERRIDES = frozenset(
    {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"},
)
"""Headers that may make a server act on another method or path than the request's."""


def canonical_path(raw: str) -> str | None:
    """The canonical form of the request target `raw`, as sent, or None when it is ambiguous.

    What follows the first `?` is left out and not judged. Percent-escapes are in upper case, unreserved
    characters decoded once, letter case is kept; the result is printable ASCII and its own canonical form.
    """
    plain = _PLAIN.match(raw)
    return plain.group() if plain else _judged(raw.partition("?")[0])


def _judged(path: str) -> str | None:
    if not _WELL_FORMED.fullmatch(path) or not _is_utf8(path):
        return None
    canonical = _ESCAPE.sub(_canonical_escape, path)
    return None if _AMBIGUOUS.search(canonical) else canonical


def _is_utf8(path: str) -> bool:
    try:
        unquote_to_bytes(path).decode()  # strict: overlong forms and surrogates are refused
    except UnicodeDecodeError:
        return False
    return True


def _canonical_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()
