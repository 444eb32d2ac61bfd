"""Members: who may give, change and take which role, the last owner, and what leaving ends."""

import secrets

import pytest

from tests.api.world import Json, World

ROLES = ["owner", "admin", "developer", "viewer"]
RANK = {"owner": 3, "admin": 2, "developer": 1, "viewer": 0}


async def actor_in(world: World, organization: Json, role: str) -> str:
    return str((await world.personal_key(await world.member(organization, role)))["token"])


def path_of(member: Json) -> str:
    return f"organizations/{member['organization_id']}/members/{member['user_id']}"


async def test_an_email_not_yet_known_makes_the_user(world: World):
    organization = await world.organization()
    path = f"organizations/{organization['id']}/members"
    answer = await world.call("POST", path, json={"email": " Ada@Example.com ", "role": "admin"})
    member = answer.json()
    assert answer.status_code == 201
    assert (member["email"], member["role"]) == ("ada@example.com", "admin")
    user = await world.made("GET", f"users/{member['user_id']}")
    assert user["email"] == "ada@example.com"
    listed = (await world.made("GET", path))["items"]
    assert [it["user_id"] for it in listed] == [member["user_id"]]


async def test_the_same_person_joins_several_organizations(sqlite_world: World):
    first, second = await sqlite_world.organization(), await sqlite_world.organization()
    member = await sqlite_world.member(first, "owner")
    path = f"organizations/{second['id']}/members"
    by_id = {"user_id": member["user_id"], "role": "viewer"}
    assert (await sqlite_world.made("POST", path, by_id))["user_id"] == member["user_id"]
    by_email = {"email": member["email"], "role": "viewer"}
    await sqlite_world.refused(409, "already-member", "POST", path, by_email)
    # With two organizations, a personal key must say which it is for.
    keys = f"users/{member['user_id']}/keys"
    problem = await sqlite_world.refused(422, "invalid-input", "POST", keys, {"name": "Mine"})
    assert problem["errors"][0]["field"] == "organization_id"
    body = {"name": "Mine", "organization_id": second["id"]}
    key = await sqlite_world.made("POST", keys, body)
    me = await sqlite_world.made("GET", "users/me", token=key["token"])
    assert me["memberships"] == [{"organization_id": second["id"], "role": "viewer"}]
    elsewhere = {"name": "Mine", "organization_id": (await sqlite_world.organization())["id"]}
    await sqlite_world.refused(404, "not-found", "POST", keys, elsewhere)


@pytest.mark.parametrize(
    "body",
    [
        {"role": "viewer"},
        {"role": "viewer", "email": "a@example.com", "user_id": "usr_0000000000000000000000"},
        {"email": "a@example.com"},
        {"email": "a@example.com", "role": "king"},
        {"email": "not an address", "role": "viewer"},
    ],
)
async def test_a_member_is_named_one_way_with_a_role(sqlite_world: World, body: Json):
    organization = await sqlite_world.organization()
    path = f"organizations/{organization['id']}/members"
    before = await sqlite_world.row_counts()
    await sqlite_world.refused(422, "invalid-input", "POST", path, body)
    assert await sqlite_world.row_counts() == before


async def test_a_customer_adds_by_email_only(sqlite_world: World):
    elsewhere = await sqlite_world.member(await sqlite_world.organization(), "viewer")
    organization = await sqlite_world.organization()
    owner = await actor_in(sqlite_world, organization, "owner")
    path = f"organizations/{organization['id']}/members"
    for user_id in (elsewhere["user_id"], "usr_0000000000000000000000"):
        body = {"user_id": user_id, "role": "viewer"}
        await sqlite_world.refused(404, "not-found", "POST", path, body, token=owner)


