"""What changed in the primary is in the replica, whole."""

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest

from keystead.domain.errors import Unavailable
from keystead.domain.instants import NEVER
from keystead.domain.tenants import Role
from keystead.domain.verdict import Attempt, Demands, Reason, decide
from keystead.replica import writer
from keystead.replica.files import Files
from keystead.replica.histories import read_points
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import LONG_AGO_MS, Stamp, boot_ms
from tests.unit.replica.primary import app_id, applier, digest, key_id, organization_id, read_rules, user_id

ATTEMPT = Attempt(now_ms=1_000)
ANY = Demands(environment=None, owner=None)


def judged(replicated, held):
    known = replicated.index.find(held)
    return None if known is None else decide(known, ATTEMPT, ANY)


async def test_a_new_node_begins_with_all_there_is(replicated, primary):
    held = [primary.create(number) for number in range(20)]
    await replicated.look()
    for number, it in enumerate(held):
        known = replicated.index.find(it)
        assert (known.key_id, known.name) == (key_id(number), f"Key {number}")
        assert known.policy.rules.scopes == ("maps:read",)
        assert known.policy.app.id == app_id()
        assert known.policy.organization.public_methods == ("GET",)
    assert replicated.index.find(digest(99)) is None
    assert replicated.index.applied_epoch() == primary.point.epoch
    assert (await replicated.compare()).is_clean


async def test_an_empty_primary_is_a_replica_too(replicated, source, primary):
    primary.changes, primary.tenants = [], {}
    await replicated.look()
    assert replicated.index.find(digest(1)) is None
    assert replicated.index.age_ms() < 1_000
    assert source.snapshots == 1
    await replicated.look()
    assert source.snapshots == 1


async def test_what_changes_is_applied(replicated, primary, source):
    await replicated.look()
    held = primary.create(1, expires_at_ms=5_000)
    await replicated.look()
    known = replicated.index.find(held)
    assert (known.revoked, known.disabled, known.expires_at_ms, known.retires_at_ms) == (
        False,
        False,
        5_000,
        NEVER,
    )
    newer = primary.rotate(1, retires_at_ms=900)
    await replicated.look()
    assert judged(replicated, held) is Reason.RETIRED
    assert judged(replicated, newer) is None
    primary.change(1, disabled=True)
    await replicated.look()
    assert judged(replicated, newer) is Reason.DISABLED
    primary.change(1, disabled=False, revoked=True)
    await replicated.look()
    assert judged(replicated, held) is judged(replicated, newer) is Reason.REVOKED
    primary.purge(1)
    await replicated.look()
    assert replicated.index.find(held) is replicated.index.find(newer) is None
    assert source.snapshots == 1
    assert (await replicated.compare()).is_clean


async def test_tenants_above_a_key_count_at_once(replicated, primary):
    held = primary.create(1)
    await replicated.look()
    assert judged(replicated, held) is None
    for tenant in (app_id(), organization_id()):
        primary.put_tenant(tenant, suspended=True)
        await replicated.look()
        assert judged(replicated, held) is Reason.DISABLED
        primary.put_tenant(tenant, suspended=False)
        await replicated.look()
        assert judged(replicated, held) is None
    primary.put_tenant(app_id(), allowed_origins=("https://a.example",))
    await replicated.look()
    assert judged(replicated, held) is Reason.ORIGIN_DENIED


async def test_a_membership_counts_when_it_ends_and_when_it_comes_back(replicated, primary):
    primary.put_tenant(user_id())
    primary.put_role(user_id(), Role.DEVELOPER)
    held = primary.create(1, rules=("user", user_id(), "maps:read"))
    await replicated.look()
    assert judged(replicated, held) is None
    primary.put_role(user_id(), None)
    await replicated.look()
    assert judged(replicated, held) is Reason.REVOKED
    primary.put_role(user_id(), Role.VIEWER)
    await replicated.look()
    assert judged(replicated, held) is None
    assert replicated.index.find(held).policy.role is Role.VIEWER


async def test_compiled_policies_outlive_changes_that_do_not_touch_them(replicated, primary):
    held = primary.create(1)
    await replicated.look()
    policy = replicated.index.find(held).policy
    primary.create(2)
    primary.change(1, about=b"Renamed")
    primary.put_tenant(app_id(2))
    await replicated.look()
    assert replicated.index.find(held).name == "Renamed"
    assert replicated.index.find(held).policy is policy


async def test_rules_of_the_future_refuse(replicated, primary):
    held = primary.create(1, rules=("of the future", app_id(), "x:y"))
    await replicated.look()
    assert judged(replicated, held) is Reason.DISABLED
    primary.change(1, rules=("app", app_id(), "x:y"))
    await replicated.look()
    assert judged(replicated, held) is None


async def test_another_version_of_the_program_reads_unknown_rules_anew(
    replicated, primary, source, monkeypatch
):
    held = primary.create(1, rules=("of the future", app_id(), "x:y"))
    await replicated.look()
    source.read_rules = lambda stored: read_rules(("app", *stored[1:]))
    monkeypatch.setattr(writer, "__version__", "99")
    monkeypatch.setattr("keystead.replica.numbers.__version__", "99")
    replicated.applier._upkeep.take_over()
    assert judged(replicated, held) is Reason.DISABLED
    await replicated.look()
    assert judged(replicated, held) is None


