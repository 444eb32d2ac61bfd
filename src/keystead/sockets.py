"""The sockets that a server listens on, as its settings say; every process of a node shares them."""

import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from keystead.domain.errors import Misconfigured
from keystead.settings import Settings

BACKLOG = 2048
UNIX_MODE = 0o660
"""A proxy runs as another user than we do: let it in by putting it into our group."""

Sockets = Sequence[socket.socket]


class Listeners(NamedTuple):
    """Where requests arrive; without `internal` sockets the public ones serve everything."""

    public: Sockets
    internal: Sockets

    def close(self) -> None:
        """Close them in this process; others that share them listen on."""
        for listener in (*self.public, *self.internal):
            listener.close()

    def shut(self) -> None:
        """Stop listening in every process that shares them, where the system can do that (Linux)."""
        for listener in (*self.public, *self.internal):
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening(settings: Settings) -> Iterator[Listeners]:
    """Listen until the block ends; then a Unix socket's file is removed too.

    A client is let in by the kernel at once, and waits until somebody accepts it. Raises Misconfigured.
    """
    with ExitStack() as stack:
        public = _listen("KEYSTEAD_PORT", settings.host, settings.port)
        stack.callback(_close, public)
        internal: Sockets = ()
        if settings.internal_listen is not None:
            internal = stack.enter_context(_internal(settings.internal_listen))
        yield Listeners(public, internal)


def inherited(public: Sequence[int], internal: Sequence[int]) -> Listeners:
    """The listeners that another process handed us, by their descriptors."""
    return Listeners(
        [socket.socket(fileno=it) for it in public],
        [socket.socket(fileno=it) for it in internal],
    )


@contextmanager
def _internal(listen: str) -> Iterator[Sockets]:
    setting, path = "KEYSTEAD_INTERNAL_LISTEN", listen.removeprefix("unix:")
    if path != listen:
        with _listening_at(setting, Path(path)) as listener:
            yield [listener]
        return
    host, _, port = listen.rpartition(":")
    listeners = _listen(setting, host.strip("[]"), int(port))
    try:
        yield listeners
    finally:
        _close(listeners)


def _listen(setting: str, host: str, port: int) -> Sockets:
    """Listen on every address of `host`; one that this machine does not have is passed over."""
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for index, (family, _, _, _, address) in enumerate(found):
            try:
                listeners.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
            except OSError as exc:
                if exc.errno != errno.EADDRNOTAVAIL or (index + 1 == len(found) and not listeners):
                    raise
    except OSError as exc:
        _close(listeners)
        raise _cannot(setting, f"{host}:{port}", exc) from None
    return listeners


@contextmanager
def _listening_at(setting: str, path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _remove_stale(setting, path)
            listener.bind(str(path))
            # Nobody can connect before `listen`, whatever the mode was for a moment.
            path.chmod(UNIX_MODE)
            made = path.lstat()
            listener.listen(BACKLOG)
        except OSError as exc:
            raise _cannot(setting, str(path), exc) from None
        try:
            yield listener
        finally:
            with suppress(OSError):
                # Whoever comes after us may have put theirs in its place already.
                if os.path.samestat(path.lstat(), made):
                    path.unlink()


def _remove_stale(setting: str, path: Path) -> None:
    """Remove a socket that nobody listens on any more; anything else that stands there stays."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Misconfigured(setting, f"names {path}, which is no socket: remove it, or name another path")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            try:
                client.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()


def _close(listeners: Sockets) -> None:
    for listener in listeners:
        listener.close()


def _cannot(setting: str, where: str, exc: OSError) -> Misconfigured:
    if exc.errno == errno.EADDRINUSE:
        problem = f"another program listens on {where} already: stop it, or choose another"
        return Misconfigured(setting, problem)
    return Misconfigured(setting, f"nobody can listen on {where} ({exc.strerror or exc}): choose another")
