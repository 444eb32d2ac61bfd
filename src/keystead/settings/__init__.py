"""Settings: one frozen object, read once from `KEYSTEAD_*` variables and the command line's options.

Each field's metadata says what it takes and means: parsing and `docs/settings.md` rest on it.
Every fault is Misconfigured, names the variable, and never repeats a value that may be secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from email.utils import formataddr
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from keystead.domain.errors import InvalidInput, Misconfigured
from keystead.domain.networks import parse_address
from keystead.domain.presented import Place
from keystead.domain.tokens import Token, make_prefix
from keystead.settings.parsing import (
    MIN_SECRET_KEY_LENGTH,
    SERVICE_LINK_FIX,
    Parser,
    SignUp,
    read_boolean,
    read_count,
    read_database_url,
    read_directory,
    read_email,
    read_freshness,
    read_host,
    read_listen,
    read_mail_from,
    read_networks,
    read_node_name,
    read_page,
    read_places,
    read_port,
    read_product_name,
    read_public_url,
    read_retention,
    read_return_urls,
    read_root_key,
    read_secret_key,
    read_secret_text,
    read_session_lifetime,
    read_sign_up,
    read_smtp_url,
    read_support,
    read_workers,
    show_duration,
)

PREFIX = "KEYSTEAD_"
CLIENT_SETTINGS: Mapping[str, str] = {
    "KEYSTEAD_URL": "The server that the command line talks to, instead of the data directory.",
    "KEYSTEAD_TOKEN": "The token that the command line presents there.",
    "KEYSTEAD_TOKEN_FILE": "A file that holds that token.",
}
"""Known too, but read by the command line alone."""

# What Kubernetes and Docker add to the environment beside a service that is called `keystead`.
_SERVICE_LINK = re.compile(r"KEYSTEAD_(?:SERVICE_(?:HOST|PORT.*)|PORT_[0-9]+_(?:TCP|UDP).*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be known of a setting."""

    group: str
    takes: str
    meaning: str
    parse: Parser


class Setting(NamedTuple):
    """A field of `Settings`, with its variable."""

    name: str
    field: str
    default: object
    about: About


