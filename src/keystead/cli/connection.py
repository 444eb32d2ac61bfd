"""One connection in two ways: to a server, or to the local data directory without one."""

# ruff: noqa: PLC0415 - what is imported inside takes long, and `keystead --help` needs none of it

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keystead import __version__
from keystead.cli.exits import ExitCode, Failure
from keystead.domain.errors import Misconfigured
from keystead.domain.tokens import presentable
from keystead.settings import load_settings

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 60


@asynccontextmanager
async def open_client(server: str | None, environ: Mapping[str, str]) -> "AsyncIterator[httpx.AsyncClient]":
    """A client of the management API: of `server`, else of KEYSTEAD_URL, else of the local data directory.

    Raises Misconfigured for wrong settings, Failure for a server without a token to show it.
    """
    url = server or environ.get("KEYSTEAD_URL")
    if url and not _is_server_url(url):
        problem = "write the server's address, such as https://keys.example.com"
        raise (
            Failure(ExitCode.INVALID, f"--server: {problem}")
            if server
            else Misconfigured("KEYSTEAD_URL", problem)
        )
    async with _remote(url, environ) if url else _local(environ) as client:
        yield client


@asynccontextmanager
async def _local(environ: Mapping[str, str]) -> "AsyncIterator[httpx.AsyncClient]":
    for name in ("KEYSTEAD_TOKEN", "KEYSTEAD_TOKEN_FILE"):
        # Whoever names a key means to act as it: acting as the operator instead would be a surprise.
        if environ.get(name):
            raise Misconfigured(
                name,
                "is set, but no server is named: give --server or KEYSTEAD_URL, or unset it to work on the "
                "local data directory",
            )
    settings = load_settings(environ)
    from keystead import wiring

    async with wiring.local_client(settings) as client:
        yield client


@asynccontextmanager
async def _remote(url: str, environ: Mapping[str, str]) -> "AsyncIterator[httpx.AsyncClient]":
    import httpx

    headers = {"Authorization": f"Bearer {_own_token(environ)}", "User-Agent": f"keystead-cli/{__version__}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
        yield client


def _is_server_url(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        # A name and password in the URL would take the place of the token.
        extra = parts.username or parts.password or parts.query or parts.fragment or parts.port == 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not extra


def _own_token(environ: Mapping[str, str]) -> str:
    text, path = environ.get("KEYSTEAD_TOKEN"), environ.get("KEYSTEAD_TOKEN_FILE")
    if text and path:
        raise Misconfigured("KEYSTEAD_TOKEN", "is set beside KEYSTEAD_TOKEN_FILE: keep one of them")
    if path:
        text = _file_text(path)
    if not text:
        raise Failure(
            ExitCode.DENIED,
            "a server asks for a key: put its token in KEYSTEAD_TOKEN, "
            "or in a file that KEYSTEAD_TOKEN_FILE names",
        )
    token = presentable(text.strip())
    if token is None:
        setting = "KEYSTEAD_TOKEN_FILE" if path else "KEYSTEAD_TOKEN"
        raise Misconfigured(setting, "holds no token: a token is 1 to 512 visible ASCII characters")
    return token.reveal()


def _file_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Misconfigured("KEYSTEAD_TOKEN_FILE", f"cannot be read: {reason}") from None
