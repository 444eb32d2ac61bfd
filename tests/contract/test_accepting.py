"""Links, on both stores: who may make them, what they do, once, and what is left when that fails half-way."""

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from keystead.domain.errors import (
    Conflict,
    Denied,
    InvalidInput,
    LinkClosed,
    NotFound,
    ProofNeeded,
    SignedOut,
    TooManyAttempts,
    Unavailable,
)
from keystead.domain.ids import KeyId
from keystead.domain.keys import By, ByKind, RevokedReason
from keystead.domain.links import LinkKind
from keystead.domain.powers import RootKey
from keystead.domain.secrets import Secret, presented_secret
from keystead.domain.tenants import Role
from keystead.ports.store import AuditFilter, Page, TenantFilter
from keystead.services import accept, account, issue, links, members, people, revoke, set_up, sign_up, users
from keystead.services.context import Actor, Bounds, Visit
from keystead.services.drafts import (
    MemberChange,
    NewInvitation,
    NewPersonalKey,
    NewSignInLink,
    OrganizationChange,
    UserChange,
)
from keystead.services.links import MadeLink
from keystead.services.mutation import Changed
from keystead.services.organizations import change_organization
from keystead.storage.sql.store import SqlStore
from tests.contract.house import OPERATOR, PASSWORD, House, house_on

NEW = "another one here"
VISIT = Visit(address="192.0.2.1", agent="Firefox")
VIEWER = NewInvitation(email="New@Example.com", role=Role.VIEWER)


@pytest.fixture
def house(store: SqlStore) -> House:
    return house_on(store)


def text_of(made: Changed[MadeLink]) -> str:
    assert made.value.secret is not None
    return made.value.secret.reveal()


def root(*scopes: str) -> Actor:
    return Actor(principal=RootKey(key_id=KeyId("key_root"), scopes=scopes))


def set_up_with(house: House, text: str, **changes: str):
    form = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD, "organization": "Acme"}
    return set_up.set_up(house.context, VISIT, text, **{**form, **changes})


async def operators(house: House) -> int:
    async with house.context.store.read() as tables:
        return await tables.users.count_operators()


async def names(house: House) -> list[str]:
    async with house.context.store.read() as tables:
        return [it.name for it in (await tables.organizations.list(TenantFilter(), Page())).items]


async def results(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


class TestSetUp:
    async def test_the_link_makes_the_operator_with_an_organization_and_signs_them_in(self, house: House):
        secret = await set_up.make_set_up_link(house.context)
        assert secret is not None
        signed_in = await set_up_with(house, secret.reveal())
        assert signed_in.user.operator
        resumed = await house.resumed(signed_in.secret)
        [(member, organization)] = resumed.memberships
        assert (member.role, organization.name) == (Role.OWNER, "Acme")
        async with house.context.store.read() as tables:
            entries = (await tables.audit.list(organization.id, AuditFilter(), Page())).items
        assert {it.by for it in entries} == {By(kind=ByKind.OPERATOR, id=signed_in.user.id)}
        assert await house.sign_in(signed_in.user)

    async def test_it_works_once_an_hour_at_most_and_a_restart_makes_a_new_one(self, house: House):
        first = await set_up.make_set_up_link(house.context)
        second = await set_up.make_set_up_link(house.context)
        assert first is not None
        assert second is not None
        with pytest.raises(LinkClosed):
            await set_up_with(house, first.reveal())
        house.clock.advance(hours=1)
        with pytest.raises(LinkClosed):
            await set_up_with(house, second.reveal())
        third = await set_up.make_set_up_link(house.context)
        assert third is not None
        house.clock.advance(minutes=59, seconds=59)
        await set_up_with(house, third.reveal())
        with pytest.raises(LinkClosed):
            await set_up_with(house, third.reveal(), email="b@example.com")
        assert await set_up.make_set_up_link(house.context) is None

    async def test_of_two_set_ups_at_once_one_makes_an_operator(self, house: House):
        secret = await set_up.make_set_up_link(house.context)
        assert secret is not None
        found = await results(
            *(set_up_with(house, secret.reveal(), email=f"{it}@example.com") for it in range(4)),
            set_up.set_up_by_settings(house.context, email="z@example.com", password=PASSWORD),
        )
        assert await operators(house) == 1
        assert len([it for it in found if not isinstance(it, LinkClosed) and it is not False]) == 1
        assert len(await names(house)) == 1

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            pytest.param({"password": "short"}, InvalidInput, id="password too short"),
            pytest.param({"password": "ada@example.com"}, InvalidInput, id="password is the e-mail"),
            pytest.param({"organization": " "}, InvalidInput, id="organization without a name"),
            pytest.param({"email": "taken@example.com"}, Conflict, id="e-mail taken"),
        ],
    )
    async def test_what_fails_half_way_leaves_the_link_open_and_nothing_else(
        self, house: House, changes, error
    ):
        await house.user("taken")
        secret = await set_up.make_set_up_link(house.context)
        assert secret is not None
        with pytest.raises(error):
            await set_up_with(house, secret.reveal(), **changes)
        assert (await operators(house), await names(house)) == (0, [])
        assert await set_up_with(house, secret.reveal())

    async def test_the_settings_make_one_operator_and_never_a_second(self, house: House):
        found = await results(
            *(
                set_up.set_up_by_settings(house.context, email=f"{it}@example.com", password=PASSWORD)
                for it in range(4)
            )
        )
        assert sorted(found) == [False] * 3 + [True]
        assert (await operators(house), len(await names(house))) == (1, 1)
        house.passwords.done.clear()
        assert not await set_up.set_up_by_settings(house.context, email="x@example.com", password=PASSWORD)
        assert house.passwords.done == []

    async def test_an_open_set_up_link_ends_when_there_is_an_operator(self, house: House):
        secret = await set_up.make_set_up_link(house.context)
        assert secret is not None
        await set_up.set_up_by_settings(house.context, email="a@example.com", password=PASSWORD)
        assert await links.look_at(house.context, secret.reveal()) is None
        with pytest.raises(LinkClosed):
            await set_up_with(house, secret.reveal())


