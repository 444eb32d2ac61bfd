"""Organizations, apps, users and members."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment
from keystead.domain.tenants import Ceiling, Role, Theme
from keystead.ports.store import Page, Position, TenantFilter
from keystead.storage.sql.seam import Refused
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    ANYTHING,
    DAY,
    NOW,
    SUSPENSION,
    app,
    app_id,
    member,
    organization,
    organization_id,
    populate,
    position,
    user,
    user_id,
)

FULL_ORGANIZATION = organization(
    external_id="crm/17",
    ceiling=Ceiling(scopes=("maps:*",), max_lifetime=90 * DAY + timedelta(milliseconds=1), public_methods=()),
    labels={"plan": "größer"},
    metadata=ANYTHING,
    suspension=SUSPENSION,
    revision=7,
)
FULL_APP = app(
    environment=Environment.TEST,
    external_id="crm-app",
    allowed_origins=("https://a.example",),
    allowed_networks=("192.0.2.0/24",),
    last_key_protection=False,
    self_rotation=False,
    api_base_url="https://api.example.com/v1",
    labels={"a": "b"},
    metadata=ANYTHING,
    suspension=SUSPENSION,
)
FULL_USER = user(
    external_id="hr:1",
    metadata=ANYTHING,
    suspension=SUSPENSION,
    operator=True,
    password="$argon2id$made-up",
    email_confirmed_at=NOW,
    language="pt-BR",
    theme=Theme.DARK,
    time_zone="Europe/Berlin",
)


async def names(table, wanted: TenantFilter) -> list[str]:
    return [item.name for item in (await table.list(wanted, Page())).items]


async def test_an_organization_comes_back_as_it_was_put_in(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.organizations.insert(FULL_ORGANIZATION)
    async with store.read() as tables:
        assert await tables.organizations.find(organization_id()) == FULL_ORGANIZATION
        assert await tables.organizations.find_external("crm/17") == FULL_ORGANIZATION
        assert await tables.organizations.find(organization_id(2)) is None
        assert await tables.organizations.find_external("crm") is None


async def test_an_organization_is_changed_whole(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.organizations.insert(FULL_ORGANIZATION)
        changed = organization(name="Other", revision=8)
        await tables.organizations.update(changed)
        assert await tables.organizations.find(organization_id()) == changed


async def test_a_deleted_organization_is_found_by_nothing_and_frees_its_external_id(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.organizations.update(organization(deleted_at=NOW))
        await tables.organizations.insert(organization(2, external_id="again"))
        await tables.organizations.update(organization(2, external_id=None, deleted_at=NOW))
        await tables.organizations.insert(organization(3, external_id="again"))
        assert await tables.organizations.find(organization_id()) is None
        assert await names(tables.organizations, TenantFilter()) == ["Organization 3"]
        assert await tables.members.of_user(user_id()) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(TenantFilter(), [3, 2, 1], id="all"),
        pytest.param(TenantFilter(name="ÄPFEL"), [1], id="letter case beyond ASCII"),
        pytest.param(TenantFilter(name="100%"), [2], id="percent sign"),
        pytest.param(TenantFilter(name="a_c"), [3], id="underscore"),
        pytest.param(TenantFilter(name="\\"), [3], id="backslash"),
        pytest.param(TenantFilter(name="/"), [2], id="the escape character itself"),
        pytest.param(TenantFilter(external_id="two"), [2], id="external id"),
        pytest.param(TenantFilter(organization_id=organization_id(3)), [3], id="id"),
        pytest.param(TenantFilter(labels={"a.b/c-d": "x"}), [1], id="label with a path's characters"),
        pytest.param(TenantFilter(labels={"a": "x"}), [], id="label's first part only"),
        pytest.param(TenantFilter(labels={"a.b/c-d": "y", "n": "1"}), [2], id="two labels"),
        pytest.param(TenantFilter(labels={'"': "x"}), [], id="label name with a quote"),
        pytest.param(TenantFilter(labels={"n": "%"}), [], id="label is no pattern"),
    ],
)
async def test_organizations_are_filtered(store: SqlStore, wanted: TenantFilter, found: list[int]) -> None:
    samples = [
        organization(1, name="Rote äpfel", labels={"a.b/c-d": "x"}),
        organization(2, name="100% a/c", external_id="two", labels={"a.b/c-d": "y", "n": "1"}),
        organization(3, name="a_c\\", labels={"0": "x"}),
    ]
    async with store.write() as tables:
        for sample in samples:
            await tables.organizations.insert(sample)
        listing = await tables.organizations.list(wanted, Page())
    assert [item.id for item in listing.items] == [organization_id(number) for number in found]


async def test_pages_hold_each_organization_once_though_all_have_one_instant(store: SqlStore) -> None:
    await populate(store, organizations=7)
    seen, page = [], Page(limit=3)
    async with store.read() as tables:
        while True:
            listing = await tables.organizations.list(TenantFilter(), page)
            seen += [item.id for item in listing.items]
            if not listing.more:
                break
            page = replace(page, after=position(listing.items[-1]))
    assert seen == [organization_id(number) for number in range(7, 0, -1)]


async def test_a_page_goes_on_where_it_ended_when_newer_items_arrive(store: SqlStore) -> None:
    await populate(store, organizations=4)
    async with store.write() as tables:
        first = await tables.organizations.list(TenantFilter(), Page(limit=2))
        await tables.organizations.insert(organization(9, created_at=NOW + DAY))
        rest = await tables.organizations.list(TenantFilter(), Page(after=position(first.items[-1])))
    assert [item.id for item in rest.items] == [organization_id(2), organization_id(1)]
    assert not rest.more


async def test_an_app_comes_back_as_it_was_put_in(store: SqlStore) -> None:
    await populate(store, apps=0)
    async with store.write() as tables:
        await tables.apps.insert(FULL_APP)
        assert await tables.apps.find(app_id()) == FULL_APP
        assert await tables.apps.find_external("crm-app") == FULL_APP
        await tables.apps.update(app(revision=2))
        assert await tables.apps.find(app_id()) == app(revision=2)


async def test_apps_are_listed_and_counted_by_organization_without_deleted_ones(store: SqlStore) -> None:
    await populate(store, organizations=2, apps=3)
    async with store.write() as tables:
        await tables.apps.insert(
            app(4, organization_id=organization_id(2), labels={"a": "b"}, external_id="e")
        )
        await tables.apps.update(app(2, deleted_at=NOW))
        assert await tables.apps.find(app_id(2)) is None
        assert await tables.apps.count(organization_id()) == 2
        assert await names(tables.apps, TenantFilter(organization_id=organization_id())) == ["App 3", "App 1"]
        assert await names(tables.apps, TenantFilter()) == ["App 4", "App 3", "App 1"]
        for wanted in (
            TenantFilter(labels={"a": "b"}),
            TenantFilter(name="P 4"),
            TenantFilter(external_id="e"),
        ):
            assert await names(tables.apps, wanted) == ["App 4"]


async def test_a_user_comes_back_as_it_was_put_in(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.users.insert(FULL_USER)
        for found in (
            await tables.users.find(user_id()),
            await tables.users.find_email("user1@example.com"),
            await tables.users.find_external("hr:1"),
        ):
            assert found == FULL_USER
        await tables.users.update(user(email="new@example.com"))
        assert await tables.users.find_email("user1@example.com") is None
        assert await tables.users.find_email("new@example.com") == user(email="new@example.com")


async def test_operators_are_counted_without_suspended_ones(store: SqlStore) -> None:
    await populate(store, users=2)
    async with store.write() as tables:
        assert await tables.users.count_operators() == 0
        await tables.users.update(user(1, operator=True))
        await tables.users.insert(user(3, operator=True, suspension=SUSPENSION))
        assert await tables.users.count_operators() == 1


async def test_users_are_filtered(store: SqlStore) -> None:
    await populate(store, users=2)
    async with store.write() as tables:
        await tables.users.insert(user(3, external_id="x"))
        assert await names(tables.users, TenantFilter()) == ["User 3", "User 2", "User 1"]
        assert await names(tables.users, TenantFilter(email="user2@example.com")) == ["User 2"]
        assert await names(tables.users, TenantFilter(external_id="x")) == ["User 3"]
        assert await names(tables.users, TenantFilter(name="uSER 1")) == ["User 1"]
        members_only = TenantFilter(organization_id=organization_id())
        assert await names(tables.users, members_only) == ["User 2", "User 1"]


async def test_a_taken_email_is_refused_without_naming_it(store: SqlStore) -> None:
    await populate(store)
    with pytest.raises(Refused) as caught:
        async with store.write() as tables:
            await tables.users.insert(user(2, email="user1@example.com"))
    assert "user1@example.com" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_members_come_back_are_changed_and_leave(store: SqlStore) -> None:
    await populate(store, users=2)
    async with store.write() as tables:
        await tables.members.update(member(2, role=Role.OWNER))
        assert await tables.members.find(organization_id(), user_id(2)) == member(2, role=Role.OWNER)
        assert await tables.members.count(organization_id()) == 2
        assert await tables.members.count_owners(organization_id()) == 1
        assert await tables.members.of_user(user_id()) == [member()]
        await tables.members.delete(organization_id(), user_id())
        assert await tables.members.find(organization_id(), user_id()) is None
        assert await tables.members.of_user(user_id()) == []


async def test_members_are_listed_with_their_users(store: SqlStore) -> None:
    await populate(store, users=3)
    async with store.read() as tables:
        first = await tables.members.list(organization_id(), Page(limit=2))
        assert first.items == [(member(3), user(3)), (member(2), user(2))]
        assert first.more
        after = Position(at=NOW, id=user_id(2))
        assert (await tables.members.list(organization_id(), Page(after=after))).items == [
            (member(1), user(1))
        ]


@pytest.mark.parametrize("table", ["organizations", "apps", "users"])
async def test_changing_what_is_not_there_is_refused(store: SqlStore, table: str) -> None:
    samples = {"organizations": organization(), "apps": app(), "users": user()}
    with pytest.raises(Refused):
        async with store.write() as tables:
            await getattr(tables, table).update(samples[table])


async def test_a_null_character_is_invalid_input_on_both(store: SqlStore) -> None:
    async with store.read() as tables:
        with pytest.raises(InvalidInput):
            await tables.organizations.find_external("a\0b")


async def test_users_get_integer_numbers_in_order(store: SqlStore, engine) -> None:
    await populate(store, users=3)
    async with engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT number, id FROM users ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [(number, user_id(number)) for number in (1, 2, 3)]
