"""New tokens of a key, and the end of old ones: roll, regenerate, retire."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.key_form import AGAIN, KEEP, NEVER, KeyForm, chosen_rotation, field_of, zone_of
from keystead.dashboard.key_made import made_page
from keystead.dashboard.key_place import AtKey, to_change
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect
from keystead.dashboard.standing import say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import KeysteadError, NotFound
from keystead.domain.ids import VersionId
from keystead.domain.keys import KeyType, Version
from keystead.domain.rotation import DEFAULT_GRACE, is_safe_to_retire, retire_at
from keystead.services.drafts import Rotation
from keystead.services.rotate import retire_version, rotate_key

GRACES = {
    "0": 0,
    "1h": 3_600,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "7d": 604_800,
    "14d": 1_209_600,
    "30d": 2_592_000,
}
"""How long an old token may still work, in seconds."""

_USUAL = next(name for name, seconds in GRACES.items() if seconds == DEFAULT_GRACE.total_seconds())


@get("/keys/{key_id:str}/roll")
async def get_roll(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """What rolling does, and for how long the old token is to work."""
    if "made" in caller.request.query_params:
        return redirect(caller.request, f"/keys/{key_id}")
    here = await to_change(caller, key_id)
    return _roll_page(here, {"once": caller.new_once(), "grace": _USUAL, "expiry": _first_expiry(here)})


@post("/keys/{key_id:str}/roll")
async def post_roll(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """Roll a key: the answer has its new token."""
    here = await to_change(caller, key_id, form)
    typed = KeyForm(expiry=form.text("expiry") or KEEP, date=form.text("date"), zone=form.text("zone"))
    grace_s = GRACES.get(form.text("grace"), GRACES[_USUAL])
    try:
        draft = chosen_rotation(typed, zone_of(caller.user.time_zone, typed), here.key.lifetime, grace_s)
        return await _rotated(here, form, draft)
    except KeysteadError as error:
        return _roll_page(here, {**form.values, "once": caller.once_again(form, error)}, error)


@get("/keys/{key_id:str}/regenerate")
async def get_regenerate(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """What regenerating does: the old token dies now."""
    if "made" in caller.request.query_params:
        return redirect(caller.request, f"/keys/{key_id}")
    here = await to_change(caller, key_id)
    return _regenerate_page(here, {"once": caller.new_once(), "expiry": _first_expiry(here)})


@post("/keys/{key_id:str}/regenerate")
async def post_regenerate(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """Regenerate a key: the answer has its new token."""
    here = await to_change(caller, key_id, form)
    typed = KeyForm(expiry=form.text("expiry") or KEEP)
    try:
        draft = chosen_rotation(typed, zone_of(caller.user.time_zone, typed), here.key.lifetime, 0)
        return await _rotated(here, form, draft)
    except KeysteadError as error:
        return _regenerate_page(here, {**form.values, "once": caller.once_again(form, error)}, error)


@get("/keys/{key_id:str}/versions/{version_id:str}/retire")
async def get_retire(caller: AtDoor, key_id: FromPath[str], version_id: FromPath[str]) -> Response[str]:
    """What retiring a token now does."""
    here = await to_change(caller, key_id)
    return _retire_page(here, _version(here, version_id))


@post("/keys/{key_id:str}/versions/{version_id:str}/retire")
async def post_retire(
    caller: AtDoor, form: Sent, key_id: FromPath[str], version_id: FromPath[str]
) -> Response[str]:
    """Retire a token now."""
    here = await to_change(caller, key_id, form)
    version = _version(here, version_id)
    try:
        await retire_version(caller.context, here.actor, here.key.id, version.id)
    except KeysteadError as error:
        return _retire_page(here, version, error)
    toast = Toast(message_id="toast.token-retired", values={"last4": version.last4})
    return redirect(caller.request, here.path(), toast=toast)


async def _rotated(here: AtKey, form: Form, draft: Rotation) -> Response[str]:
    if here.key.type is KeyType.SECRET:
        await prove(here.caller, form)
    made = await rotate_key(here.caller.context, here.actor, here.key.id, draft)
    after = replace(here, key=made.value)
    return made_page(
        here.caller,
        made,
        after.place(),
        "keys.rolled-title",
        app=here.app,
        public_methods=here.public_methods,
    )


def _roll_page(here: AtKey, values: Mapping[str, str], error: KeysteadError | None = None) -> Response[str]:
    now = here.caller.context.clock()
    return page(
        here.caller.request,
        "keys/roll.html",
        graces=[(it, say(here.caller.request, f"keys.grace-{it}")) for it in GRACES],
        until=retire_at(now, DEFAULT_GRACE, here.key.expires_at),
        **_values(here, values, error, "keys.roll"),
    )


def _regenerate_page(
    here: AtKey, values: Mapping[str, str], error: KeysteadError | None = None
) -> Response[str]:
    return page(
        here.caller.request, "keys/regenerate.html", **_values(here, values, error, "keys.regenerate")
    )


def _retire_page(here: AtKey, version: Version, error: KeysteadError | None = None) -> Response[str]:
    now: datetime = here.caller.context.clock()
    return page(
        here.caller.request,
        "keys/retire.html",
        version=version,
        safe=is_safe_to_retire(here.key, version, now),
        **_values(here, {}, error, "keys.retire"),
    )


def _values(
    here: AtKey, values: Mapping[str, str], error: KeysteadError | None, title: str
) -> Mapping[str, Any]:
    """What each of these pages is made of; the status is among it."""
    request = here.caller.request
    errors = {} if error is None else errors_of(request, error)
    return {
        "status": 200 if error is None else status_of(error),
        "place": here.place(Crumb(say(request, title))),
        "path": here.path(),
        "key": here.key,
        "shown": here.shown,
        "values": values,
        "errors": {field_of(name): it for name, it in errors.items()},
        "expiries": [(it, say(request, f"keys.expiry-{it}")) for it in _expiries(here)],
    }


def _expiries(here: AtKey) -> list[str]:
    """The choices of a key that has an expiry; a key without one has none to choose."""
    key = here.key
    if key.expires_at is None:
        return []
    again = [AGAIN] if key.lifetime is not None else []
    # An expired key comes back only with a new expiry.
    return [*again, NEVER] if here.shown.state == "expired" else [*again, KEEP, NEVER]


def _first_expiry(here: AtKey) -> str:
    return next(iter(_expiries(here)), KEEP)


def _version(here: AtKey, version_id: str) -> Version:
    wanted = VersionId(version_id)
    found = next((it for it in here.key.versions if it.id == wanted), None)
    if found is None:
        raise NotFound("version", version_id)
    return found


ROUTES = (get_roll, post_roll, get_regenerate, post_regenerate, get_retire, post_retire)
