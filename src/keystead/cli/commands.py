"""How a function that works with a Call becomes a command."""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from keystead.cli import connection
from keystead.cli import options as o
from keystead.cli.calls import Call
from keystead.cli.exits import ExitCode

P = ParamSpec("P")

_COMMON = {
    "server": Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A Keystead server. [env: KEYSTEAD_URL; default: the local data directory]"
        ),
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Print the API's JSON.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only, one a line.")],
    "wait": o.Wait,
}
_DEFAULTS: dict[str, object] = {"server": None, "as_json": False, "quiet": False}


def command(
    group: typer.Typer, name: str, *, waits: bool = False
) -> Callable[
    [Callable[Concatenate[Call, P], Coroutine[Any, Any, None]]],
    Callable[Concatenate[Call, P], Coroutine[Any, Any, None]],
]:
    """Make a command of `group` from a function that works with a Call.

    Its other parameters are the command's own; `--server`, `--json` and `--quiet` are added to them, and
    with `waits`, for what can change a verdict, `--wait`.
    """

    def register(
        work: Callable[Concatenate[Call, P], Coroutine[Any, Any, None]],
    ) -> Callable[Concatenate[Call, P], Coroutine[Any, Any, None]]:
        @functools.wraps(work)
        def entry(
            *, server: str | None, as_json: bool, quiet: bool, wait: str | None = None, **own: object
        ) -> None:
            run = functools.partial(work, **own)  # type: ignore[arg-type]  # Typer gives what the signature names
            try:
                asyncio.run(_perform(run, server, as_json=as_json, quiet=quiet, wait=wait))
            except BrokenPipeError:
                _be_silent()
                raise typer.Exit(ExitCode.FAILED) from None

        _, *parameters = inspect.signature(work).parameters.values()
        common = [
            inspect.Parameter(it, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_COMMON[it])
            for it, default in (_DEFAULTS | ({"wait": None} if waits else {})).items()
        ]
        entry.__annotations__ = {it.name: it.annotation for it in (*parameters, *common)}
        entry.__signature__ = inspect.Signature([*parameters, *common])  # type: ignore[attr-defined]  # PEP 362
        group.command(name)(entry)
        return work

    return register


async def _perform(
    run: Callable[[Call], Coroutine[Any, Any, None]],
    server: str | None,
    *,
    as_json: bool,
    quiet: bool,
    wait: str | None,
) -> None:
    async with connection.open_client(server, os.environ) as client:
        call = Call(client, as_json=as_json, quiet=quiet, wait=wait)
        await run(call)
        call.require_confirmed()


def _be_silent() -> None:
    """Let nothing that is still buffered be written to a pipe that was closed."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(Path(os.devnull), os.O_WRONLY), sys.stdout.fileno())
