"""A real server, and a browser that looks at it."""

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from tests.servers import free_port, running

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, kw_only=True)
class Served:
    """Where a server is, and its root key's token."""

    url: str
    root: str


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    root = make_token("ks", TokenKind.ROOT, Environment.LIVE, secrets.token_bytes(32)).reveal()
    (folder / "root-key").write_text(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYSTEAD_DATA", str(folder / "data"))
        patch.setenv("KEYSTEAD_PORT", str(port))
        patch.setenv("KEYSTEAD_ROOT_KEY_FILE", str(folder / "root-key"))
        command = [Path(sys.executable).with_name("keystead"), "serve"]
        with running(command, port=port, log=folder / "log"):
            yield Served(url=f"http://127.0.0.1:{port}", root=root)


# Not for the session: while Playwright runs, its event loop keeps all others in the process from running.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()
