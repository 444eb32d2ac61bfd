"""What a node goes on refusing comes back into the primary: once, by the system, whatever rule there is."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from keystead.domain.audit import Entry
from keystead.domain.errors import Unavailable
from keystead.domain.instants import at_ms
from keystead.domain.keys import ByKind, Key, RevokedReason
from keystead.domain.powers import System
from keystead.ports.replica import Refusal, RefusalKind
from keystead.ports.store import AuditFilter, Page
from keystead.services import resubmit as resubmit_module
from keystead.services.context import Context, Seals
from keystead.services.resubmit import resubmit
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    NOW,
    SUSPENSION,
    app,
    app_id,
    key,
    key_id,
    organization_id,
    populate,
    user_id,
    version,
    version_id,
)
from tests.people import people

SYSTEM = System().by


@pytest.fixture
async def context(store: SqlStore) -> Context:
    await populate(store)
    async with store.write() as tables:
        await tables.keys.insert(key(1))
        await tables.keys.insert(key(2, versions=(version(2), version(3))))
    numbers = count(1)
    nothing: Any = None
    return Context(
        store=store,
        replica=nothing,
        uses=nothing,
        clock_ms=lambda: at_ms(NOW),
        entropy=lambda length: next(numbers).to_bytes(length),
        seals=Seals(b"x" * 32),
        people=people(),
    )


async def entries(store: SqlStore) -> Sequence[Entry]:
    async with store.read() as tables:
        return (await tables.audit.list(organization_id(), AuditFilter(), Page())).items


def of_key(kind: RefusalKind, number: int = 1) -> Refusal:
    return Refusal(kind=kind, id=key_id(number), key_id=key_id(number))


async def test_a_key_is_revoked_again_even_if_it_is_the_last(context: Context, store: SqlStore) -> None:
    refusal = of_key(RefusalKind.REVOKED)
    for _ in range(3):
        await resubmit(context, [refusal])
    async with store.read() as tables:
        held = await tables.keys.find(key_id(1))
        assert held is not None
        assert (held.revoked_at, held.revoked_reason) == (NOW, RevokedReason.UNSPECIFIED)
        assert await tables.changes.newest() == 1
    (entry,) = await entries(store)
    assert (entry.action, entry.by.kind, entry.epoch) == ("key.revoke", ByKind.SYSTEM, 1)


async def test_a_key_is_disabled_again(context: Context, store: SqlStore) -> None:
    for _ in range(2):
        await resubmit(context, [of_key(RefusalKind.DISABLED)])
    async with store.read() as tables:
        held = await tables.keys.find(key_id(1))
        assert held is not None
        assert (held.disabled_at, held.disabled_by) == (NOW, SYSTEM)
    assert [entry.action for entry in await entries(store)] == ["key.disable"]


@pytest.mark.parametrize("number", [2, 3], ids=["an older one", "the newest"])
async def test_a_version_retires_when_it_did(context: Context, store: SqlStore, number: int) -> None:
    ended = NOW - timedelta(hours=1)
    refusal = Refusal(
        kind=RefusalKind.RETIRED, id=version_id(number), key_id=key_id(2), retires_at_ms=at_ms(ended)
    )
    later = Refusal(
        kind=RefusalKind.RETIRED, id=version_id(number), key_id=key_id(2), retires_at_ms=at_ms(NOW)
    )
    await resubmit(context, [refusal, refusal, later])
    async with store.read() as tables:
        held = await tables.keys.find(key_id(2))
        assert held is not None
        assert {it.id: it.retires_at for it in held.versions} == {
            version_id(2): None,
            version_id(3): None,
        } | {version_id(number): ended}
    assert [entry.action for entry in await entries(store)] == ["key.retire_version"]


async def test_tenants_are_suspended_again(context: Context, store: SqlStore) -> None:
    identifiers = (organization_id(), app_id(), user_id())
    refusals = [Refusal(kind=RefusalKind.SUSPENDED, id=it) for it in identifiers]
    for _ in range(2):
        await resubmit(context, refusals)
    async with store.read() as tables:
        for held in (
            await tables.organizations.find(organization_id()),
            await tables.apps.find(app_id()),
            await tables.users.find(user_id()),
        ):
            assert held is not None
            assert held.suspension is not None
            assert (held.suspension.by, held.revision) == (SYSTEM, 2)
        assert await tables.changes.newest() == 3
    assert {entry.action for entry in await entries(store)} == {"organization.update", "app.update"}


async def test_what_is_refused_already_or_unknown_is_left(context: Context, store: SqlStore) -> None:
    async with store.write() as tables:
        revoked = key(1, revoked_at=NOW, revoked_reason=RevokedReason.COMPROMISED)
        await tables.keys.update(key(1), revoked)
        await tables.apps.update(app(suspension=SUSPENSION))
    await resubmit(
        context,
        [
            of_key(RefusalKind.REVOKED),
            of_key(RefusalKind.DISABLED),
            of_key(RefusalKind.REVOKED, 99),
            Refusal(kind=RefusalKind.SUSPENDED, id=app_id()),
            Refusal(kind=RefusalKind.SUSPENDED, id=app_id(99)),
        ],
    )
    async with store.read() as tables:
        held = await tables.keys.find(key_id(1))
        assert held is not None
        assert held.revoked_reason is RevokedReason.COMPROMISED
        assert await tables.changes.newest() == 0
    assert await entries(store) == []


async def test_one_that_cannot_be_taken_stands_in_no_others_way(
    context: Context, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key = resubmit_module.save_key

    async def save(work: Any, action: str, before: Key, after: Key) -> None:
        if before.id == key_id(1):
            raise ValueError("a rule of the future")
        await save_key(work, action, before, after)

    monkeypatch.setattr(resubmit_module, "save_key", save)
    await resubmit(context, [of_key(RefusalKind.REVOKED, 1), of_key(RefusalKind.REVOKED, 2)])
    async with store.read() as tables:
        held = [await tables.keys.find(key_id(number)) for number in (1, 2)]
    assert [it is not None and it.revoked_at is not None for it in held] == [False, True]


async def test_a_primary_away_ends_it(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def away(_work: Any, _action: str, before: Key, _after: Key) -> None:
        tried.append(before.id)
        raise Unavailable("database")

    monkeypatch.setattr(resubmit_module, "save_key", away)
    with pytest.raises(Unavailable):
        await resubmit(context, [of_key(RefusalKind.REVOKED, 1), of_key(RefusalKind.REVOKED, 2)])
    assert tried == [key_id(1)]
