"""Take a picture of each page of the dashboard: `python -m scripts.screenshots [FOLDER] [--docs]`.

A picture is `<scene>.<screen>-<theme>.png` in FOLDER (`screenshots` unless said), of each scene in
`scenes.py`, on both screens and in both themes. `--docs` makes those of the docs anew instead: smaller ones,
in `docs/pictures`.
"""

import argparse
import base64
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, get_args

from playwright.sync_api import Browser, Page

from scripts.scenes import LIGHT, PHONE, SCENES, Look, Place, Scene, Theme, Who, sends, types
from tests.browser.chromium import chromium
from tests.browser.homes import PASSWORD
from tests.browser.looks import SCREENS
from tests.browser.sample import ADA, Acme, Beginning, acme, beginning
from tests.servers import free_port, running

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs/pictures"
_LATER_S = 11 * 60
_TIMEOUT_MS = 15_000
_WEBP_QUALITY = 70


LOOKS = tuple(Look(screen, theme) for screen in SCREENS for theme in get_args(Theme))


class _Site(Protocol):
    def address(self, path: str) -> str: ...


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces alone, which need no instance."""

    url: str

    def address(self, path: str) -> str:
        return self.url + path


@dataclass(slots=True, kw_only=True)
class _Studio:
    """A browser, the servers that it looks at, and a page of each who looks."""

    browser: Browser
    acme: Acme
    beginning: Beginning
    pieces: _Pieces
    pages: dict[tuple[Place, Who], Page] = field(default_factory=dict)

    def site(self, place: Place) -> _Site:
        return {Place.ACME: self.acme, Place.BEGINNING: self.beginning, Place.PIECES: self.pieces}[place]

    def page(self, place: Place, who: Who) -> Page:
        """The page of who looks there, signed in unless they are a stranger."""
        if (place, who) not in self.pages:
            # A colour that is still on its way to the other theme would be caught half-way.
            still = self.browser.new_context(viewport=SCREENS["desktop"], reduced_motion="reduce")
            page = still.new_page()
            page.set_default_timeout(_TIMEOUT_MS)
            self.pages[place, who] = page
            if place is Place.ACME and who is not Who.STRANGER:
                self._sign_in(page, who)
                # The page that signing in leads to would abort the next one's way there.
                page.wait_for_url(lambda url: "/sign-in" not in url and "/link" not in url)
        return self.pages[place, who]

    def _sign_in(self, page: Page, who: Who) -> None:
        if who is Who.ADA:
            page.goto(self.acme.address("/sign-in"))
            types(sends, email=ADA, password=PASSWORD)(page)
        else:
            page.goto(self.acme.home.sign_in_link(self.acme.people[who]))
            sends(page)


def take(folder: Path, looks: Sequence[Look] = LOOKS, scenes: Sequence[Scene] = SCENES) -> Iterator[Path]:
    """Take a picture of each scene in each look, and give its path. Scenes build on those before them.

    Raises RuntimeError for a page that is not answered as its scene says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _studio() as studio:
        late = False
        for scene in scenes:
            if scene.late and not late:
                studio.acme.go_to(seconds_ago=-_LATER_S)
                late = True
            page = _open(studio, scene)
            for look in looks:
                if scene.phone_only and look.screen != "phone":
                    continue
                path = folder / f"{scene.name}.{look.screen}-{look.theme}.png"
                _pose(page, look)
                page.screenshot(path=path, full_page=not _covered(page), animations="disabled")
                yield path


def take_for_docs(folder: Path = DOCS) -> Iterator[Path]:
    """Take the pictures that the docs show: what one sees of a page at first, as WebP."""
    folder.mkdir(parents=True, exist_ok=True)
    with _studio() as studio:
        for scene in SCENES:
            if scene.doc is None:
                continue
            page = _open(studio, scene)
            _pose(page, scene.doc)
            shot = page.context.new_cdp_session(page).send(
                "Page.captureScreenshot", {"format": "webp", "quality": _WEBP_QUALITY}
            )
            path = folder / f"{scene.name}.webp"
            path.write_bytes(base64.b64decode(shot["data"]))
            yield path


def _open(studio: _Studio, scene: Scene) -> Page:
    page = studio.page(scene.place, scene.who)
    _pose(page, PHONE if scene.phone_only else LIGHT)
    answer = page.goto(studio.site(scene.place).address(scene.path))
    if answer is None or answer.status != scene.status:
        raise RuntimeError(f"{scene.name}: {answer and answer.status} instead of {scene.status}")
    if scene.act is not None:
        scene.act(page)
    return page


def _pose(page: Page, look: Look) -> None:
    page.set_viewport_size(SCREENS[look.screen])
    page.emulate_media(color_scheme=look.theme)


def _covered(page: Page) -> bool:
    """Whether a dialog covers the page: then only what is on the screen is looked at."""
    return page.locator("dialog[open]").count() > 0


@contextmanager
def _studio() -> Iterator[_Studio]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keystead-screenshots-")))
        port = free_port()
        command = [sys.executable, "-m", "tests.browser.pieces_server", str(port)]
        stack.enter_context(running(command, port=port, log=folder / "pieces.log"))
        yield _Studio(
            acme=stack.enter_context(acme(folder / "acme")),
            beginning=stack.enter_context(beginning(folder / "beginning")),
            pieces=_Pieces(f"http://localhost:{port}"),
            browser=stack.enter_context(chromium()),
        )


def main() -> int:
    """Take them, and print what was written."""
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--docs", action="store_true", help="those of docs/pictures instead")
    options = parser.parse_args()
    for path in take_for_docs() if options.docs else take(options.folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
