"""A customer cannot widen: what a key makes or changes of its own kind is provably no wider than itself."""

from typing import Any

import pytest

from tests.api.world import Json, World


def rule(kind: str, pattern: str | None, *methods: str) -> Json:
    return {"type": kind, **({} if pattern is None else {"pattern": pattern}), "methods": list(methods)}


POSTS = {"constraints": [rule("prefix", "users/", "GET", "POST")]}
SHAPED = {"constraints": [rule("regex", "users/.*")]}
LOCAL = {"allowed_networks": ["127.0.0.0/8"]}
PAGES = {"allowed_origins": ["https://*.example.com"]}
JOBS = {"scopes": ["jobs:*"]}
HOUR = {"expires_in": 3600}
ANYTHING: Json = {}

# What the maker may, what it asks for, and the field in which that is too wide (None: it is made).
CASES: list[tuple[str, Json, Json, str | None]] = [
    ("an equal prefix", POSTS, POSTS, None),
    ("a longer prefix", POSTS, {"constraints": [rule("prefix", "users/me", "GET")]}, None),
    ("an exact path within", POSTS, {"constraints": [rule("exact", "/users/me", "GET")]}, None),
    ("two rules, both within", POSTS, {"constraints": POSTS["constraints"] * 2}, None),
    ("fewer methods", POSTS, {"constraints": [rule("prefix", "users/", "GET")]}, None),
    ("no rule, which is any", POSTS, {"constraints": []}, "constraints"),
    ("no methods, which is every", POSTS, {"constraints": [rule("prefix", "users/")]}, "constraints"),
    ("another method", POSTS, {"constraints": [rule("prefix", "users/", "DELETE")]}, "constraints"),
    ("a shorter prefix", POSTS, {"constraints": [rule("prefix", "user", "GET")]}, "constraints"),
    ("a path beside", POSTS, {"constraints": [rule("exact", "apps", "GET")]}, "constraints"),
    ("any path", POSTS, {"constraints": [rule("verb", None, "GET")]}, "constraints"),
    (
        "one rule within, one not",
        POSTS,
        {"constraints": [*POSTS["constraints"], rule("exact", "x", "GET")]},
        "constraints",
    ),
    (
        "a regex in a prefix, unproved",
        POSTS,
        {"constraints": [rule("regex", "users/x", "GET")]},
        "constraints",
    ),
    ("the same regex", SHAPED, SHAPED, None),
    ("the same regex, fewer methods", SHAPED, {"constraints": [rule("regex", "users/.*", "GET")]}, None),
    ("an exact path that the regex takes", SHAPED, {"constraints": [rule("exact", "users/me")]}, None),
    ("another regex, unproved", SHAPED, {"constraints": [rule("regex", "users/[a-z]+")]}, "constraints"),
    ("a rule where the maker has none", ANYTHING, POSTS, None),
    ("an equal network", LOCAL, LOCAL, None),
    ("a smaller network", LOCAL, {"allowed_networks": ["127.0.0.1", "127.1.0.0/16"]}, None),
    ("no network, which is any", LOCAL, {"allowed_networks": []}, "allowed_networks"),
    ("a larger network", LOCAL, {"allowed_networks": ["0.0.0.0/0"]}, "allowed_networks"),
    ("a network beside", LOCAL, {"allowed_networks": ["127.0.0.1", "10.0.0.1"]}, "allowed_networks"),
    ("an equal origin", PAGES, PAGES, None),
    ("an origin under the wildcard", PAGES, {"allowed_origins": ["https://a.example.com"]}, None),
    ("no origin, which is any", PAGES, {"allowed_origins": []}, "allowed_origins"),
    ("an origin two labels down", PAGES, {"allowed_origins": ["https://a.b.example.com"]}, "allowed_origins"),
    ("the origin itself", PAGES, {"allowed_origins": ["https://example.com"]}, "allowed_origins"),
    ("an equal scope", JOBS, JOBS, None),
    ("a scope within", JOBS, {"scopes": ["jobs:read"]}, None),
    ("no scope, which is none", JOBS, {"scopes": []}, None),
    ("a scope beside", JOBS, {"scopes": ["mail:send"]}, "scopes"),
    ("a scope where the maker has none", ANYTHING, {"scopes": ["jobs:read"]}, "scopes"),
    ("an equal life", HOUR, HOUR, None),
    ("a shorter life", HOUR, {"expires_in": 1}, None),
    ("a longer life", HOUR, {"expires_in": 3601}, "expires_at"),
    ("a life without end", HOUR, {"expires_at": None}, "expires_at"),
    ("a life where the maker's has no end", ANYTHING, HOUR, None),
]
ORIGIN = {"Origin": "https://a.example.com"}


