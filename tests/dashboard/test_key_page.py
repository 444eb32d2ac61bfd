"""The page of a key and what is done from it: roll, regenerate, retire, edit, pause, delete."""

import re

from tests.dashboard.html import Page
from tests.dashboard.site import PASSWORD, Browser, Site

TOKEN = re.compile(r"ks_(?:sk|pk)_(?:live|test)_[0-9A-Za-z]{38}")


async def secret_key(site: Site, **draft: object) -> str:
    """The path of a new secret key's page."""
    made = await site.world.key(site.app, **{"name": "Nightly", **draft})
    return f"/keys/{made['id']}"


async def pressed(browser: Browser, path: str, *pairs: tuple[str, str], **fields: str) -> Page:
    """Ask for the page of a form, and send it."""
    return await browser.submit(await browser.get(path), path, *pairs, **fields)


async def test_the_page_shows_a_key_and_never_a_secret_token(site: Site):
    owner, path = (
        await site.member("owner"),
        await secret_key(site, constraints=[{"type": "prefix", "pattern": "jobs/", "methods": ["GET"]}]),
    )
    page = await owner.get(path)
    assert page.status == 200
    assert "GET on paths beginning jobs/" in page.text
    assert not TOKEN.search(page.text)


async def test_a_public_token_is_shown_again_but_not_to_viewers(site: Site):
    owner, viewer = await site.member("owner"), await site.member("viewer")
    table = await owner.get(f"/apps/{site.app['id']}/keys?type=public")
    path = "/keys/" + table.links["Default API Key"].rpartition("/")[2]
    assert TOKEN.search((await owner.get(path)).text)
    shown = await viewer.get(path)
    assert shown.status == 200
    assert not TOKEN.search(shown.text)
    assert (await viewer.get(f"{path}/roll")).status == 403
    assert (await viewer.post(f"{path}/roll", once="x")).status == 403


