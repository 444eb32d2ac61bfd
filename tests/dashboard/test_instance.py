"""What operators see of the whole instance, and nobody else."""

import re

import pytest

from keystead.domain.powers import Operator
from keystead.services.context import Actor
from keystead.services.organizations import get_organization
from tests.dashboard.site import PASSWORD, Site

OPERATOR = Actor(principal=Operator())
PAGES = (
    "organizations",
    "organizations/new",
    "scopes",
    "scopes/new",
    "root-keys",
    "root-keys/new",
    "health",
    "settings",
)


@pytest.mark.parametrize("page", PAGES)
async def test_an_instance_page_is_for_operators_only(site: Site, page: str):
    operator, owner = await site.operator(), await site.member("owner")
    assert (await operator.get(f"/instance/{page}")).status == 200
    assert (await owner.get(f"/instance/{page}")).status == 403


async def test_owners_can_send_nothing_to_the_instance(site: Site):
    owner, one = await site.member("owner"), f"organizations/{site.organization['id']}"
    for path in ("organizations/new", one, f"{one}/suspend", f"{one}/resume"):
        assert (await owner.post(f"/instance/{path}", name="X", external_id="x")).status == 403
    for path in ("scopes/new", "scopes/a:b/edit", "scopes/a:b/delete", "root-keys/new"):
        assert (await owner.post(f"/instance/{path}", name="a:b", scopes="*")).status == 403


async def test_an_organization_is_made_once_and_given_a_ceiling(site: Site):
    operator = await site.operator()
    form = await operator.get("/instance/organizations/new")
    made = await operator.submit(form, "/new", name="Nordwind", external_id="cus_9")
    again = await operator.submit(form, "/new", name="Nordwind", external_id="cus_9")
    assert made.location == again.location
    page = await operator.follow(made)
    organization_id = made.location.rpartition("/")[2]
    answer = await operator.submit(
        page,
        f"/{organization_id}",
        ("methods", "GET"),
        limited="on",
        scopes="jobs:read\njobs:write",
        days="90",
    )
    assert answer.status == 303
    ceiling = (await get_organization(site.context, OPERATOR, organization_id)).ceiling
    assert ceiling.scopes == ("jobs:read", "jobs:write")
    assert ceiling.max_lifetime is not None
    assert ceiling.max_lifetime.days == 90
    assert ceiling.public_methods == ("GET",)
    stale = await operator.submit(page, f"/{organization_id}", days="1")
    assert stale.status == 412
    listed = await operator.get("/instance/organizations?q=nord")
    assert "Nordwind" in listed.links
    assert site.organization["name"] not in listed.links


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"days": "soon"}, "number of days"),
        ({"days": "1e400"}, "number of days"),
        ({"limited": "on", "scopes": "jobs:read\nno scope"}, "no scope: "),
        ({"external_id": "a b"}, "visible ASCII"),
    ],
)
async def test_a_ceiling_with_a_fault_keeps_what_was_typed(site: Site, fields: dict[str, str], said: str):
    operator, path = await site.operator(), f"/instance/organizations/{site.organization['id']}"
    page = await operator.get(path)
    answer = await operator.submit(page, site.organization["id"], **fields)
    assert answer.status == 422
    assert said in answer.text
    kept = dict(answer.form(site.organization["id"]).fields)
    assert {name: kept[name] for name in fields} == fields


async def test_an_organization_is_suspended_and_goes_on(site: Site):
    operator, path = await site.operator(), f"/instance/organizations/{site.organization['id']}"
    await operator.submit(await operator.get(f"{path}/suspend"), "/suspend")
    page = await operator.get(path)
    assert "This organization is suspended" in page.text
    await operator.submit(page, "/resume")
    assert "Suspend this organization" in (await operator.get(path)).text


async def test_a_scope_is_added_changed_and_deleted(site: Site):
    operator = await site.operator()
    form = await operator.get("/instance/scopes/new")
    wrong = await operator.submit(form, "/new", name="jobs")
    assert wrong.status == 422
    await operator.submit(form, "/new", name="jobs:*", description="<i>All</i>", customer_grantable="on")
    listed = await operator.get("/instance/scopes")
    assert "<i>All</i>" in listed.text
    assert "Customers" in listed.text
    edit = await operator.get("/instance/scopes/jobs:*/edit")
    sent = [it for it in edit.form("/edit").fields if it[0] != "customer_grantable"]
    await operator.send("/instance/scopes/jobs:*/edit", sent)
    assert "Only the provider" in (await operator.get("/instance/scopes")).text
    gone = await operator.submit(await operator.get("/instance/scopes/jobs:*/delete"), "/delete")
    assert "The catalogue is empty" in (await operator.follow(gone)).text
    assert (await operator.get("/instance/scopes/jobs:*/edit")).status == 404


async def test_the_token_of_a_root_key_is_in_one_answer_only(site: Site):
    operator = await site.operator()
    form = await operator.get("/instance/root-keys/new")
    made = await operator.submit(form, "/new", ("scopes", "keys:*"), name="Sync", days="30")
    assert len(re.findall(r"ks_rk_live_", made.html)) == 1
    assert made.answer.headers["cache-control"] == "no-store"
    again = await operator.submit(form, "/new", ("scopes", "keys:*"), name="Sync", days="30")
    assert "did not see" in again.text
    assert "Sync" in (await operator.get("/instance/root-keys")).links


async def test_making_a_root_key_asks_for_the_password_again(site: Site):
    operator = await site.operator()
    site.clock.advance(minutes=11)
    form = await operator.get("/instance/root-keys/new")
    assert "proof" in form.form("/new").names
    wrong = await operator.submit(form, "/new", ("scopes", "*"), name="Sync", proof="not it at all")
    assert wrong.status == 422
    made = await operator.submit(wrong, "/new", proof=PASSWORD)
    assert "ks_rk_" in made.html


async def test_a_root_key_without_scopes_is_not_made(site: Site):
    operator = await site.operator()
    form = await operator.get("/instance/root-keys/new")
    answer = await operator.submit(form, "/new", name="Sync")
    assert answer.status == 422
    assert "Choose at least one" in answer.text


async def test_health_tells_of_nodes_epochs_and_the_database(site: Site):
    page = await (await site.operator()).get("/instance/health")
    assert "Answers you" in page.text
    assert "SQLite" in page.text
    assert "Newest epoch" in page.text


async def test_settings_are_told_but_no_secret(site: Site):
    page = await (await site.operator()).get("/instance/settings")
    assert "KEYSTEAD_STALE_LIMIT" in page.text
    assert "5m" in page.text
    assert site.world.root not in page.html