async def catalogue(world: World) -> None:
    if not (await world.made("GET", "scopes"))["items"]:
        for name in ("jobs:*", "jobs:read", "mail:send"):
            await world.scope(name)


async def maker_in(world: World, **may: Any) -> tuple[Json, Json]:
    """A member, and a personal key of its own with what it may."""
    await catalogue(world)
    member = await world.member(await world.organization(), "developer")
    return member, await world.personal_key(member, **may)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("may", "asked", "field"), [it[1:] for it in CASES], ids=[it[0] for it in CASES])
async def test_a_personal_key_makes_only_what_is_no_wider(
    lasting_world: World, may: Json, asked: Json, field: str | None
):
    member, maker = await maker_in(lasting_world, **may)
    path, body = f"users/{member['user_id']}/keys", {"name": "Made", **asked}
    if field is None:
        made = await lasting_world.made("POST", path, body, token=maker["token"], headers=ORIGIN)
        assert made["created_by"] == {"kind": "key", "id": maker["id"]}
        return
    before = await lasting_world.row_counts()
    problem = await lasting_world.refused(
        403, "beyond-reach", "POST", path, body, token=maker["token"], headers=ORIGIN
    )
    assert problem["detail"].startswith(field)
    assert await lasting_world.row_counts() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("may", [POSTS, SHAPED, LOCAL, PAGES, JOBS, HOUR])
async def test_what_is_not_given_is_inherited(lasting_world: World, may: Json):
    member, maker = await maker_in(lasting_world, **may)
    made = await lasting_world.made(
        "POST", f"users/{member['user_id']}/keys", {"name": "Made"}, token=maker["token"], headers=ORIGIN
    )
    inherited = ("constraints", "allowed_origins", "allowed_networks", "scopes", "expires_at")
    assert {name: made[name] for name in inherited} == {name: maker[name] for name in inherited}


class TestLifetime:
    async def test_it_may_be_as_long_as_the_makers_was_when_made(self, sqlite_world: World):
        member, maker = await maker_in(sqlite_world, **HOUR)
        path = f"users/{member['user_id']}/keys"
        sqlite_world.clock.advance(seconds=3599)
        made = await sqlite_world.made("POST", path, {"name": "Next", **HOUR}, token=maker["token"])
        assert made["expires_at"] == "2030-01-01T01:59:59Z"
        # "Make a new one, delete the old" goes on for ever.
        await sqlite_world.made("DELETE", f"keys/{maker['id']}", token=made["token"])

    async def test_a_ceiling_below_the_makers_life_is_what_is_inherited(self, sqlite_world: World):
        member, maker = await maker_in(sqlite_world, **HOUR)
        path = f"organizations/{member['organization_id']}"
        await sqlite_world.made("PATCH", path, {"ceiling": {"max_lifetime_s": 60}})
        made = await sqlite_world.made(
            "POST", f"users/{member['user_id']}/keys", {"name": "Next"}, token=maker["token"]
        )
        assert made["expires_at"] == "2030-01-01T00:01:00Z"

    async def test_an_ephemeral_key_lives_no_longer_than_its_maker(self, sqlite_world: World):
        member, maker = await maker_in(sqlite_world, expires_in=60)
        body = {"name": "Job", "ephemeral": True}
        made = await sqlite_world.made("POST", f"users/{member['user_id']}/keys", body, token=maker["token"])
        assert made["expires_at"] == "2030-01-01T00:01:00Z"


