"""Bad input gets a 4xx problem that names the field and the fix, and leaves nothing behind."""

from typing import Any

import pytest

from tests.api.rows import row_counts
from tests.api.world import Json, World

KEYS = "apps/{app}/keys"
ORGANIZATION = "organizations/{organization}"
VERIFY = "verify"
FIRST = "constraints[0]"
PATTERN = f"{FIRST}.pattern"


def key(**fields: Any) -> Json:
    """The body of a new key."""
    return {"name": "Key", **fields}


def constrained(*constraints: Json) -> Json:
    """The body of a new key with constraints."""
    return key(constraints=list(constraints))


def regex(pattern: str) -> Json:
    """The body of a new key with a regex."""
    return constrained({"type": "regex", "pattern": pattern})


FIELDS = [
    pytest.param(KEYS, key(colour="red"), "colour", id="unknown field"),
    pytest.param(
        KEYS, constrained({"type": "verb", "methods": ["GET"], "x": 1}), "constraints[0].x", id="nested"
    ),
    pytest.param(KEYS, {}, "name", id="missing field"),
    pytest.param(KEYS, key(name=7), "name", id="wrong type"),
    pytest.param(KEYS, key(name=""), "name", id="empty name"),
    pytest.param(KEYS, key(name="   "), "name", id="name of spaces"),
    pytest.param(KEYS, key(name="x" * 101), "name", id="long name"),
    pytest.param(KEYS, key(name="a\x00b"), "name", id="name with NUL"),
    pytest.param(KEYS, key(name="a\nb"), "name", id="name with a line break"),
    pytest.param(KEYS, key(name="a\u202eb"), "name", id="name that turns the text round"),
    pytest.param(KEYS, key(type="rubber"), "type", id="word outside a closed set"),
    pytest.param(KEYS, key(expires_at="2020-01-01T00:00:00Z"), "expires_at", id="expiry in the past"),
    pytest.param(KEYS, key(expires_at="2030-01-01T00:00:00Z"), "expires_at", id="expiry now"),
    pytest.param(KEYS, key(expires_at="2031-01-01T00:00:00"), "expires_at", id="expiry without a zone"),
    pytest.param(KEYS, key(expires_at="0001-01-01T00:00:00+14:00"), "expires_at", id="expiry out of range"),
    pytest.param(KEYS, key(expires_at="9999-12-31T23:59:59-14:00"), "expires_at", id="expiry after the end"),
    pytest.param(KEYS, key(expires_in=0), "expires_in", id="no lifetime"),
    pytest.param(KEYS, key(expires_in=10**30), "expires_in", id="lifetime beyond integers"),
    pytest.param(KEYS, key(expires_in=9, expires_at="2031-01-01T00:00:00Z"), "expires_in", id="two expiries"),
    pytest.param(
        KEYS,
        constrained(*({"type": "exact", "pattern": f"p{i}"} for i in range(51))),
        "constraints",
        id="51 constraints",
    ),
    pytest.param(KEYS, constrained({"type": "near", "pattern": "x"}), f"{FIRST}.type", id="unknown type"),
    pytest.param(KEYS, constrained({"type": "exact"}), PATTERN, id="exact without a pattern"),
    pytest.param(KEYS, constrained({"type": "verb"}), f"{FIRST}.methods", id="verb without a method"),
    pytest.param(
        KEYS,
        constrained({"type": "verb", "pattern": "x", "methods": ["GET"]}),
        PATTERN,
        id="verb with a pattern",
    ),
    pytest.param(
        KEYS,
        constrained({"type": "verb", "methods": ["get"]}),
        f"{FIRST}.methods",
        id="lower-case method",
    ),
    pytest.param(
        KEYS,
        constrained({"type": "prefix", "pattern": "a/../b"}),
        PATTERN,
        id="dot segments",
    ),
    pytest.param(KEYS, constrained({"type": "exact", "pattern": "%41"}), PATTERN, id="not canonical"),
    pytest.param(KEYS, regex("(?:.*a.{0,900})x"), PATTERN, id="regex too big"),
    pytest.param(KEYS, regex("a)|(?:b"), PATTERN, id="regex that escapes its wrapping"),
    pytest.param(KEYS, regex(r"(a)\1"), PATTERN, id="regex with a back reference"),
    pytest.param(KEYS, regex("x" * 1025), PATTERN, id="long regex"),
    pytest.param(KEYS, key(allowed_networks=["0.0.0.0/99"]), "allowed_networks[0]", id="network of 99 bits"),
    pytest.param(KEYS, key(allowed_networks=["10.0.0.1/8"]), "allowed_networks[0]", id="host bits"),
    pytest.param(
        KEYS, key(allowed_origins=["example.com"]), "allowed_origins[0]", id="origin without a scheme"
    ),
    pytest.param(KEYS, key(allowed_origins=["null"]), "allowed_origins[0]", id="null origin"),
    pytest.param(KEYS, key(scopes=["jobs"]), "scopes[0]", id="scope without an action"),
    pytest.param(KEYS, key(scopes=["no:such"]), "scopes", id="scope outside the catalogue"),
    pytest.param(KEYS, key(scopes=[f"a:b{i}" for i in range(65)]), "scopes", id="65 scopes"),
    pytest.param(KEYS, key(metadata={"x": "y" * 16_384}), "metadata", id="metadata over 16 KiB"),
    pytest.param(KEYS, key(labels={"x": "y" * 16_384}), "labels", id="labels over 16 KiB"),
    pytest.param(KEYS, key(labels={"a b": "c"}), "labels", id="label name with a space"),
    pytest.param(KEYS, key(labels={"a": "b\x00"}), "labels.a", id="label with NUL"),
    pytest.param(
        "organizations", {"name": "A", "external_id": "-"}, "external_id", id="external id that says none"
    ),
    pytest.param(
        "organizations", {"name": "A", "external_id": "a b"}, "external_id", id="external id with a space"
    ),
    pytest.param("users", {"name": "A", "email": "nobody"}, "email", id="no e-mail address"),
    pytest.param(ORGANIZATION + "/members", {"role": "owner"}, "email", id="member without a user"),
    pytest.param(ORGANIZATION + "/members", {"role": "king", "email": "a@b.c"}, "role", id="unknown role"),
    pytest.param("scopes", {"name": "jobs"}, "name", id="scope name without an action"),
    pytest.param("root-keys", {"name": "R", "scopes": ["all"]}, "scopes[0]", id="unknown root scope"),
    pytest.param("keys/{key}/rotate", {"grace_s": -1}, "grace_s", id="negative grace"),
    pytest.param("keys/{key}/rotate", {"grace_s": 2_592_001}, "grace_s", id="grace over 30 days"),
    pytest.param(VERIFY, {"token": "x", "cost": -1}, "cost", id="negative cost"),
    pytest.param(VERIFY, {"token": "x", "cost": 1_000_001}, "cost", id="cost over a million"),
    pytest.param(VERIFY, {"token": "x", "ip": "localhost"}, "ip", id="no address"),
    pytest.param(VERIFY, {"token": "x", "scopes": ["jobs"]}, "scopes[0]", id="no scope"),
    pytest.param(VERIFY, {"token": "x", "owner": "root"}, "owner", id="unknown owner"),
    pytest.param(VERIFY, {}, "token", id="no token to verify"),
]


