"""Counted uses, added to what is kept."""

import asyncio
from dataclasses import replace

from keystead.domain.instants import at_ms
from keystead.ports.store import Seen, Used
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import DAY, NOW, key, key_id, populate, version, version_id


def used(number: int, count: int, *, key_number: int = 1, at=NOW) -> Used:
    return Used(key_id=key_id(key_number), version_id=version_id(number), uses=count, last_used_ms=at_ms(at))


async def test_uses_are_added_to_versions_and_their_key(store: SqlStore) -> None:
    await populate(store)
    sample = key(versions=(version(1), version(2), version(3)), revision=4)
    async with store.write() as tables:
        await tables.keys.insert(sample)
    await store.add_uses([used(1, 2, at=NOW), used(2, 3, at=NOW + DAY)])
    await store.add_uses([used(1, 1, at=NOW + 2 * DAY)])
    one, two, three = sample.versions
    expected = replace(
        sample,
        use_count=6,
        last_used_at=NOW + 2 * DAY,
        versions=(
            replace(one, use_count=3, last_used_at=NOW + 2 * DAY),
            replace(two, use_count=3, last_used_at=NOW + DAY),
            three,
        ),
    )
    async with store.read() as tables:
        assert await tables.keys.find(key_id()) == expected


async def test_the_last_use_never_moves_back(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.keys.insert(key())
    await store.add_uses([used(1, 1, at=NOW + DAY)])
    await store.add_uses([used(1, 1, at=NOW)])
    async with store.read() as tables:
        found = await tables.keys.find(key_id())
    assert found is not None
    assert (found.last_used_at, found.newest.last_used_at, found.use_count) == (NOW + DAY, NOW + DAY, 2)


async def test_uses_of_versions_that_are_gone_are_passed_over(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.keys.insert(key())
    await store.add_uses([used(9, 5, key_number=9), used(1, 1)])
    await store.add_uses([])
    async with store.read() as tables:
        found = await tables.keys.find(key_id())
    assert found is not None
    assert found.use_count == 1


async def test_concurrent_flushes_add_up_exactly(store: SqlStore) -> None:
    await populate(store)
    numbers = range(1, 11)
    async with store.write() as tables:
        for number in numbers:
            await tables.keys.insert(key(number))
    batch = [used(number, 1, key_number=number) for number in numbers]
    await asyncio.gather(*(store.add_uses(batch[::direction]) for direction in (1, -1) * 20))
    async with store.read() as tables:
        found = [await tables.keys.find(key_id(number)) for number in numbers]
    assert [one.use_count for one in found if one is not None] == [40] * len(numbers)


async def test_an_origin_is_kept_of_its_version_alone_and_never_moves_back(store: SqlStore) -> None:
    await populate(store)
    sample = key(versions=(version(1), version(2)))
    async with store.write() as tables:
        await tables.keys.insert(sample)
    await store.see_origins([Seen(version_id(2), at_ms(NOW + DAY)), Seen(version_id(9), at_ms(NOW))])
    await store.see_origins([Seen(version_id(2), at_ms(NOW))])
    await store.see_origins([])
    async with store.read() as tables:
        found = await tables.keys.find(key_id())
    assert found == replace(sample, versions=(version(1), version(2, origin_seen_at=NOW + DAY)))


async def test_a_change_of_a_key_leaves_the_origin_that_was_seen(store: SqlStore) -> None:
    await populate(store)
    sample = key()
    async with store.write() as tables:
        await tables.keys.insert(sample)
    await store.see_origins([Seen(version_id(), at_ms(NOW))])
    async with store.write() as tables:
        rotated = replace(sample, versions=(version(1, retires_at=NOW + DAY), version(2)), revision=2)
        await tables.keys.update(sample, rotated)
    async with store.read() as tables:
        found = await tables.keys.find(key_id())
    assert found is not None
    assert [it.origin_seen_at for it in found.versions] == [NOW, None]