class TestChanging:
    WIDER = (
        ("PATCH", "", {"name": "New"}),
        ("PATCH", "", {"constraints": POSTS["constraints"]}),
        ("POST", "/rotate", None),
        ("POST", "/enable", None),
        ("POST", "/reveal", None),
    )

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize(("method", "tail", "body"), WIDER)
    async def test_a_wider_key_is_out_of_reach_even_to_narrow_it(
        self, lasting_world: World, method: str, tail: str, body: Json | None
    ):
        member, maker = await maker_in(lasting_world, constraints=[rule("prefix", "keys/")])
        wide = await lasting_world.personal_key(member, type="public")
        path = f"keys/{wide['id']}{tail}"
        await lasting_world.refused(403, "beyond-reach", method, path, body, token=maker["token"])

    async def test_a_wider_key_may_still_be_stopped(self, sqlite_world: World):
        member, maker = await maker_in(sqlite_world, constraints=[rule("prefix", "keys/")])
        wide = await sqlite_world.personal_key(member)
        path = f"keys/{wide['id']}"
        await sqlite_world.made("POST", f"{path}/disable", token=maker["token"])
        await sqlite_world.made("DELETE", path, token=maker["token"])

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"constraints": []}, "constraints"),
            ({"allowed_networks": []}, "allowed_networks"),
            ({"scopes": ["mail:send"]}, "scopes"),
            ({"expires_in": 3601}, "expires_at"),
            ({"expires_at": None}, "expires_at"),
        ],
    )
    async def test_a_key_cannot_widen_itself(self, sqlite_world: World, change: Json, field: str):
        constraints = [rule("prefix", "keys/"), rule("exact", "self/rotate")]
        _, maker = await maker_in(sqlite_world, constraints=constraints, **LOCAL, **JOBS, **HOUR)
        problem = await sqlite_world.refused(
            403, "beyond-reach", "PATCH", f"keys/{maker['id']}", change, token=maker["token"]
        )
        assert problem["detail"].startswith(field)

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize("route", ["keys/{id}/rotate", "self/rotate"])
    @pytest.mark.parametrize("expiry", [{"expires_in": 3601}, {"expires_at": None}])
    async def test_a_key_cannot_rotate_itself_into_a_longer_life(
        self, lasting_world: World, route: str, expiry: Json
    ):
        _, maker = await maker_in(lasting_world, **HOUR)
        path = route.format(id=maker["id"])
        await lasting_world.refused(403, "beyond-reach", "POST", path, expiry, token=maker["token"])

    @pytest.mark.parametrize("expiry", [{"expires_in": 3601}, {"expires_at": None}])
    async def test_nor_can_an_app_key_through_self(self, sqlite_world: World, expiry: Json):
        key = await sqlite_world.key(**HOUR)
        await sqlite_world.refused(403, "beyond-reach", "POST", "self/rotate", expiry, token=key["token"])
        assert (await sqlite_world.made("GET", f"keys/{key['id']}"))["expires_at"] == key["expires_at"]
        await sqlite_world.made("POST", "self/rotate", HOUR, token=key["token"])


class TestBetweenKinds:
    async def test_the_role_decides_and_nothing_is_copied(self, sqlite_world: World):
        member, maker = await maker_in(
            sqlite_world, constraints=[rule("prefix", "apps/")], **LOCAL, **JOBS, **HOUR
        )
        app = await sqlite_world.app({"id": member["organization_id"]})
        body = {"name": "Of the app", "scopes": ["mail:send"]}
        made = await sqlite_world.made("POST", f"apps/{app['id']}/keys", body, token=maker["token"])
        assert (made["constraints"], made["allowed_networks"], made["expires_at"]) == ([], [], None)
        assert made["scopes"] == ["mail:send"]

    async def test_a_root_key_makes_and_changes_app_keys_of_any_width(self, sqlite_world: World):
        root = await sqlite_world.root_key(
            "keys:*", constraints=[rule("prefix", "apps/"), rule("prefix", "keys/")], **HOUR
        )
        app = await sqlite_world.app()
        path = f"apps/{app['id']}/keys"
        made = await sqlite_world.made("POST", path, {"name": "Key"}, token=root["token"])
        assert (made["constraints"], made["scopes"], made["expires_at"]) == ([], [], None)