class TestInvitation:
    async def test_somebody_new_gets_an_account_and_is_a_member(self, house: House):
        owner = await house.user()
        organization = await house.organization(owner=owner)
        actor = await house.actor(owner, organization.id)
        made = await links.make_invitation(house.context, actor, organization.id, VIEWER)
        looked = await links.look_at(house.context, text_of(made))
        assert looked is not None
        assert (looked.link.email, looked.user, looked.organization) == (
            "new@example.com",
            None,
            organization,
        )
        signed_in = await accept.accept_invitation(
            house.context, VISIT, text_of(made), name="New", password=NEW
        )
        [(member, _)] = (await house.resumed(signed_in.secret)).memberships
        assert (member.organization_id, member.role) == (organization.id, Role.VIEWER)
        assert signed_in.user.email_confirmed_at is None
        assert await links.look_at(house.context, text_of(made)) is None

    async def test_looking_uses_nothing_up(self, house: House):
        organization = await house.organization()
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        for _ in range(3):
            assert await links.look_at(house.context, text_of(made)) is not None
        assert await accept.accept_invitation(house.context, VISIT, text_of(made), name="New", password=NEW)

    async def test_of_many_that_accept_at_once_one_joins(self, house: House):
        organization = await house.organization()
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        found = await results(
            *(
                accept.accept_invitation(house.context, VISIT, text_of(made), name="New", password=NEW)
                for _ in range(4)
            )
        )
        assert len([it for it in found if not isinstance(it, Exception)]) == 1
        assert all(isinstance(it, LinkClosed) for it in found if isinstance(it, Exception))
        async with house.context.store.read() as tables:
            assert await tables.members.count(organization.id) == 1

    async def test_who_has_an_account_signs_in_to_accept(self, house: House):
        user, other = await house.user("new"), await house.user("other")
        organization = await house.organization()
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        with pytest.raises(Conflict):
            await accept.accept_invitation(house.context, VISIT, text_of(made), name="E", password=NEW)
        with pytest.raises(Denied):
            await accept.join(house.context, await house.actor(other), text_of(made))
        joined = await accept.join(house.context, await house.actor(user), text_of(made))
        assert (joined.value.user_id, joined.value.role) == (user.id, Role.VIEWER)
        assert joined.epoch is not None
        assert (await house.find(user.id)).password == user.password
        with pytest.raises(LinkClosed):
            await accept.join(house.context, await house.actor(user), text_of(made))

    async def test_an_account_without_a_password_cannot_be_taken_over_by_inviting_it(self, house: House):
        user = await house.user("new", password=None)
        organization = await house.organization()
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        with pytest.raises(Conflict):
            await accept.accept_invitation(house.context, VISIT, text_of(made), name="E", password=NEW)
        assert (await house.find(user.id)).password is None

    async def test_nobody_invites_above_their_own_role_and_only_members_managers_do(self, house: House):
        admin, developer = await house.user("admin"), await house.user("developer")
        organization = await house.organization(admin=admin, developer=developer)
        actor = await house.actor(admin, organization.id)
        with pytest.raises(Denied):
            await links.make_invitation(
                house.context, actor, organization.id, NewInvitation(email="a@b.example", role=Role.OWNER)
            )
        with pytest.raises(Denied):
            await links.make_invitation(
                house.context, await house.actor(developer, organization.id), organization.id, VIEWER
            )
        other = await house.organization()
        with pytest.raises(NotFound):
            await links.make_invitation(house.context, actor, other.id, VIEWER)

    async def test_inviting_an_owner_takes_a_password_given_lately(self, house: House):
        owner = await house.user()
        organization = await house.organization(owner=owner)
        actor = await house.actor(owner, organization.id)
        draft = NewInvitation(email="a@b.example", role=Role.OWNER)
        await links.make_invitation(house.context, actor, organization.id, draft)
        house.clock.advance(minutes=10)
        with pytest.raises(ProofNeeded):
            await links.make_invitation(house.context, actor, organization.id, draft)

    async def test_a_member_is_not_invited_again(self, house: House):
        user = await house.user("new")
        organization = await house.organization(viewer=user)
        with pytest.raises(Conflict) as caught:
            await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        assert caught.value.code == "already-member"

    @pytest.mark.parametrize(
        "lost", ["removed", "demoted", "suspended", "organization suspended", "key revoked", "withdrawn"]
    )
    async def test_an_invitation_ends_with_the_power_to_make_it(self, house: House, lost: str):
        owner, admin = await house.user("owner"), await house.user("admin")
        organization = await house.organization(owner=owner, admin=admin)
        context, actor = house.context, await house.actor(admin, organization.id)
        if lost == "key revoked":
            key = (
                await issue.create_personal_key(
                    context, actor, admin.id, NewPersonalKey(name="Mine", organization_id=organization.id)
                )
            ).value
            made = await links.make_invitation(context, actor, organization.id, VIEWER)
            async with context.store.write() as tables:
                link = await tables.links.find(made.value.link.id)
                assert link is not None
                await tables.links.withdraw(link.id)
                await tables.links.insert(replace(link, made_by=By(kind=ByKind.KEY, id=key.id)))
            assert await links.look_at(context, text_of(made)) is not None
            await revoke.revoke_key(context, OPERATOR, key.id, reason=RevokedReason.COMPROMISED)
        else:
            made = await links.make_invitation(context, actor, organization.id, VIEWER)
        match lost:
            case "removed":
                await members.remove_member(context, OPERATOR, organization.id, admin.id)
            case "demoted":
                change = MemberChange(role=Role.DEVELOPER)
                await members.change_member(context, OPERATOR, organization.id, admin.id, change)
            case "suspended":
                await users.change_user(context, OPERATOR, admin.id, UserChange(disabled=True))
            case "organization suspended":
                change = OrganizationChange(disabled=True)
                await change_organization(context, OPERATOR, organization.id, change)
            case "withdrawn":
                await links.withdraw_invitation(context, actor, organization.id, made.value.link.id)
        assert await links.look_at(context, text_of(made)) is None
        with pytest.raises(LinkClosed):
            await accept.accept_invitation(context, VISIT, text_of(made), name="New", password=NEW)

    async def test_a_full_organization_takes_nobody_and_the_link_stays_open(self, house: House):
        organization = await house.organization()
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        full = replace(house.context, bounds=Bounds(members_per_organization=0))
        with pytest.raises(Conflict):
            await accept.accept_invitation(full, VISIT, text_of(made), name="New", password=NEW)
        async with house.context.store.read() as tables:
            assert await tables.users.find_email("new@example.com") is None
        assert await accept.accept_invitation(house.context, VISIT, text_of(made), name="New", password=NEW)

    async def test_it_is_mailed_where_mail_is_set_up_and_made_though_the_mail_is_lost(self, house: House):
        organization = await house.organization()
        unmailed = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        assert not unmailed.value.mailed
        with_mail = house.changed(mail=house.mail, address="https://keys.example.com/base")
        made = await links.make_invitation(with_mail.context, OPERATOR, organization.id, VIEWER)
        assert made.value.mailed
        [(to, subject, text)] = house.mail.sent
        assert (to, subject) == ("new@example.com", "Join Acme on Keystead")
        [url] = [it for it in text.split() if it.startswith("https://")]
        assert url.startswith("https://keys.example.com/base/link?")
        assert parse_qs(urlsplit(url).query)["secret"] == [text_of(made)]
        house.mail.away = True
        lost = await links.make_invitation(with_mail.context, OPERATOR, organization.id, VIEWER)
        assert not lost.value.mailed
        assert await links.look_at(house.context, text_of(lost)) is not None

    async def test_nobody_can_be_flooded_with_mail(self, house: House):
        organization = await house.organization()
        with_mail = house.changed(mail=house.mail)
        for _ in range(5):
            await links.make_invitation(with_mail.context, OPERATOR, organization.id, VIEWER)
        assert len(house.mail.sent) == 3

    async def test_open_invitations_are_listed_for_who_could_make_them(self, house: House):
        viewer = await house.user("viewer")
        organization = await house.organization(viewer=viewer)
        made = await links.make_invitation(house.context, OPERATOR, organization.id, VIEWER)
        listed = await links.list_invitations(house.context, OPERATOR, organization.id, Page())
        assert listed.items == [made.value.link]
        with pytest.raises(Denied):
            await links.list_invitations(
                house.context, await house.actor(viewer, organization.id), organization.id, Page()
            )


