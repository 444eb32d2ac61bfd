"""Settings: one frozen object, read once from `KEYSTEAD_*` variables and the command line's options.

Each field's metadata says what it takes and means: parsing, `docs/settings.md` and `effective` rest on it.
Every fault is Misconfigured, names the variable, and never repeats a value that may be secret.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

from keystead.domain.errors import InvalidInput, Misconfigured
from keystead.domain.networks import make_networks, parse_address
from keystead.domain.origins import make_origin
from keystead.domain.presented import Place
from keystead.domain.tokens import Token, could_be_issued, make_prefix

PREFIX = "KEYSTEAD_"
CLIENT_SETTINGS: Mapping[str, str] = {
    "KEYSTEAD_URL": "The server that the command line talks to, instead of the data directory.",
    "KEYSTEAD_TOKEN": "The token that the command line presents there.",
    "KEYSTEAD_TOKEN_FILE": "A file that holds that token.",
}
"""Known too, but read by the command line alone."""

MIN_SECRET_KEY_LENGTH = 32
WIDEST_PROXIES = {4: 16, 6: 48}
"""The shortest prefix, by IP version, that a network of trusted proxies may have without a warning."""

_MAX_COUNT = 1_000_000
_MAX_RETENTION = timedelta(days=3650)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_WHOLE = re.compile(r"[0-9]{1,9}")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_PUBLIC_URL = re.compile(r"([Hh][Tt][Tt][Pp][Ss]?://[^/?#*]+)((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*)/?")
# What Kubernetes and Docker add to the environment beside a service that is called `keystead`.
_SERVICE_LINK = re.compile(r"KEYSTEAD_(?:SERVICE_(?:HOST|PORT.*)|PORT_[0-9]+_(?:TCP|UDP).*)")
_SERVICE_LINK_FIX = (
    "was set by Kubernetes or Docker for a service called keystead: "
    "write `enableServiceLinks: false` in the pod's spec, or rename the service"
)


class Source(StrEnum):
    """Where a setting's value came from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    OPTION = "option"
    DEFAULT = "default"


