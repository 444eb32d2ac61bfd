"""Coming in, in a real browser: the first account, signing in and out, and one's profile."""

import re
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Dwelling
from tests.browser.looks import judge, looks, ways
from tests.servers import free_port, running

PASSWORD = "correct horse battery"
EXPECTED = re.compile(r"status of (410|422)")
"""What browsers say to the console of answers that are meant to be such."""


def printed_link(log: Path) -> str:
    """The set-up link that a server prints when it starts."""
    deadline = time.monotonic() + 10
    while (found := re.search(r"http://localhost:\d+/link\?secret=\w{43}", log.read_text())) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]


@ways
def test_the_first_account_is_made_behind_the_link_that_serve_prints(
    page: Page, faults: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    port, log = free_port(), tmp_path / "log"
    monkeypatch.setenv("KEYSTEAD_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KEYSTEAD_PORT", str(port))
    with running([Path(sys.executable).with_name("keystead"), "serve"], port=port, log=log):
        link = printed_link(log)
        page.goto(link)
        page.get_by_label("Your name").fill("Ada Lovelace")
        page.get_by_label("E-mail").fill("ada@example.com")
        page.get_by_label("Password").fill("ada@example.com")
        page.get_by_label("Organization").fill("Acme")
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.wait_for_url("**/apps")
        expect(page.get_by_text("Welcome! Your organization and its first app are ready.")).to_be_visible()
        page.goto(link)
        expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
        assert [it for it in faults if not EXPECTED.search(it)] == []
        secret = link.partition("secret=")[2]
        assert log.read_text().count(secret) == 1


@ways
def test_signing_in_comes_back_to_the_page_and_signing_out_leaves(page: Page, dwelling: Dwelling):
    page.goto(f"{dwelling.url}/profile")
    page.wait_for_url("**/sign-in?next=%2Fprofile")
    page.get_by_label("E-mail").fill(dwelling.email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.get_by_label("E-mail")).to_have_value(dwelling.email)
    page.get_by_label("Password").fill(dwelling.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/profile")
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.wait_for_url("**/sign-in")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto(f"{dwelling.url}/profile")
    page.wait_for_url("**/sign-in?next=%2Fprofile")


@looks
def test_the_entrance_has_no_violation_and_no_fault(page: Page, faults: list[str], dwelling: Dwelling):
    for path in ("/sign-in", "/sign-up", "/link?secret=x"):
        page.goto(dwelling.url + path)
        judge(page)
    dwelling.sign_in(page)
    for path in ("/profile", "/profile/email", "/profile/password"):
        page.goto(dwelling.url + path)
        judge(page)
    assert [it for it in faults if not EXPECTED.search(it)] == []


@ways
def test_the_profile_is_changed(page: Page, dwelling: Dwelling):
    dwelling.sign_in(page)
    page.goto(f"{dwelling.url}/profile")
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="Save profile").click()
    expect(page.get_by_text("Tu perfil está guardado.")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.get_by_label("Idioma").select_option("")
    page.get_by_role("button", name="Guardar perfil").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


@ways
def test_the_password_is_changed_and_the_other_browser_is_out(
    page: Page, context: BrowserContext, dwelling: Dwelling
):
    browser = context.browser
    assert browser is not None
    dwelling.sign_in(page)
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    dwelling.sign_in(other)
    page.goto(f"{dwelling.url}/profile")
    page.get_by_role("link", name="Change password").click()
    page.get_by_label("New password").fill("ada@example.com")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("New password").fill(dwelling.password)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    page.wait_for_url("**/profile")
    other.goto(f"{dwelling.url}/profile")
    other.wait_for_url("**/sign-in?next=%2Fprofile")
    elsewhere.close()


@ways
def test_a_session_is_ended_from_another(page: Page, context: BrowserContext, dwelling: Dwelling):
    browser = context.browser
    assert browser is not None
    elsewhere = browser.new_context(
        user_agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Firefox/140.0"
    )
    other = elsewhere.new_page()
    dwelling.sign_in(page)
    dwelling.sign_in(other)
    page.goto(f"{dwelling.url}/profile")
    row = page.get_by_role("row").filter(has_text="Firefox on macOS").first
    row.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("That session has ended.")).to_be_visible()
    other.goto(f"{dwelling.url}/profile")
    other.wait_for_url("**/sign-in?next=%2Fprofile")
    elsewhere.close()