class TestPasswordReset:
    async def test_it_sets_the_password_ends_all_sessions_and_signs_nobody_in(self, house: House):
        user = await house.user()
        actor = await house.actor(user)
        made = await links.make_password_reset(house.context, OPERATOR, user.id)
        saved = await accept.reset_password(house.context, VISIT, text_of(made), password=NEW)
        assert saved.id == user.id
        with pytest.raises(SignedOut):
            await people.end_session(house.context, actor, actor.principal.session_id)
        assert await house.try_in(user.email, PASSWORD) is None
        assert await house.try_in(user.email, NEW) is not None
        with pytest.raises(LinkClosed):
            await accept.reset_password(house.context, VISIT, text_of(made), password=PASSWORD)

    async def test_a_new_one_ends_the_earlier_and_so_does_changing_the_password(self, house: House):
        user = await house.user()
        first = await links.make_password_reset(house.context, OPERATOR, user.id)
        second = await links.make_password_reset(house.context, OPERATOR, user.id)
        assert await links.look_at(house.context, text_of(first)) is None
        await account.change_password(house.context, await house.actor(user), password=NEW)
        assert await links.look_at(house.context, text_of(second)) is None

    async def test_a_password_that_will_not_do_leaves_it_open(self, house: House):
        user = await house.user()
        made = await links.make_password_reset(house.context, OPERATOR, user.id)
        with pytest.raises(InvalidInput):
            await accept.reset_password(house.context, VISIT, text_of(made), password="aaaaaaaaaaaa")
        assert await links.look_at(house.context, text_of(made)) is not None

    async def test_it_is_the_providers_to_make_and_an_operators_takes_the_highest_power(self, house: House):
        user, operator = await house.user(), await house.user("bob", operator=True)
        organization = await house.organization(owner=user)
        for make in (_reset, _sign_in):
            with pytest.raises(Denied):
                await make(house, await house.actor(user, organization.id), user.id)
            with pytest.raises(Denied):
                await make(house, root("keys:*"), user.id)
            await make(house, root("users:*"), user.id)
            with pytest.raises(Denied):
                await make(house, root("users:*"), operator.id)
            await make(house, root("*"), operator.id)
            await make(house, await house.actor(operator), user.id)

    async def test_an_operator_makes_one_only_after_giving_their_password_lately(self, house: House):
        user, operator = await house.user(), await house.user("bob", operator=True)
        actor = await house.actor(operator)
        house.clock.advance(minutes=10)
        for make in (_reset, _sign_in):
            with pytest.raises(ProofNeeded):
                await make(house, actor, user.id)

    async def test_a_suspended_user_gets_none_and_one_made_before_lets_nobody_in(self, house: House):
        user = await house.user()
        reset, sign_in = [await make(house, OPERATOR, user.id) for make in (_reset, _sign_in)]
        await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=True))
        for make in (_reset, _sign_in):
            with pytest.raises(Conflict):
                await make(house, OPERATOR, user.id)
        with pytest.raises(LinkClosed):
            await accept.reset_password(house.context, VISIT, text_of(reset), password=NEW)
        with pytest.raises(LinkClosed):
            await accept.sign_in_by_link(house.context, VISIT, text_of(sign_in))

    @pytest.mark.parametrize(
        "change",
        [UserChange(operator=True), UserChange(email="else@example.com"), UserChange(disabled=True)],
        ids=["operator", "another address", "suspended"],
    )
    async def test_links_end_when_the_account_becomes_another(self, house: House, change: UserChange):
        mailing = house.changed(mail=house.mail)
        user = await house.user()
        made = [text_of(await make(house, root("users:*"), user.id)) for make in (_reset, _sign_in)]
        await account.change_email(mailing.context, await house.actor(user), email="new@example.com")
        made.append(_mailed(mailing))
        assert None not in [await links.look_at(house.context, it) for it in made]
        await users.change_user(house.context, OPERATOR, user.id, change)
        await users.change_user(house.context, OPERATOR, user.id, UserChange(disabled=False))
        assert [await links.look_at(house.context, it) for it in made] == [None, None, None]

    async def test_whoever_has_one_cannot_have_us_hash_without_end(self, house: House):
        owner = await house.user("bob")
        organization = await house.organization(owner=owner)
        context = replace(house.context, bounds=Bounds(members_per_organization=2))
        made = text_of(await links.make_invitation(context, OPERATOR, organization.id, VIEWER))
        full = replace(context, bounds=Bounds(members_per_organization=1))
        for _ in range(10):
            with pytest.raises(Conflict):
                await accept.accept_invitation(full, VISIT, made, name="New", password=NEW)
        hashed = len(house.passwords.done)
        with pytest.raises(TooManyAttempts):
            await accept.accept_invitation(full, VISIT, made, name="New", password=NEW)
        assert len(house.passwords.done) == hashed
        house.clock.advance(minutes=1)
        assert await accept.accept_invitation(context, VISIT, made, name="New", password=NEW)


