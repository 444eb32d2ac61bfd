"""Measure on SQLite and PostgreSQL, print the table, and write it to `docs/benchmarks.md`."""

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import CONNECTIONS, HTTP_SECONDS, Timing, machine, time_http, time_verify
from bench.seed import PATH, Seeded, seed
from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from keystead.settings import load_settings
from keystead.wiring import opened
from tests.servers import free_port, run_postgres, running

SIZES = (1, 10_000, 1_000_000)
HTTP_SIZE = 10_000
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_ROOT = make_token("ks", TokenKind.ROOT, Environment.LIVE, secrets.token_bytes(32))

_INTRO = """# Benchmarks

Made by `make bench` on {machine}, {day}. Machines are noisy: compare figures of one run.
In this version verification is answered straight from the database.

Each key is secret, with ten prefix constraints; its uses are counted. In process: one verification after the
other. HTTP: wrk with {connections} keep-alive connections for {seconds} s, one server process.

| what | SQLite | PostgreSQL |
| --- | --- | --- |
"""


async def measure(environ: dict[str, str]) -> dict[str, Timing]:
    """All figures on one store."""
    figures: dict[str, Timing] = {}
    seeded = Seeded(tokens=())
    have = 0
    for size in SIZES:
        async with opened(load_settings(environ)) as instance:
            more = await seed(instance, size - have)
            seeded, have = Seeded(tokens=(*seeded.tokens, *more.tokens)[-10_000:]), size
            figures[f"verify in process, {size:,} keys"] = await time_verify(instance, seeded.tokens)
        if size == HTTP_SIZE:
            figures |= await _over_http(environ, seeded)
        print(figures, file=sys.stderr)
    return figures


async def _over_http(environ: dict[str, str], seeded: Seeded) -> dict[str, Timing]:
    token = seeded.tokens[-1].reveal()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _serving(environ, folder / "log") as url:
            body = f'{{"token":"{token}","method":"GET","path":"{PATH}"}}'
            verify = (
                f"wrk.method='POST'\nwrk.body='{body}'\nwrk.headers['Content-Type']='application/json'\n"
                f"wrk.headers['Authorization']='Bearer {_ROOT.reveal()}'\n"
            )
            auth = (
                f"wrk.headers['Authorization']='Bearer {token}'\nwrk.headers['X-Forwarded-Method']='GET'\n"
                f"wrk.headers['X-Forwarded-Uri']='{PATH}'\n"
            )
            return {
                "POST /api/v1/verify, 10,000 keys": await time_http(f"{url}/api/v1/verify", verify, folder),
                "GET /auth, 10,000 keys": await time_http(f"{url}/auth", auth, folder),
            }


@contextmanager
def _serving(environ: dict[str, str], log: Path) -> Iterator[str]:
    port = free_port()
    pinned = {"KEYSTEAD_ROOT_KEY": _ROOT.reveal(), "KEYSTEAD_PORT": str(port)}
    settings = [f"{name}={value}" for name, value in {**environ, **pinned}.items()]
    program = str(Path(sys.executable).with_name("keystead"))
    with running(["/usr/bin/env", *settings, program, "serve"], port=port, log=log):
        yield f"http://127.0.0.1:{port}"


def main() -> None:
    """Run everything: some minutes, most of them to make a million keys twice."""
    with tempfile.TemporaryDirectory() as name, run_postgres() as server:
        lite = asyncio.run(measure({"KEYSTEAD_DATA": f"{name}/sqlite"}))
        environ = {"KEYSTEAD_DATA": f"{name}/pg", "KEYSTEAD_DATABASE_URL": server.new_database()}
        postgres = asyncio.run(measure(environ))
    rows = "".join(f"| {what} | {lite[what]} | {postgres[what]} |\n" for what in lite)
    intro = _INTRO.format(
        machine=machine(), day=f"{datetime.now(UTC):%Y-%m-%d}", connections=CONNECTIONS, seconds=HTTP_SECONDS
    )
    PAGE.write_text(intro + rows, encoding="utf-8")
    print(intro + rows)


main()
