"""Keys: making, reading, changing, rotating, pausing and revoking them."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation

from keystead.api.desk import QUERY, AtDesk, Desk
from keystead.api.paging import PAGE_QUERY, Cursor, Limit, page_at, view_list
from keystead.api.routes.answers import (
    REPLAY_NOTICE,
    WAIT,
    WAIT_ONCE,
    WAITS,
    IfMatch,
    app_id,
    created,
    errors,
    key_id,
    ok,
    organization_id,
    user_id,
    version_id,
    wanted_revision,
)
from keystead.api.views import view_key
from keystead.api.wire import KeyView, ListView
from keystead.domain.checkup import Finding
from keystead.domain.errors import InvalidInput
from keystead.domain.ids import AppId, IdKind, UserId, is_id
from keystead.domain.keys import Key, KeyType, RevokedReason, Status
from keystead.domain.text import make_external_id, make_filter, make_label_name
from keystead.ports.store import KeyFilter, Listing, Position
from keystead.services.change import change_key
from keystead.services.drafts import (
    Draft,
    KeyChange,
    NewKey,
    NewPersonalKey,
    NewRootKey,
    Rotation,
    to_instant,
)
from keystead.services.issue import create_app_key, create_personal_key, create_root_key
from keystead.services.mutation import Changed
from keystead.services.pause import disable_key, enable_key
from keystead.services.reading import (
    get_key,
    list_app_keys,
    list_organization_keys,
    list_personal_keys,
    list_root_keys,
    lookup_key,
    reveal_key,
)
from keystead.services.revoke import revoke_key
from keystead.services.rotate import retire_version, rotate_key

KEY_QUERY = (
    *PAGE_QUERY,
    "status",
    "type",
    "name",
    "owner",
    "start",
    "last4",
    "labels.*",
    "external_id",
    "expires_before",
    "unused_since",
    "finding",
    "ephemeral",
)
"""The filters of every list of keys."""


class Lookup(Draft):
    """A token whose key is wanted."""

    token: str


def provide_key_filter(  # noqa: PLR0913, PLR0917 - one parameter for each filter
    request: Request[Any, Any, Any],
    desk: AtDesk,
    status: FromQuery[Status | None] = None,
    type: FromQuery[KeyType | None] = None,  # noqa: A002 - the word of the wire
    name: FromQuery[str | None] = None,
    owner: FromQuery[str | None] = None,
    start: FromQuery[str | None] = None,
    last4: FromQuery[str | None] = None,
    external_id: FromQuery[str | None] = None,
    expires_before: FromQuery[datetime | None] = None,
    unused_since: FromQuery[datetime | None] = None,
    finding: FromQuery[Finding | None] = None,
    ephemeral: FromQuery[bool] = False,  # noqa: FBT002 - a query parameter
) -> KeyFilter:
    """Dependency: which keys are wanted, revoked and ephemeral ones if asked; also `labels.NAME=value`."""
    require_said(request, status=status, type=type, finding=finding)
    return KeyFilter(
        now=desk.context.clock(),
        owner_id=None if owner is None else _owner_id(owner),
        status=status,
        type=type,
        name=None if name is None else make_filter(name, field="name"),
        start=None if start is None else make_filter(start, field="start"),
        last4=None if last4 is None else make_filter(last4, field="last4"),
        labels=wanted_labels(request),
        external_id=None if external_id is None else make_external_id(external_id),
        expires_before=_instant(expires_before, request, "expires_before"),
        unused_since=_instant(unused_since, request, "unused_since"),
        finding=finding,
        ephemeral=ephemeral,
    )


def require_said(request: Request[Any, Any, Any], **filters: object) -> None:
    """Refuse a filter that says `null`: the framework would read it as no filter at all."""
    for name, value in filters.items():
        if value is None and name in request.query_params:
            raise InvalidInput(name, "null is no value here; leave it out to have any")


def wanted_labels(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The labels that `labels.NAME=value` parameters ask for."""
    return {
        make_label_name(name.removeprefix("labels."), field=name): make_filter(value, field=name)
        for name, value in request.query_params.items()
        if name.startswith("labels.")
    }


AFilter = NamedDependency[SkipValidation[KeyFilter]]


