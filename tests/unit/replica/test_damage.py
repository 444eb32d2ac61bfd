"""A file that is not as it was written is made anew, and never trusted."""

import asyncio
import os
import subprocess
import time
from contextlib import suppress

import lmdb
import pytest

from keystead.domain.errors import Unavailable
from keystead.domain.tenants import Role
from keystead.replica import build, histories, upkeep
from keystead.replica.format import Damaged, seal
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import LONG_AGO_MS
from tests.unit.replica.primary import Replicated, die_salvaging, digest, organization_id, user_id

KEYS = 200


@pytest.fixture
async def held(replicated, primary):
    """Tokens of a replica that is level; two generations are never there at once."""
    tokens = [primary.create(number) for number in range(KEYS)]
    await replicated.look()
    return tokens


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def leave_the_head(file):
    os.truncate(file, 2 * 4096)


def overwrite(file):
    with file.open("r+b") as opened:
        opened.write(b"\xa5" * 16_384)


def empty(file):
    os.truncate(file, 0)


def forget_it_is_whole(file):
    with lmdb.open(str(file), subdir=False, max_dbs=9) as environment:
        facts = environment.open_db(b"facts")
        with environment.begin(write=True) as transaction:
            transaction.delete(b"applied", db=facts)


def of_an_unknown_shape(file):
    with lmdb.open(str(file), subdir=False, max_dbs=9) as environment:
        facts = environment.open_db(b"facts")
        with environment.begin(write=True) as transaction:
            transaction.put(b"applied", b"something else", db=facts)


def not_ours(file):
    file.unlink()
    with lmdb.open(str(file), subdir=False, max_dbs=9):
        pass


@pytest.mark.parametrize(
    "harm",
    [
        truncate,
        leave_the_head,
        overwrite,
        empty,
        forget_it_is_whole,
        of_an_unknown_shape,
        not_ours,
        lambda file: file.unlink(),
    ],
    ids=["truncated", "head", "garbage", "empty", "unfinished", "unknown", "another's", "absent"],
)
async def test_a_file_that_is_not_whole_is_made_anew(replicated, source, held, tmp_path, harm):
    replicated.close()
    harm(replicated.folder.file(1))
    again = Replicated(tmp_path / "replica", source)
    with pytest.raises(Damaged):
        again.index.find(held[0])
    await again.look()
    assert all(again.index.find(it) is not None for it in held)
    assert again.folder.generations()[-1] == 2
    assert (await again.compare()).is_clean
    again.close()


async def test_a_flipped_byte_in_a_record_is_found_and_mended(replicated, primary, source, held, tmp_path):
    primary.change(7, about=b"Somewhere in the file")
    await replicated.look()
    replicated.close()
    file = replicated.folder.file(1)
    stored = bytearray(file.read_bytes())
    while (at := stored.find(b"Somewhere in the file")) >= 0:
        stored[at] ^= 1
    file.write_bytes(stored)

    again = Replicated(tmp_path / "replica", source)
    assert again.index.find(held[8]) is not None
    for _ in range(2):
        with pytest.raises(Damaged):
            again.index.find(held[7])
    assert again.stamp.distrusted == 1
    told = await again.compare()
    assert (told.missing, told.surplus, told.differing) == (0, 0, 1)
    await again.look()
    assert again.index.find(held[7]).name == "Somewhere in the file"
    assert (await again.compare()).is_clean

    # What seems damaged again and again must not keep the primary busy.
    again.stamp.distrust(again.stamp.generation)
    await again.look()
    assert again.stamp.generation == 2
    assert again.index.age_ms() < 1_000
    again.close()


async def test_refusals_outlive_the_damage(replicated, primary, source, held):
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    source.primary = backup
    await replicated.look()
    assert replicated.standing == 1
    replicated.stamp.distrust(replicated.stamp.generation)
    await replicated.look()
    assert replicated.standing == 1
    assert replicated.index.find(held[1]).revoked


@pytest.fixture
async def standing(replicated, primary, source, held):
    """A refusal stands, of the first token, which its primary forgot; the file is damaged."""
    backup = primary.copy()
    primary.change(0, revoked=True)
    await replicated.look()
    source.primary = backup
    await replicated.look()
    assert replicated.standing == 1
    replicated.stamp.distrust(replicated.stamp.generation)
    return backup


