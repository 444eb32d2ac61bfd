"""The provider grants, a customer cannot widen: the scope catalogue and each organization's ceiling."""

from typing import Any

import pytest

from tests.api.world import Json, World


async def customer_in(world: World, role: str = "owner", **ceiling: Any) -> tuple[Json, str, Json]:
    """An organization under a ceiling, a member's personal token, and an app."""
    organization = await world.organization(ceiling=ceiling)
    token = (await world.personal_key(await world.member(organization, role)))["token"]
    return organization, token, await world.app(organization)


async def test_without_a_ceiling_all_is_grantable_for_ever(sqlite_world: World):
    organization = await sqlite_world.organization()
    assert organization["ceiling"] == {
        "scopes": None,
        "max_lifetime_s": None,
        "public_methods": ["GET", "HEAD"],
    }


class TestScopes:
    async def test_outside_the_catalogue_is_422_for_everyone(self, world: World):
        _, token, app = await customer_in(world)
        for asks in (token, world.root):
            body = {"name": "Key", "scopes": ["jobs:read"]}
            problem = await world.refused(
                422, "invalid-input", "POST", f"apps/{app['id']}/keys", body, token=asks
            )
            assert problem["errors"][0]["field"] == "scopes"
            assert "jobs:read" in problem["detail"]

    async def test_what_customers_may_not_grant_the_provider_may(self, sqlite_world: World):
        await sqlite_world.scope("jobs:admin", customer_grantable=False)
        _, token, app = await customer_in(sqlite_world)
        path, body = f"apps/{app['id']}/keys", {"name": "Key", "scopes": ["jobs:admin"]}
        problem = await sqlite_world.refused(403, "above-ceiling", "POST", path, body, token=token)
        assert "jobs:admin" in problem["detail"]
        key = await sqlite_world.made("POST", path, body)
        assert await sqlite_world.reason(key["token"], scopes=["jobs:admin"]) is None
        # What the provider granted stays when the customer changes something else.
        change = {"name": "New", "scopes": ["jobs:admin"]}
        await sqlite_world.made("PATCH", f"keys/{key['id']}", change, token=token)

    async def test_a_wildcard_only_where_the_catalogue_lists_it(self, sqlite_world: World):
        await sqlite_world.scope("jobs:read")
        _, token, app = await customer_in(sqlite_world)
        path, body = f"apps/{app['id']}/keys", {"name": "Key", "scopes": ["jobs:*"]}
        await sqlite_world.refused(422, "invalid-input", "POST", path, body, token=token)
        await sqlite_world.scope("jobs:*", customer_grantable=False)
        await sqlite_world.refused(403, "above-ceiling", "POST", path, body, token=token)
        await sqlite_world.made("PATCH", "scopes/jobs:*", {"customer_grantable": True})
        key = await sqlite_world.made("POST", path, body, token=token)
        assert await sqlite_world.reason(key["token"], scopes=["jobs:read", "jobs:write"]) is None

    @pytest.mark.parametrize(
        ("ceiling", "granted"),
        [
            (None, True),
            ([], False),
            (["mail:send"], False),
            (["jobs:read"], True),
            (["jobs:*"], True),
            (["*:read"], True),
            (["*:*"], True),
        ],
    )
    async def test_the_ceiling_covers_what_may_be_granted(
        self, sqlite_world: World, ceiling: list[str] | None, *, granted: bool
    ):
        await sqlite_world.scope("jobs:read")
        _, token, app = await customer_in(sqlite_world, scopes=ceiling)
        path, body = f"apps/{app['id']}/keys", {"name": "Key", "scopes": ["jobs:read"]}
        for asks in (token, sqlite_world.root):
            if granted:
                await sqlite_world.made("POST", path, body, token=asks)
            else:
                problem = await sqlite_world.refused(403, "above-ceiling", "POST", path, body, token=asks)
                assert "ceiling" in problem["detail"]

    async def test_patch_is_held_to_it_for_what_is_new_only(self, sqlite_world: World):
        await sqlite_world.scope("jobs:read")
        await sqlite_world.scope("mail:send")
        organization, token, app = await customer_in(sqlite_world)
        key = await sqlite_world.key(app, scopes=["jobs:read"])
        path = f"organizations/{organization['id']}"
        await sqlite_world.made("PATCH", path, {"ceiling": {"scopes": []}})
        change = {"scopes": ["jobs:read", "mail:send"]}
        await sqlite_world.refused(403, "above-ceiling", "PATCH", f"keys/{key['id']}", change, token=token)
        await sqlite_world.made("PATCH", f"keys/{key['id']}", {"scopes": ["jobs:read"]}, token=token)
        assert await sqlite_world.reason(key["token"], scopes=["jobs:read"]) is None