def history(replicated):
    points, whole = read_points(replicated.applier._upkeep._opened)
    assert whole
    return points


async def test_the_history_is_bounded(replicated, primary, source, monkeypatch):
    monkeypatch.setattr(writer, "MAX_HISTORY", 5)
    await replicated.look()
    for number in range(9):
        primary.create(number)
        await replicated.look()
    kept = history(replicated)
    assert kept == [point for point, _ in primary.changes][-5:]
    for _ in range(20):
        primary.create(1)
    await replicated.look()
    kept = history(replicated)
    assert kept == [point for point, _ in primary.changes][-5:]
    assert source.snapshots == 1


async def test_too_much_news_is_a_rebuild(replicated, primary, source):
    primary.create(1)
    await replicated.look()
    known = history(replicated)
    primary.change(1, revoked=True)
    source.too_much = True
    await replicated.look()
    assert source.snapshots == 2
    assert replicated.index.find(digest(1)).revoked
    assert replicated.standing == 0
    assert history(replicated) == [*known, primary.point]
    assert replicated.stamp.rebuilding is None


async def test_policy_numbers_are_never_used_twice(replicated, primary):
    numbers = []
    for scope in ("a:b", "c:d", "a:b", "e:f"):
        primary.create(1, rules=("app", app_id(), scope))
        await replicated.look()
        assert replicated.index.find(digest(1)).policy.rules.scopes == (scope,)
        opened = replicated.files.open(replicated.stamp.generation)
        with opened.environment.begin(db=opened.databases[b"policies"]) as view:
            numbers.append(view.stat()["entries"])
    assert [b - a for a, b in pairwise(numbers)] == [1, 0, 1]


async def test_freshness_is_proved_only_by_a_primary_that_answers_all(replicated, source, primary):
    assert replicated.index.age_ms() >= LONG_AGO_MS
    await replicated.look()
    assert replicated.index.age_ms() < 1_000
    level = replicated.stamp.words[4]
    source.away = True
    with pytest.raises(Unavailable):
        await replicated.look()
    source.away = False

    async def refuse(_node):
        raise Unavailable("database")

    source.report = refuse
    primary.create(1)
    with pytest.raises(Unavailable):
        await replicated.look()
    # Applied all the same.
    assert replicated.index.find(digest(1)) is not None
    assert replicated.stamp.words[4] == level
    assert replicated.stamp.words[4] <= boot_ms()


async def test_the_epoch_is_reported_when_it_moves(replicated, source, primary):
    await replicated.look()
    await replicated.look()
    primary.create(1)
    await replicated.look()
    assert source.reported == [2, 3]


OPENING = """
import sys
from pathlib import Path
from keystead.replica.files import Files, Folder
Files(Folder(Path(sys.argv[1]))).open(1)
"""


async def test_a_reader_opens_a_file_that_is_being_written(replicated, primary):
    primary.create(1)
    await replicated.look()
    opened = replicated.applier._upkeep._opened
    with opened.environment.begin(write=True) as transaction:
        transaction.put(b"name", b"value", db=opened.databases[b"facts"])
        command = [sys.executable, "-c", OPENING, str(replicated.folder.path)]
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=20)


async def test_whoever_has_read_may_begin_to_write(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    replicated.close()
    files, stamp = Files(replicated.folder), Stamp(replicated.folder.stamp)
    index, made = ReplicaIndex(files, stamp), applier(files, stamp, source)
    assert index.find(held) is not None
    made._upkeep.take_over()
    assert index.find(held) is not None
    primary.change(1, revoked=True)
    await made._turn()
    assert index.find(held).revoked
    await made._upkeep.step_down()
    made._upkeep.close()
    assert index.find(held).revoked
    index.close()
    files.close()
    stamp.close()


async def test_what_had_retired_when_it_was_read_stays_so_whatever_the_clock_says(replicated, primary):
    await replicated.look()
    held = primary.create(1)
    primary.rotate(1, retires_at_ms=2**50)
    await replicated.look()
    assert judged(replicated, held) is None
    primary.versions[held] = primary.versions[held]._replace(ended=True)
    primary.change(1, disabled=False)
    await replicated.look()
    assert judged(replicated, held) is Reason.RETIRED
    assert (await replicated.compare()).is_clean


async def test_what_retired_since_it_was_applied_is_no_difference(replicated, primary):
    held = primary.create(1, retires_at_ms=2**50)
    await replicated.look()
    primary.versions[held] = primary.versions[held]._replace(ended=True)
    assert (await replicated.compare()).is_clean


async def test_what_ended_here_by_a_clock_that_was_ahead_is_found(replicated, primary):
    held = primary.create(1, retires_at_ms=2**50, ended=True)
    await replicated.look()
    primary.versions[held] = primary.versions[held]._replace(ended=False)
    assert [it.kind for it in (await replicated.compare()).first] == ["version"]
