"""The command line, run in this process against an API that only remembers what it was asked."""

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from keystead.cli.main import main


@dataclass
class Api:
    """Answers every request with `status` and `answer`, unless `fails` is to be raised."""

    status: int = 200
    answer: object = field(default_factory=dict)
    fails: Exception | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.fails is not None:
            raise self.fails
        if isinstance(self.answer, bytes):
            return httpx.Response(self.status, content=self.answer)
        return httpx.Response(self.status, json=self.answer)

    @property
    def asked(self) -> tuple[str, str, object]:
        """The one request: its method, its address below the API, and its body (None without one)."""
        (request,) = self.requests
        address = str(request.url).removeprefix("http://keystead.test/api/v1/")
        return request.method, address, json.loads(request.content) if request.content else None


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which no setting of ours is left over."""
    for name in [name for name in os.environ if name.startswith("KEYSTEAD_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def run(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line; `stdin` is what is piped in, `terminal` makes all three streams terminals."""

    def run_it(*arguments: str, stdin: str = "", terminal: bool = False) -> Result:
        with environ.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(stdin))
            for stream in (sys.stdin, sys.stdout, sys.stderr):
                patch.setattr(stream, "isatty", lambda: terminal, raising=False)
            code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_it


@pytest.fixture
def api(environ: pytest.MonkeyPatch) -> Api:
    """The API that commands reach, in place of a server and of the data directory."""
    api = Api()

    @asynccontextmanager
    async def open_client(server, environ):
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(api.handle), base_url="http://keystead.test"
        ) as client:
            yield client

    environ.setattr("keystead.cli.connection.open_client", open_client)
    return api