async def test_a_damaged_file_that_ended_three_processes_is_not_read_again(
    replicated, held, standing, monkeypatch
):
    told, kept = build.Builder.keep, []
    monkeypatch.setattr(build.Builder, "keep", lambda it, lost: (kept.append(lost), told(it, lost)))
    for _ in range(3):
        die_salvaging(replicated.folder.stamp, replicated.stamp.generation)
    await replicated.look()
    assert kept == [None]
    assert replicated.stamp.generation == 3
    assert replicated.standing == 0


@pytest.mark.parametrize("deaths", [0, 3])
async def test_without_room_for_another_file_the_damaged_one_is_kept_level(
    replicated, held, standing, monkeypatch, deaths
):
    def full(*_):
        raise Unavailable("replica")

    for _ in range(deaths):
        die_salvaging(replicated.folder.stamp, replicated.stamp.generation)
    monkeypatch.setattr(build, "create", full)
    for number in range(1, 6):
        standing.change(number, revoked=True)
        with pytest.raises(Unavailable):
            await replicated.look()
        assert replicated.index.find(held[number]).revoked
        assert replicated.index.age_ms() < 1_000
    monkeypatch.undo()
    await replicated.look()
    assert replicated.stamp.generation == 3
    assert replicated.standing == (1 if deaths == 0 else 0)
    assert replicated.index.find(held[0]).revoked is (deaths == 0)


@pytest.mark.parametrize("at", ["copying", "keeping"])
@pytest.mark.usefixtures("standing")
async def test_builds_that_are_given_up_cost_no_refusal(replicated, monkeypatch, at):
    upkeep, told = replicated.applier._upkeep, build.Builder.keep
    loop, keeping = asyncio.get_running_loop(), asyncio.Event()

    def slowly(builder, lost):
        loop.call_soon_threadsafe(keeping.set)
        time.sleep(0.02)
        return told(builder, lost)

    monkeypatch.setattr(build.Builder, "keep", slowly)
    for _ in range(5):
        keeping.clear()
        await upkeep.begin_rebuild()
        await (keeping.wait() if at == "keeping" else asyncio.sleep(0))
        await upkeep.step_down()
        upkeep.take_over()
    assert replicated.folder.generations() == [1, 2]
    await replicated.look()
    assert replicated.stamp.generation == 3
    assert replicated.standing == 1
    assert replicated.index.find(digest(0)).revoked


async def test_a_history_that_cannot_be_read_costs_no_refusal(replicated, held, standing, monkeypatch):
    told, damaged = histories.read_history, replicated.stamp.generation

    def corrupted(opened, transaction):
        if opened.generation == damaged:
            raise lmdb.CorruptedError
        return told(opened, transaction)

    monkeypatch.setattr(histories, "read_history", corrupted)
    await replicated.look()
    assert replicated.stamp.generation == damaged + 1
    assert replicated.standing == 1
    assert replicated.index.find(held[0]).revoked


async def test_a_primary_that_fails_costs_no_refusal_of_a_damaged_file(replicated, primary, source, held):
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    source.primary = backup
    await replicated.look()
    assert replicated.standing == 1

    def cut():
        raise Unavailable("database")

    source.between = cut
    replicated.stamp.distrust(replicated.stamp.generation)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await replicated.look()
    source.between = lambda: None
    await replicated.look()
    assert replicated.stamp.generation == 3
    assert replicated.standing == 1
    assert replicated.index.find(held[1]).revoked


async def test_only_files_of_our_format_are_touched(replicated, primary, source, held, tmp_path):
    folder = replicated.folder.path
    others = {name: os.urandom(64) for name in ("v0-1.mdb", "v2-9.mdb", "v2.stamp", "v2.lock", "notes")}
    for name, content in others.items():
        (folder / name).write_bytes(content)
    replicated.close()
    (folder / "v1-5.mdb").write_bytes(b"a build that was cut off")
    again = Replicated(tmp_path / "replica", source)
    assert again.index.find(held[0]) is not None
    again.applier._upkeep._strays_at = 0
    source.too_much = True
    await again.look()
    again.applier._upkeep._strays_at = 0
    await again.look()
    assert again.folder.generations() == [2]
    assert {name: (folder / name).read_bytes() for name in others} == others
    assert not list(folder.glob("v1-[15].mdb*"))
    again.close()


async def test_a_lost_stamp_begins_anew_with_the_newest_file(replicated, source, held, tmp_path):
    replicated.close()
    replicated.folder.stamp.unlink()
    again = Replicated(tmp_path / "replica", source)
    assert again.stamp.generation == 1
    assert again.index.find(held[0]) is not None
    # What another process said before is not known any more.
    assert again.index.age_ms() > 2**40
    again.close()


