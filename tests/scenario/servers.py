"""A running Keystead, and what stands around it: an API that tells what it received, and raw requests."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from tests.servers import START_TIMEOUT_S, Command, free_port, running

Json = dict[str, Any]
Headers = Mapping[str, str] | list[tuple[str, str]]


def new_root_token() -> str:
    """A root token that no database has seen."""
    return make_token("ks", TokenKind.ROOT, Environment.LIVE, secrets.token_bytes(32)).reveal()


def serve_command(
    folder: Path,
    *,
    port: int,
    root: str,
    database_url: str | None = None,
    around: Mapping[str, str] | None = None,
    **settings: str,
) -> Command:
    """What starts a server on `folder`'s data, with nothing of our own environment but the path.

    `settings` are `KEYSTEAD_*` variables without that beginning; `around` is what else it finds there.
    """
    root_file = folder / "root"
    root_file.write_text(root)
    environ = {"DATA": str(folder / "data"), "PORT": str(port), "ROOT_KEY_FILE": str(root_file), **settings}
    if database_url is not None:
        environ["DATABASE_URL"] = database_url
    ours = {f"KEYSTEAD_{name}": value for name, value in environ.items()}
    variables = [f"{name}={value}" for name, value in {**(around or {}), **ours}.items()]
    program = Path(sys.executable).with_name("keystead")
    return ["env", "-i", f"PATH={os.environ['PATH']}", *variables, program, "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystead:
    """A running server, with a root key of every power and shorthand for what most stories begin with."""

    port: int
    root: str
    folder: Path
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "root",  # noqa: S107 - stands for the root key's
        **sent: Any,
    ) -> httpx.Response:
        """One request to `/api/v1/{path}`: as the root key, or with another token, or None for no token."""
        bearer = self.root if token == "root" else token
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        headers |= sent.pop("headers", {})
        return self.client.request(method, f"/api/v1/{path}", headers=headers, **sent)

    def made(self, method: str, path: str, body: Json | None = None, **options: Any) -> Json:
        """What a request that must succeed answers with."""
        answer = self.call(method, path, json=body, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    def app(self, **fields: Any) -> Json:
        """A new app in a new organization."""
        organization = self.made("POST", "organizations", {"name": "Acme", **fields})
        return self.made("POST", f"organizations/{organization['id']}/apps", {"name": "Web"})

    def key(self, app: Json | None = None, **fields: Any) -> Json:
        """A new app key with its token, in a new app unless one is given."""
        owner = app or self.app()
        return self.made("POST", f"apps/{owner['id']}/keys", {"name": "Key", **fields})

    def verdict(self, token: str, **attempt: Any) -> Json:
        """What verify says of a token; a GET of `/` unless said."""
        return self.made("POST", "verify", {"token": token, "method": "GET", "path": "/", **attempt})

    def log_text(self) -> str:
        """All that the server has printed, also in earlier runs on the same folder."""
        return (self.folder / "log").read_text()

    def log_lines(self) -> list[Json]:
        """The log, which is JSON off a terminal; what is printed for people is left out."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]


@contextmanager
def run_keystead(
    folder: Path,
    *,
    database_url: str | None = None,
    root: str | None = None,
    port: int | None = None,
    around: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[Keystead]:
    """Run what `serve_command` says until the block ends, entered once it judges keys.

    The log is `folder/log`.
    """
    port, root = port or free_port(), root or new_root_token()
    command = serve_command(
        folder, port=port, root=root, database_url=database_url, around=around, **settings
    )
    with (
        running(command, port=port, log=folder / "log") as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        wait_until_ready(client)
        yield Keystead(port=port, root=root, folder=folder, process=process, client=client)


def wait_until_ready(client: httpx.Client) -> None:
    """Return once the server behind `client` judges keys: it listens before its replica is level."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (answer := client.get("/readyz")).status_code != httpx.codes.OK:
        if time.monotonic() > deadline:
            raise TimeoutError(answer.text)
        time.sleep(0.02)


@dataclass(slots=True)
class Api:
    """An API behind a proxy: tells in its answer, and remembers, what it received."""

    port: int = 0
    received: list[Json] = field(default_factory=list)


@contextmanager
def run_api() -> Iterator[Api]:
    """Run an API that answers 200, or the status at the end of a path such as `/answers/403`."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            _, target, _ = self.requestline.split(" ")
            seen = {"method": self.command, "target": target, "body": body.decode()}
            api.received.append(seen | {"headers": self.headers.items()})
            text = json.dumps(api.received[-1]).encode()
            *_, last = target.rpartition("/answers/")
            self.send_response(int(last) if "/answers/" in target else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with serving_in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as api.port:
        yield api


@contextmanager
def serving_in_thread(server: ThreadingHTTPServer) -> Iterator[int]:
    """Run a small server in a thread of this process until the block ends; gives its port."""
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def send_raw(port: int, request: bytes) -> Reply:
    """Send bytes as they are, where a client library would tidy them, and read one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return Reply(status=answer.status, headers=answer.headers, body=answer.read())


def raw_get(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """The bytes of a request without a body that closes its connection."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", b""])
