"""Signing in and out, on both stores: who is let in, what strangers learn, and what a session may do."""

import asyncio
from dataclasses import replace

import pytest

from keystead.domain.errors import (
    Conflict,
    Denied,
    NotFound,
    ProofNeeded,
    SignedOut,
    TooManyAttempts,
    Unavailable,
)
from keystead.domain.keys import By, ByKind, KeyType, RevokedReason
from keystead.domain.tenants import Role, Suspension
from keystead.ports.store import Page, TenantFilter
from keystead.services import account, issue, members, people, revoke, users
from keystead.services.account import AccountChange
from keystead.services.apps import create_app
from keystead.services.context import Actor
from keystead.services.drafts import MemberChange, NewApp, NewKey, NewRootKey, UserChange
from keystead.storage.sql.schema import METADATA
from keystead.storage.sql.store import SqlStore
from tests.clock import BEGINNING
from tests.contract.house import OPERATOR, PASSWORD, House, house_on

SUSPENDED = Suspension(at=BEGINNING, by=OPERATOR.principal.by)


@pytest.fixture
def house(store: SqlStore) -> House:
    return house_on(store)


async def test_who_has_the_password_is_let_in(house: House):
    user = await house.user()
    signed_in = await house.sign_in(user)
    assert signed_in.user == user
    found = await people.resume(house.context, signed_in.secret.reveal())
    assert found is not None
    assert (found.session, found.user, found.memberships) == (signed_in.session, user, [])
    assert (found.session.address, found.session.agent) == ("192.0.2.1", "Firefox")


@pytest.mark.parametrize("email", ["ADA@Example.com", " ada@example.com "])
async def test_an_email_is_read_in_any_letter_case(house: House, email: str):
    await house.user()
    assert await house.try_in(email) is not None


@pytest.mark.parametrize(
    ("email", "password", "changes"),
    [
        pytest.param("nobody@example.com", PASSWORD, {}, id="unknown e-mail"),
        pytest.param("no e-mail", PASSWORD, {}, id="no e-mail at all"),
        pytest.param("ada@example.com\0", PASSWORD, {}, id="null character"),
        pytest.param("ada@example.com", "wrong", {}, id="wrong password"),
        pytest.param("ada@example.com", "", {}, id="empty password"),
        pytest.param("ada@example.com", "x" * 2_000, {}, id="password longer than any"),
        pytest.param("ada@example.com", PASSWORD, {"suspension": SUSPENDED}, id="suspended"),
        pytest.param("ada@example.com", PASSWORD, {"password": None}, id="user without a password"),
        pytest.param("ada@example.com", "", {"password": None}, id="user without a password, nor sent one"),
    ],
)
async def test_all_others_are_answered_alike_after_one_hash_and_nothing_is_written(
    house: House, email, password, changes
):
    user = await house.user(**changes)
    assert await house.try_in(email, password) is None
    assert house.passwords.done == ["verify"]
    async with house.context.store.read() as tables:
        assert await tables.sessions.of_user(user.id) == []


async def test_guesses_are_refused_before_they_are_hashed_whether_or_not_there_is_an_account(house: House):
    await house.user()
    for email in ("ada@example.com", "nobody@example.com"):
        for _ in range(10):
            assert await house.try_in(email, "wrong") is None
        hashed = len(house.passwords.done)
        with pytest.raises(TooManyAttempts) as caught:
            await house.try_in(email)
        assert (len(house.passwords.done), caught.value.retry_after_s) == (hashed, 60)


async def test_one_network_cannot_try_many_accounts_and_others_are_not_slowed(house: House):
    user = await house.user()
    for number in range(50):
        await house.try_in(f"{number}@example.com", "wrong", address="2001:db8::1")
    with pytest.raises(TooManyAttempts):
        await house.try_in("ada@example.com", address="2001:db8::2")
    assert await house.sign_in(user, address="2001:db8:0:1::2")


