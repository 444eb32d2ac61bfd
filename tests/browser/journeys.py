"""The ten journeys that people make most, click by click.

Each is made on every kind of screen, without scripts too, and behind nginx. It begins at the list of apps,
where the owner of a new organization is signed in.
"""

import re
from collections.abc import Callable, Mapping

from playwright.sync_api import Error, Locator, Page, expect

from tests.browser.homes import PASSWORD, Visit

TOKEN = re.compile(r"ks_(?:sk|pk)_(?:live|test)_[0-9A-Za-z]{38}")


def menu(page: Page) -> Locator:
    """The navigation, which a button opens on a phone."""
    page.wait_for_load_state()  # without its style every button of a page is to be seen
    button = page.get_by_text("Menu", exact=True)
    if button.is_visible():
        button.click()
    return page.locator("nav.nav:visible")


def account(page: Page) -> Locator:
    """The menu behind the initials in the top right."""
    page.locator("details.account > summary").click()
    return page.locator("details.account")


def tab(page: Page, name: str) -> None:
    page.locator(".tabs").get_by_role("link", name=name, exact=True).click()


def toast(page: Page, text: str) -> None:
    expect(page.locator("#toasts")).to_contain_text(text)


def type_word(page: Page, word: str, problem: str) -> None:
    """Type a word that must be typed: first in small letters, which does nothing, or is told."""
    field, button = page.locator("[name=typed]"), page.locator("[data-needs-word]")
    field.fill(word.lower())
    field.press("Enter")
    if button.get_attribute("aria-disabled") is None:
        expect(page.get_by_text(problem).first).to_be_visible()
    else:
        expect(button).to_have_attribute("aria-disabled", "true")
    field.fill(word)


def open_app(visit: Visit) -> None:
    """From the list of apps to the one that every organization begins with."""
    visit.page.get_by_role("link", name=visit.person.app["name"], exact=True).first.click()


def open_keys(visit: Visit) -> None:
    """From the list of apps to the keys of the first one."""
    open_app(visit)
    tab(visit.page, "API keys")
    expect(visit.page.get_by_role("heading", name="API keys", level=1)).to_be_visible()


def make_key(visit: Visit, name: str) -> str:
    """Make a key that may do anything, beginning at a table of keys, and read its token."""
    page = visit.page
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill(name)
    page.get_by_role("button", name="Save API key").last.click()
    page.locator("[name=typed]").fill("CREATE")
    page.get_by_role("button", name="Create Key").last.click()
    toast(page, "API key created!")
    return shown_token(page)


def shown_token(page: Page) -> str:
    """The token that a page shows."""
    expect(page.locator("#token")).to_have_text(TOKEN)
    return page.locator("#token").inner_text()


def stored(page: Page) -> None:
    page.get_by_role("link", name="I have stored it").click()


