"""`keystead user`: people."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

import typer

from keystead.cli import options as o
from keystead.cli.arguments import given, page, replaced
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.views import USER

group = typer.Typer(no_args_is_help=True, help="Users: people, who may be members of organizations.")


@command(group, "create", waits=True)
async def create(
    call: Call, *, email: o.Email, name: o.Name, external_id: o.ExternalId = None, metadata: o.Metadata = None
) -> None:
    """Create a user."""
    body = given(email=email, name=name, external_id=external_id, metadata=metadata)
    call.show(USER, await call.ask("POST", "users", body))


@command(group, "list")
async def list_users(
    call: Call,
    *,
    email: o.MaybeEmail = None,
    name: o.WithName = None,
    external_id: o.WithExternalId = None,
    limit: o.Limit = None,
    cursor: o.Cursor = None,
) -> None:
    """List users."""
    query = page(limit, cursor, email=email, name=name, external_id=external_id)
    call.show_list(USER, await call.ask("GET", "users", query=query))


@command(group, "show")
async def show(call: Call, user: o.UserId) -> None:
    """Show a user; `me` is the one whose personal key asks."""
    call.show(USER, await call.ask("GET", f"users/{user}"))


@command(group, "update", waits=True)
async def update(
    call: Call,
    user: o.UserId,
    *,
    email: o.MaybeEmail = None,
    name: o.NewName = None,
    external_id: o.ExternalId = None,
    no_external_id: o.NoExternalId = False,
    metadata: o.Metadata = None,
) -> None:
    """Change a user; what is left out stays."""
    body = {
        **given(email=email, name=name, metadata=metadata),
        **replaced("external_id", external_id, cleared=no_external_id, empty=None, option="--no-external-id"),
    }
    call.show(USER, await call.ask("PATCH", f"users/{user}", body))


@command(group, "suspend", waits=True)
async def suspend(call: Call, user: o.UserId) -> None:
    """Refuse a user's personal keys at once, until the user is resumed."""
    call.show(USER, await call.ask("PATCH", f"users/{user}", {"disabled": True}))


@command(group, "resume", waits=True)
async def resume(call: Call, user: o.UserId) -> None:
    """End a suspension; the keys work again as before."""
    call.show(USER, await call.ask("PATCH", f"users/{user}", {"disabled": False}))
