"""The head of a request, as either server hands it over."""

from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]
"""Raw header names, in lower case, and values, in the order sent."""


class Head(NamedTuple):
    """All of a request but its body. `path` is raw, without the query; on a Unix socket `client` is None."""

    method: str
    path: str
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
