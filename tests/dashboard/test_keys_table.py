"""Tables of keys: what they show, what narrows them, and to whom."""

import pytest

from tests.dashboard.html import Page
from tests.dashboard.site import Site


def names(page: Page, *wanted: str) -> list[str]:
    """Which of these names the table has, in its order."""
    at = {name: page.text.find(f"Actions for {name}") for name in wanted}
    return sorted((name for name in wanted if at[name] >= 0), key=at.__getitem__)


async def test_an_app_s_keys_are_shown_masked_with_what_they_may_do(site: Site):
    owner = await site.member("owner")
    rule = {"type": "prefix", "pattern": "orders/", "methods": ["POST", "GET"]}
    made = await site.world.key(site.app, name="Checkout", constraints=[rule])
    page = await owner.get(f"/apps/{site.app['id']}/keys")
    assert page.status == 200
    assert "New API key" in page.links
    assert "GET and POST on paths beginning orders/" in page.text
    assert f"{made['start']}…{made['last4']}" in page.text
    assert made["token"] not in page.html
    for action in ("View", "Edit", "Roll", "Disable", "Delete"):
        assert action in page.links


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Paused", "Beta", "alpha"]),
        ("?q=ALPHA", ["alpha"]),
        ("?status=disabled", ["Paused"]),
        ("?status=active", ["Beta", "alpha"]),
        ("?status=revoked", ["Gone"]),
        ("?status=nonsense", ["Paused", "Beta", "alpha"]),
        ("?type=public", ["Beta"]),
        ("?unused=30d", []),
        ("?sort=name", ["alpha", "Beta", "Paused"]),
    ],
)
async def test_the_table_is_narrowed_and_sorted_by_its_address(site: Site, query: str, found: list[str]):
    world = site.world
    for name, kind in (("alpha", "secret"), ("Beta", "public"), ("Paused", "secret"), ("Gone", "secret")):
        site.clock.advance(seconds=1)
        made = await world.key(site.app, name=name, type=kind)
        if name == "Paused":
            await world.made("POST", f"keys/{made['id']}/disable")
        if name == "Gone":
            await world.made("DELETE", f"keys/{made['id']}")
    owner = await site.member("owner")
    page = await owner.get(f"/apps/{site.app['id']}/keys{query}")
    assert names(page, "alpha", "Beta", "Paused", "Gone") == found


async def test_a_key_is_found_by_its_start_and_by_its_last_four(site: Site):
    owner, made = await site.member("owner"), await site.world.key(site.app, name="Sought")
    for sought in (made["start"], made["last4"]):
        page = await owner.get(f"/apps/{site.app['id']}/keys?q={sought}")
        assert names(page, "Sought", "Default API Key") == ["Sought"]


async def test_more_keys_than_a_page_holds_are_a_press_away_and_back(site: Site):
    site.clock.advance(seconds=1)
    for number in range(25):
        await site.world.key(site.app, name=f"Key {number}")
    owner = await site.member("owner")
    first = await owner.get(f"/apps/{site.app['id']}/keys")
    assert "Default API Key" not in first.text
    assert len(first.html) < 100_000
    second = await owner.get(str(first.answer.url.join(first.links["Next"])))
    assert "Default API Key" in second.text
    back = await owner.get(str(second.answer.url.join(second.links["Previous"])))
    assert "Key 24" in back.text
    assert "Default API Key" not in back.text


async def test_the_organization_s_table_has_the_keys_of_all_apps_and_says_which(site: Site):
    other = await site.world.app(site.organization, name="Back office")
    site.clock.advance(seconds=1)
    await site.world.key(other, name="Reports")
    owner = await site.member("owner")
    page = await owner.get(f"/organizations/{site.organization['id']}/settings/keys")
    assert names(page, "Reports", "Default API Key") == ["Reports", "Default API Key"]
    assert "Back office" in page.links


async def test_an_empty_table_has_one_next_step(site: Site):
    empty = await site.world.app(site.organization, name="New")
    owner = await site.member("owner")
    page = await owner.get(f"/apps/{empty['id']}/keys")
    assert "No keys yet" in page.text
    assert "New API key" in page.links


async def test_a_strangers_app_is_not_there(site: Site):
    stranger = await site.member("owner", await site.world.organization())
    assert (await stranger.get(f"/apps/{site.app['id']}/keys")).status == 404
    organization = f"/organizations/{site.organization['id']}/settings/keys"
    assert (await stranger.get(organization)).status in {403, 404}
