"""While a new file is built the present one is kept level; when the new one takes over, it is no older."""

import asyncio
import errno
from contextlib import asynccontextmanager, suppress

import lmdb
import pytest

from keystead.domain.errors import Unavailable
from keystead.replica import upkeep
from keystead.replica.check import compare
from keystead.replica.files import Files, Folder
from keystead.replica.format import DATABASES, FACTS, HISTORY, PAUSED
from keystead.replica.stamp import boot_ms
from tests.unit.replica.primary import SOON, FakeSource, Replicated, app_id, digest

KEYS = 40


class Slowly:
    """A source's snapshot that stops before each portion until it is let go on."""

    def __init__(self, source):
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        told = source.snapshot
        source.snapshot = lambda: _Slow(told(), self)


class _Slow:
    def __init__(self, opening, slowly):
        self._opening, self._slowly = opening, slowly

    async def __aenter__(self):
        snapshot = await self._opening.__aenter__()
        rows = snapshot.versions

        async def versions():
            async for some in rows():
                self._slowly.begun.set()
                await self._slowly.go_on.wait()
                yield some

        snapshot.versions = versions
        return snapshot

    async def __aexit__(self, *exc):
        return await self._opening.__aexit__(*exc)


@pytest.fixture
async def held(replicated, primary):
    tokens = [primary.create(number) for number in range(KEYS)]
    await replicated.look()
    return tokens


@pytest.fixture
async def slowly(replicated, source, held):
    """A build is under way, and has come to the versions."""
    slow = Slowly(source)
    replicated.stamp.distrust(replicated.stamp.generation)
    await replicated.applier._turn()
    await slow.begun.wait()
    return slow


async def ended(replicated):
    beside = replicated.applier._upkeep._beside
    await asyncio.wait_for(asyncio.wait([beside]), 5)
    beside.result()


def content(replicated):
    opened = replicated.files.open(replicated.stamp.generation)
    with opened.environment.begin() as transaction:
        return {
            name: [(bytes(key), bytes(value)) for key, value in transaction.cursor(opened.databases[name])]
            for name in DATABASES
        }


async def test_a_key_revoked_meanwhile_is_refused_at_once(replicated, primary, slowly, held):
    level = boot_ms()
    primary.change(1, revoked=True)
    new = primary.create(KEYS)
    await replicated.applier._turn()
    assert replicated.stamp.generation == 1
    assert replicated.stamp.rebuilding is not None
    assert replicated.index.find(held[1]).revoked
    assert replicated.index.find(new) is not None
    assert replicated.index.applied_epoch() == primary.point.epoch
    assert replicated.index.age_ms() <= boot_ms() - level

    slowly.go_on.set()
    await ended(replicated)
    assert replicated.stamp.generation == 2
    assert replicated.stamp.rebuilding is None
    assert replicated.index.find(held[1]).revoked
    assert (await replicated.compare()).is_clean


async def test_the_applied_epoch_never_goes_back(replicated, primary, slowly, held):
    seen = []
    for number in range(10):
        primary.change(number, revoked=True)
        await replicated.applier._turn()
        seen.append(replicated.index.applied_epoch())
    slowly.go_on.set()
    while replicated.stamp.generation == 1:
        seen.append(replicated.index.applied_epoch())
        assert all(replicated.index.find(it).revoked for it in held[:10])
        await asyncio.sleep(0)
    seen.append(replicated.index.applied_epoch())
    assert all(replicated.index.find(it).revoked for it in held[:10])
    assert seen == sorted(seen)


async def test_what_came_while_it_was_built_is_in_it_without_another_look(replicated, primary, slowly, held):
    primary.change(2, revoked=True)
    primary.put_tenant(app_id(), suspended=True)
    primary.purge(3)
    slowly.go_on.set()
    await ended(replicated)
    assert replicated.index.applied_epoch() == primary.point.epoch
    assert replicated.index.find(held[2]).revoked
    assert replicated.index.find(held[2]).policy.suspended
    assert replicated.index.find(held[3]) is None


async def test_it_equals_a_file_built_at_once(replicated, primary, source, slowly, tmp_path):
    for number in range(0, KEYS, 3):
        primary.change(number, revoked=True)
    await replicated.applier._turn()
    primary.purge(5)
    primary.rotate(7, 1_000)
    slowly.go_on.set()
    await ended(replicated)
    other = Replicated(tmp_path / "other", source)
    await other.look()
    made, fresh = content(replicated), content(other)
    # It knows more of the past.
    for beside in (HISTORY, PAUSED):
        assert set(made.pop(beside)) >= set(fresh.pop(beside))
    assert made.pop(FACTS)
    assert fresh.pop(FACTS)
    assert made == fresh
    other.close()


