"""Coming in and staying in: links of every kind, sessions, the password once more, a server that is away."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.homes import LINK, PASSWORD, Home, Mailbox, Visit, mail_server, opened_home
from tests.browser.journeys import account, menu, open_app, open_keys, tab, toast
from tests.browser.looks import screens, ways
from tests.scenario.servers import run_keystead
from tests.servers import LOOPBACK, end

BACK = "http://provider.example"
MEANT = re.compile(r"status of (403|409|410|422)")
FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Firefox/140.0"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Home]:
    """A home where anybody may sign up, which writes mails, and whose provider has a login of its own."""
    folder = tmp_path_factory.mktemp("home")
    mails = {"SMTP_URL": f"smtp://{LOOPBACK}:{mailbox.port}", "MAIL_FROM": "keys@example.com"}
    with opened_home(folder, SIGNUP="open", RETURN_URLS=BACK, **mails) as home:
        yield home


@ways
def test_the_first_account_is_made_behind_the_link_that_serve_prints(
    page: Page, faults: list[str], tmp_path: Path
):
    with run_keystead(tmp_path) as keystead:
        link = _printed(tmp_path / "log")
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
        expect(page).to_have_url(re.compile("/apps$"))
        toast(page, "Welcome! Your organization and its first app are ready.")
        page.goto(link)
        expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
        assert [it for it in faults if not MEANT.search(it)] == []
        assert keystead.log_text().count(link.partition("secret=")[2]) == 1


@screens
def test_a_customer_signs_up_with_an_address_that_is_theirs(
    home: Home, mailbox: Mailbox, page: Page, request: pytest.FixtureRequest
):
    email = f"customer{abs(hash(request.node.name))}@example.com"
    page.goto(f"{home.url}/sign-in")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(email)
    page.goto(mailbox.link(email))
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Organization").fill("Navy")
    page.get_by_role("button", name="Make my account").click()
    toast(page, "Welcome! Your organization and its first app are ready.")
    page.get_by_role("main").get_by_role("table").get_by_role("link").first.click()
    expect(page.get_by_role("main")).to_contain_text("Default API Key")


@screens
def test_who_has_an_account_accepts_an_invitation_by_signing_in_to_it(
    visit: Visit, mailbox: Mailbox, page: Page
):
    """Also when somebody else is signed in with that browser."""
    guest, home = visit.home.person(), visit.home
    home.set_password(guest)
    menu(page).get_by_role("link", name="Members").click()
    page.get_by_role("link", name="Invite").click()
    page.get_by_label("E-mail").fill(guest.email)
    page.get_by_role("radio", name="Admin").check()
    page.get_by_role("button", name="Make invitation").click()
    expect(page.get_by_text(f"It was sent to {guest.email} too.")).to_be_visible()
    link = mailbox.link(guest.email)
    assert page.locator("#link").inner_text() == link
    page.goto(link)
    page.get_by_role("button", name="Sign out and go on").click()
    page.get_by_label("E-mail").fill(guest.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Join").click()
    toast(page, f"You joined {visit.person.organization['name']}.")
    expect(menu(page).first).to_contain_text("Apps")
    expect(page.locator("nav.nav:visible h2").first).to_have_text(visit.person.organization["name"])


@screens
def test_a_reset_link_is_made_by_an_operator_and_sets_another_password(
    visit: Visit, page: Page, context: BrowserContext
):
    home, forgetful, beside = visit.home, visit.person, visit.another()
    home.enter(beside.context, forgetful)
    home.enter(context, home.operator())
    visit.open(f"/organizations/{forgetful.organization['id']}/members")
    page.get_by_role("row").filter(has_text=forgetful.email).locator("summary").click()
    page.get_by_role("link", name="Password reset link").click()
    page.get_by_role("button", name="Make link").click()
    link = page.locator("#link").inner_text()
    beside.goto(link)
    beside.get_by_label("New password").fill("another horse battery")
    beside.get_by_role("button", name="Set password").click()
    toast(beside, "Your password is set. Sign in with it.")
    beside.get_by_label("E-mail").fill(forgetful.email)
    beside.get_by_label("Password").fill("another horse battery")
    beside.get_by_role("button", name="Sign in").click()
    expect(beside).to_have_url(f"{home.url}/apps")
    beside.goto(link)
    expect(beside.get_by_role("heading", name="This link does not work any more")).to_be_visible()


@ways
def test_whom_a_provider_signs_in_is_led_back_by_a_link(visit: Visit):
    page, link = visit.another(), visit.home.sign_in_link(visit.person, return_url=f"{BACK}/account?a=b")
    page.route(f"{BACK}/**", lambda route: route.fulfill(body="Back at the provider"))
    page.goto(link)
    page.reload()
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(f"{visit.home.url}/apps")
    menu(page)
    page.get_by_role("link", name="Back to provider.example").click()
    expect(page.get_by_text("Back at the provider")).to_be_visible()
    assert page.url == f"{BACK}/account?a=b"
    visit.open("/profile", page)
    account(page).get_by_role("button", name="Sign out").click()
    toast(page, "You are signed out.")
    page.get_by_role("link", name="Back to provider.example").click()
    expect(page.get_by_text("Back at the provider")).to_be_visible()


@screens
def test_sessions_are_listed_and_ended_one_by_one_and_all_at_once(visit: Visit, page: Page):
    others = [visit.another() for _ in range(3)]
    browser = others[0].context.browser
    assert browser is not None
    for other in others:
        visit.home.enter(other.context, visit.person)
    account(page).get_by_role("link", name="My profile").click()
    sessions = page.locator("#sessions").get_by_role("button", name="Sign out", exact=True)
    expect(sessions).to_have_count(3)
    expect(page.locator("#sessions")).to_contain_text("This one")
    sessions.first.click()
    toast(page, "That session has ended.")
    expect(sessions).to_have_count(2)
    page.get_by_role("button", name="Sign out everywhere else").click()
    toast(page, "Your other sessions have ended.")
    expect(sessions).to_have_count(0)
    for other in others:
        visit.open("/apps", other)
        expect(other).to_have_url(f"{visit.home.url}/sign-in?next=%2Fapps")


@screens
def test_another_e_mail_takes_the_password_again_and_is_confirmed_by_mail(
    visit: Visit, mailbox: Mailbox, page: Page, context: BrowserContext
):
    visit.home.set_password(visit.person)
    visit.home.enter(context, visit.person)
    visit.home.let_pass(11, visit.person)
    fresh = visit.person.email.replace("owner-", "fresh-")
    visit.open("/profile")
    page.get_by_role("link", name="Change e-mail").click()
    page.get_by_label("New e-mail").fill(fresh)
    page.get_by_label("Your password").fill("not the password")
    page.get_by_role("button", name="Change e-mail").click()
    expect(page.get_by_label("Your password")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("New e-mail")).to_have_value(fresh)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Change e-mail").click()
    toast(page, f"We wrote to {fresh}. Open the link in that mail.")
    page.goto(mailbox.link(fresh))
    page.get_by_role("button", name="Confirm address").click()
    toast(page, f"{fresh} is confirmed.")


@ways
def test_a_secret_token_takes_the_password_again_after_ten_minutes(
    visit: Visit, page: Page, context: BrowserContext
):
    visit.home.set_password(visit.person)
    visit.home.enter(context, visit.person)
    visit.open("/apps")
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Careful")
    page.get_by_role("button", name="Save API key").last.click()
    visit.home.let_pass(11, visit.person)
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    toast(page, "API key created!")
    expect(page.locator("#token")).to_be_visible()


@screens
def test_who_is_signed_out_meanwhile_comes_back_to_the_page(visit: Visit, page: Page):
    open_app(visit)
    tab(page, "Settings")
    where = page.url
    visit.home.set_password(visit.person)
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_label("E-mail").fill(visit.person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(where)
    expect(page.get_by_label("Name", exact=True)).to_have_value(visit.person.app["name"])


@screens
def test_who_is_signed_out_meanwhile_is_told_by_a_dialog_and_a_filter_too(
    visit: Visit, page: Page, context: BrowserContext
):
    open_keys(visit)
    where = page.url
    visit.home.set_password(visit.person)
    page.get_by_role("row").filter(has_text="Default API Key").locator("summary").click()
    page.get_by_role("link", name="Disable", exact=True).click()
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fkeys%2Fkey_\w+%2Fdisable$"))
    visit.home.enter(context, visit.person)
    page.goto(where)
    visit.home.set_password(visit.person)
    page.get_by_role("combobox", name="Type").select_option("secret")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fapps%2Fapp_\w+%2Fkeys"))


@screens
def test_a_server_that_is_away_is_told_and_what_was_typed_is_kept(
    page: Page, context: BrowserContext, tmp_path: Path
):
    """Beside a form, in a dialog, and by a filter; once it is back, all is as it was."""
    with opened_home(tmp_path) as home:
        visit = Visit(home=home, person=home.person(), page=page, another=context.new_page)
        home.enter(context, visit.person)
        visit.open("/apps")
        dialog = page.get_by_role("dialog")
        page.get_by_role("link", name="New app").click()
        dialog.get_by_label("Name", exact=True).fill("Typed in a dialog")
        keys = context.new_page()
        visit.open(f"/apps/{visit.person.app['id']}/keys", keys)
        form = context.new_page()
        visit.open(f"/apps/{visit.person.app['id']}/keys/new", form)
        form.locator("[name=name]").fill("Typed in a form")
        end(home.keystead.process)
        dialog.get_by_role("button", name="Create app").click()
        expect(dialog.get_by_role("alert")).to_contain_text("the server did not answer")
        expect(dialog.get_by_label("Name", exact=True)).to_have_value("Typed in a dialog")
        keys.get_by_role("combobox", name="Type").select_option("public")
        toast(keys, "the server did not answer")
        form.get_by_role("button", name="Save API key").last.click()
        toast(form, "the server did not answer")
        expect(form.locator("[name=name]")).to_have_value("Typed in a form")
        with run_keystead(tmp_path, port=home.keystead.port, root=home.keystead.root):
            form.get_by_role("button", name="Save API key").last.click()
            expect(form.get_by_role("heading", name="Create “Typed in a form”?")).to_be_visible()
            dialog.get_by_role("button", name="Create app").click()
            toast(page, "“Typed in a dialog” was created.")


def _printed(log: Path) -> str:
    """The set-up link that a server prints when it starts."""
    deadline = time.monotonic() + 10
    while (found := LINK.search(log.read_text())) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]
