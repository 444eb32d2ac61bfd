"""Audit: every mutation leaves who, what, before and after, where from, when and its epoch; no secrets."""

from typing import Any

import pytest

from tests.api.world import Json, World


async def entries(world: World, organization: Json) -> list[Json]:
    path = f"organizations/{organization['id']}/audit?limit=200"
    return list((await world.made("GET", path))["items"])


async def test_every_mutation_leaves_its_entry_and_epoch_in_one_transaction(world: World):  # noqa: PLR0915
    """Each route that changes something, once; the table says the entry that it must leave."""
    done: list[tuple[str, str, bool]] = []

    async def act(
        action: str, method: str, path: str, body: Json | None = None, *, epoch: bool = True
    ) -> Json:
        before = await world.rows()
        world.clock.advance(seconds=1)
        answer = await world.call(method, path, **({} if body is None else {"json": body}))
        assert answer.is_success, answer.text
        made = dict(answer.json())
        after = await world.rows()
        new = [row for row in after["audit"] if row not in before["audit"]]
        assert action in [row[4] for row in new], f"{method} {path}"
        assert {row[11] for row in new} == {answer.headers["x-request-id"]}
        assert {row[1] for row in new} == {world.clock()}
        assert {row[2] for row in new} == {"root_key"}
        assert {row[10] for row in new} == {"127.0.0.1"}
        changes = [row for row in after["changes"] if row not in before["changes"]]
        newest = max((row[0] for row in before["changes"]), default=0)
        assert {row[0] for row in changes} == ({newest + 1} if epoch else set())
        assert {row[12] for row in new} == ({newest + 1} if epoch else {None})
        assert len({row[3] for row in changes}) == (1 if epoch else 0)  # one mark for one epoch
        assert made.get("epoch") == (newest + 1 if epoch else None)
        done.append((action, method, epoch))
        return made

    organization = await act("organization.create", "POST", "organizations", {"name": "Acme"})
    there = f"organizations/{organization['id']}"
    await act("organization.update", "PATCH", there, {"name": "New"})
    await act("organization.create", "PUT", "organizations/external/o-1", {"name": "Put"})
    await act("organization.update", "PUT", "organizations/external/o-1", {"name": "Put again"})
    member = await act("member.add", "POST", f"{there}/members", {"email": "a@example.com", "role": "owner"})
    other = await act("member.add", "POST", f"{there}/members", {"email": "b@example.com", "role": "viewer"})
    await act("member.update", "PATCH", f"{there}/members/{other['user_id']}", {"role": "admin"})
    await act("member.remove", "DELETE", f"{there}/members/{other['user_id']}")
    app = await act("app.create", "POST", f"{there}/apps", {"name": "Web"})
    await act("app.update", "PATCH", f"apps/{app['id']}", {"disabled": True})
    user = await act("user.create", "POST", "users", {"email": "c@example.com", "name": "C"})
    await act("user.update", "PATCH", f"users/{user['id']}", {"disabled": True})
    await act("user.create", "PUT", "users/external/u-1", {"email": "d@example.com", "name": "D"})
    await act("user.update", "PUT", "users/external/u-1", {"email": "d@example.com", "name": "E"})
    await act("key.create", "POST", f"apps/{app['id']}/keys", {"name": "Reserve"})
    key = await act("key.create", "POST", f"apps/{app['id']}/keys", {"name": "Key"})
    await act("key.create", "POST", f"users/{member['user_id']}/keys", {"name": "Mine"})
    root = await act("key.create", "POST", "root-keys", {"name": "Root", "scopes": []})
    path = f"keys/{key['id']}"
    await act("key.update", "PATCH", path, {"name": "New"})
    await act("key.rotate", "POST", f"{path}/rotate")
    await act("key.retire_version", "DELETE", f"{path}/versions/{key['versions'][0]['id']}")
    await act("key.disable", "POST", f"{path}/disable")
    await act("key.enable", "POST", f"{path}/enable")
    await act("key.revoke", "DELETE", path)
    await act("key.revoke", "DELETE", f"keys/{root['id']}")
    await act("scope.create", "POST", "scopes", {"name": "jobs:read"}, epoch=False)
    await act("scope.update", "PATCH", "scopes/jobs:read", {"description": "x"}, epoch=False)
    await act("scope.delete", "DELETE", "scopes/jobs:read", epoch=False)
    await act("app.delete", "DELETE", f"apps/{app['id']}")
    listed = await entries(world, organization)
    await act("organization.delete", "DELETE", there)

    assert listed
    assert [it["at"] for it in listed] == sorted((it["at"] for it in listed), reverse=True)
    assert {it["organization_id"] for it in listed} == {organization["id"]}
    below = {"organization", "app", "member", "key"}
    assert {it["subject"]["kind"] for it in listed} == below


