"""Where an app's API is: set, changed, taken away; kept in one form, recorded, and refused with the fix."""

import pytest

from tests.api.world import World


async def test_it_is_kept_in_one_form_and_may_be_taken_away(world: World):
    app = await world.app(api_base_url="https://API.example.com:443/v1/")
    path = f"apps/{app['id']}"
    assert app["api_base_url"] == "https://api.example.com/v1"
    assert (await world.made("GET", path))["api_base_url"] == "https://api.example.com/v1"
    changed = await world.made("PATCH", path, {"api_base_url": "http://localhost:8080"})
    assert changed["api_base_url"] == "http://localhost:8080"
    assert (await world.made("PATCH", path, {"name": "Other"}))["api_base_url"] == "http://localhost:8080"
    assert (await world.made("PATCH", path, {"api_base_url": None}))["api_base_url"] is None
    assert (await world.app())["api_base_url"] is None


async def test_a_change_of_it_is_recorded_and_moves_the_tag(sqlite_world: World):
    world = sqlite_world
    organization = await world.organization()
    app = await world.app(organization)
    path = f"apps/{app['id']}"
    before = (await world.call("GET", path)).headers["etag"]
    world.clock.advance(seconds=1)
    await world.made("PATCH", path, {"api_base_url": "https://api.example.com"})
    assert (await world.call("GET", path)).headers["etag"] != before
    stale = {"api_base_url": None}
    await world.refused(412, "precondition-failed", "PATCH", path, stale, headers={"If-Match": before})
    entry = (await world.made("GET", f"organizations/{organization['id']}/audit"))["items"][0]
    assert entry["action"] == "app.update"
    assert entry["before"]["api_base_url"] is None
    assert entry["after"]["api_base_url"] == "https://api.example.com"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("api.example.com", "absolute address"),
        ("https://ada:x@api.example.com", "user name and password"),
        ("https://api.example.com?x", "what begins with ?"),
    ],
)
async def test_what_is_no_address_is_refused_by_its_field_with_the_fix(
    sqlite_world: World, text: str, says: str
):
    app = await sqlite_world.app()
    body = {"api_base_url": text}
    problem = await sqlite_world.refused(422, "invalid-input", "PATCH", f"apps/{app['id']}", body)
    assert problem["errors"][0]["field"] == "api_base_url"
    assert says in problem["errors"][0]["problem"]
