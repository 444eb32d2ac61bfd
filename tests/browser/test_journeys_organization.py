"""Apps, members, the audit log and the operators' pages, click by click."""

import json
import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.homes import Home, Visit
from tests.browser.journeys import menu, open_app, tab, toast
from tests.browser.looks import screens, ways

MEANT = re.compile(r"status of (409|410|412|422)")


@pytest.fixture
def operating(visit: Visit, context: BrowserContext) -> Visit:
    """The operator at the list of apps, instead of the owner of an organization."""
    operator = visit.home.operator()
    visit.home.enter(context, operator)
    visit.open("/apps")
    return Visit(home=visit.home, person=operator, page=visit.page, another=visit.another)


@screens
def test_origins_are_judged_while_they_are_typed(visit: Visit, faults: list[str]):
    page = visit.page
    open_app(visit)
    tab(page, "Settings")
    page.get_by_label("Allowed origins").fill("HTTPS://Shop.example")
    expect(page.get_by_text("Read as https://shop.example")).to_be_visible()
    page.get_by_label("Allowed origins").fill("https://shop.example/")
    expect(page.locator("#origins-check .bad")).to_be_visible()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_label("Allowed origins")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Allowed origins")).to_have_value("https://shop.example/")
    assert [it for it in faults if not MEANT.search(it)] == []


@ways
def test_settings_that_somebody_else_saved_meanwhile_are_shown_and_not_overwritten(
    visit: Visit, faults: list[str]
):
    page = visit.page
    open_app(visit)
    tab(page, "Settings")
    visit.home.keystead.made("PATCH", f"apps/{visit.person.app['id']}", {"name": "Theirs"})
    page.get_by_label("Name", exact=True).fill("Mine")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("It was changed meanwhile.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Theirs")
    assert [it for it in faults if not MEANT.search(it)] == []


@screens
def test_the_first_steps_tick_themselves(visit: Visit, faults: list[str]):
    page, keystead = visit.page, visit.home.keystead
    page.get_by_role("link", name="New app").click()
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_role("button", name="Create app").click()
    done = page.locator("#steps li.done")
    expect(page.get_by_role("heading", name="Shop", level=1)).to_be_visible()
    expect(done).to_have_count(0)
    key = keystead.made("POST", f"apps/{page.url.rpartition('/')[2]}/keys", {"name": "First"})
    expect(done).to_have_count(1)
    expect(page.locator("#steps")).to_contain_text("Waiting for the first request")
    assert keystead.verdict(key["token"])["valid"]
    expect(done).to_have_count(2, timeout=10_000)
    assert faults == []


@screens
def test_a_member_gets_another_role_and_is_removed(visit: Visit, faults: list[str]):
    page, guest = visit.page, visit.home.person("viewer", visit.person.organization)
    menu(page).get_by_role("link", name="Members").click()
    row = page.get_by_role("row").filter(has_text=guest.email)
    row.locator("summary").click()
    row.get_by_role("link", name="Change role").click()
    page.get_by_role("radio", name="Developer").check()
    page.get_by_role("button", name="Save role").click()
    toast(page, "is a developer now.")
    expect(row).to_contain_text("Developer")
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    toast(page, "was removed.")
    expect(row).to_have_count(0)
    assert faults == []


@screens
def test_an_owner_is_made_only_with_the_password(visit: Visit, context: BrowserContext):
    visit.home.set_password(visit.person)
    visit.home.enter(context, visit.person)
    page, guest = visit.page, visit.home.person("admin", visit.person.organization)
    visit.home.let_pass(11, visit.person)
    visit.open(f"/organizations/{visit.person.organization['id']}/members/{guest.id}/role")
    page.locator("[name=role][value=owner]").check()
    page.get_by_role("button", name="Save role").click()
    page.get_by_label("Your password").fill("correct horse battery")
    page.get_by_role("button", name="Save role").click()
    toast(page, "is an owner now.")


@screens
def test_who_may_only_look_is_offered_nothing_else(visit: Visit, context: BrowserContext):
    page = visit.page
    public = visit.home.key(visit.person, name="Web shop", type="public")["token"]
    viewer = visit.home.person("viewer", visit.person.organization)
    visit.home.enter(context, viewer)
    visit.open("/apps")
    expect(page.get_by_role("link", name="New app")).to_have_count(0)
    open_app(visit)
    tab(page, "API keys")
    expect(page.get_by_role("link", name="New API key")).to_have_count(0)
    page.get_by_role("link", name="Web shop", exact=True).click()
    expect(page.get_by_role("heading", name="Web shop")).to_be_visible()
    expect(page.get_by_role("link", name="Delete")).to_have_count(0)
    assert public.rpartition("_")[2] not in page.content()
    expect(menu(page).get_by_role("link", name="Audit log")).to_have_count(0)


@screens
def test_an_invitation_is_withdrawn(visit: Visit):
    page, email = visit.page, visit.person.email.replace("owner-", "late-")
    organization = visit.person.organization["id"]
    link = visit.home.keystead.made(
        "POST", f"organizations/{organization}/invitations", {"email": email, "role": "viewer"}
    )["url"]
    menu(page).get_by_role("link", name="Members").click()
    page.get_by_role("row").filter(has_text=email).get_by_role("link", name="Withdraw").click()
    page.get_by_role("button", name="Withdraw").click()
    toast(page, "The invitation was withdrawn.")
    expect(page.get_by_text(email)).to_have_count(0)
    page.goto(link)
    expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()


