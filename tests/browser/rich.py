"""The site of `rich_server`, as tests of many pages see it."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, BrowserContext

from keystead.dashboard.cookies import SESSION
from tests.dashboard.rich import Names
from tests.servers import free_port, running


@dataclass(frozen=True, kw_only=True)
class RichSite:
    """Where it is, and what is on it; `cookies` are sessions by role, `pages` addresses by route."""

    url: str
    cookies: Mapping[str, str]
    pages: Mapping[str, str]
    links: Mapping[str, str]
    keys: Mapping[str, str]
    empty_app: str

    @property
    def app(self) -> str:
        """The address of the app that has keys."""
        return self.pages["/apps/{app_id}"]

    @property
    def key(self) -> str:
        """The address of the key that has everything that a key may have."""
        return self.pages["/keys/{key_id}"]

    @property
    def organization(self) -> str:
        """The address of the organization."""
        return self.pages["/organizations/{organization_id}"]

    def context(self, browser: Browser, person: str | None = "owner", **wishes: object) -> BrowserContext:
        """A browser that somebody is signed in with; nothing moves in it."""
        given: dict[str, object] = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}
        context = browser.new_context(**{**given, **wishes})  # type: ignore[arg-type] # Playwright's own names
        context.set_default_timeout(10_000)
        if person is not None:
            context.add_cookies([{"name": SESSION, "value": self.cookies[person], "url": self.url}])
        return context


@contextmanager
def rich_site(folder: Path, names: Names | None = None) -> Iterator[RichSite]:
    """The site, served until the block ends; `folder` may have `locales`."""
    if names is not None:
        (folder / "names.json").write_bytes(msgspec.json.encode(names))
    port = free_port()
    command = [sys.executable, "-m", "tests.browser.rich_server", str(port), str(folder)]
    with running(command, port=port, log=folder / "log"):
        about = json.loads((folder / "about.json").read_text())
        yield RichSite(url=f"http://localhost:{port}", **about)
