"""Making a key: the form, the word that confirms it, and the one page that shows its token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import PROOF_FIELD, Form, Sent
from keystead.dashboard.key_form import (
    KeyForm,
    faults,
    new_key,
    new_personal_key,
    read_key_form,
    rearranged,
    shown_at,
    unmade,
    zone_of,
)
from keystead.dashboard.key_made import MADE, made_before, made_page
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect, texts_of
from keystead.dashboard.rules import also_opened, in_force, in_words
from keystead.dashboard.standing import in_app, in_organization
from keystead.dashboard.tester import METHODS, Trial, attempt
from keystead.dashboard.viewer import Crumb, Place
from keystead.domain.constraints import Constraint
from keystead.domain.errors import KeysteadError, TooManyAttempts
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import Key, KeyType
from keystead.domain.powers import Power
from keystead.domain.scopes import scopes_cover
from keystead.domain.tenants import App, CatalogueScope, Organization
from keystead.ports.store import Page
from keystead.services.access import require
from keystead.services.context import Actor
from keystead.services.issue import create_app_key, create_personal_key
from keystead.services.mutation import Changed
from keystead.services.organizations import get_organization
from keystead.services.scopes import list_scopes

CREATE = "CREATE"
"""The word to type before a key is made: the same in every language."""

_EVERY = 10_000
"""More scopes than any catalogue has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a key is being made: in an app, or with `app` None a personal key in an organization."""

    caller: Caller
    actor: Actor
    organization: Organization
    app: App | None
    place: Place
    path: str
    back: str

    @property
    def public_methods(self) -> tuple[str, ...]:
        """What a public key may do at most."""
        return self.organization.ceiling.public_methods

    def zone(self, typed: KeyForm) -> tzinfo:
        """The time zone that a date is meant in."""
        return zone_of(self.caller.user.time_zone, typed)

    async def make(self, typed: KeyForm) -> Changed[Key]:
        """Make the key that was typed."""
        context, zone = self.caller.context, self.zone(typed)
        if self.app is not None:
            return await create_app_key(context, self.actor, self.app.id, new_key(typed, zone))
        draft = new_personal_key(typed, zone, self.organization.id)
        return await create_personal_key(context, self.actor, self.caller.user.id, draft)


async def app_bench(caller: Caller, app_id: str, form: Form | None = None) -> Bench:
    """The bench of an app. Raises NotFound, and Denied for whom may not make its keys."""
    here = await in_app(caller, app_id, once=None if form is None else form.once)
    require(here.actor.principal, Power.CHANGE_APP_KEYS)
    texts = texts_of(caller.request)
    crumbs = (Crumb(texts.text("keys.title"), here.path("/keys")), Crumb(texts.text("keys.new-title")))
    return Bench(
        caller=caller,
        actor=here.actor,
        organization=await get_organization(caller.context, here.actor, here.app.organization_id),
        app=here.app,
        place=here.place("app-keys", *crumbs),
        path=here.path("/keys/new"),
        back=here.path("/keys"),
    )


async def personal_bench(caller: Caller, form: Form | None = None) -> Bench:
    """The bench of the caller's own keys, in the organization that they are in. Raises NotFound."""
    chosen = caller.organization_id if form is None else form.text("organization")
    once = None if form is None else form.once
    here = await in_organization(caller, OrganizationId(chosen or ""), once=once)
    texts = texts_of(caller.request)
    return Bench(
        caller=caller,
        actor=here.actor,
        organization=here.organization,
        app=None,
        place=Place(
            crumbs=(
                Crumb(texts.text("frame.profile"), "/profile"),
                Crumb(texts.text("keys.title"), "/profile/keys"),
                Crumb(texts.text("keys.new-title")),
            )
        ),
        path="/profile/keys/new",
        back="/profile/keys",
    )