@pytest.mark.parametrize(("path", "body", "field"), FIELDS)
async def test_a_bad_body_is_422_names_the_field_and_writes_nothing(
    sqlite_world: World, path: str, body: Json, field: str
):
    scene = await _scene(sqlite_world)
    before = await row_counts(sqlite_world)
    answer = await sqlite_world.call("POST", path.format(**scene), json=body)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "invalid-input"), problem
    assert [it["field"] for it in problem["errors"]] == [field], problem
    assert field in problem["detail"]
    assert await row_counts(sqlite_world) == before


CONTENTS = [
    pytest.param(b"{", 400, id="cut short"),
    pytest.param(b'{"name": }', 400, id="broken"),
    pytest.param(b'{"name": NaN}', 400, id="not a number"),
    pytest.param(b'{"name": "\xff"}', 400, id="invalid UTF-8"),
    pytest.param(b"\xfe\xff\x00{", 400, id="another encoding"),
    pytest.param(b'{"name": "\\ud800"}', 400, id="half a surrogate pair"),
    pytest.param(b"[" * 100_000, 400, id="nested beyond reason"),
    pytest.param(
        b'{"name": "x", "metadata": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400, id="nested objects"
    ),
    pytest.param(b"{" + b" " * (1024 * 1024) + b"}", 413, id="over 1 MiB"),
    pytest.param(b"", 422, id="empty"),
    pytest.param(b"null", 422, id="null"),
    pytest.param(b"[]", 422, id="a list"),
    pytest.param(b'"name"', 422, id="a string"),
]


