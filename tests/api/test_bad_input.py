"""Whatever is sent, a 4xx problem names the field and the fix: never a 500, never half a write."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.world import Json, World

TOO_BIG_FOR_RE2 = "(?:.*a.{0,900})x"
ESCAPES = "(a)|(?:b"
FORBIDDEN_NAMES = [
    "",
    " ",
    "a" * 101,
    "a\nb",
    "a\u0000b",
    "a\u202eb",
    "a\u200bb",
    "a\u2028b",
    "\ue000",
    "\u0378",
]


def constraint(kind: str, pattern: object = None, methods: object = ()) -> Json:
    return {"type": kind, "pattern": pattern, "methods": methods}


def keyed(**fields: object) -> Json:
    return {"name": "Key", **fields}


def constrained(*constraints: Json) -> Json:
    return keyed(constraints=list(constraints))


# A body for a new key, the field at fault, and a word of the fix.
KEY_BODIES: list[tuple[str, object, str, str]] = [
    *((f"name {name!a}", {"name": name}, "name", "") for name in FORBIDDEN_NAMES),
    ("no name", {}, "name", "missing"),
    ("no object", [], "body", "object"),
    ("null", None, "body", "object"),
    ("a number", 1, "body", "object"),
    ("an unknown field", keyed(colour="red"), "colour", "leave it out"),
    (
        "an unknown field of a constraint",
        constrained({**constraint("verb", None, ["GET"]), "x": 1}),
        "constraints[0].x",
        "x",
    ),
    ("a name that is a number", {"name": 5}, "name", "str"),
    ("a name that is null", {"name": None}, "name", "str"),
    ("a type that is none", keyed(type="private"), "type", ""),
    ("a boolean that is a number", keyed(ephemeral=1), "ephemeral", "bool"),
    ("a boolean that is text", keyed(ephemeral="true"), "ephemeral", "bool"),
    ("a number that is text", keyed(expires_in="60"), "expires_in", "int"),
    ("a number that is a fraction", keyed(expires_in=60.5), "expires_in", "int"),
    ("a number that is true", keyed(expires_in=True), "expires_in", "int"),
    ("no lifetime", keyed(expires_in=0), "expires_in", ">= 1"),
    ("a negative lifetime", keyed(expires_in=-1), "expires_in", ">= 1"),
    ("a lifetime beyond reason", keyed(expires_in=10**10), "expires_in", ""),
    ("a lifetime beyond integers", keyed(expires_in=10**30), "expires_in", ""),
    ("an instant that is a number", keyed(expires_at=1_900_000_000), "expires_at", ""),
    ("an instant without a zone", keyed(expires_at="2031-01-01T00:00:00"), "expires_at", ""),
    ("an instant that is a day", keyed(expires_at="2031-01-01"), "expires_at", ""),
    ("an expiry in the past", keyed(expires_at="2020-01-01T00:00:00Z"), "expires_at", "future"),
    ("an expiry at this instant", keyed(expires_at="2030-01-01T00:00:00Z"), "expires_at", "future"),
    ("an expiry in 8,000 years", keyed(expires_at="9999-12-31T23:59:59Z"), "expires_at", "hundred years"),
    ("an expiry out of range", keyed(expires_at="9999-12-31T23:59:59-23:59"), "expires_at", "range"),
    ("an expiry before the first year", keyed(expires_at="0001-01-01T00:00:00+23:59"), "expires_at", ""),
    ("two expiries", keyed(expires_in=1, expires_at="2031-01-01T00:00:00Z"), "expires_in", "not both"),
    ("51 constraints", constrained(*[constraint("exact", f"/{i}") for i in range(51)]), "constraints", "50"),
    ("a constraint of no type", constrained({"methods": ["GET"]}), "constraints[0].type", ""),
    ("a constraint of another type", constrained(constraint("glob", "x")), "constraints[0].type", ""),
    ("an exact one without pattern", constrained(constraint("exact")), "constraints[0].pattern", ""),
    ("an empty pattern", constrained(constraint("prefix", "")), "constraints[0].pattern", "1 to"),
    (
        "a verb with a pattern",
        constrained(constraint("verb", "x", ["GET"])),
        "constraints[0].pattern",
        "leave",
    ),
    ("a verb without methods", constrained(constraint("verb")), "constraints[0].methods", "at least one"),
    (
        "a method in lower case",
        constrained(constraint("verb", None, ["get"])),
        "constraints[0].methods",
        "GET",
    ),
    (
        "methods that are text",
        constrained(constraint("verb", None, "GET")),
        "constraints[0].methods",
        "array",
    ),
    (
        "a regex too big for RE2",
        constrained(constraint("regex", TOO_BIG_FOR_RE2)),
        "constraints[0].pattern",
        "",
    ),
    ("a regex that escapes", constrained(constraint("regex", ESCAPES)), "constraints[0].pattern", "RE2"),
    ("a regex that RE2 refuses", constrained(constraint("regex", r"(a)\1")), "constraints[0].pattern", "RE2"),
    ("a look-ahead", constrained(constraint("regex", "(?=a)a")), "constraints[0].pattern", "RE2"),
    ("an unbalanced regex", constrained(constraint("regex", "(a")), "constraints[0].pattern", "RE2"),
    ("a pattern with NUL", constrained(constraint("regex", "a\u0000")), "constraints[0].pattern", "ASCII"),
    ("a pattern of 1,025", constrained(constraint("prefix", "a" * 1025)), "constraints[0].pattern", "1024"),
    (
        "a pattern with dot segments",
        constrained(constraint("prefix", "/a/../b")),
        "constraints[0].pattern",
        "",
    ),
    ("a pattern not canonical", constrained(constraint("exact", "/%7e")), "constraints[0].pattern", "/~"),
    (
        "regexes too big together",
        constrained(*[constraint("regex", f"{i}[a-z]{{300}}") for i in range(7)]),
        "constraints",
        "together",
    ),
    ("a network of /99", keyed(allowed_networks=["0.0.0.0/99"]), "allowed_networks[0]", "192.0.2.7"),
    (
        "a network with host bits",
        keyed(allowed_networks=["192.0.2.7/24"]),
        "allowed_networks[0]",
        "192.0.2.0/24",
    ),
    ("a network with NUL", keyed(allowed_networks=["192.0.2.7\u0000"]), "allowed_networks[0]", ""),
    ("51 networks", keyed(allowed_networks=[f"192.0.2.{i}" for i in range(51)]), "allowed_networks", "50"),
    ("an origin that is *", keyed(allowed_origins=["*"]), "allowed_origins[0]", "empty"),
    ("an origin with a path", keyed(allowed_origins=["https://a.example.com/x"]), "allowed_origins[0]", ""),
    (
        "51 origins",
        keyed(allowed_origins=[f"https://a{i}.example.com" for i in range(51)]),
        "allowed_origins",
        "50",
    ),
    ("a scope of one part", keyed(scopes=["jobs"]), "scopes[0]", "resource:action"),
    ("a scope in capitals", keyed(scopes=["Jobs:read"]), "scopes[0]", ""),
    ("a scope not listed", keyed(scopes=["jobs:nowhere"]), "scopes", "catalogue"),
    ("65 scopes", keyed(scopes=[f"a:{i}" for i in range(65)]), "scopes", "64"),
    ("a label that is a number", keyed(labels={"a": 1}), "labels[...]", "str"),
    ("a label that is null", keyed(labels={"a": None}), "labels[...]", "str"),
    ("a label with NUL", keyed(labels={"a": "\u0000"}), "labels.a", "control"),
    ("a label of no name", keyed(labels={"": "x"}), "labels", "1 to 64"),
    ('a label named "', keyed(labels={'"': "x"}), "labels", "letters"),
    ("labels over 16 KiB", keyed(labels={"a": "x" * 16_384}), "labels", "16384"),
    ("metadata over 16 KiB", keyed(metadata={"a": "x" * 16_384}), "metadata", "16384"),
    ("metadata that is a list", keyed(metadata=[]), "metadata", "object"),
    ("metadata 33 deep", keyed(metadata={"a": json.loads("[" * 32 + "]" * 32)}), "metadata", "flatter"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "field", "word"), [it[1:] for it in KEY_BODIES], ids=[it[0] for it in KEY_BODIES]
)
async def test_a_key_that_cannot_be_is_422_naming_the_field_and_the_fix(
    lasting_world: World, body: Any, field: str, word: str
):
    app = await lasting_world.app()
    before = await lasting_world.row_counts()
    # httpx would send no body at all for None.
    sent = {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    problem = await lasting_world.refused(422, "invalid-input", "POST", f"apps/{app['id']}/keys", **sent)
    assert [it["field"] for it in problem["errors"]] == [field]
    assert problem["errors"][0]["problem"]
    assert field in problem["detail"]
    assert word in problem["detail"]
    assert await lasting_world.row_counts() == before


@pytest.mark.parametrize(
    "metadata",
    [{"a": "\u0000"}, {"\u0000": 1}, {"n": 2**64}, {"n": -(2**63) - 1}, {"n": 0.1}, {"n": [None, True, {}]}],
)
async def test_metadata_comes_back_as_it_was(world: World, metadata: Json):
    key = await world.key(metadata=metadata)
    assert (await world.made("GET", f"keys/{key['id']}"))["metadata"] == metadata
    assert (await world.verdict(key["token"]))["key"]["metadata"] == metadata
    assert (await world.made("GET", f"apps/{key['app_id']}/keys"))["items"][0]["metadata"] == metadata


RAW_BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 422),
    ("half an object", b'{"name":', 400),
    ("not JSON", b"name=Key", 400),
    ("two values", b'{"name":"a"}{"name":"b"}', 400),
    ("invalid UTF-8", b'{"name":"\xff"}', 400),
    ("an overlong form", b'{"name":"\xc0\xaf"}', 400),
    ("a surrogate in UTF-8", b'{"name":"\xed\xa0\x80"}', 400),
    ("a lone surrogate, escaped", b'{"name":"\\ud800"}', 400),
    ("a byte order mark", b'\xef\xbb\xbf{"name":"a"}', 400),
    ("NaN", b'{"name":"a","metadata":{"n":NaN}}', 400),
    ("infinity", b'{"name":"a","metadata":{"n":1e999}}', 400),
    ("an integer of 5,000 digits", b'{"name":"a","metadata":{"n":' + b"1" * 5_000 + b"}}", 400),
    ("lists 100,000 deep", b"[" * 100_000, 400),
    ("objects 100,000 deep", b'{"a":' * 100_000, 400),
    ("a megabyte and more", b'{"name":"' + b"a" * (1024 * 1024) + b'"}', 413),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("body", "status"), [it[1:] for it in RAW_BODIES], ids=[it[0] for it in RAW_BODIES])
async def test_what_cannot_be_read_is_400_and_too_much_413(lasting_world: World, body: bytes, status: int):
    app, key = await lasting_world.app(), await lasting_world.key()
    before = await lasting_world.row_counts()
    for method, path in (
        ("POST", f"apps/{app['id']}/keys"),
        ("POST", "organizations"),
        ("PATCH", f"keys/{key['id']}"),
        ("POST", "verify"),
    ):
        slug = {400: "bad-request", 413: "too-large", 422: "invalid-input"}[status]
        await lasting_world.refused(
            status, slug, method, path, content=body, headers={"Content-Type": "application/json"}
        )
    assert await lasting_world.row_counts() == before


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_at_the_limit_is_read(lasting_world: World):
    body = b'{"name":"Key"' + b" " * (1024 * 1024 - 14) + b"}"
    assert len(body) == 1024 * 1024
    app = await lasting_world.app()
    answer = await lasting_world.call("POST", f"apps/{app['id']}/keys", content=body)
    assert answer.status_code == 201


@pytest.mark.asyncio(loop_scope="module")
async def test_too_much_without_a_length_is_413_too(lasting_world: World):
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    app = await lasting_world.app()
    answer = await lasting_world.call("POST", f"apps/{app['id']}/keys", content=parts())
    assert answer.status_code == 413


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("depth", [31, 32, 400, 900, 940, 950, 955, 960, 965, 970, 980, 1_000, 5_000])
async def test_no_depth_is_half_written_or_unreadable(lasting_world: World, depth: int):
    key = await lasting_world.key()
    before = await lasting_world.made("GET", f"keys/{key['id']}")
    body = b'{"metadata":{"n":' + b"[" * depth + b"]" * depth + b"}}"
    answer = await lasting_world.call("PATCH", f"keys/{key['id']}", content=body)
    assert answer.status_code == 200 if depth <= 31 else answer.status_code in {400, 422}
    seen = await lasting_world.made("GET", f"keys/{key['id']}")
    assert (seen == before) == (answer.status_code != 200)
    assert (await lasting_world.verdict(key["token"]))["valid"]


class TestQueries:
    BAD = (
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=1&limit=1", "limit"),
        ("cursor=", "cursor"),
        ("cursor=abc", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=" + "A" * 400, "cursor"),
        ("cursor=" + "A" * 501, "cursor"),
        ("cursor=%00", "cursor"),
        ("status=asleep", "status"),
        ("type=private", "type"),
        ("type=", "type"),
        ("ephemeral=perhaps", "ephemeral"),
        ("owner=me", "owner"),
        ("owner=app_%00", "owner"),
        ("name=", "name"),
        ("name=%00", "name"),
        ("name=" + "a" * 201, "name"),
        ("start=%00", "start"),
        ("last4=%0A", "last4"),
        ("labels.a=%00", "labels.a"),
        ("labels.%00=a", "labels."),
        ("labels.=a", "labels."),
        ("labels.%22=a", "labels."),
        ("labels.a=1&labels.a=1", "labels.a"),
        ("external_id=%20", "external_id"),
        ("external_id=-", "external_id"),
        ("external_id=%00", "external_id"),
        ("expires_before=tomorrow", "expires_before"),
        ("expires_before=2030-01-01T00:00:00", "expires_before"),
        ("expires_before=9999-12-31T23:59:59-23:59", "expires_before"),
        ("unused_since=0001-01-01T00:00:00%2B23:59", "unused_since"),
        ("colour=red", "colour"),
        ("%00=1", "\u0000"),
        ("%FF=1", ""),
    )

    async def test_each_is_422_naming_the_parameter(self, world: World):
        app = await world.app()
        for query, field in self.BAD:
            answer = await world.call("GET", f"apps/{app['id']}/keys?{query}")
            assert answer.status_code == 422, (query, answer.text)
            assert answer.json()["errors"][0]["field"].startswith(field), query

    ODD = (
        "name=%FF",
        "name=%ED%A0%80",
        "name=%25%27%22%5C",
        "name=123",
        "name=true",
        "last4=1234",
        "start=%25",
        "labels.a=%FF",
        "labels.a.b=x",
        "labels.-=x",
        "labels./=%22",
        "external_id=42",
        "expires_before=0001-01-01T00:00:00Z",
        "unused_since=9999-12-31T23:59:59Z",
        "&&",
        "",
    )

    async def test_odd_ones_find_nothing_odd(self, world: World):
        app = await world.app()
        for query in self.ODD:
            answer = await world.call("GET", f"apps/{app['id']}/keys?{query}")
            assert answer.status_code == 200, (query, answer.text)
            assert answer.json()["items"] == [], query

    @pytest.mark.parametrize(
        "query",
        [
            "reason=",
            "reason=boredom",
            "reason=unused&reason=unused",
            "descendants=perhaps",
            "descendants=",
            "x=1",
        ],
    )
    async def test_of_a_delete(self, sqlite_world: World, query: str):
        key = await sqlite_world.key()
        before = await sqlite_world.rows()
        await sqlite_world.refused(422, "invalid-input", "DELETE", f"keys/{key['id']}?{query}")
        assert await sqlite_world.rows() == before

    async def test_no_other_route_takes_a_query_at_all(self, sqlite_world: World):
        key = await sqlite_world.key()
        for method, path, body in (
            ("GET", f"keys/{key['id']}", None),
            ("POST", f"keys/{key['id']}/rotate", None),
            ("PATCH", f"keys/{key['id']}", {"name": "New"}),
            ("POST", "verify", {"token": "x"}),
            ("GET", "self", None),
        ):
            problem = await sqlite_world.refused(422, "invalid-input", method, f"{path}?dry_run=1", body)
            assert problem["errors"][0]["field"] == "dry_run"


async def test_ids_of_the_wrong_shape_name_nothing(world: World):
    app = await world.app()
    key = await world.key(app)
    for path in (
        "keys/x",
        f"keys/{key['id']}x",
        f"keys/{key['id'][:-1]}",
        f"keys/{key['id']}%00",
        f"keys/{key['id']}%0A",
        "keys/%FF",
        "keys/%ED%A0%80",
        "keys/" + "a" * 5_000,
        f"keys/{app['id']}",
        f"apps/{key['id']}",
        "apps/app_%00",
        "organizations/org_%27",
        f"organizations/{app['organization_id'].lower()}",
        "users/usr_",
        "users/%E2%80%AE",
        "apps/app_%F0%9F%98%80",
        "keys/x' OR 1=1 --",
    ):
        await world.refused(404, "not-found", "GET", path)
    for path in ("scopes/%00", "scopes/jobs", f"keys/{key['id']}/versions/x", "scopes/%FF:%FF"):
        await world.refused(404, "not-found", "DELETE", path)


BODIES: list[tuple[str, str, Json, int]] = [
    ("POST", "organizations", {"name": "A", "external_id": "-"}, 422),
    ("POST", "organizations", {"name": "A", "external_id": "a b"}, 422),
    ("POST", "organizations", {"name": "A", "external_id": "a\u0000"}, 422),
    ("POST", "organizations", {"name": "A", "external_id": "a" * 129}, 422),
    ("POST", "organizations", {"name": "A", "external_id": "ü"}, 422),
    ("POST", "organizations", {"name": "A", "ceiling": {"max_lifetime_s": 0}}, 422),
    ("POST", "organizations", {"name": "A", "ceiling": {"scopes": ["BAD"]}}, 422),
    ("POST", "organizations", {"name": "A", "ceiling": {"public_methods": ["get"]}}, 422),
    ("POST", "organizations", {"name": "A", "ceiling": {"colour": "red"}}, 422),
    ("POST", "organizations", {"name": "A", "ceiling": None}, 422),
    ("PATCH", "organizations/{organization}", {"disabled": "yes"}, 422),
    ("PATCH", "organizations/{organization}", {"disabled": None}, 422),
    ("PUT", "organizations/external/-", {"name": "A"}, 422),
    ("PUT", "organizations/external/a%20b", {"name": "A"}, 422),
    ("PUT", "organizations/external/%00", {"name": "A"}, 422),
    ("PUT", "organizations/external/ok", {}, 422),
    ("POST", "users", {"email": "nobody", "name": "A"}, 422),
    ("POST", "users", {"email": "a\u0000@example.com", "name": "A"}, 422),
    ("POST", "users", {"email": "a@b@c", "name": "A"}, 422),
    ("POST", "users", {"email": "a" * 300 + "@example.com", "name": "A"}, 422),
    ("PUT", "users/external/ok", {"name": "A"}, 422),
    ("POST", "organizations/{organization}/members", {"user_id": "usr_\u0000", "role": "viewer"}, 404),
    ("POST", "organizations/{organization}/members", {"user_id": "", "role": "viewer"}, 404),
    ("POST", "organizations/{organization}/members", {"user_id": 7, "role": "viewer"}, 422),
    ("POST", "organizations/{organization}/apps", {"name": "A", "environment": "staging"}, 422),
    ("POST", "organizations/{organization}/apps", {"name": "A", "last_key_protection": 1}, 422),
    ("POST", "users/{user}/keys", {"name": "A", "organization_id": "\u0000"}, 404),
    ("POST", "users/{user}/keys", {"name": "A", "organization_id": None}, 422),
    ("POST", "scopes", {"name": "jobs"}, 422),
    ("POST", "scopes", {"name": "a:b\u0000"}, 422),
    ("POST", "scopes", {"name": "a:b", "description": "x\ny"}, 422),
    ("POST", "scopes", {"name": "a:b", "description": "x" * 501}, 422),
    ("POST", "root-keys", {"name": "Root"}, 422),
    ("POST", "root-keys", {"name": "Root", "scopes": ["keys:read"]}, 422),
    ("POST", "root-keys", {"name": "Root", "scopes": [], "metadata": {}}, 422),
    ("POST", "keys/lookup", {}, 422),
    ("POST", "keys/lookup", {"token": 1}, 422),
    ("POST", "keys/lookup", {"token": "\u0000"}, 404),
    ("POST", "verify", {}, 422),
    ("POST", "verify", {"token": None}, 422),
    ("POST", "verify", {"token": "x", "cost": -1}, 422),
    ("POST", "verify", {"token": "x", "cost": 1_000_001}, 422),
    ("POST", "verify", {"token": "x", "cost": 1.5}, 422),
    ("POST", "verify", {"token": "x", "cost": "1"}, 422),
    ("POST", "verify", {"token": "x", "ip": "0.0.0.0/99"}, 422),
    ("POST", "verify", {"token": "x", "ip": "1.2.3.4:80"}, 422),
    ("POST", "verify", {"token": "x", "ip": ""}, 422),
    ("POST", "verify", {"token": "x", "scopes": ["jobs"]}, 422),
    ("POST", "verify", {"token": "x", "scopes": ["a:b"] * 65}, 422),
    ("POST", "verify", {"token": "x", "environment": "staging"}, 422),
    ("POST", "verify", {"token": "x", "owner": "instance"}, 422),
    ("POST", "verify", {"token": "x", "type": "root"}, 422),
    ("POST", "verify", {"token": "x", "explain": "yes"}, 422),
    ("POST", "verify", {"token": "x", "limits": []}, 422),
]


async def test_no_body_of_any_route_is_a_500_or_half_a_write(world: World):
    organization = await world.organization()
    member = await world.member(organization, "owner")
    ids = {"organization": organization["id"], "user": member["user_id"]}
    before = await world.rows()
    for method, path, body, status in BODIES:
        answer = await world.call(method, path.format(**ids), json=body)
        assert answer.status_code == status, (path, body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert status != 422 or answer.json()["errors"][0]["field"], (path, body)
        assert await world.rows() == before, (path, body)


class TestTokens:
    async def ask(self, world: World, *headers: tuple[str, str]) -> httpx.Response:
        return await world.client.request("GET", "/api/v1/self", headers=list(headers))

    async def test_two_tokens_in_one_request_are_none(self, sqlite_world: World):
        one, two = sqlite_world.root, (await sqlite_world.root_key("*"))["token"]
        for headers in (
            (("Authorization", f"Bearer {one}"), ("X-API-Key", two)),
            (("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {one}")),
            (("X-API-Key", one), ("X-API-Key", two)),
        ):
            answer = await self.ask(sqlite_world, *headers)
            assert (answer.status_code, answer.json()["type"]) == (401, "invalid-token")
            assert one not in answer.text
        same = await self.ask(sqlite_world, ("Authorization", f"Bearer {one}"), ("X-API-Key", one))
        assert same.status_code == 200

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("Authorization", "Bearer " + "a" * 10_240),
            ("X-API-Key", "a" * 10_240),
            ("Authorization", "Basic ????"),
            ("Authorization", "Bearer a b"),
            ("X-API-Key", "\x01"),
            ("Authorization", "Bearer \xff"),
        ],
    )
    async def test_what_is_no_token_is_401(self, sqlite_world: World, header: str, value: str):
        raw = [(header.encode(), value.encode("latin-1"))]
        answer = await sqlite_world.client.request("GET", "/api/v1/self", headers=raw)
        assert answer.status_code == 401
        assert answer.json()["type"] == "invalid-token"

    async def test_10_kb_are_malformed_at_verify_and_401_at_auth(self, sqlite_world: World):
        huge = "ks_sk_live_" + "x" * 10_240
        assert await sqlite_world.reason(huge) == "MALFORMED"
        answer = await sqlite_world.client.get("/auth", headers={"X-API-Key": huge})
        assert answer.status_code == 401

    async def test_who_asks_is_judged_before_what_was_sent(self, sqlite_world: World):
        for content in (b"{", b"[" * 100_000, b" " * 2_000_000):
            await sqlite_world.refused(401, "missing", "POST", "organizations", token=None, content=content)


async def test_unknown_paths_and_methods_are_problems_too(sqlite_world: World):
    for path in ("nothing", "keys", "keys/x/y/z", "organizations/external", "%00", "%FF"):
        answer = await sqlite_world.call("GET", path)
        assert answer.status_code in {404, 405}, path
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
    await sqlite_world.refused(405, "method-not-allowed", "PUT", "organizations")
