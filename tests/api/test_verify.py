"""May this key do this, here, now? Every Reason, in order, and what the answer tells."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from keystead.services.housekeeping import purge
from tests.api.world import Json, World

ORDER = [
    *("REVOKED", "DISABLED", "EXPIRED", "RETIRED", "WRONG_ENVIRONMENT", "WRONG_TYPE", "WRONG_OWNER"),
    *("NETWORK_DENIED", "ORIGIN_DENIED", "AMBIGUOUS_REQUEST", "CONSTRAINT_UNMET", "SCOPE_MISSING"),
]
NARROW: Json = {
    "constraints": [{"type": "prefix", "pattern": "jobs/", "methods": ["GET"]}],
    "allowed_networks": ["192.0.2.0/24"],
    "allowed_origins": ["https://app.example.com"],
}
GOOD: Json = {
    "method": "GET",
    "path": "/jobs/7",
    "ip": "192.0.2.9",
    "origin": "https://app.example.com",
    "scopes": ["jobs:read"],
}


async def listed(world: World, *names: str) -> None:
    """Have the catalogue list these scopes, which another test may have done already."""
    for name in names:
        assert (await world.call("POST", "scopes", json={"name": name})).status_code in {201, 409}


async def narrow_key(world: World) -> Json:
    await listed(world, "jobs:read")
    return await world.key(**NARROW, scopes=["jobs:read"], expires_in=3600)


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing wrong with the attempt or the key, by the Reason it alone gives."""

    attempt: Json
    spoil: Callable[[World, Json], Awaitable[object]] | None = None


async def revoke(world: World, key: Json) -> None:
    await world.made("DELETE", f"keys/{key['id']}?reason=compromised")


async def disable(world: World, key: Json) -> None:
    await world.made("POST", f"keys/{key['id']}/disable")


async def expire(world: World, _key: Json) -> None:
    world.clock.advance(seconds=3600)


async def retire(world: World, key: Json) -> None:
    await world.made("POST", f"keys/{key['id']}/rotate", {"grace_s": 0})


WRONG: dict[str, Wrong] = {
    # In the order in which they must be done to one key: a revoked one cannot be rotated.
    "RETIRED": Wrong(attempt={}, spoil=retire),
    "DISABLED": Wrong(attempt={}, spoil=disable),
    "EXPIRED": Wrong(attempt={}, spoil=expire),
    "REVOKED": Wrong(attempt={}, spoil=revoke),
    "WRONG_ENVIRONMENT": Wrong(attempt={"environment": "test"}),
    "WRONG_TYPE": Wrong(attempt={"type": "public"}),
    "WRONG_OWNER": Wrong(attempt={"owner": "user"}),
    "NETWORK_DENIED": Wrong(attempt={"ip": "198.51.100.1"}),
    "ORIGIN_DENIED": Wrong(attempt={"origin": "https://evil.example.com"}),
    "AMBIGUOUS_REQUEST": Wrong(attempt={"path": "/jobs/../admin"}),
    "CONSTRAINT_UNMET": Wrong(attempt={"method": "POST"}),
    "SCOPE_MISSING": Wrong(attempt={"scopes": ["jobs:write"]}),
}


async def test_a_good_attempt_is_accepted(world: World):
    key = await narrow_key(world)
    assert await world.reason(key["token"], **GOOD) is None


@pytest.mark.parametrize("reason", ORDER)
@pytest.mark.asyncio(loop_scope="module")
async def test_each_reason_is_reached_by_its_own_fault(lasting_world: World, reason: str):
    key = await narrow_key(lasting_world)
    wrong = WRONG[reason]
    if wrong.spoil is not None:
        await wrong.spoil(lasting_world, key)
    verdict = (
        await lasting_world.verdict(key["token"], **GOOD, **wrong.attempt)
        if not (wrong.attempt.keys() & GOOD.keys())
        else await lasting_world.verdict(key["token"], **{**GOOD, **wrong.attempt})
    )
    assert (verdict["valid"], verdict["reason"]) == (False, reason)
    assert verdict["key"]["id"] == key["id"]


