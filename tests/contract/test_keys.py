"""Keys with their versions, and every way of listing them."""

from dataclasses import replace
from itertools import count, product
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.instants import MILLISECOND
from keystead.domain.keys import By, ByKind, KeyType, Owner, OwnerKind, RevokedReason, Status
from keystead.ports.store import KeyFilter, KeyOrder, Page
from keystead.services.reading import position_of
from keystead.storage.sql.seam import Refused
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    DAY,
    NOW,
    app,
    app_id,
    app_owner,
    digest,
    full_key,
    key,
    key_id,
    organization,
    organization_id,
    personal_key,
    populate,
    position,
    root_key,
    user,
    user_id,
    version,
)
from tests.contract.watch import statements


async def keep(store: SqlStore, *some: Any) -> None:
    async with store.write() as tables:
        for one in some:
            await tables.keys.insert(one)


@pytest.mark.parametrize(
    "sample", [key(), full_key(), root_key(), personal_key()], ids=["plain", "full", "root", "own"]
)
async def test_a_key_comes_back_as_it_was_put_in(store: SqlStore, sample) -> None:
    await populate(store)
    await keep(store, sample)
    async with store.read() as tables:
        assert await tables.keys.find(sample.id) == sample
        for held in sample.versions:
            assert await tables.keys.find_digest(held.digest) == sample
        assert await tables.keys.find(key_id(99)) is None
        assert await tables.keys.find_digest(digest(99)) is None


async def test_a_rotation_is_one_update_and_leaves_uses_alone(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key(use_count=5, last_used_at=NOW))
    first = version(1, retires_at=NOW + DAY, use_count=99)
    rotated = key(versions=(first, version(2, start="other")), revision=2, use_count=77)
    async with store.write() as tables:
        await tables.keys.update(key(), rotated)
    expected = replace(
        rotated, versions=(replace(first, use_count=0), rotated.newest), use_count=5, last_used_at=NOW
    )
    async with store.read() as tables:
        assert await tables.keys.find(key_id()) == expected
        listing = await tables.keys.list(KeyFilter(now=NOW, start="oth"), Page())
        assert listing.items == [expected]


async def test_an_update_writes_only_what_differs(store: SqlStore, engine: AsyncEngine) -> None:
    await populate(store)
    held = tuple(version(number, token="made-up") for number in range(1, 301))
    before = key(versions=held)
    await keep(store, before)
    after = key(
        name="Other",
        versions=(replace(held[0], token=None), *held[1:-1], replace(held[-1], retires_at=NOW), version(301)),
    )
    async with store.write() as tables:
        async with statements(engine) as sent:
            await tables.keys.update(before, after)
        assert await tables.keys.find(key_id()) == after
    (key_text, _), (changed_text, changed), (new_text, _) = sent
    assert key_text.startswith("UPDATE keys SET name=")
    assert "created_at" not in key_text
    assert (changed_text.startswith("UPDATE versions"), len(changed)) == (True, 2)
    assert new_text.startswith("INSERT INTO versions")


async def test_an_update_of_nothing_writes_nothing(store: SqlStore, engine: AsyncEngine) -> None:
    await populate(store)
    await keep(store, full_key())
    async with store.write() as tables, statements(engine) as sent:
        await tables.keys.update(full_key(), full_key())
    assert sent == []


async def test_an_update_of_a_key_that_is_not_there_is_a_broken_invariant(store: SqlStore) -> None:
    await populate(store)
    with pytest.raises(Refused):
        async with store.write() as tables:
            await tables.keys.update(key(), key(name="Other"))


