"""Real servers for tests: on free loopback ports, in temporary folders, ended by their process id."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

Command = Sequence[str | Path]

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10


def free_port() -> int:
    """Name a loopback port that nobody listens on at this moment; take it soon."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], host: str = LOOPBACK) -> None:
    """Return once something answers on `port`; raise if `process` ends first or the time is up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it answered")
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"{process.args!r} does not answer on port {port}")


@contextmanager
def running(
    command: Command,
    *,
    port: int,
    log: Path,
    host: str = LOOPBACK,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the block ends, entered once it answers on `port`; what it prints goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        try:
            wait_for_port(port, process, host)
        except (RuntimeError, TimeoutError) as exc:
            exc.add_note(log.read_text(errors="replace")[-2000:])
            raise
        yield process
    finally:
        end(process, stop)


def end(process: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask `process` to end, and make it when it does not; nothing happens when it has ended already."""
    process.send_signal(stop)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server, and where its client program is."""

    port: int
    psql: Path
    host: str = LOOPBACK
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Make an empty database and give its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@{self.host}:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement as the superuser; CalledProcessError tells when it fails."""
        command: Command = [self.psql, "-qXd", self.url("postgres"), "-c", statement]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Run an empty PostgreSQL that trusts whoever reaches its port and would lose data in a power cut."""
    with postgres_data() as data, serve_postgres(data, port=free_port()) as server:
        yield server


@contextmanager
def postgres_data() -> Iterator[Path]:
    """A data directory for `serve_postgres`, empty, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="keystead-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command: Command = [*_as_postgres(), _postgres_programs() / "initdb", *options, data]
        subprocess.run(command, check=True, capture_output=True)
        yield data


@contextmanager
def serve_postgres(
    data: Path, *, port: int, host: str = LOOPBACK, within: Command = (), **settings: str
) -> Iterator[Postgres]:
    """Run PostgreSQL on `data` until the block ends, entered once it serves.

    It listens on `host`; `within` stands before the command, such as what enters a network namespace.
    """
    given = {
        "port": port,
        "listen_addresses": host,
        "unix_socket_directories": data.parent,
        "max_connections": 200,
        "fsync": "off",
        "full_page_writes": "off",
        **settings,
    }
    options = [f"--{name}={value}" for name, value in given.items()]
    programs, log = _postgres_programs(), data.parent / "log"
    command: Command = [*within, *_as_postgres(), programs / "postgres", "-D", data, *options]
    # On SIGTERM PostgreSQL would wait for its clients to leave; on SIGINT it sends them away.
    with running(command, port=port, host=host, log=log, stop=signal.SIGINT):
        server = Postgres(port=port, psql=programs / "psql", host=host)
        _wait_until_it_serves(server)
        yield server


def _postgres_programs() -> Path:
    """Find where the server's programs are: Debian keeps its versions off the PATH, others put one on it."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("no PostgreSQL server found: run scripts/system-packages")
    return Path(on_path).resolve().parent


def _as_postgres() -> list[str]:
    """What to put before a command if we are root, as whom PostgreSQL refuses to run.

    The user `postgres` runs it then, in the same process.
    """
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


def _wait_until_it_serves(server: Postgres) -> None:
    """Wait out the moment in which the port answers, but only that the server is starting."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.execute("SELECT 1")
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def run_nginx(config_text: str, *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx until the block ends, entered once it answers on `port`.

    `config_text` is what a file in Debian's `conf.d` holds: it stands inside `http { }`.
    """
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory(prefix="keystead-nginx-") as name:
        folder = Path(name)
        config = folder / "nginx.conf"
        config.write_text(_nginx_frame(folder, config_text))
        command: Command = [program, "-p", folder, "-c", config, "-e", "stderr"]
        with running(command, port=port, log=folder / "log") as process:
            yield process


def _nginx_frame(folder: Path, http: str) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in kinds)
    # As root the workers would change to a user who cannot enter the temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
{temporary}
{http}
}}
"""
