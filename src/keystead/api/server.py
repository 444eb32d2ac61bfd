"""The HTTP server: uvicorn, stopping cleanly when asked to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGTERM, signal
from socket import socket

import uvicorn
from litestar.types import ASGIApp

GRACE_S = 30
"""How long requests in flight may take to be answered once we were asked to stop."""

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than in proxies (nginx 60), so that it is they who close it.

A connection that we close just as a proxy writes to it would fail the request of somebody's client.
"""


class Server(uvicorn.Server):
    """Says when it listens; ends with exit code 0 after SIGTERM or Ctrl-C, requests in flight answered."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, on_listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http="httptools",
                loop="uvloop",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # one function of ours reads them, for trusted peers only
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signal again at the end: being asked to stop is no failure."""
        before = {number: signal(number, self.handle_exit) for number in (SIGINT, SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal(number, handler)
