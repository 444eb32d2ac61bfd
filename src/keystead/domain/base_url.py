"""Where a provider's API is: an address that requests of an app are written below."""

import re

from keystead.domain.errors import InvalidInput
from keystead.domain.origins import canonical_origin

MAX_BASE_URL_LENGTH = 300

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)", re.IGNORECASE)
# What a shell would read within quotation marks, such as `$`, is none of it: the address is copied into one.
_PATH = re.compile(r"(?:/[A-Za-z0-9._~%:@+,=-]+)*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = {".", ".."}


def make_base_url(text: str, *, field: str = "api_base_url") -> str:
    """An absolute http or https address in canonical form: `https://host[:port][/path]`, no slash at its end.

    At most 300 characters. It has no user name, query or fragment: requests are written by adding a path.
    Raises InvalidInput, with the fix.
    """
    _require_whole(text, field)
    parts = _URL.fullmatch(text)
    if parts is None:
        problem = "write an absolute address such as https://api.example.com/v1"
        raise InvalidInput(field, problem, rule="base-url")
    if "@" in parts[2]:
        problem = "leave the user name and password out of it: whoever makes a key reads it"
        raise InvalidInput(field, problem, rule="base-url-user")
    origin = canonical_origin(f"{parts[1]}://{parts[2]}")
    if origin is None:
        problem = "write a host, and a port if it needs one: https://api.example.com:8443/v1"
        raise InvalidInput(field, problem, rule="base-url-host")
    return origin + _path(parts[3], field)


def _require_whole(text: str, field: str) -> None:
    if not 1 <= len(text) <= MAX_BASE_URL_LENGTH:
        problem = f"write 1 to {MAX_BASE_URL_LENGTH} characters, or null for none"
        raise InvalidInput(field, problem, rule="base-url-length", most=MAX_BASE_URL_LENGTH)
    if not text.isascii():
        problem = "write the host in its ASCII form, such as https://xn--bcher-kva.example"
        raise InvalidInput(field, problem, rule="origin-not-ascii")
    for sign in "?#":
        if sign in text:
            problem = f"leave out what begins with {sign}: requests are written by adding a path"
            raise InvalidInput(field, problem, rule="base-url-rest", sign=sign)


def _path(text: str, field: str) -> str:
    path = text.rstrip("/")
    if _PATH.fullmatch(path) is None or _STRAY_PERCENT.search(path) or _DOTS & set(path.split("/")):
        problem = "write a plain path such as /api/v1, without spaces, quotation marks, // or /../"
        raise InvalidInput(field, problem, rule="base-url-path")
    return path
