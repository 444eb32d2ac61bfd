"""`keystead key`: making, listing and changing keys; the rest is in `lifecycle` and `asking`."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import asking, lifecycle
from keystead.cli import options as o
from keystead.cli.arguments import constraints, exactly_one, given, label_filters, labels, page, replaced
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.views import KEY

group = typer.Typer(no_args_is_help=True, help="Keys of apps, and personal keys of users.")

NewType = Annotated[
    str | None,
    typer.Option("--type", metavar="secret|public", help="Secret unless said; it stays what it is."),
]
WithType = Annotated[str | None, typer.Option("--type", metavar="secret|public", help="Of this type.")]
WithStatus = Annotated[
    str | None,
    typer.Option(
        "--status", metavar="STATUS", help="active, disabled, expired or revoked; all but revoked else."
    ),
]
WithOwner = Annotated[str | None, typer.Option("--owner", metavar="ID", help="Of this app or user.")]
WithStart = Annotated[str | None, typer.Option("--start", metavar="TEXT", help="Whose token begins so.")]
WithLast4 = Annotated[str | None, typer.Option("--last4", metavar="TEXT", help="Whose token ends so.")]
ExpiresBefore = Annotated[
    str | None, typer.Option("--expires-before", metavar="INSTANT", help="That expire before, RFC 3339.")
]
UnusedSince = Annotated[
    str | None, typer.Option("--unused-since", metavar="INSTANT", help="Not used since, RFC 3339.")
]
WithFinding = Annotated[
    str | None,
    typer.Option("--finding", metavar="FINDING", help="With this worth a look, such as no-constraints."),
]
OnlyEphemeral = Annotated[bool, typer.Option("--ephemeral", help="Ephemeral keys instead of the others.")]


@command(group, "create", waits=True)
async def create(
    call: Call,
    *,
    app: o.OfMaybeApp = None,
    user: o.OfMaybeUser = None,
    org: o.OfMaybeOrganization = None,
    name: o.Name,
    type_: NewType = None,
    environment: o.Environment = None,
    allow: o.Allow = None,
    origin: o.Origin = None,
    network: o.Network = None,
    scope: o.Scope = None,
    expires_at: o.ExpiresAt = None,
    expires_in: o.ExpiresIn = None,
    ephemeral: o.Ephemeral = False,
    label: o.Label = None,
    metadata: o.Metadata = None,
) -> None:
    """Create a key of an app (--app) or a personal key of a user (--user), and print its token.

    A personal key takes --environment, and --org where its user is in several organizations.
    """
    exactly_one(app=app, user=user)
    body = given(
        name=name,
        type=type_,
        organization_id=org,
        environment=environment,
        constraints=constraints(allow),
        allowed_origins=origin,
        allowed_networks=network,
        scopes=scope,
        expires_in=expires_in,
        expires_at=expires_at,
        ephemeral=ephemeral or None,
        labels=labels(label),
        metadata=metadata,
    )
    path = f"apps/{app}/keys" if app else f"users/{user}/keys"
    call.show_made(KEY, await call.ask("POST", path, body))


@command(group, "list")
async def list_keys(
    call: Call,
    *,
    app: o.OfMaybeApp = None,
    org: o.OfMaybeOrganization = None,
    user: o.OfMaybeUser = None,
    status: WithStatus = None,
    type_: WithType = None,
    name: o.WithName = None,
    owner: WithOwner = None,
    start: WithStart = None,
    last4: WithLast4 = None,
    label: o.WithLabel = None,
    external_id: o.WithExternalId = None,
    expires_before: ExpiresBefore = None,
    unused_since: UnusedSince = None,
    finding: WithFinding = None,
    ephemeral: OnlyEphemeral = False,
    limit: o.Limit = None,
    cursor: o.Cursor = None,
) -> None:
    """List the keys of an app, of all apps of an organization, or the personal keys of a user."""
    exactly_one(app=app, org=org, user=user)
    query = page(
        limit,
        cursor,
        status=status,
        type=type_,
        name=name,
        owner=owner,
        start=start,
        last4=last4,
        external_id=external_id,
        expires_before=expires_before,
        unused_since=unused_since,
        finding=finding,
        ephemeral="true" if ephemeral else None,
        **label_filters(label),
    )
    place = f"apps/{app}" if app else f"organizations/{org}" if org else f"users/{user}"
    call.show_list(KEY, await call.ask("GET", f"{place}/keys", query=query))


@command(group, "update", waits=True)
async def update(
    call: Call,
    key: o.KeyId,
    *,
    name: o.NewName = None,
    allow: o.Allow = None,
    no_constraints: o.NoConstraints = False,
    origin: o.Origin = None,
    no_origins: o.NoOrigins = False,
    network: o.Network = None,
    no_networks: o.NoNetworks = False,
    scope: o.Scope = None,
    no_scopes: o.NoScopes = False,
    expires_at: o.ExpiresAt = None,
    expires_in: o.ExpiresIn = None,
    no_expiry: o.NoExpiry = False,
    label: o.Label = None,
    no_labels: o.NoLabels = False,
    metadata: o.Metadata = None,
) -> None:
    """Change a key; what is left out stays, a list given replaces the old one."""
    body = {
        **given(name=name, expires_in=expires_in, metadata=metadata),
        **replaced(
            "constraints", constraints(allow), cleared=no_constraints, empty=[], option="--no-constraints"
        ),
        **replaced("allowed_origins", origin, cleared=no_origins, empty=[], option="--no-origins"),
        **replaced("allowed_networks", network, cleared=no_networks, empty=[], option="--no-networks"),
        **replaced("scopes", scope, cleared=no_scopes, empty=[], option="--no-scopes"),
        **replaced("expires_at", expires_at, cleared=no_expiry, empty=None, option="--no-expiry"),
        **replaced("labels", labels(label), cleared=no_labels, empty={}, option="--no-labels"),
    }
    call.show(KEY, await call.ask("PATCH", f"keys/{key}", body))


command(group, "show")(lifecycle.show)
command(group, "rotate", waits=True)(lifecycle.rotate)
command(group, "retire", waits=True)(lifecycle.retire)
command(group, "disable", waits=True)(lifecycle.disable)
command(group, "enable", waits=True)(lifecycle.enable)
command(group, "reveal")(lifecycle.reveal)
command(group, "revoke", waits=True)(lifecycle.revoke)
command(group, "verify")(asking.verify)
command(group, "lookup")(asking.lookup)
