"""`keystead org`: organizations, the customers."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import options as o
from keystead.cli.arguments import Body, duration_s, given, label_filters, labels, page, replaced
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.members import group as members
from keystead.cli.terminal import confirm
from keystead.cli.views import ENTRY, ORGANIZATION

group = typer.Typer(no_args_is_help=True, help="Organizations: the customers, with their members.")
group.add_typer(members, name="member")

CeilingScope = Annotated[
    list[str] | None,
    typer.Option("--ceiling-scope", metavar="SCOPE", help="A scope its keys may carry. Repeatable."),
]
CeilingLifetime = Annotated[
    int | None,
    typer.Option(
        "--ceiling-lifetime",
        metavar="DURATION",
        help="How long its keys may live at most.",
        parser=duration_s,
    ),
]
CeilingPublicMethod = Annotated[
    list[str] | None,
    typer.Option(
        "--ceiling-public-method", metavar="METHOD", help="A method of its public keys. Repeatable."
    ),
]
NoCeiling = Annotated[bool, typer.Option("--no-ceiling", help="Put the ceiling back to the default.")]


@command(group, "create", waits=True)
async def create(
    call: Call,
    *,
    name: o.Name,
    external_id: o.ExternalId = None,
    ceiling_scope: CeilingScope = None,
    ceiling_lifetime: CeilingLifetime = None,
    ceiling_public_method: CeilingPublicMethod = None,
    label: o.Label = None,
    metadata: o.Metadata = None,
) -> None:
    """Create an organization, with a first app and its public key."""
    body = given(
        name=name,
        external_id=external_id,
        ceiling=_ceiling(ceiling_scope, ceiling_lifetime, ceiling_public_method),
        labels=labels(label),
        metadata=metadata,
    )
    call.show(ORGANIZATION, await call.ask("POST", "organizations", body))


@command(group, "list")
async def list_organizations(
    call: Call,
    *,
    name: o.WithName = None,
    external_id: o.WithExternalId = None,
    label: o.WithLabel = None,
    limit: o.Limit = None,
    cursor: o.Cursor = None,
) -> None:
    """List organizations."""
    query = page(limit, cursor, name=name, external_id=external_id, **label_filters(label))
    call.show_list(ORGANIZATION, await call.ask("GET", "organizations", query=query))


@command(group, "show")
async def show(call: Call, organization: o.OrganizationId) -> None:
    """Show an organization."""
    call.show(ORGANIZATION, await call.ask("GET", f"organizations/{organization}"))


@command(group, "update", waits=True)
async def update(
    call: Call,
    organization: o.OrganizationId,
    *,
    name: o.NewName = None,
    external_id: o.ExternalId = None,
    no_external_id: o.NoExternalId = False,
    ceiling_scope: CeilingScope = None,
    ceiling_lifetime: CeilingLifetime = None,
    ceiling_public_method: CeilingPublicMethod = None,
    no_ceiling: NoCeiling = False,
    label: o.Label = None,
    no_labels: o.NoLabels = False,
    metadata: o.Metadata = None,
) -> None:
    """Change an organization; what is left out stays, a list given replaces the old one."""
    ceiling = _ceiling(ceiling_scope, ceiling_lifetime, ceiling_public_method)
    body = {
        **given(name=name, metadata=metadata),
        **replaced("external_id", external_id, cleared=no_external_id, empty=None, option="--no-external-id"),
        **replaced("ceiling", ceiling, cleared=no_ceiling, empty=None, option="--no-ceiling"),
        **replaced("labels", labels(label), cleared=no_labels, empty={}, option="--no-labels"),
    }
    call.show(ORGANIZATION, await call.ask("PATCH", f"organizations/{organization}", body))


@command(group, "suspend", waits=True)
async def suspend(call: Call, organization: o.OrganizationId) -> None:
    """Refuse every key of an organization at once, until it is resumed."""
    call.show(ORGANIZATION, await call.ask("PATCH", f"organizations/{organization}", {"disabled": True}))


@command(group, "resume", waits=True)
async def resume(call: Call, organization: o.OrganizationId) -> None:
    """End a suspension; the keys work again as before."""
    call.show(ORGANIZATION, await call.ask("PATCH", f"organizations/{organization}", {"disabled": False}))


@command(group, "delete", waits=True)
async def delete(call: Call, organization: o.OrganizationId, *, yes: o.Yes = False) -> None:
    """Delete an organization and its apps, and revoke all keys below it."""
    confirm(f"Delete {organization} and its apps, and revoke all their keys for good?", yes=yes)
    answer = await call.ask("DELETE", f"organizations/{organization}")
    call.show_done(answer, f"deleted {organization}")


@command(group, "audit")
async def audit(
    call: Call, organization: o.OrganizationId, *, limit: o.Limit = None, cursor: o.Cursor = None
) -> None:
    """Show who changed what in an organization, newest first."""
    path = f"organizations/{organization}/audit"
    call.show_list(ENTRY, await call.ask("GET", path, query=page(limit, cursor)))


def _ceiling(scopes: list[str] | None, lifetime_s: int | None, methods: list[str] | None) -> Body | None:
    return given(scopes=scopes, max_lifetime_s=lifetime_s, public_methods=methods) or None
