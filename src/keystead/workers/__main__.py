"""A worker process: `python -m keystead.workers LINE PUBLIC INTERNAL`, started by the supervisor only.

LINE is the descriptor of its line to the supervisor, the others are lists of listening sockets' descriptors.
It must import neither Typer nor Rich nor Alembic: what verifies need not carry them.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from keystead import logs, wiring
from keystead.domain.errors import KeysteadError
from keystead.settings import load_settings
from keystead.sockets import inherited
from keystead.workers.supervisor import LISTENING

_LOG = structlog.get_logger()

ORPHAN_GRACE_S = 5
"""How long requests in flight may take once the supervisor is gone; whoever started it may start another."""


def main(line_fd: str, public: str, internal: str) -> None:
    """Serve until told to stop, or until nobody is at the other end of the line."""
    line = socket.socket(fileno=int(line_fd))
    listeners = inherited(_descriptors(public), _descriptors(internal))
    orphaned, listens = threading.Event(), threading.Event()

    def end() -> None:
        # The port is free at once, even while a request is being worked on.
        listeners.shut()
        orphaned.set()
        if not listens.is_set():
            # Nothing was answered yet, and to go on starting would be to listen again.
            os._exit(1)

    def tell() -> None:
        listens.set()
        with suppress(ConnectionError):
            line.sendall(LISTENING)

    threading.Thread(target=_watch, args=(line, end), daemon=True).start()
    logs.configure_logging(json=not sys.stderr.isatty(), stream=sys.stderr)
    settings = load_settings(os.environ)
    try:
        wiring.work(settings, listeners, on_listening=tell, stop=orphaned.is_set)
    except KeysteadError as error:
        _LOG.error("worker cannot start", problem=str(error))
        sys.exit(1)


def _descriptors(text: str) -> list[int]:
    return [int(it) for it in text.split(",") if it]


def _watch(line: socket.socket, end: Callable[[], None]) -> None:
    """Wait for the end of the line: the supervisor never says anything."""
    with suppress(ConnectionError):
        line.recv(1)
    end()
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