class TestSignInLink:
    async def test_it_signs_in_once_within_a_minute_and_says_where_back_is(self, house: House):
        user = await house.user(password=None)
        back = "https://app.example.com/account/keys?tab=1"
        made = await links.make_sign_in_link(house.context, OPERATOR, user.id, NewSignInLink(return_url=back))
        house.clock.advance(seconds=59)
        signed_in = await accept.sign_in_by_link(house.context, VISIT, text_of(made))
        assert (signed_in.user.id, signed_in.return_url) == (user.id, back)
        assert await house.resumed(signed_in.secret)
        with pytest.raises(LinkClosed):
            await accept.sign_in_by_link(house.context, VISIT, text_of(made))
        late = await _sign_in(house, OPERATOR, user.id)
        house.clock.advance(seconds=60)
        with pytest.raises(LinkClosed):
            await accept.sign_in_by_link(house.context, VISIT, text_of(late))

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/account",
            "https://app.example.com/",
            "https://app.example.com/accounts",
            "https://app.example.com/account/../evil",
            "https://app.example.com/account/%2e%2E/evil",
            "https://app.example.com/account\\..\\evil",
            "https://app.example.com@evil.example/account",
            "https://app.example.com:444/account",
            "http://app.example.com/account",
            "javascript:alert(1)",
            "//app.example.com/account",
            "/account",
            "https://app.example.com/account\n",
        ],
    )
    async def test_it_leads_back_only_to_where_the_settings_say(self, house: House, url: str):
        user = await house.user()
        with pytest.raises(InvalidInput):
            await links.make_sign_in_link(house.context, OPERATOR, user.id, NewSignInLink(return_url=url))

    async def test_a_link_of_one_kind_is_none_of_another(self, house: House):
        user = await house.user()
        made = text_of(await _sign_in(house, OPERATOR, user.id))
        for accepting in (
            accept.reset_password(house.context, VISIT, made, password=NEW),
            accept.confirm_email(house.context, VISIT, made),
            accept.accept_invitation(house.context, VISIT, made, name="N", password=NEW),
            set_up_with(house, made),
            sign_up.sign_up(house.context, VISIT, made, name="N", password=NEW, organization="O"),
        ):
            with pytest.raises(LinkClosed):
                await accepting
        assert await accept.sign_in_by_link(house.context, VISIT, made)


