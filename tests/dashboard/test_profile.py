"""One's own account: what is shown, what is changed, and what is asked for first."""

import re

import pytest

from keystead.dashboard.agents import device_of
from tests.dashboard.site import PASSWORD, Site, opened_site

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
)
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0"


async def test_the_name_and_preferences_are_changed_and_shown(site: Site):
    owner = await site.member("owner")
    page = await owner.get("/profile")
    done = await owner.submit(
        page, "profile", name="Ada Lovelace", language="es", time_zone="Europe/Madrid", theme="dark"
    )
    assert done.location == "/profile"
    page = await owner.follow(done)
    assert "Tu perfil está guardado" in page.text
    assert '<html lang="es" dir="ltr"' in page.html
    assert 'data-theme="dark"' in page.html
    assert 'data-zone="Europe/Madrid"' in page.html
    fields = dict(page.form("profile").fields)
    assert (fields["name"], fields["language"], fields["time_zone"]) == (
        "Ada Lovelace",
        "es",
        "Europe/Madrid",
    )
    done = await owner.submit(page, "profile", language="", time_zone="", theme="")
    assert '<html lang="en"' in (await owner.follow(done)).html


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", " ", "Write 1 to 100 characters"),
        ("language", "xx", "Choose one of the languages"),
        ("time_zone", "Europe/Nowhere", "Choose one of the time zones"),
        ("time_zone", "../../etc/passwd", "Choose one of the time zones"),
    ],
)
async def test_a_fault_keeps_what_was_typed_and_marks_its_field(
    site: Site, field: str, value: str, told: str
):
    owner = await site.member("owner")
    page = await owner.submit(await owner.get("/profile"), "profile", **{"name": "New name", field: value})
    assert (page.status, told in page.text) == (422, True)
    assert re.search(rf'id="f-{field}"[^>]*aria-invalid="true"', page.html)
    if field != "name":
        assert ("name", "New name") in page.form("profile").fields


async def test_the_theme_is_changed_from_the_menu(site: Site):
    owner = await site.member("owner")
    page = await owner.get("/profile")
    assert (await owner.submit(page, "profile/theme", theme="dark")).location == "/profile"
    assert 'data-theme="dark"' in (await owner.get("/profile")).html
    sent = [("csrf", owner.csrf), ("theme", "")]
    assert (await owner.send("/profile/theme", sent, HX_Request="true")).status == 204
    assert "data-theme=" not in (await owner.get("/profile")).html
    assert (await owner.post("/profile/theme", theme="pink")).status == 303


async def test_the_address_is_changed_once_its_link_was_opened(site: Site):
    owner = await site.member("owner")
    page = await owner.get("/profile/email")
    wrong = await owner.submit(page, "profile/email", email="ada")
    assert (wrong.status, "Write an e-mail address" in wrong.text) == (422, True)
    taken = await site.user("taken")
    done = await owner.submit(page, "profile/email", email=taken.email)
    assert f"We wrote to {taken.email}" in (await owner.follow(done)).text
    done = await owner.submit(page, "profile/email", email="new@example.com")
    page = await owner.follow(done)
    assert "We wrote to new@example.com" in page.text
    (to_taken, _, told), (to, _, text) = site.mail.sent
    assert (to_taken, "/link" in told, to) == (taken.email, False, "new@example.com")
    path = re.findall(r"http://localhost:8420(/link\?secret=\w{43})", text)[0]
    elsewhere = site.browser()
    done = await elsewhere.submit(await elsewhere.get(path), path)
    assert done.location == "/profile"
    page = await owner.get("/profile")
    assert "new@example.com" in page.text
    assert "Confirmed" in page.text


async def test_without_mail_the_address_is_changed_at_once(tmp_path):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, mail=None) as site:
        owner = await site.member("owner")
        site.clock.advance(minutes=10)
        page = await owner.get("/profile/email")
        done = await owner.submit(page, "profile/email", email="New@example.com", proof=PASSWORD)
        assert "You sign in with New@example.com" in (await owner.follow(done)).text


async def test_changing_the_password_ends_the_other_sessions(site: Site):
    user = await site.user("ada")
    here, there = await site.signed_in(user), await site.signed_in(user)
    page = await here.get("/profile/password")
    wrong = await here.submit(page, "profile/password", password="short")
    assert (wrong.status, "short" in wrong.html.replace("shortcuts", "")) == (422, False)
    done = await here.submit(page, "profile/password", password="another long password")
    assert "Your password is changed" in (await here.follow(done)).text
    assert (await there.get("/profile")).status == 303


async def test_sessions_are_listed_and_ended(site: Site):
    user = await site.user("ada")
    here = await site.signed_in(user, agent=FIREFOX)
    phone = await site.signed_in(user, agent=SAFARI, address="192.0.2.7")
    other = await site.signed_in(user, agent="")
    page = await here.get("/profile")
    for told in ("Firefox on Linux", "Safari on iPhone", "192.0.2.7", "Unknown browser", "This one"):
        assert told in page.text
    ends = [it for it in page.forms if it.action.endswith("/end") and "ses_" in it.action]
    assert len(ends) == 2
    for form in ends:
        done = await here.post(form.action.removeprefix("."))
        assert done.location == "/profile"
        assert (await here.post(form.action.removeprefix("."))).location == "/profile"
    assert [(await it.get("/profile")).status for it in (here, phone, other)] == [200, 303, 303]


async def test_nobody_ends_a_session_of_somebody_else(site: Site):
    ada, bob = await site.member("owner"), await site.member("owner")
    await site.signed_in(bob.user)  # so that there is one to end
    page = await bob.get("/profile")
    [form] = [it for it in page.forms if it.action.endswith("/end") and "ses_" in it.action]
    await ada.post(form.action.removeprefix("."))
    assert form.action in (await bob.get("/profile")).html


async def test_signing_out_everywhere_else(site: Site):
    user = await site.user("ada")
    here, there = await site.signed_in(user), await site.signed_in(user)
    page = await here.get("/profile")
    done = await here.submit(page, "sessions/end")
    assert "Your other sessions have ended" in (await here.follow(done)).text
    assert [(await it.get("/profile")).status for it in (here, there)] == [200, 303]


async def test_a_script_shaped_name_is_text(site: Site):
    owner = await site.member("owner")
    name = "<script>alert(1)</script>"
    await owner.submit(await owner.get("/profile"), "profile", name=name)
    page = await owner.get("/profile")
    assert name not in page.html
    assert ("name", name) in page.form("profile").fields


def test_a_device_is_named_by_its_rarest_claim():
    assert device_of(FIREFOX) == ("Firefox", "Linux")
    assert device_of(SAFARI) == ("Safari", "iPhone")
    assert device_of(EDGE) == ("Edge", "Windows")
    assert device_of("curl/8") == (None, None)