async def test_a_key_with_300_versions_is_found_in_one_statement_with_its_columns_once(
    store: SqlStore, engine: AsyncEngine
) -> None:
    await populate(store)
    sample = replace(full_key(), versions=tuple(version(number) for number in range(1, 301)))
    await keep(store, sample, key(400))
    async with store.read() as tables, statements(engine) as sent:
        assert await tables.keys.find(key_id()) == sample
        assert await tables.keys.find_digest(digest(200)) == sample
    assert len(sent) == 2
    async with engine.connect() as connection:
        rows = (await connection.exec_driver_sql(*sent[0])).all()
    assert [row.name for row in rows] == [sample.name, *[None] * 299]


async def test_versions_made_in_one_instant_keep_their_order(store: SqlStore) -> None:
    await populate(store)
    numbers = [5, 1, 9, 3]
    await keep(store, key(versions=tuple(version(number) for number in numbers)))
    async with store.read() as tables:
        found = await tables.keys.find(key_id())
    assert found is not None
    assert [held.digest for held in found.versions] == [digest(number) for number in numbers]


async def test_a_digest_belongs_to_one_version(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key())
    with pytest.raises(Refused) as caught:
        await keep(store, key(2, versions=(version(2, digest=digest(1)),)))
    assert digest(1).hex() not in repr(caught.value)
    async with store.read() as tables:
        assert await tables.keys.find(key_id(2)) is None


async def test_owner_columns_that_disagree_with_the_kind_are_refused(store: SqlStore) -> None:
    await populate(store)
    with pytest.raises(Refused):
        await keep(store, key(organization_id=None))


async def test_keys_get_integer_numbers_in_order(store: SqlStore, engine: AsyncEngine) -> None:
    await populate(store)
    await keep(store, key(3), key(1), key(2))
    async with engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT id FROM keys ORDER BY number")).scalars().all()
    assert rows == [key_id(3), key_id(1), key_id(2)]


LISTED = [
    key(1, name="Straße 100%", labels={"a.b/c-d": "x", "0": "zero"}, last_used_at=NOW - DAY),
    key(2, disabled_at=NOW, owner=app_owner(2), created_at=NOW - 2 * DAY),
    key(3, expires_at=NOW, versions=(version(3, start="acme_pk_live_", last4="0000"),)),
    key(4, expires_at=NOW + DAY, type=KeyType.PUBLIC),
    key(5, revoked_at=NOW, revoked_reason=RevokedReason.UNUSED),
    key(6, ephemeral=True, expires_at=NOW + DAY),
    personal_key(7, last_used_at=NOW),
    root_key(8),
    key(9, organization_id=organization_id(2), owner=app_owner(3), disabled_at=NOW, expires_at=NOW - DAY),
]


