"""Every page and form, for everybody: who may not, neither sees what is not theirs nor changes a thing."""

import re
import secrets
from dataclasses import dataclass

import pytest
import pytest_asyncio

from keystead.dashboard.cookies import ORGANIZATION
from keystead.domain.ids import IdKind, OrganizationId, make_id
from keystead.domain.powers import Operator
from keystead.domain.tenants import Role
from keystead.services.context import Actor
from keystead.services.drafts import NewInvitation
from keystead.services.links import make_invitation
from tests.dashboard.html import Page
from tests.dashboard.site import Browser, Site, opened_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNER, ADMIN, DEVELOPER, VIEWER = Role
MEMBERS = {OWNER, ADMIN, DEVELOPER, VIEWER, "operator"}
DEVELOPERS = MEMBERS - {VIEWER}
ADMINS = DEVELOPERS - {DEVELOPER}
OWNERS = ADMINS - {ADMIN}
OPERATORS = {"operator"}
EVERYBODY = {*MEMBERS, "stranger", "nobody"}
"""A stranger owns another organization; nobody belongs to none."""

READS = {
    "/": EVERYBODY,
    "/apps": EVERYBODY,
    "/apps/new": {*ADMINS, "stranger"},
    "/apps/{app_id}": MEMBERS,
    "/apps/{app_id}/delete": ADMINS,
    "/apps/{app_id}/keys": MEMBERS,
    "/apps/{app_id}/keys/new": DEVELOPERS,
    "/apps/{app_id}/settings": MEMBERS,
    "/apps/{app_id}/steps": MEMBERS,
    "/apps/{app_id}/suspend": ADMINS,
    "/instance/health": OPERATORS,
    "/instance/organizations": OPERATORS,
    "/instance/organizations/new": OPERATORS,
    "/instance/organizations/{organization_id}": OPERATORS,
    "/instance/organizations/{organization_id}/suspend": OPERATORS,
    "/instance/root-keys": OPERATORS,
    "/instance/root-keys/new": OPERATORS,
    "/instance/scopes": OPERATORS,
    "/instance/scopes/new": OPERATORS,
    "/instance/scopes/{name}/delete": OPERATORS,
    "/instance/scopes/{name}/edit": OPERATORS,
    "/instance/settings": OPERATORS,
    "/keys/{key_id}": MEMBERS,
    "/keys/{key_id}/delete": DEVELOPERS,
    "/keys/{key_id}/disable": DEVELOPERS,
    "/keys/{key_id}/edit": DEVELOPERS,
    "/keys/{key_id}/enable": DEVELOPERS,
    "/keys/{key_id}/regenerate": DEVELOPERS,
    "/keys/{key_id}/roll": DEVELOPERS,
    "/keys/{key_id}/versions/{version_id}/retire": DEVELOPERS,
    "/organizations/{organization_id}": MEMBERS,
    "/organizations/{organization_id}/audit": ADMINS,
    "/organizations/{organization_id}/audit/export.csv": ADMINS,
    "/organizations/{organization_id}/audit/export.jsonl": ADMINS,
    "/organizations/{organization_id}/delete": OWNERS,
    "/organizations/{organization_id}/invitations/new": ADMINS,
    "/organizations/{organization_id}/invitations/{link_id}/withdraw": ADMINS,
    "/organizations/{organization_id}/members": MEMBERS,
    "/organizations/{organization_id}/members/{user_id}/remove": ADMINS,
    "/organizations/{organization_id}/members/{user_id}/reset-link": OPERATORS,
    "/organizations/{organization_id}/members/{user_id}/role": ADMINS,
    "/organizations/{organization_id}/settings": MEMBERS,
    "/organizations/{organization_id}/settings/keys": MEMBERS,
    "/profile": EVERYBODY,
    "/profile/email": EVERYBODY,
    "/profile/keys": EVERYBODY,
    "/profile/keys/generate": EVERYBODY,
    "/profile/keys/new": {*MEMBERS, "stranger"},
    "/profile/password": EVERYBODY,
    "/prove": EVERYBODY,
}
CHANGES = {
    "/apps/new": ADMINS,
    "/apps/{app_id}/delete": ADMINS,
    "/apps/{app_id}/keys/new": DEVELOPERS,
    "/apps/{app_id}/resume": ADMINS,
    "/apps/{app_id}/settings": ADMINS,
    "/apps/{app_id}/settings/origins": MEMBERS,
    "/apps/{app_id}/suspend": ADMINS,
    "/instance/organizations/new": OPERATORS,
    "/instance/organizations/{organization_id}": OPERATORS,
    "/instance/organizations/{organization_id}/resume": OPERATORS,
    "/instance/organizations/{organization_id}/suspend": OPERATORS,
    "/instance/root-keys/new": OPERATORS,
    "/instance/scopes/new": OPERATORS,
    "/instance/scopes/{name}/delete": OPERATORS,
    "/instance/scopes/{name}/edit": OPERATORS,
    "/keys/{key_id}/delete": DEVELOPERS,
    "/keys/{key_id}/disable": DEVELOPERS,
    "/keys/{key_id}/edit": DEVELOPERS,
    "/keys/{key_id}/enable": DEVELOPERS,
    "/keys/{key_id}/regenerate": DEVELOPERS,
    "/keys/{key_id}/roll": DEVELOPERS,
    "/keys/{key_id}/versions/{version_id}/retire": DEVELOPERS,
    "/organizations/{organization_id}/delete": OWNERS,
    "/organizations/{organization_id}/enter": MEMBERS,
    "/organizations/{organization_id}/invitations/new": ADMINS,
    "/organizations/{organization_id}/invitations/{link_id}/withdraw": ADMINS,
    "/organizations/{organization_id}/members/{user_id}/remove": ADMINS,
    "/organizations/{organization_id}/members/{user_id}/reset-link": OPERATORS,
    "/organizations/{organization_id}/members/{user_id}/role": ADMINS,
    "/organizations/{organization_id}/settings": ADMINS,
    "/profile": EVERYBODY,
    "/profile/email": EVERYBODY,
    "/profile/keys/generate": MEMBERS - OPERATORS,
    "/profile/keys/new": MEMBERS - OPERATORS,
    "/profile/password": EVERYBODY,
    "/profile/sessions/end": EVERYBODY,
    "/profile/sessions/{session_id}/end": EVERYBODY,
    "/profile/theme": EVERYBODY,
    "/prove": EVERYBODY,
}
FOR_ALL = {"/sign-in", "/sign-out", "/sign-up", "/link", "/static/{name}"}
"""What nobody need be signed in for: see `test_entrance` and `test_links`."""

