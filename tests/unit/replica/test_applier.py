"""One process of a node applies, notices at once, and goes on whatever happens."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from keystead.domain.errors import Unavailable
from keystead.ports.replica import ReadOnly
from keystead.replica import applier as applier_module
from keystead.replica.files import Files, Folder
from keystead.replica.lock import Lock
from keystead.replica.stamp import Stamp, boot_ns
from tests.unit.replica.primary import FakeSource, applier


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "replica"
    path.mkdir()
    return Folder(path)


class Process:
    def __init__(self, folder, source):
        self.files, self.stamp = Files(folder), Stamp(folder.stamp)
        self.applier = applier(self.files, self.stamp, source)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.applier.run(self.stop))

    async def end(self):
        self.stop.set()
        await asyncio.wait_for(self.task, 5)
        self.files.close()
        self.stamp.close()


@asynccontextmanager
async def running(folder, source):
    process = Process(folder, source)
    try:
        yield process
    finally:
        await process.end()


async def eventually(condition, within_s=5.0):
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        await asyncio.sleep(0.002)


async def test_it_applies_what_changes_until_it_is_stopped(folder, source, primary):
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.applied_epoch == 2)
        primary.create(1)
        source.changes.set()
        await eventually(lambda: process.stamp.applied_epoch == 3)
        await eventually(lambda: process.stamp.age_ms() < 100)
    assert Lock(folder.lock).take()


async def test_a_nudge_is_enough(folder, source, primary):
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.applied_epoch == 2)
        began = time.monotonic()
        for number in range(10):
            primary.create(number)
            process.applier.nudge()
            await eventually(lambda: process.stamp.applied_epoch == primary.point.epoch)
        assert time.monotonic() - began < 0.4


async def test_without_a_word_it_looks_in_time_to_stay_fresh(folder, source, primary):
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.age_ms() < 100)
        ages = []
        for _ in range(120):
            ages.append(process.stamp.age_ms())
            await asyncio.sleep(0.01)
        assert max(ages) < 1_000
        primary.create(1)
        await eventually(lambda: process.stamp.applied_epoch == 3, within_s=1)


async def test_a_primary_away_is_logged_once_and_tried_again(folder, source, primary):
    with capture_logs() as logs:
        async with running(folder, source) as process:
            await eventually(lambda: process.stamp.applied_epoch == 2)
            source.away = True
            source.changes.set()
            await asyncio.sleep(0.7)
            level = process.stamp.age_ms()
            assert level > 500
            primary.create(1)
            source.away = False
            await eventually(lambda: process.stamp.applied_epoch == 3, within_s=2)
    events = [log["event"] for log in logs]
    assert events.count("not level with the primary") == 1
    assert events.count("level with the primary again") == 1


async def test_a_nudge_ends_the_pause_after_the_primary_was_away(folder, source, primary, monkeypatch):
    monkeypatch.setattr(applier_module, "_RETRY_LAST_S", 60.0)
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.applied_epoch == 2)
        source.away, process.applier._failures = True, 16
        source.changes.set()
        await asyncio.sleep(0.2)
        source.away = False
        primary.create(1)
        process.applier.nudge()
        await eventually(lambda: process.stamp.applied_epoch == 3, within_s=1)


async def test_what_was_applied_is_told_before_it_is_reported(folder, source, primary, monkeypatch):
    reporting = asyncio.Event()

    async def report(_node):
        reporting.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(source, "report", report)
    before = boot_ns()
    async with running(folder, source) as process:
        await asyncio.wait_for(reporting.wait(), 5)
        assert before < process.stamp.looked_at_ns < boot_ns()
        assert process.stamp.age_ms() > 10_000


async def test_a_primary_that_takes_no_report_for_being_read_only_is_one_to_be_level_with(
    folder, source, primary, monkeypatch
):
    told, refused = source.report, []

    async def refuse(node):
        refused.append(node)
        raise ReadOnly("database")

    monkeypatch.setattr(source, "report", refuse)
    async with running(folder, source) as process:
        await eventually(lambda: len(refused) > 3)
        assert process.stamp.age_ms() < 1_000
        assert source.reported == []
        # What it could not say it says before it is level again.
        monkeypatch.setattr(source, "report", told)
        primary.create(1)
        source.changes.set()
        await eventually(lambda: source.reported != [])
        assert source.reported[0] == 3


async def test_another_history_is_reported_at_once_though_its_epochs_number_is_the_same(
    folder, source, primary
):
    async with running(folder, source) as process:
        backup = primary.copy()
        for number, history in enumerate((primary, backup)):
            history.create(number)
            source.primary = history
            source.changes.set()
            await eventually(lambda point=history.point: source.reported_points[-1:] == [point], within_s=0.9)
        assert primary.point.epoch == backup.point.epoch == process.stamp.applied_epoch


async def test_a_report_that_did_not_arrive_keeps_a_node_from_being_level(
    folder, source, primary, monkeypatch
):
    async def lose(_node):
        raise Unavailable("database")

    monkeypatch.setattr(source, "report", lose)
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.applied_epoch == 2)
        await asyncio.sleep(0.3)
        assert process.stamp.age_ms() > 10_000


async def test_an_error_of_ours_does_not_end_it(folder, source, primary, monkeypatch):
    calls = []
    told = source.news

    async def breaks(after):
        calls.append(after)
        if len(calls) < 3:
            raise RuntimeError("a broken invariant")
        return await told(after)

    monkeypatch.setattr(source, "news", breaks)
    async with running(folder, source) as process:
        await eventually(lambda: process.stamp.age_ms() < 100)
        assert not process.task.done()


async def test_whoever_stands_by_does_nothing_and_takes_over(folder, source, primary, monkeypatch):
    idle = FakeSource(primary)
    first = Process(folder, source)
    await eventually(lambda: first.stamp.applied_epoch == 2)
    monkeypatch.setattr(applier_module, "ELECTION_S", 0.05)
    second = Process(folder, idle)
    await asyncio.sleep(0.2)
    assert (idle.snapshots, idle.reported) == (0, [])
    await first.end()
    primary.create(1)
    await eventually(lambda: second.stamp.applied_epoch == 3, within_s=1)
    assert idle.snapshots == 0
    await second.end()


async def test_a_stop_does_not_wait_for_a_build(folder, source, primary):
    blocked = asyncio.Event()

    @asynccontextmanager
    async def snapshot():
        blocked.set()
        await asyncio.sleep(60)
        yield

    source.snapshot = snapshot
    process = Process(folder, source)
    await asyncio.wait_for(blocked.wait(), 5)
    await process.end()
    assert folder.generations() == []


async def test_refusals_are_brought_to_the_primary_by_themselves(folder, source, primary):
    async with running(folder, source) as process:
        held = primary.create(1)
        await eventually(lambda: process.stamp.applied_epoch == 3)
        backup = primary.copy()
        primary.change(1, revoked=True)
        await eventually(lambda: process.stamp.applied_epoch == 4)
        source.primary = backup
        backup.create(2)
        source.changes.set()
        await eventually(lambda: backup.versions[held].revoked)
        await eventually(lambda: process.applier._upkeep._writer.standing == 0)
        epoch = backup.point.epoch
        await asyncio.sleep(0.1)
        assert backup.point.epoch == epoch == process.stamp.applied_epoch


async def test_a_lock_that_cannot_be_opened_is_logged_once_and_tried_more_seldom(
    folder, source, primary, monkeypatch
):
    tries = []
    take = Lock.take

    def denied(_lock):
        tries.append(1)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(applier_module, "ELECTION_S", 0.01)
    monkeypatch.setattr(Lock, "take", denied)
    with capture_logs() as logs:
        async with running(folder, source) as process:
            await asyncio.sleep(0.5)
            assert 2 <= len(tries) <= 7
            monkeypatch.setattr(Lock, "take", take)
            await eventually(lambda: process.stamp.applied_epoch == 2)
    events = [log["event"] for log in logs]
    assert events.count("this process cannot apply changes") == 1
