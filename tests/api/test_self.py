"""What the presenting key may know and do about itself."""

from typing import ClassVar

import pytest

from tests.api.world import Json, World

NOWHERE: Json = {"constraints": [{"type": "exact", "pattern": "/nowhere", "methods": ["GET"]}]}


async def test_a_key_reads_itself_as_others_read_it(world: World):
    key = await world.key(labels={"a": "b"})
    seen = await world.made("GET", "self", token=key["token"])
    assert "token" not in seen
    await world.flush()
    assert {**seen, "use_count": 1, "last_used_at": seen["created_at"]} | {"versions": []} == {
        **(await world.made("GET", f"keys/{key['id']}")),
        "versions": [],
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_no_constraint_blocks_reading_or_revoking_itself(lasting_world: World):
    key = await lasting_world.key(**NOWHERE)
    await lasting_world.made("GET", "self", token=key["token"])
    await lasting_world.refused(403, "constraint-unmet", "POST", "self/rotate", token=key["token"])
    revoked = await lasting_world.made("POST", "self/revoke", token=key["token"])
    assert revoked["revoked_reason"] == "compromised"
    await lasting_world.refused(401, "revoked", "GET", "self", token=key["token"])


@pytest.mark.asyncio(loop_scope="module")
async def test_networks_still_do(lasting_world: World):
    key = await lasting_world.key(allowed_networks=["192.0.2.0/24"])
    await lasting_world.refused(403, "network-denied", "GET", "self", token=key["token"])


@pytest.mark.asyncio(loop_scope="module")
async def test_a_public_key_opens_nothing(lasting_world: World):
    key = await lasting_world.key(type="public")
    for method, path in (("GET", "self"), ("POST", "self/rotate"), ("POST", "self/revoke")):
        assert (await lasting_world.call(method, path, token=key["token"])).status_code == 403
    assert await lasting_world.reason(key["token"]) is None


class TestRotating:
    async def test_the_newest_version_rotates_itself(self, world: World):
        key = await world.key()
        rotated = await world.made("POST", "self/rotate", {"grace_s": 3600}, token=key["token"])
        assert rotated["token"] != key["token"]
        assert await world.reason(rotated["token"]) is None
        world.clock.advance(seconds=3600)
        assert await world.reason(key["token"]) == "RETIRED"

    @pytest.mark.asyncio(loop_scope="module")
    async def test_an_older_version_may_not(self, lasting_world: World):
        key = await lasting_world.key()
        await lasting_world.made("POST", "self/rotate", token=key["token"])
        await lasting_world.refused(409, "not-newest-version", "POST", "self/rotate", token=key["token"])

    @pytest.mark.parametrize(("grace_s", "allowed"), [(0, False), (3599, False), (3600, True), (3601, True)])
    @pytest.mark.asyncio(loop_scope="module")
    async def test_the_grace_is_an_hour_at_least(self, lasting_world: World, grace_s: int, *, allowed: bool):
        key = await lasting_world.key()
        body = {"grace_s": grace_s}
        if allowed:
            await lasting_world.made("POST", "self/rotate", body, token=key["token"])
            return
        problem = await lasting_world.refused(
            422, "invalid-input", "POST", "self/rotate", body, token=key["token"]
        )
        assert problem["errors"][0]["field"] == "grace_s"
        assert await lasting_world.reason(key["token"]) is None

    @pytest.mark.asyncio(loop_scope="module")
    async def test_an_app_may_switch_it_off(self, lasting_world: World):
        key = await lasting_world.key()
        await lasting_world.made("PATCH", f"apps/{key['app_id']}", {"self_rotation": False})
        await lasting_world.refused(403, "self-rotation-off", "POST", "self/rotate", token=key["token"])
        await lasting_world.made("GET", "self", token=key["token"])

    @pytest.mark.asyncio(loop_scope="module")
    async def test_five_versions_are_the_most_here_too(self, lasting_world: World):
        token = (await lasting_world.key())["token"]
        for _ in range(4):
            token = (await lasting_world.made("POST", "self/rotate", token=token))["token"]
        await lasting_world.refused(409, "too-many-versions", "POST", "self/rotate", token=token)

    @pytest.mark.asyncio(loop_scope="module")
    async def test_personal_and_root_keys_rotate_themselves_too(self, lasting_world: World):
        member = await lasting_world.member(await lasting_world.organization(), "viewer")
        for key in (await lasting_world.personal_key(member), await lasting_world.root_key()):
            rotated = await lasting_world.made("POST", "self/rotate", token=key["token"])
            assert (await lasting_world.made("GET", "self", token=rotated["token"]))["id"] == key["id"]


class TestConstraintsInOurOwnApi:
    """Judged on what follows `/api/v1/`, raw as sent."""

    RULES: ClassVar[Json] = {"constraints": [{"type": "prefix", "pattern": "keys/", "methods": ["GET"]}]}

    @pytest.mark.asyncio(loop_scope="module")
    async def test_what_they_allow_and_no_more(self, lasting_world: World):
        member = await lasting_world.member(await lasting_world.organization(), "owner")
        key = await lasting_world.personal_key(member, **self.RULES)
        token, path = key["token"], f"keys/{key['id']}"
        await lasting_world.made("GET", path, token=token)
        for method, there in (("GET", "scopes"), ("DELETE", path), ("POST", "verify")):
            await lasting_world.refused(403, "constraint-unmet", method, there, token=token)

    @pytest.mark.parametrize("there", ["keys%2F{id}", "keys//{id}", "keys/x/..%2F{id}", "keys/{id};x"])
    @pytest.mark.asyncio(loop_scope="module")
    async def test_an_ambiguous_path_is_refused(self, lasting_world: World, there: str):
        member = await lasting_world.member(await lasting_world.organization(), "owner")
        key = await lasting_world.personal_key(member, **self.RULES)
        answer = await lasting_world.call("GET", there.format(id=key["id"]), token=key["token"])
        assert answer.status_code in {403, 404}
        assert not answer.is_success

    @pytest.mark.asyncio(loop_scope="module")
    async def test_a_method_override_is_refused(self, lasting_world: World):
        member = await lasting_world.member(await lasting_world.organization(), "owner")
        key = await lasting_world.personal_key(member, **self.RULES)
        await lasting_world.refused(
            403,
            "ambiguous-request",
            "GET",
            f"keys/{key['id']}",
            token=key["token"],
            headers={"X-HTTP-Method-Override": "DELETE"},
        )


class TestMe:
    @pytest.mark.asyncio(loop_scope="module")
    async def test_a_personal_key_sees_its_user_and_this_membership(self, lasting_world: World):
        member = await lasting_world.member(await lasting_world.organization(), "developer")
        other = await lasting_world.organization()
        body = {"user_id": member["user_id"], "role": "owner"}
        await lasting_world.made("POST", f"organizations/{other['id']}/members", body)
        key = await lasting_world.personal_key(member)
        me = await lasting_world.made("GET", "users/me", token=key["token"])
        assert (me["id"], me["email"]) == (member["user_id"], member["email"])
        assert me["memberships"] == [{"organization_id": member["organization_id"], "role": "developer"}]

    @pytest.mark.asyncio(loop_scope="module")
    async def test_nobody_else_has_a_user(self, lasting_world: World):
        await lasting_world.refused(403, "forbidden", "GET", "users/me")
        key = await lasting_world.key()
        await lasting_world.refused(403, "forbidden", "GET", "users/me", token=key["token"])
