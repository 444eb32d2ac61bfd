"""`Idempotency-Key`: a POST repeated does its work once, is judged again, and keeps nothing of the body."""

import asyncio

import pytest

from tests.api.world import Json, World

ONCE = {"Idempotency-Key": "b7f1c1c0-once"}


async def test_a_repetition_answers_with_the_same_key_without_its_token(world: World):
    app = await world.app()
    path = f"apps/{app['id']}/keys"
    first = await world.call("POST", path, json={"name": "Key"}, headers=ONCE)
    before = await world.row_counts()
    world.clock.advance(hours=23)
    again = await world.call("POST", path, json={"name": "Key"}, headers=ONCE)
    assert (first.status_code, again.status_code) == (201, 201)
    made, repeated = first.json(), again.json()
    assert made.pop("token")
    notice = repeated.pop("notice")
    assert "rotate" in notice
    assert repeated == made
    assert await world.row_counts() == before


@pytest.mark.parametrize(("after", "made_anew"), [({"milliseconds": -1}, False), ({"milliseconds": 1}, True)])
async def test_after_24_hours_it_is_a_new_request(sqlite_world: World, after: Json, *, made_anew: bool):
    app = await sqlite_world.app()
    path, body = f"apps/{app['id']}/keys", {"name": "Key"}
    first = await sqlite_world.made("POST", path, body, headers=ONCE)
    sqlite_world.clock.advance(hours=24, **after)
    second = await sqlite_world.made("POST", path, body, headers=ONCE)
    assert (second["id"] != first["id"]) == made_anew
    assert ("token" in second) == made_anew


async def test_another_body_is_422_and_does_nothing(world: World):
    app = await world.app()
    path = f"apps/{app['id']}/keys"
    await world.made("POST", path, {"name": "Key"}, headers=ONCE)
    before = await world.row_counts()
    problem = await world.refused(
        422, "idempotency-key-reused", "POST", path, {"name": "Other"}, headers=ONCE
    )
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert await world.row_counts() == before


async def test_two_at_once_do_the_work_once(world: World):
    app = await world.app()
    path = f"apps/{app['id']}/keys"
    before = (await world.row_counts())["keys"]
    answers = await asyncio.gather(
        *(world.call("POST", path, json={"name": "Key"}, headers=ONCE) for _ in range(8))
    )
    assert (await world.row_counts())["keys"] == before + 1
    made = [it for it in answers if it.status_code == 201]
    others = [it for it in answers if it.status_code != 201]
    assert sum("token" in it.json() for it in made) == 1
    assert {it.json()["id"] for it in made} == {made[0].json()["id"]}
    assert {(it.status_code, it.json()["type"]) for it in others} == {(409, "idempotency-in-progress")}


async def test_principal_method_and_path_tell_requests_apart(sqlite_world: World):
    organization = await sqlite_world.organization()
    apps = [await sqlite_world.app(organization) for _ in range(2)]
    token = (await sqlite_world.personal_key(await sqlite_world.member(organization, "owner")))["token"]
    made = [
        await sqlite_world.made("POST", f"apps/{app['id']}/keys", {"name": "Key"}, headers=ONCE, token=asks)
        for app in apps
        for asks in (token, sqlite_world.root)
    ]
    assert len({it["id"] for it in made}) == 4


class TestJudgedAgain:
    async def test_a_demoted_member_is_refused_its_own_replay(self, world: World):
        organization = await world.organization()
        member = await world.member(organization, "developer")
        token = (await world.personal_key(member))["token"]
        app = await world.app(organization)
        path, body = f"apps/{app['id']}/keys", {"name": "Key"}
        await world.made("POST", path, body, headers=ONCE, token=token)
        role = {"role": "viewer"}
        await world.made("PATCH", f"organizations/{organization['id']}/members/{member['user_id']}", role)
        await world.refused(403, "forbidden", "POST", path, body, headers=ONCE, token=token)

    async def test_a_revoked_key_is_refused_its_own_replay(self, sqlite_world: World):
        root = await sqlite_world.root_key("*")
        body = {"name": "Acme"}
        await sqlite_world.made("POST", "organizations", body, headers=ONCE, token=root["token"])
        await sqlite_world.made("DELETE", f"keys/{root['id']}")
        await sqlite_world.refused(
            401, "revoked", "POST", "organizations", body, headers=ONCE, token=root["token"]
        )

    async def test_the_replay_shows_the_key_as_it_is_now(self, sqlite_world: World):
        app = await sqlite_world.app()
        path, body = f"apps/{app['id']}/keys", {"name": "Key"}
        key = await sqlite_world.made("POST", path, body, headers=ONCE)
        await sqlite_world.made("POST", f"keys/{key['id']}/disable")
        again = await sqlite_world.made("POST", path, body, headers=ONCE)
        assert (again["id"], again["status"]) == (key["id"], "disabled")


