"""Argon2id: what is kept, what matches, and that it all happens beside the event loop, two at once."""

import asyncio
import secrets
import threading
from collections.abc import Callable

import pytest
from argon2 import extract_parameters
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from keystead.domain.errors import Unavailable
from keystead.people.passwords import AT_ONCE, MOST_WAITING, Argon2Passwords

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords() -> Argon2Passwords:
    return Argon2Passwords(secrets.token_bytes, CHEAPEST)


class Held:
    """Stands in for the library: holds every hash until told, and counts those under way."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.under_way = self.most = self.done = 0
        self._lock = threading.Lock()

    def verify(self, _hashed: str, _password: str) -> bool:
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.go.wait(10)
        with self._lock:
            self.under_way -= 1
            self.done += 1
        return True


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    while not holds():  # noqa: ASYNC110 - no thread sets an event of the loop's
        await asyncio.sleep(0.01)


async def test_the_profile_is_the_second_recommended_one_of_rfc_9106():
    hashed = await Argon2Passwords(secrets.token_bytes).hash(PASSWORD)
    assert extract_parameters(hashed) == RFC_9106_LOW_MEMORY
    assert (RFC_9106_LOW_MEMORY.memory_cost, RFC_9106_LOW_MEMORY.time_cost) == (65536, 3)
    assert hashed.startswith("$argon2id$")


async def test_a_hash_matches_its_password_alone(passwords: Argon2Passwords):
    hashed = await passwords.hash(PASSWORD)
    assert PASSWORD not in hashed
    assert hashed != await passwords.hash(PASSWORD)
    assert await passwords.verify(hashed, PASSWORD)
    assert not await passwords.verify(hashed, PASSWORD + " ")


@pytest.mark.parametrize("with_hash", [True, False])
@pytest.mark.parametrize("password", [PASSWORD, "", None])
async def test_without_hash_or_password_one_is_compared_all_the_same_and_never_matches(
    passwords: Argon2Passwords, monkeypatch, with_hash, password
):
    hashed = await passwords.hash(PASSWORD) if with_hash else None
    compared = []
    matches = passwords._matches

    def watch(known, given):
        compared.append(extract_parameters(known))
        return matches(known, given)

    monkeypatch.setattr(passwords, "_matches", watch)
    assert await passwords.verify(hashed, password) is (with_hash and password == PASSWORD)
    assert compared == [CHEAPEST]


async def test_a_hash_of_another_cost_is_told_and_still_matches(passwords: Argon2Passwords):
    hashed = await passwords.hash(PASSWORD)
    dearer = Argon2Passwords(secrets.token_bytes)
    assert dearer.needs_rehash(hashed)
    assert not passwords.needs_rehash(hashed)
    assert await dearer.verify(hashed, PASSWORD)


async def test_what_is_no_hash_is_a_broken_invariant_that_quotes_nothing(passwords: Argon2Passwords):
    with pytest.raises(AssertionError) as caught:
        await passwords.verify("no hash", PASSWORD)
    assert caught.value.__context__ is None
    assert PASSWORD not in str(caught.value)


async def test_two_at_once_beside_the_loop_and_no_more_wait_than_can_be_served(passwords: Argon2Passwords):
    held = Held()
    passwords._hasher = held
    asked = [asyncio.create_task(passwords.verify("x", PASSWORD)) for _ in range(MOST_WAITING)]
    await until(lambda: held.under_way == AT_ONCE)
    with pytest.raises(Unavailable):
        await passwords.verify("x", PASSWORD)
    held.go.set()
    assert all(await asyncio.gather(*asked))
    assert held.most == AT_ONCE
    assert await passwords.verify("x", PASSWORD)


async def test_who_goes_away_frees_a_place_only_when_the_thread_is_done(passwords: Argon2Passwords):
    held = Held()
    passwords._hasher = held
    asked = [asyncio.create_task(passwords.verify("x", PASSWORD)) for _ in range(MOST_WAITING)]
    await until(lambda: passwords._waiting == MOST_WAITING)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    with pytest.raises(Unavailable):
        await passwords.verify("x", PASSWORD)
    held.go.set()
    await until(lambda: not passwords._waiting)
    assert held.done == MOST_WAITING
