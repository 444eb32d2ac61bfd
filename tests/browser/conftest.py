"""A real server, and a browser that looks at it."""

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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


@dataclass(frozen=True, kw_only=True)
class Dwelling:
    """A server with an operator, who is the owner of an organization of their own."""

    url: str
    email: str = "ada@example.com"
    password: str = "correct horse battery"

    def sign_in(self, page: Page) -> None:
        """Sign the operator in, with the form."""
        page.goto(f"{self.url}/sign-in")
        page.get_by_label("E-mail").fill(self.email)
        page.get_by_label("Password").fill(self.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/apps")


@pytest.fixture
def dwelling(tmp_path: Path) -> Iterator[Dwelling]:
    """A server with its first operator; a fresh one each time, since it counts how often people sign in."""
    folder, port = tmp_path, free_port()
    dwelling = Dwelling(url=f"http://localhost:{port}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYSTEAD_DATA", str(folder / "data"))
        patch.setenv("KEYSTEAD_PORT", str(port))
        patch.setenv("KEYSTEAD_ADMIN_EMAIL", dwelling.email)
        patch.setenv("KEYSTEAD_ADMIN_PASSWORD", dwelling.password)
        command = [Path(sys.executable).with_name("keystead"), "serve"]
        with running(command, port=port, log=folder / "log"):
            yield dwelling


@pytest.fixture
def faults() -> list[str]:
    """What a page did that a good one does not do; violations of its policy are console errors too."""
    return []


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    wanted = {"viewport": {"width": 1440, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**wanted)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, faults: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda it: faults.append(it.text) if it.type in {"error", "warning"} else None)
    return page
