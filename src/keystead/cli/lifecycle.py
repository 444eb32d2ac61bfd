"""What is done with keys once they are there; `keys` and `root_keys` make commands of it."""

# ruff: noqa: PLR0913 - a command has as many options as the API has fields

from typing import Annotated

import typer

from keystead.cli import options as o
from keystead.cli.arguments import duration_s, given, identifier, replaced
from keystead.cli.calls import Call
from keystead.cli.terminal import confirm
from keystead.cli.views import KEY

VersionId = Annotated[str, typer.Argument(metavar="VERSION", help="Its id, ver_…", parser=identifier)]
Grace = Annotated[
    int | None,
    typer.Option(
        "--grace",
        metavar="DURATION",
        help="How long the current token still works: 12h unless said; 0 ends every earlier one at once.",
        parser=duration_s,
    ),
]
RevokedReason = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="REASON",
        help="unspecified, compromised, superseded, owner_left, privilege_withdrawn or unused.",
    ),
]
Descendants = Annotated[bool, typer.Option("--descendants", help="Also revoke every key that it made.")]


async def show(call: Call, key: o.KeyId) -> None:
    """Show a key with its versions."""
    call.show(KEY, await call.ask("GET", f"keys/{key}"))


async def rotate(
    call: Call,
    key: o.KeyId,
    *,
    grace: Grace = None,
    expires_at: o.ExpiresAt = None,
    expires_in: o.ExpiresIn = None,
    no_expiry: o.NoExpiry = False,
) -> None:
    """Give a key a new token, and print it; the current one still works for the grace."""
    body = {
        **given(grace_s=grace, expires_in=expires_in),
        **replaced("expires_at", expires_at, cleared=no_expiry, empty=None, option="--no-expiry"),
    }
    call.show_made(KEY, await call.ask("POST", f"keys/{key}/rotate", body))


async def revoke(
    call: Call,
    key: o.KeyId,
    *,
    reason: RevokedReason = None,
    descendants: Descendants = False,
    yes: o.Yes = False,
) -> None:
    """Revoke a key at once and for good; its record stays."""
    line = f"{key} and every key that it made" if descendants else key
    confirm(f"Revoke {line} for good?", yes=yes)
    query = given(reason=reason, descendants="true" if descendants else None)
    call.show(KEY, await call.ask("DELETE", f"keys/{key}", query=query))


async def retire(call: Call, key: o.KeyId, version: VersionId) -> None:
    """Retire one version of a key now; its token is refused from then on."""
    call.show(KEY, await call.ask("DELETE", f"keys/{key}/versions/{version}"))


async def disable(call: Call, key: o.KeyId) -> None:
    """Pause a key at once, until it is enabled."""
    call.show(KEY, await call.ask("POST", f"keys/{key}/disable"))


async def enable(call: Call, key: o.KeyId) -> None:
    """End a key's pause."""
    call.show(KEY, await call.ask("POST", f"keys/{key}/enable"))


async def reveal(call: Call, key: o.KeyId) -> None:
    """Print a public key's token again."""
    call.show_made(KEY, await call.ask("POST", f"keys/{key}/reveal"))