async def test_guessing_never_binds_a_device_that_signed_in_before(house: House):
    user = await house.user()
    device = (await house.sign_in(user)).device
    for _ in range(9):
        await house.try_in(user.email, "wrong")
    with pytest.raises(TooManyAttempts):
        await house.try_in(user.email)
    assert await house.sign_in(user, device=device)


async def test_a_device_has_an_allowance_of_its_own(house: House):
    user = await house.user()
    device = (await house.sign_in(user)).device
    for _ in range(10):
        await house.try_in(user.email, "wrong", device=device)
    with pytest.raises(TooManyAttempts):
        await house.try_in(user.email, device=device)
    assert await house.sign_in(user)


@pytest.mark.parametrize("spoil", ["another's", "after a change of password", "forged", "empty", "no hex"])
async def test_a_device_is_known_to_its_user_only_and_until_the_password_changes(house: House, spoil: str):
    ada, bob = await house.user("ada"), await house.user("bob")
    device = (await house.sign_in(ada)).device
    user = ada
    match spoil:
        case "another's":
            user = bob
        case "after a change of password":
            await account.change_password(house.context, await house.actor(ada), password="another one here")
        case "forged":
            device = f"{'0' * 22}.{'0' * 64}"
        case "empty":
            device = f"{'0' * 22}."
        case _:
            device = "nonsense"
    house.clock.advance(hours=1)
    for _ in range(10):
        await house.try_in(user.email, "wrong", device=device)
    with pytest.raises(TooManyAttempts):
        await house.try_in(user.email, "wrong", address="198.51.100.1")


async def test_signing_in_ends_the_session_that_the_browser_had(house: House):
    user = await house.user()
    first = await house.sign_in(user)
    second = await house.sign_in(user, session=first.secret.reveal())
    assert second.secret.reveal() != first.secret.reveal()
    assert await people.resume(house.context, first.secret.reveal()) is None
    assert await people.resume(house.context, second.secret.reveal()) is not None


async def test_a_session_id_that_somebody_planted_is_not_taken_over(house: House):
    planted = "0" * 43
    signed_in = await house.sign_in(await house.user(), session=planted)
    assert signed_in.secret.reveal() != planted
    assert await people.resume(house.context, planted) is None


async def test_the_session_seen_longest_ago_makes_room(house: House):
    user = await house.user()
    first = await house.sign_in(user)
    for _ in range(people.MOST_SESSIONS):
        house.clock.advance(minutes=2)
        last = await house.sign_in(user, device=first.device)
    assert await people.resume(house.context, first.secret.reveal()) is None
    assert await people.resume(house.context, last.secret.reveal()) is not None
    async with house.context.store.read() as tables:
        assert len(await tables.sessions.of_user(user.id)) == people.MOST_SESSIONS


async def test_a_password_of_an_older_cost_is_hashed_anew_when_it_was_right(house: House):
    user = await house.user()
    house.passwords.cost = 2
    assert await house.try_in(user.email, "wrong") is None
    assert (await house.find(user.id)).password == f"1:{PASSWORD}"
    signed_in = await house.sign_in(user)
    assert (await house.find(user.id)).password == f"2:{PASSWORD}"
    assert await house.sign_in(user, device=signed_in.device)


async def test_who_is_suspended_while_their_password_is_hashed_is_not_let_in(house: House):
    user = await house.user()
    verify = house.passwords.verify

    async def slow(hashed, password):
        await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=True))
        return await verify(hashed, password)

    house.passwords.verify = slow
    assert await house.try_in(user.email) is None


async def test_a_session_ends_at_the_instant_it_expires(house: House):
    secret = (await house.sign_in(await house.user())).secret.reveal()
    house.clock.advance(days=14, milliseconds=-1)
    assert await people.resume(house.context, secret) is not None
    house.clock.advance(milliseconds=1)
    assert await people.resume(house.context, secret) is None


@pytest.mark.parametrize("text", ["", "0" * 42, "0" * 43, "0" * 44, "é" * 43, "\0"])
async def test_what_is_no_session_is_none(house: House, text: str):
    await house.sign_in(await house.user())
    assert await people.resume(house.context, text) is None