def only(**wanted: Any) -> KeyFilter:
    return KeyFilter(now=NOW, **wanted)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(only(), [9, 8, 7, 4, 3, 1, 2], id="all but revoked and ephemeral ones"),
        pytest.param(only(ephemeral=True), [6], id="ephemeral"),
        pytest.param(only(status=Status.ACTIVE), [8, 7, 4, 1], id="active"),
        pytest.param(only(status=Status.DISABLED), [9, 2], id="disabled, though expired too"),
        pytest.param(only(status=Status.EXPIRED), [3], id="expired at this very instant"),
        pytest.param(only(status=Status.REVOKED), [5], id="revoked"),
        pytest.param(only(organization_id=organization_id()), [7, 4, 3, 1, 2], id="organization"),
        pytest.param(only(owner_kind=OwnerKind.INSTANCE), [8], id="root keys"),
        pytest.param(only(owner_kind=OwnerKind.APP, owner_id=app_id(2)), [2], id="an app's"),
        pytest.param(only(owner_kind=OwnerKind.USER, owner_id=user_id()), [7], id="a user's"),
        pytest.param(only(owner_id=user_id()), [7], id="an owner's, kind not said"),
        pytest.param(only(owner_kind=OwnerKind.APP, owner_id=user_id()), [], id="an app with a user's id"),
        pytest.param(only(type=KeyType.PUBLIC), [4], id="public"),
        pytest.param(only(name="STRASSE"), [1], id="name in any letter case"),
        pytest.param(only(name="100%"), [1], id="percent sign in a name"),
        pytest.param(only(name="%"), [1], id="percent sign is no wildcard"),
        pytest.param(only(start="acme_pk"), [3], id="start"),
        pytest.param(only(start="ACME_PK"), [], id="start in other letter case"),
        pytest.param(only(start="%pk"), [], id="start is no pattern"),
        pytest.param(only(last4="0000"), [3], id="last4"),
        pytest.param(only(text="0000"), [3], id="text is its last4"),
        pytest.param(only(text="acme_pk"), [3], id="text begins its start"),
        pytest.param(only(text="%pk"), [], id="text is no pattern"),
        pytest.param(only(labels={"a.b/c-d": "x", "0": "zero"}), [1], id="labels"),
        pytest.param(only(labels={"a.b/c-d": "y"}), [], id="label with another value"),
        pytest.param(only(external_id="crm-app"), [2], id="the app's external id"),
        pytest.param(only(external_id="crm-user"), [7], id="the user's external id"),
        pytest.param(only(external_id="nobody's"), [], id="an unknown external id"),
        pytest.param(only(expires_before=NOW), [9], id="expires before, not at"),
        pytest.param(only(unused_since=NOW - DAY), [2], id="unused since, made before"),
        pytest.param(only(unused_since=NOW), [1, 2], id="unused since, used before"),
        pytest.param(
            only(
                status=Status.ACTIVE, owner_kind=OwnerKind.APP, organization_id=organization_id(), name="key"
            ),
            [4],
            id="several at once",
        ),
    ],
)
async def test_keys_are_filtered(store: SqlStore, wanted: KeyFilter, found: list[int]) -> None:
    async with store.write() as tables:
        for number in (1, 2):
            await tables.organizations.insert(organization(number))
        await tables.apps.insert(app(1))
        await tables.apps.insert(app(2, external_id="crm-app"))
        await tables.apps.insert(app(3, organization_id=organization_id(2)))
        await tables.users.insert(user(1, external_id="crm-user"))
    await keep(store, *LISTED)
    async with store.read() as tables:
        listing = await tables.keys.list(wanted, Page())
    assert list(listing.items) == [LISTED[number - 1] for number in found]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        pytest.param(KeyOrder.NEWEST, [4, 3, 2, 1], id="newest first"),
        pytest.param(KeyOrder.NAME, [2, 1, 4, 3], id="by name in any letter case"),
        pytest.param(KeyOrder.USED, [3, 1, 4, 2], id="used last first, never used last"),
        pytest.param(KeyOrder.EXPIRY, [4, 1, 2, 3], id="expiring first, those that do not expire last"),
    ],
)
async def test_keys_are_listed_in_order_page_by_page(store: SqlStore, order: KeyOrder, found: list[int]):
    await populate(store)
    await keep(
        store,
        key(1, name="b", last_used_at=NOW - DAY, expires_at=NOW + 2 * DAY),
        key(2, name="A"),
        key(3, name="C", last_used_at=NOW),
        key(4, name="B", expires_at=NOW + DAY),
    )
    seen, page = [], Page(limit=1)
    async with store.read() as tables:
        while True:
            listing = await tables.keys.list(only(order=order), page)
            seen += [item.id for item in listing.items]
            if not listing.more:
                break
            page = Page(limit=1, after=position_of(listing.items[-1], order))
    assert seen == [key_id(number) for number in found]


