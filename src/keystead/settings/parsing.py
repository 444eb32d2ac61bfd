"""How the text of a setting is read. Every fault is InvalidInput with the fix, and never repeats a secret."""

import re
from datetime import timedelta
from email.utils import formataddr, parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from keystead.domain.errors import InvalidInput
from keystead.domain.links import make_allowed_return_url
from keystead.domain.networks import make_networks, parse_address
from keystead.domain.origins import make_origin
from keystead.domain.presented import Place
from keystead.domain.text import make_email, make_name
from keystead.domain.tokens import Token, could_be_issued

MIN_SECRET_KEY_LENGTH = 32

_MAX_COUNT = 1_000_000
_MAX_RETENTION = timedelta(days=3650)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_WHOLE = re.compile(r"[0-9]{1,9}")
_MAX_WORKERS = 128
_MAX_FRESHNESS = timedelta(days=1)
_MIN_SESSION, _MAX_SESSION = timedelta(minutes=5), timedelta(days=365)
_NODE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_PUBLIC_URL = re.compile(r"([Hh][Tt][Tt][Pp][Ss]?://[^/?#*]+)((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*)/?")
SERVICE_LINK_FIX = (
    "was set by Kubernetes or Docker for a service called keystead: "
    "write `enableServiceLinks: false` in the pod's spec, or rename the service"
)


class SignUp(StrEnum):
    """Who may make an account."""

    CLOSED = "closed"
    OPEN = "open"


class Parser(Protocol):
    """Reads what was given under the name `field`; raises InvalidInput, with the fix and without a secret."""

    def __call__(self, text: str, *, field: str) -> object: ...


def make_duration(text: str, *, field: str) -> timedelta:
    """A duration in whole seconds, or with a unit: `90s`, `5m`, `12h`, `30d`."""
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise InvalidInput(field, "write whole seconds or a duration such as 90s, 5m, 12h or 30d")
    return timedelta(seconds=int(parts[1]) * _SECONDS[parts[2]])


def read_retention(text: str, *, field: str) -> timedelta:
    duration = make_duration(text, field=field)
    if duration > _MAX_RETENTION:
        raise InvalidInput(field, f"write at most {show_duration(_MAX_RETENTION)}")
    return duration