async def test_a_suspended_user_has_no_session_and_does_not_get_it_back(house: House):
    user = await house.user()
    secret = (await house.sign_in(user)).secret.reveal()
    await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=True))
    assert await people.resume(house.context, secret) is None
    await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=False))
    assert await people.resume(house.context, secret) is None


async def test_that_a_session_was_seen_is_written_once_a_minute(house: House):
    signed_in = await house.sign_in(await house.user())
    began = house.clock.now
    for seconds, seen in ((59, 0), (1, 0), (30, 60), (30, 60), (1, 120)):
        house.clock.advance(seconds=seconds)
        found = await house.resumed(signed_in.secret)
        assert (found.session.last_seen_at - began).total_seconds() == seen


async def test_a_session_is_resumed_though_nothing_can_be_written(house: House, monkeypatch):
    signed_in = await house.sign_in(await house.user())
    house.clock.advance(minutes=5)

    def full(*_):
        raise Unavailable("database", "its disk is full")

    monkeypatch.setattr(type(house.context.store), "write", full)
    assert await people.resume(house.context, signed_in.secret.reveal()) is not None


async def test_a_person_acts_where_they_are_a_member_and_nowhere_else(house: House):
    user = await house.user()
    own, other = await house.organization(developer=user), await house.organization()
    resumed = await house.resumed((await house.sign_in(user)).secret)
    inside = people.acting(resumed, own.id)
    assert (inside.organization_id, inside.role, inside.operator) == (own.id, Role.DEVELOPER, False)
    for organization_id in (other.id, None):
        outside = people.acting(resumed, organization_id)
        assert (outside.organization_id, outside.role) == (None, None)


async def test_an_operator_acts_anywhere_and_audit_names_them_as_the_provider(house: House):
    user, other = await house.user(operator=True), await house.organization()
    actor = await house.actor(user, other.id)
    changed = await users.change_user(
        house.context, actor, (await house.user("bob")).id, UserChange(disabled=True)
    )
    assert changed.value.suspension is not None
    assert changed.value.suspension.by == By(kind=ByKind.OPERATOR, id=user.id)
    assert changed.value.suspension.by.is_provider


async def test_leaving_an_organization_ends_its_power_at_once(house: House):
    user, owner = await house.user(), await house.user("bob")
    organization = await house.organization(admin=user, owner=owner)
    actor = await house.actor(user, organization.id)
    apps = house.context, actor, organization.id, NewApp(name="Web")
    await create_app(*apps)
    await members.remove_member(house.context, OPERATOR, organization.id, user.id)
    with pytest.raises(Denied):
        await create_app(*apps)


async def test_whoever_is_a_member_may_leave_but_for_the_last_owner(house: House):
    user, owner = await house.user(), await house.user("bob")
    organization, other = await house.organization(viewer=user, owner=owner), await house.organization()
    actor = await house.actor(user, organization.id)
    await members.leave(house.context, actor, organization.id)
    for elsewhere in (organization, other):
        with pytest.raises(NotFound):
            await members.leave(house.context, actor, elsewhere.id)
    with pytest.raises(Conflict):
        await members.leave(house.context, await house.actor(owner, organization.id), organization.id)


@pytest.mark.parametrize("end", ["signed out", "suspended", "expired"])
async def test_who_has_no_session_any_more_changes_nothing(house: House, end: str):
    user = await house.user()
    actor = await house.actor(user)
    match end:
        case "signed out":
            await people.sign_out(house.context, actor)
        case "suspended":
            await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=True))
        case _:
            house.clock.advance(days=14)
    with pytest.raises(SignedOut):
        await account.change_account(house.context, actor, AccountChange(name="Eve"))
    assert (await house.find(user.id)).name == "Ada"


