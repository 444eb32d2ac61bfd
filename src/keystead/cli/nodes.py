"""`keystead node`: the machines that verify keys."""

import typer

from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.views import NODE

group = typer.Typer(no_args_is_help=True, help="Nodes: the machines that verify keys.")


@command(group, "list")
async def list_nodes(call: Call) -> None:
    """List all nodes: the epoch that each has applied, how many it is behind, and when it was last seen."""
    call.show_list(NODE, await call.ask("GET", "nodes"))
