"""`keystead serve`, `migrate` and `doctor`: the server on this machine, and what it stands on."""

# ruff: noqa: PLC0415 - what is imported inside takes long, and `keystead --help` needs none of it

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keystead import __version__
from keystead.cli.checks import Probes, examine
from keystead.cli.exits import ExitCode
from keystead.cli.findings import Finding
from keystead.cli.printing import clean, print_json, print_line
from keystead.settings import SETTINGS, Settings, load_settings

Host = Annotated[
    str | None,
    typer.Option(
        "--host", metavar="ADDRESS", help="Where to listen. [env: KEYSTEAD_HOST; default: 127.0.0.1]"
    ),
]
Port = Annotated[
    int | None, typer.Option("--port", metavar="PORT", help="Which port. [env: KEYSTEAD_PORT; default: 8420]")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="COUNT", help="How many processes. [env: KEYSTEAD_WORKERS; default: 1]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def serve(*, host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Run the server until it is told to stop."""
    options = {"host": host, "port": port, "workers": workers}
    settings = load_settings(os.environ, **options)
    from keystead import wiring
    from keystead.sockets import listening
    from keystead.workers.supervisor import Supervisor

    def welcome() -> None:
        print_line(_welcome(settings, Path(sys.argv[0]), set_up_link))

    wiring.begin(settings)
    with listening(settings) as listeners:
        set_up_link = None
        if asyncio.run(wiring.set_up(settings)):
            set_up_link = asyncio.run(wiring.first_operator(settings))
        else:
            wiring.set_up_later(settings)
        if settings.workers == 1:
            wiring.work(settings, listeners, on_listening=welcome)
        elif not Supervisor(settings.workers, listeners, _environ(options), welcome).run():
            raise typer.Exit(ExitCode.FAILED)


def _environ(options: Mapping[str, str | int | None]) -> Mapping[str, str]:
    """Our environment, with the settings that options set in their place."""
    environ = dict(os.environ)
    for setting in SETTINGS:
        if (option := options.get(setting.field)) is not None:
            environ[setting.name] = str(option)
            environ.pop(f"{setting.name}_FILE", None)
    return environ


_WELCOME = """Keystead {version} listens on http://{address}{more}

  API, to try out   {url}/api/docs
  Dashboard         {url}/
  Data              {data}
{set_up}
In a second terminal, here:

  A root key, to administer Keystead over HTTP
    {program} root-key create

  A key, issued and verified
    ORG=$({program} org create --name Acme -q)
    APP=$({program} app list --org $ORG -q)
    {program} key create --app $APP --name First -q | {program} key verify
"""


_SET_UP = """
To make the first account, open this address within an hour. It works once; a restart makes another:

  {link}
"""


def _welcome(settings: Settings, program: Path, set_up_link: str | None = None) -> str:
    """What a newcomer needs next; `program` is how this one was called."""
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    more = [f"with {settings.workers} workers"] if settings.workers > 1 else []
    if settings.internal_listen:
        more.append(f"and, for proxies and services of yours, on {settings.internal_listen}")
    here = program.is_absolute() and program.is_relative_to(Path.cwd())
    return _WELCOME.format(
        version=__version__,
        address=f"{address}:{settings.port}",
        more="".join(f", {it}" for it in more),
        url=settings.address,
        set_up="" if set_up_link is None else _SET_UP.format(link=set_up_link),
        data="PostgreSQL" if settings.database_url else settings.data,
        program=program.relative_to(Path.cwd()) if here else program,
    ).rstrip()


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database to this version's schema."""
    settings = load_settings(os.environ)
    from keystead import wiring

    done = asyncio.run(wiring.migrate(settings))
    if as_json:
        print_json({"done": done})
    else:
        print_line(done)


def doctor(*, as_json: AsJson = False) -> None:
    """Look for problems in settings and data; exit 78 if there are any."""
    findings = asyncio.run(_examined(load_settings(os.environ)))
    if as_json:
        print_json({"items": [asdict(it) for it in findings], "next_cursor": None})
    else:
        for it in findings:
            print_line(clean(f"{it.level:<8}  {it.name}: {' '.join(filter(None, [it.message, it.fix]))}"))
    if any(it.level == "problem" for it in findings):
        raise typer.Exit(ExitCode.MISCONFIGURED)


async def _examined(settings: Settings) -> Sequence[Finding]:
    from keystead import wiring

    async with wiring.sounding(settings) as sounding:
        probes = Probes(
            clock=wiring.now,
            schema=sounding.schema,
            newest_audit_at=sounding.newest_audit_at,
            database_now=sounding.database_now,
            secret_key=sounding.secret_key,
            replica=partial(wiring.replica_status, settings),
        )
        return await examine(settings, probes)
