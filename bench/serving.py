"""Keystead as it is run, held to one core, on a replica that is level."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.load import children, on_core
from bench.peers.figure import CORE
from bench.peers.nginx import status_of
from keystead.replica.files import Folder
from keystead.replica.stamp import Stamp
from tests.scenario.servers import new_root_token, serve_command
from tests.servers import free_port, running

HTTP_OK = 200
SECRET_KEY = "b" * 32
LEVEL_WITHIN_S = 900
"""A server is given so long to build its replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystead:
    """A running node: its processes that answer, and a root token of every power."""

    port: int
    root: str
    folder: Path
    supervisor: int
    workers: tuple[int, ...]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth(self) -> str:
        """Where a proxy asks."""
        return f"{self.url}/auth"

    @property
    def replica(self) -> Path:
        """The file that is read."""
        return replica_of(self.folder)


@contextmanager
def serving(
    folder: Path,
    *,
    database_url: str | None = None,
    workers: int = 1,
    core: int | None = CORE,
    root: str | None = None,
    **settings: str,
) -> Iterator[Keystead]:
    """Run a node on `folder` until the block ends, entered once its replica is level."""
    folder.mkdir(exist_ok=True)
    port, root = free_port(), root or new_root_token()
    given = {"WORKERS": str(workers), "SECRET_KEY": SECRET_KEY, **settings}
    command = [
        str(it) for it in serve_command(folder, port=port, root=root, database_url=database_url, **given)
    ]
    held = command if core is None else on_core(core, command)
    with running(held, port=port, log=folder / "log") as process:
        wait_until_level(f"http://127.0.0.1:{port}")
        pids = children(process.pid) if workers > 1 else (process.pid,)
        yield Keystead(port=port, root=root, folder=folder, supervisor=process.pid, workers=pids)


def wait_until_level(url: str, within_s: float = LEVEL_WITHIN_S) -> None:
    """Return once keys are judged at `url`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:  # noqa: S310
            if answer.status == HTTP_OK:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} is not level")


def require_accepted(url: str, token: str) -> None:
    """Raise unless the server accepts `token`, and refuses another."""
    statuses = status_of(url, token), status_of(url, f"{token}x"), status_of(url, token, path="/v1/other/42")
    if statuses != (200, 401, 403):
        raise RuntimeError(f"{url} answered {statuses}")


def replica_of(folder: Path) -> Path:
    """The file that a node on `folder` reads."""
    data = Folder(folder / "data" / "replica")
    stamp = Stamp(data.stamp)
    try:
        return data.file(stamp.generation)
    finally:
        stamp.close()


def ask_api(node: Keystead, method: str, path: str, body: object = None) -> dict[str, object]:
    """What our API answers to the root key; raises for an error."""
    headers = {"Authorization": f"Bearer {node.root}", "Content-Type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    url = f"{node.url}/api/v1/{path}"
    request = urllib.request.Request(url, data=sent, headers=headers, method=method)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
        told: dict[str, object] = json.loads(answer.read() or b"{}")
        return told


def new_app(node: Keystead) -> str:
    """The id of a new app in a new organization."""
    organization = ask_api(node, "POST", "organizations", {"name": "Bench"})["id"]
    return str(ask_api(node, "POST", f"organizations/{organization}/apps", {"name": "Bench"})["id"])
