"""Rotation on one stable key id: grace, its boundaries, and the promises kept."""

from typing import Any

import pytest

from tests.api.world import Json, World

DAY_S = 86_400


async def rotate(world: World, key: Json, **draft: Any) -> Json:
    return await world.made("POST", f"keys/{key['id']}/rotate", draft or None)


async def test_rotation_keeps_the_id_and_gives_a_new_token(world: World):
    key = await world.key(labels={"a": "b"})
    answer = await world.call("POST", f"keys/{key['id']}/rotate")
    rotated = answer.json()
    assert answer.status_code == 200
    assert (rotated["id"], rotated["labels"]) == (key["id"], {"a": "b"})
    assert rotated["token"] != key["token"]
    assert (rotated["start"], rotated["last4"]) == (rotated["token"][:15], rotated["token"][-4:])
    assert [version["last4"] for version in rotated["versions"]] == [key["last4"], rotated["last4"]]
    assert rotated["versions"][0]["retires_at"] == "2030-01-01T12:00:00Z"
    assert rotated["versions"][1]["retires_at"] is None


@pytest.mark.parametrize("grace_s", [1, 60, 43_200, 30 * DAY_S])
async def test_the_old_token_works_until_the_last_instant_of_grace(sqlite_world: World, grace_s: int):
    key = await sqlite_world.key()
    rotated = await rotate(sqlite_world, key, grace_s=grace_s)
    sqlite_world.clock.advance(seconds=grace_s, milliseconds=-1)
    assert await sqlite_world.reason(key["token"]) is None
    sqlite_world.clock.advance(milliseconds=1)
    assert await sqlite_world.reason(key["token"]) == "RETIRED"
    sqlite_world.clock.advance(milliseconds=1)
    assert await sqlite_world.reason(key["token"]) == "RETIRED"
    assert await sqlite_world.reason(rotated["token"]) is None


async def test_no_grace_ends_every_earlier_version_at_once(world: World):
    key = await world.key()
    second = await rotate(world, key, grace_s=30 * DAY_S)
    third = await rotate(world, key, grace_s=0)
    assert [await world.reason(it["token"]) for it in (key, second, third)] == ["RETIRED", "RETIRED", None]


async def test_versions_in_grace_keep_their_promise(sqlite_world: World):
    key = await sqlite_world.key()
    second = await rotate(sqlite_world, key, grace_s=3600)
    sqlite_world.clock.advance(seconds=1800)
    await rotate(sqlite_world, key, grace_s=60)
    sqlite_world.clock.advance(seconds=60)
    # The second, rotated away later, ends sooner; the first has the hour that it was promised.
    assert await sqlite_world.reason(second["token"]) == "RETIRED"
    sqlite_world.clock.advance(seconds=1800 - 60, milliseconds=-1)
    assert await sqlite_world.reason(key["token"]) is None
    sqlite_world.clock.advance(milliseconds=1)
    assert await sqlite_world.reason(key["token"]) == "RETIRED"


async def test_five_live_versions_are_the_most(sqlite_world: World):
    key = await sqlite_world.key()
    tokens = [key["token"]] + [(await rotate(sqlite_world, key, grace_s=3600))["token"] for _ in range(4)]
    assert [await sqlite_world.reason(token) for token in tokens] == [None] * 5
    path = f"keys/{key['id']}/rotate"
    before = await sqlite_world.row_counts()
    await sqlite_world.refused(409, "too-many-versions", "POST", path, {"grace_s": 3600})
    assert await sqlite_world.row_counts() == before
    # Never for no grace.
    newest = await rotate(sqlite_world, key, grace_s=0)
    assert [await sqlite_world.reason(token) for token in tokens] == ["RETIRED"] * 5
    assert await sqlite_world.reason(newest["token"]) is None


async def test_a_version_that_retired_makes_room(sqlite_world: World):
    key = await sqlite_world.key()
    for _ in range(4):
        await rotate(sqlite_world, key, grace_s=3600)
    path = f"keys/{key['id']}/rotate"
    sqlite_world.clock.advance(seconds=3600, milliseconds=-1)
    await sqlite_world.refused(409, "too-many-versions", "POST", path)
    sqlite_world.clock.advance(milliseconds=1)
    await rotate(sqlite_world, key)


