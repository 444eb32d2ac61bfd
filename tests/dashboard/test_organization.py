"""An organization's page and settings."""

import pytest

from keystead.domain.powers import Operator
from keystead.services.context import Actor
from keystead.services.drafts import OrganizationChange
from keystead.services.organizations import change_organization
from tests.dashboard.site import Site


async def test_the_menu_leads_over_organization_and_settings_to_all_keys(site: Site):
    viewer, root = await site.member("viewer"), f"/organizations/{site.organization['id']}"
    start = await viewer.get("/apps")
    assert start.links["Organization"] == f".{root}"
    page = await viewer.get(root)
    assert page.status == 200
    settings = await viewer.get(f"{root}/settings")
    assert settings.links["API keys"] == f"../..{root}/settings/keys"


async def test_an_organization_is_renamed(site: Site):
    owner, path = await site.member("owner"), f"/organizations/{site.organization['id']}/settings"
    page = await owner.get(path)
    answer = await owner.submit(page, "/settings", name="Acme & Sons")
    shown = await owner.follow(answer)
    assert "Acme & Sons" in shown.text
    late = await owner.submit(page, "/settings", name="Too late")
    assert late.status == 412
    assert dict(late.form("/settings").fields)["name"] == "Acme & Sons"
    wrong = await owner.submit(shown, "/settings", name=" ")
    assert wrong.status == 422


async def test_the_ceiling_is_told_and_only_operators_are_led_to_change_it(site: Site):
    owner, operator = await site.member("owner"), await site.operator()
    path = f"/organizations/{site.organization['id']}/settings"
    page = await owner.get(path)
    assert "GET, HEAD" in page.text
    assert "Edit ceiling" not in page.links
    assert "Edit ceiling" in (await operator.get(path)).links


@pytest.mark.parametrize(("role", "changes", "deletes"), [("admin", True, False), ("viewer", False, False)])
async def test_what_a_role_may_not_do_is_not_shown_and_refused(site: Site, role: str, changes, deletes):
    member, root = await site.member(role), f"/organizations/{site.organization['id']}"
    page = await member.get(f"{root}/settings")
    assert ("Save changes" in page.text) is changes
    assert ("Delete organization" in page.links) is deletes
    assert (await member.get(f"{root}/delete")).status == 403
    name = site.organization["name"]
    assert (await member.post(f"{root}/delete", typed=name)).status == 403
    assert ("Audit log" in page.links) is (role == "admin")


async def test_an_organization_is_deleted_by_typing_its_name(site: Site):
    owner, root = await site.member("owner"), f"/organizations/{site.organization['id']}"
    asked = await owner.get(f"{root}/delete")
    assert (await owner.submit(asked, "/delete", typed="no")).status == 422
    done = await owner.submit(asked, "/delete", typed=site.organization["name"])
    assert "You are in no organization" in (await owner.follow(done)).text


async def test_a_suspended_organization_is_closed_to_its_members(site: Site):
    owner = await site.member("owner")
    actor = Actor(principal=Operator())
    await change_organization(site.context, actor, site.organization["id"], OrganizationChange(disabled=True))
    assert (await owner.get(f"/apps/{site.app['id']}")).status == 404
    assert "You are in no organization" in (await owner.get("/apps")).text