async def test_an_entry_says_what_was_and_what_is(sqlite_world: World):
    organization = await sqlite_world.organization()
    owner = await sqlite_world.personal_key(await sqlite_world.member(organization, "owner"))
    key = await sqlite_world.key(await sqlite_world.app(organization), expires_in=60)
    change = {"name": "New", "labels": {"a": "b"}}
    sqlite_world.clock.advance(seconds=1)
    answer = await sqlite_world.call("PATCH", f"keys/{key['id']}", json=change, token=owner["token"])
    entry = (await entries(sqlite_world, organization))[0]
    assert {name: entry[name] for name in ("action", "subject", "by", "before", "after", "epoch", "at")} == {
        "action": "key.update",
        "subject": {"kind": "key", "id": key["id"]},
        "by": {"kind": "key", "id": owner["id"]},
        "before": {"name": "Key", "labels": {}},
        "after": {"name": "New", "labels": {"a": "b"}},
        "epoch": answer.json()["epoch"],
        "at": "2030-01-01T00:00:01Z",
    }
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["address"] == "127.0.0.1"


async def test_through_self_the_key_itself_is_named(sqlite_world: World):
    organization = await sqlite_world.organization()
    key = await sqlite_world.key(await sqlite_world.app(organization))
    for action in ("rotate", "revoke"):
        sqlite_world.clock.advance(seconds=1)
        await sqlite_world.made("POST", f"self/{action}", token=key["token"])
    revoked, rotated = (await entries(sqlite_world, organization))[:2]
    assert (revoked["action"], rotated["action"]) == ("key.revoke", "key.rotate")
    assert revoked["by"] == rotated["by"] == {"kind": "key", "id": key["id"]}
    assert revoked["after"]["revoked_reason"] == "compromised"


async def test_no_token_is_anywhere_in_the_database_but_public_ones(world: World):
    organization = await world.organization()
    app = await world.app(organization)
    member = await world.member(organization, "owner")
    secret, public = await world.key(app), await world.key(app, type="public")
    personal, root = await world.personal_key(member), await world.root_key("*")
    tokens = [it["token"] for it in (secret, personal, root)]
    rotated = [await world.made("POST", f"keys/{it['id']}/rotate") for it in (secret, personal, root)]
    tokens += [it["token"] for it in rotated]
    for token in tokens:
        await world.verdict(token)
        await world.call("POST", "keys/lookup", json={"token": token})
        await world.call("GET", "self", token=token)
    await world.flush()
    rows = await world.rows()
    assert not any(token in str(rows) for token in tokens)
    assert public["token"] in str(rows.pop("versions"))
    assert public["token"] not in str(rows)
    assert public["token"] not in str(await entries(world, organization))
    # Nor are digests in the log.
    digests = [row[3] for row in (await world.rows())["versions"]]
    audit = str(rows["audit"])
    assert not any(digest.hex() in audit or str(digest) in audit for digest in digests)