@get("/apps/{app_id:str}/keys/new")
async def get_new_key(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The form of a new key of an app."""
    if (made := made_before(caller)) is not None:
        return redirect(caller.request, f"/keys/{made}")
    return await _form_page(await app_bench(caller, app_id), KeyForm(), caller.new_once())


@post("/apps/{app_id:str}/keys/new")
async def post_new_key(caller: AtDoor, form: Sent, app_id: FromPath[str]) -> Response[str]:
    """A step on the way to a new key of an app, or the key."""
    return await _step(await app_bench(caller, app_id, form), form)


@get("/profile/keys/new")
async def get_new_personal_key(caller: AtDoor) -> Response[str]:
    """The form of a new personal key."""
    if (made := made_before(caller)) is not None:
        return redirect(caller.request, f"/keys/{made}")
    return await _form_page(await personal_bench(caller), KeyForm(), caller.new_once())


@post("/profile/keys/new")
async def post_new_personal_key(caller: AtDoor, form: Sent) -> Response[str]:
    """A step on the way to a new personal key, or the key."""
    return await _step(await personal_bench(caller, form), form)


def builder(
    caller: Caller, public_methods: Sequence[str], typed: KeyForm, form: Form | None = None
) -> Mapping[str, Any]:
    """What the constraints builder shows of what was typed: how each rule reads, and what the tester says."""
    texts = texts_of(caller.request)
    broken = unmade(typed, texts)
    known = bool(typed.made) or not broken
    made = _in_force(typed, public_methods) if known else []
    method, path = (form.text("try-method"), form.text("try-path")) if form else ("", "")
    return {
        "broken": broken,
        "reads": {number: in_words(rule, texts) for number, rule in made},
        "warnings": {
            number: (opened, f"{rule.pattern}/") for number, rule in made if (opened := also_opened(rule))
        },
        "trial": attempt(made, method, path) if known else Trial(method=method, path=path),
        "try_methods": [(it, it) for it in METHODS],
    }


def _in_force(typed: KeyForm, public_methods: Sequence[str]) -> Sequence[tuple[int, Constraint]]:
    """The rules that can be made, as they will be judged; without any, what the ceiling alone says."""
    made = typed.made
    judged = in_force(typed.type, [rule for _, rule in made], public_methods)
    return list(zip([number for number, _ in made] or [0], judged, strict=False))


async def grantable(caller: Caller, actor: Actor, organization: Organization) -> Sequence[CatalogueScope]:
    """The scopes that may be granted in an organization: those of the catalogue, up to the ceiling."""
    found = await list_scopes(caller.context, actor, Page(limit=_EVERY))
    most = organization.ceiling.scopes
    return [it for it in found.items if most is None or scopes_cover(most, (it.name,))]


async def _step(bench: Bench, form: Form) -> Response[str]:
    typed, once, wish = read_key_form(form), form.text("once") or bench.caller.new_once(), form.text("do")
    again = rearranged(typed, wish)
    if again is not None or wish == "back":
        return await _form_page(bench, again or typed, once, form)
    texts = texts_of(bench.caller.request)
    found = faults(typed, bench.zone(typed), texts)
    if found:
        return await _form_page(bench, typed, once, form, found)
    if wish != "create":
        return _confirm_page(bench, typed, once)
    if form.text("typed") != CREATE:
        return _confirm_page(bench, typed, once, {"typed": texts.text("fault.word", word=CREATE)})
    return await _create(bench, typed, once, form)


async def _create(bench: Bench, typed: KeyForm, once: str, form: Form) -> Response[str]:
    caller = bench.caller
    try:
        if typed.type == KeyType.SECRET:
            await prove(caller, form)
        made = await bench.make(typed)
    except KeysteadError as error:
        found = shown_at(errors_of(caller.request, error), typed)
        if PROOF_FIELD in found or isinstance(error, TooManyAttempts):
            return _confirm_page(bench, typed, once, found, status_of(error))
        return await _form_page(bench, typed, caller.once_again(form, error), form, found, status_of(error))
    place = _named(bench.place, made.value)
    return made_page(caller, made, place, MADE, app=bench.app, public_methods=bench.public_methods)


async def _form_page(  # noqa: PLR0913, PLR0917 - what a form is made of
    bench: Bench,
    typed: KeyForm,
    once: str,
    form: Form | None = None,
    errors: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response[str]:
    caller = bench.caller
    return page(
        caller.request,
        "keys/new.html",
        status=status or (422 if errors else 200),
        place=bench.place,
        bench=bench,
        typed=typed,
        once=once,
        errors=errors or {},
        scopes=await grantable(caller, bench.actor, bench.organization),
        **builder(caller, bench.public_methods, typed, form),
    )


def _confirm_page(
    bench: Bench,
    typed: KeyForm,
    once: str,
    errors: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response[str]:
    expiry = new_key(typed, bench.zone(typed))
    return page(
        bench.caller.request,
        "keys/confirm.html",
        status=status or (422 if errors else 200),
        place=bench.place,
        bench=bench,
        typed=typed,
        once=once,
        errors=errors or {},
        ends_at=expiry.expires_at or None,
        word=CREATE,
        **builder(bench.caller, bench.public_methods, typed),
    )


def _named(place: Place, key: Key) -> Place:
    return replace(place, crumbs=(*place.crumbs[:-1], Crumb(key.name)))


ROUTES = (get_new_key, post_new_key, get_new_personal_key, post_new_personal_key)
