"""Every page in every language, from either side; and that nothing on it was forgotten by translators."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from pprint import pformat

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import SIDEWAYS, WIDTHS
from tests.browser.pseudo import LANGUAGE, pseudo, write_pseudo
from tests.browser.rich import RichSite, rich_site
from tests.browser.test_accessible import NO_PAGES, STATES
from tests.dashboard.rich import Names

STYLES = sorted(Path("src/keystead/dashboard/static_src/css").glob("*.css"))
GREEK = Names(
    organization="Νορδ Εταιρία",
    app="Κατάστημα",
    key="Νυχτερινή εξαγωγή",
    user="Άντα Λάβλεϊς",
    guest="Γκρέις Χόπερ",
    scope="Ό,τι παράγγειλαν",
    labels={"x": "τιμολόγια"},
)
"""What people typed, in letters that our languages do not have."""
SIDES = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border)-(?:left|right|top|bottom)|left|right|top|bottom"
    r"|(?:min-|max-)?(?:width|height))\s*:|(?:text-align|float|clear):\s*(?:left|right)"
)
ROOT = "[document.documentElement.lang, document.documentElement.dir]"
WORDS = """() => {
    const skipped = "code, pre, kbd, script, style, template, .mono, [translate=no], [lang]:not(html)";
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const it = walker.currentNode, parent = it.parentElement;
        if (it.data.trim() && !parent.closest(skipped)) texts.push(it.data.trim());
    }
    for (const name of ["aria-label", "title", "placeholder", "data-label", "alt", "aria-valuetext"]) {
        for (const it of document.querySelectorAll(`[${name}]`)) {
            if (!it.closest(skipped)) texts.push(it.getAttribute(name));
        }
    }
    texts.push(document.title);
    return texts;
}"""
LITERAL = ("New API key", "Save API key", "Create Key", "Confirm", "CREATE", "DELETE", "Default API Key")
"""What reads so in every language, by decree; and the name of a key that every organization begins with."""
DATA = re.compile(
    r"\b(?:org|app|key|usr|ver|lnk|ses|req|nod|node|evt|aud)_\w+|\w+_(?:pk|sk|rk)_\w+|[\w.+-]+@[\w.-]+|https?://\S+"
    r"|\b[\w.*-]+:[\w.*-]+\b|KEYSTEAD_\w+|\b[A-Z][\w-]+/[A-Z][\w/-]+|\b\w+=\S+|\b[0-9a-f:]*::[0-9a-f/]*"
    r"|\bU[0-9a-fA-F]{8}\b"
)
"""What no catalog has: ids, tokens, addresses, scopes, settings, time zones."""
NAMES = (
    *(
        "Keystead",
        "API",
        "CSV",
        "JSON Lines",
        "JSON",
        "UTC",
        "Esc",
        "SQLite",
        "PostgreSQL",
        "Firefox",
        "Linux",
    ),
    *(
        "curl",
        "Python",
        "JavaScript",
        ".gitignore",
        "live",
        "test",
        "GET",
        "HEAD",
        "POST",
        "local",
        "Elsewhere",
    ),
    *("English", "Español", "Acme", "Elsewhere", "Default app", "system", "PUT", "PATCH", "OPTIONS"),
)
"""Names, which are the same in every language, and what tests called things."""

Open = Callable[[str, int], Page]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RichSite]:
    folder = tmp_path_factory.mktemp("rich")
    write_pseudo(folder / "locales")
    with rich_site(folder, GREEK) as served:
        yield served


def test_every_page_from_right_to_left_is_whole_and_wholly_translated(site: RichSite, browser: Browser):
    page = site.context(browser, locale=LANGUAGE).new_page()
    found = _walk(site, page, "rtl", LANGUAGE)
    assert found == {}, pformat(found)


def test_every_page_in_spanish_is_whole(site: RichSite, browser: Browser):
    page = site.context(browser, locale="es").new_page()
    found = _walk(site, page, "ltr", "es")
    assert found == {}, pformat(found)


@pytest.mark.parametrize(
    "name", ["sign-in refused", "sign-up", "not yours", "keys of an app, none", "an app with nothing yet"]
)
def test_what_visitors_and_newcomers_see_is_translated_too(site: RichSite, browser: Browser, name: str):
    state = STATES[name]
    context = site.context(browser, state.person, locale=LANGUAGE)
    page = context.new_page()
    page.goto(site.url + state.path(site))
    state.bring_about(page)
    assert _forgotten(page) == []
    context.close()


def test_from_right_to_left_everything_has_changed_sides(site: RichSite, browser: Browser):
    page = site.context(browser, locale=LANGUAGE).new_page()
    page.goto(f"{site.url}{site.app}/keys")
    side, main = page.locator(".side").bounding_box(), page.locator("main").bounding_box()
    assert side is not None
    assert main is not None
    assert side["x"] > main["x"]
    expect(page.get_by_role("heading", level=1)).to_have_text(pseudo("API keys"))


def test_a_person_who_chose_a_language_gets_it_whatever_the_browser_says(site: RichSite, browser: Browser):
    page = site.context(browser, "developer", locale="en-US").new_page()
    page.goto(f"{site.url}/profile")
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="Save profile").click()
    expect(page.locator("html[lang=es][dir=ltr]")).to_have_count(1)


@pytest.mark.parametrize("path", STYLES, ids=lambda it: it.name)
def test_styles_know_no_left_or_right(path: Path):
    text = re.sub(r"/\*.*?\*/|@media[^{]*", "", path.read_text("utf-8"), flags=re.DOTALL)
    assert SIDES.findall(text) == []


def _walk(site: RichSite, page: Page, direction: str, language: str) -> dict[str, list[str]]:
    """What is wrong with the pages, by route."""
    found: dict[str, list[str]] = {}
    paths = {route: path for route, path in site.pages.items() if route not in NO_PAGES}
    paths |= {f"link: {kind}": path for kind, path in site.links.items() if kind != "set-up"}
    for route, path in paths.items():
        page.goto(site.url + path)
        if "/_pieces" in route and language != "es":
            continue  # their own texts are in English
        faults = [] if language == "es" else _forgotten(page)
        if page.evaluate("[document.documentElement.lang, document.documentElement.dir]") != [
            language,
            direction,
        ]:
            faults.append("not in the language and direction that were asked for")
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate(SIDEWAYS) > 0:
                faults.append(f"scrolls sideways at {width}")
        if faults:
            found[route] = faults
    return found


def _forgotten(page: Page) -> list[str]:
    """Texts of a page that are in plain letters, though they are neither data nor names."""
    found = []
    for text in page.evaluate(WORDS):
        rest = DATA.sub("", text)
        for name in (*LITERAL, *NAMES):
            rest = rest.replace(name, "")
        if re.search(r"[A-Za-z]{2,}", rest):
            found.append(text)
    return sorted(set(found))
