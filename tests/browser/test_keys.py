"""The journeys of keys in a real browser: making one, and that its token is shown once; rolling; deleting."""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Error, Page, StorageState, expect

from tests.browser.looks import judge
from tests.servers import free_port, running

EMAIL, PASSWORD = "ada@acme.example", "correct horse battery"
TOKEN = re.compile(r"ks_(?:sk|pk)_live_[0-9A-Za-z]{38}")
WIDTHS = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("keys"), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYSTEAD_DATA", str(folder / "data"))
        patch.setenv("KEYSTEAD_PORT", str(port))
        patch.setenv("KEYSTEAD_ADMIN_EMAIL", EMAIL)
        patch.setenv("KEYSTEAD_ADMIN_PASSWORD", PASSWORD)
        command = [Path(sys.executable).with_name("keystead"), "serve"]
        with running(command, port=port, log=folder / "log"):
            yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def signed_in(browser: Browser, address: str) -> StorageState:
    """The cookies of a browser that the operator signed in with: guessing is slowed, so it is done once."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    page.locator("[name=email]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/apps")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(params=[*WIDTHS, "without script"])
def page(
    browser: Browser, request: pytest.FixtureRequest, address: str, signed_in: StorageState
) -> Iterator[Page]:
    """A page of the operator who is signed in, on each kind of screen, and without a script."""
    context = browser.new_context(
        viewport=WIDTHS.get(request.param, WIDTHS["desktop"]),
        java_script_enabled=request.param in WIDTHS,
        storage_state=signed_in,
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{address}/apps")
    yield page
    context.close()


def open_keys(page: Page) -> None:
    """From the list of apps, click by click, to the keys of the first one."""
    page.get_by_role("link", name="Default app", exact=True).first.click()
    page.locator(".tabs").get_by_role("link", name="API keys").click()
    expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()


def make(page: Page, name: str) -> str:
    """Make a key, and read its token."""
    page.get_by_role("link", name="New API key").first.click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("button", name="Save API key").last.click()
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    expect(page.locator(".toast").first).to_contain_text("API key created!")
    token = page.locator("#token").inner_text()
    assert TOKEN.fullmatch(token)
    return token


def test_a_token_is_shown_once_and_neither_the_way_back_nor_a_reload_shows_it(page: Page):
    open_keys(page)
    token = make(page, "Shown once")
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_role("heading", name="Shown once")).to_be_visible()
    assert token not in page.content()
    # Without a script, the browser asks whether to send the form again, and shows a page of its own.
    with suppress(Error):
        page.go_back()
    expect(page.locator("#token")).to_have_count(0)
    assert token not in page.content()


@pytest.mark.parametrize("page", [*WIDTHS], indirect=True)
def test_a_reload_leads_to_the_key(page: Page):
    open_keys(page)
    make(page, "Reloaded")
    page.reload()
    expect(page.get_by_role("heading", name="Reloaded")).to_be_visible()
    expect(page.locator("#token")).to_have_count(0)


@pytest.mark.parametrize("page", ["desktop"], indirect=True)
def test_the_token_is_downloaded_as_a_line_for_the_environment(page: Page):
    open_keys(page)
    token = make(page, "Downloaded")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download .env").click()
    assert download.value.suggested_filename.endswith("env")
    assert Path(download.value.path()).read_text() == f"KEYSTEAD_TOKEN={token}\n"


@pytest.mark.parametrize("page", ["desktop"], indirect=True)
def test_the_tester_answers_while_one_types(page: Page):
    open_keys(page)
    page.get_by_role("link", name="New API key").first.click()
    page.get_by_role("button", name="One path").click()
    page.locator("[name=c0-pattern]").fill("jobs")
    expect(page.locator("#try-answer")).to_contain_text("This also opens /jobsadmin.")
    page.locator("[name=try-path]").fill("jobs/1")
    expect(page.locator("#try-answer")).to_contain_text("Let through by rule 1")
    page.locator("[name=try-path]").fill("orders")
    expect(page.locator("#try-answer")).to_contain_text("no rule has the path /orders")


def test_a_key_is_rolled_and_deleted(page: Page):
    open_keys(page)
    make(page, "Rolled")
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("link", name="Roll", exact=True).click()
    page.get_by_role("button", name="Roll key").click()
    assert TOKEN.fullmatch(page.locator("#token").inner_text())
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_text("Rolling")).to_be_visible()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.locator("[name=typed]").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".toast").first).to_contain_text("Deletion successful!")
    expect(page.get_by_role("link", name="Rolled", exact=True)).to_have_count(0)


def test_the_way_to_one_s_own_key(page: Page):
    page.get_by_text("Your account").locator("xpath=..").click()
    page.get_by_role("link", name="My profile").click()
    page.get_by_role("link", name="API Keys", exact=True).click()
    if page.get_by_role("button", name="Generate").count():
        page.get_by_role("button", name="Generate").click()
        assert TOKEN.fullmatch(page.locator("#token").inner_text())
        page.get_by_role("link", name="API Keys", exact=True).click()
    expect(page.get_by_role("textbox", name="API key")).to_have_value(re.compile(r"ks_sk_live_.{4}•+.{4}"))
    expect(page.get_by_role("link", name="Regenerate")).to_be_visible()


@pytest.mark.parametrize("page", [*WIDTHS], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_of_the_pages_of_keys(page: Page, scheme: Literal["light", "dark"]):
    page.emulate_media(color_scheme=scheme)
    open_keys(page)
    judge(page)
    page.get_by_role("link", name="New API key").first.click()
    page.get_by_role("button", name="One path").click()
    page.locator("[name=c0-pattern]").fill("jobs")
    judge(page)
    page.get_by_role("textbox", name="Name").fill("Judged")
    page.get_by_role("button", name="Save API key").last.click()
    judge(page)
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    expect(page.locator("#token")).to_be_visible()
    judge(page)
    page.get_by_role("link", name="I have stored it").click()
    judge(page)
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    judge(page)
    page.get_by_role("link", name="Keep the key").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    judge(page)
