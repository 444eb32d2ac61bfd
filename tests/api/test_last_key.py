"""The last usable key of an app is not deleted by mistake."""

import pytest

from tests.api.world import Json, World


async def delete(world: World, key: Json, reason: str = "unspecified") -> int:
    return (await world.call("DELETE", f"keys/{key['id']}?reason={reason}")).status_code


async def test_the_last_usable_key_stays(world: World):
    app = await world.app()
    first, last = await world.key(app), await world.key(app)
    assert await delete(world, first) == 200
    before = await world.rows()
    problem = await world.refused(409, "last-key", "DELETE", f"keys/{last['id']}?reason=superseded")
    assert "compromised" in problem["detail"]
    assert await world.reason(last["token"]) is None
    assert await world.rows() == before
    assert await delete(world, last, "compromised") == 200


@pytest.mark.parametrize(
    "reason", ["unspecified", "superseded", "owner_left", "privilege_withdrawn", "unused"]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_reason_but_compromised_takes_it(lasting_world: World, reason: str):
    assert await delete(lasting_world, await lasting_world.key(), reason) == 409


@pytest.mark.asyncio(loop_scope="module")
async def test_an_app_may_say_otherwise(lasting_world: World):
    app = await lasting_world.app()
    key = await lasting_world.key(app)
    await lasting_world.made("PATCH", f"apps/{app['id']}", {"last_key_protection": False})
    assert await delete(lasting_world, key) == 200


@pytest.mark.parametrize("state", ["disabled", "expired", "ephemeral", "revoked"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_that_is_not_usable_is_no_reserve(lasting_world: World, state: str):
    app = await lasting_world.app()
    options = {"expired": {"expires_in": 1}, "ephemeral": {"ephemeral": True}}.get(state, {})
    reserve = await lasting_world.key(app, **options)
    last = await lasting_world.key(app)
    if state == "disabled":
        await lasting_world.made("POST", f"keys/{reserve['id']}/disable")
    if state == "revoked":
        await lasting_world.made("DELETE", f"keys/{reserve['id']}")
    lasting_world.clock.advance(seconds=1)
    assert await delete(lasting_world, last) == 409


@pytest.mark.parametrize("state", ["disabled", "expired", "ephemeral"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_that_is_not_usable_is_not_protected(lasting_world: World, state: str):
    options = {"expired": {"expires_in": 1}, "ephemeral": {"ephemeral": True}}.get(state, {})
    key = await lasting_world.key(**options)
    if state == "disabled":
        await lasting_world.made("POST", f"keys/{key['id']}/disable")
    lasting_world.clock.advance(seconds=1)
    assert await delete(lasting_world, key) == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_disabling_the_last_key_is_allowed(lasting_world: World):
    key = await lasting_world.key()
    assert (await lasting_world.call("POST", f"keys/{key['id']}/disable")).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_revoking_through_self_acts_as_compromised(lasting_world: World):
    key = await lasting_world.key()
    revoked = await lasting_world.made("POST", "self/revoke", token=key["token"])
    assert (revoked["status"], revoked["revoked_reason"]) == ("revoked", "compromised")


@pytest.mark.asyncio(loop_scope="module")
async def test_personal_keys_have_no_such_rule(lasting_world: World):
    member = await lasting_world.member(await lasting_world.organization(), "viewer")
    assert await delete(lasting_world, await lasting_world.personal_key(member)) == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_another_apps_keys_are_no_reserve(lasting_world: World):
    organization = await lasting_world.organization()
    await lasting_world.key(await lasting_world.app(organization))
    assert await delete(lasting_world, await lasting_world.key(await lasting_world.app(organization))) == 409


async def test_keys_that_one_key_made_are_no_reserve_when_all_of_them_go(world: World):
    app, maker = await world.app(), await world.root_key("*")
    for _ in range(2):
        await world.made("POST", f"apps/{app['id']}/keys", {"name": "Made"}, token=maker["token"])
    before = await world.rows()
    await world.refused(409, "last-key", "DELETE", f"keys/{maker['id']}?descendants=true")
    assert await world.rows() == before
    await world.key(app)
    assert (await world.call("DELETE", f"keys/{maker['id']}?descendants=true")).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_the_last_key_goes_with_its_app(lasting_world: World):
    key = await lasting_world.key()
    await lasting_world.made("DELETE", f"apps/{key['app_id']}")
    assert await lasting_world.reason(key["token"]) == "REVOKED"
