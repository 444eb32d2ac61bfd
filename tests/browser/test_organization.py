"""Apps, members, the audit log and the instance in a real browser, click by click."""

import re
import secrets

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Dwelling
from tests.browser.looks import judge, looks, ways

INSTANCE = ("organizations", "scopes", "root-keys", "root-keys/new", "health", "settings")
BELOW_ORGANIZATION = ("", "/settings", "/members", "/invitations/new", "/audit", "/delete")
BELOW_APP = ("", "/settings", "/suspend", "/delete")


@pytest.fixture
def inside(dwelling: Dwelling, page: Page) -> Page:
    """The list of apps, with the operator signed in."""
    dwelling.sign_in(page)
    return page


def _path(page: Page, pattern: str) -> str:
    """The path of the first link of the page that leads somewhere like this."""
    found = re.search(pattern, page.content())
    assert found is not None
    return found[0]


def _make_app(page: Page, name: str) -> None:
    page.get_by_role("link", name="New app").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name="Test").check()
    page.get_by_role("button", name="Create app").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


@ways
def test_an_app_is_made_renamed_and_deleted(inside: Page, faults: list[str]):
    name = f"Shop {secrets.token_hex(3)}"
    _make_app(inside, name)
    inside.locator(".tabs").get_by_role("link", name="Settings").click()
    inside.get_by_label("Name", exact=True).fill(f"{name} two")
    inside.get_by_label("Allowed origins").fill("https://shop.example")
    inside.get_by_role("button", name="Save changes").click()
    expect(inside.get_by_role("heading", name=f"{name} two", level=1)).to_be_visible()
    expect(inside.get_by_label("Allowed origins")).to_have_value("https://shop.example")
    inside.get_by_role("link", name="Delete app").click()
    inside.locator("[name=typed]").fill(f"{name} two")
    inside.get_by_role("button", name="Delete app").click()
    expect(inside.get_by_text(f"“{name} two” was deleted")).to_be_visible()
    assert faults == []


def test_origins_are_judged_while_they_are_typed(inside: Page, faults: list[str]):
    inside.get_by_role("link", name="Default app").first.click()
    inside.locator(".tabs").get_by_role("link", name="Settings").click()
    inside.get_by_label("Allowed origins").fill("HTTPS://Shop.example")
    expect(inside.get_by_text("Read as https://shop.example")).to_be_visible()
    inside.get_by_label("Allowed origins").fill("https://shop.example/")
    expect(inside.get_by_text("without the / at its end")).to_be_visible()
    assert faults == []


def test_the_first_steps_tick_themselves(
    dwelling: Dwelling, inside: Page, context: BrowserContext, faults: list[str]
):
    _make_app(inside, f"New {secrets.token_hex(3)}")
    expect(inside.locator("#steps li.done")).to_have_count(0)
    beside = context.new_page()
    beside.goto(f"{inside.url}/settings")
    beside.get_by_label("Allowed origins").fill("https://shop.example")
    beside.get_by_role("button", name="Save changes").click()
    expect(inside.locator("#steps li.done")).to_have_count(1)
    assert faults == []


@ways
def test_the_ways_that_people_are_told(inside: Page, faults: list[str]):
    inside.get_by_role("link", name="Default app").first.click()
    inside.get_by_role("link", name="View Key").first.click()
    expect(inside.get_by_role("heading", name="Default API Key", level=1)).to_be_visible()
    inside.locator("details.account > summary").click()
    inside.locator("details.account").get_by_role("link", name="Organization").click()
    inside.get_by_role("main").get_by_role("link", name="Settings").click()
    if inside.get_by_text("Menu", exact=True).is_visible():
        inside.get_by_text("Menu", exact=True).click()
    inside.get_by_role("link", name="API keys", exact=True).locator("visible=true").first.click()
    expect(inside.get_by_role("link", name="Default API Key").first).to_be_visible()
    assert faults == []


@ways
def test_an_invitation_is_made_seen_once_and_withdrawn(dwelling: Dwelling, inside: Page, faults: list[str]):
    inside.goto(dwelling.url + "/" + _path(inside, r"organizations/org_\w+/members"))
    email = f"{secrets.token_hex(4)}@example.com"
    inside.get_by_role("link", name="Invite").click()
    inside.get_by_label("E-mail").fill(email)
    inside.get_by_role("radio", name="Viewer").check()
    inside.get_by_role("button", name="Make invitation").click()
    expect(inside.locator("#link")).to_contain_text(f"{dwelling.url}/link?secret=")
    inside.get_by_role("link", name="To the members").click()
    row = inside.get_by_role("row").filter(has_text=email)
    row.get_by_role("link", name="Withdraw").click()
    inside.get_by_role("button", name="Withdraw").click()
    expect(inside.get_by_text("The invitation was withdrawn.")).to_be_visible()
    expect(inside.get_by_text(email)).to_have_count(0)
    assert faults == []


def test_the_audit_log_is_filtered_at_once_and_taken_away_as_a_file(
    dwelling: Dwelling, inside: Page, faults: list[str]
):
    inside.goto(dwelling.url + "/" + _path(inside, r"organizations/org_\w+/audit"))
    inside.get_by_label("About", exact=True).select_option("organization")
    expect(inside.get_by_text("Key created")).to_have_count(0)
    assert "kind=organization" in inside.url
    with inside.expect_download() as download:
        inside.get_by_role("link", name="Export as CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    text = download.value.path().read_text("utf-8")
    assert "organization.create" in text
    assert "key.create" not in text
    assert faults == []


@looks
def test_every_page_is_for_everybody(dwelling: Dwelling, inside: Page, faults: list[str]):
    organization = _path(inside, r"organizations/org_\w+")
    app = _path(inside, r"apps/app_\w+")
    paths = ["apps", "apps/new", f"instance/{organization}"]
    paths += [f"instance/{it}" for it in INSTANCE]
    paths += [f"{organization}{it}" for it in BELOW_ORGANIZATION] + [f"{app}{it}" for it in BELOW_APP]
    for path in paths:
        inside.goto(f"{dwelling.url}/{path}")
        judge(inside)
    assert faults == []