class TestLifetime:
    async def test_not_said_is_as_the_ceiling_says(self, world: World):
        _, token, app = await customer_in(world, max_lifetime_s=60)
        for asks in (token, world.root):
            key = await world.made("POST", f"apps/{app['id']}/keys", {"name": "Key"}, token=asks)
            assert key["expires_at"] == "2030-01-01T00:01:00Z"

    @pytest.mark.parametrize(
        ("expiry", "granted"),
        [
            ({"expires_in": 59}, True),
            ({"expires_in": 60}, True),
            ({"expires_in": 61}, False),
            ({"expires_at": "2030-01-01T00:01:00Z"}, True),
            ({"expires_at": "2030-01-01T00:01:00.001Z"}, False),
            ({"expires_at": None}, False),
        ],
    )
    async def test_making_changing_and_rotating_stay_below_it(
        self, sqlite_world: World, expiry: Json, *, granted: bool
    ):
        _, token, app = await customer_in(sqlite_world, max_lifetime_s=60)
        key = await sqlite_world.key(app, expires_in=1)
        for method, path, body in (
            ("POST", f"apps/{app['id']}/keys", {"name": "Key", **expiry}),
            ("PATCH", f"keys/{key['id']}", expiry),
            ("POST", f"keys/{key['id']}/rotate", expiry),
        ):
            for asks in (token, sqlite_world.root):
                if granted:
                    await sqlite_world.made(method, path, body, token=asks)
                else:
                    problem = await sqlite_world.refused(403, "above-ceiling", method, path, body, token=asks)
                    assert "max_lifetime_s" in problem["detail"]

    async def test_an_ephemeral_key_takes_the_shorter(self, sqlite_world: World):
        _, _, app = await customer_in(sqlite_world, max_lifetime_s=60)
        assert (await sqlite_world.key(app, ephemeral=True))["expires_at"] == "2030-01-01T00:01:00Z"

    async def test_lowering_it_leaves_the_keys_there_are(self, sqlite_world: World):
        organization, token, app = await customer_in(sqlite_world)
        key = await sqlite_world.key(app)
        await sqlite_world.made(
            "PATCH", f"organizations/{organization['id']}", {"ceiling": {"max_lifetime_s": 60}}
        )
        assert await sqlite_world.reason(key["token"]) is None
        change = {"name": "New", "expires_at": None}
        renamed = await sqlite_world.made("PATCH", f"keys/{key['id']}", change, token=token)
        assert renamed["expires_at"] is None


class TestPublicMethods:
    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize(
        ("methods", "method", "reason"),
        [
            (None, "GET", None),
            (None, "HEAD", None),
            (None, "POST", "CONSTRAINT_UNMET"),
            (None, "get", "CONSTRAINT_UNMET"),
            (None, None, "CONSTRAINT_UNMET"),
            (["POST"], "POST", None),
            (["POST"], "GET", "CONSTRAINT_UNMET"),
            ([], "GET", "CONSTRAINT_UNMET"),
        ],
    )
    async def test_a_public_key_can_never_do_more(
        self, lasting_world: World, methods: list[str] | None, method: str | None, reason: str | None
    ):
        _, _, app = await customer_in(lasting_world, public_methods=methods)
        # Its own constraints say every method, and cannot widen.
        constraints = [{"type": "prefix", "pattern": "/"}]
        for key in (
            await lasting_world.key(app, type="public"),
            await lasting_world.key(app, type="public", constraints=constraints),
        ):
            assert await lasting_world.reason(key["token"], method=method) == reason
        secret = await lasting_world.key(app)
        assert await lasting_world.reason(secret["token"], method=method) is None


