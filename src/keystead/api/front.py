"""The outermost layer: answers from memory first; an id, a log line and safe headers for the rest."""

from asyncio import timeout
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any, cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from keystead.api.answer import SAFE_HEADERS, Answer, problem_answer
from keystead.api.desk import SURFACE
from keystead.api.forward_auth import PROFILES
from keystead.api.hot import VERIFY_PATH, Hot
from keystead.api.metrics import SURFACES, Metrics
from keystead.api.problem import internal_problem, missing_problem
from keystead.api.problems import SlowBody
from keystead.api.surface import Surface, serves
from keystead.web.head import Head
from keystead.web.request_id import REQUEST_ID

BODY_S = 10
"""How long the whole body of a request may take to arrive."""

_LOG = structlog.get_logger()
_SAFE_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS]
_QUIET = frozenset({"verify", "auth", "health"})
"""Surfaces asked on every request of somebody else's API: they are counted, not logged."""

_MS_NS = 1_000_000
_CLOSED = 499
"""What is counted when whoever asked did not wait for the answer."""


class Front:
    """An ASGI app around the API's, for one surface: what `hot` takes is answered by it alone."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        hot: Hot,
        ids: Iterator[str],
        metrics: Metrics,
        surface: Surface = Surface.ALL,
    ) -> None:
        self.hot = hot
        self._inner = inner
        self._ids = ids
        self._times = {surface: metrics.times(surface) for surface in SURFACES}
        self._surface = surface

    async def __call__(self, any_scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; our server is told to bring nothing else."""
        scope = cast("HTTPScope", any_scope)
        head = _head(scope)
        if self.hot.takes(head.method, head.path):
            await self._answer_hot(head, receive, send)
            return
        request = _Request(scope, send, next(self._ids), self._surface)
        with structlog.contextvars.bound_contextvars(request_id=request.id):
            try:
                await self._answer(scope, receive, request)
            finally:
                self._tell(scope, request)

    async def _answer_hot(self, head: Head, receive: Receive, send: Send) -> None:
        began = perf_counter_ns()
        try:
            most = self.hot.wants_body(head)
            body = b"" if most is None else await _body(_timely(receive, began), most)
        except Exception as error:  # noqa: BLE001 - a late body, or whatever it is: the caller gets an answer
            await _send(send, self.hot.failed(error, perf_counter_ns() - began))
            return
        if body is None:
            self._times[_surface(head.path)].observe(_CLOSED, perf_counter_ns() - began)
        else:
            await _send(send, self.hot.answer(head, body))

    async def _answer(self, scope: HTTPScope, receive: Receive, request: "_Request") -> None:
        try:
            if serves(self._surface, scope["path"]):
                await self._inner(scope, _timely(receive, request.began), request.send)
            else:
                await request.answer(problem_answer(missing_problem(request.id)))
        except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, the caller gets an answer
            _LOG.exception("request failed", exc_info=error)
            if request.status is None:
                await request.answer(problem_answer(internal_problem(request.id)))

    def _tell(self, scope: HTTPScope, request: "_Request") -> None:
        elapsed_ns, surface = perf_counter_ns() - request.began, _surface(scope["path"])
        status = request.status or _CLOSED
        self._times[surface].observe(status, elapsed_ns)
        if surface not in _QUIET:
            _LOG.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round(elapsed_ns / _MS_NS, 2),
            )


class _Request:
    """One request being answered: adds our headers to whatever is sent, and remembers the status."""

    def __init__(self, scope: HTTPScope, send: Send, request_id: str, surface: Surface) -> None:
        self.id = request_id
        self.status: int | None = None
        self.began = perf_counter_ns()
        self._send = send
        self._extra = [(b"x-request-id", request_id.encode()), *_SAFE_HEADERS]
        if scope["path"].startswith("/api/v1/"):
            self._extra.append((b"cache-control", b"no-store"))
        _put(scope, REQUEST_ID, request_id)
        _put(scope, SURFACE, surface)

    async def send(self, message: Message) -> None:
        """Send a message of the answer, with our headers on its start."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._extra]
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer, which has our headers."""
        self.status = answer.status
        await _send(self._send, answer)


async def _send(send: Send, answer: Answer) -> None:
    headers = [*answer.raw_headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _body(receive: Receive, most: int) -> bytes | None:
    """The body, or what there is of it once it is longer than `most`; None when its sender has gone."""
    parts, length = [], 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > most or not message.get("more_body", False):
            return b"".join(parts)


def _timely(receive: Receive, began_ns: int) -> Receive:
    """`receive`, for a body that must arrive in time, counted from `began_ns`.

    Raises SlowBody: what a request may do was judged at its head, and a server that stops waits for it.
    """

    async def received() -> Any:  # noqa: ANN401 - any of ASGI's messages
        try:
            async with timeout(BODY_S - (perf_counter_ns() - began_ns) / (1000 * _MS_NS)):
                return await receive()
        except TimeoutError:
            raise SlowBody from None

    return received


def _head(scope: HTTPScope) -> Head:
    host, port = scope.get("client") or (None, 0)
    return Head(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers=[(name.lower(), value) for name, value in scope["headers"]],
        client=None if host is None else (host, port),
    )


def _put(scope: Any, name: str, value: str) -> None:  # noqa: ANN401 - a key of ours in ASGI's typed dict
    scope[name] = value


def _surface(path: str) -> str:
    if path in PROFILES:
        return "auth"
    if path == VERIFY_PATH:
        return "verify"
    if path in {"/healthz", "/readyz", "/metrics"}:
        return "health"
    return "management" if path.startswith("/api/v1/") else "other"