async def test_rolling_shows_the_new_token_once_and_says_until_when_the_old_one_works(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    asked = await owner.get(f"{path}/roll")
    first = await owner.submit(asked, f"{path}/roll", grace="1d")
    assert TOKEN.search(first.text)
    assert first.answer.headers["cache-control"] == "no-store"
    again = await owner.submit(asked, f"{path}/roll", grace="1d")
    assert not TOKEN.search(again.text)
    page = await owner.get(path)
    assert "Rolling" in page.text
    assert "Not yet safe to retire" in page.text


async def test_an_old_token_is_retired_from_the_page(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    await pressed(owner, f"{path}/roll")
    page = await owner.get(path)
    retire = next(it for label, it in page.links.items() if label == "Retire now")
    retire_path = page.answer.url.join(retire).path
    done = await pressed(owner, retire_path)
    assert done.location == path
    assert "Rolling" not in (await owner.get(path)).text


async def test_regenerating_ends_the_old_token_now_after_the_password(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    site.clock.advance(minutes=11)
    refused = await pressed(owner, f"{path}/regenerate")
    assert refused.status in {403, 422}
    page = await owner.submit(refused, f"{path}/regenerate", proof=PASSWORD)
    assert TOKEN.search(page.text)
    assert "Rolling" not in (await owner.get(path)).text


async def test_rolling_an_expiring_key_gives_the_same_length_again(site: Site):
    owner, path = await site.member("owner"), await secret_key(site, expires_in=86_400)
    site.clock.advance(days=2)
    owner = await site.signed_in(owner.user)
    assert "This key has expired." in (await owner.get(path)).text
    page = await pressed(owner, f"{path}/roll", expiry="again")
    assert TOKEN.search(page.text), page.text
    assert "This key has expired." not in (await owner.get(path)).text


async def test_a_key_is_disabled_and_enabled(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    assert (await pressed(owner, f"{path}/disable")).location == path
    assert "This key is disabled." in (await owner.get(path)).text
    assert (await pressed(owner, f"{path}/enable")).location == path
    assert "This key is disabled." not in (await owner.get(path)).text


async def test_deleting_asks_for_the_word_and_moves_the_key_to_the_revoked_ones(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    wrong = await pressed(owner, f"{path}/delete", typed="delete")
    assert wrong.status == 422
    assert "Type DELETE, in capitals." in wrong.text
    done = await owner.submit(wrong, f"{path}/delete", typed="DELETE")
    assert done.location == f"/apps/{site.app['id']}/keys"
    table = await owner.follow(done)
    assert "Deletion successful! “Nightly” no longer works." in table.text
    assert "Actions for Nightly" not in table.text
    assert "Actions for Nightly" in (await owner.get(f"{done.location}?status=revoked")).text


async def test_the_last_usable_key_is_deleted_only_as_exposed_after_the_password(site: Site):
    owner = await site.member("owner")
    table = await owner.get(f"/apps/{site.app['id']}/keys")
    path = "/keys/" + table.links["Default API Key"].rpartition("/")[2]
    site.clock.advance(minutes=11)
    page = await owner.get(f"{path}/delete")
    assert "Create another key first" in page.links
    refused = await owner.submit(page, f"{path}/delete", do="exposed")
    assert refused.status in {403, 422}
    done = await owner.submit(refused, f"{path}/delete", do="exposed", proof=PASSWORD)
    assert done.status == 303
    assert "exposed" in (await owner.get(path)).text


async def test_deleting_a_personal_key_offers_to_revoke_those_it_made(site: Site):
    owner = await site.member("admin")
    made = await owner.post("/profile/keys/generate", organization=site.organization["id"], once="x")
    token = TOKEN.search(made.text)
    assert token
    # The site puts members straight into the store: by this change the replica comes to know of this one.
    member = f"organizations/{site.organization['id']}/members/{owner.user.id}"
    await site.world.made("PATCH", member, {"role": "developer"})
    child = await site.world.call(
        "POST", f"apps/{site.app['id']}/keys", token=token[0], json={"name": "Child"}
    )
    assert child.status_code == 201, child.text
    access = await owner.get("/profile/keys")
    path = "/keys/" + access.links["View and change “API access”"].rpartition("/")[2]
    page = await owner.get(f"{path}/delete")
    assert "One key of its own" in page.text
    done = await owner.submit(page, f"{path}/delete", children="on", typed="DELETE")
    assert done.location == "/profile/keys"
    assert "Child" in (await owner.get(f"/apps/{site.app['id']}/keys?status=revoked")).text


async def test_an_edit_shows_before_and_after_and_warns_where_it_widens(site: Site):
    owner, path = (
        await site.member("owner"),
        await secret_key(site, constraints=[{"type": "prefix", "pattern": "jobs/", "methods": ["GET"]}]),
    )
    edit = f"{path}/edit"
    review = await pressed(owner, edit, do="any", name="Renamed")
    review = await owner.submit(review, edit, do="save")
    assert "GET on paths beginning jobs/ Any request" in review.text or "Any request" in review.text
    assert "This lets more through than before." in review.text
    done = await owner.submit(review, edit, do="change")
    assert done.location == path
    assert "Renamed" in (await owner.get(path)).text


async def test_a_key_changed_meanwhile_is_not_overwritten_and_the_page_says_so(site: Site):
    owner, path = await site.member("owner"), await secret_key(site)
    edit = f"{path}/edit"
    review = await pressed(owner, edit, do="save", name="Mine")
    await site.world.call("PATCH", path.removeprefix("/"), json={"name": "Theirs"})
    stale = await owner.submit(review, edit, do="change")
    assert stale.status == 409
    assert "The key was changed meanwhile." in stale.text
    assert "Theirs" in stale.text
    done = await owner.submit(stale, edit, do="change")
    assert done.location == path


async def test_what_is_not_theirs_looks_like_what_is_not_there(site: Site):
    path = await secret_key(site)
    stranger = await site.member("owner", await site.world.organization())
    for below in ("", "/edit", "/roll", "/regenerate", "/disable", "/enable", "/delete"):
        assert (await stranger.get(path + below)).status == 404


async def test_the_tester_of_the_page_needs_no_script(site: Site):
    owner, path = (
        await site.member("owner"),
        await secret_key(site, constraints=[{"type": "exact", "pattern": "jobs", "methods": []}]),
    )
    page = await owner.get(f"{path}?try-method=GET&try-path=jobs")
    assert "Let through by rule 1" in page.text


async def test_a_root_key_s_page_is_for_operators_who_give_their_password_to_touch_it(site: Site):
    operator, owner = await site.operator(), await site.member("owner")
    path = f"/keys/{(await site.world.root_key('verify'))['id']}"
    assert (await owner.get(path)).status == 404
    assert (await operator.get(path)).status == 200
    site.clock.advance(minutes=11)
    refused = await pressed(operator, f"{path}/disable")
    assert refused.status in {403, 422}
    done = await operator.submit(refused, f"{path}/disable", proof=PASSWORD)
    assert done.location == path
