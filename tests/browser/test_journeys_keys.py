"""What is done with keys beyond the ten journeys: the table, the form, a new token, the last key."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.homes import Visit
from tests.browser.journeys import account, make_key, open_keys, shown_token, stored, tab, toast
from tests.browser.looks import screens, ways

MEANT = re.compile(r"status of (409|410|422)")


def test_the_table_is_searched_filtered_and_sorted_while_one_types(visit: Visit, faults: list[str]):
    page = visit.page
    for name, kind in (("Nightly export", "secret"), ("Web shop", "public"), ("Archive", "secret")):
        visit.home.key(visit.person, name=name, type=kind)
    open_keys(visit)
    names = page.locator("#keys tbody .name")
    expect(names).to_have_count(4)
    page.get_by_role("searchbox").press_sequentially("night")
    expect(names).to_have_text(["Nightly export"])
    expect(page).to_have_url(re.compile(r"[?&]q=night"))
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("night")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Type").select_option("secret")
    expect(names).to_have_text(["Archive", "Nightly export"])
    page.get_by_role("combobox", name="Type").select_option("")
    page.get_by_role("combobox", name="Order").select_option("name")
    expect(names).to_have_text(["Archive", "Default API Key", "Nightly export", "Web shop"])
    page.get_by_role("combobox", name="Last used").select_option("90d")
    expect(page.get_by_text("No key is like that")).to_be_visible()
    page.get_by_role("link", name="Show all keys").click()
    expect(names).to_have_count(4)
    assert faults == []


@screens
def test_a_row_has_a_menu_for_all_that_can_be_done(visit: Visit):
    page = visit.page
    visit.home.key(visit.person, name="Nightly export")
    open_keys(visit)
    row = page.get_by_role("row").filter(has_text="Nightly export")
    row.locator("summary").click()
    links = row.locator(".menu a")
    expect(links).to_have_text(["View", "Edit", "Roll", "Disable", "Delete"], use_inner_text=True)
    expect(links.last.locator("svg")).to_be_visible()
    links.filter(has_text="Disable").click()
    page.get_by_role("button", name="Disable key").click()
    toast(page, "“Nightly export” is disabled.")


@screens
def test_the_form_keeps_what_was_typed_marks_what_is_wrong_and_says_what_to_do(visit: Visit):
    page = visit.page
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Careless")
    page.get_by_role("button", name="One path").click()
    page.locator("[name=c0-type]").select_option("regex")
    page.locator("[name=c0-pattern]").fill("orders/(")
    page.get_by_label("Allowed networks").fill("not a network")
    page.get_by_role("button", name="Save API key").last.click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("[name=c0-pattern]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[name=c0-pattern]")).to_have_value("orders/(")
    expect(page.get_by_label("Allowed networks")).to_have_value("not a network")
    expect(page.locator("[name=name]")).to_have_value("Careless")


@screens
def test_the_tester_answers_while_one_types(visit: Visit):
    page = visit.page
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.get_by_role("button", name="One path").click()
    page.locator("[name=c0-pattern]").fill("jobs")
    expect(page.locator("#try-answer")).to_contain_text("This also opens /jobsadmin.")
    page.locator("[name=try-path]").fill("jobs/1")
    expect(page.locator("#try-answer")).to_contain_text("Let through by rule 1")
    page.locator("[name=try-path]").fill("orders")
    expect(page.locator("#try-answer")).to_contain_text("no rule has the path /orders")


@screens
def test_a_date_is_the_end_of_that_day_where_the_person_is_and_told_in_utc(visit: Visit):
    page = visit.page
    visit.open("/profile")
    page.get_by_label("Time zone").select_option("America/New_York")
    page.get_by_role("button", name="Save profile").click()
    toast(page, "Your profile is saved.")
    visit.open("/apps")
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Until the new year")
    page.get_by_role("radio", name="On a date").check()
    page.get_by_label("Last day").fill("2027-12-31")
    page.get_by_role("button", name="Save API key").last.click()
    expect(page.get_by_role("main").locator("time").first).to_have_attribute(
        "datetime", "2028-01-01T04:59:59Z"
    )
    expect(page.get_by_role("main").locator("time").first).to_contain_text("UTC")


@pytest.mark.parametrize("clipboard", [True, False], ids=["clipboard", "no clipboard"])
@screens
def test_the_token_is_copied_and_downloaded(visit: Visit, context: BrowserContext, *, clipboard: bool):
    page = visit.page
    if clipboard:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=visit.home.url)
    else:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    open_keys(visit)
    token = make_key(visit, "Copied")
    button = page.get_by_role("button", name="Copy the token")
    button.click()
    expect(button.get_by_text("Copied").first).to_be_visible()
    asked = "navigator.clipboard.readText()" if clipboard else "getSelection().toString()"
    assert page.evaluate(asked) == token
    box, beside = page.locator("#token").bounding_box(), button.bounding_box()
    assert box is not None
    assert beside is not None
    assert beside["x"] >= box["x"] + box["width"] - 1 or beside["y"] >= box["y"] + box["height"] - 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Download .env").click()
    assert download.value.suggested_filename.endswith("env")
    assert Path(download.value.path()).read_text() == f"KEYSTEAD_TOKEN={token}\n"
    for name in ("curl", "Python", "JavaScript"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_contain_text("KEYSTEAD_TOKEN")
    page.get_by_role("tab", name=".gitignore").click()
    expect(page.get_by_role("tabpanel", name=".gitignore")).to_contain_text(".env")
    expect(page.get_by_role("main")).to_contain_text("It will not be shown again")


@screens
def test_a_reload_of_the_page_with_the_token_leads_to_the_key(visit: Visit):
    open_keys(visit)
    token = make_key(visit, "Reloaded")
    visit.page.reload()
    expect(visit.page.get_by_role("heading", name="Reloaded")).to_be_visible()
    expect(visit.page.locator("#token")).to_have_count(0)
    assert token not in visit.page.content()


@screens
def test_going_back_from_the_token_leads_to_an_empty_form(visit: Visit):
    """Without the browser's question whether to send a form again."""
    open_keys(visit)
    token = make_key(visit, "Left behind")
    visit.page.go_back()
    expect(visit.page.get_by_label("Name", exact=True)).to_have_value("")
    assert token not in visit.page.content()


