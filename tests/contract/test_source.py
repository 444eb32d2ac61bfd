"""What an applier reads of the primary: news, snapshots, and where two histories part."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.constraints import ConstraintType
from keystead.domain.errors import Unavailable
from keystead.domain.ids import IdKind, NodeId
from keystead.domain.instants import at_ms
from keystead.domain.keys import Key
from keystead.domain.policy import Policy, Tenant, rules_of, tenant_of
from keystead.domain.tenants import Ceiling, Role
from keystead.domain.verdict import known_of, pack_about
from keystead.ports.replica import BEGINNING, News, Point, RoleRow, VersionRow
from keystead.ports.store import Node
from keystead.storage.sql import source_news, source_snapshot
from keystead.storage.sql.schema import changes, keys, members, nodes, organizations
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.source_snapshot import _IN_ORDER, _PLAN
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    DAY,
    NOW,
    SUSPENSION,
    app,
    digest,
    full_key,
    identifier,
    key,
    key_id,
    member,
    organization,
    organization_id,
    personal_key,
    populate,
    root_key,
    user,
    user_id,
    version,
)
from tests.contract.watch import statements

NEVER = 2**62
ALL = timedelta(seconds=5)
ORGANIZATION = Subject(kind=SubjectKind.ORGANIZATION, id=organization_id())
APP = Subject(kind=SubjectKind.APP, id=app().id)
USER = Subject(kind=SubjectKind.USER, id=user_id())
MEMBER = Subject(kind=SubjectKind.MEMBER, id=f"{organization_id()}/{user_id()}")
SCOPE = Subject(kind=SubjectKind.SCOPE, id="maps:read")


def of_key(number: int = 1) -> Subject:
    return Subject(kind=SubjectKind.KEY, id=key_id(number))


def mark(number: int) -> bytes:
    return number.to_bytes(8)


@pytest.fixture
async def source(primary: str | Path) -> AsyncIterator[SqlSource]:
    source = SqlSource(primary)
    yield source
    await source.close()


@pytest.fixture
async def populated(store: SqlStore) -> SqlStore:
    await populate(store)
    return store


async def keep(store: SqlStore, *some: Key) -> None:
    async with store.write() as tables:
        for one in some:
            await tables.keys.insert(one)


async def change(store: SqlStore, *subjects: Subject) -> Point:
    """One epoch of these subjects."""
    async with store.write() as tables:
        number = await tables.changes.newest() + 1
        await tables.changes.append(subjects, mark(number))
    return Point(number, mark(number))


async def news(source: SqlSource, after: Point = BEGINNING) -> News:
    found = await source.news(after)
    assert found is not None
    return found


def rows_of(one: Key) -> set[tuple[object, ...]]:
    """What `one` is in a replica, its rules as `Rules`."""
    policy = Policy(rules=rules_of(one))
    known = ((it.digest, it.id, known_of(one, it, policy)) for it in one.versions)
    return {
        (key_digest, one.id, id_, it.revoked, it.disabled, it.expires_at_ms, it.retires_at_ms, it.about)
        for key_digest, id_, it in known
    }


async def snapshot_of(source: SqlSource) -> tuple[Point, list[VersionRow], list[Tenant], list[RoleRow]]:
    async with source.snapshot() as snapshot:
        tenants = [it async for some in snapshot.tenants() for it in some]
        roles = [it async for some in snapshot.roles() for it in some]
        versions = [it async for some in snapshot.versions() for it in some]
        return snapshot.point, versions, tenants, roles


# Versions and rules


@pytest.mark.parametrize(
    "sample",
    [key(), full_key(), personal_key(), root_key(), key(name="Größe\u2028", metadata={"a": ["é", 1.5]})],
    ids=["plain", "full", "personal", "root", "beyond ASCII"],
)
async def test_a_version_is_what_its_key_is_known_as(
    populated: SqlStore, source: SqlSource, sample: Key
) -> None:
    await keep(populated, sample)
    await change(populated, of_key())
    found = await news(source)
    assert {it[:8] for it in found.versions} == rows_of(sample)
    assert {source.read_rules(it.rules) for it in found.versions} == {rules_of(sample)}
    assert {type(it.digest) for it in found.versions} == {bytes}
    assert {type(it.revoked) for it in found.versions} == {bool}
    point, versions, _, _ = await snapshot_of(source)
    assert sorted(versions) == sorted(found.versions)
    assert point == found.passed[-1]


async def test_instants_are_milliseconds_and_never_is_a_number(
    populated: SqlStore, source: SqlSource
) -> None:
    await keep(populated, key(1), key(2, expires_at=NOW, versions=(version(2, retires_at=NOW + DAY),)))
    await change(populated, of_key(1), of_key(2))
    times = {it.key_id: (it.expires_at_ms, it.retires_at_ms) for it in (await news(source)).versions}
    assert times == {key_id(1): (NEVER, NEVER), key_id(2): (at_ms(NOW), at_ms(NOW + DAY))}


async def test_without_metadata_a_name_stands_alone(populated: SqlStore, source: SqlSource) -> None:
    await keep(populated, key(), key(2, metadata={"plan": "gold"}))
    await change(populated, of_key(), of_key(2))
    abouts = {it.about for it in (await news(source)).versions}
    assert abouts == {b"Key 1", pack_about("Key 2", {"plan": "gold"})}


async def test_equal_rules_are_equal_as_stored_and_others_are_not(
    populated: SqlStore, source: SqlSource
) -> None:
    await keep(populated, key(1), key(2, name="other"), key(3, scopes=("maps:read",)))
    await change(populated, *map(of_key, (1, 2, 3)))
    rules = {it.key_id: it.rules for it in (await news(source)).versions}
    assert rules[key_id(1)] == rules[key_id(2)] != rules[key_id(3)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("type", "semi-public", id="a type of key"),
        pytest.param("environment", "staging", id="an environment"),
        pytest.param("constraints", {"v": 2, "any": []}, id="a shape of constraints"),
        pytest.param("constraints", {"v": 1, "any": [["glob", "/v1/*", []]]}, id="a type of constraint"),
        pytest.param(
            "constraints", {"v": 1, "any": [["exact", "/", [], "new"]]}, id="a part of a constraint"
        ),
        pytest.param("constraints", {}, id="no shape at all"),
        pytest.param("allowed_networks", {"v": 2}, id="a shape of a list"),
    ],
)
async def test_rules_that_this_version_does_not_know_are_none(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine, column: str, value: object
) -> None:
    assert "glob" not in set(ConstraintType)
    await keep(populated, key())
    async with engine.begin() as connection:
        await connection.execute(sa.update(keys).values({column: value}))
    await change(populated, of_key())
    (row,) = (await news(source)).versions
    assert source.read_rules(row.rules) is None
    assert source.read_rules(("what", "ever")) is None


# News


async def test_nothing_is_news_at_the_end_of_the_history(populated: SqlStore, source: SqlSource) -> None:
    assert await news(source) == News(passed=())
    end = await change(populated, of_key())
    assert await news(source, end) == News(passed=())


async def test_every_epoch_is_passed_once_in_order_and_only_what_came_after(
    populated: SqlStore, source: SqlSource
) -> None:
    await keep(populated, *map(key, range(1, 6)))
    points = [await change(populated, of_key(number), SCOPE) for number in range(1, 6)]
    assert (await news(source)).passed == points
    found = await news(source, points[2])
    assert found.passed == points[3:]
    assert {it.key_id for it in found.versions} == {key_id(4), key_id(5)}
    assert (found.tenants, found.roles, found.gone) == ([], [], [])


async def test_a_key_changed_twice_is_read_once_with_all_its_versions_as_it_is_now(
    populated: SqlStore, source: SqlSource
) -> None:
    await keep(populated, key())
    await change(populated, of_key())
    rotated = key(versions=(version(1, retires_at=NOW), version(2)), disabled_at=NOW)
    async with populated.write() as tables:
        await tables.keys.update(key(), rotated)
    await change(populated, of_key())
    found = (await news(source)).versions
    assert len(found) == 2
    assert {it[:8] for it in found} == rows_of(rotated)


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        pytest.param(
            organization(external_id="crm-1", metadata={"a": 1}, ceiling=Ceiling(public_methods=("POST",))),
            ORGANIZATION,
            id="an organization's ceiling",
        ),
        pytest.param(organization(suspension=SUSPENSION), ORGANIZATION, id="an organization's suspension"),
        pytest.param(organization(deleted_at=NOW), ORGANIZATION, id="an organization's end"),
        pytest.param(
            app(allowed_origins=("https://a.example",), allowed_networks=("192.0.2.0/24",)),
            APP,
            id="an app's origins and networks",
        ),
        pytest.param(app(suspension=SUSPENSION, metadata={"b": []}), APP, id="an app's suspension"),
        pytest.param(app(deleted_at=NOW), APP, id="an app's end"),
        pytest.param(user(suspension=SUSPENSION, external_id="u-1"), USER, id="a user's suspension"),
        pytest.param(user(metadata={"c": None}), USER, id="a user's metadata"),
    ],
)
async def test_tenants_come_as_a_verdict_needs_them(
    populated: SqlStore, source: SqlSource, changed, subject: Subject
) -> None:
    async with populated.write() as tables:
        table = {
            SubjectKind.ORGANIZATION: tables.organizations,
            SubjectKind.APP: tables.apps,
            SubjectKind.USER: tables.users,
        }[subject.kind]
        await table.update(changed)
    await change(populated, subject)
    assert (await news(source)).tenants == [tenant_of(changed)]
    _, _, tenants, _ = await snapshot_of(source)
    assert len(tenants) == 3
    assert tenant_of(changed) in tenants


async def test_an_organization_with_a_ceiling_of_another_shape_refuses(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.update(organizations).values(ceiling={"v": 2}))
    await change(populated, ORGANIZATION)
    (tenant,) = (await news(source)).tenants
    assert (tenant.suspended, tenant.public_methods) == (True, ())


async def test_roles_come_as_they_are_and_none_for_who_has_left(store: SqlStore, source: SqlSource) -> None:
    await populate(store, organizations=2, users=3)
    async with store.write() as tables:
        await tables.members.update(replace(member(2), role=Role.OWNER))
        await tables.members.delete(organization_id(), user_id(3))
    ids = [f"{organization_id()}/{user_id(number)}" for number in (1, 2, 3)]
    await change(store, *(Subject(kind=SubjectKind.MEMBER, id=it) for it in ids))
    held = [
        RoleRow(organization_id(), user_id(1), Role.DEVELOPER),
        RoleRow(organization_id(), user_id(2), Role.OWNER),
    ]
    found = await news(source)
    assert sorted(found.roles[:2]) == held
    assert found.roles[2:] == [RoleRow(organization_id(), user_id(3), None)]
    _, _, _, roles = await snapshot_of(source)
    assert sorted(roles) == held


async def test_a_role_that_this_version_does_not_know_is_none(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.update(members).values(role="auditor"))
    await change(populated, MEMBER)
    assert (await news(source)).roles == [RoleRow(organization_id(), user_id(), None)]


async def test_digests_that_are_gone_are_named(populated: SqlStore, source: SqlSource) -> None:
    gone = [digest(1), digest(2)]
    await change(populated, *(Subject(kind=SubjectKind.DIGEST, id=it.hex()) for it in gone))
    assert sorted((await news(source)).gone) == sorted(gone)


async def test_a_kind_of_change_that_this_version_does_not_know_asks_for_a_snapshot_once(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        row = {"epoch": 1, "mark": mark(1), "kind": "galaxy", "id": "gal_1"}
        await connection.execute(sa.insert(changes).values(row))
    assert await source.news(BEGINNING) is None
    point, *_ = await snapshot_of(source)
    assert point == Point(1, mark(1))
    assert await news(source, point) == News(passed=())


async def test_another_history_is_told_apart_by_its_mark(populated: SqlStore, source: SqlSource) -> None:
    end = await change(populated, of_key())
    assert await source.news(Point(end.epoch, mark(9))) is None
    assert await source.news(Point(end.epoch + 1, mark(2))) is None
    assert await source.news(Point(end.epoch + 1, end.mark)) is None


async def test_a_history_with_a_gap_asks_for_a_snapshot(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine
) -> None:
    points = [await change(populated, of_key()) for _ in range(3)]
    async with engine.begin() as connection:
        await connection.execute(sa.delete(changes).where(changes.c.epoch == 2))
    assert await source.news(points[0]) is None
    assert await source.news(BEGINNING) is None
    assert await news(source, points[2]) == News(passed=())


async def test_more_changes_than_are_worth_it_ask_for_a_snapshot(
    populated: SqlStore, source: SqlSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_news, "MAX_NEWS", 3)
    start = await change(populated, *map(of_key, range(1, 10)))
    await change(populated, of_key(1), of_key(2), of_key(3))
    assert await source.news(start) is not None
    await change(populated, of_key(1))
    assert await source.news(start) is None


async def test_subjects_beyond_one_portion_all_come(populated: SqlStore, source: SqlSource) -> None:
    numbers = range(1, 1_203)
    await keep(populated, *map(key, numbers))
    await change(populated, *map(of_key, numbers))
    assert {it.key_id for it in (await news(source)).versions} == {key_id(number) for number in numbers}


# Snapshots


async def test_an_empty_primary_has_an_empty_snapshot(source: SqlSource) -> None:
    assert await snapshot_of(source) == (BEGINNING, [], [], [])


async def test_versions_come_in_the_order_of_their_digests_portion_by_portion(
    populated: SqlStore, source: SqlSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_snapshot, "PORTION", 100)
    await keep(populated, *map(key, range(1, 251)), full_key(300))
    portions: list[Sequence[VersionRow]] = []
    async with source.snapshot() as snapshot:
        assert snapshot.expected in {251, 252}
        portions.extend([some async for some in snapshot.versions()])
    assert [len(some) for some in portions] == [100, 100, 52]
    digests = [it.digest for some in portions for it in some]
    assert digests == sorted(digests)
    assert len(set(digests)) == 252


async def test_what_is_committed_while_a_snapshot_streams_is_news_after_it(
    populated: SqlStore, source: SqlSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_snapshot, "PORTION", 10)
    await keep(populated, *map(key, range(1, 101)))
    await change(populated, *map(of_key, range(1, 101)))
    async with source.snapshot() as snapshot, aclosing(snapshot.versions()) as stream:
        seen = list(await anext(stream))
        async with populated.write() as tables:
            for number in range(1, 101):
                await tables.keys.update(key(number), key(number, revoked_at=NOW))
            await tables.keys.insert(key(101))
            await tables.organizations.update(organization(suspension=SUSPENSION))
            await tables.changes.append([*map(of_key, range(1, 102)), ORGANIZATION], mark(2))
        seen.extend([it async for some in stream for it in some])
        tenants = [it async for some in snapshot.tenants() for it in some]
        point = snapshot.point
    assert (len(seen), point) == (100, Point(1, mark(1)))
    assert not any(it.revoked for it in seen)
    assert not any(it.suspended for it in tenants)
    found = await news(source, point)
    assert len(found.versions) == 101
    assert sum(it.revoked for it in found.versions) == 100
    assert [it.suspended for it in found.tenants] == [True]


async def test_a_snapshot_follows_the_index_on_digests(
    populated: SqlStore, source: SqlSource, engine: AsyncEngine
) -> None:
    await keep(populated, *map(key, range(1, 1_001)))
    async with engine.connect() as connection, statements(engine) as sent:
        await connection.execute(_IN_ORDER)
        ((statement, parameters),) = sent
    postgresql = engine.dialect.name == "postgresql"
    async with engine.begin() as connection:
        if postgresql:
            await connection.execute(_PLAN)
        explain = "EXPLAIN" if postgresql else "EXPLAIN QUERY PLAN"
        rows = (await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all()
    plan = "\n".join(str(row[-1]) for row in rows)
    assert ("uq_versions_digest" if postgresql else "sqlite_autoindex_versions_2") in plan, plan
    assert "Sort" not in plan, plan
    assert "TEMP B-TREE" not in plan, plan


async def test_a_snapshot_left_half_way_gives_its_connection_back(
    populated: SqlStore, source: SqlSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_snapshot, "PORTION", 10)
    await keep(populated, *map(key, range(1, 101)))
    with pytest.raises(RuntimeError):  # noqa: PT012 - leaving the block is what is tested
        async with source.snapshot() as snapshot, aclosing(snapshot.versions()) as stream:
            await anext(stream)
            raise RuntimeError
    await change(populated, of_key())
    assert len((await snapshot_of(source))[1]) == 100


# Where histories part


async def test_the_newest_common_point_is_the_last_before_histories_part(
    populated: SqlStore, source: SqlSource
) -> None:
    held = [await change(populated, of_key()) for _ in range(20)]
    for shared in (0, 1, 7, 19, 20):
        others = [Point(number, mark(1_000 + number)) for number in range(shared + 1, 31)]
        expected = held[shared - 1] if shared else BEGINNING
        assert await source.newest_common([*held[:shared], *others]) == expected
    assert await source.newest_common([]) == BEGINNING
    assert await source.newest_common(held[3:9:2]) == held[7]


# Reports


def node(applied_epoch: int, name: str = "node-1") -> Node:
    """A node at an epoch that `change` made."""
    return Node(
        id=NodeId(identifier(IdKind.NODE, 1)),
        name=name,
        applied_epoch=applied_epoch,
        mark=mark(applied_epoch),
    )


async def reach(store: SqlStore, newest: int) -> None:
    for _ in range(newest):
        await change(store, of_key())


async def listed(store: SqlStore) -> list[tuple[str, int]]:
    async with store.read() as tables:
        return [(it.name, it.applied_epoch) for it, _ in await tables.nodes.list(timedelta(minutes=1))]


async def test_a_node_reports_itself_and_renames_itself(store: SqlStore, source: SqlSource) -> None:
    await reach(store, 2)
    await source.report(node(1))
    assert await listed(store) == [("node-1", 1)]
    await source.report(node(2, "other"))
    assert await listed(store) == [("other", 2)]


async def test_what_a_node_has_applied_never_goes_back(store: SqlStore, source: SqlSource) -> None:
    await reach(store, 7)
    await source.report(node(7))
    await source.report(node(3, "renamed"))
    assert await listed(store) == [("renamed", 7)]


async def test_on_postgresql_each_report_is_written_and_on_sqlite_one_an_hour(
    store: SqlStore, source: SqlSource, engine: AsyncEngine, primary: str | Path
) -> None:
    await reach(store, 4)
    for epoch in (1, 2, 3):
        await source.report(node(epoch))
    assert await listed(store) == [("node-1", 1 if isinstance(primary, Path) else 3)]
    async with engine.begin() as connection:
        await connection.execute(sa.update(nodes).values(seen_at=NOW))
    await source.report(node(4))
    assert await listed(store) == [("node-1", 4)]


async def test_a_report_does_not_wait_for_who_writes(
    store: SqlStore, source: SqlSource, primary: str | Path
) -> None:
    await reach(store, 2)
    await source.report(node(1))
    async with store.write(), asyncio.timeout(1):
        await source.report(node(2))
    assert await listed(store) == [("node-1", 1 if isinstance(primary, Path) else 2)]


# Waiting for changes


async def test_a_change_is_told_at_once_also_one_before_the_call(
    populated: SqlStore, source: SqlSource
) -> None:
    await source.changed(ALL)
    loop = asyncio.get_running_loop()
    for early in (True, False) * 3:
        if early:
            await change(populated, of_key())
            await asyncio.sleep(0.03)
        waiting = asyncio.create_task(source.changed(ALL))
        await asyncio.sleep(0.03)
        if not early:
            assert not waiting.done()
            await change(populated, of_key())
        started = loop.time()
        await waiting
        assert loop.time() - started < 0.5


async def test_nothing_is_told_when_nothing_changes_but_the_time_is_kept(source: SqlSource) -> None:
    await source.changed(ALL)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await source.changed(timedelta(seconds=0.2))
    assert 0.19 < loop.time() - started < 1


async def test_a_change_that_is_undone_is_not_told(populated: SqlStore, source: SqlSource) -> None:
    await source.changed(ALL)
    waiting = asyncio.create_task(source.changed(timedelta(seconds=0.3)))
    with pytest.raises(RuntimeError):  # noqa: PT012 - leaving the block is what is tested
        async with populated.write() as tables:
            await tables.changes.append([of_key()], mark(1))
            raise RuntimeError
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await waiting


async def test_waiting_can_be_given_up_and_begun_again(populated: SqlStore, source: SqlSource) -> None:
    await source.changed(ALL)
    waiting = asyncio.create_task(source.changed(ALL))
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.wait([waiting])
    await source.close()
    await source.changed(ALL)
    waiting = asyncio.create_task(source.changed(ALL))
    await change(populated, of_key())
    async with asyncio.timeout(1):
        await waiting


async def test_a_primary_without_tables_is_unavailable(empty_primary: str | Path) -> None:
    source = SqlSource(empty_primary)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await source.news(BEGINNING)
        with pytest.raises(Unavailable):
            await snapshot_of(source)
        with pytest.raises(Unavailable):
            await source.report(node(1))
    await source.close()
    # What is not there is not made either.
    assert isinstance(empty_primary, str) or not await asyncio.to_thread(empty_primary.exists)


async def test_what_has_retired_by_the_primarys_clock_when_it_is_read_has_ended_for_good(
    store: SqlStore, primary: str | Path
) -> None:
    await populate(store)
    now = (await store.now() or datetime.now(UTC)).replace(microsecond=0)
    old, grace, last = version(1, retires_at=now), version(2, retires_at=now + DAY), version(3)
    async with store.write() as tables:
        await tables.keys.insert(key(versions=(old, grace, last)))
        await tables.changes.append([Subject(kind=SubjectKind.KEY, id=key_id())], b"m" * 8)
    source = SqlSource(primary)
    try:
        told = await source.news(BEGINNING)
        assert told is not None
        for rows in (told.versions, (await snapshot_of(source))[1]):
            assert {row.version_id: row.ended for row in rows} == {
                old.id: True,
                grace.id: False,
                last.id: False,
            }
    finally:
        await source.close()