async def test_a_role_that_was_taken_no_longer_counts(house: House):
    user, owner = await house.user(), await house.user("bob")
    organization = await house.organization(owner=owner, admin=user)
    actor = await house.actor(user, organization.id)
    await members.change_member(
        house.context, OPERATOR, organization.id, user.id, MemberChange(role=Role.DEVELOPER)
    )
    with pytest.raises(Denied):
        await members.change_member(
            house.context, actor, organization.id, owner.id, MemberChange(role=Role.VIEWER)
        )


async def test_a_secret_token_is_made_only_by_who_gave_their_password_lately(house: House):
    user = await house.user()
    organization = await house.organization(owner=user)
    actor = await house.actor(user, organization.id)
    async with house.context.store.read() as tables:
        app = (await tables.apps.list(_all(organization.id), Page())).items[0]
    secret, public = NewKey(name="A"), NewKey(name="B", type=KeyType.PUBLIC)
    made = await issue.create_app_key(house.context, actor, app.id, secret)
    assert made.value.created_by == By(kind=ByKind.USER, id=user.id)
    house.clock.advance(minutes=10)
    await issue.create_app_key(house.context, actor, app.id, public)
    with pytest.raises(ProofNeeded):
        await issue.create_app_key(house.context, actor, app.id, secret)
    assert not await people.prove(house.context, actor, "wrong")
    with pytest.raises(ProofNeeded):
        await issue.create_app_key(house.context, actor, app.id, secret)
    assert await people.prove(house.context, actor, PASSWORD)
    await issue.create_app_key(house.context, actor, app.id, secret)


async def test_a_key_is_called_exposed_only_by_who_gave_their_password_lately(house: House):
    user = await house.user()
    organization = await house.organization(owner=user)
    actor, exposed = await house.actor(user, organization.id), RevokedReason.COMPROMISED
    async with house.context.store.read() as tables:
        [key] = await tables.keys.unrevoked(organization_id=organization.id)
    house.clock.advance(minutes=10)
    with pytest.raises(ProofNeeded):
        await revoke.revoke_key(house.context, actor, key.id, reason=exposed)
    with pytest.raises(Conflict):
        await revoke.revoke_key(house.context, actor, key.id, reason=RevokedReason.UNUSED)
    assert await people.prove(house.context, actor, PASSWORD)
    await revoke.revoke_key(house.context, actor, key.id, reason=exposed)


async def test_owners_operators_root_keys_email_and_password_need_a_password_given_lately(house: House):
    user, bob = await house.user(operator=True), await house.user("bob")
    organization = await house.organization(viewer=bob)
    actor = await house.actor(user)
    house.clock.advance(minutes=10)
    context = house.context
    for dangerous in (
        members.change_member(context, actor, organization.id, bob.id, MemberChange(role=Role.OWNER)),
        users.change_user(context, actor, bob.id, UserChange(operator=True)),
        users.change_user(context, actor, bob.id, UserChange(email="new@example.com")),
        issue.create_root_key(context, actor, NewRootKey(name="Root", scopes=[])),
        account.change_password(context, actor, password="another one here"),
        account.change_email(context, actor, email="new@example.com"),
    ):
        with pytest.raises(ProofNeeded):
            await dangerous


async def test_proving_is_throttled_before_it_is_hashed_and_only_for_that_session(house: House):
    user = await house.user()
    actor, other = await house.actor(user), await house.actor(user)
    for _ in range(10):
        assert not await people.prove(house.context, actor, "wrong")
    hashed = len(house.passwords.done)
    with pytest.raises(TooManyAttempts):
        await people.prove(house.context, actor, PASSWORD)
    assert len(house.passwords.done) == hashed
    assert await people.prove(house.context, other, PASSWORD)


async def test_sessions_are_listed_and_ended_by_their_owner_only(house: House):
    ada, bob = await house.user("ada"), await house.user("bob")
    first, second, theirs = await house.actor(ada), await house.actor(ada), await house.actor(bob)
    ids = {it.principal.session_id for it in (first, second)}
    assert {it.id for it in await people.list_sessions(house.context, first)} == ids
    [others] = await people.list_sessions(house.context, theirs)
    with pytest.raises(NotFound):
        await people.end_session(house.context, first, others.id)
    await people.end_session(house.context, first, second.principal.session_id)
    assert len(await people.list_sessions(house.context, first)) == 1
    await people.sign_out(house.context, first)
    await people.sign_out(house.context, first)
    assert await people.list_sessions(house.context, theirs) == [others]


