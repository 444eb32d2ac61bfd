"""`keystead org member`: users in an organization, with their roles."""

from typing import Annotated

import typer

from keystead.cli import options as o
from keystead.cli.arguments import exactly_one, given, page
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.terminal import confirm
from keystead.cli.views import MEMBER

group = typer.Typer(no_args_is_help=True, help="Members: users in an organization, with their roles.")

ByEmail = Annotated[
    str | None,
    typer.Option("--email", metavar="EMAIL", help="By e-mail address; one not yet known makes the user."),
]


@command(group, "add", waits=True)
async def add(
    call: Call,
    organization: o.OrganizationId,
    *,
    role: o.Role,
    email: ByEmail = None,
    user: o.OfMaybeUser = None,
) -> None:
    """Add a member, by e-mail address or by user id."""
    exactly_one(email=email, user=user)
    body = given(role=role, email=email, user_id=user)
    call.show(MEMBER, await call.ask("POST", f"organizations/{organization}/members", body))


@command(group, "list")
async def list_members(
    call: Call, organization: o.OrganizationId, *, limit: o.Limit = None, cursor: o.Cursor = None
) -> None:
    """List an organization's members."""
    path = f"organizations/{organization}/members"
    call.show_list(MEMBER, await call.ask("GET", path, query=page(limit, cursor)))


@command(group, "role", waits=True)
async def role(call: Call, organization: o.OrganizationId, user: o.UserId, *, role: o.Role) -> None:
    """Give a member another role."""
    path = f"organizations/{organization}/members/{user}"
    call.show(MEMBER, await call.ask("PATCH", path, {"role": role}))


@command(group, "remove", waits=True)
async def remove(call: Call, organization: o.OrganizationId, user: o.UserId, *, yes: o.Yes = False) -> None:
    """Remove a member, and revoke the personal keys it has in the organization."""
    confirm(f"Remove {user} from {organization}, and revoke its personal keys there for good?", yes=yes)
    answer = await call.ask("DELETE", f"organizations/{organization}/members/{user}")
    call.show_done(answer, f"removed {user} from {organization}")
