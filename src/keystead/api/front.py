"""The outermost layer: an id, a log line and safe headers for each request; forward-auth before routing."""

from asyncio import timeout
from time import perf_counter
from typing import Any, cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from keystead.api.answer import Answer, problem_answer
from keystead.api.facts import is_trusted, peer_address
from keystead.api.forward_auth import PROFILES, ForwardAuth
from keystead.api.metrics import Metrics
from keystead.api.problem import internal_problem, missing_problem
from keystead.api.problems import REQUEST_ID, SlowBody
from keystead.domain.ids import IdKind
from keystead.services.context import Context

BODY_S = 10
"""How long the whole body of a request may take to arrive."""

_LOG = structlog.get_logger()
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_QUIET = frozenset({"verify", "auth", "health"})
"""Surfaces asked on every request of somebody else's API: they are counted, not logged."""


class Front:
    """An ASGI app around the API's: answers forward-auth itself and passes everything else on."""

    def __init__(
        self, inner: ASGIApp, *, context: Context, forward_auth: ForwardAuth, metrics: Metrics
    ) -> None:
        self._inner = inner
        self._context = context
        self._forward_auth = forward_auth
        self._metrics = metrics

    async def __call__(self, any_scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; our server is told to bring nothing else."""
        scope = cast("HTTPScope", any_scope)
        request = _Request(scope, send, self._context.new_id(IdKind.REQUEST))
        with structlog.contextvars.bound_contextvars(request_id=request.id):
            try:
                await self._answer(scope, receive, request)
            finally:
                self._tell(scope, request)

    async def _answer(self, scope: HTTPScope, receive: Receive, request: "_Request") -> None:
        try:
            if scope["path"] in PROFILES:
                await request.answer(await self._forward(scope, request.id))
            else:
                await self._inner(scope, request.reading(receive), request.send)
        except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, the caller gets an answer
            _LOG.exception("request failed", exc_info=error)
            if request.status is None:
                await request.answer(problem_answer(internal_problem(request.id)))

    async def _forward(self, scope: HTTPScope, request_id: str) -> Answer:
        if not is_trusted(peer_address(scope.get("client")), self._forward_auth.trusted_proxies):
            return problem_answer(missing_problem(request_id))
        profile = PROFILES[scope["path"]]
        query = scope.get("query_string", b"")
        return await self._forward_auth.answer(profile, list(scope["headers"]), query, request_id)

    def _tell(self, scope: HTTPScope, request: "_Request") -> None:
        seconds, surface = perf_counter() - request.began, _surface(scope["path"])
        status = request.status or 499
        self._metrics.observe_request(surface, status, seconds)
        if surface not in _QUIET:
            _LOG.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round(seconds * 1000, 2),
            )


class _Request:
    """One request being answered: adds our headers to whatever is sent, and remembers the status."""

    def __init__(self, scope: HTTPScope, send: Send, request_id: str) -> None:
        self.id = request_id
        self.status: int | None = None
        self.began = perf_counter()
        self._send = send
        self._extra = [(b"x-request-id", request_id.encode()), *_SAFE_HEADERS]
        if scope["path"].startswith("/api/v1/"):
            self._extra.append((b"cache-control", b"no-store"))
        _put(scope, REQUEST_ID, request_id)

    async def send(self, message: Message) -> None:
        """Send a message of the answer, with our headers on its start."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._extra]
        await self._send(message)

    def reading(self, receive: Receive) -> Receive:
        """`receive`, for a body that must arrive in time.

        Raises SlowBody: what a request may do was judged at its head, and a server that stops waits for it.
        """

        async def received() -> Any:  # noqa: ANN401 - any of ASGI's messages
            try:
                async with timeout(BODY_S - (perf_counter() - self.began)):
                    return await receive()
            except TimeoutError:
                raise SlowBody from None

        return received

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _put(scope: Any, name: str, value: str) -> None:  # noqa: ANN401 - a key of ours in ASGI's typed dict
    scope[name] = value


def _surface(path: str) -> str:
    if path in PROFILES:
        return "auth"
    if path == "/api/v1/verify":
        return "verify"
    if path in {"/healthz", "/readyz", "/metrics"}:
        return "health"
    return "management" if path.startswith("/api/v1/") else "other"
