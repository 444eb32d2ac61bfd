"""`If-Match` on PATCH is optional; a stale one is 412, and nothing is written."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from tests.api.world import World


async def a_key(world: World) -> str:
    return f"keys/{(await world.key())['id']}"


async def an_app(world: World) -> str:
    return f"apps/{(await world.app())['id']}"


async def an_organization(world: World) -> str:
    return f"organizations/{(await world.organization())['id']}"


async def a_user(world: World) -> str:
    body = {"email": f"{secrets.token_hex(6)}@example.com", "name": "A"}
    return f"users/{(await world.made('POST', 'users', body))['id']}"


Make = Callable[[World], Awaitable[str]]
THINGS = pytest.mark.parametrize("make", [a_key, an_app, an_organization, a_user])


@THINGS
@pytest.mark.asyncio(loop_scope="module")
async def test_a_stale_tag_is_412_and_changes_nothing(lasting_world: World, make: Make):
    path = await make(lasting_world)
    first = (await lasting_world.call("GET", path)).headers["etag"]
    changed = await lasting_world.call("PATCH", path, json={"name": "One"}, headers={"If-Match": first})
    assert changed.status_code == 200
    second = changed.headers["etag"]
    assert second != first
    assert (await lasting_world.call("GET", path)).headers["etag"] == second
    before = await lasting_world.rows()
    for body in ({"name": "Two"}, {"name": "One"}):
        await lasting_world.refused(
            412, "precondition-failed", "PATCH", path, body, headers={"If-Match": first}
        )
    assert await lasting_world.rows() == before


@THINGS
@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_tag_or_with_any_it_just_changes(lasting_world: World, make: Make):
    path = await make(lasting_world)
    await lasting_world.made("PATCH", path, {"name": "One"})
    await lasting_world.made("PATCH", path, {"name": "Two"}, headers={"If-Match": "*"})


@pytest.mark.asyncio(loop_scope="module")
async def test_uses_leave_the_tag_alone(lasting_world: World):
    key = await lasting_world.key()
    before = await lasting_world.call("GET", f"keys/{key['id']}")
    await lasting_world.verdict(key["token"])
    await lasting_world.flush()
    after = await lasting_world.call("GET", f"keys/{key['id']}")
    assert after.json()["use_count"] == 1
    assert after.headers["etag"] == before.headers["etag"]


@pytest.mark.parametrize("tail", ["/rotate", "/disable"])
@pytest.mark.asyncio(loop_scope="module")
async def test_every_change_of_a_key_moves_its_tag(lasting_world: World, tail: str):
    path = await a_key(lasting_world)
    first = (await lasting_world.call("GET", path)).headers["etag"]
    answer = await lasting_world.call("POST", f"{path}{tail}")
    assert answer.headers["etag"] != first
    body = {"name": "Late"}
    await lasting_world.refused(412, "precondition-failed", "PATCH", path, body, headers={"If-Match": first})


@pytest.mark.parametrize("tag", ['"x"', "", '""', '"-1"', '"99999999999"', "a" * 201, '"1", "2"'])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_tag_of_ours_is_a_4xx_that_names_the_header(lasting_world: World, tag: str):
    path = await a_key(lasting_world)
    problem = await lasting_world.refused(
        422, "invalid-input", "PATCH", path, {"name": "New"}, headers={"If-Match": tag}
    )
    assert problem["errors"][0]["field"] == "If-Match"


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_not_ones_own_to_see_is_no_412(lasting_world: World):
    member = await lasting_world.member(await lasting_world.organization(), "owner")
    token = (await lasting_world.personal_key(member))["token"]
    headers = {"If-Match": '"77"'}
    await lasting_world.refused(
        404, "not-found", "PATCH", await a_key(lasting_world), {"name": "x"}, token=token, headers=headers
    )
