"""Sessions and links."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keystead.domain.links import LinkKind
from keystead.domain.tenants import Role
from keystead.ports.store import Page, Resumed
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import (
    DAY,
    NOW,
    SUSPENSION,
    digest,
    link,
    link_id,
    member,
    organization,
    organization_id,
    populate,
    position,
    session,
    session_id,
    user,
    user_id,
)

INSTANT = timedelta(milliseconds=1)
FULL_LINK = link(
    user_id=user_id(),
    role=Role.OWNER,
    return_url="https://app.example.com/account",
    used_at=NOW,
)


async def test_a_session_comes_back_as_it_was_put_in_and_its_digest_does_not(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.sessions.insert(session(), digest(1))
        found = await tables.sessions.find(session_id())
        assert found == session()
        assert await tables.sessions.find(session_id(2)) is None
    assert "digest" not in repr(found)


async def test_resuming_finds_the_user_and_every_organization_that_is_not_deleted(store: SqlStore) -> None:
    await populate(store, organizations=4, users=2)
    belongs = [member(organization_id=organization_id(number)) for number in (2, 3)]
    async with store.write() as tables:
        for it in belongs:
            await tables.members.insert(it)
        await tables.members.insert(member(2, organization_id=organization_id(4)))
        await tables.organizations.update(organization(2, deleted_at=NOW))
        await tables.organizations.update(organization(3, suspension=SUSPENSION))
        await tables.sessions.insert(session(), digest(1))
    async with store.read() as tables:
        assert await tables.sessions.resume(digest(1)) == Resumed(
            session=session(),
            user=user(),
            memberships=[
                (member(), organization()),
                (belongs[1], organization(3, suspension=SUSPENSION)),
            ],
        )
        assert await tables.sessions.resume(digest(2)) is None


async def test_a_renewed_session_is_found_by_its_new_secret_only(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.sessions.insert(session(), digest(1))
        assert await tables.sessions.renew(session_id(), digest(2))
        assert not await tables.sessions.renew(session_id(2), digest(3))
    async with store.read() as tables:
        assert await tables.sessions.resume(digest(1)) is None
        found = await tables.sessions.resume(digest(2))
        assert found is not None
        assert found.session == session()


async def test_a_user_without_organizations_is_resumed_too(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.users.insert(user())
        await tables.sessions.insert(session(), digest(1))
        found = await tables.sessions.resume(digest(1))
    assert found == Resumed(session=session(), user=user(), memberships=[])


async def test_what_changes_of_a_session_is_when_it_was_seen_and_proven(store: SqlStore) -> None:
    await populate(store)
    later = session(last_seen_at=NOW + DAY, proven_at=NOW + INSTANT)
    async with store.write() as tables:
        await tables.sessions.insert(session(), digest(1))
        assert await tables.sessions.update(replace(later, agent="other"))
        assert await tables.sessions.find(session_id()) == later
        assert not await tables.sessions.update(session(2))


async def test_sessions_end_one_by_one_by_secret_and_all_but_one(store: SqlStore) -> None:
    await populate(store, users=2)
    async with store.write() as tables:
        for number in range(1, 6):
            held = session(number, last_seen_at=NOW + number * INSTANT)
            await tables.sessions.insert(held, digest(number))
        await tables.sessions.insert(session(6, user_id=user_id(2)), digest(6))
        assert await tables.sessions.delete(session_id(1))
        assert not await tables.sessions.delete(session_id(1))
        assert await tables.sessions.delete_digest(digest(2))
        assert not await tables.sessions.delete_digest(digest(2))
        assert [it.id for it in await tables.sessions.of_user(user_id())] == [*map(session_id, (5, 4, 3))]
        assert await tables.sessions.delete_of_user(user_id(), keep=session_id(4)) == 2
        assert [it.id for it in await tables.sessions.of_user(user_id())] == [session_id(4)]
        assert await tables.sessions.delete_of_user(user_id()) == 1
        assert len(await tables.sessions.of_user(user_id(2))) == 1


async def test_expired_sessions_are_purged(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.sessions.insert(session(1, expires_at=NOW - INSTANT), digest(1))
        await tables.sessions.insert(session(2, expires_at=NOW), digest(2))
        assert await tables.sessions.purge(NOW) == 1
        assert await tables.sessions.find(session_id(2)) is not None


async def test_a_link_comes_back_as_it_was_put_in(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.links.insert(FULL_LINK)
        await tables.links.insert(link(2, kind=LinkKind.SET_UP, organization_id=None, email=None, role=None))
        assert await tables.links.find(link_id()) == FULL_LINK
        assert await tables.links.find_digest(digest(1)) == FULL_LINK
        assert await tables.links.find_digest(digest(3)) is None
        bare = await tables.links.find(link_id(2))
        assert bare is not None
        assert (bare.organization_id, bare.email, bare.role, bare.user_id) == (None, None, None, None)


@pytest.mark.parametrize(
    ("at", "used"),
    [
        pytest.param(NOW + DAY - INSTANT, True, id="the last instant"),
        pytest.param(NOW + DAY, False, id="the first instant of refusal"),
    ],
)
async def test_a_link_is_used_before_it_expires(store: SqlStore, at, used) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.links.insert(link())
        assert await tables.links.use(link_id(), at) is used
        found = await tables.links.find(link_id())
        assert found is not None
        assert found.used_at == (at if used else None)
        assert not await tables.links.use(link_id(), at)


async def test_of_many_that_use_a_link_at_once_one_does(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.links.insert(link())

    async def use() -> bool:
        async with store.write() as tables:
            return await tables.links.use(link_id(), NOW)

    assert sorted(await asyncio.gather(*(use() for _ in range(8)))) == [False] * 7 + [True]


async def test_links_of_a_kind_go_together(store: SqlStore) -> None:
    await populate(store, users=2)
    reset = {"kind": LinkKind.PASSWORD_RESET}
    async with store.write() as tables:
        await tables.links.insert(link(1, **reset, user_id=user_id(1)))
        await tables.links.insert(link(2, **reset, user_id=user_id(2)))
        await tables.links.insert(link(3, kind=LinkKind.SIGN_IN, user_id=user_id(1)))
        await tables.links.insert(link(4, kind=LinkKind.SET_UP))
        assert await tables.links.delete(LinkKind.PASSWORD_RESET, user_id(1)) == 1
        assert await tables.links.delete(LinkKind.SET_UP, None) == 1
        assert await tables.links.find(link_id(2)) is not None
        assert await tables.links.find(link_id(3)) is not None


async def test_only_a_link_not_yet_used_can_be_withdrawn(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.links.insert(link(1))
        await tables.links.insert(link(2, used_at=NOW))
        assert await tables.links.withdraw(link_id(1))
        assert not await tables.links.withdraw(link_id(1))
        assert not await tables.links.withdraw(link_id(2))


async def test_open_invitations_of_an_organization_are_listed_newest_first(store: SqlStore) -> None:
    await populate(store, organizations=2)
    async with store.write() as tables:
        for number in (1, 2, 3):
            await tables.links.insert(link(number, created_at=NOW + number * INSTANT))
        await tables.links.insert(link(4, used_at=NOW))
        await tables.links.insert(link(5, expires_at=NOW))
        await tables.links.insert(link(6, organization_id=organization_id(2)))
        first = await tables.links.list_open(organization_id(), NOW, Page(limit=2))
        assert [it.id for it in first.items] == [link_id(3), link_id(2)]
        rest = await tables.links.list_open(organization_id(), NOW, Page(after=position(first.items[-1])))
        assert ([it.id for it in rest.items], rest.more) == ([link_id(1)], False)


async def test_expired_links_are_purged(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        await tables.links.insert(link(1, expires_at=NOW - INSTANT))
        await tables.links.insert(link(2, expires_at=NOW))
        assert await tables.links.purge(NOW) == 1
        assert await tables.links.find(link_id(2)) is not None
