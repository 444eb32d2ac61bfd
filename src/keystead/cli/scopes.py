"""`keystead scope`: the catalogue of scopes of the provider's API."""

import typer

from keystead.cli import options as o
from keystead.cli.arguments import given, page
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.terminal import confirm
from keystead.cli.views import SCOPE

group = typer.Typer(no_args_is_help=True, help="Scopes: the catalogue of what keys may be granted.")


@command(group, "create")
async def create(
    call: Call,
    scope: o.ScopeName,
    *,
    description: o.Description = None,
    customer_grantable: o.CustomerGrantable = None,
) -> None:
    """Add a scope to the catalogue."""
    body = given(name=scope, description=description, customer_grantable=customer_grantable)
    call.show(SCOPE, await call.ask("POST", "scopes", body))


@command(group, "list")
async def list_scopes(call: Call, *, limit: o.Limit = None, cursor: o.Cursor = None) -> None:
    """List the catalogue."""
    call.show_list(SCOPE, await call.ask("GET", "scopes", query=page(limit, cursor)))


@command(group, "update")
async def update(
    call: Call,
    scope: o.ScopeName,
    *,
    description: o.Description = None,
    customer_grantable: o.CustomerGrantable = None,
) -> None:
    """Change a scope's description, or whether customers may grant it."""
    body = given(description=description, customer_grantable=customer_grantable)
    call.show(SCOPE, await call.ask("PATCH", f"scopes/{scope}", body))


@command(group, "delete")
async def delete(call: Call, scope: o.ScopeName, *, yes: o.Yes = False) -> None:
    """Take a scope out of the catalogue; keys that carry it keep it."""
    confirm(f"Take {scope} out of the catalogue?", yes=yes)
    call.show_done(await call.ask("DELETE", f"scopes/{scope}"), f"deleted {scope}")