class Parser(Protocol):
    """Reads what was given under the name `field`; raises InvalidInput, with the fix and without a secret."""

    def __call__(self, text: str, *, field: str) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be known of a setting. `mask` shows a secret value; None when it is no secret."""

    group: str
    takes: str
    meaning: str
    parse: Parser
    mask: Callable[[Any], str] | None = None


class Setting(NamedTuple):
    """A field of `Settings`, with its variable."""

    name: str
    field: str
    default: object
    about: About


class Effective(NamedTuple):
    """A setting as it is in force; `value` is None when unset, and never shows a secret."""

    name: str
    value: str | None
    source: Source


class Risk(NamedTuple):
    """What may be meant, yet should not stay unnoticed."""

    setting: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.setting} {self.problem}. {self.fix}."


def make_duration(text: str, *, field: str) -> timedelta:
    """A duration in whole seconds, or with a unit: `90s`, `5m`, `12h`, `30d`."""
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise InvalidInput(field, "write whole seconds or a duration such as 90s, 5m, 12h or 30d")
    return timedelta(seconds=int(parts[1]) * _SECONDS[parts[2]])


def _retention(text: str, *, field: str) -> timedelta:
    duration = make_duration(text, field=field)
    if duration > _MAX_RETENTION:
        raise InvalidInput(field, f"write at most {_shown_duration(_MAX_RETENTION)}")
    return duration


def _boolean(text: str, *, field: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise InvalidInput(field, "write 1, true or yes, or else 0, false or no")
    return _BOOLEANS[text.lower()]


def _whole(text: str, *, field: str, most: int) -> int:
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
        raise InvalidInput(field, f"write a whole number from 1 to {most}")
    return int(text)


def _count(text: str, *, field: str) -> int:
    return _whole(text, field=field, most=_MAX_COUNT)


def _port(text: str, *, field: str) -> int:
    if text.startswith(("tcp://", "udp://")):
        raise InvalidInput(field, _SERVICE_LINK_FIX)
    return _whole(text, field=field, most=65535)


def _host(text: str, *, field: str) -> str:
    if parse_address(text) is None and not _HOST_NAME.fullmatch(text):
        raise InvalidInput(
            field,
            "write an address or a host name without a port, such as 127.0.0.1 or ::; see KEYSTEAD_PORT",
        )
    return text


def _directory(text: str, *, field: str) -> Path:
    if text.startswith("~"):
        raise InvalidInput(field, "write the whole path: only a shell knows what ~ stands for")
    return Path(text)


def _public_url(text: str, *, field: str) -> str:
    parts = _PUBLIC_URL.fullmatch(text)
    try:
        return make_origin(parts[1], field=field) + parts[2] if parts else _refuse_public_url(field)
    except InvalidInput:
        return _refuse_public_url(field)


def _refuse_public_url(name: str) -> str:
    raise InvalidInput(
        name,
        "write an http or https address without user, query or fragment, its host in ASCII, "
        "such as https://keys.example.com or https://example.com/keys",
    )


def _database_url(text: str, *, field: str) -> str:
    if not text.startswith("postgresql://"):
        raise InvalidInput(
            field, "write postgresql://user@host:port/database, or unset it to use SQLite in KEYSTEAD_DATA"
        )
    parts = _split(text)
    if parts is None or "#" in text or not re.fullmatch("/[^/]+", parts.path):
        raise InvalidInput(
            field,
            "write postgresql://user@host:port/database, with one database; "
            "in a password / is written %2F, ? %3F, # %23, @ %40",
        )
    return text


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None for one that cannot be read. The library's own errors repeat passwords."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _places(text: str, *, field: str) -> tuple[Place, ...]:
    items = [item.lower() for item in _items(text)]
    if not set(items) <= set(Place):
        raise InvalidInput(field, f"write one or more of {', '.join(Place)}, with commas between")
    return tuple(dict.fromkeys(map(Place, items)))


def _networks(text: str, *, field: str) -> tuple[str, ...]:
    return make_networks(_items(text), field=field)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _secret_key(text: str, *, field: str) -> str:
    if len(text) < MIN_SECRET_KEY_LENGTH:
        raise InvalidInput(
            field,
            f"write at least {MIN_SECRET_KEY_LENGTH} characters; `openssl rand -hex 32` makes good ones",
        )
    return text


def _root_key(text: str, *, field: str) -> Token:
    token = Token(text)
    if not could_be_issued(token):
        raise InvalidInput(
            field, "is no token of our format with a right checksum: copy the root token again, whole"
        )
    if text.split("_")[1] != "rk":
        raise InvalidInput(field, "is the token of another kind of key: a root token reads …_rk_live_…")
    return token


def _mask(_: object) -> str:
    return "…"


def _mask_token(token: Token) -> str:
    return f"{token.start}…"


def _mask_password(url: str) -> str:
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    user, colon, _ = user_info.partition(":")
    password = "…" if colon else ""
    # A password may stand in the query too.
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{user}{colon}{password}{at}{host}{parts.path}{query}"


def _about(
    group: str, takes: str, parse: Parser, meaning: str, *, mask: Callable[[Any], str] | None = None
) -> Mapping[str, About]:
    return {"about": About(group=group, takes=takes, parse=parse, meaning=meaning, mask=mask)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a server. What `repr` leaves out is secret."""

    data: Path = field(
        default=Path("keystead-data"),
        metadata=_about(
            "Storage",
            "path of a directory",
            _directory,
            "Holds what a node keeps: the SQLite database and generated secrets. Mode 0700.",
        ),
    )
    database_url: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Storage",
            "`postgresql://user:password@host:port/database`",
            _database_url,
            "Keeps everything in PostgreSQL. Unset: in SQLite, in the data directory.",
            mask=_mask_password,
        ),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_about(
            "Server",
            "address or host name",
            _host,
            "Where the server listens. Off loopback it starts only with an https `KEYSTEAD_PUBLIC_URL`, "
            "or with `KEYSTEAD_INSECURE`.",
        ),
    )
    port: int = field(
        default=8420,
        metadata=_about("Server", "TCP port, 1 to 65535", _port, "The port where the server listens."),
    )
    public_url: str | None = field(
        default=None,
        metadata=_about(
            "Server",
            "https or http URL, with a base path or without",
            _public_url,
            "The address people use, and the only source for links, cookies and origins. "
            "Unset: `http://localhost:PORT`.",
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=_about(
            "Server",
            "boolean",
            _boolean,
            "Lets the server start off loopback without https: tokens may then cross the network in clear.",
        ),
    )
    trusted_proxies: tuple[str, ...] = field(
        default=("127.0.0.0/8", "::1/128"),
        metadata=_about(
            "Server",
            "list of addresses and networks",
            _networks,
            "The proxies in front of us: only they may ask `/auth`, and only their X-Forwarded-For counts.",
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
            _places,
            "The headers a token is read from. Whatever stands there is a token.",
        ),
    )
    secret_key: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Secrets",
            f"{MIN_SECRET_KEY_LENGTH} characters or more",
            _secret_key,
            "Derives the keys that seal cursors and the like; the same on all nodes. "
            "Unset: generated once, in the data directory.",
            mask=_mask,
        ),
    )
    root_key: Token | None = field(
        default=None,
        repr=False,
        metadata=_about(
            "Secrets",
            "root token of our format",
            _root_key,
            "Pins the first root key, with every scope. Inserted only if it was never seen: "
            "once revoked, it stays revoked.",
            mask=_mask_token,
        ),
    )
    management_rate_per_minute: int = field(
        default=1200,
        metadata=_about(
            "Limits",
            "requests a minute, 1 to 1000000",
            _count,
            "How many requests a principal may send to the management API. Root keys are not limited.",
        ),
    )
    management_burst: int = field(
        default=200,
        metadata=_about("Limits", "requests, 1 to 1000000", _count, "How many of them may come all at once."),
    )
    max_keys_per_app: int = field(
        default=1000,
        metadata=_about(
            "Limits", "keys, 1 to 1000000", _count, "Live keys that an app, or a user, may have."
        ),
    )
    max_apps_per_organization: int = field(
        default=100,
        metadata=_about("Limits", "apps, 1 to 1000000", _count, "Apps that an organization may have."),
    )
    max_members_per_organization: int = field(
        default=500,
        metadata=_about("Limits", "members, 1 to 1000000", _count, "Members that an organization may have."),
    )
    ephemeral_retention: timedelta = field(
        default=timedelta(days=7),
        metadata=_about(
            "Limits",
            "duration, at most 3650d",
            _retention,
            "How long an ephemeral key's row stays after the key has ended.",
        ),
    )
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False, compare=False)
    """By field, where its value came from; a field that is not in it has its default."""


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
    source: Source