ROOT_CASES: list[tuple[str, list[str], Json, Json, str | None]] = [
    ("the same scope", ["root_keys:*"], {}, {"scopes": ["root_keys:*"]}, None),
    ("no scope", ["root_keys:*"], {}, {"scopes": []}, None),
    ("a scope beside", ["root_keys:*"], {}, {"scopes": ["verify"]}, "scopes"),
    ("every scope", ["root_keys:*", "verify"], {}, {"scopes": ["*"]}, "scopes"),
    ("from every scope", ["*"], {}, {"scopes": ["*"]}, None),
    ("a longer life", ["*"], HOUR, {"scopes": [], "expires_in": 3601}, "expires_at"),
    ("any network", ["*"], LOCAL, {"scopes": [], "allowed_networks": []}, "allowed_networks"),
    (
        "any request",
        ["*"],
        {"constraints": [rule("prefix", "root-keys")]},
        {"scopes": [], "constraints": []},
        "constraints",
    ),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("scopes", "may", "asked", "field"), [it[1:] for it in ROOT_CASES], ids=[it[0] for it in ROOT_CASES]
)
async def test_a_root_key_makes_only_root_keys_no_wider(
    lasting_world: World, scopes: list[str], may: Json, asked: Json, field: str | None
):
    maker = await lasting_world.root_key(*scopes, **may)
    body = {"name": "Made", **asked}
    if field is None:
        await lasting_world.made("POST", "root-keys", body, token=maker["token"])
        return
    problem = await lasting_world.refused(
        403, "beyond-reach", "POST", "root-keys", body, token=maker["token"]
    )
    assert problem["detail"].startswith(field)


async def test_a_root_key_cannot_take_over_a_wider_one(sqlite_world: World):
    small = (await sqlite_world.root_key("root_keys:*"))["token"]
    wide = await sqlite_world.root_key("*")
    await sqlite_world.refused(403, "beyond-reach", "POST", f"keys/{wide['id']}/rotate", token=small)
    await sqlite_world.refused(
        403, "beyond-reach", "PATCH", f"keys/{wide['id']}", {"scopes": []}, token=small
    )


class TestEphemeral:
    @pytest.mark.parametrize("kind", ["personal", "root"])
    async def test_an_ephemeral_key_makes_no_key_of_any_kind(self, sqlite_world: World, kind: str):
        member = await sqlite_world.member(await sqlite_world.organization(), "owner")
        app = await sqlite_world.app({"id": member["organization_id"]})
        if kind == "personal":
            token = (await sqlite_world.personal_key(member, ephemeral=True))["token"]
        else:
            token = (await sqlite_world.root_key("*", ephemeral=True))["token"]
        bodies = {
            f"apps/{app['id']}/keys": {"name": "Key"},
            f"users/{member['user_id']}/keys": {"name": "Mine", "organization_id": app["organization_id"]},
        }
        if kind == "root":
            bodies["root-keys"] = {"name": "Root", "scopes": []}
        before = await sqlite_world.row_counts()
        for path, body in bodies.items():
            await sqlite_world.refused(403, "ephemeral-makes-none", "POST", path, body, token=token)
        assert await sqlite_world.row_counts() == before

    @pytest.mark.parametrize("seconds", [1, 86_400])
    async def test_it_lives_a_day_at_most(self, sqlite_world: World, seconds: int):
        key = await sqlite_world.key(ephemeral=True, expires_in=seconds)
        assert key["ephemeral"]

    @pytest.mark.parametrize("expiry", [{"expires_in": 86_401}, {"expires_at": None}])
    async def test_nor_longer(self, sqlite_world: World, expiry: Json):
        app = await sqlite_world.app()
        body = {"name": "Job", "ephemeral": True, **expiry}
        await sqlite_world.refused(422, "invalid-input", "POST", f"apps/{app['id']}/keys", body)
        key = await sqlite_world.key(app, ephemeral=True)
        await sqlite_world.refused(422, "invalid-input", "PATCH", f"keys/{key['id']}", expiry)
        await sqlite_world.refused(422, "invalid-input", "POST", f"keys/{key['id']}/rotate", expiry)

    async def test_it_lives_an_hour_unless_said(self, sqlite_world: World):
        assert (await sqlite_world.key(ephemeral=True))["expires_at"] == "2030-01-01T01:00:00Z"


