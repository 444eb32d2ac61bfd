"""Counting uses in memory, with a store of the test's own."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from keystead.domain.errors import Unavailable
from keystead.domain.instants import at_ms
from keystead.domain.policy import Policy, rules_of
from keystead.domain.verdict import Known, known_of
from keystead.ports.store import Seen, Used
from keystead.usage.counter import PORTION, UseCounter
from tests.contract.samples import DAY, NOW, key, key_id, version_id


class FakeStore:
    """Keeps totals; `failure` is raised instead while it is set, and `entered` tells that a flush waits."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Used]] = []
        self.seen: list[Sequence[Seen]] = []
        self.failure: BaseException | None = None
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def add_uses(self, used: Sequence[Used]) -> None:
        self.entered.set()
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append(used)

    async def see_origins(self, seen: Sequence[Seen]) -> None:
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.seen.append(seen)

    @property
    def total(self) -> int:
        return sum(used.uses for batch in self.batches for used in batch)


def known(number: int = 1) -> Known:
    held = key(number)
    return known_of(held, held.newest, Policy(rules=rules_of(held)))


async def test_uses_of_one_version_are_one_row_with_the_latest_instant() -> None:
    counter, store = UseCounter(), FakeStore()
    for at in (NOW, NOW + DAY, NOW - DAY):
        counter.count(known(), at_ms(at))
    await counter.flush(store)
    assert store.batches == [
        [Used(key_id=key_id(), version_id=version_id(), uses=3, last_used_ms=at_ms(NOW + DAY))],
    ]


async def test_a_flush_of_nothing_does_not_ask_the_store() -> None:
    counter, store = UseCounter(), FakeStore()
    counter.count(known(), at_ms(NOW))
    await counter.flush(store)
    await counter.flush(store)
    assert len(store.batches) == 1


async def test_counts_wait_while_the_store_is_unavailable() -> None:
    counter, store = UseCounter(), FakeStore()
    store.failure = Unavailable("database")
    for _ in range(3):
        counter.count(known(), at_ms(NOW))
        await counter.flush(store)
    store.failure = None
    await counter.flush(store)
    assert [used.uses for batch in store.batches for used in batch] == [3]


@pytest.mark.parametrize("failure", [None, Unavailable("database")], ids=["written", "unavailable"])
async def test_what_is_counted_during_a_flush_is_not_lost(failure: Exception | None) -> None:
    counter, store = UseCounter(), FakeStore()
    store.go_on.clear()
    counter.count(known(), at_ms(NOW))
    flush = asyncio.create_task(counter.flush(store))
    await store.entered.wait()
    counter.count(known(), at_ms(NOW + DAY))
    counter.count(known(2), at_ms(NOW))
    store.failure = failure
    store.go_on.set()
    await flush
    store.failure = None
    await counter.flush(store)
    assert store.total == 3
    assert counter.dropped == 0


async def test_a_cancelled_flush_keeps_its_counts() -> None:
    counter, store = UseCounter(), FakeStore()
    store.go_on.clear()
    counter.count(known(), at_ms(NOW))
    flush = asyncio.create_task(counter.flush(store))
    await store.entered.wait()
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    store.go_on.set()
    await counter.flush(store)
    assert store.total == 1


async def test_versions_beyond_the_bound_are_dropped_and_counted() -> None:
    counter, store = UseCounter(max_versions=2), FakeStore()
    for number in (1, 2, 3, 3, 1):
        counter.count(known(number), at_ms(NOW))
    assert counter.dropped == 2
    await counter.flush(store)
    assert store.total == 3
    counter.count(known(3), at_ms(NOW))
    await counter.flush(store)
    assert store.total == 4


