"""Every route and every principal, against a table written by hand from the design, not from `powers`."""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from keystead.domain.keys import Environment
from keystead.domain.scopes import ROOT_SCOPES
from keystead.domain.tokens import TokenKind, make_token
from tests.api.world import Json, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = {"o": "owner", "a": "admin", "d": "developer", "v": "viewer"}
STRANGER = "owner of another organization"
ROOTS = [f"root {scope}" for scope in sorted(ROOT_SCOPES)]
EVERYONE = [
    "no token",
    "unknown token",
    "public key",
    "app key",
    *ROLES.values(),
    STRANGER,
    "root without scopes",
    *ROOTS,
]
KEY_SCOPES = {"keys:*", "personal_keys:*", "root_keys:*"}
IDS = re.compile(r"(org|app|usr|key|ver|req)_[0-9A-Za-z]{22}")


class Scene:
    """An organization with everyone in it, each made when first wanted, and an organization beside it."""

    def __init__(self, world: World, roots: dict[str, str]) -> None:
        self.world = world
        self.roots = roots
        self._made: dict[str, Any] = {}

    async def organization(self) -> Json:
        return await self._once("organization", self.world.organization)

    async def app(self) -> Json:
        async def make() -> Json:
            return await self.world.app(await self.organization())

        return await self._once("app", make)

    async def member(self, who: str) -> Json:
        async def make() -> Json:
            if who == STRANGER:
                return await self.world.member(await self.world.organization(name="Other"), "owner")
            return await self.world.member(await self.organization(), who)

        return await self._once(f"member {who}", make)

    async def token(self, who: str) -> str | None:
        if who == "no token":
            return None
        if who.startswith("root"):
            if who not in self.roots:
                scopes = [who.removeprefix("root ")] if who in ROOTS else []
                self.roots[who] = (await self.world.root_key(*scopes))["token"]
            return self.roots[who]

        async def make() -> str:
            if who == "unknown token":
                made = make_token("ks", TokenKind.SECRET, Environment.LIVE, secrets.token_bytes(32))
                return made.reveal()
            if who in {"app key", "public key"}:
                kind = "secret" if who == "app key" else "public"
                return str((await self.world.key(await self.app(), type=kind))["token"])
            return str((await self.world.personal_key(await self.member(who)))["token"])

        return await self._once(f"token {who}", make)

    async def _once(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        if name not in self._made:
            self._made[name] = await make()
        return self._made[name]


Aim = Callable[[Scene, str], Awaitable[tuple[dict[str, str], Json | None]]]
"""What a principal is made to aim at: the values of the path's parameters, and a body that is in order."""


def aims(body: Json | None = None) -> Callable[[Callable[[Scene, str], Awaitable[dict[str, str]]]], Aim]:
    def with_body(find: Callable[[Scene, str], Awaitable[dict[str, str]]]) -> Aim:
        async def aim(scene: Scene, who: str) -> tuple[dict[str, str], Json | None]:
            return await find(scene, who), body

        return aim

    return with_body


async def _none(_scene: Scene, _who: str) -> dict[str, str]:
    return {}


async def _organization(scene: Scene, _who: str) -> dict[str, str]:
    return {"organization": (await scene.organization())["id"]}


async def _fresh_member(scene: Scene, _who: str) -> dict[str, str]:
    member = await scene.world.member(await scene.organization(), "viewer")
    return {"organization": member["organization_id"], "user": member["user_id"]}


async def _app(scene: Scene, _who: str) -> dict[str, str]:
    return {"app": (await scene.app())["id"]}


async def _fresh_app(scene: Scene, _who: str) -> dict[str, str]:
    return {"app": (await scene.world.app(await scene.organization()))["id"]}


async def _own_user(scene: Scene, who: str) -> dict[str, str]:
    """The one who asks, where that is a member; else the owner."""
    return {"user": (await scene.member(who if who in ROLES.values() else "owner"))["user_id"]}


async def _other_user(scene: Scene, who: str) -> dict[str, str]:
    """Somebody else in the same organization."""
    return {"user": (await scene.member("admin" if who == "owner" else "owner"))["user_id"]}


async def _app_key(scene: Scene, _who: str) -> dict[str, str]:
    return {"key": (await scene.world.key(await scene.app()))["id"]}


async def _public_app_key(scene: Scene, _who: str) -> dict[str, str]:
    return {"key": (await scene.world.key(await scene.app(), type="public"))["id"]}


async def _own_key(scene: Scene, who: str) -> dict[str, str]:
    member = await scene.member(who if who in ROLES.values() else "owner")
    return {"key": (await scene.world.personal_key(member, type="public"))["id"]}


async def _colleagues_key(scene: Scene, who: str) -> dict[str, str]:
    member = await scene.member("admin" if who == "owner" else "owner")
    return {"key": (await scene.world.personal_key(member, type="public"))["id"]}


async def _root_key(scene: Scene, _who: str) -> dict[str, str]:
    return {"key": (await scene.world.root_key())["id"]}


async def _scope(scene: Scene, _who: str) -> dict[str, str]:
    return {"name": (await scene.world.scope(f"jobs:{secrets.token_hex(4)}"))["name"]}


def rotated(find: Callable[[Scene, str], Awaitable[dict[str, str]]]) -> Aim:
    """A key's first version, after a rotation."""

    async def aim(scene: Scene, who: str) -> tuple[dict[str, str], Json | None]:
        key = (await find(scene, who))["key"]
        after = await scene.world.made("POST", f"keys/{key}/rotate")
        return {"key": key, "version": after["versions"][0]["id"]}, None

    return aim


async def _token_of_app_key(scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    return {}, {"token": (await scene.world.key(await scene.app()))["token"]}


async def _an_organization_to_make(_scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    return {"external_id": secrets.token_hex(8)}, {"name": "Acme"}


async def _a_user_to_make(_scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    unique = secrets.token_hex(8)
    return {"external_id": unique}, {"email": f"{unique}@example.com", "name": "Ada"}


async def _a_member_to_add(scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    body = {"email": f"{secrets.token_hex(8)}@example.com", "role": "viewer"}
    return await _organization(scene, ""), body


async def _somebody_to_invite(scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    body = {"email": f"{secrets.token_hex(8)}@example.com", "role": "viewer"}
    return await _organization(scene, ""), body


async def _a_scope_to_add(_scene: Scene, _who: str) -> tuple[dict[str, str], Json | None]:
    return {}, {"name": f"jobs:{secrets.token_hex(4)}"}


async def _a_personal_key_to_make(scene: Scene, who: str) -> tuple[dict[str, str], Json | None]:
    return await _own_user(scene, who), {"name": "Mine"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """Who may do this. `roles`: of o(wner) a(dmin) d(eveloper) v(iewer); `root`: the one scope, beside `*`.

    `roles_else`, `stranger` and `root_else` are what the others of their kind are answered. `shown`: members
    of the organization may read the thing, so that a refusal may tell it from one that is missing.
    `consumes`: success ends the principal or its organization.
    """

    route: str
    aim: Aim
    roles: str = ""
    roles_else: int = 403
    stranger: int = 404
    app_key: int = 403
    root: str | None
    root_else: Callable[[str], int] = field(default=lambda _scope: 403)
    shown: bool = False
    consumes: bool = False
    note: str = ""

    def expected(self, who: str) -> int:
        """The status that `who` is to be answered with; 200 stands for any success."""
        if who in {"no token", "unknown token"}:
            return 401
        if who == "public key":
            return 403
        if who == "app key":
            return self.app_key
        if who == STRANGER:
            return self.stranger
        if who in ROLES.values():
            return 200 if who[0] in self.roles else self.roles_else
        scope = who.removeprefix("root ") if who in ROOTS else ""
        allowed = self.root == "any" or (self.root is not None and scope in {"*", self.root})
        return 200 if allowed else self.root_else(scope)


def _by_kind_of_key(scope: str) -> int:
    """A root key that manages keys of another kind is told the same of an unseen key as of a missing one."""
    return 404 if scope in KEY_SCOPES else 403


def _of_key(action: str, body: Json | None = None, *, tail: str = "") -> list[Row]:
    """What may be done with an app key, one's own personal key, a colleague's, and a root key."""
    route = f"{action} /keys/{{key}}{tail}"
    readers = "oadv" if action == "GET" else "oad"
    find = _public_app_key if tail == "/reveal" else _app_key
    rows = [
        ("of an app", find, readers, 403, "keys:*", True),
        ("one's own", _own_key, "oadv", 403, "personal_keys:*", False),
        ("a colleague's", _colleagues_key, "", 404, "personal_keys:*", False),
    ]
    if tail != "/reveal":
        rows.append(("a root key", _root_key, "", 404, "root_keys:*", False))
    return [
        Row(
            route=route,
            aim=rotated(found) if tail.startswith("/versions") else aims(body)(found),
            roles=roles,
            roles_else=roles_else,
            root=root,
            root_else=_by_kind_of_key,
            shown=shown,
            note=note,
        )
        for note, found, roles, roles_else, root, shown in rows
    ]


ORG, APP, KEY = "/organizations/{organization}", "/apps/{app}", "/keys/{key}"

TABLE = [
    # Organizations and their members: customers see and settle their own, the provider makes them.
    Row(
        route="POST /organizations",
        aim=_an_organization_to_make,
        stranger=403,
        root="organizations:*",
    ),
    Row(
        route="GET /organizations",
        aim=aims()(_none),
        roles="oadv",
        stranger=200,
        root="organizations:*",
    ),
    Row(route=f"GET {ORG}", aim=aims()(_organization), roles="oadv", root="organizations:*"),
    Row(route=f"PATCH {ORG}", aim=aims({"name": "New"})(_organization), roles="oa", root="organizations:*"),
    Row(
        route=f"DELETE {ORG}",
        aim=aims()(_organization),
        roles="o",
        root="organizations:*",
        consumes=True,
    ),
    Row(
        route="PUT /organizations/external/{external_id}",
        aim=_an_organization_to_make,
        stranger=403,
        root="organizations:*",
    ),
    Row(route=f"GET {ORG}/members", aim=aims()(_organization), roles="oadv", root="users:*"),
    Row(route=f"POST {ORG}/members", aim=_a_member_to_add, roles="oa", root="users:*"),
    Row(
        route=f"PATCH {ORG}/members/{{user}}",
        aim=aims({"role": "developer"})(_fresh_member),
        roles="oa",
        root="users:*",
    ),
    Row(route=f"DELETE {ORG}/members/{{user}}", aim=aims()(_fresh_member), roles="oa", root="users:*"),
    Row(route=f"GET {ORG}/audit", aim=aims()(_organization), roles="oa", root="audit:read"),
    # Apps: owners and admins manage them, all members read them.
    Row(route=f"POST {ORG}/apps", aim=aims({"name": "Web"})(_organization), roles="oa", root="apps:*"),
    Row(route=f"GET {ORG}/apps", aim=aims()(_organization), roles="oadv", root="apps:*"),
    Row(route=f"GET {APP}", aim=aims()(_app), roles="oadv", root="apps:*"),
    Row(route=f"PATCH {APP}", aim=aims({"name": "New"})(_app), roles="oa", root="apps:*"),
    Row(route=f"DELETE {APP}", aim=aims()(_fresh_app), roles="oa", root="apps:*"),
    # Users: the provider's; a member sees itself.
    Row(route="POST /users", aim=_a_user_to_make, stranger=403, root="users:*"),
    Row(route="GET /users", aim=aims()(_none), stranger=403, root="users:*"),
    Row(route="GET /users/me", aim=aims()(_none), roles="oadv", stranger=200, root=None),
    Row(route="GET /users/{user}", aim=aims()(_own_user), roles="oadv", root="users:*", note="oneself"),
    Row(
        route="GET /users/{user}", aim=aims()(_other_user), roles_else=404, root="users:*", note="a colleague"
    ),
    Row(route="PATCH /users/{user}", aim=aims({"name": "New"})(_own_user), stranger=403, root="users:*"),
    Row(route="PUT /users/external/{external_id}", aim=_a_user_to_make, stranger=403, root="users:*"),
    # Links: signing people in is the provider's, inviting them a manager's.
    Row(route="POST /users/{user}/sign-in-links", aim=aims({})(_own_user), stranger=403, root="users:*"),
    Row(route="POST /users/{user}/password-reset-links", aim=aims()(_own_user), stranger=403, root="users:*"),
    Row(route=f"POST {ORG}/invitations", aim=_somebody_to_invite, roles="oa", root="users:*"),
    # Keys, by where they belong.
    Row(route=f"POST {APP}/keys", aim=aims({"name": "Key"})(_app), roles="oad", root="keys:*"),
    Row(route=f"GET {APP}/keys", aim=aims()(_app), roles="oadv", root="keys:*"),
    Row(route=f"GET {ORG}/keys", aim=aims()(_organization), roles="oadv", root="keys:*"),
    Row(
        route="POST /users/{user}/keys",
        aim=_a_personal_key_to_make,
        roles="oadv",
        root="personal_keys:*",
        note="oneself",
    ),
    Row(
        route="POST /users/{user}/keys",
        aim=aims({"name": "Mine"})(_other_user),
        roles_else=404,
        root="personal_keys:*",
        note="a colleague",
    ),
    Row(
        route="GET /users/{user}/keys",
        aim=aims()(_own_user),
        roles="oadv",
        root="personal_keys:*",
        note="oneself",
    ),
    Row(
        route="GET /users/{user}/keys",
        aim=aims()(_other_user),
        roles_else=404,
        root="personal_keys:*",
        note="a colleague",
    ),
    Row(
        route="POST /root-keys",
        aim=aims({"name": "Root", "scopes": []})(_none),
        stranger=403,
        root="root_keys:*",
    ),
    Row(route="GET /root-keys", aim=aims()(_none), stranger=403, root="root_keys:*"),
    Row(
        route="POST /keys/lookup",
        aim=_token_of_app_key,
        stranger=403,
        root="keys:*",
        root_else=lambda _scope: 404,
    ),
    *_of_key("GET"),
    *_of_key("PATCH", {"name": "New"}),
    *_of_key("DELETE"),
    *_of_key("POST", tail="/rotate"),
    *_of_key("POST", tail="/disable"),
    *_of_key("POST", tail="/enable"),
    *_of_key("POST", tail="/reveal"),
    *_of_key("DELETE", tail="/versions/{version}"),
    # The catalogue, verify, metrics, nodes, and what a key may do about itself.
    Row(route="POST /scopes", aim=_a_scope_to_add, stranger=403, root="scopes:*"),
    Row(route="GET /scopes", aim=aims()(_none), roles="oadv", stranger=200, root="scopes:*"),
    Row(route="PATCH /scopes/{name}", aim=aims({"description": "x"})(_scope), stranger=403, root="scopes:*"),
    Row(route="DELETE /scopes/{name}", aim=aims()(_scope), stranger=403, root="scopes:*"),
    Row(route="POST /verify", aim=_token_of_app_key, stranger=403, root="verify"),
    Row(route="GET /metrics", aim=aims()(_none), stranger=403, root="metrics:read"),
    Row(route="GET /nodes", aim=aims()(_none), stranger=403, root="nodes:read"),
    Row(route="GET /self", aim=aims()(_none), roles="oadv", stranger=200, app_key=200, root="any"),
    Row(
        route="POST /self/rotate",
        aim=aims()(_none),
        roles="oadv",
        stranger=200,
        app_key=200,
        root="any",
        consumes=True,
    ),
    Row(
        route="POST /self/revoke",
        aim=aims()(_none),
        roles="oadv",
        stranger=200,
        app_key=200,
        root="any",
        consumes=True,
    ),
]

OPEN = re.compile(r"/healthz|/readyz|/api(/(openapi|docs)[^{]*)?(/.*)?")
"""What answers anyone: how we are, and our documents; nothing under `/api/v1`."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(lasting_world: World) -> Scene:
    return Scene(lasting_world, {})


def _routes(world: World) -> set[str]:
    inner: Any = world.instance.app()
    return {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in inner._inner.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }


async def test_every_route_stands_in_the_table(lasting_world: World):
    registered = _routes(lasting_world)
    guarded = {it for it in registered if it.partition(" ")[2].startswith("/api/v1")} | {"GET /metrics"}
    table = {row.route.replace(" /", " /api/v1/", 1) for row in TABLE} - {"GET /api/v1/metrics"}
    assert table | {"GET /metrics"} == guarded
    others = {it.partition(" ")[2] for it in registered - guarded}
    assert {it for it in others if not OPEN.fullmatch(it)} == set()


async def _ask(
    world: World, token: str | None, row: Row, values: dict[str, str], body: Json | None
) -> httpx.Response:
    method, _, template = row.route.partition(" ")
    path = template.format(**values)
    url = path if path == "/metrics" else f"/api/v1{path}"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    world.clock.advance(seconds=1)  # so that the management rate never has a say here
    return await world.client.request(method, url, headers=headers, json=body)


def _missing(values: dict[str, str]) -> dict[str, str]:
    return {
        name: IDS.sub(lambda found: f"{found[1]}_{'0' * 22}", value) if IDS.fullmatch(value) else "no:such"
        for name, value in values.items()
    }


def _told(answer: httpx.Response) -> Json:
    """What an answer tells, apart from the ids that were asked for and its own."""
    return {"status": answer.status_code, **{k: IDS.sub("ID", str(v)) for k, v in answer.json().items()}}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.route} {row.note}".strip())
async def test_each_principal_is_answered_as_the_table_says(lasting_world: World, scene: Scene, row: Row):
    wrong = {}
    for who in EVERYONE:
        expected = row.expected(who)
        stage = Scene(lasting_world, {} if who.startswith("root") else scene.roots) if row.consumes else scene
        token = await stage.token(who)
        values, body = await row.aim(stage, who)
        answer = await _ask(lasting_world, token, row, values, body)
        got = 200 if answer.is_success else answer.status_code
        if got != expected:
            wrong[who] = f"{got} instead of {expected}: {answer.text[:200]}"
        elif expected in {403, 404} and values and not (row.shown and who in ROLES.values()):
            missing = await _ask(lasting_world, token, row, _missing(values), body)
            if "external" not in row.route and _told(missing) != _told(answer):
                wrong[who] = f"tells what exists: {answer.text} but {missing.text}"
    assert not wrong