@post("/apps/{app:str}/keys", responses=errors(404, 409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_app_key(app: FromPath[str], data: JSONBody[NewKey], desk: AtDesk) -> Response[KeyView]:
    """Create a key of an app. Its token is in this answer only."""
    changed = await create_app_key(desk.context, desk.actor, app_id(app), data)
    return created(view_changed(desk, changed), changed.value.revision)


@post("/users/{user:str}/keys", responses=errors(404, 409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_personal_key(
    user: FromPath[str], data: JSONBody[NewPersonalKey], desk: AtDesk
) -> Response[KeyView]:
    """Create a personal key of a user. Its token is in this answer only."""
    changed = await create_personal_key(desk.context, desk.actor, user_id(user), data)
    return created(view_changed(desk, changed), changed.value.revision)


@post("/root-keys", responses=errors(409, 413), dependencies=WAIT_ONCE, opt=WAITS)
async def post_root_key(data: JSONBody[NewRootKey], desk: AtDesk) -> Response[KeyView]:
    """Create a root key, which administers the instance. Its token is in this answer only."""
    changed = await create_root_key(desk.context, desk.actor, data)
    return created(view_changed(desk, changed), changed.value.revision)


@get("/apps/{app:str}/keys", responses=errors(404), opt={QUERY: KEY_QUERY})
async def get_app_keys(
    app: FromPath[str], wanted: AFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[KeyView]:
    """List an app's keys."""
    page = page_at(desk.context.seals, limit, cursor)
    return _list(desk, await list_app_keys(desk.context, desk.actor, app_id(app), wanted, page))


@get("/organizations/{organization:str}/keys", responses=errors(404), opt={QUERY: KEY_QUERY})
async def get_organization_keys(
    organization: FromPath[str], wanted: AFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[KeyView]:
    """List the app keys of all of an organization's apps."""
    page = page_at(desk.context.seals, limit, cursor)
    listing = await list_organization_keys(
        desk.context, desk.actor, organization_id(organization), wanted, page
    )
    return _list(desk, listing)


@get("/users/{user:str}/keys", responses=errors(404), opt={QUERY: KEY_QUERY})
async def get_personal_keys(
    user: FromPath[str], wanted: AFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[KeyView]:
    """List a user's personal keys."""
    page = page_at(desk.context.seals, limit, cursor)
    return _list(desk, await list_personal_keys(desk.context, desk.actor, user_id(user), wanted, page))


@get("/root-keys", responses=errors(), opt={QUERY: KEY_QUERY})
async def get_root_keys(
    wanted: AFilter, desk: AtDesk, limit: Limit = 50, cursor: Cursor = None
) -> ListView[KeyView]:
    """List the instance's root keys."""
    page = page_at(desk.context.seals, limit, cursor)
    return _list(desk, await list_root_keys(desk.context, desk.actor, wanted, page))


@post("/keys/lookup", status_code=200, responses=errors(404, 413))
async def post_lookup(data: JSONBody[Lookup], desk: AtDesk) -> KeyView:
    """Find the key that a token belongs to; for root keys."""
    return view_key(await lookup_key(desk.context, desk.actor, data.token), desk.context.clock())


@get("/keys/{key:str}", responses=errors(404))
async def get_one(key: FromPath[str], desk: AtDesk) -> Response[KeyView]:
    """Read a key."""
    found = await get_key(desk.context, desk.actor, key_id(key))
    return ok(view_key(found, desk.context.clock()), found.revision)


@patch("/keys/{key:str}", responses=errors(404, 409, 412, 413), dependencies=WAIT, opt=WAITS)
async def patch_one(
    key: FromPath[str], data: JSONBody[KeyChange], desk: AtDesk, if_match: IfMatch = None
) -> Response[KeyView]:
    """Change a key; what is left out stays."""
    revision = wanted_revision(if_match)
    changed = await change_key(desk.context, desk.actor, key_id(key), data, revision=revision)
    return ok(view_changed(desk, changed), changed.value.revision)


@delete(
    "/keys/{key:str}",
    status_code=200,
    responses=errors(404, 409),
    dependencies=WAIT,
    opt={QUERY: (*WAITS[QUERY], "reason", "descendants")},
)
async def delete_one(
    key: FromPath[str],
    desk: AtDesk,
    reason: FromQuery[RevokedReason] = RevokedReason.UNSPECIFIED,
    descendants: Annotated[bool, QueryParameter(description="Also revoke all that the key made.")] = False,  # noqa: FBT002 - a query parameter
) -> Response[KeyView]:
    """Revoke a key at once and for good; its record stays."""
    changed = await revoke_key(desk.context, desk.actor, key_id(key), reason=reason, descendants=descendants)
    revoked = changed.value
    made = revoked.descendants if descendants else None
    view = view_key(revoked.key, desk.context.clock(), changed, descendants=made)
    return ok(view, revoked.key.revision)


@post(
    "/keys/{key:str}/rotate",
    status_code=200,
    responses=errors(404, 409, 413),
    dependencies=WAIT_ONCE,
    opt=WAITS,
)
async def post_rotate(
    key: FromPath[str], desk: AtDesk, data: JSONBody[Rotation | None] = None
) -> Response[KeyView]:
    """Give a key a new token; the current one works on for `grace_s` seconds, 12 hours unless said."""
    changed = await rotate_key(desk.context, desk.actor, key_id(key), data or Rotation())
    return ok(view_changed(desk, changed), changed.value.revision)


@delete(
    "/keys/{key:str}/versions/{version:str}",
    status_code=200,
    responses=errors(404, 409),
    dependencies=WAIT,
    opt=WAITS,
)
async def delete_version(key: FromPath[str], version: FromPath[str], desk: AtDesk) -> Response[KeyView]:
    """Retire one version of a key now."""
    changed = await retire_version(desk.context, desk.actor, key_id(key), version_id(version))
    return ok(view_changed(desk, changed), changed.value.revision)


@post(
    "/keys/{key:str}/disable", status_code=200, responses=errors(404, 409), dependencies=WAIT_ONCE, opt=WAITS
)
async def post_disable(key: FromPath[str], desk: AtDesk) -> Response[KeyView]:
    """Pause a key at once."""
    changed = await disable_key(desk.context, desk.actor, key_id(key))
    return ok(view_changed(desk, changed), changed.value.revision)


@post(
    "/keys/{key:str}/enable", status_code=200, responses=errors(404, 409), dependencies=WAIT_ONCE, opt=WAITS
)
async def post_enable(key: FromPath[str], desk: AtDesk) -> Response[KeyView]:
    """End a key's pause."""
    changed = await enable_key(desk.context, desk.actor, key_id(key))
    return ok(view_changed(desk, changed), changed.value.revision)


@post("/keys/{key:str}/reveal", status_code=200, responses=errors(404, 409))
async def post_reveal(key: FromPath[str], desk: AtDesk) -> Response[KeyView]:
    """Show a public key's token again."""
    found, token = await reveal_key(desk.context, desk.actor, key_id(key))
    return ok(view_key(found, desk.context.clock(), token=token), found.revision)


def key_position(key: Key) -> Position:
    """Where a key stands in a list."""
    return Position(at=key.created_at, id=key.id)


def view_changed(desk: Desk, changed: Changed[Key]) -> KeyView:
    """A key after a change, with its token if one was made, or how to get one when the answer is a replay."""
    notice = REPLAY_NOTICE if changed.replayed else None
    return view_key(changed.value, desk.context.clock(), changed, token=changed.token, notice=notice)


def _list(desk: Desk, listing: Listing[Key]) -> ListView[KeyView]:
    now = desk.context.clock()
    return view_list(desk.context.seals, listing, lambda key: view_key(key, now), key_position)


def _owner_id(text: str) -> AppId | UserId:
    if is_id(IdKind.APP, text):
        return AppId(text)
    if is_id(IdKind.USER, text):
        return UserId(text)
    raise InvalidInput("owner", "write the id of an app or a user")


def _instant(given: datetime | None, request: Request[Any, Any, Any], field: str) -> datetime | None:
    """An instant from the query; the framework would also read a number as one, and `null` as none."""
    text = request.query_params.get(field)
    if text is None:
        return None
    if given is None or given.tzinfo is None or ":" not in text:
        raise InvalidInput(field, "write an instant with a zone, such as 2027-01-31T00:00:00Z")
    return to_instant(given, field)


KEY_ROUTES = Router(
    path="/",
    tags=["Keys"],
    route_handlers=[
        post_app_key,
        post_personal_key,
        post_root_key,
        get_app_keys,
        get_organization_keys,
        get_personal_keys,
        get_root_keys,
        post_lookup,
        get_one,
        patch_one,
        delete_one,
        post_rotate,
        delete_version,
        post_disable,
        post_enable,
        post_reveal,
    ],
)
