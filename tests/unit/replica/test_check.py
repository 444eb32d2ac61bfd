"""What `keystead replica verify` tells: every difference, and no change that is only new."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from keystead.domain.errors import Unavailable
from keystead.domain.ids import pack_ids
from keystead.domain.tenants import Role
from keystead.replica.check import MAX_TOLD, Difference, Fault, compare
from keystead.replica.format import encode_record, encode_tenant, seal
from tests.unit.replica.primary import app_id, digest, key_id, organization_id, user_id


@pytest.fixture
async def held(replicated, primary):
    primary.put_tenant(user_id())
    primary.put_role(user_id(), Role.OWNER)
    tokens = [primary.create(number) for number in range(30)]
    await replicated.look()
    return tokens


def tamper(replicated, database, name, value):
    opened = replicated.files.open(replicated.stamp.generation)
    with opened.environment.begin(write=True, db=opened.databases[database]) as transaction:
        if value is None:
            transaction.delete(name)
        else:
            transaction.put(name, value)


def row_of(primary, it, **changes):
    row = primary.versions[it]._replace(**changes)
    return encode_record(row, 1, pack_ids(row.key_id, row.version_id))


async def test_all_is_compared(replicated, held):
    told = await replicated.compare()
    assert told.is_clean
    assert (told.versions, told.tenants, told.roles) == (30, 3, 1)
    assert (told.refusals, told.passed_over, told.first) == (0, 0, ())


@pytest.mark.parametrize("number", [0, 7, 29])
async def test_a_missing_version_is_told(replicated, primary, held, number):
    gone = sorted(held)[number]
    tamper(replicated, b"records", gone, None)
    told = await replicated.compare()
    row = primary.versions[gone]
    assert (told.missing, told.surplus, told.differing) == (1, 0, 0)
    assert told.first == (Difference(Fault.MISSING, "version", f"{row.key_id}/{row.version_id}"),)


@pytest.mark.parametrize("other", [b"\0" * 32, b"\x7f" * 32, b"\xff" * 32], ids=["first", "between", "last"])
async def test_a_surplus_version_is_told(replicated, primary, held, other):
    tamper(replicated, b"records", other, row_of(primary, held[3]))
    told = await replicated.compare()
    assert (told.missing, told.surplus, told.differing) == (0, 1, 0)
    assert told.first[0].id.startswith(key_id(3))


@pytest.mark.parametrize(
    "changes",
    [{"revoked": True}, {"expires_at_ms": 5}, {"retires_at_ms": 5}, {"about": b"other"}],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_version_that_differs_is_told(replicated, primary, held, changes):
    tamper(replicated, b"records", held[3], row_of(primary, held[3], **changes))
    told = await replicated.compare()
    assert (told.missing, told.surplus, told.differing) == (0, 0, 1)


async def test_policies_tenants_and_roles_are_compared(replicated, primary, held):
    tamper(replicated, b"policies", (1).to_bytes(4), seal(b"?"))
    assert (await replicated.compare()).differing == 30
    tamper(replicated, b"tenants", app_id().encode(), encode_tenant(primary.tenants[organization_id()]))
    tamper(replicated, b"tenants", organization_id().encode(), None)
    tamper(replicated, b"tenants", app_id(7).encode(), encode_tenant(primary.tenants[app_id()]))
    tamper(replicated, b"roles", f"{organization_id()}/{user_id()}".encode(), seal(b"viewer"))
    told = await replicated.compare()
    assert (told.missing, told.surplus, told.differing) == (1, 1, 32)
    assert len(told.first) == MAX_TOLD


async def test_what_is_committed_meanwhile_is_no_difference(replicated, primary, source, held):
    # The replica is ahead of the snapshot that it is compared with.
    older = primary.copy()
    primary.change(3, revoked=True)
    primary.create(100)
    primary.purge(5)
    primary.put_role(user_id(), Role.VIEWER)
    await replicated.look()
    tamper(replicated, b"records", held[9], None)
    source.primary = older
    async with source.snapshot() as before:
        source.primary = primary
        source.snapshot = lambda: nullcontext(before)
        told = await replicated.compare()
    assert (told.missing, told.surplus, told.differing) == (1, 0, 0)
    assert told.passed_over == 4
    assert told.first[0].id.startswith(key_id(9))


async def test_a_replica_that_lags_cannot_be_compared(replicated, primary, source, held):
    primary.create(100)
    with pytest.raises(Unavailable):
        await compare(replicated.files, replicated.stamp, source, within=timedelta(milliseconds=5))


async def test_a_replica_of_another_history_cannot_be_compared(replicated, primary, source, held):
    other = primary.copy()
    primary.create(100)
    await replicated.look()
    other.create(101)
    source.primary = other
    with pytest.raises(Unavailable):
        await replicated.compare()
    assert replicated.index.find(digest(100)) is not None
