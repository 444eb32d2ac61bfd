"""Details that people notice: paper, nothing that jumps, labels in rows, toasts that wait."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looks import WIDTHS
from tests.browser.rich import RichSite, rich_site

SHIFTS = """() => new Promise(done => {
    const found = [];
    new PerformanceObserver(list => found.push(...list.getEntries())).observe(
        { type: "layout-shift", buffered: true });
    const sum = () => found.reduce((all, it) => all + it.value, 0);
    document.fonts.ready.then(() => setTimeout(() => done(sum()), 100));
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichSite]:
    with rich_site(tmp_path_factory.mktemp("rich")) as served:
        yield served


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_jumps_while_a_page_arrives(site: RichSite, browser: Browser, width: str):
    for path in (site.app, f"{site.app}/keys", site.key, f"{site.app}/keys/new", "/profile"):
        # Each with nothing kept, so that fonts come late.
        context = site.context(browser, viewport={"width": WIDTHS[width], "height": 900})
        page = context.new_page()
        page.goto(site.url + path)
        assert page.evaluate(SHIFTS) < 0.01, path
        context.close()


def test_the_audit_log_is_a_plain_table_on_paper(site: RichSite, browser: Browser):
    page = site.context(browser, color_scheme="dark").new_page()
    page.goto(f"{site.url}{site.organization}/audit")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    expect(page.get_by_role("table")).to_be_visible()
    for gone in (".side", ".top .end", ".filters", ".pager .buttons", "#log > .buttons", ".toasts"):
        expect(page.locator(gone).locator("visible=true")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 27, 24)"
    card = page.locator("#log .card")
    expect(card).to_have_css("box-shadow", "none")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_title_names_the_page_then_the_app_then_the_product(site: RichSite, browser: Browser):
    page = site.context(browser).new_page()
    page.goto(f"{site.url}{site.app}/keys")
    expect(page).to_have_title("API keys · Storefront · Keystead")
    page.goto(f"{site.url}/profile")
    expect(page).to_have_title("My profile · Keystead")


def test_labels_are_rows_that_come_and_go(site: RichSite, browser: Browser):
    page = site.context(browser).new_page()
    page.goto(f"{site.url}{site.key}/edit")
    names = page.get_by_label("Label name")
    expect(names).to_have_count(2)
    expect(names.first).to_have_value("team")
    page.get_by_role("button", name="Remove this label").first.click()
    page.get_by_role("button", name="Add a label").click()
    expect(names.last).to_be_focused()
    page.keyboard.type("owner")
    page.keyboard.press("Tab")
    page.keyboard.type("a=b")
    page.locator("main form .button.primary").last.click()
    expect(page.locator("main")).to_contain_text("owner=a=b")
    expect(page.locator("main")).not_to_contain_text("team=billing,")


def test_labels_are_lines_without_a_script(site: RichSite, browser: Browser):
    page = site.context(browser, java_script_enabled=False).new_page()
    page.goto(f"{site.url}{site.key}/edit")
    expect(page.get_by_label("Label name")).to_have_count(0)
    expect(page.get_by_role("button", name="Add a label")).to_have_count(0)
    page.get_by_label("Labels").fill("owner=ada")
    page.locator("main form .button.primary").last.click()
    expect(page.locator("main")).to_contain_text("owner=ada")


def test_a_toast_waits_for_its_reader(site: RichSite, browser: Browser):
    context = site.context(browser)
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site.url}/profile")
    page.get_by_role("button", name="Save profile").click()
    toast = page.locator("#toasts[role=status] .toast")
    expect(toast).to_be_visible()
    page.clock.run_for(8_000)
    expect(toast).to_be_visible()
    toast.get_by_role("button").focus()
    page.clock.run_for(60_000)
    expect(toast).to_be_visible()
    page.locator("main").focus()
    page.clock.run_for(60_000)
    expect(toast).to_have_count(0)
    context.close()
