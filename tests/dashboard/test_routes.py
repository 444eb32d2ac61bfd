"""Sweeps over every route that the app has: no list of them is kept by hand, so none can be forgotten."""

from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
import pytest_asyncio

from keystead.dashboard.cookies import SESSION
from tests.dashboard.rich import ALL_WAYS, Rich, enrich, routes
from tests.dashboard.site import HERE, Browser, opened_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATIC = "/static/{name}"
FOREIGN: Mapping[str, tuple[bool, Mapping[str, str]]] = {
    "another origin": (True, {"Origin": "https://evil.example"}),
    "another port": (True, {"Origin": "http://localhost:8421"}),
    "another site, as the browser says": (True, {"Sec-Fetch-Site": "cross-site"}),
    "a neighbour, as the browser says": (True, {"Sec-Fetch-Site": "same-site"}),
    "no token": (False, {"Origin": HERE}),
    "no token, and nothing said": (False, {}),
}
"""Requests that no page of ours made: whether they have a token that would do, and their headers."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rich(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rich]:
    data = str(tmp_path_factory.mktemp("rich") / "data")
    async with opened_site({"KEYSTEAD_DATA": data}, **ALL_WAYS) as site:
        yield await enrich(site)


def pages(rich: Rich) -> list[str]:
    """The address of every page, and of every link that lets somebody in."""
    own = [rich.path(route) for route in routes(rich.site, "GET") if route != STATIC]
    return own + list(rich.links.values()) + [f"/keys/{it}" for it in rich.keys.values()]


def actions(rich: Rich) -> list[str]:
    """The address of everything that can be done."""
    return [rich.path(route) for route in routes(rich.site, "POST")]


async def test_nothing_is_done_by_other_methods_than_post(rich: Rich):
    methods = {it for route in rich.site.pages.routes for it in getattr(route, "methods", ())}
    assert methods - {"OPTIONS", "HEAD"} == {"GET", "POST"}
    assert len(actions(rich)) > 30


@pytest.mark.parametrize("way", FOREIGN)
async def test_whatever_changes_something_refuses_what_no_page_of_ours_sent(rich: Rich, way: str):
    has_token, headers = FOREIGN[way]
    fields = [("csrf", rich.browser.csrf)] if has_token else []
    before = await rich.site.world.rows()
    for path in actions(rich):
        answer = await rich.browser.send(path, fields, **{"Sec-Fetch-Site": "same-origin", **headers})
        assert answer.status == 403, path
    assert await rich.site.world.rows() == before


async def test_whatever_changes_something_refuses_the_token_of_another_session(rich: Rich):
    other = await rich.site.signed_in(rich.user)
    before = await rich.site.world.rows()
    for path in actions(rich):
        assert (await rich.browser.send(path, [("csrf", other.csrf)])).status == 403, path
        assert (await rich.browser.send(path, [("csrf", rich.site.browser().csrf)])).status == 403, path
    assert await rich.site.world.rows() == before


async def test_whatever_changes_something_takes_forms_only(rich: Rich):
    before = await rich.site.world.rows()
    for path in actions(rich):
        for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
            answer = await rich.browser.send(path, [("csrf", rich.browser.csrf)], **{"Content-Type": kind})
            assert answer.status == 415, path
    assert await rich.site.world.rows() == before


async def test_an_empty_form_of_ours_is_judged_and_answered_like_any_page(tmp_path: Path):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, **ALL_WAYS) as site:
        own = await enrich(site)
        for path in actions(own):
            site.clock.advance(minutes=2)  # signing in is throttled
            page = await (await site.signed_in(own.user)).post(path)
            assert page.status in {200, 204, 303, 404, 409, 410, 422}, path
            assert Inline(page.html).found == [], path
            _judge_headers(page.answer.headers, path)


async def test_looking_changes_nothing(rich: Rich):
    before = await rich.site.world.rows()
    for path in pages(rich):
        assert (await rich.browser.get(path)).status < 500, path
        assert (await rich.site.browser().get(path)).status < 500, path
    assert await rich.site.world.rows() == before


async def test_every_answer_is_kept_by_nobody_framed_by_nobody_and_runs_nothing_foreign(rich: Rich):
    for browser in (rich.browser, rich.site.browser()):
        for path in pages(rich):
            _judge_headers((await browser.get(path)).answer.headers, path)
        for path in ("/nowhere", "/apps/app_nobody", "/link?secret=x"):
            _judge_headers((await browser.get(path)).answer.headers, path)
        for path in actions(rich):
            _judge_headers((await browser.send(path, [])).answer.headers, path)


async def test_an_unknown_method_is_told_which_there_are(rich: Rich):
    known = {route: set() for method in ("GET", "POST") for route in routes(rich.site, method)}
    for method in ("GET", "POST"):
        for route in routes(rich.site, method):
            known[route].add(method)
    for route, methods in known.items():
        path = "/static/x" if route == STATIC else rich.path(route)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = await rich.browser.client.request(method, path, data={"csrf": rich.browser.csrf})
            assert answer.status_code == 405, (method, path)
            allowed = {it.strip() for it in answer.headers["allow"].split(",")}
            assert methods <= allowed, (method, path)
            assert method not in allowed, (method, path)
            _judge_headers(answer.headers, path)


async def test_no_page_holds_script_style_or_what_is_elsewhere(rich: Rich):
    for browser in (rich.browser, rich.site.browser()):
        for path in pages(rich):
            assert Inline(await _html(browser, path)).found == [], path
        assert Inline((await browser.send("/sign-out", [])).html).found == []


async def test_every_page_says_its_language_and_where_one_is(rich: Rich):
    for browser in (rich.browser, rich.site.browser()):
        for path in pages(rich):
            page = await browser.get(path, accept_language="es")
            if "text/html" not in page.answer.headers["content-type"]:
                continue
            read = Inline(page.html)
            assert read.root == {"lang": "es", "dir": "ltr"}, path
            *about, product = read.title.split(" · ")
            assert product == "Keystead", path
            assert about, path
            if "/apps/" in path and page.status == 200 and path != "/apps/new":
                assert about[-1] == rich.names.app, path


async def test_a_page_for_somebody_who_is_signed_out_is_never_shown(rich: Rich):
    stranger = rich.site.browser()
    open_to_all = {"/sign-in", "/sign-up", "/link", STATIC}
    for route in routes(rich.site, "GET"):
        if route not in open_to_all:
            answer = await stranger.get(rich.path(route))
            assert (answer.status, "sign-in" in answer.answer.headers["location"]) == (303, True), route
    assert SESSION not in stranger.client.cookies


class Inline(HTMLParser):
    """What a page must not hold, and what it says of itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.root: dict[str, str] = {}
        self.title = ""
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open = tag
        if tag == "html":
            self.root = {name: given[name] for name in ("lang", "dir")}
        if tag in {"style", "iframe", "object", "embed", "base", "meta"} and "http-equiv" in given:
            self.found.append(tag)
        if tag in {"style", "iframe", "object", "embed", "base"}:
            self.found.append(tag)
        for name, value in given.items():
            address = name in {"href", "src", "action", "formaction", "srcset", "hx-get", "hx-post"}
            script = value.strip().lower().startswith(("javascript:", "data:", "vbscript:"))
            kept = tag == "a" and "download" in given and value.startswith("data:text/plain;")
            elsewhere = tag in {"script", "link", "img", "form"} and "//" in value.partition("?")[0]
            if name.startswith("on") or name in {"style", "srcdoc"} or "hx-on" in name:
                self.found.append(f"{tag} {name}")
            if address and (script or elsewhere) and not kept:
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "title":
            self.title += data
        if self._open in {"script", "style"} and data.strip():
            self.found.append(f"inline {self._open}")


def _judge_headers(headers: Mapping[str, str], path: str) -> None:
    policy = dict(it.strip().partition(" ")[::2] for it in headers["content-security-policy"].split(";"))
    assert "unsafe-" not in headers["content-security-policy"], path
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'", path
    assert {policy[it] for it in ("script-src", "style-src", "connect-src", "font-src")} == {"'self'"}, path
    assert headers["cache-control"] == "no-store", path
    assert headers["x-content-type-options"] == "nosniff", path
    assert headers["referrer-policy"] == "no-referrer", path
    assert headers["x-request-id"], path


async def _html(browser: Browser, path: str) -> str:
    page = await browser.get(path)
    return page.html if "text/html" in page.answer.headers["content-type"] else ""