class TestEmail:
    async def test_without_mail_it_changes_at_once_unconfirmed(self, house: House):
        user = await house.user(email_confirmed_at=house.clock.now)
        changed = await account.change_email(house.context, await house.actor(user), email="New@example.com")
        assert (changed.value.email, changed.value.email_confirmed_at) == ("new@example.com", None)

    async def test_with_mail_it_changes_when_the_new_address_is_confirmed(self, house: House):
        house = house.changed(mail=house.mail)
        user = await house.user()
        asked = await account.change_email(house.context, await house.actor(user), email="new@example.com")
        assert asked.value.email == user.email
        saved = await accept.confirm_email(house.context, VISIT, _mailed(house))
        assert (saved.email, saved.email_confirmed_at) == ("new@example.com", house.clock.now)

    async def test_an_address_taken_meanwhile_is_refused(self, house: House):
        house = house.changed(mail=house.mail)
        user = await house.user()
        actor = await house.actor(user)
        await account.change_email(house.context, actor, email="bob@example.com")
        await house.user("bob")
        with pytest.raises(Conflict):
            await accept.confirm_email(house.context, VISIT, _mailed(house))

    async def test_an_address_that_was_asked_for_with_the_old_password_is_not_confirmed(self, house: House):
        house = house.changed(mail=house.mail)
        user = await house.user()
        actor = await house.actor(user)
        await account.change_email(house.context, actor, email="thief@example.com")
        mailed = _mailed(house)
        await account.change_password(house.context, actor, password=NEW)
        with pytest.raises(LinkClosed):
            await accept.confirm_email(house.context, VISIT, mailed)

    async def test_with_mail_only_the_owner_of_an_address_learns_that_it_has_an_account(self, house: House):
        house = house.changed(mail=house.mail)
        user, other = await house.user(), await house.user("bob")
        actor = await house.actor(user)
        for email in (other.email, "new@example.com"):
            asked = await account.change_email(house.context, actor, email=email)
            assert (asked.value, asked.epoch) == (user, None)
        (to, known, text), (_, unknown, _) = house.mail.sent
        assert (to, known != unknown, "secret=" in text) == (other.email, True, False)

    async def test_without_mail_addresses_cannot_be_tried_one_after_the_other(self, house: House):
        user, other = await house.user(), await house.user("bob")
        actor = await house.actor(user)
        for _ in range(10):
            with pytest.raises(Conflict):
                await account.change_email(house.context, actor, email=other.email)
        with pytest.raises(TooManyAttempts):
            await account.change_email(house.context, actor, email=other.email)


