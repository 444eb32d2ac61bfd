"""What stands around the application: surfaces, bodies that are late, and how ready a node says it is."""

import asyncio
import json
import re
from contextlib import asynccontextmanager

import httpx
import pytest

from keystead.api import front
from keystead.api.app import make_app
from keystead.api.surface import Surface
from keystead.domain.tokens import TokenKind
from tests.unit.api.cases import attempt, bearer
from tests.unit.api.memory import APP, ROOT, ROOT_BARE, Memory, door_on, filled, root_key, token

READER = token(TokenKind.ROOT, 7)


@pytest.fixture(scope="module")
def memory():
    found = filled()
    found.found[READER.digest] = root_key("metrics:read", number=92)
    return found


@pytest.fixture(scope="module")
def progress():
    return []


@pytest.fixture(scope="module")
def apps(memory, progress):
    door = door_on(memory, rebuilding=lambda: progress[-1] if progress else None)
    return make_app(door, tuple(Surface))


@pytest.fixture(autouse=True)
def _level(memory, progress):
    memory.age = 0
    progress.clear()


@asynccontextmanager
async def client_of(app, peer=("127.0.0.1", 1)):
    transport = httpx.ASGITransport(app, client=peer, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://keystead.test") as client:
        yield client


async def ask(app, method, path, presented=None, **sent):
    headers = {} if presented is None else {"authorization": bearer(presented)}
    async with client_of(app) as client:
        return await client.request(method, path, headers=headers, **sent)


INTERNAL = [("GET", "/auth"), ("GET", "/auth/nginx"), ("POST", "/api/v1/verify"), ("GET", "/metrics")]


@pytest.mark.parametrize(("method", "path"), INTERNAL)
async def test_what_is_internal_is_not_found_on_the_public_surface(apps, method, path):
    nothing = await ask(apps[Surface.PUBLIC], "GET", "/nothing")
    found = await ask(apps[Surface.PUBLIC], method, path, ROOT, json=attempt())
    assert (found.status_code, found.json() | {"request_id": ""}) == (
        404,
        nothing.json() | {"request_id": ""},
    )
    assert (await ask(apps[Surface.INTERNAL], method, path, ROOT, json=attempt())).status_code != 404


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs", "/nothing"])
async def test_nothing_else_is_found_on_the_internal_surface(apps, path):
    assert (await ask(apps[Surface.INTERNAL], "GET", path)).status_code == 404
    assert (await ask(apps[Surface.PUBLIC], "GET", path)).is_success is (path != "/nothing")


@pytest.mark.parametrize(
    "path", ["/api/v1/verify/", "/api/v1/%76erify", "//api/v1/verify", "/api/v1//verify"]
)
async def test_verify_in_another_spelling_is_nothing(apps, path):
    answer = await ask(apps[Surface.ALL], "POST", path, ROOT, json=attempt())
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


async def test_verify_tells_which_methods_it_has(apps):
    for method in ("GET", "PUT", "DELETE"):
        assert (await ask(apps[Surface.ALL], method, "/api/v1/verify", ROOT)).status_code == 405
    options = await ask(apps[Surface.ALL], "OPTIONS", "/api/v1/verify", ROOT)
    assert (options.status_code, options.headers["allow"]) == (204, "OPTIONS, POST")


async def test_a_body_that_is_late_is_408(apps, monkeypatch):
    monkeypatch.setattr(front, "BODY_S", 0.01)
    messages = []

    async def receive():
        await asyncio.sleep(1)

    async def send(message):
        messages.append(message)

    await apps[Surface.ALL](_scope(), receive, send)
    assert (messages[0]["status"], json.loads(messages[1]["body"])["type"]) == (408, "request-timeout")
    told = (await ask(apps[Surface.INTERNAL], "GET", "/metrics")).text
    [seconds] = re.findall(r'keystead_request_seconds_sum\{status="408",surface="verify"\} (\S+)', told)
    # The loop's clock is coarser, and may call a little early.
    assert 0.005 <= float(seconds) < 1


async def test_a_fault_before_the_body_is_read_is_answered(apps, monkeypatch):
    def wants_body(_head):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(apps[Surface.ALL].hot, "wants_body", wants_body)
    answer = await ask(apps[Surface.ALL], "POST", "/api/v1/verify", ROOT, json=attempt())
    assert (answer.status_code, answer.json()["type"]) == (500, "internal-error")


async def test_who_has_gone_is_not_answered(apps):
    messages = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        messages.append(message)

    await apps[Surface.ALL](_scope(), receive, send)
    assert messages == []


def _scope():
    headers = [(b"X-API-Key", ROOT.reveal().encode())]
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/verify",
        "raw_path": b"/api/v1/verify",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }


class TestReadiness:
    async def test_a_node_is_ready_until_its_replica_is_stale(self, apps, memory):
        for age, status in ((0, 200), (299_999, 200), (300_000, 503), (2**50, 503)):
            memory.age = age
            answer = await ask(apps[Surface.ALL], "GET", "/readyz")
            assert answer.status_code == status
            told = answer.json()
            assert told == {"status": "ready"} if status == 200 else told["type"] == "stale"
        assert answer.headers["retry-after"] == "1"

    async def test_details_are_for_who_may_read_metrics(self, apps, memory, progress):
        memory.age = 2_500
        progress.append((3, 10))
        level = {
            "applied_epoch": 42,
            "age_s": 2.5,
            "degraded": True,
            "rebuild": {"done": 3, "expected": 10},
        }
        for surface, presented, details in (
            (Surface.ALL, READER, level),
            (Surface.PUBLIC, READER, level),
            (Surface.INTERNAL, None, level),
            (Surface.ALL, ROOT_BARE, None),
            (Surface.ALL, APP, None),
            (Surface.ALL, None, None),
        ):
            told = (await ask(apps[surface], "GET", "/readyz", presented)).json()
            assert told.get("replica") == details

    async def test_a_node_that_was_never_level_tells_how_far_it_is(self, apps, memory, progress):
        memory.age = 2**50
        progress.append((3, 10))
        answer = await ask(apps[Surface.INTERNAL], "GET", "/readyz")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()["replica"]
        assert (told["age_s"], told["rebuild"]) == (None, {"done": 3, "expected": 10})

    async def test_without_a_replica_a_key_opens_no_details(self):
        app = make_app(door_on(Memory(away=True)))[Surface.ALL]
        assert (await ask(app, "GET", "/readyz", READER)).json() == {"status": "ready"}


async def test_metrics_need_a_key_but_on_the_internal_surface(apps):
    for surface, presented, status in (
        (Surface.ALL, READER, 200),
        (Surface.ALL, None, 401),
        (Surface.ALL, ROOT_BARE, 403),
        (Surface.INTERNAL, None, 200),
    ):
        answer = await ask(apps[surface], "GET", "/metrics", presented)
        assert answer.status_code == status
        assert ("keystead_verdicts_total" in answer.text) == (status == 200)


async def test_our_own_api_says_stale_and_when_to_ask_again(apps, memory):
    memory.age = 300_000
    answer = await ask(apps[Surface.ALL], "GET", "/api/v1/self", APP)
    assert (answer.status_code, answer.json()["type"]) == (503, "stale")
    assert answer.headers["retry-after"] == "1"