class TestExpiry:
    async def test_grace_never_outlives_the_expiry_before_the_rotation(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=600)
        rotated = await rotate(sqlite_world, key, grace_s=3600, expires_in=DAY_S)
        assert rotated["versions"][0]["retires_at"] == "2030-01-01T00:10:00Z"
        assert rotated["expires_at"] == "2030-01-02T00:00:00Z"
        sqlite_world.clock.advance(seconds=600, milliseconds=-1)
        assert await sqlite_world.reason(key["token"]) is None
        sqlite_world.clock.advance(milliseconds=1)
        assert await sqlite_world.reason(key["token"]) == "RETIRED"
        assert await sqlite_world.reason(rotated["token"]) is None

    async def test_rotation_by_itself_leaves_the_expiry(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=600)
        assert (await rotate(sqlite_world, key))["expires_at"] == key["expires_at"]

    async def test_an_expired_key_is_revived_only_by_a_rotation_with_a_new_expiry(self, world: World):
        key = await world.key(expires_in=600)
        second = await rotate(world, key, grace_s=300)
        world.clock.advance(seconds=600)
        path = f"keys/{key['id']}/rotate"
        await world.refused(409, "expired", "POST", path)
        await world.refused(409, "expired", "POST", path, {"grace_s": 0})
        third = await rotate(world, key, grace_s=3600, expires_in=60)
        assert third["status"] == "active"
        # It ends every earlier version, whatever the grace.
        assert [await world.reason(it["token"]) for it in (key, second, third)] == [
            "RETIRED",
            "RETIRED",
            None,
        ]

    async def test_null_revives_a_key_for_good(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=1)
        sqlite_world.clock.advance(seconds=1)
        revived = await rotate(sqlite_world, key, expires_at=None)
        assert (revived["status"], revived["expires_at"]) == ("active", None)
        assert await sqlite_world.reason(key["token"]) == "RETIRED"

    async def test_the_last_instant_before_expiry_still_has_a_grace(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=1)
        sqlite_world.clock.advance(milliseconds=999)
        await rotate(sqlite_world, key, expires_in=60)
        assert await sqlite_world.reason(key["token"]) is None


async def test_a_disabled_key_stays_disabled(sqlite_world: World):
    key = await sqlite_world.key()
    await sqlite_world.made("POST", f"keys/{key['id']}/disable")
    rotated = await rotate(sqlite_world, key)
    assert rotated["status"] == "disabled"
    assert await sqlite_world.reason(rotated["token"]) == "DISABLED"
    await sqlite_world.made("POST", f"keys/{key['id']}/enable")
    assert await sqlite_world.reason(rotated["token"]) is None


class TestRetiringOneVersion:
    async def test_it_ends_now_and_the_others_live_on(self, world: World):
        key = await world.key()
        second = await rotate(world, key)
        third = await rotate(world, key)
        path = f"keys/{key['id']}/versions/{second['versions'][1]['id']}"
        answer = await world.call("DELETE", path)
        assert answer.status_code == 200
        assert "token" not in answer.json()
        tokens = [key["token"], second["token"], third["token"]]
        assert [await world.reason(token) for token in tokens] == [None, "RETIRED", None]
        first = answer.json()
        first.pop("epoch")
        assert (await world.call("DELETE", path)).json() == first

    async def test_the_newest_cannot_be_retired_by_itself(self, sqlite_world: World):
        key = await sqlite_world.key()
        path = f"keys/{key['id']}/versions/{key['versions'][0]['id']}"
        await sqlite_world.refused(409, "newest-version", "DELETE", path)
        assert await sqlite_world.reason(key["token"]) is None

    async def test_another_keys_version_is_not_there(self, sqlite_world: World):
        key, other = await sqlite_world.key(), await sqlite_world.key()
        await rotate(sqlite_world, other)
        path = f"keys/{key['id']}/versions/{other['versions'][0]['id']}"
        await sqlite_world.refused(404, "not-found", "DELETE", path)
        assert await sqlite_world.reason(other["token"]) is None


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        ({"grace_s": -1}, "grace_s"),
        ({"grace_s": 30 * DAY_S + 1}, "grace_s"),
        ({"grace_s": "60"}, "grace_s"),
        ({"grace_s": None}, "grace_s"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_at": "2029-12-31T23:59:59Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2031-01-01T00:00:00Z", "expires_in": 1}, "expires_in"),
        ({"grace": 1}, "grace"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_rotated(sqlite_world: World, draft: Json, field: str):
    key = await sqlite_world.key()
    before = await sqlite_world.row_counts()
    problem = await sqlite_world.refused(422, "invalid-input", "POST", f"keys/{key['id']}/rotate", draft)
    assert problem["errors"][0]["field"] == field
    assert await sqlite_world.row_counts() == before
