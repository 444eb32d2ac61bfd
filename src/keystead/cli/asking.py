"""What a token is worth, and whose it is; `keys` makes commands of it."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import options as o
from keystead.cli.arguments import given
from keystead.cli.calls import Call
from keystead.cli.exits import ExitCode
from keystead.cli.terminal import read_token
from keystead.cli.views import KEY, VERDICT

Method = Annotated[str | None, typer.Option("--method", metavar="METHOD", help="The request's method.")]
RequestPath = Annotated[
    str | None, typer.Option("--path", metavar="PATH", help="The request's path, raw as sent.")
]
RequestOrigin = Annotated[
    str | None, typer.Option("--origin", metavar="ORIGIN", help="The request's Origin header.")
]
Ip = Annotated[str | None, typer.Option("--ip", metavar="ADDRESS", help="The client's address.")]
UserAgent = Annotated[
    str | None, typer.Option("--user-agent", metavar="TEXT", help="The request's User-Agent header.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Show every check, and count nothing.")]
NeededScope = Annotated[
    list[str] | None, typer.Option("--scope", metavar="SCOPE", help="A scope the route needs. Repeatable.")
]
WantedEnvironment = Annotated[
    str | None,
    typer.Option("--environment", metavar="live|test|any", help="What the route is for: live unless said."),
]
WantedType = Annotated[
    str | None, typer.Option("--type", metavar="secret|public|any", help="The type of key: any unless said.")
]
WantedOwner = Annotated[
    str | None, typer.Option("--owner", metavar="app|user|any", help="Whose key: an app's unless said.")
]
Cost = Annotated[int | None, typer.Option("--cost", metavar="N", help="What the call costs: 1 unless said.")]


async def verify(
    call: Call,
    source: o.TokenSource = None,
    *,
    token_file: o.TokenFile = None,
    method: Method = None,
    path: RequestPath = None,
    origin: RequestOrigin = None,
    ip: Ip = None,
    user_agent: UserAgent = None,
    scope: NeededScope = None,
    environment: WantedEnvironment = None,
    type_: WantedType = None,
    owner: WantedOwner = None,
    cost: Cost = None,
    explain: Explain = False,
) -> None:
    """Ask whether a token, read from standard input, may do this, here, now; exit 0 if so, 1 if not.

    Nothing is guessed: a key with constraints is refused without --method and --path, one with allowed
    networks without --ip, one with allowed origins without --origin.
    """
    body = given(
        token=await read_token(source, token_file),
        method=method,
        path=path,
        origin=origin,
        ip=ip,
        user_agent=user_agent,
        scopes=scope,
        environment=environment,
        type=type_,
        owner=owner,
        cost=cost,
        explain=explain or None,
    )
    verdict = await call.ask("POST", "verify", body)
    call.show(VERDICT, verdict)
    if verdict.get("valid") is not True:
        raise typer.Exit(ExitCode.REFUSED)


async def lookup(call: Call, source: o.TokenSource = None, *, token_file: o.TokenFile = None) -> None:
    """Show the key that a token, read from standard input, belongs to, whatever its state."""
    body = {"token": await read_token(source, token_file)}
    call.show(KEY, await call.ask("POST", "keys/lookup", body))
