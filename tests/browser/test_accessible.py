"""Nobody is shut out of any page: axe finds nothing, whatever the width, the theme, and what is open."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import AXE, SIDEWAYS, WIDTHS
from tests.browser.rich import RichSite, rich_site

AXE_TEXT = AXE.read_text("utf-8")
VIOLATIONS = """async (options) => {
    const found = await axe.run(document, { resultTypes: ["violations"], preload: false, ...options });
    return found.violations.map(it => `${it.id}: ${it.nodes.map(node => node.target).join(", ")}`);
}"""
EVERYTHING = {"rules": {"target-size": {"enabled": True}}}
COVERED: Mapping[str, object] = {}
"""What an open menu covers is smaller for as long."""
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
MOVED_ON = {"/", "/sign-in", "/prove", "/profile/keys/generate"}
"""Addresses that send whoever is signed in on to another page."""
NO_PAGES = {
    "/organizations/{organization_id}/audit/export.csv",
    "/organizations/{organization_id}/audit/export.jsonl",
    "/apps/{app_id}/steps",
}
"""Files, and a part of a page that a script asks for."""


class State(NamedTuple):
    """A page in a state that its address alone does not bring about."""

    path: Callable[[RichSite], str]
    bring_about: Callable[[Page], None] = lambda _: None
    person: str | None = "owner"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichSite]:
    with rich_site(tmp_path_factory.mktemp("rich")) as served:
        yield served


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_of_ours(site: RichSite, browser: Browser, width: str):
    found: dict[str, list[str]] = {}
    page = site.context(browser).new_page()
    for route, path in site.pages.items():
        if route in NO_PAGES:
            continue
        page.goto(site.url + path)
        assert route in MOVED_ON or page.url == site.url + path, route
        found |= _judge(page, route, WIDTHS[width])
    for kind, path in site.links.items():
        if kind != "set-up":
            page.goto(site.url + path)
            found |= _judge(page, f"link: {kind}", WIDTHS[width])
    assert found == {}


def _type_wrong(page: Page) -> None:
    page.locator("main [name=name]").fill(" ")
    page.evaluate("document.querySelector('main form').noValidate = true")
    page.locator("main form .button.primary").last.click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()


def _open_row_menu(page: Page) -> None:
    page.locator(".row-menu > summary").nth(1).click()
    expect(page.locator(".row-menu[open] .menu")).to_be_visible()


def _open_account(page: Page) -> None:
    page.locator("details.account > summary").click()
    expect(page.locator(".account .menu")).to_be_visible()


def _open_dialog(page: Page) -> None:
    page.locator("main a[data-dialog]").locator("visible=true").last.click()
    expect(page.locator("#dialog")).to_be_visible()


def _open_shortcuts(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()


def _change_theme_form(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Another name")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator(".toast")).to_be_visible()


def _sign_in_wrong(page: Page) -> None:
    page.locator("[name=email]").fill("nobody@example.com")
    page.locator("[name=password]").fill("not the password")
    page.locator("main button").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _confirm_key(page: Page) -> None:
    page.locator("[name=name]").fill("One more")
    page.get_by_role("button", name="Save API key").last.click()
    expect(page.locator("[name=typed]")).to_be_visible()


def _make_key(page: Page) -> None:
    _confirm_key(page)
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    expect(page.locator("#token")).to_be_visible()
    expect(page.locator(".toast")).to_be_visible()


def _review_edit(page: Page) -> None:
    page.locator("main [name=name]").fill("Another name")
    page.locator("main form .button.primary").last.click()
    expect(page.locator("[value=change]").last).to_be_visible()


STATES: Mapping[str, State] = {
    "sign-in": State(lambda _: "/sign-in", person=None),
    "sign-in refused": State(lambda _: "/sign-in", _sign_in_wrong, person=None),
    "sign-up": State(lambda _: "/sign-up", person=None),
    "invitation of a newcomer": State(lambda it: it.links["invitation"], person=None),
    "an app with nothing yet": State(lambda it: f"/apps/{it.empty_app}"),
    "keys of an app, none": State(lambda it: f"/apps/{it.empty_app}/keys"),
    "keys found, none": State(lambda it: f"{it.app}/keys?q=nothing-is-called-so"),
    "keys, a row's menu": State(lambda it: f"{it.app}/keys", _open_row_menu),
    "keys, revoked": State(lambda it: f"{it.app}/keys?status=revoked"),
    "keys, as a viewer": State(lambda it: f"{it.app}/keys", person="viewer"),
    "apps of somebody who is in no organization": State(lambda _: "/apps", person="nobody"),
    "API access without a key": State(lambda _: "/profile/keys", person="developer"),
    "API access of somebody who is nowhere": State(lambda _: "/profile/keys", person="nobody"),
    "not yours": State(lambda _: "/instance/health", person="viewer"),
    "account menu": State(lambda it: it.app, _open_account),
    "shortcuts": State(lambda it: it.app, _open_shortcuts),
    "key, a dialog": State(lambda it: it.key, _open_dialog),
    "key, expired": State(lambda it: f"/keys/{it.keys['expired']}"),
    "key, disabled": State(lambda it: f"/keys/{it.keys['disabled']}"),
    "key, revoked": State(lambda it: f"/keys/{it.keys['revoked']}"),
    "key, public": State(lambda it: f"/keys/{it.keys['public']}"),
    "edit, reviewed": State(lambda it: f"{it.key}/edit", _review_edit),
    "new key, faulty": State(lambda it: f"{it.app}/keys/new", _type_wrong),
    "new key, to confirm": State(lambda it: f"{it.app}/keys/new", _confirm_key),
    "new key, made": State(lambda it: f"{it.app}/keys/new", _make_key),
    "app settings, faulty": State(lambda it: f"{it.app}/settings", _type_wrong),
    "profile, a toast": State(lambda _: "/profile", _change_theme_form),
    "audit, none found": State(lambda it: f"{it.organization}/audit?by=usr_nobody"),
}


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_a_page(site: RichSite, browser: Browser, name: str):
    state = STATES[name]
    context = site.context(browser, state.person)
    page = context.new_page()
    page.goto(site.url + state.path(site))
    state.bring_about(page)
    assert _judge(page, name) == {}
    context.close()


def test_the_first_page_of_all(site: RichSite, browser: Browser):
    context = site.context(browser, None, extra_http_headers={"X-Site": "bare"})
    page = context.new_page()
    page.goto(site.url + site.links["set-up"])
    expect(page.locator("[name=organization]")).to_be_visible()
    assert _judge(page, "set-up") == {}
    context.close()


def _judge(page: Page, name: str, *widths: int) -> Mapping[str, list[str]]:
    """What axe finds on a page, by name, width (each, unless said) and theme; also if it scrolls sideways."""
    page.evaluate(AXE_TEXT)
    layout = COVERED if page.locator("details[data-menu][open]").count() else EVERYTHING
    found = {}
    for width in widths or WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate(SIDEWAYS) > 0:
            found[f"{name} at {width}"] = ["it scrolls sideways"]
        for scheme, rules in (("light", layout), ("dark", COLOURS)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # it is one of these
            violations = page.evaluate(VIOLATIONS, rules)
            if violations:
                found[f"{name} at {width}, {scheme}"] = violations
    page.set_viewport_size({"width": 1440, "height": 900})
    return found