class TestSignUp:
    async def test_it_is_closed_unless_the_settings_open_it(self, house: House):
        for closed in (house, house.changed(sign_up_open=True), house.changed(mail=house.mail)):
            with pytest.raises(Denied):
                await sign_up.ask_to_sign_up(closed.context, VISIT, email="new@example.com")

    async def test_who_confirms_their_address_gets_an_organization_with_a_key(self, house: House):
        house = house.changed(mail=house.mail, sign_up_open=True)
        await sign_up.ask_to_sign_up(house.context, VISIT, email="New@example.com")
        signed_in = await sign_up.sign_up(
            house.context, VISIT, _mailed(house), name="New", password=NEW, organization="Mine"
        )
        assert (signed_in.user.email, signed_in.user.operator) == ("new@example.com", False)
        assert signed_in.user.email_confirmed_at == house.clock.now
        [(member, organization)] = (await house.resumed(signed_in.secret)).memberships
        assert (member.role, organization.name) == (Role.OWNER, "Mine")
        async with house.context.store.read() as tables:
            assert len(await tables.keys.unrevoked(organization_id=organization.id)) == 1

    async def test_whoever_asks_is_told_the_same_of_an_address_that_has_an_account(self, house: House):
        house = house.changed(mail=house.mail, sign_up_open=True)
        await house.user("known")
        for email in ("known@example.com", "new@example.com"):
            assert await sign_up.ask_to_sign_up(house.context, VISIT, email=email) is None
        (_, known, text), (_, unknown, _) = house.mail.sent
        assert (known, unknown) == ("You have an account at Keystead", "Confirm your e-mail for Keystead")
        assert "secret=" not in text

    async def test_no_address_and_no_network_can_be_flooded(self, house: House):
        house = house.changed(mail=house.mail, sign_up_open=True)
        for _ in range(3):
            await sign_up.ask_to_sign_up(house.context, VISIT, email="new@example.com")
        with pytest.raises(TooManyAttempts):
            await sign_up.ask_to_sign_up(house.context, VISIT, email="new@example.com")
        for number in range(16):
            await sign_up.ask_to_sign_up(house.context, VISIT, email=f"{number}@example.com")
        with pytest.raises(TooManyAttempts):
            await sign_up.ask_to_sign_up(house.context, VISIT, email="16@example.com")

    async def test_of_two_that_sign_up_with_one_link_at_once_one_does(self, house: House):
        house = house.changed(mail=house.mail, sign_up_open=True)
        await sign_up.ask_to_sign_up(house.context, VISIT, email="new@example.com")
        found = await results(
            *(
                sign_up.sign_up(
                    house.context, VISIT, _mailed(house), name="N", password=NEW, organization="O"
                )
                for _ in range(3)
            )
        )
        assert len([it for it in found if isinstance(it, people.SignedIn)]) == 1
        assert await names(house) == ["O"]