async def test_an_older_generation_is_never_taken_up_again(replicated, primary, source, held, tmp_path):
    primary.change(1, revoked=True)
    source.too_much = True
    await replicated.look()
    assert replicated.folder.generations() == [1, 2]
    replicated.close()
    truncate(replicated.folder.file(2))
    again = Replicated(tmp_path / "replica", source)
    with pytest.raises(Damaged):
        again.index.find(held[1])
    await again.look()
    assert again.index.find(held[1]).revoked
    again.close()


async def test_an_older_point_that_is_taken_up_is_not_believed_young(replicated, primary, source, held):
    replicated.close()
    other = Replicated(replicated.folder.path.with_name("other"), source)
    await other.look()
    other.close()
    again = Replicated(replicated.folder.path, source)
    primary.change(1, revoked=True)
    await again.look()
    again.close()
    # A whole file with a newer number and an older point, however it came to be there.
    other.folder.file(1).rename(again.folder.file(2))
    source.away = True
    third = Replicated(replicated.folder.path, source)
    assert third.stamp.generation == 2
    assert not third.index.find(held[1]).revoked
    assert third.index.age_ms() == LONG_AGO_MS
    source.away = False
    await third.look()
    assert third.index.find(held[1]).revoked
    assert third.index.age_ms() < 1_000
    third.close()


async def test_a_reader_moves_on_when_the_file_is_changed_for_another(replicated, primary, source, held):
    known = replicated.index.find(held[0])
    primary.change(0, about=b"Renamed")
    source.too_much = True
    await replicated.look()
    # The file that was read is closed under the reader's view, in this same process.
    assert replicated.index.find(held[0]).name == "Renamed"
    assert replicated.index.find(held[0]).policy is not known.policy
    assert replicated.stamp.generation == 2


async def test_a_view_is_renewed_with_every_change_and_not_without(replicated, primary, held):
    view = replicated.index._view
    replicated.index.find(held[0])
    seen = replicated.index._view
    assert seen is not view or view is not None
    replicated.index.find(held[1])
    replicated.index.renew()
    assert replicated.index._view is seen
    primary.create(1_000)
    await replicated.look()
    assert replicated.index.find(digest(1_000)) is not None
    assert replicated.index._view is not seen


def fill(file):
    with file.open("wb", buffering=0) as opened, suppress(OSError):
        while True:
            opened.write(b"x" * 4_096)


@pytest.fixture
def small_disk(tmp_path):
    """A volume of 4 MB."""
    if os.geteuid() != 0:
        pytest.fail("only root may mount a small volume: run the tests as root")
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["/bin/umount", "-l", str(path)], check=True)


async def test_a_full_disk_writes_nothing_by_halves_and_reads_go_on(small_disk, primary, source):
    held = [primary.create(number) for number in range(100)]
    node = Replicated(small_disk / "replica", source)
    await node.look()
    filler = small_disk / "filler"
    fill(filler)

    before = node.index.applied_epoch()
    for number in range(100, 3_000):
        primary.create(number)
    primary.change(1, revoked=True)
    for _ in range(3):
        with pytest.raises(Unavailable) as raised:
            await node.look()
        assert raised.value.dependency == "replica"
    assert node.index.applied_epoch() == before
    assert not node.index.find(held[1]).revoked
    assert node.index.find(digest(100)) is None
    assert all(node.index.find(it) is not None for it in held)

    # Nor can another be built beside it.
    source.too_much = True
    with pytest.raises(Unavailable):
        await node.look()
    assert node.folder.generations() == [1]

    filler.unlink()
    await node.look()
    assert node.index.find(held[1]).revoked
    assert node.index.find(digest(2_999)) is not None
    assert (await node.compare()).is_clean
    node.close()


async def test_a_file_that_lmdb_gave_up_is_opened_anew(replicated, primary, held, monkeypatch):
    writer = replicated.applier._upkeep._writer

    def panic(_news):
        raise lmdb.PanicError("mdb_txn_begin")

    monkeypatch.setattr(writer, "apply", panic)
    primary.change(1, revoked=True)
    with pytest.raises(Unavailable):
        await replicated.look()
    assert not replicated.index.find(held[1]).revoked
    assert replicated.applier._upkeep._writer is not writer
    await replicated.look()
    assert replicated.index.find(held[1]).revoked


def scramble_leaf_of(file, held):
    """The heads of all pages that hold this digest."""
    stored = bytearray(file.read_bytes())
    for at in range(2 * 4_096, len(stored), 4_096):
        if held in stored[at : at + 4_096]:
            stored[at + 8 : at + 40] = b"\xa5" * 32
    file.write_bytes(stored)