class TestLineage:
    async def test_deleting_with_descendants_revokes_all_generations_in_one_epoch(self, world: World):
        member = await world.member(await world.organization(), "developer")
        path = f"users/{member['user_id']}/keys"
        parent = await world.personal_key(member)
        child = await world.made("POST", path, {"name": "Child"}, token=parent["token"])
        grandchild = await world.made("POST", path, {"name": "Grandchild"}, token=child["token"])
        app = await world.app({"id": member["organization_id"]})
        made_for_app = await world.made(
            "POST", f"apps/{app['id']}/keys", {"name": "App"}, token=child["token"]
        )
        await world.key(app)
        beside = await world.personal_key(member)
        assert grandchild["created_by"] == {"kind": "key", "id": child["id"]}

        answer = await world.made("DELETE", f"keys/{parent['id']}?descendants=true&reason=compromised")
        family = {child["id"], grandchild["id"], made_for_app["id"]}
        assert set(answer["descendants"]) == family
        for token in (parent, child, grandchild, made_for_app):
            assert await world.reason(token["token"], owner="any") == "REVOKED"
        assert await world.reason(beside["token"], owner="any") is None
        changes = {row[2] for row in (await world.rows())["changes"] if row[0] == answer["epoch"]}
        assert changes == {parent["id"], *family}
        assert (await world.made("GET", f"keys/{child['id']}"))["revoked_reason"] == "compromised"

    async def test_without_it_what_the_key_made_lives_on(self, sqlite_world: World):
        member = await sqlite_world.member(await sqlite_world.organization(), "developer")
        parent = await sqlite_world.personal_key(member)
        child = await sqlite_world.made(
            "POST", f"users/{member['user_id']}/keys", {"name": "Child"}, token=parent["token"]
        )
        answer = await sqlite_world.made("DELETE", f"keys/{parent['id']}")
        assert "descendants" not in answer
        assert await sqlite_world.reason(child["token"], owner="user") is None
        # The line is kept: the descendants of a revoked key can be revoked later.
        again = await sqlite_world.made("DELETE", f"keys/{parent['id']}?descendants=true")
        assert again["descendants"] == [child["id"]]
        assert await sqlite_world.reason(child["token"], owner="user") == "REVOKED"

    async def test_rotation_keeps_the_line(self, sqlite_world: World):
        member = await sqlite_world.member(await sqlite_world.organization(), "developer")
        parent = await sqlite_world.personal_key(member)
        rotated = await sqlite_world.made("POST", f"keys/{parent['id']}/rotate")
        path = f"users/{member['user_id']}/keys"
        child = await sqlite_world.made("POST", path, {"name": "Child"}, token=rotated["token"])
        answer = await sqlite_world.made("DELETE", f"keys/{parent['id']}?descendants=true")
        assert answer["descendants"] == [child["id"]]

    async def test_all_or_nothing_where_a_descendant_is_not_the_principals_to_manage(
        self, sqlite_world: World
    ):
        organization = await sqlite_world.organization()
        member = await sqlite_world.member(organization, "developer")
        parent = await sqlite_world.personal_key(member)
        app = await sqlite_world.app(organization)
        body = {"name": "App"}
        child = await sqlite_world.made("POST", f"apps/{app['id']}/keys", body, token=parent["token"])
        path = f"organizations/{organization['id']}/members/{member['user_id']}"
        await sqlite_world.made("PATCH", path, {"role": "viewer"})
        await sqlite_world.refused(
            403, "forbidden", "DELETE", f"keys/{parent['id']}?descendants=true", token=parent["token"]
        )
        for key in (parent, child):
            assert await sqlite_world.reason(key["token"], owner="any") is None

    async def test_the_last_key_is_protected_from_its_line_too(self, sqlite_world: World):
        member = await sqlite_world.member(await sqlite_world.organization(), "developer")
        parent = await sqlite_world.personal_key(member)
        app = await sqlite_world.app({"id": member["organization_id"]})
        body = {"name": "App"}
        child = await sqlite_world.made("POST", f"apps/{app['id']}/keys", body, token=parent["token"])
        await sqlite_world.refused(409, "last-key", "DELETE", f"keys/{parent['id']}?descendants=true")
        assert await sqlite_world.reason(parent["token"], owner="user") is None
        assert await sqlite_world.reason(child["token"]) is None
