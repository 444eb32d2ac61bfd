"""Editing a key: the form, then what changes, before and after, then the change."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import PROOF_FIELD, Form, Sent
from keystead.dashboard.key_changes import differences
from keystead.dashboard.key_form import (
    KeyForm,
    faults,
    form_of,
    key_change,
    read_key_form,
    rearranged,
    shown_at,
    zone_of,
)
from keystead.dashboard.key_place import AtKey, at_key, to_change
from keystead.dashboard.pages.keys_new import builder, grantable
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import Renderer, page, redirect, texts_of
from keystead.dashboard.revisions import revision_of
from keystead.dashboard.standing import say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import KeysteadError, Stale
from keystead.domain.keys import OwnerKind
from keystead.domain.tenants import CatalogueScope, Organization
from keystead.services.change import change_key
from keystead.services.organizations import get_organization


@get("/keys/{key_id:str}/edit")
async def get_edit(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """The form of a key as it is."""
    here = await to_change(caller, key_id)
    return await _form_page(here, form_of(here.key), here.key.revision)


@post("/keys/{key_id:str}/edit")
async def post_edit(caller: AtDoor, form: Sent, key_id: FromPath[str]) -> Response[str]:
    """A step on the way to the change, or the change."""
    here = await to_change(caller, key_id, form)
    typed, wish = read_key_form(form), form.text("do")
    revision = revision_of(form) or here.key.revision
    again = rearranged(typed, wish)
    if again is not None or wish == "back":
        return await _form_page(here, again or typed, revision, form)
    found = faults(typed, zone_of(caller.user.time_zone, typed), texts_of(caller.request))
    if found:
        return await _form_page(here, typed, revision, form, found)
    if wish != "change" or revision != here.key.revision:
        return _review_page(here, typed, revision)
    return await _change(here, typed, revision, form)


async def _change(here: AtKey, typed: KeyForm, revision: int, form: Form) -> Response[str]:
    caller = here.caller
    try:
        if here.key.owner.kind is OwnerKind.INSTANCE:
            await prove(caller, form)
        draft = key_change(typed, zone_of(caller.user.time_zone, typed))
        await change_key(caller.context, here.actor, here.key.id, draft, revision=revision)
    except Stale:
        return _review_page(await at_key(caller, here.key.id, form), typed, revision)
    except KeysteadError as error:
        found = shown_at(errors_of(caller.request, error), typed)
        if PROOF_FIELD in found:
            return _review_page(here, typed, revision, found)
        return await _form_page(here, typed, revision, form, found, status_of(error))
    toast = Toast(message_id="toast.key-changed", values={"name": typed.name})
    return redirect(caller.request, here.path(), toast=toast)


async def _form_page(  # noqa: PLR0913, PLR0917 - what a form is made of
    here: AtKey,
    typed: KeyForm,
    revision: int,
    form: Form | None = None,
    errors: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response[str]:
    request = here.caller.request
    return page(
        request,
        "keys/edit.html",
        status=status or (422 if errors else 200),
        place=here.place(Crumb(say(request, "keys.edit"))),
        path=here.path(),
        key=here.key,
        typed=typed,
        revision=revision,
        errors=errors or {},
        scopes=await _scopes(here),
        **builder(here.caller, here.public_methods, typed, form),
    )


def _review_page(
    here: AtKey, typed: KeyForm, revision: int, errors: Mapping[str, str] | None = None
) -> Response[str]:
    """Before, which is how the key is now, and after; a change made meanwhile is told."""
    request = here.caller.request
    renderer: Renderer = request.app.state.renderer
    stale = revision != here.key.revision
    zone = zone_of(here.caller.user.time_zone, typed)
    return page(
        request,
        "keys/review.html",
        status=409 if stale else (422 if errors else 200),
        place=here.place(Crumb(say(request, "keys.edit"))),
        path=here.path(),
        key=here.key,
        typed=typed,
        revision=here.key.revision,
        stale=stale,
        errors=errors or {},
        changes=differences(here.key, typed, zone, renderer.reading(request), here.public_methods),
        asks_proof=here.key.owner.kind is OwnerKind.INSTANCE,
    )


async def _scopes(here: AtKey) -> list[CatalogueScope]:
    """The scopes to choose from: those that may be granted, and those it has already."""
    if here.key.organization_id is None:
        return []
    organization: Organization = await get_organization(
        here.caller.context, here.actor, here.key.organization_id
    )
    offered = list(await grantable(here.caller, here.actor, organization))
    missing = set(here.key.scopes) - {it.name for it in offered}
    kept = [
        CatalogueScope(name=it, description="", customer_grantable=False, created_at=here.key.created_at)
        for it in sorted(missing)
    ]
    return [*offered, *kept]


ROUTES = (get_edit, post_edit)
