"""Members: their roles, and the ways in and out."""

import re

import pytest

from tests.dashboard.site import PASSWORD, Browser, Site


def _members(site: Site) -> str:
    return f"/organizations/{site.organization['id']}/members"


def _invitations(site: Site) -> str:
    return f"/organizations/{site.organization['id']}/invitations"


async def _invite(site: Site, browser: Browser, **fields: str):
    form = await browser.get(f"{_invitations(site)}/new")
    return await browser.submit(form, "/new", **{"email": "new@example.com", "role": "viewer", **fields})


async def test_an_invitation_shows_its_link_in_one_answer_only(site: Site):
    owner = await site.member("owner")
    made = await _invite(site, owner)
    assert made.status == 200
    assert made.answer.headers["cache-control"] == "no-store"
    [link] = set(re.findall(r"http://localhost:\d+/link\?secret=\w+", made.html))
    listed = await owner.get(_members(site))
    assert "new@example.com" in listed.text
    assert link.partition("=")[2] not in listed.html


async def test_an_invitation_that_is_sent_twice_is_one_and_says_where_its_link_went(site: Site):
    owner = await site.member("owner")
    form = await owner.get(f"{_invitations(site)}/new")
    await owner.submit(form, "/new", email="new@example.com", role="viewer")
    again = await owner.submit(form, "/new", email="new@example.com", role="viewer")
    assert again.status == 200
    assert "did not see" in again.text
    assert "/link?secret" not in again.html


async def test_an_invitation_is_withdrawn(site: Site):
    owner = await site.member("owner")
    await _invite(site, owner)
    listed = await owner.get(_members(site))
    asked = await owner.get(listed.links["Withdraw"].replace("../../", "/"))
    done = await owner.submit(asked, "/withdraw")
    assert done.location == _members(site)
    assert "new@example.com" not in (await owner.follow(done)).text


async def test_a_fault_keeps_what_was_typed(site: Site):
    owner = await site.member("owner")
    answer = await _invite(site, owner, email="nobody", role="admin")
    assert answer.status == 422
    assert dict(answer.form("/new").fields)["email"] == "nobody"
    assert dict(answer.form("/new").fields)["role"] == "admin"


async def test_inviting_an_owner_asks_for_the_password_again_when_it_was_long_ago(site: Site):
    owner = await site.member("owner")
    site.clock.advance(minutes=11)
    asked = await _invite(site, owner, role="owner")
    assert asked.status != 200
    assert "proof" in asked.form("/new").names
    wrong = await owner.submit(asked, "/new", proof="not it, not it")
    assert "proof" in wrong.form("/new").names
    made = await owner.submit(wrong, "/new", proof=PASSWORD)
    assert made.status == 200
    assert "shown only now" in made.text


async def test_a_role_is_changed_but_the_last_owner_stays_one(site: Site):
    owner = await site.member("owner")
    developer = await site.member("developer")
    asked = await owner.get(f"{_members(site)}/{developer.user.id}/role")
    assert dict(asked.form("/role").fields)["role"] == "developer"
    done = await owner.submit(asked, "/role", role="admin")
    assert "is an admin now" in (await owner.follow(done)).text
    own = await owner.get(f"{_members(site)}/{owner.user.id}/role")
    refused = await owner.submit(own, "/role", role="viewer")
    assert refused.status == 409
    assert "last owner" in refused.text


async def test_a_member_is_removed_and_another_leaves(site: Site):
    owner = await site.member("owner")
    gone, leaving = await site.member("viewer"), await site.member("viewer")
    asked = await owner.get(f"{_members(site)}/{gone.user.id}/remove")
    await owner.submit(asked, "/remove")
    assert (await gone.get(f"/apps/{site.app['id']}")).status == 404
    asked = await leaving.get(f"{_members(site)}/{leaving.user.id}/remove")
    assert f"Leave {site.organization['name']}?" in asked.text
    left = await leaving.submit(asked, "/remove")
    assert left.location == "/apps"
    assert "You are in no organization" in (await leaving.follow(left)).text


@pytest.mark.parametrize("role", ["developer", "viewer"])
async def test_who_may_not_manage_members_sees_them_alone(site: Site, role: str):
    member, owner = await site.member(role), await site.member("owner")
    page = await member.get(_members(site))
    assert owner.user.email in page.text
    assert "Invite" not in page.links
    assert "invitations" not in page.text
    for path in (f"{_invitations(site)}/new", f"{_members(site)}/{owner.user.id}/role"):
        assert (await member.get(path)).status == 403
        assert (await member.post(path, email="x@example.com", role="viewer")).status == 403


async def test_an_admin_neither_offers_nor_touches_an_owner(site: Site):
    admin, owner = await site.member("admin"), await site.member("owner")
    page = await admin.get(f"{_invitations(site)}/new")
    assert 'value="owner"' not in page.html
    assert (await admin.post(f"{_members(site)}/{owner.user.id}/role", role="viewer")).status == 403
    assert (await admin.post(f"{_members(site)}/{owner.user.id}/remove")).status == 403


async def test_a_reset_link_is_made_by_operators_only(site: Site):
    owner, operator, member = await site.member("owner"), await site.operator(), await site.member("viewer")
    path = f"{_members(site)}/{member.user.id}/reset-link"
    assert (await owner.get(path)).status == 403
    assert "Password reset link" not in (await owner.get(_members(site))).links
    asked = await operator.get(path)
    made = await operator.submit(asked, "/reset-link")
    assert "/link?secret=" in made.html