async def test_the_last_operator_stays_one(house: House):
    one = await house.user(operator=True)
    for change in (UserChange(operator=False), UserChange(disabled=True)):
        with pytest.raises(Conflict) as caught:
            await users.change_user(house.context, OPERATOR, one.id, change)
        assert caught.value.code == "last-operator"
    two = await house.user("bob")
    await users.change_user(house.context, OPERATOR, two.id, UserChange(operator=True))
    await users.change_user(house.context, OPERATOR, one.id, UserChange(operator=False))
    assert await operators(house) == 1


async def test_only_the_highest_power_makes_or_changes_an_operator(house: House):
    user, operator = await house.user(), await house.user("bob", operator=True)
    for user_id, change in ((user.id, {"operator": True}), (operator.id, {"email": "x@example.com"})):
        with pytest.raises(Denied):
            await users.change_user(house.context, root("users:*"), user_id, UserChange(**change))
        await users.change_user(house.context, root("*"), user_id, UserChange(**change))


async def test_a_lost_write_leaves_a_link_open(house: House, monkeypatch):
    user = await house.user()
    made = await _sign_in(house, OPERATOR, user.id)

    async def lost(*_):
        raise Unavailable("database")

    with monkeypatch.context() as broken:
        async with house.context.store.read() as tables:
            broken.setattr(type(tables.audit), "append", lost)
        with pytest.raises(Unavailable):
            await accept.sign_in_by_link(house.context, VISIT, text_of(made))
    assert await accept.sign_in_by_link(house.context, VISIT, text_of(made))


async def test_what_is_kept_of_a_link_is_its_digest(house: House):
    made = await _sign_in(house, OPERATOR, (await house.user()).id)
    secret = presented_secret(text_of(made))
    assert isinstance(secret, Secret)
    assert made.value.link.digest == secret.digest
    assert made.value.link.kind is LinkKind.SIGN_IN
    assert secret.reveal() not in repr(made)
    assert "digest" not in repr(made)


async def _reset(house: House, actor: Actor, user_id):
    return await links.make_password_reset(house.context, actor, user_id)


async def _sign_in(house: House, actor: Actor, user_id):
    return await links.make_sign_in_link(house.context, actor, user_id, NewSignInLink())


def _mailed(house: House) -> str:
    [url] = [it for it in house.mail.sent[-1][2].split() if it.startswith("http")]
    return parse_qs(urlsplit(url).query)["secret"][0]