class TestSettingIt:
    async def test_what_is_left_out_stays_and_null_lifts(self, sqlite_world: World):
        organization = await sqlite_world.organization(
            ceiling={"scopes": ["a:b"], "max_lifetime_s": 60, "public_methods": ["POST"]}
        )
        path = f"organizations/{organization['id']}"
        full = {"scopes": ["a:b"], "max_lifetime_s": 60, "public_methods": ["POST"]}
        steps: list[tuple[Any, Json]] = [
            ({}, full),
            ({"scopes": None}, {**full, "scopes": None}),
            (
                {"max_lifetime_s": None, "public_methods": None},
                {"scopes": None, "max_lifetime_s": None, "public_methods": ["GET", "HEAD"]},
            ),
            (full, full),
            (None, {"scopes": None, "max_lifetime_s": None, "public_methods": ["GET", "HEAD"]}),
        ]
        for sent, seen in steps:
            assert (await sqlite_world.made("PATCH", path, {"ceiling": sent}))["ceiling"] == seen

    ORGANIZATION = "organizations/{organization}"
    APP = "apps/{app}"
    PROVIDED: tuple[tuple[str, str, Json, str], ...] = (
        ("PATCH", ORGANIZATION, {"ceiling": {}}, "ceiling"),
        ("PATCH", ORGANIZATION, {"ceiling": None}, "ceiling"),
        ("PATCH", ORGANIZATION, {"metadata": {}}, "metadata"),
        ("PATCH", ORGANIZATION, {"external_id": "x"}, "external_id"),
        ("PATCH", ORGANIZATION, {"external_id": None}, "external_id"),
        ("PATCH", ORGANIZATION, {"disabled": True}, "disabled"),
        ("PATCH", ORGANIZATION, {"disabled": False}, "disabled"),
        ("PATCH", APP, {"metadata": {}}, "metadata"),
        ("PATCH", APP, {"external_id": "x"}, "external_id"),
        ("POST", f"{ORGANIZATION}/apps", {"name": "A", "metadata": {}}, "metadata"),
        ("POST", f"{ORGANIZATION}/apps", {"name": "A", "external_id": "y"}, "external_id"),
        ("POST", f"{APP}/keys", {"name": "K", "metadata": {}}, "metadata"),
        ("PATCH", "keys/{key}", {"metadata": {}}, "metadata"),
    )

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize(("method", "path", "body", "field"), PROVIDED)
    async def test_only_the_provider_sets_it_and_facts(
        self, lasting_world: World, method: str, path: str, body: Json, field: str
    ):
        organization, token, app = await customer_in(lasting_world)
        key = await lasting_world.key(app)
        there = path.format(organization=organization["id"], app=app["id"], key=key["id"])
        before = await lasting_world.row_counts()
        problem = await lasting_world.refused(403, "provider-only", method, there, body, token=token)
        assert field in problem["detail"]
        assert await lasting_world.row_counts() == before
        await lasting_world.made(method, there, body)

    async def test_personal_keys_are_held_to_the_same(self, sqlite_world: World):
        await sqlite_world.scope("jobs:read")
        organization = await sqlite_world.organization(ceiling={"scopes": [], "max_lifetime_s": 60})
        member = await sqlite_world.member(organization, "owner")
        path = f"users/{member['user_id']}/keys"
        for extra in ({"scopes": ["jobs:read"]}, {"expires_in": 61}, {"expires_at": None}):
            await sqlite_world.refused(403, "above-ceiling", "POST", path, {"name": "Mine", **extra})
        assert (await sqlite_world.personal_key(member))["expires_at"] == "2030-01-01T00:01:00Z"