class TestRoles:
    """Nobody gives, changes or takes a role above their own; a personal key never touches an owner."""

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize("actor", ROLES)
    @pytest.mark.parametrize("role", ROLES)
    async def test_who_gives_which(self, lasting_world: World, actor: str, role: str):
        organization = await lasting_world.organization()
        token = await actor_in(lasting_world, organization, actor)
        other = await lasting_world.member(organization, "viewer")
        allowed = RANK[actor] >= RANK["admin"] and role != "owner" and RANK[role] <= RANK[actor]
        path = f"organizations/{organization['id']}/members"
        for method, there, body in (
            ("POST", path, {"email": f"{actor}-{role}-{secrets.token_hex(4)}@example.com", "role": role}),
            ("PATCH", path_of(other), {"role": role}),
        ):
            answer = await lasting_world.call(method, there, json=body, token=token)
            assert answer.is_success == allowed, answer.text
            assert allowed or answer.status_code == 403

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize("actor", ROLES)
    @pytest.mark.parametrize("role", ROLES)
    async def test_who_changes_and_takes_which(self, lasting_world: World, actor: str, role: str):
        organization = await lasting_world.organization()
        token = await actor_in(lasting_world, organization, actor)
        await lasting_world.member(organization, "owner")
        other = await lasting_world.member(organization, role)
        allowed = RANK[actor] >= RANK["admin"] and role != "owner"
        for method, body in (("PATCH", {"role": "viewer"}), ("DELETE", None)):
            answer = await lasting_world.call(method, path_of(other), json=body, token=token)
            assert answer.is_success == allowed, answer.text
            assert allowed or answer.status_code == 403

    async def test_the_provider_gives_any(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        await sqlite_world.member(organization, "owner")
        member = await sqlite_world.member(organization, "viewer")
        for role in ROLES:
            changed = await sqlite_world.made("PATCH", path_of(member), {"role": role})
            assert changed["role"] == role

    async def test_a_role_is_judged_at_every_request(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        member = await sqlite_world.member(organization, "admin")
        token = (await sqlite_world.personal_key(member))["token"]
        path, body = f"organizations/{organization['id']}", {"name": "New"}
        await sqlite_world.made("PATCH", path, body, token=token)
        await sqlite_world.made("PATCH", path_of(member), {"role": "developer"})
        await sqlite_world.refused(403, "forbidden", "PATCH", path, body, token=token)


class TestTheLastOwner:
    @pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
    async def test_is_not_demoted(self, sqlite_world: World, role: str):
        member = await sqlite_world.member(await sqlite_world.organization(), "owner")
        await sqlite_world.refused(409, "last-owner", "PATCH", path_of(member), {"role": role})

    async def test_does_not_leave_until_there_is_another(self, world: World):
        organization = await world.organization()
        member = await world.member(organization, "owner")
        await world.refused(409, "last-owner", "DELETE", path_of(member))
        assert (await world.made("PATCH", path_of(member), {"role": "owner"}))["role"] == "owner"
        await world.member(organization, "owner")
        await world.made("DELETE", path_of(member))


class TestLeaving:
    async def test_it_revokes_the_personal_keys_there_at_once_and_no_other(self, world: World):
        first, second = await world.organization(), await world.organization()
        member = await world.member(first, "developer")
        await world.made(
            "POST", f"organizations/{second['id']}/members", {"user_id": member["user_id"], "role": "viewer"}
        )
        there = await world.personal_key(member)
        elsewhere = await world.personal_key({**member, "organization_id": second["id"]})
        app_key = await world.made(
            "POST", f"apps/{(await world.app(first))['id']}/keys", {"name": "App"}, token=there["token"]
        )
        removed = await world.made("DELETE", path_of(member))
        ended = await world.made("GET", f"keys/{there['id']}")
        assert (ended["status"], ended["revoked_reason"]) == ("revoked", "owner_left")
        assert await world.reason(there["token"], owner="user") == "REVOKED"
        assert await world.reason(elsewhere["token"], owner="user") is None
        # App keys outlive whoever made them.
        assert await world.reason(app_key["token"]) is None
        changes = {row[2] for row in (await world.rows())["changes"] if row[0] == removed["epoch"]}
        assert there["id"] in changes
        assert elsewhere["id"] not in changes
        await world.refused(404, "not-found", "DELETE", path_of(member))

    async def test_coming_back_does_not_bring_the_keys_back(self, sqlite_world: World):
        member = await sqlite_world.member(await sqlite_world.organization(), "viewer")
        key = await sqlite_world.personal_key(member)
        await sqlite_world.made("DELETE", path_of(member))
        path = f"organizations/{member['organization_id']}/members"
        await sqlite_world.made("POST", path, {"user_id": member["user_id"], "role": "viewer"})
        assert await sqlite_world.reason(key["token"], owner="user") == "REVOKED"


async def test_whoever_is_no_member_is_not_found(sqlite_world: World):
    organization = await sqlite_world.organization()
    stranger = await sqlite_world.member(await sqlite_world.organization(), "viewer")
    path = f"organizations/{organization['id']}/members/{stranger['user_id']}"
    await sqlite_world.refused(404, "not-found", "PATCH", path, {"role": "viewer"})
    await sqlite_world.refused(404, "not-found", "DELETE", path)