@pytest.mark.parametrize(("content", "status"), CONTENTS)
async def test_a_body_that_is_no_json_object_is_refused_and_writes_nothing(
    sqlite_world: World, content: bytes, status: int
):
    scene = await _scene(sqlite_world)
    before = await row_counts(sqlite_world)
    answer = await sqlite_world.call("POST", KEYS.format(**scene), content=content)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert await row_counts(sqlite_world) == before


QUERIES = [
    pytest.param("limit=0", "limit", id="no items"),
    pytest.param("limit=201", "limit", id="too many items"),
    pytest.param("limit=ten", "limit", id="no number"),
    pytest.param("cursor=abc", "cursor", id="invented cursor"),
    pytest.param("cursor=%FF%FE", "cursor", id="cursor that is no text"),
    pytest.param("cursor=" + "A" * 64, "cursor", id="unsealed cursor"),
    pytest.param("status=lost", "status", id="unknown status"),
    pytest.param("type=", "type", id="empty type"),
    pytest.param("name=%00", "name", id="NUL in a name"),
    pytest.param("start=%00", "start", id="NUL in a start"),
    pytest.param("owner=me", "owner", id="owner that is no id"),
    pytest.param("labels.team=%00", "labels.team", id="NUL in a label"),
    pytest.param("external_id=-", "external_id", id="external id that says none"),
    pytest.param("expires_before=soon", "expires_before", id="no instant"),
    pytest.param("unused_since=2030-01-01T00:00:00", "unused_since", id="instant without a zone"),
    pytest.param("stauts=active", "stauts", id="misspelt filter"),
    pytest.param("limit=1&limit=2", "limit", id="given twice"),
]


@pytest.mark.parametrize(("query", "field"), QUERIES)
async def test_a_bad_query_is_422_and_names_the_parameter(world: World, query: str, field: str):
    app = await world.app()
    answer = await world.call("GET", f"apps/{app['id']}/keys?{query}")
    assert answer.status_code == 422, answer.text
    assert [it["field"] for it in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "path",
    [
        "apps/%00",
        "apps/app_%F0%9F%98%80",
        "apps/org_0000000000000000000000",
        "apps/app_0000000000000000000000",
        "keys/key_0000000000000000000000",
        "keys/x' OR 1=1 --",
        "organizations/" + "o" * 2000,
        "users/usr_000000000000000000000é",
    ],
)
async def test_an_id_that_names_nothing_is_404_whatever_its_shape(world: World, path: str):
    answer = await world.call("GET", path)
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


async def test_two_tokens_in_one_request_are_401(sqlite_world: World):
    other = await sqlite_world.root_key("verify")
    answer = await sqlite_world.call("GET", "self", headers={"X-API-Key": other["token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "invalid-token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_of_10_kb_is_malformed_at_verify_and_401_elsewhere(sqlite_world: World):
    huge = "ks_sk_live_" + "x" * 10_000
    assert (await sqlite_world.verdict(huge))["reason"] == "MALFORMED"
    assert (await sqlite_world.call("GET", "self", token=huge)).status_code == 401
    assert (await sqlite_world.client.get("/auth", headers={"X-API-Key": huge})).status_code == 401


async def test_a_bad_if_match_is_422_and_a_bad_idempotency_key_too(sqlite_world: World):
    app = await sqlite_world.app()
    patched = await sqlite_world.call(
        "PATCH", f"apps/{app['id']}", json={"name": "B"}, headers={"If-Match": "tuesday"}
    )
    assert patched.json()["errors"][0]["field"] == "If-Match"
    posted = await sqlite_world.call(
        "POST", "organizations", json={"name": "B"}, headers={"Idempotency-Key": "x" * 256}
    )
    assert posted.status_code == 422
    assert posted.json()["errors"][0]["field"] == "Idempotency-Key"


async def _scene(world: World) -> Json:
    organization = await world.organization()
    app = await world.app(organization)
    made = await world.key(app)
    return {"organization": organization["id"], "app": app["id"], "key": made["id"]}