TYPED = {
    "/apps/{app_id}/keys/new": "CREATE",
    "/profile/keys/new": "CREATE",
    "/keys/{key_id}/delete": "DELETE",
}
DO = {"/keys/{key_id}/edit": "change"}
ID = re.compile(r"(?:org|app|usr|key|ver|lnk|ses|req)_\w{22}")


@dataclass
class Town:
    """An organization with one of everything, and a browser for each who comes."""

    site: Site
    browsers: dict[str, Browser]
    ids: dict[str, str]

    def path(self, route: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda it: self.ids[it[1]], route)

    async def send(self, who: str, route: str, **fields: str) -> Page:
        given = {
            "name": "Evil",
            "email": "evil@example.com",
            "role": "viewer",
            "environment": "live",
            "organization": self.ids["organization_id"],
            "type": "secret",
            "grace": "1h",
            "scopes": "verify",
            "days": "30",
            "once": f"{who}-{route}",
            "do": DO.get(route, "create"),
            "typed": TYPED.get(route, "Acme" if "organizations" in route else self.site.app["name"]),
            **fields,
        }
        return await self.browsers[who].post(self.path(route), **given)

    async def state(self) -> object:
        """All that the database holds, but for who was seen when."""
        return {name: rows for name, rows in (await self.site.world.rows()).items() if name != "sessions"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(lasting_site: Site) -> Town:
    """The town."""
    return await settled(lasting_site)


async def settled(site: Site) -> Town:
    """The town, on a fresh site."""
    world, organization = site.world, site.organization
    browsers = {role: await site.member(role) for role in Role}
    other = await world.organization(name="Nordwind")
    browsers["stranger"] = await site.member("owner", other)
    browsers["nobody"] = await site.signed_in(await site.user())
    browsers["operator"] = await site.operator()
    browsers["operator"].client.cookies.set(ORGANIZATION, organization["id"], domain="localhost.local")
    member = await site.user("member")
    await site.join(member, "developer")
    await site.signed_in(member)
    key = await world.key(site.app)
    key = await world.made("POST", f"keys/{key['id']}/rotate", {"grace_s": 86_400})
    await world.scope("jobs:read")
    draft = NewInvitation(email="invited@example.com", role=Role.VIEWER)
    made = await make_invitation(
        site.context, Actor(principal=Operator()), OrganizationId(organization["id"]), draft
    )
    async with site.context.store.read() as tables:
        [session] = await tables.sessions.of_user(member.id)
    ids = {
        "organization_id": organization["id"],
        "app_id": site.app["id"],
        "key_id": key["id"],
        "version_id": key["versions"][-1]["id"],
        "user_id": member.id,
        "link_id": made.value.link.id,
        "session_id": session.id,
        "name": "jobs:read",
    }
    return Town(site, browsers, ids)


def elsewhere(ids: dict[str, str]) -> dict[str, str]:
    """The ids of things that there are none of."""
    kinds = {kind.value: kind for kind in IdKind}
    return {
        name: make_id(kinds[it.partition("_")[0]], secrets.token_bytes(16))
        if ID.fullmatch(it)
        else "no:thing"
        for name, it in ids.items()
    }


def told(page: Page) -> tuple[int, str]:
    """What an answer tells, without ids and tokens."""
    return page.status, re.sub(r"[0-9a-f]{64}|[\w-]{22,}", "", ID.sub("", page.html)).replace(
        "no:thing", "jobs:read"
    )


async def test_every_route_is_in_the_tables(town: Town):
    found: dict[str, set[str]] = {"GET": set(), "POST": set()}
    for route in town.site.pages.routes:
        for method in {"GET", "POST"} & set(route.methods):
            found[method].add(route.path_format)
    assert found["GET"] - FOR_ALL == set(READS)
    assert found["POST"] - FOR_ALL == set(CHANGES)


@pytest.mark.parametrize("route", READS)
async def test_a_page_is_shown_to_those_who_may_see_it_and_to_nobody_else(town: Town, route: str):
    path, may = town.path(route), READS[route]
    seen = {who: (await browser.get(path)).status for who, browser in town.browsers.items()}
    assert {who for who, status in seen.items() if status in {200, 303}} == may, seen
    assert {status for who, status in seen.items() if who not in may} <= {403, 404}, seen
    anonymous = await town.site.browser().get(path)
    assert (anonymous.status, anonymous.location.partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("route", CHANGES)
async def test_a_form_of_whoever_may_not_changes_nothing(town: Town, route: str):
    before = await town.state()
    for who in EVERYBODY - CHANGES[route]:
        page = await town.send(who, route)
        assert page.status in {403, 404}, (who, page.status, page.text)
        assert await town.state() == before, who
    anonymous = await town.site.browser().post(town.path(route))
    assert anonymous.status in {303, 403}
    assert await town.state() == before


@pytest.mark.parametrize("who", ["stranger", "nobody"])
@pytest.mark.parametrize("route", sorted({*READS, *CHANGES} - {"/profile/sessions/{session_id}/end"}))
async def test_who_is_not_in_it_cannot_tell_an_organization_from_none(town: Town, route: str, who: str):
    absent = Town(town.site, town.browsers, elsewhere(town.ids))
    if absent.path(route) == town.path(route):
        return
    if route in READS:
        there, nowhere = [await town.browsers[who].get(it.path(route)) for it in (town, absent)]
        assert told(there) == told(nowhere)
    if route in CHANGES:
        there, nowhere = [await it.send(who, route) for it in (town, absent)]
        assert told(there) == told(nowhere)


async def test_a_session_is_ended_by_its_owner_only(town: Town):
    before = await town.site.world.rows()
    for who in ("operator", "owner", "stranger"):
        await town.send(who, "/profile/sessions/{session_id}/end")
    ids = {row[0] for row in (await town.site.world.rows())["sessions"]}
    assert {row[0] for row in before["sessions"]} == ids


async def test_a_suspended_organization_is_closed_to_its_members(tmp_path):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}) as site:
        town = await settled(site)
        await site.world.made("PATCH", f"organizations/{site.organization['id']}", {"disabled": True})
        before = await town.state()
        for route in READS:
            if town.path(route) != route:
                assert (await town.browsers["owner"].get(town.path(route))).status in {403, 404}, route
        for route in CHANGES:
            if town.path(route) != route and "session" not in route:
                assert (await town.send("owner", route)).status in {403, 404}, route
        assert await town.state() == before
