"""Keys from making to revoking: their one shape, their defaults, and what never changes."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.world import Json, World, opened_world

FIELDS = {
    *("id", "name", "type", "environment", "organization_id", "app_id", "owner", "start", "last4", "status"),
    *("ephemeral", "created_at", "created_by", "expires_at", "last_used_at", "use_count", "constraints"),
    *("allowed_origins", "allowed_networks", "scopes", "labels", "metadata", "versions"),
    *("revoked_at", "revoked_reason"),
}
VERSION_FIELDS = {
    *("id", "start", "last4", "created_at", "retires_at"),
    *("last_used_at", "use_count", "origin_seen_at"),
}
NOTHING_THERE = "key_0000000000000000000000"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_key_is_the_same_object_wherever_it_is_shown(world: World):
    organization = await world.organization()
    app = await world.app(organization)
    await world.scope("jobs:read")
    asked = {
        "constraints": [
            {"type": "exact", "pattern": "/jobs", "methods": ["POST", "GET"]},
            {"type": "verb", "methods": ["HEAD"]},
        ],
        "allowed_origins": ["https://*.example.com"],
        "allowed_networks": ["192.0.2.0/24"],
        "scopes": ["jobs:read"],
        "labels": {"team": "ops"},
        "metadata": {"plan": "pro", "nested": {"n": [1, None, "ü"]}},
        "expires_in": 60,
    }
    answer = await world.call("POST", f"apps/{app['id']}/keys", json={"name": "Import", **asked})
    assert answer.status_code == 201
    made = answer.json()
    token, epoch = made.pop("token"), made.pop("epoch")
    assert isinstance(epoch, int)
    assert set(made) == FIELDS
    assert set(made["versions"][0]) == VERSION_FIELDS
    expected = {
        "name": "Import",
        "type": "secret",
        "environment": "live",
        "organization_id": organization["id"],
        "app_id": app["id"],
        "owner": {"kind": "app", "id": app["id"]},
        "start": token[:15],
        "last4": token[-4:],
        "status": "active",
        "ephemeral": False,
        "created_at": "2030-01-01T00:00:00Z",
        "expires_at": "2030-01-01T00:01:00Z",
        "last_used_at": None,
        "use_count": 0,
        "constraints": [
            {"type": "exact", "pattern": "/jobs", "methods": ["GET", "POST"]},
            {"type": "verb", "pattern": None, "methods": ["HEAD"]},
        ],
        **{name: asked[name] for name in ("allowed_origins", "allowed_networks", "scopes", "labels")},
        "metadata": asked["metadata"],
        "revoked_at": None,
        "revoked_reason": None,
    }
    assert {name: made[name] for name in expected} == expected
    assert made["created_by"]["kind"] == "root_key"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "no-store"

    read = await world.call("GET", f"keys/{made['id']}")
    assert (read.json(), read.headers["etag"]) == (made, '"1"')
    for path in (f"apps/{app['id']}/keys", f"organizations/{organization['id']}/keys"):
        assert made in (await world.made("GET", path))["items"]
    assert await world.made("POST", "keys/lookup", {"token": token}) == made


@pytest.mark.parametrize(
    ("kind", "environment", "shape"),
    [
        ("secret", "live", r"ks_sk_live_[0-9A-Za-z]{38}"),
        ("secret", "test", r"ks_sk_test_[0-9A-Za-z]{38}"),
        ("public", "live", r"ks_pk_live_[0-9A-Za-z]{38}"),
        ("public", "test", r"ks_pk_test_[0-9A-Za-z]{38}"),
    ],
)
async def test_a_token_says_what_it_is(sqlite_world: World, kind: str, environment: str, shape: str):
    key = await sqlite_world.key(await sqlite_world.app(environment=environment), type=kind)
    assert re.fullmatch(shape, key["token"])
    assert (key["type"], key["environment"]) == (kind, environment)
    assert await sqlite_world.reason(key["token"], environment=environment) is None


async def test_personal_and_root_keys_have_their_own_owners_and_tokens(sqlite_world: World):
    member = await sqlite_world.member(await sqlite_world.organization(), "viewer")
    personal = await sqlite_world.personal_key(member, environment="test")
    assert personal["owner"] == {"kind": "user", "id": member["user_id"]}
    assert (personal["organization_id"], personal["app_id"]) == (member["organization_id"], None)
    assert personal["token"].startswith("ks_sk_test_")
    root = await sqlite_world.root_key("verify")
    assert root["owner"] == {"kind": "instance", "id": None}
    assert (root["organization_id"], root["app_id"], root["environment"]) == (None, None, "live")
    assert root["token"].startswith("ks_rk_live_")


async def test_a_new_organization_begins_with_an_app_and_its_public_key(sqlite_world: World):
    organization = await sqlite_world.organization()
    keys = (await sqlite_world.made("GET", f"organizations/{organization['id']}/keys"))["items"]
    assert [(key["name"], key["type"], key["expires_at"]) for key in keys] == [
        ("Default API Key", "public", None)
    ]
    app = await sqlite_world.made("GET", f"apps/{keys[0]['app_id']}")
    assert app["environment"] == "live"
    shown = await sqlite_world.made("POST", f"keys/{keys[0]['id']}/reveal")
    assert await sqlite_world.reason(shown["token"]) is None


class TestExpiry:
    async def test_the_instant_of_expiry_is_the_first_of_refusal(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=1)
        sqlite_world.clock.advance(milliseconds=999)
        assert await sqlite_world.reason(key["token"]) is None
        sqlite_world.clock.advance(milliseconds=1)
        assert await sqlite_world.reason(key["token"]) == "EXPIRED"
        assert (await sqlite_world.made("GET", f"keys/{key['id']}"))["status"] == "expired"
        sqlite_world.clock.advance(days=1)
        assert await sqlite_world.reason(key["token"]) == "EXPIRED"

    async def test_keys_do_not_expire_unless_asked(self, sqlite_world: World):
        key = await sqlite_world.key()
        assert key["expires_at"] is None
        sqlite_world.clock.advance(days=40_000)
        assert await sqlite_world.reason(key["token"]) is None

    async def test_an_instant_with_any_zone_is_taken_and_shown_in_utc(self, sqlite_world: World):
        key = await sqlite_world.key(expires_at="2030-06-01T02:00:00.1239+02:00")
        assert key["expires_at"] == "2030-06-01T00:00:00.123000Z"

    async def test_patch_sets_and_lifts_an_expiry(self, sqlite_world: World):
        key = await sqlite_world.key()
        path = f"keys/{key['id']}"
        assert (await sqlite_world.made("PATCH", path, {"expires_in": 60}))[
            "expires_at"
        ] == "2030-01-01T00:01:00Z"
        assert (await sqlite_world.made("PATCH", path, {"expires_at": None}))["expires_at"] is None

    @pytest.mark.parametrize(
        "expiry", [{"expires_in": 60}, {"expires_at": None}, {"expires_at": "2031-01-01T00:00:00Z"}]
    )
    async def test_patch_never_revives_an_expired_key(self, sqlite_world: World, expiry: Json):
        key = await sqlite_world.key(expires_in=1)
        sqlite_world.clock.advance(seconds=1)
        problem = await sqlite_world.refused(409, "expired", "PATCH", f"keys/{key['id']}", expiry)
        assert "otate" in problem["detail"]
        assert await sqlite_world.reason(key["token"]) == "EXPIRED"

    async def test_an_expired_key_can_still_be_renamed(self, sqlite_world: World):
        key = await sqlite_world.key(expires_in=1)
        sqlite_world.clock.advance(seconds=1)
        renamed = await sqlite_world.made("PATCH", f"keys/{key['id']}", {"name": "Old"})
        assert (renamed["name"], renamed["status"]) == ("Old", "expired")


CHANGES: list[tuple[Json, Json]] = [
    ({"name": "New"}, {"name": "New"}),
    ({"name": "  padded  "}, {"name": "padded"}),
    ({"labels": {"a": "b"}}, {"labels": {"a": "b"}}),
    ({"metadata": {"a": 1}}, {"metadata": {"a": 1}}),
    (
        {"constraints": [{"type": "prefix", "pattern": "x", "methods": []}]},
        {"constraints": [{"type": "prefix", "pattern": "x", "methods": []}]},
    ),
    ({"allowed_origins": ["HTTPS://A.example.com:443"]}, {"allowed_origins": ["https://a.example.com"]}),
    ({"allowed_networks": ["192.0.2.7"]}, {"allowed_networks": ["192.0.2.7/32"]}),
    ({}, {}),
]


@pytest.mark.parametrize(("change", "seen"), CHANGES, ids=lambda it: ",".join(it) or "nothing")
async def test_patch_changes_what_it_names_and_leaves_the_rest(sqlite_world: World, change: Json, seen: Json):
    key = await sqlite_world.key(labels={"first": "1"}, metadata={"m": 1}, expires_in=90)
    before = await sqlite_world.made("GET", f"keys/{key['id']}")
    await sqlite_world.made("PATCH", f"keys/{key['id']}", change)
    assert await sqlite_world.made("GET", f"keys/{key['id']}") == {**before, **seen}


@pytest.mark.parametrize(
    "change",
    [{"type": "public"}, {"environment": "test"}, {"owner": {}}, {"app_id": "x"}, {"ephemeral": True}],
)
async def test_type_environment_and_owner_never_change(sqlite_world: World, change: Json):
    key = await sqlite_world.key()
    problem = await sqlite_world.refused(422, "invalid-input", "PATCH", f"keys/{key['id']}", change)
    assert problem["errors"][0]["field"] == next(iter(change))


async def test_a_key_has_no_environment_of_its_own(sqlite_world: World):
    app = await sqlite_world.app()
    body = {"name": "Key", "environment": "test"}
    await sqlite_world.refused(422, "invalid-input", "POST", f"apps/{app['id']}/keys", body)


class TestRevoking:
    async def test_delete_answers_with_the_revoked_key_and_again_the_same(self, world: World):
        app = await world.app()
        await world.key(app)
        key = await world.key(app)
        answer = await world.call("DELETE", f"keys/{key['id']}?reason=superseded")
        first = answer.json()
        assert answer.status_code == 200
        assert (first["status"], first["revoked_reason"]) == ("revoked", "superseded")
        assert first["revoked_at"] == "2030-01-01T00:00:00Z"
        assert isinstance(first.pop("epoch"), int)
        world.clock.advance(hours=1)
        again = await world.call("DELETE", f"keys/{key['id']}?reason=compromised")
        assert (again.status_code, again.json()) == (200, first)
        assert await world.reason(key["token"]) == "REVOKED"
        assert await world.made("GET", f"keys/{key['id']}") == first

    @pytest.mark.parametrize(
        "reason",
        ["unspecified", "compromised", "superseded", "owner_left", "privilege_withdrawn", "unused"],
    )
    async def test_every_reason_is_taken(self, sqlite_world: World, reason: str):
        app = await sqlite_world.app()
        await sqlite_world.key(app)
        key = await sqlite_world.key(app)
        path = f"keys/{key['id']}" + ("" if reason == "unspecified" else f"?reason={reason}")
        assert (await sqlite_world.made("DELETE", path))["revoked_reason"] == reason

    @pytest.mark.parametrize(
        ("method", "tail", "body"),
        [
            ("PATCH", "", {"name": "New"}),
            ("POST", "/rotate", None),
            ("POST", "/rotate", {"grace_s": 0, "expires_in": 60}),
            ("POST", "/disable", None),
            ("POST", "/enable", None),
        ],
    )
    async def test_a_revoked_key_is_final(
        self, sqlite_world: World, method: str, tail: str, body: Json | None
    ):
        key = await sqlite_world.key()
        await sqlite_world.made("DELETE", f"keys/{key['id']}?reason=compromised")
        await sqlite_world.refused(409, "revoked", method, f"keys/{key['id']}{tail}", body)


class TestPausing:
    async def test_disabling_is_undone_by_enabling_and_both_may_be_repeated(self, sqlite_world: World):
        key = await sqlite_world.key()
        for action, status, reason in (("disable", "disabled", "DISABLED"), ("enable", "active", None)):
            for _ in range(2):
                answer = await sqlite_world.call("POST", f"keys/{key['id']}/{action}")
                assert (answer.status_code, answer.json()["status"]) == (200, status)
            assert await sqlite_world.reason(key["token"]) == reason

    async def test_what_the_provider_disabled_only_the_provider_enables(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        owner = (await sqlite_world.personal_key(await sqlite_world.member(organization, "owner")))["token"]
        key = await sqlite_world.key(await sqlite_world.app(organization))
        path = f"keys/{key['id']}"
        await sqlite_world.made("POST", f"{path}/disable", token=owner)
        await sqlite_world.made("POST", f"{path}/enable", token=owner)
        # The provider's pause takes the place of the customer's, and stays when the customer pauses too.
        await sqlite_world.made("POST", f"{path}/disable", token=owner)
        await sqlite_world.made("POST", f"{path}/disable")
        await sqlite_world.made("POST", f"{path}/disable", token=owner)
        await sqlite_world.refused(403, "disabled-by-provider", "POST", f"{path}/enable", token=owner)
        assert await sqlite_world.reason(key["token"]) == "DISABLED"
        await sqlite_world.made("POST", f"{path}/enable")
        assert await sqlite_world.reason(key["token"]) is None


class TestReveal:
    async def test_a_public_key_shows_its_newest_token_as_often_as_asked(self, world: World):
        key = await world.key(type="public")
        for _ in range(2):
            answer = await world.call("POST", f"keys/{key['id']}/reveal")
            assert (answer.status_code, answer.json()["token"]) == (200, key["token"])
        rotated = await world.made("POST", f"keys/{key['id']}/rotate")
        assert (await world.made("POST", f"keys/{key['id']}/reveal"))["token"] == rotated["token"]

    async def test_a_secret_key_never_shows_its_token_again(self, sqlite_world: World):
        key = await sqlite_world.key()
        await sqlite_world.refused(409, "not-revealable", "POST", f"keys/{key['id']}/reveal")

    async def test_no_other_answer_has_a_token(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        app = await sqlite_world.app(organization)
        key = await sqlite_world.key(app, type="public")
        for method, path in (
            ("GET", f"keys/{key['id']}"),
            ("GET", f"apps/{app['id']}/keys"),
            ("GET", f"organizations/{organization['id']}/keys"),
            ("GET", f"organizations/{organization['id']}/audit"),
            ("POST", f"keys/{key['id']}/disable"),
            ("POST", f"keys/{key['id']}/enable"),
        ):
            assert key["token"] not in (await sqlite_world.call(method, path)).text


class TestLookup:
    async def test_a_token_finds_its_key_whatever_its_state(self, world: World):
        key = await world.key()
        path = f"keys/{key['id']}"
        rotated = await world.made("POST", f"{path}/rotate", {"grace_s": 0})
        for token in (key["token"], rotated["token"]):
            assert (await world.made("POST", "keys/lookup", {"token": token}))["id"] == key["id"]
        await world.made("DELETE", f"{path}?reason=compromised")
        assert (await world.made("POST", "keys/lookup", {"token": key["token"]}))["status"] == "revoked"

    @pytest.mark.parametrize("token", ["", "made up", "x", "ü", "a" * 10_240, "ks_sk_live_" + "0" * 38])
    async def test_what_is_no_token_of_ours_is_not_found(self, sqlite_world: World, token: str):
        await sqlite_world.refused(404, "not-found", "POST", "keys/lookup", {"token": token})

    async def test_looking_up_is_no_use(self, sqlite_world: World):
        key = await sqlite_world.key()
        await sqlite_world.made("POST", "keys/lookup", {"token": key["token"]})
        await sqlite_world.flush()
        assert (await sqlite_world.made("GET", f"keys/{key['id']}"))["use_count"] == 0


async def test_deleting_an_app_revokes_its_keys_in_one_epoch(world: World):
    organization = await world.organization()
    app, other = await world.app(organization), await world.app(organization)
    keys = [await world.key(app) for _ in range(3)]
    beside = await world.key(other)
    deleted = await world.made("DELETE", f"apps/{app['id']}")
    assert deleted["deleted_at"]
    for key in keys:
        assert await world.reason(key["token"]) == "REVOKED"
        assert (await world.made("GET", f"keys/{key['id']}"))["status"] == "revoked"
    assert await world.reason(beside["token"]) is None
    changes = [row for row in (await world.rows())["changes"] if row[0] == deleted["epoch"]]
    assert {row[2] for row in changes} == {app["id"], *(key["id"] for key in keys)}
    await world.refused(404, "not-found", "GET", f"apps/{app['id']}")
    await world.refused(404, "not-found", "DELETE", f"apps/{app['id']}")


async def test_deleting_an_organization_revokes_all_below_it_in_one_epoch(world: World):
    organization = await world.organization(external_id="acme")
    key = await world.key(await world.app(organization))
    personal = await world.personal_key(await world.member(organization, "owner"))
    deleted = await world.made("DELETE", f"organizations/{organization['id']}")
    assert await world.reason(key["token"]) == "REVOKED"
    assert await world.reason(personal["token"], owner="user") == "REVOKED"
    changes = {row[2] for row in (await world.rows())["changes"] if row[0] == deleted["epoch"]}
    assert {organization["id"], key["app_id"], key["id"], personal["id"]} < changes
    await world.refused(401, "revoked", "GET", "self", token=personal["token"])
    await world.refused(404, "not-found", "GET", f"organizations/{organization['id']}")
    again = await world.organization(external_id="acme")
    assert again["id"] != organization["id"]


async def test_bounds_are_bounds(tmp_path):
    environ = {
        "KEYSTEAD_DATA": str(tmp_path / "data"),
        "KEYSTEAD_MAX_KEYS_PER_APP": "2",
        "KEYSTEAD_MAX_APPS_PER_ORGANIZATION": "2",
        "KEYSTEAD_MAX_MEMBERS_PER_ORGANIZATION": "1",
    }
    async with opened_world(environ) as world:
        organization = await world.organization()
        app = await world.app(organization)
        path = f"organizations/{organization['id']}"
        await world.refused(409, "too-many-apps", "POST", f"{path}/apps", {"name": "Third"})
        first = await world.key(app, expires_in=1)
        await world.key(app)
        body = {"name": "Third"}
        await world.refused(409, "too-many-keys", "POST", f"apps/{app['id']}/keys", body)
        # Only live keys count.
        world.clock.advance(seconds=1)
        await world.made("POST", f"apps/{app['id']}/keys", body)
        await world.refused(409, "too-many-keys", "POST", f"apps/{app['id']}/keys", body)
        assert await world.reason(first["token"]) == "EXPIRED"
        await world.member(organization, "owner")
        late = {"email": "late@example.com", "role": "viewer"}
        await world.refused(409, "too-many-members", "POST", f"{path}/members", late)


async def test_an_app_is_live_unless_said(sqlite_world: World):
    assert (await sqlite_world.app())["environment"] == "live"
    assert (await sqlite_world.app(environment="test"))["environment"] == "test"


async def test_a_key_that_is_missing_is_404_for_every_verb(sqlite_world: World):
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/reveal", None),
        ("DELETE", "/versions/ver_0000000000000000000000", None),
    ):
        await sqlite_world.refused(404, "not-found", method, f"keys/{NOTHING_THERE}{tail}", body)


async def test_created_at_is_the_clock(sqlite_world: World):
    sqlite_world.clock.advance(days=1)
    key = await sqlite_world.key()
    assert instant(key["created_at"]) == datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=1)
