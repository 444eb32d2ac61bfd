"""Every piece in a real browser: for every eye, by keyboard, without a script, in both directions."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from scripts.locales import merged, write
from tests.browser.looks import SIDEWAYS, WIDTHS, judge, looks
from tests.servers import free_port, running

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "src/keystead/dashboard/locales"
PAGES = ("/_pieces", "/_pieces/plain", "/_pieces/dialog", "/_pieces/problem/404")
FILTERED = re.compile(r"/_pieces\?q=night&")


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English, and the same texts passed off as Arabic, which is written from right to left."""
    folder = tmp_path_factory.mktemp("locales")
    for language in ("en", "ar"):
        write(merged(LOCALES / "en"), folder / f"{language}.mo")
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, mirrored: Path) -> Iterator[str]:
    port, log = free_port(), tmp_path_factory.mktemp("pieces") / "log"
    command = [sys.executable, "-m", "tests.browser.pieces_server", str(port), str(mirrored)]
    with running(command, port=port, log=log):
        yield f"http://127.0.0.1:{port}"


@looks
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_violation_and_no_fault(page: Page, faults: list[str], address: str, path: str):
    page.goto(address + path)
    judge(page)
    assert [it for it in faults if "404" not in it] == []


@looks
def test_what_opens_has_no_violation_either(page: Page, faults: list[str], address: str):
    page.goto(f"{address}/_pieces")
    page.locator(".row-menu > summary").nth(1).click()
    judge(page)
    page.get_by_role("link", name="Delete", exact=True).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    judge(page)
    page.get_by_role("textbox", name="Type DELETE to go on").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".toast")).to_contain_text("Deletion successful!")
    page.get_by_text("Your account").locator("xpath=..").click()
    expect(page.get_by_role("link", name="My profile")).to_be_visible()
    judge(page)
    assert faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_that_was_chosen_goes_before_the_system_s(page: Page, address: str, theme: str):
    page.emulate_media(color_scheme="dark" if theme == "light" else "light")
    page.goto(f"{address}/_pieces?theme={theme}")
    paper = {"light": "rgb(251, 250, 248)", "dark": "rgb(20, 19, 16)"}[theme]
    expect(page.locator("body")).to_have_css("background-color", paper)


def test_a_row_menu_is_worked_by_keyboard(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    summary = page.locator(".row-menu > summary").first
    summary.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="View", exact=True)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("link", name="Delete", exact=True).first).to_be_focused()
    page.keyboard.press("Home")
    expect(page.get_by_role("link", name="View", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".row-menu[open]")).to_have_count(0)
    expect(summary).to_be_focused()


