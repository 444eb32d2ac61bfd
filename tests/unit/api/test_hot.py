"""What verify and forward-auth answer from memory, alike by both ways in."""

import json
import re
from itertools import count

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import HTTPException
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from keystead.api.app import make_app
from keystead.api.forward_auth import IDENTITY_HEADERS
from keystead.api.hot import Hot
from keystead.api.problems import SlowBody
from keystead.api.routes.verify import VerifyAnswer, VerifyRequest
from keystead.api.surface import Surface
from keystead.api.verify import MAX_BODY_BYTES, _read, _read_again
from keystead.domain.gcra import Rate
from keystead.domain.ids import IdKind, is_id
from keystead.services.throttle import Throttle
from tests.contract.samples import app_id, key_id, organization_id, user_id, version_id
from tests.unit.api.cases import AUTH, VERIFY, attempt, auth, call
from tests.unit.api.memory import APP, APP_OWNER, JOBS, NETWORK, PERSONAL, ROOT, Memory, door_on, filled, head

MINUTES_AGO = "2026-03-01T11:50:00.123000Z"
ALL = {f"auth: {name}": (asked, b"", *told) for name, (asked, *told) in AUTH.items()} | {
    f"verify: {name}": (*asked, *told) for name, (asked, *told) in VERIFY.items()
}
CASES = pytest.mark.parametrize(("asked", "body", "status", "told"), ALL.values(), ids=ALL.keys())
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


@pytest.fixture
def memory():
    return filled()


@pytest.fixture
def door(memory):
    return door_on(memory)


def hot_of(door, surface=Surface.ALL):
    return Hot(door, (f"req_{number:022}" for number in count()), surface)


@pytest.fixture
def hot(door):
    return hot_of(door)


def ask(hot, asked, body=b""):
    """The answer, as a server that keeps to the rules gets it."""
    assert hot.takes(asked.method, asked.path)
    most = hot.wants_body(asked)
    return hot.answer(asked, b"" if most is None else body[: most + 1])


def told_of(answer):
    if not answer.body:
        return None
    said = json.loads(answer.body)
    return said["reason"] if "valid" in said else said["type"]


@CASES
def test_each_request_is_answered_as_the_table_says(hot, asked, body, status, told):
    answer = ask(hot, asked, body)
    assert (answer.status, told_of(answer)) == (status, told), answer.body
    headers = dict(answer.headers)
    assert headers.items() >= SAFE.items()
    assert len(headers) == len(answer.headers) or "www-authenticate" in headers
    if answer.body:
        said = json.loads(answer.body)
        assert "valid" in said or said["request_id"] == headers["x-request-id"]
        kind = "application/json" if "valid" in said else "application/problem+json"
        assert headers["content-type"] == kind
    assert APP.reveal() not in str(answer)


@pytest.fixture(scope="module")
def app():
    unlimited = Throttle(Rate(units=1_000_000, period_s=1, burst=1_000_000))
    return make_app(door_on(filled(), throttle=unlimited))[Surface.ALL]


