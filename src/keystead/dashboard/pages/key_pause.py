"""Disabling and enabling a key, and deleting it."""

from collections.abc import Awaitable, Callable

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.key_place import AtKey, to_change
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import InvalidInput, KeysteadError
from keystead.domain.ids import KeyId
from keystead.domain.keys import OwnerKind, RevokedReason
from keystead.services.context import Actor, Context
from keystead.services.pause import disable_key, enable_key
from keystead.services.revoke import count_descendants, is_last_key, revoke_key

DELETE = "DELETE"
"""The word to type before a key is deleted: the same in every language."""


@get("/keys/{key_id:str}/disable")
async def get_disable(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """What disabling does."""
    return _pause_page(await to_change(caller, key_id), "disable")


@post("/keys/{key_id:str}/disable")
async def post_disable(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """Pause a key."""
    return await _pause(await to_change(caller, key_id, form), form, "disable", disable_key)


@get("/keys/{key_id:str}/enable")
async def get_enable(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """What enabling does."""
    return _pause_page(await to_change(caller, key_id), "enable")


@post("/keys/{key_id:str}/enable")
async def post_enable(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """End a key's pause."""
    return await _pause(await to_change(caller, key_id, form), form, "enable", enable_key)


@get("/keys/{key_id:str}/delete")
async def get_delete(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """What deleting does, and what else could be done about the last usable key of an app."""
    return await _delete_page(await to_change(caller, key_id))


@post("/keys/{key_id:str}/delete")
async def post_delete(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """Revoke a key, and if wished all that it made; an exposed one at once, without a word to type."""
    here = await to_change(caller, key_id, form)
    exposed = form.text("do") == "exposed"
    try:
        if not exposed and form.text("typed") != DELETE:
            raise InvalidInput("typed", f"write {DELETE}", rule="word", word=DELETE)
        if exposed or here.key.owner.kind is OwnerKind.INSTANCE:
            await prove(caller, form)
        reason = RevokedReason.COMPROMISED if exposed else RevokedReason.UNSPECIFIED
        wider = form.flag("children")
        await revoke_key(caller.context, here.actor, here.key.id, reason=reason, descendants=wider)
    except KeysteadError as error:
        return await _delete_page(here, error, exposed=exposed, children=form.flag("children"))
    return redirect(caller.request, here.back, toast=_toast("toast.key-deleted", here))


async def _pause(
    here: AtKey, form: Form, verb: str, change: Callable[[Context, Actor, KeyId], Awaitable[object]]
) -> Response[str]:
    caller = here.caller
    try:
        if here.key.owner.kind is OwnerKind.INSTANCE:
            await prove(caller, form)
        await change(caller.context, here.actor, here.key.id)
    except KeysteadError as error:
        return _pause_page(here, verb, error)
    return redirect(caller.request, here.path(), toast=_toast(f"toast.key-{verb}d", here))


def _pause_page(here: AtKey, verb: str, error: KeysteadError | None = None) -> Response[str]:
    request = here.caller.request
    return page(
        request,
        "keys/pause.html",
        status=200 if error is None else status_of(error),
        place=here.place(Crumb(say(request, f"keys.{verb}"))),
        path=here.path(),
        key=here.key,
        verb=verb,
        errors={} if error is None else errors_of(request, error),
        asks_proof=here.key.owner.kind is OwnerKind.INSTANCE,
    )


async def _delete_page(
    here: AtKey, error: KeysteadError | None = None, *, exposed: bool = False, children: bool = False
) -> Response[str]:
    caller, request = here.caller, here.caller.request
    return page(
        request,
        "keys/delete.html",
        status=200 if error is None else status_of(error),
        place=here.place(Crumb(say(request, "keys.delete"))),
        path=here.path(),
        key=here.key,
        word=DELETE,
        new_path=None if here.app is None else f"/apps/{here.app.id}/keys/new",
        made=await count_descendants(caller.context, here.actor, here.key.id),
        last=await is_last_key(caller.context, here.actor, here.key.id),
        children=children,
        errors={} if error is None else errors_of(request, error),
        asks_proof=exposed or here.key.owner.kind is OwnerKind.INSTANCE,
    )


def _toast(message_id: str, here: AtKey) -> Toast:
    return Toast(message_id=message_id, values={"name": here.key.name})


ROUTES: tuple[HTTPRouteHandler, ...] = (
    get_disable,
    post_disable,
    get_enable,
    post_enable,
    get_delete,
    post_delete,
)
