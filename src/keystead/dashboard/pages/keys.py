"""Tables of keys: an app's, and all of an organization across its apps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.key_people import makers_of
from keystead.dashboard.key_view import ShownKey
from keystead.dashboard.paging import Trail, trail_of
from keystead.dashboard.render import AnyRequest, page
from keystead.dashboard.standing import in_app, in_organization, say
from keystead.dashboard.viewer import Crumb
from keystead.domain.checkup import Finding
from keystead.domain.keys import Key, KeyType, Status
from keystead.domain.powers import Power
from keystead.domain.tenants import Organization
from keystead.domain.text import MAX_NAME_LENGTH
from keystead.ports.store import KeyFilter, KeyOrder, Listing, Page, TenantFilter
from keystead.services.access import may_change
from keystead.services.apps import list_apps
from keystead.services.context import Actor
from keystead.services.organizations import get_organization
from keystead.services.reading import list_app_keys, list_organization_keys, position_of

KEYS_PER_PAGE = 25
"""Each row brings its menu along: with these a page stays well below 100 kB, compressed or not."""

UNUSED = {"30d": timedelta(days=30), "90d": timedelta(days=90), "180d": timedelta(days=180)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What of a table is wanted, as its address says; what the address says wrongly is not said."""

    q: str = ""
    status: str = ""
    type: str = ""
    unused: str = ""
    finding: str = ""
    sort: str = ""

    @property
    def filtered(self) -> bool:
        """Whether a filter is set: then an empty table says something else."""
        return bool(self.q or self.status or self.type or self.unused or self.finding)

    @property
    def order(self) -> KeyOrder:
        """How the table is sorted."""
        return KeyOrder(self.sort or KeyOrder.NEWEST)

    @property
    def query(self) -> Mapping[str, str | None]:
        """The wish as an address says it."""
        return {
            "q": self.q or None,
            "status": self.status or None,
            "type": self.type or None,
            "unused": self.unused or None,
            "finding": self.finding or None,
            "sort": self.sort or None,
        }


def wish_of(request: AnyRequest) -> Wish:
    """The wish that a request's address holds."""
    asked = request.query_params
    status, kind, unused = asked.get("status", ""), asked.get("type", ""), asked.get("unused", "")
    sort, finding = asked.get("sort", ""), asked.get("finding", "")
    return Wish(
        q=asked.get("q", "").strip()[:MAX_NAME_LENGTH],
        status=status if status in set(Status) else "",
        type=kind if kind in set(KeyType) else "",
        unused=unused if unused in UNUSED else "",
        finding=finding if finding in set(Finding) else "",
        sort=sort if sort in set(KeyOrder) - {KeyOrder.NEWEST} else "",
    )


def filter_of(caller: Caller, wish: Wish) -> KeyFilter:
    """The wish as the services take it."""
    now = caller.context.clock()
    return KeyFilter(
        now=now,
        text=wish.q or None,
        status=Status(wish.status) if wish.status else None,
        type=KeyType(wish.type) if wish.type else None,
        unused_since=now - UNUSED[wish.unused] if wish.unused else None,
        finding=Finding(wish.finding) if wish.finding else None,
        order=wish.order,
    )


@get("/apps/{app_id:str}/keys")
async def get_app_keys(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The keys of an app."""
    here = await in_app(caller, app_id)
    wish, trail = wish_of(caller.request), trail_of(caller.request)
    found = await list_app_keys(
        caller.context, here.actor, here.app.id, filter_of(caller, wish), trail.page(KEYS_PER_PAGE)
    )
    organization = await get_organization(caller.context, here.actor, here.app.organization_id)
    return page(
        caller.request,
        "keys/list.html",
        place=here.place("app-keys", Crumb(say(caller.request, "keys.title"))),
        path=here.path("/keys"),
        app=here.app,
        may_make=here.may(Power.CHANGE_APP_KEYS),
        makers=await makers_of(caller, here.actor, here.app.organization_id, found.items),
        **_shown(caller, here.actor, organization, found, wish, trail),
    )


@get("/organizations/{organization_id:str}/settings/keys")
async def get_organization_keys(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """The keys of all of an organization's apps."""
    here = await in_organization(caller, organization_id)
    wish, trail = wish_of(caller.request), trail_of(caller.request)
    found = await list_organization_keys(
        caller.context, here.actor, here.organization.id, filter_of(caller, wish), trail.page(KEYS_PER_PAGE)
    )
    every = Page(limit=caller.context.bounds.apps_per_organization)
    apps = await list_apps(caller.context, here.actor, here.organization.id, TenantFilter(), every)
    return page(
        caller.request,
        "keys/list.html",
        place=here.place("organization-keys", Crumb(say(caller.request, "keys.title"))),
        path=here.path("/settings/keys"),
        app=None,
        may_make=False,
        makers=await makers_of(caller, here.actor, here.organization.id, found.items),
        **_shown(
            caller, here.actor, here.organization, found, wish, trail, {it.id: it.name for it in apps.items}
        ),
    )


def rows_of(
    caller: Caller,
    actor: Actor,
    keys: Sequence[Key],
    public_methods: tuple[str, ...],
    apps: Mapping[str, str] | None = None,
) -> Sequence[ShownKey]:
    """Keys of an organization, with this ceiling for public ones, as a table shows them to the caller."""
    now = caller.context.clock()
    return [
        ShownKey(
            key=key,
            now=now,
            changeable=may_change(actor.principal, key),
            app=(apps or {}).get(str(key.owner.id), ""),
            public_methods=public_methods,
        )
        for key in keys
    ]


def _shown(  # noqa: PLR0913, PLR0917 - what a table is made of
    caller: Caller,
    actor: Actor,
    organization: Organization,
    found: Listing[Key],
    wish: Wish,
    trail: Trail,
    apps: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    return {
        "rows": rows_of(caller, actor, found.items, organization.ceiling.public_methods, apps),
        "wish": wish,
        "back": trail.back,
        "onward": trail.on(found, lambda key: position_of(key, wish.order)),
        "me": caller.user.id,
    }


ROUTES = (get_app_keys, get_organization_keys)
