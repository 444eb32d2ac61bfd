"""What a replica finds by a digest: all that a verdict needs, from the tables as they are committed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.ids import IdKind, NodeId
from keystead.domain.keys import Key, Version
from keystead.domain.policy import Policy, Rules, rules_of, tenant_of
from keystead.domain.tenants import Role
from keystead.domain.verdict import Known, known_of
from keystead.ports.replica import Refusal
from keystead.ports.store import Node, Tables
from keystead.replica.applier import Applier
from keystead.replica.files import Files, Folder
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp
from keystead.storage.sql import source_news, source_snapshot
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.source_rows import version_row
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    DAY,
    NOW,
    SUSPENSION,
    app,
    app_id,
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

SOON = timedelta(seconds=10)
ORGANIZATION = Subject(kind=SubjectKind.ORGANIZATION, id=organization_id())
APP = Subject(kind=SubjectKind.APP, id=app_id())
USER = Subject(kind=SubjectKind.USER, id=user_id())
MEMBER = Subject(kind=SubjectKind.MEMBER, id=f"{organization_id()}/{user_id()}")
KEY = Subject(kind=SubjectKind.KEY, id=key_id())


async def no_refusals(_refusals: Sequence[Refusal]) -> None:
    """Nothing is to be brought to the primary: it never forgets anything here."""
    raise AssertionError


@asynccontextmanager
async def following(primary: str | Path, path: Path) -> AsyncIterator[ReplicaIndex]:
    """A replica in a new folder, built of what is in the primary, and then kept level with it."""
    path.mkdir()  # noqa: ASYNC240 - a small folder, in tests
    source, files = SqlSource(primary), Files(Folder(path))
    stamp = Stamp(files.folder.stamp)
    index = ReplicaIndex(files, stamp)
    applier = Applier(
        files=files,
        stamp=stamp,
        source=source,
        node=Node(id=NodeId(identifier(IdKind.NODE, 1)), name="here", applied_epoch=0),
        resubmit=no_refusals,
        fresh_for=timedelta(seconds=2),
    )
    index.on_wait(applier.nudge)
    stop = asyncio.Event()
    applying = asyncio.create_task(applier.run(stop))
    try:
        assert await index.await_level(SOON)
        yield index
    finally:
        stop.set()
        await applying
        index.close()
        files.close()
        stamp.close()
        await source.close()


@dataclass
class Replicas:
    """One replica that applies every change, and beside it, whenever asked, one made of what is there."""

    store: SqlStore
    primary: str | Path
    folder: Path
    index: ReplicaIndex
    copies: Iterator[int] = field(default_factory=count)

    async def find(self, sought: bytes | int) -> Known | None:
        """What both find alike, by a digest or by the number of a sample's."""
        by = sought if isinstance(sought, bytes) else digest(sought)
        async with self.store.read() as tables:
            assert await self.index.await_applied(await tables.changes.newest(), SOON)
        async with following(self.primary, self.folder / f"copy-{next(self.copies)}") as copy:
            found = self.index.find(by)
            assert copy.find(by) == found
        return found

    async def get(self, sought: bytes | int) -> Known:
        """What is found, which must be there."""
        found = await self.find(sought)
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def nothing_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples are of a day that has passed by the primary's clock."""
    for module in (source_news, source_snapshot):
        monkeypatch.setattr(module, "version_row", lambda row, now_ms: version_row(row, 0 * now_ms))