async def test_every_post_that_changes_something_does_it_once(sqlite_world: World):
    organization = await sqlite_world.organization()
    app = await sqlite_world.app(organization)
    member = await sqlite_world.member(organization, "owner")
    key = await sqlite_world.key(app)
    posts: list[tuple[str, Json | None]] = [
        ("organizations", {"name": "Once"}),
        (f"organizations/{organization['id']}/apps", {"name": "Once"}),
        (f"organizations/{organization['id']}/members", {"email": "once@example.com", "role": "viewer"}),
        ("users", {"email": "user@example.com", "name": "Once"}),
        (f"apps/{app['id']}/keys", {"name": "Once"}),
        (f"users/{member['user_id']}/keys", {"name": "Once"}),
        ("root-keys", {"name": "Once", "scopes": []}),
        ("scopes", {"name": "once:only"}),
        (f"keys/{key['id']}/rotate", {"grace_s": 60}),
        (f"keys/{key['id']}/rotate", None),
        (f"keys/{key['id']}/disable", None),
        (f"keys/{key['id']}/enable", None),
        # What was done already is remembered too.
        (f"keys/{key['id']}/enable", None),
    ]
    for number, (path, body) in enumerate(posts):
        once = {"Idempotency-Key": f"once {number}"}
        first = await sqlite_world.made("POST", path, body, headers=once)
        before = await sqlite_world.rows()
        again = await sqlite_world.made("POST", path, body, headers=once)
        assert await sqlite_world.rows() == before, path
        assert again.get("epoch") == first.get("epoch"), path
        assert "token" not in again, path
    rotating = {"Idempotency-Key": "self"}
    token = (await sqlite_world.key(app))["token"]
    first = await sqlite_world.made("POST", "self/rotate", token=token, headers=rotating)
    # The first answer was lost: the old token, no longer the newest, is told so and makes no third.
    again = await sqlite_world.made("POST", "self/rotate", token=token, headers=rotating)
    assert (len(first["versions"]), len(again["versions"])) == (2, 2)
    assert "token" not in again


async def test_a_pause_repeated_late_does_not_come_back(sqlite_world: World):
    key = await sqlite_world.key()
    path = f"keys/{key['id']}"
    await sqlite_world.made("POST", f"{path}/disable", headers=ONCE)
    await sqlite_world.made("POST", f"{path}/enable")
    assert (await sqlite_world.made("POST", f"{path}/disable", headers=ONCE))["status"] == "active"


async def test_what_failed_is_not_remembered(sqlite_world: World):
    app = await sqlite_world.app()
    path, body = f"apps/{app['id']}/keys", {"name": "Key", "scopes": ["jobs:read"]}
    await sqlite_world.refused(422, "invalid-input", "POST", path, body, headers=ONCE)
    await sqlite_world.scope("jobs:read")
    assert "token" in await sqlite_world.made("POST", path, body, headers=ONCE)


async def test_of_the_body_only_an_hmac_is_kept(world: World):
    app = await world.app()
    marker = "zq-marker-7719"
    body = {"name": "Key", "ephemeral": False, "labels": {}, "expires_in": 7_654_321}
    made = await world.made("POST", f"apps/{app['id']}/keys", body, headers=ONCE)
    user = {"email": f"{marker}@example.com", "name": "x"}
    await world.refused(422, "invalid-input", "POST", "users", {**user, "name": ""}, headers=ONCE)
    rows = (await world.rows())["idempotency"]
    assert len(rows) == 1
    hmac = rows[0][4]
    assert len(hmac) == 32
    assert b"Key" not in hmac
    dump = str(await world.rows())
    assert made["token"] not in dump
    assert "7654321" not in str(rows)
    assert marker not in dump


@pytest.mark.parametrize("key", ["", "a" * 256, b"\xc3\xa9", b"\x7f", b"\x01"])
async def test_a_key_that_is_none_is_422_and_does_nothing(sqlite_world: World, key: str | bytes):
    app = await sqlite_world.app()
    before = await sqlite_world.row_counts()
    answer = await sqlite_world.call(
        "POST", f"apps/{app['id']}/keys", json={"name": "Key"}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await sqlite_world.row_counts() == before
