"""An app's settings: saved as a whole, checked while typing, suspended, resumed and deleted."""

import pytest

from keystead.domain.powers import Operator
from keystead.services.apps import change_app, get_app
from keystead.services.context import Actor
from keystead.services.drafts import AppChange
from tests.dashboard.html import Page
from tests.dashboard.site import Browser, Site

OPERATOR = Actor(principal=Operator())


async def test_settings_are_saved_as_they_were_typed(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    page = await owner.get(path)
    fields = [it for it in page.form("/settings").fields if it[0] not in {"self_rotation", "name"}]
    typed = {"name": "Shop", "allowed_origins": "https://Shop.example\n\nhttps://*.shop.example"}
    sent = [it for it in fields if it[0] not in typed] + list(typed.items())
    answer = await owner.send(path, sent)
    assert answer.location == path
    saved = await get_app(site.context, OPERATOR, site.app["id"])
    assert saved.name == "Shop"
    assert saved.allowed_origins == ("https://shop.example", "https://*.shop.example")
    assert saved.last_key_protection
    assert not saved.self_rotation
    assert "Settings saved." in (await owner.follow(answer)).text


async def test_the_line_with_a_fault_is_named_and_nothing_typed_is_lost(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    page = await owner.get(path)
    typed = "https://shop.example\n<b>shop</b>"
    answer = await owner.submit(page, "/settings", allowed_origins=typed, name="Renamed")
    assert answer.status == 422
    fields = dict(answer.form("/settings").fields)
    assert fields["allowed_origins"] == typed
    assert fields["name"] == "Renamed"
    assert "<b>shop</b>: " in answer.text
    assert "<b>shop</b>" not in answer.html


async def test_a_page_that_is_out_of_date_says_so_and_shows_how_it_is_now(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    page = await owner.get(path)
    await change_app(site.context, OPERATOR, site.app["id"], AppChange(name="Meanwhile"))
    answer = await owner.submit(page, "/settings", name="Too late")
    assert answer.status == 412
    assert "It was changed meanwhile." in answer.text
    assert dict(answer.form("/settings").fields)["name"] == "Meanwhile"


async def test_origins_are_judged_while_they_are_typed(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings/origins"
    answer = await owner.post(path, allowed_origins="https://a.example\nHTTPS://B.example\nnull")
    assert answer.status == 200
    assert "Read as https://b.example" in answer.text
    assert "sandboxed" in answer.text
    assert "<html" not in answer.html


async def test_an_app_is_suspended_and_goes_on(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    asked = await owner.get(f"{path}/suspend")
    await owner.submit(asked, "/suspend")
    assert "This app is suspended" in (await owner.get(path)).text
    settings = await owner.get(f"{path}/settings")
    await owner.submit(settings, "/resume")
    assert (await get_app(site.context, OPERATOR, site.app["id"])).suspension is None


async def test_what_the_provider_suspended_its_customers_cannot_resume(site: Site):
    await change_app(site.context, OPERATOR, site.app["id"], AppChange(disabled=True))
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    settings = await owner.get(f"{path}/settings")
    assert "only the provider resumes it" in settings.text
    assert "Resume app" not in settings.text
    assert (await owner.post(f"{path}/resume")).status == 403


async def test_an_app_is_deleted_by_typing_its_name(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    asked = await owner.get(f"{path}/delete")
    wrong = await owner.submit(asked, "/delete", typed="default app")
    assert wrong.status == 422
    assert "Type Default app exactly" in wrong.text
    done = await owner.submit(asked, "/delete", typed="Default app")
    assert "was deleted" in (await owner.follow(done)).text
    assert (await owner.get(path)).status == 404


@pytest.mark.parametrize("role", ["developer", "viewer"])
async def test_who_may_not_change_an_app_reads_it(site: Site, role: str):
    member, path = await site.member(role), f"/apps/{site.app['id']}"
    page = await member.get(f"{path}/settings")
    assert page.status == 200
    for hidden in ("Save changes", "Suspend app", "Delete app"):
        assert hidden not in page.text
    for below in ("suspend", "delete"):
        assert (await member.get(f"{path}/{below}")).status == 403
    assert (await member.post(f"{path}/suspend")).status == 403
    assert (await member.post(f"{path}/delete", typed="Default app")).status == 403
    assert (await member.post(f"{path}/settings", name="Mine")).status == 403


async def test_the_address_of_the_api_is_saved_shown_and_taken_away(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    page = await owner.get(path)
    assert (await owner.submit(page, "/settings", api_base_url="HTTPS://API.acme.example/v1/")).status == 303
    saved = await get_app(site.context, OPERATOR, site.app["id"])
    assert saved.api_base_url == "https://api.acme.example/v1"
    again = await owner.get(path)
    assert dict(again.form("/settings").fields)["api_base_url"] == "https://api.acme.example/v1"
    assert "https://api.acme.example/v1" in (await owner.get(f"/apps/{site.app['id']}")).text
    assert "https://api.acme.example/v1" in (await (await site.member("viewer")).get(path)).text
    await owner.submit(again, "/settings", api_base_url="")
    assert (await get_app(site.context, OPERATOR, site.app["id"])).api_base_url is None


async def test_what_is_no_address_is_marked_kept_and_mended_by_its_words(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    typed = "https://ada:secret@api.acme.example"
    answer = await owner.submit(await owner.get(path), "/settings", api_base_url=typed)
    assert answer.status == 422
    assert dict(answer.form("/settings").fields)["api_base_url"] == typed
    assert "user name and password" in answer.text
    assert answer.html.count('aria-invalid="true"') == 1


async def _new_token(site: Site, owner: Browser, path: str) -> Page:
    form = await owner.get(path)
    confirm = await owner.submit(form, path, name="Nightly", do="save")
    return await owner.submit(confirm, path, do="create", typed="CREATE")


async def test_the_lines_to_copy_go_where_the_app_s_api_is(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    made = await _new_token(site, owner, f"{path}/keys/new")
    assert "https://api.example.com/" in made.text
    assert "stands in for your API" in made.text
    assert made.links["Say where your API is"].endswith(f"/apps/{site.app['id']}/settings#f-api_base_url")
    address = AppChange(api_base_url="https://api.acme.example/v1")
    await change_app(site.context, OPERATOR, site.app["id"], address)
    made = await _new_token(site, owner, f"{path}/keys/new")
    assert made.text.count("https://api.acme.example/v1/") == 3
    assert "api.example.com" not in made.text
    assert "Say where your API is" not in made.links


async def test_who_may_not_say_where_the_api_is_is_not_led_there(site: Site):
    developer = await site.member("developer")
    made = await _new_token(site, developer, f"/apps/{site.app['id']}/keys/new")
    assert "stands in for your API" in made.text
    assert "Say where your API is" not in made.links


async def test_the_lines_of_a_personal_key_go_to_this_very_server(site: Site):
    owner = await site.member("owner")
    made = await _new_token(site, owner, "/profile/keys/new")
    assert made.text.count("http://localhost:8420/api/v1/users/me") == 3
    assert "you also act in Keystead itself" in made.text


async def test_switches_are_saved_and_read_by_those_who_may_not_change_them(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/settings"
    form = (await owner.get(path)).form("/settings")
    kept = [it for it in form.fields if it[0] not in {"last_key_protection", "self_rotation"}]
    await owner.send(path, kept)
    saved = await get_app(site.context, OPERATOR, site.app["id"])
    assert (saved.last_key_protection, saved.self_rotation) == (False, False)
    await owner.send(path, [*kept[:-1], ("revision", str(saved.revision)), ("self_rotation", "on")])
    again = await owner.get(path)
    names = {name for name, _ in again.form("/settings").fields}
    assert "last_key_protection" not in names