@pytest.mark.parametrize("order", KeyOrder)
async def test_keys_that_stay_are_on_one_page_each_though_others_change_meanwhile(
    store: SqlStore, order: KeyOrder
) -> None:
    await populate(store)
    days = {number: number * DAY for number in range(1, 13)}
    for number, apart in days.items():
        made = key(number, name=f"Key {number:02}", last_used_at=NOW - apart, expires_at=NOW + apart)
        await keep(store, made)
    first = {"name": "Aa", "created_at": NOW + DAY, "last_used_at": NOW, "expires_at": NOW}
    numbers = count(100)
    seen: list[str] = []
    moved: set[str] = set()
    page, more = Page(limit=2), True
    while more:
        async with store.read() as tables:
            listing = await tables.keys.list(only(order=order), page)
        seen += [item.id for item in listing.items]
        ended, more = listing.items[-1], listing.more
        page = Page(limit=2, after=position_of(ended, order))
        # The very key that the page ended with goes elsewhere, and one comes before all that were seen.
        async with store.write() as tables:
            await tables.keys.update(ended, replace(ended, name="zz", expires_at=None))
        await keep(store, key(next(numbers), **first))
        moved.add(ended.id)
    assert [it for it in sorted(seen) if it not in moved] == [
        key_id(number) for number in days if key_id(number) not in moved
    ]
    assert moved <= set(seen) <= {key_id(number) for number in days}


async def test_whose_keys_they_are_is_told_of_many_at_once(store: SqlStore, engine: AsyncEngine) -> None:
    await populate(store)
    await keep(store, key(1), key(2, owner=Owner(kind=OwnerKind.USER, id=user_id())))
    async with statements(engine) as sent, store.read() as tables:
        found = await tables.keys.owned([key_id(1), key_id(2), key_id(3)])
    assert found == {
        key_id(1): (app_owner(), organization_id()),
        key_id(2): (Owner(kind=OwnerKind.USER, id=user_id()), organization_id()),
    }
    assert len([it for it, _ in sent if it.startswith("SELECT")]) == 1


async def test_pages_hold_each_key_once_though_all_have_one_instant(store: SqlStore) -> None:
    await populate(store)
    await keep(store, *(key(number) for number in range(1, 8)))
    seen, page = [], Page(limit=2)
    async with store.read() as tables:
        while True:
            listing = await tables.keys.list(only(organization_id=organization_id()), page)
            seen += [item.id for item in listing.items]
            if not listing.more:
                break
            page = Page(limit=2, after=position(listing.items[-1]))
    assert seen == [key_id(number) for number in range(7, 0, -1)]


async def test_a_page_costs_two_queries_whatever_its_length(store: SqlStore, engine: AsyncEngine) -> None:
    await populate(store)
    await keep(store, *(key(number) for number in range(1, 40)))
    seen: list[str] = []
    async with store.read() as tables:
        sa.event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        listing = await tables.keys.list(only(), Page(limit=30))
    assert len(listing.items) == 30
    assert len(seen) == 2


async def test_live_keys_of_an_owner_are_counted(store: SqlStore) -> None:
    await populate(store, apps=2)
    await keep(
        store,
        key(1),
        key(2, expires_at=NOW),
        key(3, expires_at=NOW + DAY, disabled_at=NOW),
        key(4, revoked_at=NOW),
        key(5, owner=app_owner(2)),
        personal_key(6),
    )
    async with store.read() as tables:
        assert await tables.keys.count_live(app_id(), NOW) == 2
        assert await tables.keys.count_live(app_id(), NOW - DAY) == 3
        assert await tables.keys.count_live(user_id(), NOW) == 1


async def test_whether_an_app_has_a_usable_key_is_what_is_usable_says(store: SqlStore) -> None:
    instants = (None, NOW - MILLISECOND, NOW, NOW + MILLISECOND)
    states = product((False, True), (None, NOW), (None, NOW), instants, instants, (False, True))
    samples = [
        key(
            number,
            owner=app_owner(number),
            ephemeral=ephemeral,
            revoked_at=revoked_at,
            disabled_at=disabled_at,
            expires_at=expires_at,
            # A version retired long ago, then one that may be live.
            versions=(
                *[version(number + 1_000, retires_at=NOW - DAY)] * older,
                version(number, retires_at=at),
            ),
        )
        for number, (ephemeral, revoked_at, disabled_at, expires_at, at, older) in enumerate(states, start=1)
    ]
    await populate(store, apps=len(samples) + 1)
    await keep(store, *samples, personal_key(999))
    async with store.read() as tables:
        found = [await tables.keys.any_usable(app_id(number), NOW) for number in range(1, len(samples) + 1)]
        assert not await tables.keys.any_usable(app_id(len(samples) + 1), NOW)
    assert found == [sample.is_usable(NOW) for sample in samples]
    assert {True, False} == set(found)