async def test_counts_put_back_obey_the_bound() -> None:
    counter, store = UseCounter(max_versions=1), FakeStore()
    store.go_on.clear()
    store.failure = Unavailable("database")
    counter.count(known(1), at_ms(NOW))
    counter.count(known(1), at_ms(NOW))
    flush = asyncio.create_task(counter.flush(store))
    await store.entered.wait()
    counter.count(known(2), at_ms(NOW))
    store.go_on.set()
    await flush
    assert counter.dropped == 2


async def test_running_flushes_each_interval_and_once_more_at_the_end() -> None:
    counter, store, stop = UseCounter(), FakeStore(), asyncio.Event()
    running = asyncio.create_task(counter.run(store, stop=stop, interval=timedelta(milliseconds=1)))
    counter.count(known(), at_ms(NOW))
    await store.entered.wait()
    counter.count(known(), at_ms(NOW))
    stop.set()
    await running
    assert store.total == 2


async def test_stopping_does_not_wait_for_the_interval() -> None:
    counter, store, stop = UseCounter(), FakeStore(), asyncio.Event()
    running = asyncio.create_task(counter.run(store, stop=stop, interval=DAY))
    counter.count(known(), at_ms(NOW))
    stop.set()
    async with asyncio.timeout(1):
        await running
    assert store.total == 1


async def test_whatever_goes_wrong_the_counting_goes_on() -> None:
    counter, store, stop = UseCounter(), FakeStore(), asyncio.Event()
    store.failure = AssertionError("a table is gone")
    counter.count(known(), at_ms(NOW))
    running = asyncio.create_task(counter.run(store, stop=stop, interval=timedelta(milliseconds=1)))
    await store.entered.wait()
    await asyncio.sleep(0)
    store.failure = None
    stop.set()
    await running
    assert store.total == 1


async def test_many_versions_are_written_in_portions_and_only_the_unwritten_are_kept() -> None:
    counter, store = UseCounter(), FakeStore()
    for number in range(1, 2 * PORTION + 2):
        counter.count(known(number), at_ms(NOW))

    async def failing_second(used: Sequence[Used]) -> None:
        if len(store.batches) == 1:
            raise Unavailable("database")
        store.batches.append(used)

    store.add_uses, working = failing_second, store.add_uses  # type: ignore[method-assign]
    await counter.flush(store)
    assert [len(batch) for batch in store.batches] == [PORTION]
    store.add_uses = working  # type: ignore[method-assign]
    await counter.flush(store)
    assert [len(batch) for batch in store.batches] == [PORTION, PORTION, 1]
    assert len({used.version_id for batch in store.batches for used in batch}) == 2 * PORTION + 1


async def test_an_origin_is_written_once_for_each_version_with_its_latest_instant() -> None:
    counter, store = UseCounter(), FakeStore()
    for number, at in ((1, NOW), (1, NOW + DAY), (2, NOW), (1, NOW - DAY)):
        counter.see_origin(known(number), at_ms(at))
    await counter.flush(store)
    await counter.flush(store)
    assert store.seen == [[Seen(version_id(), at_ms(NOW + DAY)), Seen(version_id(2), at_ms(NOW))]]
    assert store.batches == []


async def test_origins_wait_while_the_store_is_unavailable_and_never_go_back() -> None:
    counter, store = UseCounter(), FakeStore()
    store.failure = Unavailable("database")
    counter.see_origin(known(), at_ms(NOW + DAY))
    await counter.flush(store)
    counter.see_origin(known(), at_ms(NOW))
    store.failure = None
    await counter.flush(store)
    assert store.seen == [[Seen(version_id(), at_ms(NOW + DAY))]]


async def test_origins_beyond_the_bound_are_kept_once_there_is_room() -> None:
    counter, store = UseCounter(max_versions=1), FakeStore()
    for number in (1, 2, 1):
        counter.see_origin(known(number), at_ms(NOW))
    await counter.flush(store)
    counter.see_origin(known(2), at_ms(NOW))
    await counter.flush(store)
    assert [[it.version_id for it in portion] for portion in store.seen] == [[version_id()], [version_id(2)]]
    assert counter.dropped == 0
