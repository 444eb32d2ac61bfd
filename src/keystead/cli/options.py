"""The options that several commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from keystead.cli.arguments import duration_s, identifier, json_object

OrganizationId = Annotated[
    str, typer.Argument(metavar="ORGANIZATION", help="Its id, org_…", parser=identifier)
]
AppId = Annotated[str, typer.Argument(metavar="APP", help="Its id, app_…", parser=identifier)]
UserId = Annotated[str, typer.Argument(metavar="USER", help="Its id, usr_…", parser=identifier)]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Its id, key_…", parser=identifier)]
ScopeName = Annotated[
    str, typer.Argument(metavar="SCOPE", help="Its name, such as jobs:read", parser=identifier)
]

OfOrganization = Annotated[
    str, typer.Option("--org", metavar="ORGANIZATION", help="The organization's id.", parser=identifier)
]
OfMaybeOrganization = Annotated[
    str | None,
    typer.Option("--org", metavar="ORGANIZATION", help="The organization's id.", parser=identifier),
]
OfMaybeApp = Annotated[
    str | None, typer.Option("--app", metavar="APP", help="The app's id.", parser=identifier)
]
OfMaybeUser = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="The user's id.", parser=identifier)
]

Name = Annotated[str, typer.Option("--name", metavar="TEXT", help="A name for people.")]
NewName = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="A new name.")]
Email = Annotated[str, typer.Option("--email", metavar="EMAIL", help="The user's e-mail address.")]
MaybeEmail = Annotated[
    str | None, typer.Option("--email", metavar="EMAIL", help="The user's e-mail address.")
]
ExternalId = Annotated[str | None, typer.Option("--external-id", metavar="ID", help="Your own id for it.")]
NoExternalId = Annotated[bool, typer.Option("--no-external-id", help="Remove your own id.")]
Environment = Annotated[
    str | None, typer.Option("--environment", metavar="live|test", help="What it is for.")
]
Role = Annotated[str, typer.Option("--role", metavar="ROLE", help="owner, admin, developer or viewer.")]
Description = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="What it lets a key do.")
]
CustomerGrantable = Annotated[
    bool | None,
    typer.Option("--customer-grantable/--no-customer-grantable", help="Whether customers may grant it."),
]

Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="CONSTRAINT",
        help="What the key may call: '[METHODS] TYPE [PATTERN]' with TYPE exact, prefix, regex or verb, "
        "such as 'GET,POST prefix jobs/', 'exact health' or 'GET verb'. Repeatable; none: any request.",
    ),
]
Origin = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="ORIGIN", help="An allowed origin. Repeatable; none: any."),
]
Network = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="CIDR", help="An allowed network or address. Repeatable; none: any."),
]
Scope = Annotated[
    list[str] | None, typer.Option("--scope", metavar="SCOPE", help="A scope, such as jobs:read. Repeatable.")
]
Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="A label. Repeatable.")
]
Metadata = Annotated[
    dict[str, object] | None,
    typer.Option(
        "--metadata", metavar="JSON", help="The provider's facts, a JSON object.", parser=json_object
    ),
]
NoConstraints = Annotated[bool, typer.Option("--no-constraints", help="Remove all constraints: any request.")]
NoOrigins = Annotated[bool, typer.Option("--no-origins", help="Remove all allowed origins: any.")]
NoNetworks = Annotated[bool, typer.Option("--no-networks", help="Remove all allowed networks: any.")]
NoScopes = Annotated[bool, typer.Option("--no-scopes", help="Remove all scopes.")]
NoLabels = Annotated[bool, typer.Option("--no-labels", help="Remove all labels.")]

ExpiresAt = Annotated[
    str | None,
    typer.Option("--expires-at", metavar="INSTANT", help="When it expires, such as 2027-01-31T00:00:00Z."),
]
ExpiresIn = Annotated[
    int | None,
    typer.Option(
        "--expires-in",
        metavar="DURATION",
        help="Or after how long: 90s, 5m, 12h, 30d, or seconds.",
        parser=duration_s,
    ),
]
NoExpiry = Annotated[bool, typer.Option("--no-expiry", help="Let it never expire.")]
Ephemeral = Annotated[
    bool, typer.Option("--ephemeral", help="Made for one job: hidden from lists, makes no keys.")
]

Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="How many at most, 1 to 200.")]
Cursor = Annotated[
    str | None, typer.Option("--cursor", metavar="CURSOR", help="Where the page before ended.")
]
WithName = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="With this in the name.")]
WithExternalId = Annotated[
    str | None, typer.Option("--external-id", metavar="ID", help="With this external id.")
]
WithLabel = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="With this label. Repeatable.")
]

Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="DURATION",
        help="Wait for every node to apply it, 1s to 30s; exit 6 if one still lags then.",
    ),
]

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed off a terminal.")]
TokenSource = Annotated[str | None, typer.Argument(metavar="[-]", help="Standard input; also without it.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="Read the token from a file instead.")
]