def read_boolean(text: str, *, field: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise InvalidInput(field, "write 1, true or yes, or else 0, false or no")
    return _BOOLEANS[text.lower()]


def _whole(text: str, *, field: str, most: int) -> int:
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
        raise InvalidInput(field, f"write a whole number from 1 to {most}")
    return int(text)


def read_count(text: str, *, field: str) -> int:
    return _whole(text, field=field, most=_MAX_COUNT)


def read_port(text: str, *, field: str) -> int:
    if text.startswith(("tcp://", "udp://")):
        raise InvalidInput(field, SERVICE_LINK_FIX)
    return _whole(text, field=field, most=65535)


def read_host(text: str, *, field: str) -> str:
    if parse_address(text) is None and not _HOST_NAME.fullmatch(text):
        raise InvalidInput(
            field,
            "write an address or a host name without a port, such as 127.0.0.1 or ::; see KEYSTEAD_PORT",
        )
    return text


def read_directory(text: str, *, field: str) -> Path:
    if text.startswith("~"):
        raise InvalidInput(field, "write the whole path: only a shell knows what ~ stands for")
    return Path(text)


def read_public_url(text: str, *, field: str) -> str:
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


def read_database_url(text: str, *, field: str) -> str:
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


def read_places(text: str, *, field: str) -> tuple[Place, ...]:
    items = [item.lower() for item in _items(text)]
    if not set(items) <= set(Place):
        raise InvalidInput(field, f"write one or more of {', '.join(Place)}, with commas between")
    return tuple(dict.fromkeys(map(Place, items)))


def read_networks(text: str, *, field: str) -> tuple[str, ...]:
    return make_networks(_items(text), field=field)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def read_secret_key(text: str, *, field: str) -> str:
    if len(text) < MIN_SECRET_KEY_LENGTH:
        raise InvalidInput(
            field,
            f"write at least {MIN_SECRET_KEY_LENGTH} characters; `openssl rand -hex 32` makes good ones",
        )
    return text


def read_root_key(text: str, *, field: str) -> Token:
    token = Token(text)
    if not could_be_issued(token):
        raise InvalidInput(
            field, "is no token of our format with a right checksum: copy the root token again, whole"
        )
    if text.split("_")[1] != "rk":
        raise InvalidInput(field, "is the token of another kind of key: a root token reads …_rk_live_…")
    return token


def read_listen(text: str, *, field: str) -> str:
    """`host:port`, an IPv6 address in brackets, or `unix:/path`."""
    path = text.removeprefix("unix:")
    if path != text and path.startswith("/"):
        return text
    parts = _LISTEN.fullmatch(text)
    if parts is None:
        raise InvalidInput(
            field, "write host:port, such as 127.0.0.1:8421 or [::1]:8421, or unix:/run/keystead.sock"
        )
    read_host(parts[1] or parts[2], field=field)
    read_port(parts[3], field=field)
    return text


def read_workers(text: str, *, field: str) -> int:
    return _whole(text, field=field, most=_MAX_WORKERS)


def read_freshness(text: str, *, field: str) -> timedelta:
    duration = make_duration(text, field=field)
    if not timedelta(seconds=1) <= duration <= _MAX_FRESHNESS:
        raise InvalidInput(field, f"write a duration from 1s to {show_duration(_MAX_FRESHNESS)}")
    return duration


def read_node_name(text: str, *, field: str) -> str:
    if not _NODE_NAME.fullmatch(text):
        raise InvalidInput(field, "write 1 to 64 letters, digits, dots, hyphens and underscores")
    return text


def read_session_lifetime(text: str, *, field: str) -> timedelta:
    duration = make_duration(text, field=field)
    if not _MIN_SESSION <= duration <= _MAX_SESSION:
        least, most = show_duration(_MIN_SESSION), show_duration(_MAX_SESSION)
        raise InvalidInput(field, f"write a duration from {least} to {most}")
    return duration


def read_sign_up(text: str, *, field: str) -> SignUp:
    if text not in set(SignUp):
        raise InvalidInput(field, f"write {' or '.join(SignUp)}")
    return SignUp(text)


def read_smtp_url(text: str, *, field: str) -> str:
    parts = _split(text)
    plain = parts is not None and parts.path in {"", "/"} and not parts.query and not parts.fragment
    if parts is None or not plain or parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise InvalidInput(
            field,
            "write smtp://user:password@host:port, or smtps://…; in a password write / as %2F, @ as %40",
        )
    return text


def read_mail_from(text: str, *, field: str) -> str:
    name, address = parseaddr(text)
    try:
        return formataddr((name, make_email(address, field=field)))
    except InvalidInput:
        raise InvalidInput(field, "write an address, such as Acme keys <keys@example.com>") from None


def read_email(text: str, *, field: str) -> str:
    return make_email(text, field=field)


def read_secret_text(text: str, *, field: str) -> str:  # noqa: ARG001 - as every parser's
    return text


def read_product_name(text: str, *, field: str) -> str:
    return make_name(text, field=field)


def read_page(text: str, *, field: str) -> str:
    """The address of a page of the provider's, for people to follow."""
    parts = _split(text)
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname or not text.isascii():
        raise InvalidInput(field, "write the address of a page, such as https://example.com/help")
    return text


def read_support(text: str, *, field: str) -> str:
    """Where people get help: a page, or an address of mail."""
    if not text.startswith("mailto:"):
        return read_page(text, field=field)
    make_email(text.removeprefix("mailto:"), field=field)
    return text


def read_return_urls(text: str, *, field: str) -> tuple[str, ...]:
    return tuple(make_allowed_return_url(it, field=field) for it in _items(text))


def show_duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"
