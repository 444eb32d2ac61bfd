"""Pages with names that are scripts run none of them, and no page asks anybody but us for anything."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser.rich import RichSite, rich_site
from tests.browser.test_accessible import NO_PAGES
from tests.dashboard.rich import HOSTILE

INJECTED = """() => [...document.querySelectorAll("img, svg[onload], u, script:not([src])")]
    .map(it => it.outerHTML.slice(0, 100))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichSite]:
    with rich_site(tmp_path_factory.mktemp("rich"), HOSTILE) as served:
        yield served


def test_nothing_that_was_typed_runs_and_nobody_else_is_asked(site: RichSite, browser: Browser):
    context = site.context(browser)
    page = context.new_page()
    asked: set[str] = set()
    faults: list[str] = []
    page.on("dialog", lambda it: (faults.append(it.message), it.dismiss()))
    page.on("console", lambda it: faults.append(it.text) if it.type in {"error", "warning"} else None)
    page.on("pageerror", lambda it: faults.append(str(it)))
    context.on("request", lambda it: asked.add(urlsplit(it.url).netloc))
    paths = [
        path
        for route, path in site.pages.items()
        if route not in {*NO_PAGES, "/link", "/_pieces/problem/{status}"}
    ]
    paths += [path for kind, path in site.links.items() if kind != "set-up"]
    for path in paths:
        page.goto(site.url + path)
        assert page.evaluate(INJECTED) == [], path
        for link in page.locator("main a[data-dialog]").all()[:1]:
            if link.is_visible():
                link.click()
                page.locator("#dialog[open]").wait_for()
                assert page.evaluate(INJECTED) == [], path
                page.keyboard.press("Escape")
    page.goto(f"{site.url}{site.app}/keys")
    page.get_by_role("searchbox").fill("<script>")
    page.get_by_text("&lt;", exact=True).wait_for(state="detached")
    assert page.evaluate(INJECTED) == []
    assert faults == []
    assert asked == {urlsplit(site.url).netloc}
