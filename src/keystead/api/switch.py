"""Two applications at one address: the API's paths, and the pages of the dashboard beside them."""

from typing import cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

_OURS = frozenset({"api", "auth", "healthz", "metrics", "readyz"})
"""What paths of the API begin with; pages have all others."""


class Switch:
    """An ASGI app that hands each request to the one of two that knows its path."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        # Slashes too many change nothing, as in the framework's routing.
        first = scope["path"].lstrip("/").partition("/")[0]
        if first in _OURS:
            await self._api(scope, receive, send)
        else:
            await self._pages(_as_get(cast("HTTPScope", scope)), receive, send)


def _as_get(scope: HTTPScope) -> HTTPScope:
    """A page asked for its head is made as for GET (RFC 9110, 9.3.2); the server leaves its body out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
