"""Uses are counted per key and version, flushed each second, and only where an attempt was accepted."""

import asyncio
from typing import Any

import pytest

from tests.api.world import Json, World


async def _settled(world: World, key: Json) -> Json:
    """The key once its uses are written, without waiting for the second to pass."""
    counter: Any = world.instance.context.uses
    await counter.flush(world.instance.store)
    return await world.made("GET", f"keys/{key['id']}")


async def test_accepted_attempts_count_for_the_key_and_for_the_version_presented(world: World):
    key = await world.key()
    rotated = await world.made("POST", f"keys/{key['id']}/rotate", {})
    await world.verdict(key["token"])
    world.clock.advance(minutes=5)
    for _ in range(2):
        await world.verdict(rotated["token"])
    found = await _settled(world, key)
    assert (found["use_count"], found["last_used_at"]) == (3, "2030-01-01T00:05:00Z")
    counted = [(it["use_count"], it["last_used_at"]) for it in found["versions"]]
    assert counted == [(1, "2030-01-01T00:00:00Z"), (2, "2030-01-01T00:05:00Z")]


async def test_refused_and_explained_attempts_do_not_count_and_calls_to_our_own_api_do(sqlite_world: World):
    world = sqlite_world
    key = await world.key(constraints=[{"type": "exact", "pattern": "jobs"}])
    await world.verdict(key["token"], path="/other")
    await world.verdict(key["token"], path="/jobs", explain=True)
    assert (await world.call("GET", "keys", token=key["token"])).status_code in {403, 404}
    assert (await world.call("GET", "self", token=key["token"])).status_code == 200
    forwarded = {"X-API-Key": key["token"], "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/jobs"}
    assert (await world.client.get("/auth", headers=forwarded)).status_code == 200
    assert (await _settled(world, key))["use_count"] == 2


async def test_a_secret_token_with_an_origin_says_so_whether_accepted_or_refused(world: World):
    accepted, refused, clean = [await world.key() for _ in range(3)]
    shop = {"Origin": "https://shop.example"}
    await world.verdict(accepted["token"], origin="https://shop.example")
    await world.made("POST", f"keys/{refused['id']}/disable")
    forwarded = {"X-API-Key": refused["token"], "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/"}
    assert (await world.client.get("/auth", headers=forwarded | shop)).status_code == 401
    await world.verdict(clean["token"])
    await world.verdict(clean["token"], origin="https://shop.example", explain=True)
    seen = [
        (await _settled(world, key))["versions"][0]["origin_seen_at"] for key in (accepted, refused, clean)
    ]
    assert seen == ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", None]


async def test_a_public_token_may_come_from_any_page(sqlite_world: World):
    key = await sqlite_world.key(type="public")
    await sqlite_world.verdict(key["token"], method="GET", origin="https://shop.example")
    found = await _settled(sqlite_world, key)
    assert (found["use_count"], found["versions"][0]["origin_seen_at"]) == (1, None)


async def test_changes_between_flushes_lose_no_count(sqlite_world: World):
    key = await sqlite_world.key()
    await sqlite_world.verdict(key["token"])
    await sqlite_world.made("PATCH", f"keys/{key['id']}", {"name": "New"})
    await sqlite_world.made("POST", f"keys/{key['id']}/rotate")
    assert (await _settled(sqlite_world, key))["use_count"] == 1


async def test_last_used_never_moves_back(sqlite_world: World):
    key = await sqlite_world.key()
    sqlite_world.clock.advance(seconds=10)
    await sqlite_world.verdict(key["token"])
    await sqlite_world.flush()
    sqlite_world.clock.advance(seconds=-5)
    await sqlite_world.verdict(key["token"])
    found = await _settled(sqlite_world, key)
    assert (found["use_count"], found["last_used_at"]) == (2, "2030-01-01T00:00:10Z")


async def test_many_at_once_are_counted_exactly(world: World):
    key = await world.key()
    await asyncio.gather(*(world.verdict(key["token"]) for _ in range(60)))
    assert (await _settled(world, key))["use_count"] == 60


async def test_counts_are_written_each_second_by_themselves(world: World):
    key = await world.key()
    await world.verdict(key["token"])
    for _ in range(50):
        await asyncio.sleep(0.1)
        if (await world.made("GET", f"keys/{key['id']}"))["use_count"]:
            return
    pytest.fail("no use was written within five seconds")
