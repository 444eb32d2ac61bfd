"""`keystead root-key`: keys that administer the instance."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import lifecycle
from keystead.cli import options as o
from keystead.cli.arguments import constraints, given, label_filters, labels, page
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.keys import OnlyEphemeral, WithStatus
from keystead.cli.views import KEY

group = typer.Typer(no_args_is_help=True, help="Root keys: they administer the instance.")

RootName = Annotated[str, typer.Option("--name", metavar="TEXT", help="A name for people.")]
RootScope = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="What it may do: organizations:*, apps:*, keys:*, personal_keys:*, users:*, scopes:*, "
        "root_keys:*, nodes:read, audit:read, usage:read, metrics:read, verify, or * for all. Repeatable.",
    ),
]


@command(group, "create", waits=True)
async def create(
    call: Call,
    *,
    name: RootName = "Root key",
    scope: RootScope = None,
    allow: o.Allow = None,
    network: o.Network = None,
    expires_at: o.ExpiresAt = None,
    expires_in: o.ExpiresIn = None,
    ephemeral: o.Ephemeral = False,
    label: o.Label = None,
) -> None:
    """Create a root key, and print its token. Without --scope it may do everything."""
    body = given(
        name=name,
        scopes=scope or ["*"],
        constraints=constraints(allow),
        allowed_networks=network,
        expires_in=expires_in,
        expires_at=expires_at,
        ephemeral=ephemeral or None,
        labels=labels(label),
    )
    call.show_made(KEY, await call.ask("POST", "root-keys", body))


@command(group, "list")
async def list_root_keys(
    call: Call,
    *,
    status: WithStatus = None,
    name: o.WithName = None,
    label: o.WithLabel = None,
    ephemeral: OnlyEphemeral = False,
    limit: o.Limit = None,
    cursor: o.Cursor = None,
) -> None:
    """List root keys."""
    hidden = "true" if ephemeral else None
    query = page(limit, cursor, status=status, name=name, ephemeral=hidden, **label_filters(label))
    call.show_list(KEY, await call.ask("GET", "root-keys", query=query))


command(group, "show")(lifecycle.show)
command(group, "rotate", waits=True)(lifecycle.rotate)
command(group, "revoke", waits=True)(lifecycle.revoke)
