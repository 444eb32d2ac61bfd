"""What goes around every page: how long it took, and packing it smaller where that gives nothing away."""

import gzip
from time import perf_counter_ns
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_OWN = frozenset({b"same-origin", b"none"})
_LEAST_BYTES = 1_024
_LEVEL = 5
"""Beyond it pages take longer to pack and get hardly smaller."""

_MS_NS = 1_000_000


class Packing:
    """An ASGI app around the dashboard's.

    Pages hold what a stranger should not learn beside what a stranger may choose, such as what an address
    searches for: whoever sees how long packed answers are could guess the one by the other, request after
    request (BREACH). So only those pages are packed that the browser says no other site asked for, and never
    the answer to a form, which may hold a token that is shown once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; our server brings nothing but HTTP."""
        reading = cast("HTTPScope", scope)["method"] == "GET"
        await self._inner(scope, receive, _Answer(scope, send).send if reading else send)


class _Answer:
    """One answer to somebody who reads."""

    def __init__(self, scope: Any, send: Send) -> None:  # noqa: ANN401 - a typed dict of ASGI's
        self._asked = dict(scope["headers"])
        self._send = send
        self._began = perf_counter_ns()
        self._start: Any = None

    async def send(self, message: Message) -> None:
        """Hold the head of a page back until its body is there, which is one piece."""
        if message["type"] == "http.response.start":
            # How long a form took is not told: it could say whether an account is there.
            took_ms = (perf_counter_ns() - self._began) / _MS_NS
            headers = [*message["headers"], (b"server-timing", f"app;dur={took_ms:.1f}".encode())]
            self._start = {**message, "headers": headers}
            if not self._is_packed(dict(headers)):
                await self._send(self._take())
        elif self._start is None:
            await self._send(message)
        else:
            await self._pack(cast("Any", message))

    def _is_packed(self, headers: dict[bytes, bytes]) -> bool:
        return (
            headers.get(b"content-type", b"").startswith(b"text/html")
            and int(headers.get(b"content-length", b"0")) >= _LEAST_BYTES
            and self._asked.get(b"sec-fetch-site") in _OWN
            and b"gzip" in self._asked.get(b"accept-encoding", b"")
        )

    async def _pack(self, message: Any) -> None:  # noqa: ANN401 - likewise
        start = self._take()
        body = gzip.compress(message["body"], compresslevel=_LEVEL, mtime=0)
        left = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        added = [(b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
        start["headers"], message["body"] = [*left, *added], body
        await self._send(start)
        await self._send(message)

    def _take(self) -> Any:  # noqa: ANN401 - likewise
        start, self._start = self._start, None
        return start
