"""Suspending an organization, app or user refuses every key below, and is undone without touching any."""

import pytest

from tests.api.world import Json, World

THINGS = ["organizations", "apps", "users"]


class Tenancy:
    """An organization with an app, a member, and a key of each."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def begin(self) -> "Tenancy":
        self.organization = await self.world.organization()
        self.app = await self.world.app(self.organization)
        self.member = await self.world.member(self.organization, "owner")
        self.key = await self.world.key(self.app)
        self.personal = await self.world.personal_key(self.member)
        return self

    def path(self, thing: str) -> str:
        ids = {
            "organizations": self.organization["id"],
            "apps": self.app["id"],
            "users": self.member["user_id"],
        }
        return f"{thing}/{ids[thing]}"

    async def reasons(self) -> tuple[str | None, str | None]:
        """What verify says of the app key and of the personal key."""
        return (
            await self.world.reason(self.key["token"]),
            await self.world.reason(self.personal["token"], owner="user"),
        )

    async def say(self, thing: str, *, disabled: bool, **options: str) -> Json:
        return await self.world.made("PATCH", self.path(thing), {"disabled": disabled}, **options)


REFUSED_BELOW = {
    "organizations": ("DISABLED", "DISABLED"),
    "apps": ("DISABLED", None),
    "users": (None, "DISABLED"),
}


@pytest.mark.parametrize("thing", THINGS)
async def test_every_key_below_is_refused_at_once_and_comes_back_untouched(world: World, thing: str):
    here = await Tenancy(world).begin()
    before = [await world.made("GET", f"keys/{key['id']}") for key in (here.key, here.personal)]
    suspended = await here.say(thing, disabled=True)
    assert suspended["disabled"]
    assert suspended["disabled_by"]["kind"] == "root_key"
    assert await here.reasons() == REFUSED_BELOW[thing]
    resumed = await here.say(thing, disabled=False)
    assert (resumed["disabled"], resumed["disabled_by"]) == (False, None)
    assert await here.reasons() == (None, None)
    assert [await world.made("GET", f"keys/{key['id']}") for key in (here.key, here.personal)] == before


@pytest.mark.asyncio(loop_scope="module")
async def test_our_own_api_refuses_them_too(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    await here.say("organizations", disabled=True)
    for token in (here.key["token"], here.personal["token"]):
        await lasting_world.refused(401, "disabled", "GET", "self", token=token)
        await lasting_world.refused(401, "disabled", "POST", "self/revoke", token=token)


@pytest.mark.asyncio(loop_scope="module")
async def test_several_suspensions_are_lifted_one_by_one(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    for thing in THINGS:
        await here.say(thing, disabled=True)
    await here.say("organizations", disabled=False)
    assert await here.reasons() == ("DISABLED", "DISABLED")
    await here.say("apps", disabled=False)
    assert await here.reasons() == (None, "DISABLED")
    await here.say("users", disabled=False)
    assert await here.reasons() == (None, None)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_disabled_by_itself_stays_so_when_what_is_above_resumes(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    await lasting_world.made("POST", f"keys/{here.key['id']}/disable")
    await here.say("apps", disabled=True)
    await here.say("apps", disabled=False)
    assert await here.reasons() == ("DISABLED", None)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_customer_suspends_and_resumes_its_own_app(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    token = here.personal["token"]
    suspended = await here.say("apps", disabled=True, token=token)
    assert suspended["disabled_by"] == {"kind": "key", "id": here.personal["id"]}
    assert await here.reasons() == ("DISABLED", None)
    await here.say("apps", disabled=False, token=token)
    assert await here.reasons() == (None, None)


async def test_what_the_provider_suspended_only_the_provider_resumes(world: World):
    here = await Tenancy(world).begin()
    token, body = here.personal["token"], {"disabled": False}
    await here.say("apps", disabled=True)
    await world.refused(403, "disabled-by-provider", "PATCH", here.path("apps"), body, token=token)
    # Nor by suspending it over again.
    kept = await here.say("apps", disabled=True, token=token)
    assert kept["disabled_by"]["kind"] == "root_key"
    await world.refused(403, "disabled-by-provider", "PATCH", here.path("apps"), body, token=token)
    assert await here.reasons() == ("DISABLED", None)
    await here.say("apps", disabled=False)
    assert await here.reasons() == (None, None)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_providers_suspension_takes_the_place_of_a_customers(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    token, body = here.personal["token"], {"disabled": False}
    await here.say("apps", disabled=True, token=token)
    await here.say("apps", disabled=True)
    await lasting_world.refused(403, "disabled-by-provider", "PATCH", here.path("apps"), body, token=token)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_customer_can_change_the_rest_of_what_the_provider_suspended(lasting_world: World):
    here = await Tenancy(lasting_world).begin()
    await here.say("apps", disabled=True)
    body = {"name": "New"}
    changed = await lasting_world.made("PATCH", here.path("apps"), body, token=here.personal["token"])
    assert (changed["name"], changed["disabled"]) == ("New", True)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.asyncio(loop_scope="module")
async def test_saying_it_again_changes_nothing(lasting_world: World, thing: str):
    here = await Tenancy(lasting_world).begin()
    await here.say(thing, disabled=True)
    before = await lasting_world.rows()
    lasting_world.clock.advance(seconds=1)
    assert "epoch" not in await here.say(thing, disabled=True)
    assert await lasting_world.rows() == before
