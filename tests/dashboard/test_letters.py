"""Letters: in the language of whoever reads them, and sent when an account is changed."""

import re

import pytest

from tests.dashboard.site import PASSWORD, Site, opened_site

OTHER = "another horse battery"


def link_in(text: str) -> str:
    [found] = re.findall(r"/link\?secret=\w+", text)
    return found


async def invite(site: Site, email: str, language: str | None = None, **headers: str) -> str:
    """The subject of the invitation that an owner who reads `language` sends."""
    user = await site.user(language=language)
    await site.join(user, "owner")
    browser = await site.signed_in(user)
    browser.client.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    path = f"/organizations/{site.organization['id']}/invitations/new"
    page = await browser.submit(await browser.get(path), path, email=email, role="viewer")
    assert page.status == 200, page.text
    to, subject, _ = site.mail.sent[-1]
    assert to == email
    return subject


async def test_an_invitation_is_in_the_language_of_who_invites(site: Site):
    assert (await invite(site, "a@example.com", "es")).startswith("Únete a Acme")
    assert (await invite(site, "b@example.com", accept_language="es")).startswith("Únete a Acme")
    assert (await invite(site, "c@example.com", "en", accept_language="es")).startswith("Join Acme")


async def test_who_chose_a_language_is_invited_in_that(site: Site):
    known = await site.user(language="es")
    assert (await invite(site, known.email, "en")).startswith("Únete a Acme")


async def test_who_signs_up_is_written_to_in_the_language_of_the_page(tmp_path):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, sign_up_open=True) as site:
        known = await site.user(language="en")
        for email in ("new@example.com", known.email):
            browser = site.browser()
            browser.client.headers["accept-language"] = "es"
            page = await browser.get("/sign-up")
            assert (await browser.submit(page, "sign-up", email=email)).status == 200
    subjects = [subject for _, subject, _ in site.mail.sent]
    assert subjects == ["Confirma tu correo para Keystead", "You have an account at Keystead"]


async def test_the_old_address_is_told_that_another_took_its_place(site: Site):
    user = await site.user("ada", language="es")
    browser = await site.signed_in(user)
    await browser.post("/profile/email", email="lovelace@example.com")
    [(to, subject, text)] = site.mail.sent
    assert (to, subject) == ("lovelace@example.com", "Confirma tu correo para Keystead")
    page = await browser.get(link_in(text))
    assert (await browser.submit(page, link_in(text))).status == 303
    to, subject, text = site.mail.sent[-1]
    assert (to, subject) == (user.email, "Tu correo para Keystead ha cambiado")
    assert "Hola, Ada:" in text
    assert "lovelace@example.com" not in text


async def test_who_changes_their_password_is_told(site: Site):
    user = await site.user("ada")
    browser = await site.signed_in(user)
    assert (await browser.post("/profile/password", password=OTHER)).status == 303
    [(to, subject, text)] = site.mail.sent
    assert (to, subject) == (user.email, "Your password for Keystead was changed")
    assert OTHER not in text


async def test_whose_password_is_reset_is_told(site: Site):
    user = await site.user("ada")
    await site.join(user, "viewer")
    operator = await site.operator()
    path = f"/organizations/{site.organization['id']}/members/{user.id}/reset-link"
    shown = await operator.submit(await operator.get(path), path)
    link = link_in(shown.html)
    assert site.mail.sent == []
    browser = site.browser()
    page = await browser.get(link)
    assert (await browser.submit(page, link, password=OTHER)).status == 303
    [(to, subject, _)] = site.mail.sent
    assert (to, subject) == (user.email, "Your password for Keystead was changed")


@pytest.mark.parametrize("mail", ["away", "none"])
async def test_a_password_is_changed_whether_or_not_it_can_be_told(tmp_path, mail: str):
    changes = {"mail": None} if mail == "none" else {}
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, **changes) as site:
        site.mail.away = True
        user = await site.user()
        browser = await site.signed_in(user)
        assert (await browser.post("/profile/password", password=OTHER)).status == 303
        again = site.browser()
        for password, status in ((PASSWORD, 422), (OTHER, 303)):
            page = await again.get("/sign-in")
            assert (await again.submit(page, "sign-in", email=user.email, password=password)).status == status
