"""The checklist on an app's Overview: each line from facts, each linked to its fix; and the first steps."""

import pytest

from tests.api.world import Json
from tests.dashboard.site import Site

RULES = [{"type": "verb", "methods": ["GET"]}]
NARROW = {"constraints": RULES, "expires_in": 86_400 * 365 * 2}


async def key(site: Site, **fields: object) -> Json:
    """A new key of the app, narrow but for `fields`."""
    return await site.world.key(site.app, **{**NARROW, **fields})


async def used(site: Site, one: Json, **attempt: str) -> None:
    """Present a key's token, and have it written down."""
    await site.world.verdict(one["token"], method="GET", path="/", **attempt)
    await site.world.flush()


async def test_a_secret_key_sent_by_a_browser_is_said_until_it_was_rolled(site: Site):
    owner, leaked = await site.member("owner"), await key(site, name="Leaked")
    path = f"/apps/{site.app['id']}"
    assert "sent by a browser" not in (await owner.get(path)).text
    await used(site, leaked, origin="https://shop.example")
    overview = await owner.get(path)
    assert "1 secret key was sent by a browser" in overview.text
    assert overview.links["Leaked"] == f"../keys/{leaked['id']}/roll"
    assert f'href="../keys/{leaked["id"]}/roll"' in overview.html
    page = await owner.get(f"/keys/{leaked['id']}")
    assert "A browser sent it" in page.text
    assert "Sent by a browser" in page.text
    await site.world.made("POST", f"keys/{leaked['id']}/rotate", {"grace_s": 3600})
    assert "1 secret key was sent by a browser" in (await owner.get(path)).text
    site.clock.advance(seconds=3600)
    assert "sent by a browser" not in (await owner.get(path)).text


@pytest.mark.parametrize(
    ("fields", "days", "says", "below"),
    [
        ({"constraints": []}, 0, "1 secret key may call anything", "/edit"),
        ({"expires_in": None}, 0, "1 secret key never expires", "/edit"),
        ({}, 90, "2 keys were not used for 90 days", ""),
        ({}, 180, "1 key was not rolled for 180 days", "/roll"),
        ({}, 0, "1 public key works from any site", "/settings#f-allowed_origins"),
    ],
    ids=["no constraints", "no expiry", "unused", "not rolled", "public without origins"],
)
async def test_each_line_is_linked_to_its_fix(site: Site, fields: Json, days: int, says: str, below: str):
    owner = await site.member("owner")
    given = {name: value for name, value in {**NARROW, **fields}.items() if value is not None}
    made = await site.world.key(site.app, name="Nightly", **given)
    site.clock.advance(days=days)
    owner = await site.member("owner")
    overview = await owner.get(f"/apps/{site.app['id']}")
    assert says in overview.text
    fix = f"/apps/{site.app['id']}{below}" if "public" in says else f"/keys/{made['id']}{below}"
    assert fix in {target.replace("..", "", 1) for target in overview.links.values()}, overview.links
    listed = await owner.get(f"/apps/{site.app['id']}/keys?finding={_finding(says)}")
    assert ("Nightly" in listed.links) is ("public" not in says)


def _finding(says: str) -> str:
    words = {
        "anything": "no-constraints",
        "expires": "no-expiry",
        "used": "unused",
        "rolled": "not-rolled",
        "site": "public-without-origins",
    }
    return next(name for word, name in words.items() if word in says)


async def test_many_keys_are_counted_and_three_are_named(site: Site):
    for number in range(5):
        await key(site, name=f"Wide {number}", constraints=[])
    owner = await site.member("owner")
    overview = await owner.get(f"/apps/{site.app['id']}")
    assert "5 secret keys may call anything" in overview.text
    assert "and 2 more" in overview.links
    everything = await owner.get(f"/apps/{site.app['id']}/keys?finding=no-constraints")
    assert {f"Wide {number}" for number in range(5)} <= set(everything.links)
    assert "Default API Key" not in everything.links


async def test_who_may_not_change_keys_is_led_to_look_only(site: Site):
    wide = await key(site, name="Wide", constraints=[])
    viewer = await site.member("viewer")
    overview = await viewer.get(f"/apps/{site.app['id']}")
    assert overview.links["Wide"] == f"../keys/{wide['id']}"
    assert "/edit" not in overview.html
    assert "Narrow" not in overview.links


async def test_the_steps_turn_one_by_one(site: Site):
    app = await site.world.app(site.organization)
    owner, path = await site.member("owner"), f"/apps/{app['id']}/steps"
    assert "Waiting for the first request" not in (await owner.get(path, hx_request="true")).text
    made = await site.world.key(app)
    assert "Waiting for the first request" in (await owner.get(path, hx_request="true")).text
    await used(site, made)
    turned = await owner.get(path, hx_request="true")
    assert "Waiting for the first request" not in turned.text
    assert 'hx-trigger="every' in turned.html
    await site.world.made("PATCH", f"keys/{made['id']}", {"constraints": RULES})
    done = await owner.get(path, hx_request="true")
    assert "All set" in done.text
    assert "hx-trigger" not in done.html
    assert "First steps" not in (await owner.get(f"/apps/{app['id']}")).text
    await site.world.made("DELETE", f"keys/{made['id']}?reason=compromised")
    assert "First steps" not in (await owner.get(f"/apps/{app['id']}")).text


async def test_a_page_without_script_turns_by_a_reload(site: Site):
    app = await site.world.app(site.organization)
    owner, path = await site.member("owner"), f"/apps/{app['id']}"
    made = await site.world.key(app)
    assert "Waiting for the first request" in (await owner.get(path)).text
    await used(site, made)
    assert "Waiting for the first request" not in (await owner.get(path)).text


async def test_the_overview_asks_as_much_of_the_store_however_many_keys_there_are(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    for number in range(3):
        await key(site, name=f"Wide {number}", constraints=[])
    few = len((await owner.get(path)).html)
    for number in range(40):
        await key(site, name=f"Wider {number}", constraints=[])
    assert len((await owner.get(path)).html) < few + 2_000


async def test_a_public_key_reads_as_its_ceiling_lets_it(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}/keys"
    listed = await owner.get(path)
    assert "GET and HEAD on any path" in listed.text
    assert "Any request" not in listed.text
    shown = await owner.get(listed.links["Default API Key"].removeprefix("../.."))
    assert "GET and HEAD on any path" in shown.text
    tried = await owner.get(
        f"{listed.links['Default API Key'].removeprefix('../..')}?try-method=POST&try-path=x"
    )
    assert tried.status == 200
    assert "is let through" not in tried.text
    ceiling = {"ceiling": {"public_methods": ["GET"]}}
    await site.world.made("PATCH", f"organizations/{site.organization['id']}", ceiling)
    assert "GET on any path" in (await owner.get(path)).text