@screens
def test_a_name_that_is_missing_is_marked_on_the_page(visit: Visit):
    open_keys(visit)
    visit.page.get_by_role("link", name="New API key").first.click()
    visit.page.get_by_role("button", name="Save API key").click()
    expect(visit.page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")


@screens
def test_two_presses_make_one_key(visit: Visit):
    page = visit.page
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Pressed twice")
    page.get_by_role("button", name="Save API key").last.click()
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.dblclick()
    shown_token(page)
    stored(page)
    page.get_by_role("link", name="API keys", exact=True).locator("visible=true").first.click()
    expect(page.get_by_role("link", name="Pressed twice", exact=True)).to_have_count(1)


@ways
def test_who_missed_the_answer_is_told_so_and_regenerates(visit: Visit, context: BrowserContext):
    """The form was sent from two windows: the second one's answer has no token."""
    page = visit.page
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Missed")
    page.get_by_role("button", name="Save API key").last.click()
    expect(page.locator("[name=typed]")).to_be_visible()
    sent = {
        it.get_attribute("name") or "": it.input_value()
        for it in page.locator("main form input[type=hidden]").all()
    }
    lost = context.request.post(page.url, form={**sent, "typed": "CREATE", "do": "create"})
    assert 'id="token"' in lost.text()
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    expect(page.get_by_text("went to an answer that you did not see")).to_be_visible()
    expect(page.locator("#token")).to_have_count(0)
    page.get_by_role("link", name="Regenerate").click()
    page.get_by_role("button", name="Regenerate").click()
    assert visit.home.keystead.verdict(shown_token(page))["valid"]


@screens
def test_a_public_token_is_seen_and_copied_at_any_time_a_secret_one_never(visit: Visit):
    page = visit.page
    public = visit.home.key(visit.person, name="Web shop", type="public")["token"]
    secret = visit.home.key(visit.person, name="Nightly export")["token"]
    open_keys(visit)
    page.get_by_role("link", name="Web shop", exact=True).click()
    assert shown_token(page) == public
    expect(page.get_by_role("button", name="Copy the token")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Nightly export", exact=True).click()
    expect(page.get_by_role("heading", name="Nightly export")).to_be_visible()
    assert secret.rpartition("_")[2] not in page.content()


@screens
def test_a_change_on_top_of_another_is_told_and_overwrites_nothing(visit: Visit, faults: list[str]):
    page, key = visit.page, visit.home.key(visit.person, name="Edited")
    open_keys(visit)
    page.get_by_role("link", name="Edited", exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.locator("[name=name]").fill("Mine")
    visit.home.keystead.made("PATCH", f"keys/{key['id']}", {"name": "Theirs"})
    page.get_by_role("button", name="Review the changes").click()
    expect(page.get_by_text("The key was changed meanwhile.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Mine")).to_contain_text("Theirs")
    page.get_by_role("button", name="Save changes").last.click()
    toast(page, "“Mine” is changed.")
    assert [it for it in faults if not MEANT.search(it)] == []


@screens
def test_an_expiring_key_is_rolled_for_the_same_length_again(visit: Visit):
    page = visit.page
    visit.home.key(visit.person, name="Expiring", expires_at="2027-06-01T00:00:00Z")
    open_keys(visit)
    page.get_by_role("link", name="Expiring", exact=True).click()
    page.get_by_role("link", name="Roll", exact=True).click()
    expiries = page.get_by_role("radiogroup", name="The key then expires")
    expect(expiries.locator("label")).to_have_text(["Same length again", "As it is", "Never"])
    expect(expiries.get_by_role("radio", name="Same length again")).to_be_checked()
    page.get_by_role("button", name="Roll key").click()
    shown_token(page)


@ways
def test_the_last_usable_key_is_deleted_only_where_it_was_exposed(visit: Visit):
    page, [only] = visit.page, visit.home.keystead.made("GET", f"apps/{visit.person.app['id']}/keys")["items"]
    open_keys(visit)
    page.get_by_role("link", name=only["name"], exact=True).click()
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.get_by_text("It is the last usable key of its app.")).to_be_visible()
    page.get_by_role("link", name="Create another key first").click()
    expect(page.get_by_role("heading", name="New API key", level=1)).to_be_visible()
    visit.open(f"/keys/{only['id']}")
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("button", name="This key was exposed").click()
    toast(page, "Deletion successful!")
    visit.open(f"/keys/{only['id']}")
    expect(page.get_by_text("Reason: exposed.")).to_be_visible()


@screens
def test_deleting_a_key_says_how_many_it_made_and_ends_them_too(visit: Visit):
    """A personal key makes an app's key through the API."""
    page, keystead = visit.page, visit.home.keystead
    account(page).get_by_role("link", name="My profile").click()
    tab(page, "API Keys")
    page.get_by_role("button", name="Generate").click()
    parent = shown_token(page)
    keys = f"apps/{visit.person.app['id']}/keys"
    child = keystead.made("POST", keys, {"name": "Child"}, token=parent)["token"]
    tab(page, "API Keys")
    page.get_by_role("link", name="View and change").click()
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("One key of its own")
    page.get_by_label("Also revoke the keys that it made").check()
    page.locator("[name=typed]").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    toast(page, "Deletion successful!")
    assert keystead.verdict(child)["reason"] == "REVOKED"


@screens
def test_more_personal_keys_are_made_with_rules_of_their_own(visit: Visit):
    page = visit.page
    account(page).get_by_role("link", name="My profile").click()
    tab(page, "API Keys")
    page.get_by_role("link", name="New API key").click()
    page.locator("[name=name]").fill("My script")
    page.get_by_role("radio", name="7 days").check()
    page.get_by_role("button", name="Read only").click()
    page.get_by_role("button", name="Save API key").last.click()
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    token = shown_token(page)
    me = visit.home.keystead.call("GET", "users/me", token=token)
    assert me.json()["email"] == visit.person.email
    refused = visit.home.keystead.call("POST", "organizations", json={"name": "No"}, token=token)
    assert refused.is_client_error


@ways
def test_a_name_like_a_script_is_text_wherever_it_stands(visit: Visit, faults: list[str]):
    page, name = visit.page, "<script>alert(1)</script>"
    key = visit.home.key(visit.person, name=name, labels={"note": "<img src=x onerror=alert(2)>"})
    page.on("dialog", lambda it: faults.append(it.message))
    open_keys(visit)
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    for path in ("delete", "roll", "edit"):
        visit.open(f"/keys/{key['id']}/{path}")
        expect(page.get_by_role("heading", name=name).first).to_be_visible()
    assert faults == []


def test_the_way_to_a_key_that_is_not_there_is_a_page_too(visit: Visit, page: Page):
    visit.open("/keys/key_0000000000000000000000")
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"[0-9a-zA-Z_-]{8}"))
    expect(page.get_by_role("link", name=re.compile("API reference")).first).to_be_visible()
