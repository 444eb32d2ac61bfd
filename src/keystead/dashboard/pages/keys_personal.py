"""One's own keys: API access with one press, and more keys for those who want them apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post

from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Sent
from keystead.dashboard.key_view import ShownKey
from keystead.dashboard.pages.keys import rows_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import in_organization, say
from keystead.dashboard.viewer import Crumb, Place
from keystead.domain.errors import KeysteadError
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import Key, KeyType
from keystead.domain.tenants import Organization
from keystead.ports.store import KeyFilter, Page
from keystead.services.context import Actor
from keystead.services.drafts import NewPersonalKey
from keystead.services.issue import create_personal_key
from keystead.services.mutation import Changed
from keystead.services.reading import list_personal_keys

MOST_SHOWN = 200


@get("/profile/keys")
async def get_personal_keys(caller: AtDoor) -> Response[str]:
    """The caller's keys in the organization that they are in."""
    if caller.organization_id is None:
        return _page(caller, (), {"organization": None})
    here = await in_organization(caller, caller.organization_id)
    keys = await _keys(caller, here.actor, here.organization.id)
    return _page(caller, keys, {"organization": here.organization})


@get("/profile/keys/generate")
async def get_generate(caller: AtDoor) -> Response[str]:
    """Where a reload leads once a key was generated."""
    return redirect(caller.request, "/profile/keys")


@post("/profile/keys/generate")
async def post_generate(caller: AtDoor, form: Sent) -> Response[str]:
    """Make the caller's first key: the answer has its token."""
    here = await in_organization(caller, form.text("organization"), once=form.once)
    values = {"organization": here.organization, "once": form.text("once")}
    # Read before the key is made: nothing that could fail stands between its token and the answer.
    keys = await _keys(caller, here.actor, here.organization.id)
    try:
        await prove(caller, form)
        made = await _generate(caller, here.actor, here.organization.id)
    except KeysteadError as error:
        errors = errors_of(caller.request, error)
        return _page(caller, keys, {**values, "errors": errors}, status=status_of(error))
    if made.token is None:
        return page(caller.request, "keys/missed.html", place=_place(caller), key=made.value)
    shown = {"token": made.token.reveal(), "toast": say(caller.request, "toast.key-created")}
    return _page(caller, [made.value, *keys], {**values, **shown})


async def _generate(caller: Caller, actor: Actor, organization_id: OrganizationId) -> Changed[Key]:
    draft = NewPersonalKey(name=say(caller.request, "personal.first-name"), organization_id=organization_id)
    return await create_personal_key(caller.context, actor, caller.user.id, draft)


async def _keys(caller: Caller, actor: Actor, organization_id: OrganizationId) -> Sequence[Key]:
    """Their keys that are not revoked, the newest first."""
    wanted = KeyFilter(now=caller.context.clock(), organization_id=organization_id)
    found = await list_personal_keys(caller.context, actor, caller.user.id, wanted, Page(limit=MOST_SHOWN))
    return found.items


def _page(
    caller: Caller, keys: Sequence[Key], values: Mapping[str, object], status: int = 200
) -> Response[str]:
    actor, organization = caller.actor(caller.organization_id), values["organization"]
    methods = organization.ceiling.public_methods if isinstance(organization, Organization) else ()
    rows = rows_of(caller, actor, keys, methods)
    first = _first(rows)
    given: dict[str, Any] = {
        "token": None,
        "errors": {},
        "once": caller.new_once(),
        "first": first,
        "others": [it for it in rows if it is not first],
        **values,
    }
    return page(caller.request, "keys/personal.html", status=status, place=_place(caller), **given)


def _first(rows: Sequence[ShownKey]) -> ShownKey | None:
    """The key that API access is about: the oldest secret one that can be used or brought back."""
    return next((it for it in reversed(rows) if it.key.type is KeyType.SECRET), None)


def _place(caller: Caller) -> Place:
    own = Crumb(say(caller.request, "frame.profile"), "/profile")
    return Place(crumbs=(own, Crumb(say(caller.request, "keys.title"))))


ROUTES = (get_personal_keys, get_generate, post_generate)
