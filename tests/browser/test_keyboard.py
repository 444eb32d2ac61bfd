"""Everything can be reached and worked by keyboard, in order, and one sees where one is."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.looks import WIDTHS
from tests.browser.rich import RichSite, rich_site

MAIN_PAGES: dict[str, Callable[[RichSite], str]] = {
    "apps": lambda _: "/apps",
    "overview": lambda it: it.app,
    "keys": lambda it: f"{it.app}/keys",
    "new key": lambda it: f"{it.app}/keys/new",
    "key": lambda it: it.key,
    "roll": lambda it: f"{it.key}/roll",
    "app settings": lambda it: f"{it.app}/settings",
    "members": lambda it: f"{it.organization}/members",
    "audit": lambda it: f"{it.organization}/audit",
    "profile": lambda _: "/profile",
    "API access": lambda _: "/profile/keys",
    "organizations": lambda _: "/instance/organizations",
}
REACHABLE = """() => {
    const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary";
    const all = [...document.querySelectorAll(wanted)].filter(it =>
        it.checkVisibility({ visibilityProperty: true }) && !it.disabled && it.tabIndex >= 0
        && it.getAttribute("aria-hidden") !== "true");
    // Of radio buttons that belong together one is reached; arrow keys lead to the others.
    const chosen = it => {
        const group = [...document.querySelectorAll(`input[type=radio][name="${CSS.escape(it.name)}"]`)]
            .filter(other => other.form === it.form);
        return it === (group.find(other => other.checked) ?? group[0]);
    };
    const kept = all.filter(it => it.type !== "radio" || chosen(it));
    kept.forEach((it, at) => it.dataset.stop = at);
    return kept.length;
}"""
FOCUSED = """() => {
    const it = document.activeElement;
    const shown = it.matches(":is(.segments, .choices, .ticks) input") ? it.closest("label") : it;
    const style = getComputedStyle(shown);
    const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const inner = getComputedStyle(it);
    const own = inner.outlineStyle !== "none" && parseFloat(inner.outlineWidth) >= 2;
    const box = shown.getBoundingClientRect();
    return {
        stop: it.dataset.stop ?? null,
        what: it.outerHTML.slice(0, 120),
        visible: outline || own || style.boxShadow !== "none" && it.matches("input, select, textarea"),
        seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichSite]:
    with rich_site(tmp_path_factory.mktemp("rich")) as served:
        yield served


@pytest.fixture
def at(site: RichSite, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """The owner's browser, at a path."""
    context = site.context(browser)
    page = context.new_page()

    def go(path: str) -> Page:
        page.goto(site.url + path)
        return page

    yield go
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MAIN_PAGES)
def test_everything_is_reached_in_order_and_one_sees_where_one_is(
    site: RichSite, at: Callable[[str], Page], name: str, width: str
):
    page = at(MAIN_PAGES[name](site))
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    stops = page.evaluate(REACHABLE)
    page.evaluate("document.activeElement.blur()")
    reached: list[int] = []
    for _ in range(stops + 60):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["what"].startswith("<body"):
            break
        assert found["seen"], f"out of sight: {found['what']}"
        assert found["visible"], f"focus is not shown: {found['what']}"
        if found["stop"] is not None:
            reached.append(int(found["stop"]))
    assert reached == list(range(stops))


def test_the_first_stop_leads_past_the_navigation(site: RichSite, at: Callable[[str], Page]):
    page = at(site.app)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")


@pytest.mark.parametrize("verb", ["roll", "regenerate", "disable", "delete"])
def test_a_dialog_is_opened_kept_to_left_and_one_is_back(
    site: RichSite, at: Callable[[str], Page], verb: str
):
    page = at(site.key)
    opener = page.locator(f"main a[data-dialog][href$='/{verb}']").first
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_have_attribute("aria-labelledby", "dialog-dialog-title")
    inside = "document.querySelector('#dialog').contains(document.activeElement)"
    assert page.evaluate(inside)
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 14:
        page.keyboard.press(key)
        # Between its last stop and its first the browser's own bar may have the focus.
        assert page.evaluate(f"{inside} || document.activeElement === document.body")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_dialog_that_a_menu_opened_gives_the_focus_back_to_the_menu(
    site: RichSite, at: Callable[[str], Page]
):
    page = at(f"{site.app}/keys")
    menu = page.locator(".row-menu > summary").first
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(page.locator(".row-menu[open]")).to_have_count(0)


@pytest.mark.parametrize("menu", [".row-menu", "details.account", ".side .organization"])
def test_a_menu_is_walked_by_arrows_and_left_by_escape(site: RichSite, at: Callable[[str], Page], menu: str):
    page = at(f"{site.app}/keys")
    summary = page.locator(f"{menu} > summary").first
    items = page.locator(menu).first.locator("a, button")
    summary.focus()
    page.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(items.last).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    page.keyboard.press("End")
    expect(items.last).to_be_focused()
    page.keyboard.press("Home")
    expect(items.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(items.first).to_be_hidden()
    expect(summary).to_be_focused()


def test_the_phone_s_menu_is_worked_by_keyboard_too(site: RichSite, at: Callable[[str], Page]):
    page = at(site.app)
    page.set_viewport_size({"width": WIDTHS["phone"], "height": 844})
    summary = page.locator(".phone > details > summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('.sheet')")
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.locator(".sheet")).to_be_hidden()


def test_a_slash_leads_to_the_search_and_a_question_mark_lists_the_shortcuts(
    site: RichSite, at: Callable[[str], Page]
):
    page = at(f"{site.app}/keys")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("/?")
    expect(page.get_by_role("searchbox")).to_have_value("/?")
    page.locator("main").focus()
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(page.locator("main")).to_be_focused()


def test_a_toast_is_sent_away_by_keyboard(site: RichSite, at: Callable[[str], Page]):
    page = at("/profile")
    page.get_by_role("button", name="Save profile").focus()
    page.keyboard.press("Enter")
    toast = page.locator("[role=status] .toast")
    expect(toast).to_be_visible()
    toast.get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(toast).to_have_count(0)


def test_nothing_moves_for_those_who_asked_for_that(site: RichSite, at: Callable[[str], Page]):
    moving = """() => [...document.querySelectorAll("*")].flatMap(it => ["", "::before", "::after"]
        .map(part => getComputedStyle(it, part || undefined))
        .filter(style => [style.transitionDuration, style.animationDuration].some(
            durations => durations.split(", ").some(duration => parseFloat(duration) > 0))
            || style.scrollBehavior === "smooth")
        .map(() => it.outerHTML.slice(0, 100)))"""
    for path in MAIN_PAGES.values():
        assert at(path(site)).evaluate(moving) == []


def test_something_moves_for_the_others(site: RichSite, browser: Browser):
    context: BrowserContext = site.context(browser, reduced_motion="no-preference")
    page = context.new_page()
    page.goto(site.url + site.app)
    assert page.locator("main a").first.evaluate("it => getComputedStyle(it).transitionDuration") != "0s"
    context.close()
