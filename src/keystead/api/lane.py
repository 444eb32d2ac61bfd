"""The fast lane: answers what `Hot` takes as soon as it is read, before a scope or a task is made.

All else goes uvicorn's own way to the ASGI application, and so does whatever here would have to wait or went
wrong: an answer still owed on the connection, a client that does not read, a body that is late or too large.
The bytes are those that uvicorn would send for the same Answer.
"""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any, Protocol

import structlog
from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from keystead.api.answer import Answer, header_lines
from keystead.web.head import Head

PATIENCE_S = 0.25
"""How long the lane waits for the rest of a body; then the ASGI way takes over, which has its own bound."""

HEAD_S = 10
"""How long a head may take to arrive, from the first part of it on."""

MOST_HEAD_BYTES = 64 * 1024
"""How long a head may be, and trailers, to within `PIECE_BYTES`: more is answered with 431."""

MOST_HEADERS = 100

PIECE_BYTES = 16 * 1024
"""How much is read before it is asked again whether a head has grown too large."""

_LOG = structlog.get_logger()
_PLAIN = header_lines([("Content-Type", "text/plain; charset=utf-8")]).encode()
_INVALID = Answer(400, _PLAIN, b"Invalid HTTP request received.")
_TOO_LARGE = Answer(431, _PLAIN, b"Request header fields too large.")
_HEAD, _TRAILERS = 1, 2
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class Answering(Protocol):
    """What the lane asks of `Hot`; none of it waits."""

    def takes(self, method: str, path: str) -> bool:
        """Whether a request is answered here, by its method and raw path."""

    def wants_body(self, head: Head) -> int | None:
        """The most bytes that the body may have; None when the answer needs no body."""

    def answer(self, head: Head, body: bytes) -> Answer:
        """The whole answer but for Date, Content-Length and Connection."""


class Wording:
    """Puts answers into bytes; one for all connections, since every answer begins alike."""

    def __init__(self) -> None:
        self._starts: dict[int, bytes] = {}
        self._defaults: list[tuple[bytes, bytes]] = []

    def of(
        self, answer: Answer, defaults: list[tuple[bytes, bytes]], *, keep_alive: bool, with_body: bool
    ) -> bytes:
        """The bytes of an answer; `defaults` are the headers that every answer begins with."""
        if defaults is not self._defaults:
            self._starts.clear()
            self._defaults = defaults
        status, lines, body = answer
        start = self._starts.get(status) or self._start(status)
        connection = b"" if keep_alive else b"connection: close\r\n"
        return b"%b%bcontent-length: %d\r\n%b\r\n%b" % (
            start,
            lines,
            len(body),
            connection,
            body if with_body else b"",
        )

    def _start(self, status: int) -> bytes:
        defaults = (b"%b: %b\r\n" % header for header in self._defaults)
        start = self._starts[status] = b"".join([STATUS_LINE[status], *defaults])
        return start