def sign_in(visit: Visit) -> None:
    """Sign in, which leads to the page that was asked for, and out."""
    page = visit.another()
    visit.home.set_password(visit.person)
    visit.open("/profile", page)
    expect(page).to_have_url(f"{visit.home.url}/sign-in?next=%2Fprofile")
    page.get_by_label("E-mail").fill(visit.person.email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.get_by_label("E-mail")).to_have_value(visit.person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{visit.home.url}/profile")
    account(page).get_by_role("button", name="Sign out").click()
    toast(page, "You are signed out.")
    visit.open("/profile", page)
    expect(page).to_have_url(f"{visit.home.url}/sign-in?next=%2Fprofile")


def be_invited(visit: Visit) -> None:
    """Invite somebody, who opens the link, makes an account and is in; the link works once."""
    page, organization = visit.page, visit.person.organization["name"]
    menu(page).get_by_role("link", name="Members").click()
    page.get_by_role("link", name="Invite").click()
    email = visit.person.email.replace("owner-", "guest-")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("radio", name="Developer").check()
    page.get_by_role("button", name="Make invitation").click()
    link = page.locator("#link").inner_text()
    assert link.startswith(f"{visit.home.url}/link?secret=")
    guest = visit.another()
    guest.goto(link)
    guest.reload()
    expect(guest.get_by_role("heading", name=f"Join {organization}")).to_be_visible()
    guest.get_by_label("Your name").fill("Grace Hopper")
    guest.get_by_label("Password").fill("short")
    guest.locator("main form").evaluate("form => form.noValidate = true")
    guest.get_by_role("button", name="Join").click()
    expect(guest.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    expect(guest.get_by_label("Your name")).to_have_value("Grace Hopper")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Join").click()
    toast(guest, f"You joined {organization}.")
    guest.goto(link)
    expect(guest.get_by_role("heading", name="This link does not work any more")).to_be_visible()
    page.get_by_role("link", name="To the members").click()
    expect(page.get_by_role("row").filter(has_text=email)).to_contain_text("Developer")


def keep_an_app(visit: Visit) -> None:
    """Make an app, rename it, suspend it, let it go on, and delete it by its name."""
    page = visit.page
    page.get_by_role("link", name="New app").click()
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_role("radio", name="Test").check()
    page.get_by_role("button", name="Create app").click()
    toast(page, "“Shop” was created.")
    expect(page.get_by_role("heading", name="Shop", level=1)).to_be_visible()
    tab(page, "Settings")
    page.get_by_label("Name", exact=True).fill("Shop two")
    page.get_by_label("Allowed origins").fill("https://shop.example")
    page.get_by_role("button", name="Save changes").click()
    toast(page, "Settings saved.")
    expect(page.get_by_role("heading", name="Shop two", level=1)).to_be_visible()
    expect(page.get_by_label("Allowed origins")).to_have_value("https://shop.example")
    page.get_by_role("link", name="Suspend app").click()
    page.get_by_role("button", name="Suspend now").click()
    toast(page, "“Shop two” is suspended: its keys are refused.")
    page.get_by_role("button", name="Resume app").click()
    toast(page, "“Shop two” goes on: its keys work again.")
    page.get_by_role("link", name="Delete app").click()
    type_word(page, "Shop two", "Type Shop two exactly as it is written.")
    page.get_by_role("button", name="Delete app").click()
    toast(page, "“Shop two” was deleted, and its keys were revoked.")
    expect(page.get_by_role("link", name="Shop two", exact=True)).to_have_count(0)


def find_the_ways(visit: Visit) -> None:
    """The three ways that people are told: to a key of an app, to all keys, to one's own."""
    page, organization = visit.page, visit.person.organization["name"]
    open_app(visit)
    expect(page.locator(".tabs [aria-current=page]")).to_have_text("Overview")
    page.get_by_role("link", name="View Key").first.click()
    expect(page.get_by_role("heading", name="Default API Key", level=1)).to_be_visible()
    account(page).get_by_role("link", name="Organization").click()
    expect(page.get_by_role("heading", name=organization, level=1)).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Settings").click()
    menu(page).get_by_role("link", name="API keys", exact=True).click()
    row = page.get_by_role("row").filter(has_text="Default API Key")
    expect(row.get_by_role("cell").filter(has_text=visit.person.app["name"])).to_be_visible()
    account(page).get_by_role("link", name="My profile").click()
    tab(page, "API Keys")
    expect(page.get_by_role("heading", name="API access", level=1)).to_be_visible()


def create_a_key(visit: Visit) -> None:
    """Make a key with a rule; its token is shown once, and neither the way back nor a reload shows it."""
    page = visit.page
    open_keys(visit)
    page.get_by_role("link", name="New API key").first.click()
    page.locator("[name=name]").fill("Nightly export")
    page.get_by_role("radio", name="30 days").check()
    page.get_by_role("button", name="One path").click()
    page.locator("[name=c0-pattern]").fill("orders/")
    page.get_by_role("checkbox", name="GET", exact=True).check()
    page.locator("[name=name]").press("Enter")
    expect(page.get_by_role("heading", name="Create “Nightly export”?")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("GET on paths beginning orders/")
    type_word(page, "CREATE", "Type CREATE, in capitals.")
    page.get_by_role("button", name="Create Key").last.click()
    toast(page, "API key created!")
    token = shown_token(page)
    assert visit.home.keystead.verdict(token, method="GET", path="/orders/1")["valid"]
    assert not visit.home.keystead.verdict(token, method="GET", path="/users")["valid"]
    stored(page)
    expect(page.get_by_role("heading", name="Nightly export")).to_be_visible()
    assert token not in page.content()
    # Without a script, the browser asks whether to send the form again, and shows a page of its own.
    try:
        page.go_back()
    except Error:
        return
    expect(page.locator("#token")).to_have_count(0)
    assert token not in page.content()


def roll_a_key(visit: Visit) -> None:
    """Roll a key, whose old token works on until it is retired; then regenerate it."""
    page, home = visit.page, visit.home
    old = home.key(visit.person, name="Rolled")["token"]
    open_keys(visit)
    page.get_by_role("link", name="Rolled", exact=True).click()
    page.get_by_role("link", name="Roll", exact=True).click()
    page.get_by_label("The old token works for").select_option("1d")
    page.get_by_role("button", name="Roll key").click()
    new = shown_token(page)
    stored(page)
    expect(page.get_by_role("heading", name="Rolled")).to_contain_text("Rolling")
    assert home.keystead.verdict(old)["valid"]
    page.get_by_role("link", name="Retire now").click()
    page.get_by_role("button", name="Retire now").click()
    toast(page, f"Token …{old[-4:]} is retired.")
    assert home.keystead.verdict(old)["reason"] == "RETIRED"
    assert home.keystead.verdict(new)["valid"]
    page.get_by_role("link", name="Regenerate").click()
    expect(page.get_by_text("The old token dies now.")).to_be_visible()
    page.get_by_role("button", name="Regenerate").click()
    assert home.keystead.verdict(shown_token(page))["valid"]
    assert not home.keystead.verdict(new)["valid"]


def edit_a_key(visit: Visit) -> None:
    """Change a key: before and after are shown, and a warning where more is let through."""
    page = visit.page
    rule = {"type": "prefix", "pattern": "orders/", "methods": ["GET"]}
    visit.home.key(visit.person, name="Edited", constraints=[rule])
    open_keys(visit)
    page.get_by_role("link", name="Edited", exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.locator("[name=name]").fill("Edited twice")
    page.get_by_role("checkbox", name="POST", exact=True).check()
    page.get_by_role("button", name="Review the changes").click()
    expect(page.get_by_role("heading", name="Change “Edited”?")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="wider")
    expect(row).to_contain_text("GET on paths beginning orders/")
    expect(row).to_contain_text("GET and POST on paths beginning orders/")
    expect(page.get_by_text("This lets more through than before.")).to_be_visible()
    page.get_by_role("button", name="Save changes").last.click()
    toast(page, "“Edited twice” is changed.")
    expect(page.get_by_role("heading", name="Edited twice")).to_be_visible()


def end_a_key(visit: Visit) -> None:
    """Disable a key, enable it, and delete it by a word; then it stands under status Revoked."""
    page, keystead = visit.page, visit.home.keystead
    token = visit.home.key(visit.person, name="Ended")["token"]
    open_keys(visit)
    page.get_by_role("link", name="Ended", exact=True).click()
    page.get_by_role("link", name="Disable", exact=True).click()
    page.get_by_role("button", name="Disable key").click()
    toast(page, "“Ended” is disabled.")
    assert keystead.verdict(token)["reason"] == "DISABLED"
    page.get_by_role("link", name="Enable", exact=True).click()
    page.get_by_role("button", name="Enable key").click()
    toast(page, "“Ended” is enabled.")
    assert keystead.verdict(token)["valid"]
    page.get_by_role("link", name="Delete", exact=True).click()
    page.locator("[name=typed]").fill("DELETE")
    page.get_by_role("button", name="Confirm").click()
    toast(page, "Deletion successful!")
    assert keystead.verdict(token)["reason"] == "REVOKED"
    expect(page.get_by_role("link", name="Ended", exact=True)).to_have_count(0)
    page.get_by_role("combobox", name="Status").select_option("revoked")
    if page.get_by_role("button", name="Apply").is_visible():
        page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="Ended", exact=True)).to_be_visible()


def have_an_own_key(visit: Visit) -> None:
    """Generate a personal key with one press: seen right after, masked from then on, regenerated."""
    page = visit.page
    account(page).get_by_role("link", name="My profile").click()
    tab(page, "API Keys")
    expect(page.get_by_text("You have no API key yet.")).to_be_visible()
    page.get_by_role("button", name="Generate").click()
    first = shown_token(page)
    tab(page, "API Keys")
    expect(page.get_by_role("textbox", name="API key")).to_have_value(
        re.compile(re.escape(first[:10]) + r"\w*•+" + first[-4:])
    )
    assert first not in page.content()
    page.get_by_role("link", name="Regenerate").click()
    page.get_by_role("button", name="Regenerate").click()
    second = shown_token(page)
    assert not visit.home.keystead.verdict(first, owner="user")["valid"]
    assert visit.home.keystead.verdict(second, owner="user")["valid"]


def keep_an_account(visit: Visit) -> None:
    """Change name and language, then the password, which asks for the old one and ends other sessions."""
    page, beside = visit.page, visit.another()
    visit.home.set_password(visit.person)
    for it in (page, beside):
        visit.home.enter(it.context, visit.person)
    visit.open("/apps")
    account(page).get_by_role("link", name="My profile").click()
    page.get_by_label("Name", exact=True).fill("Ada Lovelace")
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="Save profile").click()
    toast(page, "Tu perfil está guardado.")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("details.account .avatar").first).to_have_text("AL")
    page.get_by_label("Idioma").select_option("en")
    page.get_by_role("button", name="Guardar perfil").click()
    toast(page, "Your profile is saved.")
    visit.home.let_pass(11, visit.person)
    page.get_by_role("link", name="Change password").click()
    page.get_by_label("Your password").fill("not the password")
    page.get_by_label("New password").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("Your password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("New password").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    toast(page, "Your password is changed, and your other sessions have ended.")
    visit.open("/profile", beside)
    expect(beside).to_have_url(f"{visit.home.url}/sign-in?next=%2Fprofile")


TEN: Mapping[str, Callable[[Visit], None]] = {
    it.__name__: it
    for it in (
        sign_in,
        be_invited,
        keep_an_app,
        find_the_ways,
        create_a_key,
        roll_a_key,
        edit_a_key,
        end_a_key,
        have_an_own_key,
        keep_an_account,
    )
}
"""The journeys by name."""
