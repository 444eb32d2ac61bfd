"""Lists: newest first, page by page, with every filter, and nothing of others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.api.world import Json, World


async def names(world: World, path: str, **options: Any) -> list[str]:
    return [it["name"] for it in (await world.made("GET", path, **options))["items"]]


async def paged(world: World, path: str, limit: int) -> list[Json]:
    items: list[Json] = []
    cursor = ""
    while True:
        page = await world.made("GET", f"{path}limit={limit}{cursor}")
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


class TestPages:
    async def test_pages_together_are_the_list(self, world: World):
        app = await world.app()
        for number in range(7):
            # Some made at the same instant.
            world.clock.advance(milliseconds=number % 2)
            await world.key(app, name=f"Key {number}")
        whole = (await world.made("GET", f"apps/{app['id']}/keys"))["items"]
        assert len(whole) == 7
        order = [(datetime.fromisoformat(it["created_at"]), it["id"]) for it in whole]
        assert order == sorted(order, reverse=True)
        for limit in (1, 2, 3, 6, 7, 8, 200):
            assert await paged(world, f"apps/{app['id']}/keys?", limit) == whole

    async def test_what_is_made_or_ended_meanwhile_neither_repeats_nor_hides_the_rest(
        self, sqlite_world: World
    ):
        app = await sqlite_world.app()
        made = []
        for number in range(6):
            sqlite_world.clock.advance(seconds=1)
            made.append(await sqlite_world.key(app, name=f"Key {number}"))
        path = f"apps/{app['id']}/keys?limit=2"
        first = await sqlite_world.made("GET", path)
        sqlite_world.clock.advance(seconds=1)
        await sqlite_world.key(app, name="Late")
        await sqlite_world.made("DELETE", f"keys/{made[4]['id']}")  # on the first page, its last
        await sqlite_world.made("DELETE", f"keys/{made[3]['id']}")
        second = await sqlite_world.made("GET", f"{path}&cursor={first['next_cursor']}")
        assert [it["name"] for it in second["items"]] == ["Key 2", "Key 1"]

    async def test_fifty_unless_said(self, sqlite_world: World):
        app = await sqlite_world.app()
        for _ in range(51):
            await sqlite_world.key(app)
        page = await sqlite_world.made("GET", f"apps/{app['id']}/keys")
        assert len(page["items"]) == 50
        assert page["next_cursor"]

    async def test_a_cursor_is_opaque_and_sealed(self, sqlite_world: World):
        app = await sqlite_world.app()
        for _ in range(2):
            await sqlite_world.key(app)
        path = f"apps/{app['id']}/keys?limit=1"
        cursor = (await sqlite_world.made("GET", path))["next_cursor"]
        assert "key_" not in cursor
        for at in range(len(cursor)):
            bent = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
            answer = await sqlite_world.call("GET", f"{path}&cursor={bent}")
            # The last character may carry bits that mean nothing; what is read differently is refused.
            assert answer.status_code == 422 or (at == len(cursor) - 1 and answer.is_success)

    async def test_every_list_has_pages(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        app = await sqlite_world.app(organization)
        member = await sqlite_world.member(organization, "owner")
        for number in range(3):
            await sqlite_world.organization()
            await sqlite_world.app(organization)
            await sqlite_world.key(app)
            await sqlite_world.personal_key(member)
            await sqlite_world.root_key()
            await sqlite_world.scope(f"jobs:{number}")
            await sqlite_world.member(organization, "viewer")
        for path in (
            "organizations?",
            "users?",
            "scopes?",
            "root-keys?",
            f"organizations/{organization['id']}/apps?",
            f"organizations/{organization['id']}/members?",
            f"organizations/{organization['id']}/keys?",
            f"organizations/{organization['id']}/audit?",
            f"apps/{app['id']}/keys?",
            f"users/{member['user_id']}/keys?",
        ):
            whole = (await sqlite_world.made("GET", f"{path}limit=200"))["items"]
            assert len(whole) >= 3
            assert await paged(sqlite_world, path, 2) == whole


class Filtered:
    """Filters of keys, each over the same six keys of an app."""

    CASES: Sequence[tuple[str, list[str]]] = (
        ("", ["secret", "public", "disabled", "expired", "labelled"]),
        ("status=active", ["secret", "public", "labelled"]),
        ("status=disabled", ["disabled"]),
        ("status=expired", ["expired"]),
        ("status=revoked", ["revoked"]),
        ("ephemeral=true", ["ephemeral"]),
        ("ephemeral=false", ["secret", "public", "disabled", "expired", "labelled"]),
        ("type=public", ["public"]),
        ("type=secret", ["secret", "disabled", "expired", "labelled"]),
        ("name=LAB", ["labelled"]),
        ("name=%25", []),
        ("name=_", []),
        ("labels.team=ops", ["labelled"]),
        ("labels.team=ops&labels.n=1", ["labelled"]),
        ("labels.team=ops&labels.n=2", []),
        ("labels.team=OPS", []),
        ("labels.nobody=has", []),
        ("labels.dotted.name=x", ["labelled"]),
        ("expires_before=2030-01-01T00:00:05Z", []),
        ("expires_before=2030-01-01T00:00:05.001Z", ["expired"]),
        ("unused_since=2030-01-01T00:00:00Z", []),
        ("unused_since=2030-01-01T00:00:00.001Z", ["secret", "disabled", "expired", "labelled"]),
        ("unused_since=2030-01-01T00:00:10.001Z", ["secret", "public", "disabled", "expired", "labelled"]),
        ("status=active&type=public&name=pub", ["public"]),
        ("finding=public-without-origins", ["public"]),
        ("finding=no-constraints", ["secret", "labelled"]),
        ("finding=in-browser", []),
        ("external_id=crm-7", ["secret", "public", "disabled", "expired", "labelled"]),
        ("external_id=crm-8", []),
    )


async def test_every_filter_finds_what_it_says(world: World):
    organization = await world.organization()
    app = await world.app(organization, external_id="crm-7")
    labels = {"team": "ops", "n": "1", "dotted.name": "x"}
    keys = {
        "secret": await world.key(app, name="secret"),
        "public": await world.key(app, name="public", type="public"),
        "disabled": await world.key(app, name="disabled"),
        "expired": await world.key(app, name="expired", expires_in=5),
        "labelled": await world.key(app, name="labelled", labels=labels),
        "revoked": await world.key(app, name="revoked"),
        "ephemeral": await world.key(app, name="ephemeral", ephemeral=True),
    }
    await world.made("POST", f"keys/{keys['disabled']['id']}/disable")
    await world.made("DELETE", f"keys/{keys['revoked']['id']}")
    world.clock.advance(seconds=10)
    assert await world.reason(keys["public"]["token"]) is None
    await world.flush()
    default = "Default API Key"
    for query, expected in Filtered.CASES:
        assert sorted(await names(world, f"apps/{app['id']}/keys?{query}")) == sorted(expected), query
        spanning = await names(world, f"organizations/{organization['id']}/keys?{query}")
        assert sorted(set(spanning) - {default}) == sorted(expected), query
    for name in ("secret", "public"):
        key = keys[name]
        for query in (f"start={key['start']}", f"last4={key['last4']}"):
            assert name in await names(world, f"apps/{app['id']}/keys?{query}")
        assert await names(world, f"apps/{app['id']}/keys?start={key['start']}x") == []
        assert await names(world, f"apps/{app['id']}/keys?last4={key['last4'][1:]}") == []


async def test_the_owner_filter_never_widens(sqlite_world: World):
    organization = await sqlite_world.organization()
    apps = [await sqlite_world.app(organization) for _ in range(2)]
    for number, app in enumerate(apps):
        await sqlite_world.key(app, name=f"Key {number}")
    spanning = f"organizations/{organization['id']}/keys"
    assert sorted(await names(sqlite_world, spanning)) == ["Default API Key", "Key 0", "Key 1"]
    assert await names(sqlite_world, f"{spanning}?owner={apps[1]['id']}") == ["Key 1"]
    assert await names(sqlite_world, f"apps/{apps[0]['id']}/keys?owner={apps[0]['id']}") == ["Key 0"]
    assert await names(sqlite_world, f"apps/{apps[0]['id']}/keys?owner={apps[1]['id']}") == []
    assert await names(sqlite_world, f"root-keys?owner={apps[1]['id']}") == []


async def test_tenants_are_filtered_by_name_external_id_labels_and_email(world: World):
    organization = await world.organization(name="Émile & Co", external_id="crm-1", labels={"tier": "gold"})
    await world.organization(name="Other")
    app = await world.app(organization, name="Web Shop", external_id="app-1", labels={"a": "b"})
    await world.made("POST", "users", {"email": "Ada@example.com", "name": "Ada L", "external_id": "u-1"})
    below = f"organizations/{organization['id']}/apps"
    for path, expected in (
        ("organizations?name=émile", [organization["name"]]),
        ("organizations?name=%25", []),
        ("organizations?external_id=crm-1", [organization["name"]]),
        ("organizations?external_id=app-1", []),
        ("organizations?labels.tier=gold", [organization["name"]]),
        ("organizations?labels.tier=gold&name=other", []),
        (f"{below}?name=shop", [app["name"]]),
        (f"{below}?external_id=app-1", [app["name"]]),
        (f"{below}?labels.a=b", [app["name"]]),
        ("users?email=ADA@example.com", ["Ada L"]),
        ("users?email=nobody@example.com", []),
        ("users?external_id=u-1", ["Ada L"]),
        ("users?name=ada", ["Ada L"]),
    ):
        assert await names(world, path) == expected, path


class TestQuiet:
    async def test_a_personal_key_lists_its_own_organization_only(self, sqlite_world: World):
        mine, other = (
            await sqlite_world.organization(name="Mine"),
            await sqlite_world.organization(name="Theirs"),
        )
        token = (await sqlite_world.personal_key(await sqlite_world.member(mine, "owner")))["token"]
        assert await names(sqlite_world, "organizations", token=token) == ["Mine"]
        assert await names(sqlite_world, "organizations?name=theirs", token=token) == []
        for tail in ("keys", "apps", "members", "audit"):
            path = f"organizations/{other['id']}/{tail}"
            await sqlite_world.refused(404, "not-found", "GET", path, token=token)

    async def test_personal_keys_are_their_users_alone(self, sqlite_world: World):
        organization = await sqlite_world.organization()
        owner = await sqlite_world.member(organization, "owner")
        viewer = await sqlite_world.member(organization, "viewer")
        token = (await sqlite_world.personal_key(owner, name="Owner's"))["token"]
        await sqlite_world.personal_key(viewer, name="Viewer's")
        path = f"organizations/{organization['id']}/keys"
        assert await names(sqlite_world, path, token=token) == ["Default API Key"]
        assert await names(sqlite_world, f"{path}?owner={viewer['user_id']}", token=token) == []
        own = f"users/{owner['user_id']}/keys"
        assert await names(sqlite_world, own, token=token) == ["Owner's"]

    async def test_customers_see_of_the_catalogue_what_they_may_grant(self, sqlite_world: World):
        await sqlite_world.scope("jobs:read")
        await sqlite_world.scope("jobs:admin", customer_grantable=False)
        member = await sqlite_world.member(await sqlite_world.organization(), "owner")
        token = (await sqlite_world.personal_key(member))["token"]
        assert await names(sqlite_world, "scopes", token=token) == ["jobs:read"]
        assert sorted(await names(sqlite_world, "scopes")) == ["jobs:admin", "jobs:read"]
