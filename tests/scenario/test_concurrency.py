"""Two hundred requests at once on the keys of one app."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.scenario.servers import Json, Keystead, run_keystead

AT_ONCE = 200


class Crowd:
    """Many clients of one server, who all ask at the same time."""

    def __init__(self, keystead: Keystead, client: httpx.AsyncClient) -> None:
        self._root = keystead.root
        self._client = client

    async def ask(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._root}"}
        answer = await self._client.request(method, f"/api/v1/{path}", headers=headers, json=body)
        assert answer.status_code < 500, answer.text
        return answer

    async def all(self, *asked: tuple[Any, ...]) -> list[httpx.Response]:
        return list(await asyncio.gather(*(self.ask(*it) for it in asked)))

    async def verdicts(self, tokens: list[str]) -> list[str | None]:
        answers = await self.all(*(("POST", "verify", {"token": it}) for it in tokens))
        return [it.json()["reason"] for it in answers]

    async def keys(self, app: Json) -> dict[str, Json]:
        """All keys of an app by id, revoked ones included."""
        found: dict[str, Json] = {}
        for status in ("", "&status=revoked"):
            cursor = ""
            while cursor is not None:
                page = (await self.ask("GET", f"apps/{app['id']}/keys?limit=100{status}{cursor}")).json()
                found |= {it["id"]: it for it in page["items"]}
                cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def keystead(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystead]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres").new_database()
    with run_keystead(tmp_path_factory.mktemp("crowd"), database_url=url) as server:
        yield server


@pytest.fixture
async def crowd(keystead: Keystead):
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    url = f"http://127.0.0.1:{keystead.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        yield Crowd(keystead, client)


async def test_creating_rotating_and_deleting_at_once_loses_nothing(keystead: Keystead, crowd: Crowd):
    app = keystead.app()
    fixed = [keystead.key(app) for _ in range(20)]
    rotated, shared, doomed = fixed[0], fixed[1:5], fixed[5:]
    create = ("POST", f"apps/{app['id']}/keys", {"name": "Key"})
    answers = await crowd.all(
        *[create] * 100,
        *[("POST", f"keys/{rotated['id']}/rotate", {"grace_s": 0})] * 30,
        *[("POST", f"keys/{it['id']}/rotate", {"grace_s": 600}) for it in shared] * 10,
        *[("DELETE", f"keys/{it['id']}") for it in doomed] * 2,
    )
    assert len(answers) == AT_ONCE
    created, regenerated, graced, deleted = answers[:100], answers[100:130], answers[130:170], answers[170:]

    assert {it.status_code for it in created} == {201}
    assert {it.status_code for it in regenerated} == {200}
    # Of ten rotations each, four find room for a version; the others are told so.
    assert Counter(it.status_code for it in graced) == {200: 16, 409: 24}
    assert {it.json()["type"] for it in graced if it.status_code == 409} == {"too-many-versions"}
    assert {it.status_code for it in deleted} == {200}

    # Each change that was answered is there, and was a change of its own.
    changes = [it.json()["epoch"] for it in (*created, *regenerated, *graced) if it.is_success]
    assert len(set(changes)) == len(changes) == 100 + 30 + 16
    now = await crowd.keys(app)
    assert now.keys() == {it["id"] for it in fixed} | {it.json()["id"] for it in created}
    assert len(now[rotated["id"]]["versions"]) == 1 + 30
    assert {len(now[it["id"]]["versions"]) for it in shared} == {5}
    assert {it["id"] for it in now.values() if it["status"] == "revoked"} == {it["id"] for it in doomed}

    # Of the regenerated key exactly one token works; of the others every one.
    newest = max(regenerated, key=lambda it: it.json()["epoch"]).json()["token"]
    ends = await crowd.verdicts([rotated["token"], *(it.json()["token"] for it in regenerated)])
    assert Counter(ends) == {"RETIRED": 30, None: 1}
    assert await crowd.verdicts([newest]) == [None]
    live = [it.json()["token"] for it in (*created, *graced) if it.is_success]
    assert set(await crowd.verdicts(live + [it["token"] for it in shared])) == {None}
    assert set(await crowd.verdicts([it["token"] for it in doomed])) == {"REVOKED"}


async def test_of_many_deletions_at_once_one_key_is_always_left(keystead: Keystead, crowd: Crowd):
    app = keystead.app()
    made = await crowd.all(*[("POST", f"apps/{app['id']}/keys", {"name": "Key"})] * 50)
    keys = [it.json() for it in made]
    answers = await crowd.all(*[("DELETE", f"keys/{it['id']}") for it in keys] * 4)
    assert len(answers) == AT_ONCE
    # Deleting what is deleted is no error, so only those of the last key were refused.
    refused = [it.json()["type"] for it in answers if it.status_code == 409]
    assert set(refused) == {"last-key"}
    assert Counter(it.is_success for it in answers) == {True: AT_ONCE - len(refused), False: len(refused)}
    reasons = await crowd.verdicts([it["token"] for it in keys])
    assert Counter(reasons) == {"REVOKED": 49, None: 1}


async def test_deleting_while_creating_never_leaves_an_app_without_a_key(keystead: Keystead, crowd: Crowd):
    """Each client takes the key's place by a new one and deletes the old: there is always one that works."""
    app = keystead.app()
    first = keystead.key(app)

    async def replace_first() -> None:
        made = await crowd.ask("POST", f"apps/{app['id']}/keys", {"name": "Key"})
        await crowd.ask("DELETE", f"keys/{made.json()['id']}")
        await crowd.ask("DELETE", f"keys/{first['id']}")

    await asyncio.gather(*(replace_first() for _ in range(AT_ONCE // 4)))
    left = [it for it in (await crowd.keys(app)).values() if it["status"] == "active"]
    assert len(left) == 1


async def test_if_match_lets_one_of_many_changes_through(keystead: Keystead, crowd: Crowd):
    key = keystead.key()
    etag = keystead.call("GET", f"keys/{key['id']}").headers["etag"]
    headers = {"Authorization": f"Bearer {keystead.root}", "If-Match": etag}
    path = f"/api/v1/keys/{key['id']}"
    names = [f"Name {n}" for n in range(50)]
    answers = await asyncio.gather(
        *(crowd._client.patch(path, headers=headers, json={"name": name}) for name in names)
    )
    assert Counter(it.status_code for it in answers) == {200: 1, 412: 49}
    [won] = [it.json()["name"] for it in answers if it.is_success]
    assert keystead.made("GET", f"keys/{key['id']}")["name"] == won


async def test_one_idempotency_key_makes_one_key_however_many_ask(keystead: Keystead, crowd: Crowd):
    app = keystead.app()
    headers = {"Authorization": f"Bearer {keystead.root}", "Idempotency-Key": "once"}
    path = f"/api/v1/apps/{app['id']}/keys"
    answers = await asyncio.gather(
        *(crowd._client.post(path, headers=headers, json={"name": "Key"}) for _ in range(50))
    )
    assert {it.status_code for it in answers} <= {201, 409}
    assert len({it.json()["id"] for it in answers if it.is_success}) == 1
    assert sum("token" in it.json() for it in answers) == 1
    assert len(await crowd.keys(app)) == 1