def test_a_menu_closes_when_one_goes_elsewhere(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    page.locator(".row-menu > summary").first.click()
    expect(page.locator(".row-menu[open]")).to_have_count(1)
    page.get_by_role("heading", name="API keys", level=1).click()
    expect(page.locator(".row-menu[open]")).to_have_count(0)


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    opener = page.locator("#open-delete")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete “Nightly export”?")
    expect(dialog).to_be_visible()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert not page.evaluate("!!document.activeElement.closest('.frame')")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_button_waits_for_the_word_and_the_server_judges_it_too(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    page.locator("#open-delete").click()
    dialog, word = page.get_by_role("dialog"), page.get_by_role("textbox", name="Type DELETE to go on")
    confirm = dialog.get_by_role("button", name="Confirm")
    expect(confirm).to_have_attribute("aria-disabled", "true")
    word.fill("delete")
    expect(confirm).to_have_attribute("aria-disabled", "true")
    page.evaluate("document.querySelector('#dialog form').requestSubmit()")  # goes round the button
    expect(dialog.get_by_text("in capitals")).to_be_visible()
    expect(word).to_be_focused()
    word.fill("DELETE")
    expect(confirm).to_have_attribute("aria-disabled", "false")


def test_a_server_that_is_away_is_told_inside_the_dialog(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    page.locator("#open-delete").click()
    page.get_by_role("textbox", name="Type DELETE to go on").fill("DELETE")
    page.route("**/_pieces/dialog", lambda route: route.abort())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("did not answer")
    page.unroute("**/_pieces/dialog")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".toast")).to_contain_text("Deletion successful!")


def test_a_filter_that_nobody_answers_says_so(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    page.route(FILTERED, lambda route: route.fulfill(status=503, body=""))
    page.get_by_role("searchbox").press_sequentially("night")
    expect(page.locator(".toast")).to_contain_text("did not answer")
    expect(page.locator("#keys")).to_contain_text("Nightly export")


def test_filters_answer_while_one_types_and_stand_in_the_address(page: Page, faults: list[str], address: str):
    page.goto(f"{address}/_pieces")
    page.get_by_role("searchbox").press_sequentially("night")
    page.wait_for_url(FILTERED)
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert faults == []


def test_tabs_are_worked_by_arrow_keys(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    curl = page.get_by_role("tab", name="curl")
    curl.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Python")).to_be_visible()
    expect(page.get_by_role("tabpanel", name="curl")).to_be_hidden()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="JavaScript")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowRight")
    expect(curl).to_be_focused()


def test_the_shortcuts_go_to_the_search_and_list_themselves(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("?")
    expect(page.get_by_role("searchbox")).to_have_value("?")
    page.get_by_role("heading", name="API keys", level=1).click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": width, "height": 844}} for width in WIDTHS.values()],
    ids=WIDTHS,
    indirect=True,
)
def test_the_exact_instant_shows_on_focus(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    for time in page.locator("time.when:visible").all():
        time.focus()
        content = time.evaluate("element => getComputedStyle(element, '::after').content")
        assert "(Madrid)" in content
        assert "UTC" in content
        assert page.evaluate(SIDEWAYS) <= 0, "it scrolls sideways"


def test_a_toast_can_be_sent_away(page: Page, address: str):
    page.goto(f"{address}/_pieces/dialog")
    page.get_by_role("textbox", name="Type DELETE to go on").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#toasts[role=status] .toast")).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".toast")).to_have_count(0)


@pytest.mark.parametrize("clipboard", [True, False], ids=["clipboard", "no clipboard"])
def test_a_token_is_copied_with_and_without_the_clipboard(
    page: Page, context: BrowserContext, address: str, *, clipboard: bool
):
    if clipboard:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    else:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(f"{address}/_pieces")
    button = page.get_by_role("button", name="Copy the token")
    button.click()
    expect(button.get_by_text("Copied").first).to_be_visible()
    token = page.locator("#token").inner_text()
    if clipboard:
        assert page.evaluate("navigator.clipboard.readText()") == token
    else:
        assert page.evaluate("getSelection().toString()") == token


@pytest.mark.parametrize(
    "context",
    [
        {"viewport": {"width": width, "height": 844}, "java_script_enabled": False}
        for width in WIDTHS.values()
    ],
    ids=WIDTHS,
    indirect=True,
)
def test_without_a_script_menus_open_and_forms_are_sent(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    if page.viewport_size and page.viewport_size["width"] == WIDTHS["phone"]:
        page.get_by_text("Menu", exact=True).click()
    expect(page.get_by_role("link", name="Members")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    expect(page.get_by_role("button", name="Copy the token")).to_have_count(0)
    expect(page.get_by_role("heading", name="Python")).to_be_visible()
    page.goto(f"{address}/_pieces")
    page.locator(".row-menu > summary").first.click()
    page.get_by_role("link", name="Delete", exact=True).first.click()
    page.get_by_role("textbox", name="Type DELETE to go on").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".toast")).to_contain_text("Deletion successful!")


@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": width, "height": 844}, "locale": "ar"} for width in WIDTHS.values()],
    ids=WIDTHS,
    indirect=True,
)
def test_from_right_to_left_everything_has_changed_sides(page: Page, faults: list[str], address: str):
    page.goto(f"{address}/_pieces")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    heading = page.get_by_role("heading", level=1).bounding_box()
    button = page.get_by_role("link", name="New API key").first.bounding_box()
    assert heading is not None
    assert button is not None
    assert heading["x"] + heading["width"] > button["x"]
    judge(page)
    assert faults == []


@pytest.mark.parametrize(
    "context", [{"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}], indirect=True
)
def test_nothing_moves_for_those_who_asked_for_that(page: Page, address: str):
    page.goto(f"{address}/_pieces")
    moving = """[...document.querySelectorAll('*')].filter(it => {
        const style = getComputedStyle(it);
        return style.animationName !== 'none' || style.transitionDuration.split(', ').some(it => it !== '0s');
    }).length"""
    assert page.evaluate(moving) == 0
