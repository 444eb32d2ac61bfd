"""One nginx worker on one core, for the two peers that are made of it; and the load on them."""

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from bench.load import Load, ask_script, children, on_core, run_wrk
from bench.peers.figure import CORE, Missing, Served
from bench.seed import PATH
from tests.servers import free_port, running

CONNECTIONS = 64
SECONDS = 8
SAMPLE = 1_000
"""Tokens that the load goes round."""
READY_TIMEOUT_S = 120
"""A million keys are read before the first answer."""
_KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def serving(
    folder: Path, http: str, *, token: str, accepted: HTTPStatus, modules: Sequence[Path] = ()
) -> Iterator[Served]:
    """Run nginx with `http` as its server block, where `PORT` stands for a free port, until the block ends.

    Entered once `token` is answered with `accepted`; raises if an unknown token is not refused with 401.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Missing("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_frame(folder, http.replace("PORT", str(port)), modules), encoding="utf-8")
    command = on_core(CORE, [program, "-p", str(folder), "-c", str(config), "-e", "stderr"])
    url = f"http://127.0.0.1:{port}/auth"
    with running(command, port=port, log=folder / "log") as process:
        _require(url, token, accepted)
        _require(url, f"{token}x", HTTPStatus.UNAUTHORIZED)
        yield Served(url=url, pids=children(process.pid))


def load_on(served: Served, tokens: Sequence[str]) -> Load:
    """What the server answers at most."""
    with tempfile.TemporaryDirectory(prefix="keystead-load-") as name:
        script = ask_script(Path(name), tokens[:: max(1, len(tokens) // SAMPLE)], path=PATH)
        load = run_wrk(served.url, script, connections=CONNECTIONS, seconds=SECONDS)
    if load.errors:
        raise RuntimeError(f"{load.errors} errors of {served.url}")
    return load


def status_of(url: str, token: str, *, method: str = "GET", path: str = PATH) -> int:
    """What the server answers when asked about one request."""
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-Method": method, "X-Forwarded-Uri": path}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=READY_TIMEOUT_S) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as exc:
        return exc.code


def _require(url: str, token: str, wanted: HTTPStatus) -> None:
    began = time.monotonic()
    status = status_of(url, token)
    if status != wanted:
        raise RuntimeError(f"{url} answered {status}, not {wanted}, after {time.monotonic() - began:.1f} s")


def _frame(folder: Path, http: str, modules: Sequence[Path]) -> str:
    loaded = "\n".join(f"load_module {module};" for module in modules)
    temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in _KINDS)
    # As root the worker would change to a user who cannot enter the temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
{loaded}
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 1024; multi_accept on; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
{temporary}
{http}
}}
"""
