"""The supervisor: starts the workers, replaces one that dies, and ends them all when it is told to.

It holds one end of a line to each worker. A worker says LISTENING there, and ends itself when the line does:
so no worker outlives a supervisor that was killed.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector

import structlog

from keystead.sockets import Listeners

LISTENING = b"\x01"

GRACE_S = 35
"""How long workers may take to end once asked to: a little more than they give to requests in flight."""

STEADY_S = 10
"""A worker that lived this long was no failure of the start: the next one is started at once."""

LONGEST_DELAY_S = 30.0

MOST_LOST = 5
"""How many workers may be killed before all listen; after one more the start has failed."""

_LOG = structlog.get_logger()
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A worker's process, and our end of its line."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    started_at: float
    listens: bool = False


class Supervisor:
    """Keeps `count` workers alive on `listeners`; `environ` holds their settings."""

    def __init__(
        self,
        count: int,
        listeners: Listeners,
        environ: Mapping[str, str],
        on_listening: Callable[[], None],
    ) -> None:
        self._count = count
        self._listeners = listeners
        self._environ = environ
        self._on_listening = on_listening
        self._selector = DefaultSelector()
        self._workers: list[_Worker] = []
        self._delay_s = 0.0
        self._start_at = 0.0
        self._told = False
        self._lost = 0
        self._stops = 0
        self._end_by = float("inf")

    def run(self) -> bool:
        """Supervise until SIGTERM or Ctrl-C, then end the workers; a second signal kills them.

        `on_listening` is called once, when all listen. False if a worker gave up before, or had to be killed.
        """
        with _signals() as signals, self._selector:
            self._selector.register(signals, EVENT_READ)
            try:
                return self._supervise(signals)
            finally:
                self._kill()

    def _supervise(self, signals: socket.socket) -> bool:
        clean = True
        while not self._stops or self._workers:
            if not self._stops:
                self._start_missing()
            for key, _ in self._selector.select(self._patience_s()):
                if key.fileobj is signals:
                    self._heed(signals.recv(4096))
                else:
                    self._hear(key.data)
            clean = self._bury() and clean
            if self._workers and (self._stops > 1 or time.monotonic() >= self._end_by):
                clean = False
                self._kill()
        return clean

    def _patience_s(self) -> float | None:
        """How long there is nothing to do unless something happens."""
        due = self._end_by
        if not self._stops and len(self._workers) < self._count:
            due = self._start_at
        return None if due == float("inf") else max(0.0, due - time.monotonic())

    def _start_missing(self) -> None:
        while len(self._workers) < self._count and time.monotonic() >= self._start_at:
            try:
                worker = self._start()
            except OSError as error:
                if not self._told:
                    raise
                # The others go on: descriptors, memory or processes may be free again in a while.
                self._put_off()
                _LOG.error("worker cannot be started", problem=str(error))
                return
            self._workers.append(worker)
            self._selector.register(worker.line, EVENT_READ, worker)

    def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        public, internal = ([it.fileno() for it in listeners] for listeners in self._listeners)
        descriptors = (theirs.fileno(), *public, *internal)
        with theirs, ExitStack() as unless_started:
            unless_started.callback(ours.close)
            process = subprocess.Popen(  # noqa: S603 - our own program
                # -P: what lies in the directory we stand in must not be imported.
                [
                    *(sys.executable, "-P", "-m", "keystead.workers", str(theirs.fileno())),
                    *(",".join(map(str, it)) for it in (public, internal)),
                ],
                stdin=subprocess.DEVNULL,
                env=self._environ,
                pass_fds=descriptors,
                # A terminal's Ctrl-C is for us alone; we pass it on.
                process_group=0,
            )
            unless_started.pop_all()
        return _Worker(process=process, line=ours, started_at=time.monotonic())

    def _heed(self, numbers: bytes) -> None:
        """Do as signals say; one that a child ended only wakes us."""
        stops = sum(number in _STOPS for number in numbers)
        if stops and not self._stops:
            self._end_by = time.monotonic() + GRACE_S
            self._listeners.close()
            for worker in self._workers:
                worker.process.terminate()
        self._stops += stops

    def _hear(self, worker: _Worker) -> None:
        """Note that a worker listens, or that its line has ended; then its process is about to."""
        if worker.line.recv(1) == LISTENING:
            worker.listens = True
        else:
            self._selector.unregister(worker.line)
        if not self._told and len(self._workers) == self._count and all(it.listens for it in self._workers):
            self._told = True
            self._on_listening()

    def _bury(self) -> bool:
        """Take leave of workers that ended; False if one could not start, which ends it all."""
        ended = [it for it in self._workers if it.process.poll() is not None]
        for worker in ended:
            self._workers.remove(worker)
            if worker.line in self._selector.get_map():
                self._selector.unregister(worker.line)
            worker.line.close()
            if not self._stops:
                self._plan_another(worker)
        if not ended or self._told or self._stops:
            return True
        self._lost += len(ended)
        gave_up = any(it.process.returncode >= 0 and not it.listens for it in ended)
        if not gave_up and self._lost <= MOST_LOST:
            return True  # a signal ended it, somebody's or the system's: another may live
        # It would fail again. With one process the start would have failed, too.
        self._heed(bytes([signal.SIGTERM]))
        return False

    def _plan_another(self, worker: _Worker) -> None:
        if time.monotonic() - worker.started_at >= STEADY_S:
            self._delay_s = 0.0
            self._start_at = time.monotonic()
        else:
            self._put_off()
        _LOG.error("worker ended", pid=worker.process.pid, how=_how(worker.process.returncode))

    def _put_off(self) -> None:
        """Wait with the next start, longer each time."""
        self._delay_s = min(LONGEST_DELAY_S, 2 * self._delay_s or 0.1)
        self._start_at = time.monotonic() + self._delay_s

    def _kill(self) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that gives the number of each signal that concerns us."""
    numbers = (*_STOPS, signal.SIGCHLD)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        # Without a handler in Python nothing would be written.
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        descriptor = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)