async def test_one_usable_key_among_others_is_enough(store: SqlStore) -> None:
    await populate(store)
    await keep(store, key(1, revoked_at=NOW), key(2, disabled_at=NOW))
    async with store.write() as tables:
        assert not await tables.keys.any_usable(app_id(), NOW)
        await tables.keys.insert(key(3))
        await tables.keys.insert(key(4, ephemeral=True))
        assert await tables.keys.any_usable(app_id(), NOW)


async def test_unrevoked_keys_below_an_organization_an_owner_or_both(store: SqlStore) -> None:
    await populate(store, organizations=2)
    elsewhere = personal_key(3, organization_id=organization_id(2))
    await keep(store, key(1), personal_key(2), elsewhere, key(4, revoked_at=NOW), root_key(5))
    async with store.read() as tables:
        find = tables.keys.unrevoked
        assert await find(organization_id=organization_id()) == [key(1), personal_key(2)]
        assert await find(owner_id=user_id()) == [personal_key(2), elsewhere]
        assert await find(owner_id=user_id(), organization_id=organization_id(2)) == [elsewhere]
        assert await find(owner_id=app_id()) == [key(1)]
        with pytest.raises(AssertionError):
            await find()


async def test_keys_made_by_a_key_are_one_generation_with_revoked_ones(store: SqlStore) -> None:
    await populate(store)
    by = By(kind=ByKind.KEY, id=key_id(1))
    child = personal_key(2, created_by=by, revoked_at=NOW)
    grandchild = personal_key(3, created_by=By(kind=ByKind.KEY, id=key_id(2)))
    await keep(store, personal_key(1), child, grandchild)
    async with store.read() as tables:
        assert await tables.keys.made_by([key_id(1)]) == [child]
        assert await tables.keys.made_by([]) == []
        assert await tables.keys.made_by([key_id(1), key_id(2), key_id(3)]) == [child, grandchild]


async def test_a_generation_is_fetched_five_hundred_makers_at_a_time(
    store: SqlStore, engine: AsyncEngine
) -> None:
    await populate(store)
    children = [key(n, created_by=By(kind=ByKind.KEY, id=key_id(n + 1000))) for n in (1, 501, 1000)]
    await keep(store, *children)
    async with store.read() as tables, statements(engine) as sent:
        assert await tables.keys.made_by([key_id(n) for n in range(2000, 1000, -1)]) == children
    assert len(sent) == 4  # keys and their versions, twice


async def test_only_ephemeral_keys_that_ended_before_the_instant_are_purged(store: SqlStore) -> None:
    await populate(store)
    await keep(
        store,
        key(1, ephemeral=True, expires_at=NOW - DAY),
        key(2, ephemeral=True, expires_at=NOW + DAY, revoked_at=NOW - DAY),
        key(3, ephemeral=True, expires_at=NOW),
        key(4, expires_at=NOW - DAY),
    )
    async with store.write() as tables:
        gone = [
            *await tables.keys.purge_ephemeral(NOW, limit=1),
            *await tables.keys.purge_ephemeral(NOW, limit=5),
        ]
        assert [one.id for one in gone] == [key_id(1), key_id(2)]
        assert await tables.keys.purge_ephemeral(NOW, limit=5) == []
        assert await tables.keys.find_digest(digest(1)) is None
        assert await tables.keys.find(key_id(3)) is not None
        assert await tables.keys.find(key_id(4)) is not None