async def test_a_page_that_lmdb_cannot_read_is_damage_and_is_mended(replicated, source, held, tmp_path):
    replicated.close()
    scramble_leaf_of(replicated.folder.file(1), held[7])
    again = Replicated(tmp_path / "replica", source)
    for _ in range(3):
        with pytest.raises(Damaged):
            again.index.find(held[7])
    assert again.stamp.distrusted == 1
    await again.look()
    assert all(again.index.find(it) is not None for it in held)
    again.close()


@pytest.mark.parametrize("error", [lmdb.CorruptedError, lmdb.BadTxnError, lmdb.PageNotFoundError])
async def test_a_view_that_met_an_error_is_not_used_again(replicated, held, monkeypatch, error):
    replicated.index.find(held[0])
    view = replicated.index._view

    def corrupted(_digest):
        raise error

    replicated.index._get = corrupted
    with pytest.raises(Damaged):
        replicated.index.find(held[7])
    assert replicated.stamp.distrusted == 1
    assert replicated.index.find(held[8]) is not None
    assert replicated.index._view is not view


@pytest.mark.parametrize("value", [b"", b"short"])
async def test_a_value_too_short_is_damage(replicated, held, value):
    writer = replicated.applier._upkeep._opened
    with writer.environment.begin(write=True) as transaction:
        transaction.put(held[7], value, db=writer.databases[b"records"])
    replicated.stamp.take()
    with pytest.raises(Damaged):
        replicated.index.find(held[7])
    assert replicated.stamp.distrusted == 1


async def test_what_cannot_be_read_when_a_view_begins_is_damage(replicated, held, monkeypatch):
    def corrupted(_index, _generation):
        raise lmdb.CorruptedError

    monkeypatch.setattr(ReplicaIndex, "_forget_outdated", corrupted)
    replicated.stamp.take()
    with pytest.raises(Damaged):
        replicated.index.find(held[7])
    assert replicated.stamp.distrusted == 1
    monkeypatch.undo()
    assert replicated.index.find(held[7]) is not None


async def test_a_role_of_the_future_refuses(replicated, primary):
    primary.put_tenant(user_id())
    primary.put_role(user_id(), Role.DEVELOPER)
    held = primary.create(1, rules=("user", user_id(), "maps:read"))
    await replicated.look()
    opened = replicated.applier._upkeep._opened
    with opened.environment.begin(write=True) as transaction:
        name = f"{organization_id()}/{user_id()}".encode()
        transaction.put(name, seal(b"emperor"), db=opened.databases[b"roles"])
    assert replicated.index.find(held).policy.role is None
    assert replicated.stamp.distrusted == 0


@pytest.mark.parametrize("what", ["applied", "is_outdated"])
@pytest.mark.parametrize("error", [lmdb.CorruptedError, lmdb.BadTxnError, Damaged])
@pytest.mark.usefixtures("held")
async def test_a_file_that_cannot_be_taken_over_is_made_anew(replicated, source, monkeypatch, what, error):
    replicated.close()

    def corrupted(_writer):
        raise error

    monkeypatch.setattr(upkeep.Writer, what, corrupted)
    again = Replicated(replicated.folder.path, source)
    assert again.applier._upkeep.must_rebuild()
    monkeypatch.undo()
    await again.look()
    assert again.stamp.generation == 2
    assert again.index.find(digest(0)) is not None
    again.close()


async def test_a_new_file_that_fails_leaves_the_old_one_open(replicated, source, held, monkeypatch):
    told = upkeep.Writer.applied

    def corrupted(_writer):
        raise lmdb.CorruptedError

    source.too_much = True
    monkeypatch.setattr(upkeep.Writer, "applied", corrupted)
    with pytest.raises(Unavailable):
        await replicated.look()
    assert replicated.index.find(held[0]) is not None
    monkeypatch.setattr(upkeep.Writer, "applied", told)
    await replicated.look()
    assert replicated.index.find(held[0]) is not None


async def test_a_damaged_word_of_who_met_unknown_rules_has_it_made_anew(replicated, held):
    opened = replicated.applier._upkeep._opened
    with opened.environment.begin(write=True) as transaction:
        transaction.put(b"unreadable", b"\0\0\0\0what", db=opened.databases[b"facts"])
    replicated.applier._upkeep.take_over()
    assert replicated.applier._upkeep.must_rebuild()
    await replicated.look()
    assert replicated.stamp.generation == 2
    assert replicated.index.find(held[0]) is not None
