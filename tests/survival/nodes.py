"""Nodes that a story stops, kills, starts again, and looks into."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import lmdb

from keystead.replica.files import Folder
from keystead.replica.format import REFUSALS
from keystead.replica.stamp import Stamp
from tests.scenario.servers import Json, Keystead, new_root_token, serve_command
from tests.servers import LOOPBACK, START_TIMEOUT_S, Command, end, free_port, wait_for_port

PATIENCE_S = 15
SECRET_KEY = "s" * 32

T = TypeVar("T")


def soon(look: Callable[[], T], *, within: float = PATIENCE_S, every: float = 0.02) -> T:
    """What `look` gives once it is true; AssertionError with its last value when the time is up."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within} s: {found!r}"
        time.sleep(every)
    return found


class Node:
    """A node on its own data directory and port, whatever becomes of its processes.

    `settings` are `KEYSTEAD_*` variables without that beginning, `environ` is what else its processes find.
    """

    def __init__(
        self,
        folder: Path,
        *,
        root: str,
        database_url: str | None = None,
        environ: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.root = root
        self._sessions: list[int] = []
        self._api: Keystead | None = None
        given = {"NODE_NAME": folder.name, "SECRET_KEY": SECRET_KEY, **settings}
        self._command = serve_command(
            folder, port=self.port, root=root, database_url=database_url, around=environ, **given
        )

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def replica(self) -> Folder:
        """Where its replica is."""
        return Folder(self.data / "replica")

    @property
    def id(self) -> str:
        return (self.data / "node.id").read_text().strip()

    @property
    def api(self) -> Keystead:
        """The server as it was started last."""
        assert self._api is not None, "it was never started"
        return self._api

    @property
    def as_listed(self) -> tuple[str, str]:
        return self.id, self.name

    def begin(self) -> None:
        """Start its processes, in a session of their own."""
        self._let_go()
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._sessions.append(process.pid)
        client = httpx.Client(base_url=f"http://{LOOPBACK}:{self.port}", timeout=30)
        self._api = Keystead(
            port=self.port, root=self.root, folder=self.folder, process=process, client=client
        )

    def until_it_answers(self) -> None:
        """Return once requests are answered; raises with what it printed if they never are."""
        try:
            wait_for_port(self.port, self.api.process)
            # Behind several workers the kernel takes connections before anybody answers.
            soon(self._answers, within=START_TIMEOUT_S)
        except (RuntimeError, TimeoutError, AssertionError) as exc:
            exc.add_note(self._log.read_text(errors="replace")[-2000:])
            raise

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self.api.client.get("/healthz").is_success
        return False

    def start(self) -> None:
        self.begin()
        self.until_it_answers()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        end(self.api.process)
        soon(lambda: not self.processes())

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """`kill -9` of all its processes."""
        self.send(signal.SIGKILL)
        self.api.process.wait()
        soon(lambda: not self.processes())

    def kill_supervisor(self) -> None:
        """`kill -9` of the process that was started; returns once nobody listens on its port."""
        self.api.process.kill()
        self.api.process.wait()
        soon(lambda: not self.listens(), within=2)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to each of its processes."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def processes(self) -> list[int]:
        """Its processes that have not ended, of earlier starts too."""
        return [pid for pid, (session, _, _) in _processes().items() if session in self._sessions]

    def workers(self) -> list[int]:
        """The processes that the supervisor runs now."""
        supervisor = self.api.process.pid
        return [pid for pid, (_, parent, _) in _processes().items() if parent == supervisor]

    def applier(self) -> int:
        """The process that applies, or did last."""
        stamp = Stamp(self.replica.stamp)
        try:
            return stamp.applier
        finally:
            stamp.close()

    def until_level(self) -> None:
        """Return once it has proved itself level with the primary within the last second."""
        soon(lambda: self.age_ms() < 1000)

    def age_ms(self) -> int:
        """How long ago it was level with the primary."""
        stamp = Stamp(self.replica.stamp)
        try:
            return stamp.age_ms()
        finally:
            stamp.close()

    def listens(self) -> bool:
        """Whether somebody listens on its port."""
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def cli(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run another command with its settings, and more variables."""
        more = (f"{name}={value}" for name, value in environ.items())
        command: Command = [*self._command[:2], *more, *self._command[2:-1], *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def standing(self) -> int:
        """How many refusals stand in its replica that its primary does not know of."""
        stamp = Stamp(self.replica.stamp)
        try:
            file = self.replica.file(stamp.generation)
        finally:
            stamp.close()
        with (
            lmdb.open(str(file), subdir=False, readonly=True, lock=False, max_dbs=1) as environment,
            environment.begin(db=environment.open_db(REFUSALS, create=False)) as transaction,
        ):
            entries: int = transaction.stat(environment.open_db(REFUSALS, create=False))["entries"]
            return entries

    def compared(self) -> str:
        """What `replica verify` finds wrong with its replica; nothing if it is as the primary."""
        done = self.cli("replica", "verify", "--json")
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def app(self) -> Json:
        """A new app with a key to spare: the last one cannot be revoked."""
        app = self.api.app()
        self.api.key(app, name="Spare")
        return app

    def auth(self, token: str) -> httpx.Response:
        """One forward-auth request for a GET of `/`."""
        headers = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/", "Authorization": f"Bearer {token}"}
        return self.api.client.get("/auth", headers=headers)

    def reason(self, token: str) -> str | None:
        """Why verify refuses a token now; None when it is accepted."""
        reason: str | None = self.api.verdict(token)["reason"]
        return reason

    def end(self) -> None:
        """End whatever of it is left."""
        self.send(signal.SIGKILL)
        if self._api is not None:
            self._api.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._api is not None:
            self._api.client.close()


@contextmanager
def some_nodes(
    folder: Path, urls: Mapping[str, str | None], *, root: str | None = None, **options: Any
) -> Iterator[list[Node]]:
    """Nodes by these names, each on its database, not yet started; whatever is left of them is ended."""
    pinned = root or new_root_token()
    nodes = [Node(folder / name, root=pinned, database_url=url, **options) for name, url in urls.items()]
    try:
        yield nodes
    finally:
        for node in nodes:
            node.end()


def start_all(nodes: Sequence[Node]) -> None:
    """Start them beside each other."""
    for node in nodes:
        node.begin()
    for node in nodes:
        node.until_it_answers()


@contextmanager
def one_node(folder: Path, database_url: str | None = None, **options: Any) -> Iterator[Node]:
    """A node that is called `node`, as in `some_nodes`."""
    with some_nodes(folder, {"node": database_url}, **options) as [node]:
        yield node


def named(nodes: list[Json]) -> list[tuple[str, str]]:
    """Nodes as `confirmed`, `lagging` and `nodes` list them, by id and name."""
    return sorted((it["id"], it["name"]) for it in nodes)


def told(done: subprocess.CompletedProcess[str]) -> Json:
    """What a command that must succeed prints as JSON."""
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def _processes() -> dict[int, tuple[int, int, str]]:
    """Session, parent and state of every process of this machine that has not ended."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name stands in parentheses, and may hold any character.
            state, parent, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            if state not in "ZX":
                found[int(stat.parent.name)] = int(session), int(parent), state
    return found