@pytest.mark.parametrize("first", range(len(ORDER)), ids=ORDER)
@pytest.mark.asyncio(loop_scope="module")
async def test_of_several_faults_the_first_in_order_is_told(lasting_world: World, first: int):
    key = await narrow_key(lasting_world)
    present = ORDER[first:]
    attempt = dict(GOOD)
    for reason, wrong in WRONG.items():
        if reason in present:
            attempt |= wrong.attempt
            if wrong.spoil is not None:
                await wrong.spoil(lasting_world, key)
    if "AMBIGUOUS_REQUEST" not in present and "CONSTRAINT_UNMET" in present:
        attempt["path"] = "/elsewhere"
    assert await lasting_world.reason(key["token"], **attempt) == ORDER[first]
    explained = await lasting_world.verdict(key["token"], **attempt, explain=True)
    assert explained["reason"] == ORDER[first]
    checks = [(it["reason"], it["passed"]) for it in explained["checks"]]
    judged = [(reason, reason not in present) for reason in ORDER]
    # Where the path is ambiguous, no constraint can be met either.
    assert checks == [("STALE", True), ("MISSING", True), ("MALFORMED", True), ("UNKNOWN", True), *judged]


@pytest.mark.parametrize(
    ("token", "reason", "checks"),
    [
        ("", "MISSING", ["STALE", "MISSING"]),
        ("made up", "MALFORMED", ["STALE", "MISSING", "MALFORMED"]),
        ("ks_sk_live_" + "0" * 38, "MALFORMED", ["STALE", "MISSING", "MALFORMED"]),
        ("ü", "MALFORMED", ["STALE", "MISSING", "MALFORMED"]),
        ("a\u0000b", "MALFORMED", ["STALE", "MISSING", "MALFORMED"]),
        ("a" * 10_240, "MALFORMED", ["STALE", "MISSING", "MALFORMED"]),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_token_is_an_answer(
    lasting_world: World, token: str, reason: str, checks: list[str]
):
    verdict = await lasting_world.verdict(token, explain=True)
    assert (verdict["valid"], verdict["reason"]) == (False, reason)
    assert "key" not in verdict
    assert [it["reason"] for it in verdict["checks"]] == checks
    assert [it["passed"] for it in verdict["checks"]] == [True] * (len(checks) - 1) + [False]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_typo_is_malformed_and_a_stranger_unknown(lasting_world: World):
    key = await lasting_world.key()
    token = key["token"]
    typo = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert (await lasting_world.verdict(typo))["reason"] == "MALFORMED"
    # A whole token of ours whose key is gone: an ephemeral one, purged.
    gone = await lasting_world.key(ephemeral=True, expires_in=1)
    lasting_world.clock.advance(seconds=2)
    context = lasting_world.instance.context
    assert await purge(context, timedelta(0)) == 1
    async with context.store.read() as tables:
        epoch = await tables.changes.newest()
    assert await context.replica.await_applied(epoch, timedelta(seconds=5))
    assert (await lasting_world.verdict(gone["token"]))["reason"] == "UNKNOWN"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_root_key_is_always_unknown(lasting_world: World):
    root = await lasting_world.root_key("*")
    for owner in ("app", "user", "any"):
        verdict = await lasting_world.verdict(root["token"], owner=owner, explain=True)
        assert (verdict["reason"], "key" in verdict) == ("UNKNOWN", False)


class TestWhatIsMissingRefuses:
    CASES = (
        ({"constraints": NARROW["constraints"]}, {"method": None}, "CONSTRAINT_UNMET"),
        ({"constraints": NARROW["constraints"]}, {"path": None}, "CONSTRAINT_UNMET"),
        ({"constraints": [{"type": "verb", "methods": ["GET"]}]}, {"path": None}, "CONSTRAINT_UNMET"),
        ({"constraints": [{"type": "prefix", "pattern": "/"}]}, {"method": None}, "CONSTRAINT_UNMET"),
        ({"type": "public"}, {"method": None}, "CONSTRAINT_UNMET"),
        ({"allowed_networks": ["0.0.0.0/0", "::/0"]}, {}, "NETWORK_DENIED"),
        ({"allowed_origins": ["https://app.example.com"]}, {}, "ORIGIN_DENIED"),
        ({"allowed_origins": ["https://app.example.com"]}, {"origin": "null"}, "ORIGIN_DENIED"),
        ({}, {"method": None, "path": None}, None),
    )

    @pytest.mark.parametrize(("may", "attempt", "reason"), CASES)
    @pytest.mark.asyncio(loop_scope="module")
    async def test_on_the_key(self, lasting_world: World, may: Json, attempt: Json, reason: str | None):
        key = await lasting_world.key(**may)
        assert await lasting_world.reason(key["token"], **attempt) == reason

    @pytest.mark.asyncio(loop_scope="module")
    async def test_on_the_app(self, lasting_world: World):
        for may, given, reason in (
            ({"allowed_networks": ["192.0.2.0/24"]}, {"ip": "192.0.2.1"}, "NETWORK_DENIED"),
            (
                {"allowed_origins": ["https://a.example.com"]},
                {"origin": "https://a.example.com"},
                "ORIGIN_DENIED",
            ),
        ):
            key = await lasting_world.key(await lasting_world.app(**may))
            assert await lasting_world.reason(key["token"]) == reason
            assert await lasting_world.reason(key["token"], **given) is None

    @pytest.mark.asyncio(loop_scope="module")
    async def test_lists_on_key_and_app_must_both_match(self, lasting_world: World):
        app = await lasting_world.app(allowed_networks=["192.0.2.0/24"])
        key = await lasting_world.key(app, allowed_networks=["192.0.2.128/25", "198.51.100.0/24"])
        for address, reason in (
            ("192.0.2.129", None),
            ("::ffff:192.0.2.129", None),
            ("192.0.2.1", "NETWORK_DENIED"),
            ("198.51.100.1", "NETWORK_DENIED"),
        ):
            assert await lasting_world.reason(key["token"], ip=address) == reason


class TestDemands:
    @pytest.mark.parametrize(
        ("made", "demand", "reason"),
        [
            ({"environment": "live"}, {}, None),
            ({"environment": "test"}, {}, "WRONG_ENVIRONMENT"),
            ({"environment": "test"}, {"environment": "test"}, None),
            ({"environment": "live"}, {"environment": "test"}, "WRONG_ENVIRONMENT"),
            ({"environment": "test"}, {"environment": "any"}, None),
            ({"type": "public"}, {}, None),
            ({"type": "public"}, {"type": "secret"}, "WRONG_TYPE"),
            ({"type": "public"}, {"type": "public"}, None),
            ({"type": "secret"}, {"type": "public"}, "WRONG_TYPE"),
            ({"type": "secret"}, {"type": "any"}, None),
            ({}, {"owner": "app"}, None),
            ({}, {"owner": "user"}, "WRONG_OWNER"),
            ({}, {"owner": "any"}, None),
            ({}, {"cost": 0}, None),
            ({}, {"cost": 1_000_000}, None),
        ],
    )
    @pytest.mark.asyncio(loop_scope="module")
    async def test_of_an_app_key(self, lasting_world: World, made: Json, demand: Json, reason: str | None):
        app = await lasting_world.app(environment=made.get("environment", "live"))
        key = await lasting_world.key(app, type=made.get("type", "secret"))
        assert await lasting_world.reason(key["token"], **demand) == reason

    @pytest.mark.parametrize(
        ("held", "wanted", "reason"),
        [
            ([], [], None),
            ([], ["jobs:read"], "SCOPE_MISSING"),
            (["jobs:read"], ["jobs:read"], None),
            (["jobs:read"], ["jobs:read", "jobs:write"], "SCOPE_MISSING"),
            (["jobs:*"], ["jobs:read", "jobs:write"], None),
            (["jobs:*"], ["mail:read"], "SCOPE_MISSING"),
            (["jobs:read"], ["jobs:*"], "SCOPE_MISSING"),
            (["jobs:read"], ["nowhere:listed"], "SCOPE_MISSING"),
        ],
    )
    @pytest.mark.asyncio(loop_scope="module")
    async def test_all_scopes_are_needed(
        self, lasting_world: World, held: list[str], wanted: list[str], reason: str | None
    ):
        await listed(lasting_world, *held)
        key = await lasting_world.key(scopes=held)
        assert await lasting_world.reason(key["token"], scopes=wanted) == reason

    async def test_of_a_personal_key_whose_verdict_names_the_user(self, world: World):
        organization = await world.organization(external_id="acme", metadata={"plan": "pro"})
        member = await world.member(organization, "viewer")
        key = await world.personal_key(member)
        assert await world.reason(key["token"]) == "WRONG_OWNER"
        verdict = await world.verdict(key["token"], owner="user")
        assert verdict["valid"]
        assert verdict["key"]["owner"] == {"kind": "user", "id": member["user_id"]}
        assert verdict["key"]["app"] is None
        assert verdict["key"]["organization"] == {
            "id": organization["id"],
            "external_id": "acme",
            "metadata": {"plan": "pro"},
        }
        assert await world.reason(key["token"], owner="any") is None


async def test_the_answer_has_all_that_a_service_needs(world: World):
    await world.scope("jobs:read")
    organization = await world.organization(external_id="org-1", metadata={"o": 1})
    app = await world.app(organization, external_id="app-1", metadata={"a": [1]})
    key = await world.key(app, scopes=["jobs:read"], metadata={"k": {"deep": True}}, expires_in=60)
    world.clock.advance(seconds=1)
    verdict = await world.verdict(key["token"])
    as_of = datetime.fromisoformat(verdict.pop("as_of"))
    assert timedelta(0) <= world.clock() - as_of < timedelta(seconds=1)
    assert verdict == {
        "valid": True,
        "reason": None,
        "key": {
            "id": key["id"],
            "name": "Key",
            "type": "secret",
            "environment": "live",
            "version_id": key["versions"][0]["id"],
            "owner": {"kind": "app", "id": app["id"]},
            "app": {"id": app["id"], "external_id": "app-1", "metadata": {"a": [1]}},
            "organization": {"id": organization["id"], "external_id": "org-1", "metadata": {"o": 1}},
            "scopes": ["jobs:read"],
            "metadata": {"k": {"deep": True}},
            "expires_at": "2030-01-01T00:01:00Z",
        },
        "limits": [],
        "degraded": False,
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_the_version_is_the_one_presented(lasting_world: World):
    key = await lasting_world.key()
    rotated = await lasting_world.made("POST", f"keys/{key['id']}/rotate")
    for token, version in zip((key["token"], rotated["token"]), rotated["versions"], strict=True):
        assert (await lasting_world.verdict(token))["key"]["version_id"] == version["id"]


PATHS: list[tuple[str, str | None]] = [
    ("/jobs/7", None),
    ("/jobs/7?x=/../..", None),
    ("/jobs/%7E", None),
    ("/jobs/%2e%2E/admin", "AMBIGUOUS_REQUEST"),
    ("/jobs/../admin", "AMBIGUOUS_REQUEST"),
    ("/jobs/.", "AMBIGUOUS_REQUEST"),
    ("//jobs/7", "AMBIGUOUS_REQUEST"),
    ("/jobs//7", "AMBIGUOUS_REQUEST"),
    ("/jobs\\7", "AMBIGUOUS_REQUEST"),
    ("/jobs/7;x=1", "AMBIGUOUS_REQUEST"),
    ("/jobs/%3b", "AMBIGUOUS_REQUEST"),
    ("/jobs/7#x", "AMBIGUOUS_REQUEST"),
    ("/jobs%2F7", "AMBIGUOUS_REQUEST"),
    ("/jobs/%00", "AMBIGUOUS_REQUEST"),
    ("/jobs/\u0000", "AMBIGUOUS_REQUEST"),
    ("/jobs/ü", "AMBIGUOUS_REQUEST"),
    ("/jobs/%ff", "AMBIGUOUS_REQUEST"),
    ("/jobs/%C0%AF", "AMBIGUOUS_REQUEST"),
    ("jobs/7", "AMBIGUOUS_REQUEST"),
    ("", "AMBIGUOUS_REQUEST"),
    ("https://api.example.com/jobs/7", "AMBIGUOUS_REQUEST"),
    ("/Jobs/7", "CONSTRAINT_UNMET"),
    ("/jobs", "CONSTRAINT_UNMET"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("path", "reason"), PATHS)
async def test_what_two_servers_could_read_differently_is_refused(
    lasting_world: World, path: str, reason: str | None
):
    constrained = await lasting_world.key(constraints=NARROW["constraints"])
    assert await lasting_world.reason(constrained["token"], path=path) == reason
    free = await lasting_world.key()
    assert await lasting_world.reason(free["token"], path=path) is None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_path_is_unmet_for_a_key_with_a_regex(lasting_world: World):
    shaped = await lasting_world.key(constraints=[{"type": "regex", "pattern": "/a+"}])
    prefixed = await lasting_world.key(constraints=[{"type": "prefix", "pattern": "/a"}])
    for length, reason in ((2047, None), (2048, None), (2049, "CONSTRAINT_UNMET")):
        path = "/" + "a" * (length - 1)
        assert await lasting_world.reason(shaped["token"], path=path) == reason
        assert await lasting_world.reason(prefixed["token"], path=path) is None


async def test_what_is_revoked_is_refused_by_the_very_next_attempt(world: World):
    for _ in range(5):
        key = await world.key()
        assert await world.reason(key["token"]) is None
        await world.made("DELETE", f"keys/{key['id']}?reason=compromised")
        assert await world.reason(key["token"]) == "REVOKED"


@pytest.mark.asyncio(loop_scope="module")
async def test_verify_writes_nothing(lasting_world: World):
    key = await lasting_world.key()
    before: Any = await lasting_world.rows()
    for token in (key["token"], "nonsense"):
        await lasting_world.verdict(token)
        await lasting_world.verdict(token, explain=True)
    assert await lasting_world.rows() == before
