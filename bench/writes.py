"""Part `writes`: how many keys are created, rotated and revoked a second over the API."""

import http.client
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from bench.primary import DURABLE, new_database
from bench.serving import Keystead, new_app, serving
from bench.table import Line, Told, say
from tests.servers import free_port, postgres_data, serve_postgres

CLIENTS = (1, 8)
KEYS = 400
"""In all, shared between the clients."""

Fields = dict[str, str]


def measure() -> Told:
    """Some minutes. Both databases write durably, as they do in earnest."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name, postgres_data() as data:
        folder = Path(name)
        with serve_postgres(data, port=free_port(), **DURABLE) as server:
            url = new_database(server, folder / "first")
            found = {
                "PostgreSQL": _measured(folder / "postgresql", url),
                "SQLite": _measured(folder / "sqlite", None),
            }
    return Told(
        lines=[
            Line(
                what=f"create, rotate, revoke a second, {store}, {clients} client{'s'[: clients - 1]}",
                at_least="report",
                measured=", ".join(f"{rate:,.0f}" for rate in rates),
                note=f"{KEYS} keys, durable; one worker",
            )
            for store, by_clients in found.items()
            for clients, rates in by_clients.items()
        ]
    )


def _measured(folder: Path, url: str | None) -> dict[int, list[float]]:
    with serving(folder, database_url=url, core=None) as keystead:
        return {clients: _rates(keystead, clients) for clients in CLIENTS}


def _rates(keystead: Keystead, clients: int) -> list[float]:
    """Created, rotated and revoked a second, in all."""
    count = KEYS // clients
    with ThreadPoolExecutor(clients) as pool:
        # Clients of their own apps: what one does must not wait for another's.
        crowd = [Client(keystead) for _ in range(clients)]
        made = list(pool.map(Client.create, crowd, repeat(1)))  # the last key of an app cannot be revoked
        rates = []
        keys: Sequence[Sequence[str]] = []
        for step in (Client.create, Client.rotate, Client.revoke):
            began = time.perf_counter()
            keys = list(pool.map(step, crowd, keys or repeat(count)))
            rates.append(clients * count / (time.perf_counter() - began))
        del made
    say(f"{clients} clients: {rates}")
    return rates


class Client:
    """One client, on one connection, with an app."""

    def __init__(self, keystead: Keystead) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", keystead.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {keystead.root}", "Content-Type": "application/json"}
        self._app = new_app(keystead)

    def create(self, count: int) -> list[str]:
        """The ids of so many new keys."""
        constraints = [{"type": "prefix", "pattern": "v1/", "methods": ["GET"]}]
        body = {"name": "Key", "constraints": constraints}
        return [self._asked("POST", f"apps/{self._app}/keys", body)["id"] for _ in range(count)]

    def rotate(self, keys: Sequence[str]) -> Sequence[str]:
        """Rotate each once."""
        for key in keys:
            self._asked("POST", f"keys/{key}/rotate", {})
        return keys

    def revoke(self, keys: Sequence[str]) -> Sequence[str]:
        """Revoke each."""
        for key in keys:
            self._asked("DELETE", f"keys/{key}", None)
        return keys

    def _asked(self, method: str, path: str, body: object) -> Fields:
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1/{path}", sent, self._headers)
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {told!r}")
        found: Fields = json.loads(told or b"{}")
        return found