def _about(group: str, takes: str, parse: Parser, meaning: str) -> Mapping[str, About]:
    return {"about": About(group=group, takes=takes, parse=parse, meaning=meaning)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a server. What `repr` leaves out is secret."""

    data: Path = field(
        default=Path("keystead-data"),
        metadata=_about(
            "Storage",
            "path of a directory",
            read_directory,
            "Holds what a node keeps: the SQLite database and generated secrets. Mode 0700.",
        ),
    )
    database_url: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Storage",
            "`postgresql://user:password@host:port/database`",
            read_database_url,
            "Keeps everything in PostgreSQL. Unset: in SQLite, in the data directory.",
        ),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_about(
            "Server",
            "address or host name",
            read_host,
            "Where the server listens. Off loopback it starts only with an https `KEYSTEAD_PUBLIC_URL`, "
            "or with `KEYSTEAD_INSECURE`.",
        ),
    )
    port: int = field(
        default=8420,
        metadata=_about("Server", "TCP port, 1 to 65535", read_port, "The port where the server listens."),
    )
    workers: int = field(
        default=1,
        metadata=_about(
            "Server",
            "processes, 1 to 128",
            read_workers,
            "How many processes share the port. One for each core that verification may use.",
        ),
    )
    internal_listen: str | None = field(
        default=None,
        metadata=_about(
            "Server",
            "`host:port` or `unix:/path`",
            read_listen,
            "Moves `/auth…`, verify and `/metrics` off the public port, to where only proxies and services "
            "of yours reach them.",
        ),
    )
    public_url: str | None = field(
        default=None,
        metadata=_about(
            "Server",
            "https or http URL, with a base path or without",
            read_public_url,
            "The address people use, and the only source for links, cookies and origins. "
            "Unset: `http://localhost:PORT`.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=_about(
            "Server",
            "boolean",
            read_boolean,
            "Lets the server start off loopback without https: tokens may then cross the network in clear.",
        ),
    )
    trusted_proxies: tuple[str, ...] = field(
        default=("127.0.0.0/8", "::1/128"),
        metadata=_about(
            "Server",
            "list of addresses and networks",
            read_networks,
            "The proxies in front of us: only they may ask `/auth`, and only their X-Forwarded-For counts.",
        ),
    )
    node_name: str | None = field(
        default=None,
        metadata=_about(
            "Replica",
            "1 to 64 of `A-Za-z0-9._-`",
            read_node_name,
            "What this node is called in `nodes`. Unset: the machine's host name.",
        ),
    )
    fresh_for: timedelta = field(
        default=timedelta(seconds=2),
        metadata=_about(
            "Replica",
            "duration, 1s to 1d",
            read_freshness,
            "How long after it last proved itself level with the database a node counts as fresh. "
            "After that it is degraded, serves, and says so.",
        ),
    )
    stale_limit: timedelta = field(
        default=timedelta(seconds=300),
        metadata=_about(
            "Replica",
            "duration, 1s to 1d, not below `KEYSTEAD_FRESH_FOR`",
            read_freshness,
            "How long a node that is cut off from the database goes on accepting keys; then it refuses all, "
            "with STALE. The bound within which a revoked key is refused everywhere.",
        ),
    )
    token_prefix: str = field(
        default="ks",
        metadata=_about(
            "Tokens",
            "2 to 16 of `a-z0-9`, a letter first",
            make_prefix,
            "How new tokens begin. Tokens made with another prefix stay valid.",
        ),
    )
    token_places: tuple[Place, ...] = field(
        default=(Place.AUTHORIZATION, Place.X_API_KEY),
        metadata=_about(
            "Tokens",
            "list of `authorization`, `x-api-key`",
            read_places,
            "The headers a token is read from. Whatever stands there is a token.",
        ),
    )
    secret_key: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Secrets",
            f"{MIN_SECRET_KEY_LENGTH} characters or more",
            read_secret_key,
            "Derives the keys that seal cursors and the like; the same on all nodes. "
            "Unset: generated once, in the data directory.",
        ),
    )
    root_key: Token | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Secrets",
            "root token of our format",
            read_root_key,
            "Pins the first root key, with every scope. Inserted only if it was never seen: "
            "once revoked, it stays revoked.",
        ),
    )
    management_rate_per_minute: int = field(
        default=1200,
        metadata=_about(
            "Limits",
            "requests a minute, 1 to 1000000",
            read_count,
            "How many requests a principal may send to the management API, and a person to the dashboard. "
            "Root keys are not limited.",
        ),
    )
    management_burst: int = field(
        default=200,
        metadata=_about(
            "Limits", "requests, 1 to 1000000", read_count, "How many of them may come all at once."
        ),
    )
    max_keys_per_app: int = field(
        default=1000,
        metadata=_about(
            "Limits", "keys, 1 to 1000000", read_count, "Live keys that an app, or a user, may have."
        ),
    )
    max_apps_per_organization: int = field(
        default=100,
        metadata=_about("Limits", "apps, 1 to 1000000", read_count, "Apps that an organization may have."),
    )
    max_members_per_organization: int = field(
        default=500,
        metadata=_about(
            "Limits", "members, 1 to 1000000", read_count, "Members that an organization may have."
        ),
    )
    ephemeral_retention: timedelta = field(
        default=timedelta(days=7),
        metadata=_about(
            "Limits",
            "duration, at most 3650d",
            read_retention,
            "How long an ephemeral key's row stays after the key has ended.",
        ),
    )
    session_lifetime: timedelta = field(
        default=timedelta(days=14),
        metadata=_about(
            "People",
            "duration, 5m to 365d",
            read_session_lifetime,
            "How long people stay signed in to the dashboard.",
        ),
    )
    signup: SignUp = field(
        default=SignUp.CLOSED,
        metadata=_about(
            "People",
            "`closed` or `open`",
            read_sign_up,
            "`open` lets anybody make an account, with a confirmed e-mail and an organization of their own. "
            "Needs `KEYSTEAD_SMTP_URL`.",
        ),
    )
    admin_email: str | None = field(
        default=None,
        metadata=_about(
            "People",
            "e-mail address",
            read_email,
            "The first operator, made at a start that finds none, with an organization of their own, "
            "instead of the set-up link. Needs `KEYSTEAD_ADMIN_PASSWORD`.",
        ),
    )
    admin_password: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "People",
            "password, 12 to 1024 characters",
            read_secret_text,
            "That operator's password. Read at the first start only: unset it then.",
        ),
    )
    smtp_url: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "People",
            "`smtp://user:password@host:port` or `smtps://…`",
            read_smtp_url,
            "The mail server that sends invitations and confirmations. `smtp` turns to TLS first, `smtps` "
            "begins with it. Unset: invitations are shown to who makes them, and no mail is sent.",
        ),
    )
    mail_from: str | None = field(
        default=None,
        metadata=_about(
            "People",
            "`Name <address>`, or an address",
            read_mail_from,
            "Who our mail is from. Unset: `keystead@` and the host of `KEYSTEAD_PUBLIC_URL`.",
        ),
    )
    return_urls: tuple[str, ...] | None = field(
        default=None,
        metadata=_about(
            "People",
            "list of https or http URLs",
            read_return_urls,
            "Where sessions that began with a sign-in link may link back to: these addresses, and what is "
            "below them. Unset: nowhere.",
        ),
    )
    product_name: str = field(
        default="Keystead",
        metadata=_about(
            "Dashboard", "1 to 100 characters", read_product_name, "What your customers know this by."
        ),
    )
    support_url: str | None = field(
        default=None,
        metadata=_about(
            "Dashboard", "https URL or `mailto:` address", read_support, "Where people get help."
        ),
    )
    docs_url: str | None = field(
        default=None,
        metadata=_about("Dashboard", "https URL", read_page, "Where people read about your API."),
    )

    @property
    def address(self) -> str:
        """Where people reach us, without a `/` at its end."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def sender(self) -> str:
        """Who our mail is from."""
        host = urlsplit(self.address).hostname or ""
        named = host if parse_address(host) is None else "localhost"
        return self.mail_from or formataddr((self.product_name, f"keystead@{named}"))


SETTINGS = tuple(
    Setting(name=PREFIX + f.name.upper(), field=f.name, default=f.default, about=f.metadata["about"])
    for f in fields(Settings)
    if "about" in f.metadata
)
"""Every setting, in the order in which they are documented."""

_KNOWN = (
    *(setting.name for setting in SETTINGS),
    *(f"{setting.name}_FILE" for setting in SETTINGS),
    *CLIENT_SETTINGS,
)


class _Given(NamedTuple):
    name: str
    text: str


def load_settings(environ: Mapping[str, str], **options: str | int | Path | None) -> Settings:
    """Read all settings; raises Misconfigured for the first fault.

    `options` are fields that the command line sets, which win over the environment; None leaves one to it.
    """
    _refuse_unknown(environ)
    given = {setting: _find_given(setting, environ, options.pop(setting.field, None)) for setting in SETTINGS}
    if options:
        raise TypeError(f"no such settings: {', '.join(options)}")
    values: dict[str, Any] = {s.field: _parse(s, found) for s, found in given.items() if found}
    settings = Settings(**values)
    if settings.stale_limit < settings.fresh_for:
        problem = f"must not be below KEYSTEAD_FRESH_FOR, which is {show_duration(settings.fresh_for)}"
        raise Misconfigured("KEYSTEAD_STALE_LIMIT", problem)
    return settings


def shown(value: object) -> str:
    """A value as one would write it."""
    match value:
        case bool():
            return str(int(value))
        case Path():
            return str(value) if value.is_absolute() else f"./{value}"
        case tuple():
            return ",".join(value)
        case timedelta():
            return show_duration(value)
        case _:
            return str(value)


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _KNOWN:
            continue
        if _SERVICE_LINK.fullmatch(name):
            raise Misconfigured(name, SERVICE_LINK_FIX)
        near = get_close_matches(name, _KNOWN, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists those there are."
        raise Misconfigured(name, f"is no setting: {hint}")


def _find_given(
    setting: Setting, environ: Mapping[str, str], option: str | int | Path | None
) -> _Given | None:
    """What was given for a setting; an empty text is as good as none."""
    if option is not None and option != "":
        return _Given(f"--{setting.field.replace('_', '-')}", str(option))
    file_name = f"{setting.name}_FILE"
    text, path = environ.get(setting.name), environ.get(file_name)
    if text and path:
        raise Misconfigured(setting.name, f"is given twice: unset it, or {file_name}")
    if path:
        return _Given(file_name, _read(file_name, path))
    return _Given(setting.name, text) if text else None


def _read(name: str, path: str) -> str:
    # The path is not repeated: a secret put here by mistake looks like one.
    try:
        text = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except OSError as exc:
        raise Misconfigured(name, f"names a file that cannot be read ({exc.strerror}): mend it") from None
    except UnicodeDecodeError:
        raise Misconfigured(name, "names a file that is not UTF-8: write one line of text there") from None
    if not text:
        raise Misconfigured(name, "names an empty file: write the value there, or unset this")
    return text


def _parse(setting: Setting, given: _Given) -> object:
    if not given.text.isprintable():
        raise Misconfigured(given.name, "holds a line break or a control character: write one line of text")
    try:
        return setting.about.parse(given.text, field=given.name)
    except InvalidInput as exc:
        raise Misconfigured(exc.field, exc.problem) from None