@pytest.mark.usefixtures("slowly")
async def test_killed_in_the_middle_the_present_file_stays(replicated, primary, source, held, tmp_path):
    primary.change(1, revoked=True)
    await replicated.applier._turn()
    (tmp_path / "killed").mkdir()
    for file in replicated.folder.path.iterdir():
        (tmp_path / "killed" / file.name).write_bytes(file.read_bytes())
    assert replicated.folder.generations() == [1, 2]
    again = Replicated(tmp_path / "killed", source)
    assert again.stamp.generation == 1
    assert again.index.find(held[1]).revoked
    again.close()
    await replicated.applier._upkeep.step_down()
    assert replicated.folder.generations() == [1]
    assert replicated.stamp.rebuilding is None


async def test_a_history_that_parts_meanwhile_ends_it(replicated, primary, source, slowly, held):
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.applier._turn()
    source.primary = backup
    slowly.go_on.set()
    await replicated.look()
    assert replicated.index.find(held[1]).revoked
    assert replicated.standing == 1
    assert (await replicated.compare()).is_clean


async def test_put_back_unnoticed_until_the_end_it_does_not_take_over(
    replicated, primary, source, slowly, held
):
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.applier._turn()
    source.primary = backup
    slowly.go_on.set()
    with pytest.raises(Unavailable):
        await ended(replicated)
    assert replicated.stamp.generation == 1
    assert replicated.index.find(held[1]).revoked


@pytest.mark.parametrize("confirmed", [False, True])
async def test_refusals_that_stand_go_over(replicated, primary, source, held, confirmed):
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    source.primary = backup
    await replicated.look()
    assert replicated.standing == 1

    slow = Slowly(source)
    replicated.stamp.distrust(replicated.stamp.generation)
    await replicated.applier._turn()
    await slow.begun.wait()
    if confirmed:
        await replicated.resubmit()
        await replicated.applier._turn()
    slow.go_on.set()
    await ended(replicated)
    assert replicated.stamp.generation == 3
    assert replicated.standing == (0 if confirmed else 1)
    assert replicated.index.find(held[1]).revoked
    assert (await replicated.compare()).is_clean


async def test_one_that_fails_leaves_the_present_file_level_and_is_tried_again(
    replicated, primary, source, held
):
    def cut():
        raise Unavailable("database")

    source.between = cut
    replicated.stamp.distrust(1)
    with suppress(Unavailable):
        await replicated.look()
    primary.change(1, revoked=True)
    with pytest.raises(Unavailable):
        await replicated.look()
    assert replicated.index.find(held[1]).revoked
    assert replicated.index.age_ms() < 500
    assert replicated.folder.generations() == [1]
    source.between = lambda: None
    await replicated.look()
    assert replicated.stamp.generation == 2
    assert replicated.index.find(digest(1)).revoked


async def test_one_that_cannot_be_taken_up_leaves_the_point_of_the_present_file(
    replicated, primary, slowly, held, monkeypatch
):
    at = replicated.applier._upkeep.at
    primary.change(1, revoked=True)

    def corrupted(_writer):
        raise lmdb.CorruptedError

    monkeypatch.setattr(upkeep.Writer, "is_outdated", corrupted)
    slowly.go_on.set()
    with pytest.raises(Unavailable):
        await ended(replicated)
    assert replicated.applier._upkeep.at == at
    await replicated.applier._turn()
    assert replicated.index.find(held[1]).revoked


def no_more_files(_source, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    def cannot(_files, _generation):
        # Nor can a folder be listed any more.
        monkeypatch.setattr(Folder, "generations", refuse)
        raise Unavailable("replica")

    monkeypatch.setattr(Files, "look_at", cannot)


def cut_at_the_end(source, monkeypatch):
    told = source.snapshot

    @asynccontextmanager
    async def snapshot():
        async with told() as opened:
            yield opened
        raise Unavailable("database")

    monkeypatch.setattr(source, "snapshot", snapshot)


@pytest.mark.parametrize("fail", [no_more_files, cut_at_the_end])
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "at once"])
@pytest.mark.usefixtures("held")
async def test_a_whole_file_that_is_not_changed_to_is_never_taken_over(replicated, monkeypatch, fail, beside):
    source = replicated.source
    if beside:
        replicated.stamp.distrust(replicated.stamp.generation)
    source.too_much = not beside
    fail(source, monkeypatch)
    with pytest.raises(Unavailable):
        await replicated.look()
    monkeypatch.undo()
    assert replicated.folder.generations() == [1]

    replicated.applier._upkeep._begin_at = boot_ms() + 60_000
    source.primary.change(1, revoked=True)
    await replicated.look()
    replicated.close()
    source.away = True
    again = Replicated(replicated.folder.path, source)
    assert again.index.find(digest(1)).revoked
    again.close()


async def test_a_comparison_whose_file_is_changed_for_another_says_that_it_could_not(
    replicated, primary, slowly
):
    asking = FakeSource(primary)
    walking = Slowly(asking)
    comparing = asyncio.create_task(compare(replicated.files, replicated.stamp, asking, within=SOON))
    await walking.begun.wait()
    slowly.go_on.set()
    await ended(replicated)
    walking.go_on.set()
    with pytest.raises(Unavailable) as raised:
        await comparing
    assert raised.value.dependency == "replica"
    assert (await replicated.compare()).is_clean
