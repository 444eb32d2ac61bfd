"""The HTTP server: uvicorn with the fast lane, on sockets already bound, stopping cleanly when asked to."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from signal import SIGINT, SIGTERM, signal
from socket import socket
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from keystead.api.lane import Answering, Lane, Wording

GRACE_S = 30
"""How long requests in flight may take to be answered once we were asked to stop."""

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than in proxies (nginx 60), so that it is they who close it.

A connection that we close just as a proxy writes to it would fail the request of somebody's client.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What answers on some sockets: `hot` what it takes, the application all else."""

    app: ASGIApp
    hot: Answering
    sockets: Sequence[socket]


class Server(uvicorn.Server):
    """Serves its sites, which it closes at the end, and says when it listens.

    Ends with exit code 0 after SIGTERM or Ctrl-C, or once `stop` says so (it is asked ten times a second),
    requests in flight answered.
    """

    def __init__(
        self,
        *sites: Site,
        on_listening: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        wording = Wording()
        self._sites = [(_config(site, wording), site.sockets) for site in sites]
        super().__init__(self._sites[0][0])
        self._on_listening = on_listening
        self._stop = stop

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then say so."""
        # Ours are the only sockets, each with its site's application; uvicorn knows just one application.
        await super().startup([*(sockets or ())])
        for config, listeners in self._sites:
            self.servers += [await self._listen(config, it) for it in listeners]
        if self.started:
            self._on_listening()

    async def _listen(self, config: uvicorn.Config, listener: socket) -> asyncio.Server:
        if not config.loaded:
            config.load()
        make: Callable[..., asyncio.Protocol] = config.http_protocol_class
        protocol = partial(make, config, self.server_state, self.lifespan.state)
        loop = asyncio.get_running_loop()
        return await loop.create_server(protocol, sock=listener, backlog=config.backlog)

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's; ends also when `stop` says so."""
        self.should_exit = self.should_exit or self._stop()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop listening, answer what was asked, close."""
        ours = [listener for _, listeners in self._sites for listener in listeners]
        await super().shutdown([*(sockets or ()), *ours])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signal again at the end: being asked to stop is no failure."""
        before = {number: signal(number, self.handle_exit) for number in (SIGINT, SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal(number, handler)


def _config(site: Site, wording: Wording) -> uvicorn.Config:
    return uvicorn.Config(
        site.app,
        http=cast("type[asyncio.Protocol]", partial(Lane, hot=site.hot, wording=wording)),
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