async def test_signing_out_elsewhere_keeps_this_one(house: House):
    user = await house.user()
    actors = [await house.actor(user) for _ in range(3)]
    assert await people.sign_out_elsewhere(house.context, actors[0]) == 2
    assert len(await people.list_sessions(house.context, actors[0])) == 1
    with pytest.raises(SignedOut):
        await people.sign_out_elsewhere(house.context, actors[1])


async def test_changing_the_password_ends_the_other_sessions(house: House):
    user = await house.user()
    kept, other = await house.actor(user), await house.actor(user)
    await account.change_password(house.context, kept, password="another one here")
    assert await house.try_in(user.email, PASSWORD) is None
    assert await house.try_in(user.email, "another one here") is not None
    await account.change_account(house.context, kept, AccountChange(name="Ada L."))
    with pytest.raises(SignedOut):
        await account.change_account(house.context, other, AccountChange(name="Eve"))


async def test_who_copied_a_session_is_out_once_its_owner_changes_the_password(house: House):
    user = await house.user()
    stolen = await house.sign_in(user)
    resumed = await house.resumed(stolen.secret)
    actor = Actor(principal=people.acting(resumed, None))
    changed = await account.change_password(house.context, actor, password="another one here")
    assert await people.resume(house.context, stolen.secret.reveal()) is None
    assert (await house.resumed(changed.secret)).session == resumed.session
    for _ in range(9):
        await house.try_in(user.email, "wrong")
    with pytest.raises(TooManyAttempts):
        await house.try_in(user.email, "another one here")
    assert await house.sign_in(changed.user, password="another one here", device=changed.device)


async def test_of_two_that_sign_in_at_once_both_are_let_in(house: House):
    user = await house.user()
    found = await asyncio.gather(*(house.try_in(user.email) for _ in range(4)))
    assert len({it.session.id for it in found if it is not None}) == 4


async def test_nothing_that_is_stored_recorded_or_printed_holds_a_secret_or_a_password(house: House):
    user = await house.user()
    organization = await house.organization(owner=user)
    signed_in = await house.sign_in(user)
    actor = await house.actor(user, organization.id)
    saved = (await account.change_password(house.context, actor, password="another one here")).user
    shown = " ".join(map(repr, (signed_in, actor, saved, house.context, await house.find(user.id))))
    dump = repr(await _everything(house))
    secrets = {signed_in.secret.reveal(), signed_in.device, PASSWORD, "another one here"}
    assert not [it for it in secrets if it in shown]
    assert signed_in.secret.reveal() not in dump
    assert signed_in.device not in dump
    assert saved.password is not None
    audited = repr(
        [row for name, rows in (await _everything(house)).items() if name == "audit" for row in rows]
    )
    assert saved.password not in audited
    assert PASSWORD not in audited


async def _everything(house: House):
    async with house.context.store.read() as tables:
        work = tables.users._work
        return {
            name: [tuple(it) for it in await work.rows(table.select())]
            for name, table in METADATA.tables.items()
        }


def _all(organization_id):
    return TenantFilter(organization_id=organization_id)


async def test_a_key_is_no_person(house: House):
    for call in (people.list_sessions, people.sign_out):
        with pytest.raises(Denied):
            await call(house.context, Actor(principal=OPERATOR.principal))


async def test_a_user_whose_membership_alone_is_suspended_above_acts_in_none(house: House):
    user = await house.user()
    organization = await house.organization(owner=user)
    resumed = await house.resumed((await house.sign_in(user)).secret)
    [(member, held)] = resumed.memberships
    paused = replace(resumed, memberships=[(member, replace(held, suspension=SUSPENDED))])
    assert people.acting(paused, organization.id).role is None