@screens
def test_the_audit_log_is_filtered_paged_and_taken_away_as_a_file(visit: Visit, faults: list[str]):
    page = visit.page
    for number in range(60):
        visit.home.key(visit.person, name=f"Key {number}")
    menu(page).get_by_role("link", name="Audit log").click()
    page.get_by_label("About", exact=True).select_option("key")
    expect(page).to_have_url(re.compile("kind=key"))
    expect(page.locator("#log")).not_to_contain_text("Organization created")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("kind=key.*after=|after=.*kind=key"))
    expect(page.locator("#log")).to_contain_text("Key created")
    page.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("link", name="Next")).to_be_visible()
    page.get_by_label("About", exact=True).select_option("organization")
    expect(page.locator("#log")).not_to_contain_text("Key created")
    for button, ending in (("Export as CSV", ".csv"), ("Export as JSON Lines", ".jsonl")):
        with page.expect_download() as download:
            page.get_by_role("link", name=button).click()
        assert download.value.suggested_filename.endswith(ending)
        text = download.value.path().read_text("utf-8")
        assert "organization.create" in text
        assert "key.create" not in text
        if ending == ".jsonl":
            assert all(json.loads(line) for line in text.splitlines())
    assert faults == []


@screens
def test_an_organization_is_renamed_and_deleted_by_its_name(visit: Visit):
    page = visit.page
    menu(page).get_by_role("link", name="Settings").click()
    page.get_by_label("Name", exact=True).fill("Short-lived")
    page.get_by_role("button", name="Save changes").click()
    toast(page, "Settings of the organization saved.")
    page.get_by_role("link", name="Delete organization").click()
    page.locator("[name=typed]").fill("Short-lived")
    page.get_by_role("button", name="Delete organization").click()
    toast(page, "“Short-lived” was deleted")


@screens
def test_an_operator_makes_an_organization_with_a_ceiling_and_suspends_it(
    operating: Visit, request: pytest.FixtureRequest
):
    page, name = operating.page, f"Customer {request.node.name[-16:]}"
    menu(page).get_by_role("link", name="Organizations").click()
    page.get_by_role("link", name="New organization").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create organization").click()
    toast(page, f"“{name}” was created.")
    page.get_by_label("Longest key lifetime").fill("30")
    page.get_by_label("Only these scopes").check()
    page.get_by_role("button", name="Save changes").click()
    toast(page, f"What “{name}” may grant was saved.")
    expect(page.get_by_label("Longest key lifetime")).to_have_value("30")
    page.get_by_role("link", name="Suspend organization").click()
    page.get_by_role("button", name="Suspend now").click()
    toast(page, f"“{name}” is suspended")
    page.get_by_role("button", name="Resume organization").click()
    toast(page, f"“{name}” goes on")


@screens
def test_an_operator_keeps_the_scope_catalogue(operating: Visit, request: pytest.FixtureRequest):
    page, name = operating.page, f"jobs{'-phone' if 'phone' in request.node.name else ''}:read"
    menu(page).get_by_role("link", name="Scopes").click()
    page.get_by_role("link", name="New scope").first.click()
    page.get_by_label("Scope", exact=True).fill(name)
    page.get_by_label("Description").fill("Read jobs")
    page.get_by_role("button", name="Add scope").click()
    toast(page, f"{name} is in the catalogue now.")
    row = page.get_by_role("row").filter(has_text=name)
    row.locator("summary").click()
    row.get_by_role("link", name="Edit").click()
    page.get_by_label("Description").fill("Read all jobs")
    page.get_by_role("button", name="Save changes").click()
    toast(page, f"{name} was saved.")
    expect(row).to_contain_text("Read all jobs")
    row.locator("summary").click()
    row.get_by_role("link", name="Delete scope").click()
    page.get_by_role("button", name="Delete scope").click()
    toast(page, f"{name} was deleted from the catalogue.")


@ways
def test_an_operator_makes_a_root_key_with_the_password(operating: Visit):
    page = operating.page
    operating.home.let_pass(11, operating.person)
    menu(page).get_by_role("link", name="Root keys").click()
    page.get_by_role("link", name="New root key").click()
    page.get_by_label("Name", exact=True).fill("Terraform")
    page.get_by_role("checkbox", name="keys:*", exact=True).check()
    page.get_by_label("Your password").fill("not the password")
    page.get_by_role("button", name="Create root key").click()
    expect(page.get_by_label("Your password")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Terraform")
    page.get_by_label("Your password").fill("correct horse battery")
    page.get_by_role("button", name="Create root key").click()
    expect(page.locator("#token")).to_contain_text("ks_rk_live_")
    token = page.locator("#token").inner_text()
    assert operating.home.keystead.call("GET", "apps/app_0", token=token).status_code in {403, 404, 422}
    page.get_by_role("link", name="To the root keys").click()
    assert token.rpartition("_")[2] not in page.content()


@screens
def test_an_operator_sees_health_and_the_settings_in_effect(operating: Visit, faults: list[str]):
    page = operating.page
    menu(page).get_by_role("link", name="Health").click()
    expect(page.get_by_role("main")).to_contain_text("SQLite")
    expect(page.get_by_role("main")).to_contain_text("Level")
    menu(page).get_by_role("link", name="Settings in effect").click()
    for name, shown in (("KEYSTEAD_ADMIN_PASSWORD", "Set; not shown"), ("KEYSTEAD_PORT", "Environment")):
        row = page.get_by_role("row").filter(has=page.locator("code", has_text=re.compile(f"^{name}$")))
        expect(row).to_contain_text(shown)
    assert faults == []


@screens
def test_who_is_no_operator_finds_none_of_their_pages(visit: Visit, page: Page, home: Home):
    expect(menu(page).get_by_role("link", name="Root keys")).to_have_count(0)
    for path in ("organizations", "scopes", "root-keys", "health", "settings"):
        answer = page.goto(f"{home.url}/instance/{path}")
        assert answer is not None
        assert answer.status in {403, 404}