class Lane(HttpToolsProtocol):
    """One connection. Overrides what uvicorn does at each step of a request, and leans on its attributes.

    A message read is in the lane or in uvicorn's hands; in the lane it is answered, or waits for its body.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
        *,
        hot: Answering,
        wording: Wording,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._hot = hot
        self._wording = wording
        # Only uvicorn's own way judges whether there are too many connections.
        self._takes = hot.takes if self.limit_concurrency is None else _takes_nothing
        self._in_lane = False
        self._closing = False
        self._reading = (
            0  # _HEAD or _TRAILERS while such lines are to come, of which there were so many bytes:
        )
        self._line_bytes = 0
        self._head_at = 0.0
        self._awaiting: Head | None = None
        self._body = bytearray()
        self._most = 0
        self._patience: TimerHandle | None = None
        self._unanswered = 0
        self._answered_at = 0.0

    # What the transport calls

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Be idle: who never asks anything is not waited for any longer than between requests."""
        super().connection_made(transport)
        self._answered_at = self.loop.time()
        self._look_again_in(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, but the keep-alive timer goes on, and looks when it fires whether anything came."""
        if len(data) > PIECE_BYTES:
            self._receive_in_pieces(data)
            return
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._refuse(_INVALID)
        except HttpParserUpgrade:
            # No cause for a warning: proxies pass WebSocket handshakes on to forward-auth.
            pass
        else:
            if self._awaiting is not None and self._patience is None:
                self._patience = self.loop.call_later(PATIENCE_S, self._hand_over_awaiting)
            if self._reading:
                self._bound_lines(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was awaited."""
        self._awaiting = None
        self._stop_waiting()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close once what was asked is answered, also when a part of its body is still to come."""
        if self._awaiting is not None:
            self._hand_over_awaiting()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it was idle, or in a head, for too long, else look again when it is due."""
        self.timeout_keep_alive_task = None
        in_head = self._reading == _HEAD
        if self._unanswered > in_head:
            return  # whoever answers sets the timer again
        due = self._head_at + HEAD_S if in_head else self._answered_at + self.timeout_keep_alive
        left = due - self.loop.time()
        if left > 0:
            self._look_again_in(left)
        else:
            super().timeout_keep_alive_handler()

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request without a scope: `_hand_over` makes one if it is needed."""
        self.url = b""
        self.headers = []
        self._unanswered += 1
        self._reading = _HEAD
        self._line_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; after the head this is a trailer, which nobody reads."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Answer, begin to wait for a body, or leave the request to uvicorn."""
        self._reading = 0
        target, _, query = self.url.partition(b"?")
        method, path = self.parser.get_method().decode(), target.decode("latin-1")
        if self._closing:
            self._in_lane = True  # it came after a request that asked to close: nobody answers
        elif len(self.headers) > MOST_HEADERS:
            self._in_lane = True
            self._refuse(_TOO_LARGE)
        elif self._takes(method, path) and self._may_answer(query):
            self._in_lane = True
            self._take(Head(method, path, query, self.headers, self.client))
        else:
            self._hand_over(self.headers)

    def on_chunk_header(self) -> None:
        """Expect a part of the body, or trailers: which of them is known when they come."""
        self.headers = []  # trailers are no headers
        self._reading = _TRAILERS
        self._line_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body that is awaited; of one that nobody awaits, none."""
        self._reading = 0
        if self._awaiting is not None:
            self._body += body
            if len(self._body) > self._most:
                self._hand_over_awaiting()
        elif not self._in_lane:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer what waited for its body."""
        self._reading = 0
        head = self._awaiting
        if head is not None:
            self._awaiting = None
            self._stop_waiting()
            self._answer(head, bytes(self._body))
        if not self._in_lane:
            super().on_message_complete()

    # What a request's task calls

    def on_response_complete(self) -> None:
        """One answer less is owed, by uvicorn's own way."""
        self._unanswered -= 1
        super().on_response_complete()
        self._answered_at = self.loop.time()
        if self._reading == _HEAD and self.timeout_keep_alive_task is not None:
            self._look_again_in(HEAD_S)

    # What is ours

    def _receive_in_pieces(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE_BYTES):
            if self._closing:
                return
            self.data_received(data[begin : begin + PIECE_BYTES])

    def _bound_lines(self, received: int) -> None:
        """Set bounds to an incomplete head, or trailers: `received` more bytes may belong to them."""
        if self._reading == _HEAD and not self._line_bytes:
            self._head_at = self.loop.time()
            self._look_again_in(HEAD_S)
        self._line_bytes += received
        if self._line_bytes >= MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            self._refuse(_TOO_LARGE)

    def _refuse(self, answer: Answer) -> None:
        """Close, after this answer if the request being read is the only one that is owed one."""
        if self._closing:
            return
        self.logger.warning(answer.body.decode())
        self._closing = True
        self._awaiting = None
        self._stop_waiting()
        if self._unanswered == 1:
            defaults = self.server_state.default_headers
            self.transport.write(self._wording.of(answer, defaults, keep_alive=False, with_body=True))
        self.transport.close()

    def _may_answer(self, query: bytes) -> bool:
        """Whether an answer can go out at once: no other is owed before it, and the client reads."""
        cycle = self.cycle  # the last one made: unfinished as long as any is
        return (
            (cycle is None or cycle.response_complete)  # type: ignore[redundant-expr] # None at first
            and not self.flow.write_paused
            and not self.parser.should_upgrade()
            and b"#" not in query  # uvicorn's URL parser ends the query there
        )

    def _take(self, head: Head) -> None:
        try:
            most = self._hot.wants_body(head)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._hand_over_failed(head, b"", error)
            return
        if most is None:
            self._answer(head, b"")
        elif _expects(head.headers):
            self._hand_over(head.headers)
        else:
            self._awaiting, self._most = head, most
            self._body.clear()

    def _answer(self, head: Head, body: bytes) -> None:
        parser, server_state = self.parser, self.server_state
        try:
            answer = self._hot.answer(head, body)
            keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
            with_body = head.method != "HEAD"
            data = self._wording.of(
                answer, server_state.default_headers, keep_alive=keep_alive, with_body=with_body
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._hand_over_failed(head, body, error)
            return
        self.transport.write(data)
        server_state.total_requests += 1
        self._unanswered -= 1
        if keep_alive:
            self._answered_at = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._look_again_in(self.timeout_keep_alive)
        else:
            self._closing = True
            self.transport.close()

    def _look_again_in(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _hand_over_failed(self, head: Head, body: bytes, error: Exception) -> None:
        _LOG.exception("fast lane failed; asking again by the other way", exc_info=error)
        self._hand_over(head.headers, body)

    def _hand_over_awaiting(self) -> None:
        head, self._awaiting = self._awaiting, None
        self._stop_waiting()
        if head is not None:
            self._hand_over(head.headers, bytes(self._body))

    def _hand_over(self, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        """Let uvicorn have the message being read, as if it had read the head and `body` itself."""
        self._in_lane = False
        url = self.url
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()
        if self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in headers):
            # The parser reads no body after a request to upgrade: it would be taken for the next request.
            self.cycle.keep_alive = False
        if body:
            super().on_body(body)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _takes_nothing(_method: str, _path: str) -> bool:
    return False


def _expects(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the client waits to be told to send its body; only uvicorn's own way tells it."""
    return any(name == b"expect" for name, _ in headers)
