"""`keystead app`: what organizations build; apps hold keys."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import options as o
from keystead.cli.arguments import given, label_filters, labels, page, replaced
from keystead.cli.calls import Call
from keystead.cli.commands import command
from keystead.cli.terminal import confirm
from keystead.cli.views import APP

group = typer.Typer(no_args_is_help=True, help="Apps: what organizations build; they hold keys.")

LastKeyProtection = Annotated[
    bool | None,
    typer.Option(
        "--last-key-protection/--no-last-key-protection",
        help="Whether its last usable key cannot be revoked.",
    ),
]
SelfRotation = Annotated[
    bool | None,
    typer.Option("--self-rotation/--no-self-rotation", help="Whether its keys may rotate themselves."),
]
ApiBaseUrl = Annotated[
    str | None,
    typer.Option(
        "--api-base-url",
        metavar="URL",
        help="Where the API is that its keys are for; people are shown it.",
    ),
]
NoApiBaseUrl = Annotated[bool, typer.Option("--no-api-base-url", help="No longer say where the API is.")]


@command(group, "create", waits=True)
async def create(
    call: Call,
    *,
    org: o.OfOrganization,
    name: o.Name,
    environment: o.Environment = None,
    external_id: o.ExternalId = None,
    origin: o.Origin = None,
    network: o.Network = None,
    last_key_protection: LastKeyProtection = None,
    self_rotation: SelfRotation = None,
    api_base_url: ApiBaseUrl = None,
    label: o.Label = None,
    metadata: o.Metadata = None,
) -> None:
    """Create an app; live unless said, and it stays what it is."""
    body = given(
        name=name,
        environment=environment,
        external_id=external_id,
        allowed_origins=origin,
        allowed_networks=network,
        last_key_protection=last_key_protection,
        self_rotation=self_rotation,
        api_base_url=api_base_url,
        labels=labels(label),
        metadata=metadata,
    )
    call.show(APP, await call.ask("POST", f"organizations/{org}/apps", body))


@command(group, "list")
async def list_apps(
    call: Call,
    *,
    org: o.OfOrganization,
    name: o.WithName = None,
    external_id: o.WithExternalId = None,
    label: o.WithLabel = None,
    limit: o.Limit = None,
    cursor: o.Cursor = None,
) -> None:
    """List an organization's apps."""
    query = page(limit, cursor, name=name, external_id=external_id, **label_filters(label))
    call.show_list(APP, await call.ask("GET", f"organizations/{org}/apps", query=query))


@command(group, "show")
async def show(call: Call, app: o.AppId) -> None:
    """Show an app."""
    call.show(APP, await call.ask("GET", f"apps/{app}"))


@command(group, "update", waits=True)
async def update(
    call: Call,
    app: o.AppId,
    *,
    name: o.NewName = None,
    external_id: o.ExternalId = None,
    no_external_id: o.NoExternalId = False,
    origin: o.Origin = None,
    no_origins: o.NoOrigins = False,
    network: o.Network = None,
    no_networks: o.NoNetworks = False,
    last_key_protection: LastKeyProtection = None,
    self_rotation: SelfRotation = None,
    api_base_url: ApiBaseUrl = None,
    no_api_base_url: NoApiBaseUrl = False,
    label: o.Label = None,
    no_labels: o.NoLabels = False,
    metadata: o.Metadata = None,
) -> None:
    """Change an app; what is left out stays, a list given replaces the old one."""
    body = {
        **given(
            name=name, last_key_protection=last_key_protection, self_rotation=self_rotation, metadata=metadata
        ),
        **replaced("external_id", external_id, cleared=no_external_id, empty=None, option="--no-external-id"),
        **replaced("allowed_origins", origin, cleared=no_origins, empty=[], option="--no-origins"),
        **replaced("allowed_networks", network, cleared=no_networks, empty=[], option="--no-networks"),
        **replaced(
            "api_base_url", api_base_url, cleared=no_api_base_url, empty=None, option="--no-api-base-url"
        ),
        **replaced("labels", labels(label), cleared=no_labels, empty={}, option="--no-labels"),
    }
    call.show(APP, await call.ask("PATCH", f"apps/{app}", body))


@command(group, "suspend", waits=True)
async def suspend(call: Call, app: o.AppId) -> None:
    """Refuse every key of an app at once, until it is resumed."""
    call.show(APP, await call.ask("PATCH", f"apps/{app}", {"disabled": True}))


@command(group, "resume", waits=True)
async def resume(call: Call, app: o.AppId) -> None:
    """End a suspension; the keys work again as before."""
    call.show(APP, await call.ask("PATCH", f"apps/{app}", {"disabled": False}))


@command(group, "delete", waits=True)
async def delete(call: Call, app: o.AppId, *, yes: o.Yes = False) -> None:
    """Delete an app and revoke its keys."""
    confirm(f"Delete {app}, and revoke all its keys for good?", yes=yes)
    call.show_done(await call.ask("DELETE", f"apps/{app}"), f"deleted {app}")
