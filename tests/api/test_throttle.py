"""How often a principal may call our own API: 1,200 a minute, 200 at once, unless settings say otherwise."""

import asyncio

from tests.api.world import World


async def test_a_personal_key_may_call_200_times_at_once_and_then_20_times_a_second(sqlite_world: World):
    world = sqlite_world
    organization = await world.organization()
    token = (await world.personal_key(await world.member(organization, "viewer")))["token"]
    other = (await world.personal_key(await world.member(organization, "viewer")))["token"]
    world.clock.advance(minutes=1)

    answers = await asyncio.gather(*(world.call("GET", "self", token=token) for _ in range(201)))
    assert sorted(it.status_code for it in answers) == [200] * 200 + [429]
    (refused,) = (it for it in answers if it.status_code == 429)
    assert refused.json()["type"] == "rate-limited"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-policy"] == '"management";q=1200;w=60'
    assert refused.headers["ratelimit"] == '"management";r=0;t=1'
    assert (await world.call("GET", "self", token=other)).status_code == 200

    world.clock.advance(milliseconds=49)
    assert (await world.call("GET", "self", token=token)).status_code == 429
    world.clock.advance(milliseconds=1)
    assert (await world.call("GET", "self", token=token)).status_code == 200
    assert (await world.call("GET", "self", token=token)).status_code == 429


async def test_root_keys_are_not_limited(sqlite_world: World):
    answers = await asyncio.gather(*(sqlite_world.call("GET", "self") for _ in range(250)))
    assert {it.status_code for it in answers} == {200}


async def test_a_throttled_call_does_nothing_and_is_no_use(sqlite_world: World):
    key = await sqlite_world.key()
    for _ in range(200):
        await sqlite_world.call("GET", "self", token=key["token"])
    before = await sqlite_world.rows()
    await sqlite_world.refused(429, "rate-limited", "POST", "self/rotate", token=key["token"])
    assert await sqlite_world.rows() == before
    await sqlite_world.flush()
    assert (await sqlite_world.made("GET", f"keys/{key['id']}"))["use_count"] == 200
    # Verification goes on whatever the key does here.
    assert await sqlite_world.reason(key["token"]) is None
