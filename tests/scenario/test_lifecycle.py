"""The whole life of keys in random order, through the HTTP API, against a model that fits on a page."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.api.world import Json, World, opened_world

MINUTE = timedelta(minutes=1)
LIFETIMES = st.sampled_from([None, 2, 10])
EXAMPLES, STEPS = 30, 30
MOST_KEYS, RECENT = 3, 4


@dataclass(eq=False)
class Model:
    """What a key is, as far as a verdict on it goes. `tokens` are oldest first, with when each retires."""

    id: str
    tokens: dict[str, datetime | None]
    expires_at: datetime | None
    versions: dict[str, str] = field(default_factory=dict)
    disabled: bool = False
    revoked: bool = False

    def reason(self, token: str, now: datetime, *, suspended: bool) -> str | None:
        if self.revoked:
            return "REVOKED"
        if self.disabled or suspended:
            return "DISABLED"
        if self.expires_at is not None and now >= self.expires_at:
            return "EXPIRED"
        return None if self.live(token, now) else "RETIRED"

    def live(self, token: str, now: datetime) -> bool:
        retires_at = self.tokens[token]
        return retires_at is None or now < retires_at

    def usable(self, now: datetime) -> bool:
        return self.reason(list(self.tokens)[-1], now, suspended=False) is None

    def rotate(self, token: str, now: datetime, grace: timedelta, expires_at: datetime | None) -> None:
        expired = self.expires_at is not None and now >= self.expires_at
        ends = {it: now for it in self.tokens if self.live(it, now)}
        if grace and not expired:
            until = min(now + grace, self.expires_at or now + grace)
            ends = {list(self.tokens)[-1]: until}
        self.tokens |= {**ends, token: None}
        self.expires_at = expires_at or self.expires_at


class Lifecycle(RuleBasedStateMachine):
    """Each example is an app of its own, in a world that all share and whose clock only moves on."""

    world: World
    runner: asyncio.Runner
    numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self.app = self.run(self.world.app(self.organization()))
        self.keys: list[Model] = []
        self.touched: list[Model] = []
        self.suspended = False

    def organization(self) -> Json:
        name = f"Acme {next(self.numbers)}"
        return dict(self.run(self.world.organization(name=name)))

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @property
    def now(self) -> datetime:
        return self.world.clock.now

    def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        answer = self.run(self.world.call(method, path, json=body))
        assert answer.status_code < 500, answer.text
        return answer.status_code, answer.json()

    def key(self, data: st.DataObject) -> Model:
        """The key that a step is about, seldom a revoked one: it alone can be judged otherwise afterwards."""
        unrevoked = [it for it in self.keys if not it.revoked]
        seldom = data.draw(st.integers(0, 9)) == 9
        self.touched = [data.draw(st.sampled_from(self.keys if seldom else unrevoked or self.keys))]
        return self.touched[0]

    @initialize(minutes=LIFETIMES)
    def begin(self, minutes: int | None) -> None:
        self.create(minutes)

    @precondition(lambda self: sum(not it.revoked for it in self.keys) < MOST_KEYS)
    @rule(minutes=LIFETIMES)
    def create_another(self, minutes: int | None) -> None:
        self.create(minutes)

    def create(self, minutes: int | None) -> None:
        body: Json = {"name": "Key"} | ({} if minutes is None else {"expires_in": minutes * 60})
        status, made = self.call("POST", f"apps/{self.app['id']}/keys", body)
        assert status == 201
        expires_at = None if minutes is None else self.now + minutes * MINUTE
        self.keys.append(Model(made["id"], {made["token"]: None}, expires_at))
        self.touched = self.keys[-1:]
        self.note_version(self.keys[-1], made)

    def note_version(self, key: Model, answer: Json) -> None:
        key.versions[answer["versions"][-1]["id"]] = answer["token"]

    @rule(data=st.data(), grace=st.sampled_from([0, 3, 60]), minutes=st.sampled_from([None, 60]))
    def rotate(self, data: st.DataObject, grace: int, minutes: int | None) -> None:
        self.rotate_key(self.key(data), grace, minutes)

    @rule(data=st.data(), times=st.integers(3, 5))
    def rotate_again_and_again(self, data: st.DataObject, times: int) -> None:
        key = self.key(data)
        for _ in range(times):
            self.rotate_key(key, 60, None)

    def rotate_key(self, key: Model, grace: int, minutes: int | None) -> None:
        body = {"grace_s": grace * 60} | ({} if minutes is None else {"expires_in": minutes * 60})
        status, answer = self.call("POST", f"keys/{key.id}/rotate", body)
        expired = key.expires_at is not None and self.now >= key.expires_at
        live = sum(key.live(it, self.now) for it in key.tokens)
        if key.revoked:
            assert (status, answer["type"]) == (409, "revoked")
        elif expired and minutes is None:
            assert (status, answer["type"]) == (409, "expired")
        elif grace and not expired and live == 5:
            assert (status, answer["type"]) == (409, "too-many-versions")
        else:
            assert status == 200
            expires_at = None if minutes is None else self.now + minutes * MINUTE
            key.rotate(answer["token"], self.now, grace * MINUTE, expires_at)
            self.note_version(key, answer)

    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        key = self.key(data)
        version = data.draw(st.sampled_from(list(key.versions)))
        token = key.versions[version]
        status, answer = self.call("DELETE", f"keys/{key.id}/versions/{version}")
        if token == list(key.tokens)[-1]:
            assert (status, answer["type"]) == (409, "newest-version")
        else:
            assert status == 200
            if key.live(token, self.now):
                key.tokens[token] = self.now

    @rule(data=st.data(), disabled=st.booleans())
    def pause(self, data: st.DataObject, *, disabled: bool) -> None:
        key = self.key(data)
        status, _ = self.call("POST", f"keys/{key.id}/{'disable' if disabled else 'enable'}")
        assert status == (409 if key.revoked else 200)
        if not key.revoked:
            key.disabled = disabled

    @rule(data=st.data(), minutes=st.sampled_from([None, 4]))
    def change_expiry(self, data: st.DataObject, minutes: int | None) -> None:
        key = self.key(data)
        expires_at = None if minutes is None else self.now + minutes * MINUTE
        body = {"expires_at": None if expires_at is None else expires_at.isoformat()}
        status, answer = self.call("PATCH", f"keys/{key.id}", body)
        expired = key.expires_at is not None and self.now >= key.expires_at
        assert status == (409 if key.revoked or expired else 200), answer
        if status == 200:
            key.expires_at = expires_at

    @rule(data=st.data(), reason=st.sampled_from(["unspecified", "compromised"]))
    def revoke(self, data: st.DataObject, reason: str) -> None:
        key = self.key(data)
        others = [it for it in self.keys if it is not key and it.usable(self.now)]
        last = key.usable(self.now) and not others and reason != "compromised"
        status, answer = self.call("DELETE", f"keys/{key.id}?reason={reason}")
        assert (status, answer.get("type")) == ((409, "last-key") if last else (200, "secret"))
        key.revoked = key.revoked or not last

    @rule(suspended=st.booleans())
    def suspend(self, *, suspended: bool) -> None:
        assert self.call("PATCH", f"apps/{self.app['id']}", {"disabled": suspended})[0] == 200
        self.suspended, self.touched = suspended, self.keys

    @rule(minutes=st.sampled_from([1, 2, 10]))
    def wait(self, minutes: int) -> None:
        self.world.clock.advance(minutes=minutes)
        self.touched = self.keys

    @invariant()
    def tokens_are_judged_as_the_model_says(self) -> None:
        for key in self.touched:
            self.judge(key, list(key.tokens)[-RECENT:])

    def judge(self, key: Model, tokens: list[str]) -> None:
        for token in tokens:
            verdict = self.run(self.world.verdict(token))
            expected = key.reason(token, self.now, suspended=self.suspended)
            assert (verdict["reason"], verdict["valid"]) == (expected, expected is None)
            assert verdict["key"]["id"] == key.id

    def teardown(self) -> None:
        for key in self.keys:
            self.judge(key, list(key.tokens))
        listed = self.call("GET", f"apps/{self.app['id']}/keys?limit=100")[1]["items"]
        assert {it["id"] for it in listed} == {it.id for it in self.keys if not it.revoked}


@pytest.mark.timeout(600)  # what fails is first made as short as can be
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_keys_live_as_the_model_says(store: str, tmp_path, request: pytest.FixtureRequest):
    environ = {"KEYSTEAD_DATA": str(tmp_path / "data")}
    if store == "postgresql":
        environ["KEYSTEAD_DATABASE_URL"] = request.getfixturevalue("postgres").new_database()
    with asyncio.Runner() as runner:
        opening = opened_world(environ)
        Lifecycle.runner, Lifecycle.world = runner, runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(
                Lifecycle,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