FAILING: list[tuple[str, str, Json | None, int]] = [
    ("POST", "organizations", {"name": ""}, 422),
    ("PATCH", "organizations/{organization}", {"name": "New", "metadata": {"a": "x" * 20_000}}, 422),
    ("POST", "organizations/{organization}/members", {"email": "nobody", "role": "viewer"}, 422),
    ("POST", "organizations/{organization}/members", {"user_id": "usr_x", "role": "viewer"}, 404),
    ("DELETE", "organizations/{organization}/members/{user}", None, 409),
    ("PATCH", "organizations/{organization}/members/{user}", {"role": "viewer"}, 409),
    ("POST", "organizations/{organization}/apps", {"name": "A", "external_id": "taken"}, 409),
    ("PATCH", "apps/{app}", {"name": "New", "allowed_networks": ["0.0.0.0/99"]}, 422),
    ("POST", "apps/{app}/keys", {"name": "Key", "scopes": ["not:listed"]}, 422),
    ("PATCH", "keys/{key}", {"name": "New", "scopes": ["not:listed"]}, 422),
    ("DELETE", "keys/{key}", None, 409),
    ("POST", "keys/{key}/rotate", {"expires_in": 0}, 422),
    ("DELETE", "keys/{key}/versions/{version}", None, 409),
    ("POST", "users", {"email": "taken@example.com", "name": "X"}, 409),
    ("PUT", "users/external/new", {"email": "taken@example.com", "name": "X"}, 409),
    ("POST", "users/{user}/keys", {"name": "K", "organization_id": "org_x"}, 404),
    ("POST", "scopes", {"name": "jobs:read"}, 409),
    ("DELETE", "scopes/not:listed", None, 404),
    ("POST", "root-keys", {"name": "Root", "scopes": ["all:*"]}, 422),
]


async def test_a_mutation_that_fails_leaves_no_trace(world: World):
    organization = await world.organization()
    app = await world.app(organization, external_id="taken")
    key = await world.key(app)
    member = await world.member(organization, "owner")
    await world.made("POST", "users", {"email": "taken@example.com", "name": "T"})
    await world.scope("jobs:read")
    ids = {
        "organization": organization["id"],
        "app": app["id"],
        "key": key["id"],
        "user": member["user_id"],
        "version": key["versions"][0]["id"],
    }
    before: Any = await world.rows()
    for method, path, body, status in FAILING:
        answer = await world.call(method, path.format(**ids), **({} if body is None else {"json": body}))
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert await world.rows() == before, f"{method} {path}"


@pytest.mark.parametrize("repeat", ["DELETE", "disable", "enable", "PATCH", "PUT"])
async def test_what_changes_nothing_says_nothing(sqlite_world: World, repeat: str):
    key = await sqlite_world.key(await sqlite_world.app(await sqlite_world.organization()))
    path = f"keys/{key['id']}"
    call: dict[str, tuple[str, str, Json | None]] = {
        "DELETE": ("DELETE", f"{path}?reason=compromised", None),
        "disable": ("POST", f"{path}/disable", None),
        "enable": ("POST", f"{path}/enable", None),
        "PATCH": ("PATCH", path, {"name": "Key", "labels": {}}),
        "PUT": ("PUT", "organizations/external/x", {"name": "X", "ceiling": {"max_lifetime_s": 60}}),
    }
    await sqlite_world.made(*call[repeat])
    before = await sqlite_world.rows()
    assert "epoch" not in await sqlite_world.made(*call[repeat])
    assert await sqlite_world.rows() == before


async def test_put_by_external_id_is_201_once_and_then_200(world: World):
    for path, body in (
        ("organizations/external/crm-1", {"name": "Acme", "metadata": {"plan": "pro"}, "labels": {"a": "b"}}),
        ("users/external/crm-1", {"email": "a@example.com", "name": "Ada", "metadata": {"n": 1}}),
    ):
        first = await world.call("PUT", path, json=body)
        second = await world.call("PUT", path, json=body)
        third = await world.call("PUT", path, json={**body, "name": "New"})
        assert [it.status_code for it in (first, second, third)] == [201, 200, 200]
        made = first.json()
        made.pop("epoch")
        assert second.json() == made
        assert third.json()["id"] == made["id"]
        assert third.json()["name"] == "New"
        assert made["external_id"] == "crm-1"


async def test_the_log_is_filtered_by_what_was_changed_and_by_who_did_it(world: World):
    organization = await world.organization()
    path = f"organizations/{organization['id']}/audit"
    entries = (await world.made("GET", path))["items"]
    of_apps = (await world.made("GET", f"{path}?kind=app"))["items"]
    assert of_apps == [it for it in entries if it["subject"]["kind"] == "app"]
    assert 0 < len(of_apps) < len(entries)
    assert (await world.made("GET", f"{path}?by={entries[0]['by']['id']}&kind=app"))["items"] == of_apps
    assert (await world.made("GET", f"{path}?by=usr_nobody"))["items"] == []
    await world.refused(422, "invalid-input", "GET", f"{path}?kind=null")