def load_settings(environ: Mapping[str, str], **options: str | int | Path | None) -> Settings:
    """Read all settings; raises Misconfigured for the first fault.

    `options` are fields that the command line sets, which win over the environment; None leaves one to it.
    """
    _refuse_unknown(environ)
    given = {setting: _find_given(setting, environ, options.pop(setting.field, None)) for setting in SETTINGS}
    if options:
        raise TypeError(f"no such settings: {', '.join(options)}")
    values: dict[str, Any] = {s.field: _parse(s, found) for s, found in given.items() if found}
    sources = {s.field: found.source for s, found in given.items() if found}
    return Settings(**values, sources=sources)


def require_startable(settings: Settings) -> None:
    """Raise Misconfigured when a server with these settings would show tokens to the network."""
    https = (settings.public_url or "").startswith("https://")
    if not (is_loopback(settings.host) or https or settings.insecure):
        raise Misconfigured(
            "KEYSTEAD_PUBLIC_URL",
            f"other machines can reach {settings.host}: set this to the https address of the proxy in front, "
            "such as https://keys.example.com, or listen on 127.0.0.1 (KEYSTEAD_HOST). "
            "To try it without TLS, set KEYSTEAD_INSECURE=1",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost could be anything."""
    address = parse_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def risky(settings: Settings) -> list[Risk]:
    """What `serve` and `doctor` warn of."""
    wide = [network for network in settings.trusted_proxies if _is_wide(network)]
    risks = {
        Risk(
            "KEYSTEAD_INSECURE",
            "is on: tokens may cross the network in clear",
            "Put a proxy with TLS in front, set KEYSTEAD_PUBLIC_URL to its https address and unset this",
        ): settings.insecure,
        Risk(
            "KEYSTEAD_PUBLIC_URL",
            "is http: tokens cross the network in clear",
            "Put a proxy with TLS in front and write its https address",
        ): _is_clear(settings.public_url),
        Risk(
            "KEYSTEAD_TRUSTED_PROXIES",
            f"holds {', '.join(wide)}: any client in there can claim any address",
            "Name only the proxies themselves, such as 10.0.3.7",
        ): bool(wide),
        Risk(
            "KEYSTEAD_ROOT_KEY",
            "pins a root key with every scope: whoever reads this process's environment has it",
            "Make another with `keystead root-key create`, revoke this one and unset it",
        ): settings.root_key is not None,
    }
    return [risk for risk, present in risks.items() if present]


def effective(settings: Settings) -> Iterator[Effective]:
    """Every setting as it is in force, secrets masked, in the order of the docs."""
    for setting in SETTINGS:
        value = getattr(settings, setting.field)
        source = settings.sources.get(setting.field, Source.DEFAULT)
        yield Effective(setting.name, shown(setting, value), source)


def shown(setting: Setting, value: object) -> str | None:
    """A value as one would write it, a secret masked; None when unset."""
    if value is None or setting.about.mask is None:
        return None if value is None else _shown(value)
    return setting.about.mask(value)


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(int(value))
        case Path():
            return str(value) if value.is_absolute() else f"./{value}"
        case tuple():
            return ",".join(value)
        case timedelta():
            return _shown_duration(value)
        case _:
            return str(value)


def _shown_duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _KNOWN or not environ[name]:
            continue
        if _SERVICE_LINK.fullmatch(name):
            raise Misconfigured(name, _SERVICE_LINK_FIX)
        near = get_close_matches(name, _KNOWN, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists those there are."
        raise Misconfigured(name, f"is no setting: {hint}")


def _find_given(
    setting: Setting, environ: Mapping[str, str], option: str | int | Path | None
) -> _Given | None:
    """What was given for a setting; an empty text is as good as none."""
    if option is not None and option != "":
        return _Given(f"--{setting.field.replace('_', '-')}", str(option), Source.OPTION)
    file_name = f"{setting.name}_FILE"
    text, path = environ.get(setting.name), environ.get(file_name)
    if text and path:
        raise Misconfigured(setting.name, f"is given twice: unset it, or {file_name}")
    if path:
        return _Given(file_name, _read(file_name, path), Source.FILE)
    return _Given(setting.name, text, Source.ENVIRONMENT) if text else None


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


def _is_wide(text: str) -> bool:
    network = ip_network(text)
    return not network.is_loopback and network.prefixlen < WIDEST_PROXIES[network.version]


def _is_clear(public_url: str | None) -> bool:
    parts = urlsplit(public_url or "")
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
