"""nginx in front of an API, configured by the text that docs/proxies/nginx.md shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.scenario.servers import Api, Headers, Json, Keystead, Reply, send_raw
from tests.servers import free_port, run_nginx

RECIPE = Path(__file__).parents[2] / "docs/proxies/nginx.md"
GUARD = "if ($two_readings) { return 400; }"
IDENTITY = {
    "x-key-id",
    "x-key-owner",
    "x-key-type",
    "x-key-organization",
    "x-key-external-id",
    "x-key-scopes",
    "x-key-environment",
}


def recipe(*, keystead: int, api: int, port: int) -> str:
    """The configuration that the page shows, with the ports of a test."""
    [text] = re.findall(r"^```nginx\n(.*?)^```", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    for shown, ours in {
        "server 127.0.0.1:8420;": f"server 127.0.0.1:{keystead};",
        "server 127.0.0.1:9000;": f"server 127.0.0.1:{api};",
        "listen 8080;": f"listen 127.0.0.1:{port};",
    }.items():
        assert text.count(shown) == 1
        text = text.replace(shown, ours)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An API behind nginx behind Keystead."""

    port: int
    api: Api
    keystead: Keystead
    client: httpx.Client

    def get(self, path: str, token: str | None = None, *, headers: Headers = (), method: str = "GET") -> Any:
        own = [] if token is None else [("Authorization", f"Bearer {token}")]
        return self.client.request(method, path, headers=[*own, *dict(headers).items()])

    def raw(self, request: bytes) -> tuple[Reply, list[Json]]:
        """The answer to the bytes of a request, and what the API received of it."""
        before = len(self.api.received)
        return send_raw(self.port, request), self.api.received[before:]


@contextmanager
def run_site(keystead: Keystead, api: Api, *, guarded: bool = True) -> Iterator[Site]:
    port = free_port()
    text = recipe(keystead=keystead.port, api=api.port, port=port)
    assert GUARD in text
    with (
        run_nginx(text if guarded else text.replace(GUARD, ""), port=port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield Site(port=port, api=api, keystead=keystead, client=client)


def received_headers(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in answer.json()["headers"]]


def refused(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
