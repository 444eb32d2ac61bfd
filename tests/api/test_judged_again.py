"""A request may wait long for its turn: whoever writes is judged again when it comes."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from tests.api.world import Json, World


async def _one_after_the_other(world: World, *requests: Awaitable[httpx.Response]) -> list[httpx.Response]:
    """Let all requests in at once, then write in this order: each was judged before any of them wrote."""
    store: Any = world.instance.store
    tasks = []
    async with store._turn:
        for request in requests:
            tasks.append(asyncio.ensure_future(request))
            await asyncio.sleep(0.2)
        assert not any(task.done() for task in tasks)
    return list(await asyncio.gather(*tasks))


async def _admin(world: World) -> tuple[Json, Json, Json]:
    organization = await world.organization()
    member = await world.member(organization, "admin")
    return organization, member, await world.personal_key(member)


async def test_a_key_revoked_while_its_request_waited_makes_no_key(world: World):
    _, member, personal = await _admin(world)
    revoked, made = await _one_after_the_other(
        world,
        world.call("DELETE", f"keys/{personal['id']}?reason=compromised&descendants=true"),
        world.call(
            "POST", f"users/{member['user_id']}/keys", token=personal["token"], json={"name": "Thief"}
        ),
    )
    assert revoked.status_code == 200
    assert (made.status_code, made.json()["type"]) == (401, "revoked")


async def test_a_member_removed_while_its_request_waited_does_not_add_itself_again(sqlite_world: World):
    world = sqlite_world
    organization, member, personal = await _admin(world)
    members = f"organizations/{organization['id']}/members"
    removed, added = await _one_after_the_other(
        world,
        world.call("DELETE", f"{members}/{member['user_id']}"),
        world.call(
            "POST", members, token=personal["token"], json={"email": member["email"], "role": "admin"}
        ),
    )
    assert (removed.status_code, added.status_code) == (200, 401)


async def test_a_role_taken_while_the_request_waited_no_longer_counts(sqlite_world: World):
    world = sqlite_world
    organization, member, personal = await _admin(world)
    demoted, made = await _one_after_the_other(
        world,
        world.call(
            "PATCH",
            f"organizations/{organization['id']}/members/{member['user_id']}",
            json={"role": "viewer"},
        ),
        world.call(
            "POST", f"organizations/{organization['id']}/apps", token=personal["token"], json={"name": "A"}
        ),
    )
    assert (demoted.status_code, made.status_code) == (200, 403)


async def test_a_key_suspended_above_while_its_request_waited_is_refused(sqlite_world: World):
    world = sqlite_world
    organization, _, personal = await _admin(world)
    path = f"organizations/{organization['id']}"
    suspended, changed = await _one_after_the_other(
        world,
        world.call("PATCH", path, json={"disabled": True}),
        world.call("PATCH", path, token=personal["token"], json={"name": "B"}),
    )
    assert (suspended.status_code, changed.status_code, changed.json()["type"]) == (200, 401, "disabled")


@pytest.mark.parametrize("path", [b"/jobs\xa0", b"/jobs\x85", b"\xa0/jobs", b"/jobs\x1c"])
async def test_what_only_looks_like_a_space_around_a_path_is_part_of_it(sqlite_world: World, path: bytes):
    key = await sqlite_world.key(constraints=[{"type": "exact", "pattern": "/jobs"}])
    for where, method, uri in (
        ("/auth", b"X-Forwarded-Method", b"X-Forwarded-Uri"),
        ("/auth/nginx", b"X-Original-Method", b"X-Original-URI"),
    ):
        headers = [(b"X-API-Key", key["token"].encode()), (method, b"GET"), (uri, path)]
        answer = await sqlite_world.client.get(where, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "ambiguous-request")


async def test_a_path_is_served_only_in_the_spelling_that_constraints_are_judged_on(sqlite_world: World):
    world = sqlite_world
    organization = await world.organization()
    member = await world.member(organization, "owner")
    key = await world.key(await world.app(organization))
    only_versions = [{"type": "prefix", "pattern": f"keys/{key['id']}/", "methods": ["DELETE"]}]
    personal = await world.personal_key(member, constraints=only_versions)
    assert (await world.call("DELETE", f"keys/{key['id']}", token=personal["token"])).status_code == 403
    assert (await world.call("DELETE", f"keys/{key['id']}/", token=personal["token"])).status_code == 404
    bearer = {"Authorization": f"Bearer {world.root}"}
    assert (await world.client.get("/%61pi/v1/self", headers=bearer)).status_code == 404
    assert (await world.client.get("/api/v1/self", headers=bearer)).status_code == 200


async def test_an_admin_reads_in_the_audit_log_that_a_personal_key_was_made_but_not_what_it_is(
    sqlite_world: World,
):
    world = sqlite_world
    organization, _, admin = await _admin(world)
    other = await world.personal_key(await world.member(organization, "developer"), name="Hers")
    path = f"organizations/{organization['id']}/audit?limit=200"
    seen = (await world.made("GET", path, token=admin["token"]))["items"]
    by_id = {it["subject"]["id"]: it for it in seen if it["action"] == "key.create"}
    assert (by_id[other["id"]]["before"], by_id[other["id"]]["after"]) == (None, None)
    assert by_id[admin["id"]]["after"]["name"] == "Mine"
    told = (await world.made("GET", path))["items"]
    assert next(it for it in told if it["subject"]["id"] == other["id"])["after"]["name"] == "Hers"


async def test_an_ephemeral_key_lives_a_day_at_most_however_often_it_is_rotated(sqlite_world: World):
    key = await sqlite_world.key(ephemeral=True, expires_in=3600)
    sqlite_world.clock.advance(minutes=50)
    longer = await sqlite_world.call("POST", f"keys/{key['id']}/rotate", json={"expires_in": 86_400})
    assert longer.status_code == 422
    assert (await sqlite_world.made("POST", f"keys/{key['id']}/rotate", {"expires_in": 3600}))["token"]


async def test_an_ephemeral_root_key_makes_no_organization_since_one_begins_with_a_key(sqlite_world: World):
    root = await sqlite_world.root_key("*", ephemeral=True)
    for method, path in (("POST", "organizations"), ("PUT", "organizations/external/x")):
        answer = await sqlite_world.call(method, path, token=root["token"], json={"name": "A"})
        assert (answer.status_code, answer.json()["type"]) == (403, "ephemeral-makes-none")