@pytest.mark.parametrize("name", ALL)
async def test_both_ways_in_give_the_same_answer(door, app, name):
    asked, body, *_ = ALL[name]
    hot = ask(hot_of(door), asked, body)
    transport = httpx.ASGITransport(app, client=asked.client, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://keystead.test") as client:
        url = asked.path + ("?" + asked.query.decode() if asked.query else "")
        request = client.build_request(asked.method, url, content=body)
        request.headers = httpx.Headers([*asked.headers, (b"host", b"keystead.test")])
        answer = await client.send(request)
    by_asgi = [(name, value) for name, value in answer.headers.raw if name != b"content-length"]
    assert (answer.status_code, _same(by_asgi)) == (hot.status, _same(hot.raw_headers))
    assert _plain(answer.content) == _plain(hot.body)
    assert answer.headers["content-length"] == str(len(hot.body))
    assert is_id(IdKind.REQUEST, answer.headers["x-request-id"])


def _same(headers):
    return [(name, _plain(value)) for name, value in headers]


def _plain(text):
    return re.sub(rb"req_[0-9A-Za-z]{22}", b"req", text)


def test_only_these_paths_are_taken_in_just_this_spelling(hot):
    for method in ("GET", "POST", "OPTIONS", "BREW"):
        assert hot.takes(method, "/auth")
        assert hot.takes(method, "/auth/nginx")
        assert hot.takes(method, "/api/v1/verify") is (method == "POST")
    for path in ("/auth/", "/Auth", "//auth", "/%61uth", "/api/v1/verify/", "/api/v1/%76erify", "/"):
        assert not hot.takes("POST", path)


def test_with_an_internal_listener_the_public_one_takes_nothing(door):
    for path in ("/auth", "/auth/nginx", "/api/v1/verify"):
        assert not hot_of(door, Surface.PUBLIC).takes("POST", path)
        assert hot_of(door, Surface.INTERNAL).takes("POST", path)


def test_whoever_reaches_the_internal_unix_socket_is_trusted_and_no_other_is(door):
    asked = auth(token=APP, client=None)
    assert ask(hot_of(door, Surface.INTERNAL), asked).status == 200
    assert ask(hot_of(door), asked).status == 404


class TestForwardAuth:
    def test_an_accepted_answer_says_who_asks(self, hot):
        answer = ask(hot, auth(token=APP))
        identity = {name: dict(answer.headers)[name.lower()] for name in IDENTITY_HEADERS}
        assert identity == {
            "X-Key-Id": key_id(1),
            "X-Key-Owner": APP_OWNER,
            "X-Key-Type": "secret",
            "X-Key-Organization": organization_id(1),
            "X-Key-External-Id": "cus_1",
            "X-Key-Scopes": "jobs:read jobs:write",
            "X-Key-Environment": "live",
        }
        assert answer.body == b""

    def test_each_key_has_its_own_identity(self, hot):
        for _ in range(2):
            for token, number in ((APP, 1), (JOBS, 3), (NETWORK, 5)):
                asked = auth(token=token, x_forwarded_method="GET", x_forwarded_uri="/jobs/7")
                asked.headers.append((b"x-forwarded-for", b"203.0.113.9"))
                headers = dict(ask(hot, asked).headers)
                assert headers["x-key-id"] == key_id(number)
                assert headers["x-key-scopes"] == ("jobs:read jobs:write" if token is APP else "-")

    def test_a_personal_key_names_its_user(self, hot):
        headers = dict(ask(hot, auth("owner=any", token=PERSONAL)).headers)
        assert headers["x-key-owner"] == f"user:{user_id(1)}"

    def test_a_preflight_is_nobodys(self, hot):
        asked, _, _ = AUTH["a preflight"]
        headers = dict(ask(hot, asked).headers)
        assert {headers[name.lower()] for name in IDENTITY_HEADERS} == {"-"}

    def test_a_refusal_is_challenged(self, hot):
        def challenges(asked):
            return [value for name, value in ask(hot, asked).headers if name == "www-authenticate"]

        assert challenges(auth()) == ['Bearer realm="api"', 'ApiKey realm="api"']
        assert challenges(auth("scopes=a:b,c:d", token=APP)) == [
            'Bearer realm="api", error="insufficient_scope", scope="a:b c:d"'
        ]
        assert challenges(auth("environment=test", token=APP)) == []

    def test_an_accepted_attempt_is_a_use_and_no_other(self, hot, memory):
        for asked in (auth(token=APP), auth("environment=test", token=APP), auth(), auth(token=APP)):
            ask(hot, asked)
        assert [it.key_id for it in memory.used] == [key_id(1)] * 2

    @pytest.mark.parametrize("path", ["/auth", "/auth/nginx"])
    def test_what_cannot_be_judged_is_503_in_a_status_that_the_proxy_understands(self, hot, memory, path):
        for slug, age, away in (("stale", 300_000, False), ("unavailable", 0, True)):
            memory.age, memory.away = age, away
            answer = ask(hot, auth(path=path, token=APP))
            headers = dict(answer.headers)
            status, told = (503, None) if path == "/auth" else (403, "503")
            assert (answer.status, headers.get("x-auth-status")) == (status, told)
            assert headers["retry-after"] == "1"
            assert json.loads(answer.body)["type"] == slug
            assert json.loads(answer.body)["status"] == status
            assert memory.used == []

    def test_a_degraded_node_says_so_in_every_verdict(self, hot, memory):
        for age, said in ((1_999, None), (2_000, "1"), (299_999, "1")):
            memory.age = age
            for asked in (auth(token=APP), auth(token=JOBS), auth("scopes=a:b", token=APP)):
                assert dict(ask(hot, asked).headers).get("x-auth-degraded") == said


class TestVerify:
    def test_the_answer_has_all_that_a_service_needs(self, hot):
        assert json.loads(ask(hot, *call(attempt())).body) == {
            "valid": True,
            "reason": None,
            "key": {
                "id": key_id(1),
                "name": "Key 1",
                "type": "secret",
                "environment": "live",
                "version_id": version_id(1),
                "owner": {"kind": "app", "id": app_id(1)},
                "app": {"id": app_id(1), "external_id": None, "metadata": {}},
                "organization": {
                    "id": organization_id(1),
                    "external_id": "cus_1",
                    "metadata": {"plan": "pro"},
                },
                "scopes": ["jobs:read", "jobs:write"],
                "metadata": {"k": {"deep": [True, None, "ü"]}},
                "expires_at": "2027-03-01T12:00:00.123000Z",
            },
            "limits": [],
            "as_of": "2026-03-01T12:00:00.123000Z",
            "degraded": False,
        }

    @pytest.mark.parametrize("name", [name for name, (_, status, _) in VERIFY.items() if status == 200])
    def test_every_answer_has_the_shape_that_the_document_tells(self, hot, name):
        body = ask(hot, *VERIFY[name][0]).body
        assert msgspec.json.encode(msgspec.json.decode(body, type=VerifyAnswer)) == body

    def test_a_field_at_fault_is_named(self, hot):
        for name, field, problem in (
            ("nothing", "body", "send a JSON object"),
            ("a list", "body", "Expected `object`, got `array`"),
            ("no token field", "token", "is missing"),
            ("an unknown field", "limits", "is not a field here; leave it out"),
            ("a cost that is text", "cost", "Expected `int`, got `str`"),
            ("a scope that is none", "scopes[1]", "write resource:action"),
            ("an address that is none", "ip", "write an IPv4 or IPv6 address"),
            ("a query", "dry_run", "is not a query parameter here; leave it out"),
        ):
            said = json.loads(ask(hot, *VERIFY[name][0]).body)
            [error] = said["errors"]
            assert error["field"] == field
            assert error["problem"].startswith(problem)
            assert said["detail"] == f"{field}: {error['problem']}"

    def test_who_may_not_ask_is_challenged(self, hot):
        headers = dict(ask(hot, *call(attempt(), token=None)).headers)
        assert headers["www-authenticate"] == 'Bearer realm="api", ApiKey realm="api"'

    def test_keys_that_are_not_root_keys_have_a_rate(self, hot):
        answers = [ask(hot, *call(attempt(), token=APP)) for _ in range(3)]
        assert [it.status for it in answers] == [403, 403, 429]
        headers = dict(answers[-1].headers)
        assert headers["retry-after"] == "1"
        assert headers["ratelimit-policy"] == '"management";q=60;w=60'
        assert {ask(hot, *call(attempt())).status for _ in range(9)} == {200}

    def test_the_call_and_what_was_accepted_are_uses(self, hot, memory):
        for asked in (call(attempt()), call(attempt(explain=True)), call(attempt(JOBS, path="/"))):
            ask(hot, *asked)
        assert [it.key_id for it in memory.used] == [key_id(90), key_id(1), key_id(90), key_id(90)]

    def test_degraded_and_stale_are_told(self, hot, memory):
        for age, degraded, reason in (
            (1_999, False, None),
            (2_000, True, None),
            (299_999, True, None),
            (300_000, True, "STALE"),
        ):
            memory.age = age
            said = json.loads(ask(hot, *call(attempt())).body)
            assert (said["degraded"], said["reason"], said["valid"]) == (degraded, reason, reason is None)
            assert ("key" in said) == (reason is None)
        memory.age = 600_000
        assert json.loads(ask(hot, *call(attempt())).body)["as_of"] == MINUTES_AGO
        memory.age = 2**50
        assert json.loads(ask(hot, *call(attempt())).body)["as_of"] == "1970-01-01T00:00:00Z"

    def test_a_stale_node_tells_only_who_may_ask(self, hot, memory):
        memory.age = 2**50
        for token, status in ((None, 401), (APP, 403), (ROOT, 200)):
            assert ask(hot, *call(attempt(), token=token)).status == status

    def test_a_replica_that_cannot_be_read_is_503(self, hot, memory):
        memory.away = True
        answer = ask(hot, *call(attempt()))
        assert (answer.status, told_of(answer)) == (503, "unavailable")
        assert dict(answer.headers)["retry-after"] == "1"

    def test_a_large_body_is_wanted_only_of_who_may_ask(self, hot):
        for length, token, most in (
            ("100", None, MAX_BODY_BYTES),
            ("16384", None, MAX_BODY_BYTES),
            ("16385", None, None),
            ("16385", ROOT, MAX_BODY_BYTES),
            (str(MAX_BODY_BYTES), ROOT, MAX_BODY_BYTES),
            (str(MAX_BODY_BYTES + 1), ROOT, None),
        ):
            given = {} if token is None else {"x_api_key": token.reveal()}
            asked = head("POST", "/api/v1/verify", content_length=length, **given)
            assert hot.wants_body(asked) == most, (length, token)
        chunked = head("POST", "/api/v1/verify", transfer_encoding="chunked")
        assert hot.wants_body(chunked) is None
        assert hot.wants_body(auth()) is None

    def test_as_operator_nobody_is_asked_who_they_are(self):
        hot = hot_of(door_on(filled(), as_operator=True))
        assert ask(hot, *call(attempt(), token=None)).status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(
    st.sampled_from([*VerifyRequest.__struct_fields__, "other"]),
    JSON | st.sampled_from(["live", "any", "secret", "app", 1, 1.0, 1000000, ["jobs:read"]]),
)


@given(FIELDS.map(lambda it: json.dumps(it).encode()) | st.binary(max_size=20), st.integers(0, 40))
def test_a_body_read_in_one_step_is_read_as_in_two(body, cut):
    def read(how, text):
        try:
            return how(text)
        except (HTTPException, UnicodeDecodeError, RecursionError) as error:
            return type(error), getattr(error, "extra", None), str(error)

    for text in (body, body[:cut]):
        assert read(_read, text) == read(_read_again, text)


def test_what_went_wrong_with_us_is_500_and_logged_by_the_requests_id(door, memory):
    memory.find = None
    for asked, body in ((auth(token=APP), b""), call(attempt())):
        with capture_logs([merge_contextvars]) as logged:
            answer = ask(hot_of(door), asked, body)
        assert (answer.status, told_of(answer)) == (500, "internal-error")
        assert [it["request_id"] for it in logged] == [json.loads(answer.body)["request_id"]]
        assert dict(answer.headers)["x-request-id"] == logged[0]["request_id"]


def test_a_body_that_could_not_be_read_is_answered_too(hot):
    answer = hot.failed(SlowBody(), 10**10)
    assert (answer.status, told_of(answer)) == (408, "request-timeout")


@pytest.mark.parametrize(
    ("path", "status", "true_status"), [("/auth", 500, None), ("/auth/nginx", 403, "500")]
)
def test_a_fault_of_ours_is_told_in_a_status_that_the_proxy_understands(path, status, true_status):
    class Broken(Memory):
        def find(self, _digest):
            raise RuntimeError("on purpose")

    answer = ask(hot_of(door_on(Broken())), auth(path=path, token=APP))
    assert (answer.status, told_of(answer)) == (status, "internal-error")
    assert dict(answer.headers).get("x-auth-status") == true_status


def test_only_queries_that_operators_write_are_kept_in_memory(hot):
    for length, kept in ((2048, 1), (2049, 1)):
        query = "scopes=" + "a:b," * 1000
        assert ask(hot, auth(query[:length], token=APP)).status in {403, 422}
        assert hot._profiles["/auth"]._route.cache_info().misses == kept


def test_requests_and_verdicts_are_counted(hot, door):
    for asked in (auth(token=APP), auth(token=APP), auth(), auth("nonsense")):
        ask(hot, asked)
    ask(hot, *call(attempt(explain=True)))
    text = door.metrics.render(door.context).decode()
    assert 'keystead_verdicts_total{outcome="ACCEPTED"} 2.0' in text
    assert 'keystead_verdicts_total{outcome="MISSING"} 1.0' in text
    assert 'keystead_request_seconds_count{status="200",surface="auth"} 2.0' in text
    assert 'keystead_request_seconds_count{status="422",surface="auth"} 1.0' in text
    assert 'keystead_request_seconds_count{status="200",surface="verify"} 1.0' in text


def test_nothing_is_looked_up_for_a_peer_that_is_not_trusted(door):
    memory = Memory(away=True)
    assert ask(hot_of(door_on(memory)), auth(token=APP, client=("192.0.2.1", 1))).status == 404
