"""Suspending an organization, app or user refuses every key below at once, and is undone without touching keys."""

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

    async def say(self, thing: str, *, disabled: bool, token: str | None = "root") -> Json:
        return await self.world.made("PATCH", self.path(thing), {"disabled": disabled}, token=token)


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


async def test_our_own_api_refuses_them_too(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
    await here.say("organizations", disabled=True)
    for token in (here.key["token"], here.personal["token"]):
        await sqlite_world.refused(401, "disabled", "GET", "self", token=token)
        await sqlite_world.refused(401, "disabled", "POST", "self/revoke", token=token)


async def test_several_suspensions_are_lifted_one_by_one(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
    for thing in THINGS:
        await here.say(thing, disabled=True)
    await here.say("organizations", disabled=False)
    assert await here.reasons() == ("DISABLED", "DISABLED")
    await here.say("apps", disabled=False)
    assert await here.reasons() == (None, "DISABLED")
    await here.say("users", disabled=False)
    assert await here.reasons() == (None, None)


async def test_a_key_disabled_by_itself_stays_so_when_what_is_above_resumes(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
    await sqlite_world.made("POST", f"keys/{here.key['id']}/disable")
    await here.say("apps", disabled=True)
    await here.say("apps", disabled=False)
    assert await here.reasons() == ("DISABLED", None)


async def test_a_customer_suspends_and_resumes_its_own_app(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
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


async def test_the_providers_suspension_takes_the_place_of_a_customers(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
    token, body = here.personal["token"], {"disabled": False}
    await here.say("apps", disabled=True, token=token)
    await here.say("apps", disabled=True)
    await sqlite_world.refused(403, "disabled-by-provider", "PATCH", here.path("apps"), body, token=token)


async def test_a_customer_can_change_the_rest_of_what_the_provider_suspended(sqlite_world: World):
    here = await Tenancy(sqlite_world).begin()
    await here.say("apps", disabled=True)
    body = {"name": "New"}
    changed = await sqlite_world.made("PATCH", here.path("apps"), body, token=here.personal["token"])
    assert (changed["name"], changed["disabled"]) == ("New", True)


@pytest.mark.parametrize("thing", THINGS)
async def test_saying_it_again_changes_nothing(sqlite_world: World, thing: str):
    here = await Tenancy(sqlite_world).begin()
    await here.say(thing, disabled=True)
    before = await sqlite_world.rows()
    sqlite_world.clock.advance(seconds=1)
    assert "epoch" not in await here.say(thing, disabled=True)
    assert await sqlite_world.rows() == before