@pytest.fixture
async def replicas(store: SqlStore, primary: str | Path, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Of two organizations, an app of the first one, and a user who is its member."""
    await populate(store, organizations=2)
    async with following(primary, tmp_path / "replica") as index:
        yield Replicas(store, primary, tmp_path, index)


@asynccontextmanager
async def changing(store: SqlStore, *subjects: Subject) -> AsyncIterator[Tables]:
    """One mutation of these subjects, with its epoch."""
    async with store.write() as tables:
        yield tables
        epoch = await tables.changes.newest() + 1
        await tables.changes.append(subjects, epoch.to_bytes(8))


async def keep(store: SqlStore, *some: Key) -> None:
    async with changing(store, *(Subject(kind=SubjectKind.KEY, id=one.id) for one in some)) as tables:
        for one in some:
            await tables.keys.insert(one)


def of_app(held: Key, presented: Version | None = None) -> Known:
    """An app key as it is known by one of its versions."""
    policy = Policy(rules=rules_of(held), organization=tenant_of(organization()), app=tenant_of(app()))
    return known_of(held, presented or held.newest, policy)


@pytest.mark.parametrize("sample", [key(), full_key()], ids=["plain", "with all there can be"])
async def test_an_app_key_comes_with_its_app_and_organization(replicas: Replicas, sample: Key) -> None:
    await keep(replicas.store, sample)
    for held in sample.versions:
        assert await replicas.find(held.digest) == of_app(sample, held)


async def test_a_personal_key_comes_with_its_user_and_the_role_of_the_moment(replicas: Replicas) -> None:
    def known(role: Role | None) -> Known:
        policy = Policy(
            rules=rules_of(personal_key()),
            organization=tenant_of(organization()),
            user=tenant_of(user()),
            role=role,
        )
        return known_of(personal_key(), version(), policy)

    await keep(replicas.store, personal_key())
    assert await replicas.find(1) == known(Role.DEVELOPER)
    async with changing(replicas.store, MEMBER) as tables:
        await tables.members.update(member(role=Role.OWNER))
    assert await replicas.find(1) == known(Role.OWNER)
    async with changing(replicas.store, MEMBER) as tables:
        await tables.members.delete(organization_id(), user_id())
    found = await replicas.get(1)
    assert found == known(None)
    assert found.policy.left
    async with changing(replicas.store, MEMBER) as tables:
        await tables.members.insert(member())
    assert await replicas.find(1) == known(Role.DEVELOPER)


async def test_a_role_in_another_organization_is_not_taken_for_the_keys(replicas: Replicas) -> None:
    elsewhere = Subject(kind=SubjectKind.MEMBER, id=f"{organization_id(2)}/{user_id()}")
    async with changing(replicas.store, elsewhere) as tables:
        await tables.members.insert(member(organization_id=organization_id(2), role=Role.OWNER))
    await keep(replicas.store, personal_key())
    assert (await replicas.get(1)).policy.role is Role.DEVELOPER


async def test_a_root_key_comes_alone(replicas: Replicas) -> None:
    await keep(replicas.store, root_key())
    found = await replicas.get(1)
    assert found == known_of(root_key(), version(), Policy(rules=rules_of(root_key())))
    assert found.policy.instance


async def test_a_digest_that_was_never_ours_is_none(replicas: Replicas) -> None:
    await keep(replicas.store, key())
    for never in (digest(2), digest(1)[:-1], digest(1) + b"\0"):
        assert await replicas.find(never) is None


async def test_keys_of_deleted_tenants_are_known_and_refused_even_if_not_revoked(replicas: Replicas) -> None:
    await keep(replicas.store, key(1, revoked_at=NOW), key(2), personal_key(3))
    async with changing(replicas.store, ORGANIZATION, APP) as tables:
        await tables.apps.update(app(deleted_at=NOW))
        await tables.organizations.update(organization(deleted_at=NOW))
    revoked, living, personal = [await replicas.get(number) for number in (1, 2, 3)]
    assert [it.revoked for it in (revoked, living, personal)] == [True, False, False]
    for app_key in (revoked, living):
        assert app_key.policy.app == replace(tenant_of(app()), suspended=True)
    for found in (revoked, living, personal):
        assert found.policy.organization == replace(tenant_of(organization()), suspended=True)
        assert found.policy.suspended
    assert personal.policy.user == tenant_of(user())


async def test_each_version_of_a_key_is_known_by_itself_dead_ones_too(replicas: Replicas) -> None:
    await keep(replicas.store, key())
    rotated = key(versions=(version(1, retires_at=NOW), version(2, retires_at=NOW + DAY), version(3)))
    async with changing(replicas.store, KEY) as tables:
        await tables.keys.update(key(), rotated)
    for number, held in enumerate(rotated.versions, start=1):
        assert await replicas.find(number) == of_app(rotated, held)


async def test_a_key_of_300_versions_is_known_by_each(replicas: Replicas) -> None:
    many = key(versions=tuple(version(number) for number in range(1, 301)))
    await keep(replicas.store, many)
    await replicas.find(1)
    assert [replicas.index.find(it.digest) for it in many.versions] == [
        of_app(many, it) for it in many.versions
    ]


@pytest.mark.parametrize(
    "changed",
    [
        key(revoked_at=NOW + DAY, revision=2),
        key(disabled_at=NOW, revision=2),
        key(expires_at=NOW + DAY, revision=2),
        key(name="Other", metadata={"plan": "gold"}, revision=2),
        key(scopes=("maps:read",), allowed_networks=("192.0.2.0/24",), revision=2),
    ],
    ids=["revoked", "disabled", "expires", "renamed", "other rules"],
)
async def test_a_change_is_seen_once_its_epoch_is_applied(replicas: Replicas, changed: Key) -> None:
    await keep(replicas.store, key(), key(2))
    assert await replicas.find(1) == of_app(key())
    async with changing(replicas.store, KEY) as tables:
        await tables.keys.update(key(), changed)
    assert await replicas.find(1) == of_app(changed)
    assert await replicas.find(2) == of_app(key(2))


@pytest.mark.parametrize("subject", [ORGANIZATION, APP, USER], ids=lambda it: it.kind)
async def test_a_tenant_that_is_suspended_suspends_the_keys_below_it_for_as_long(
    replicas: Replicas, subject: Subject
) -> None:
    number = 2 if subject is USER else 1
    await keep(replicas.store, key(1), personal_key(2))
    for suspension in (None, SUSPENSION, None):
        async with changing(replicas.store, subject) as tables:
            await tables.organizations.update(
                organization(suspension=suspension if subject is ORGANIZATION else None)
            )
            await tables.apps.update(app(suspension=suspension if subject is APP else None))
            await tables.users.update(user(suspension=suspension if subject is USER else None))
        found = await replicas.get(number)
        assert found.policy.suspended is (suspension is not None)
        assert not found.disabled


async def test_keys_that_share_their_rules_are_told_apart(replicas: Replicas) -> None:
    shared = {"scopes": ("maps:read",), "metadata": {"plan": "gold"}}
    await keep(replicas.store, *(key(number, **shared) for number in range(1, 4)))
    found = [await replicas.get(number) for number in range(1, 4)]
    assert [it.key_id for it in found] == [key_id(number) for number in range(1, 4)]
    rules: set[Rules] = {it.policy.rules for it in found}
    assert rules == {rules_of(key(**shared))}


async def test_a_key_that_was_purged_is_none(replicas: Replicas) -> None:
    gone = key(ephemeral=True, expires_at=NOW, versions=(version(1), version(2)))
    await keep(replicas.store, gone, key(3))
    assert await replicas.find(1) == of_app(gone, version(1))
    digests = [Subject(kind=SubjectKind.DIGEST, id=it.digest.hex()) for it in gone.versions]
    async with changing(replicas.store, *digests) as tables:
        assert await tables.keys.purge_ephemeral(NOW + DAY, limit=10) == [gone]
    assert [await replicas.find(number) for number in (1, 2)] == [None, None]
    assert await replicas.find(3) == of_app(key(3))
