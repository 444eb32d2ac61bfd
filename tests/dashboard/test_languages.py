"""Pages in the language and the time zone of who reads them."""

import pytest

from tests.dashboard.html import Page
from tests.dashboard.site import Browser, Site


async def reader(site: Site, **changes: object) -> Browser:
    """A browser of a new owner."""
    user = await site.user(**changes)
    await site.join(user, "owner")
    return await site.signed_in(user)


def language_of(page: Page) -> str:
    """What the page says that it is written in."""
    return page.html.partition('<html lang="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("chosen", "accepts", "language"),
    [
        (None, "es-MX, en;q=0.5", "es"),
        (None, "fr", "en"),
        ("es", "en", "es"),
        ("en", "es", "en"),
    ],
)
async def test_a_page_is_in_the_language_chosen_else_the_browser_s(
    site: Site, chosen: str | None, accepts: str, language: str
):
    browser = await reader(site, language=chosen)
    assert language_of(await browser.get("/profile", accept_language=accepts)) == language


async def test_who_is_not_signed_in_reads_the_language_of_their_browser(site: Site):
    for path in ("/sign-in", "/sign-up", "/link?secret=x", "/nowhere"):
        assert language_of(await site.browser().get(path, accept_language="es")) == "es", path


async def test_choosing_a_language_turns_the_pages_to_it(site: Site):
    browser = await reader(site, name="ada")
    page = await browser.get("/profile")
    assert (await browser.submit(page, "/profile", language="es")).status == 303
    turned = await browser.get("/profile")
    assert (language_of(turned), "Tu perfil está guardado." in turned.text) == ("es", True)


async def test_the_words_to_type_and_their_buttons_are_the_same_in_every_language(site: Site):
    browser = await reader(site, language="es")
    path = f"/apps/{site.app['id']}/keys/new"
    page = await browser.get(path)
    assert "Save API key" in page.text
    asked = await browser.submit(page, path, do="save", name="Exportación")
    assert "Escribe CREATE para continuar" in asked.text
    assert "Create Key" in asked.text
    made = await browser.submit(asked, path, do="create", typed="CREATE")
    assert "¡Clave de API creada!" in made.text
    key = await site.world.key(site.app)
    deleting = await browser.get(f"/keys/{key['id']}/delete")
    assert "Escribe DELETE para continuar" in deleting.text
    assert "Confirm" in deleting.text
    gone = await browser.submit(deleting, "/delete", typed="DELETE")
    assert "¡Eliminación correcta!" in (await browser.follow(gone)).text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Madrid", "14 Feb 2031, 23:59 (Madrid), 22:59 UTC"),
        ("Pacific/Kiritimati", "14 Feb 2031, 23:59 (Kiritimati), 09:59 UTC"),
        ("America/New_York", "14 Feb 2031, 23:59 (New York), 15 Feb 2031, 04:59 UTC"),
    ],
)
async def test_a_key_expires_at_the_end_of_the_day_where_the_person_is_shown_with_utc(
    site: Site, zone: str, shown: str
):
    browser = await reader(site, time_zone=zone)
    path = f"/apps/{site.app['id']}/keys/new"
    page = await browser.get(path)
    asked = await browser.submit(page, path, do="save", name="Dated", expiry="date", date="2031-02-14")
    assert shown in asked.text
    await browser.submit(asked, path, do="create", typed="CREATE")
    table = await browser.get(f"/apps/{site.app['id']}/keys?q=Dated")
    assert f'title="{shown}"' in table.html


async def test_dates_and_numbers_are_written_as_the_language_writes_them(site: Site):
    browser = await reader(site, language="es", time_zone="Europe/Madrid")
    key = await site.world.key(site.app, expires_at="2031-02-14T22:59:59Z")
    page = await browser.get(f"/keys/{key['id']}")
    assert "14 feb 2031, 23:59 (Madrid), 22:59 UTC" in page.html
    settings = await browser.get(f"/organizations/{site.organization['id']}/settings")
    assert "1.000" in settings.text


async def test_a_refusal_reads_in_the_language_of_the_page(site: Site):
    owner = await reader(site, language="es")
    viewer = await site.member("viewer")
    refused = await viewer.get("/apps/new", accept_language="es")
    assert (refused.status, "Tu rol no lo permite." in refused.text) == (403, True)
    await site.world.made("PATCH", f"apps/{site.app['id']}", {"disabled": True})
    denied = await owner.post(f"/apps/{site.app['id']}/resume")
    assert (denied.status, "solo el proveedor puede reanudarlo" in denied.text) == (403, True)
    assert "provider" not in denied.text
