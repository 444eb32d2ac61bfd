"""A real server, and a browser that looks at it."""

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from tests.browser.chromium import chromium
from tests.browser.homes import Home, Visit, opened_home
from tests.browser.looks import SCREENS
from tests.servers import free_port, running

TIMEOUT_MS = 10_000


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
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A server for the journeys of one module, each of which has people of its own there."""
    with opened_home(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture
def visit(home: Home, page: Page, context: BrowserContext, another: Callable[[], Page]) -> Visit:
    """The owner of a new organization, signed in and at the list of apps."""
    visit = Visit(home=home, person=home.person(), page=page, another=another)
    home.enter(context, visit.person)
    visit.open("/apps")
    return visit


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How the browsers of a test are: as a desktop's, but for what its parameter `context` says."""
    spec = getattr(request.node, "callspec", None)
    return {"viewport": SCREENS["desktop"], **(spec.params.get("context", {}) if spec else {})}


@pytest.fixture
def another(browser: Browser, kind: dict[str, Any]) -> Iterator[Callable[[], Page]]:
    """Opens a page in a browser of the same kind, with which nobody is signed in."""
    with ExitStack() as stack:

        def opened() -> Page:
            context = browser.new_context(**kind)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            return page

        yield opened


@pytest.fixture
def faults() -> list[str]:
    """What a page did that a good one does not do; violations of its policy are console errors too."""
    return []


@pytest.fixture
def context(browser: Browser, kind: dict[str, Any]) -> Iterator[BrowserContext]:
    context = browser.new_context(**kind)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, faults: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda it: faults.append(it.text) if it.type in {"error", "warning"} else None)
    return page
