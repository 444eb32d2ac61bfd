"""Apps: the list, making one, its Overview and its first steps."""

import pytest

from tests.dashboard.site import Site


async def test_the_list_leads_to_the_app_and_its_overview_to_view_key(site: Site):
    viewer = await site.member("viewer")
    listed = await viewer.get("/apps")
    assert listed.status == 200
    assert listed.links["Default app"] == f"./apps/{site.app['id']}"
    overview = await viewer.get(f"/apps/{site.app['id']}")
    assert "1 public key works from any site" in overview.text
    assert overview.links["View Key Default API Key"].startswith("../keys/key_")


async def test_who_is_in_no_organization_reads_how_to_get_into_one(site: Site):
    nobody = await site.signed_in(await site.user())
    page = await nobody.get("/apps")
    assert page.status == 200
    assert "You are in no organization" in page.text


@pytest.mark.parametrize(("role", "offered"), [("owner", True), ("admin", True), ("developer", False)])
async def test_new_app_is_offered_to_those_who_may_make_one(site: Site, role: str, offered):
    member = await site.member(role)
    listed = await member.get("/apps")
    assert ("New app" in listed.links) is offered
    made = await member.post(
        "/apps/new", organization=site.organization["id"], name="Shop", environment="test"
    )
    assert made.status == (303 if offered else 403)


async def test_an_app_that_is_sent_twice_is_made_once(site: Site):
    owner = await site.member("owner")
    form = await owner.get("/apps/new")
    first = await owner.submit(form, "/apps/new", name="Shop", environment="test")
    again = await owner.submit(form, "/apps/new", name="Shop", environment="test")
    assert first.location == again.location
    overview = await owner.follow(first)
    assert "Shop" in overview.text
    assert "No keys yet" in overview.text


async def test_a_form_with_a_fault_keeps_what_was_typed(site: Site):
    owner = await site.member("owner")
    form = await owner.get("/apps/new")
    answer = await owner.submit(form, "/apps/new", name="x" * 101, environment="test")
    assert answer.status == 422
    assert dict(answer.form("/apps/new").fields)["name"] == "x" * 101
    assert dict(answer.form("/apps/new").fields)["environment"] == "test"


async def test_an_app_of_others_is_not_there(site: Site):
    other = await site.world.organization(name="Other")
    stranger = await site.member("owner", other)
    for below in ("", "/steps", "/settings", "/delete", "/suspend"):
        assert (await stranger.get(f"/apps/{site.app['id']}{below}")).status == 404


async def test_an_app_of_another_organization_of_theirs_is_shown_within_it(site: Site):
    other = await site.world.organization(name="Nordwind")
    user = await site.user()
    await site.join(user, "viewer")
    await site.join(user, "owner", other)
    app = await site.world.first_app(other)
    page = await (await site.signed_in(user)).get(f"/apps/{app['id']}")
    assert page.status == 200
    assert 'aria-label="Nordwind"' in page.html


async def test_a_script_shaped_name_is_text(site: Site):
    owner = await site.member("owner")
    name = "<script>alert(1)</script>"
    made = await owner.post("/apps/new", organization=site.organization["id"], name=name, environment="live")
    for path in ("/apps", made.location, f"{made.location}/settings", f"{made.location}/delete"):
        page = await owner.get(path)
        assert name not in page.html
        assert "&lt;script&gt;alert(1)" in page.html


async def test_the_steps_tick_themselves_and_then_stop_asking(site: Site):
    owner = await site.member("owner")
    steps = await owner.get(f"/apps/{site.app['id']}/steps", hx_request="true")
    assert "Waiting for the first request" in steps.text
    assert 'hx-trigger="every' in steps.html
    assert "<html" not in steps.html


async def test_a_form_that_was_sent_before_with_other_values_can_be_sent_again(site: Site):
    owner = await site.member("owner")
    form = await owner.get("/apps/new")
    assert (await owner.submit(form, "/apps/new", name="One")).status == 303
    told = await owner.submit(form, "/apps/new", name="Two")
    assert told.status == 422
    assert (await owner.submit(told, "/apps/new")).status == 303
    assert {"One", "Two"} <= set((await owner.get("/apps")).links)


async def test_whoever_comes_back_to_the_steps_is_shown_the_whole_page(site: Site):
    owner, path = await site.member("owner"), f"/apps/{site.app['id']}"
    assert (await owner.get(f"{path}/steps")).location == path


async def test_a_list_is_searched_and_paged(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keystead.dashboard.pages.apps.APPS_PER_PAGE", 2)
    owner = await site.member("owner")
    for name in ("One", "Two", "Three"):
        site.clock.advance(seconds=1)
        await owner.post("/apps/new", organization=site.organization["id"], name=name, environment="live")
    first = await owner.get("/apps")
    assert "Three" in first.links
    assert "One" not in first.links
    second = await owner.get(first.links["Next"].removeprefix("."))
    assert "One" in second.links
    back = await owner.get(second.links["Previous"].removeprefix("."))
    assert "Three" in back.links
    assert "Two" not in (await owner.get("/apps?q=one")).links
    assert "No app has this in its name" in (await owner.get("/apps?q=zzz")).text
