"""The door: who asks for a page, and as whom they act.

A page for people who are signed in takes `caller: AtDoor`; the POST handler of a form with fields also
`form: Sent` (see `forms`, which refuses what no page of ours sent before any handler is reached). A page for
those who are not takes `visit: AsVisitor`. A handler of a form reads like this one:

    @post("/apps/{app_id:str}/rename")
    async def post_rename(caller: AtDoor, form: Sent, app_id: FromPath[str]) -> Response[str]:
        app, actor = await reach_app(caller, app_id)
        try:
            await prove(caller, form)  # only where the password must have been given lately
            await apps.change_app(caller.context, actor, app.id, …)
        except KeysteadError as error:
            # page(…, status=status_of(error), errors=errors_of(caller.request, error))
            return _rename_page(caller, app, form.values, error)
        return redirect(caller.request, f"/apps/{app.id}", toast=Toast(message_id="toast.…"))

Who is not signed in is sent to sign in, and comes back to the page. What a form makes is made once if the
page holds `{{ once_field(once) }}` (`once=caller.new_once()` at first, `caller.once_again(form, error)` when
it is shown again) and the actor was made with `once=form.once`. `{{ proof_field(errors) }}` shows the
password's field while needed. Errors that a handler lets through become pages: NotFound, Denied, Unavailable
and the like need no care.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from keystead.dashboard.cookies import DEVICE, ORGANIZATION, SESSION
from keystead.dashboard.forms import PROOF_FIELD, Form
from keystead.dashboard.provider import find_back
from keystead.dashboard.render import (
    ONCE_FIELD,
    AnyRequest,
    find_cookie,
    is_proven,
    put_proven,
    put_viewer,
    texts_of,
)
from keystead.dashboard.viewer import Spot, Viewer
from keystead.domain.errors import (
    InvalidInput,
    KeysteadError,
    NotFound,
    ProofNeeded,
    SignedOut,
    TooManyAttempts,
)
from keystead.domain.gcra import Refused
from keystead.domain.ids import AppId, IdKind, KeyId, OrganizationId, is_id
from keystead.domain.keys import Key
from keystead.domain.powers import Power, holds, reaches
from keystead.domain.sessions import Session
from keystead.domain.tenants import App, Member, Organization, Role, User
from keystead.ports.store import Resumed
from keystead.services import apps, organizations, people, reading
from keystead.services.context import Actor, Context, Once, Visit
from keystead.services.throttle import Throttle
from keystead.settings.in_effect import InEffect
from keystead.web.facts import caller_address, heard, peer
from keystead.web.request_id import request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What the door needs to know: `request.app.state.entrance`.

    `throttle` is how often each user may ask: nobody keeps the database from the others. `database` and
    `in_effect` are told to operators: which database this is, and every setting.
    """

    context: Context
    throttle: Throttle
    trusted_proxies: tuple[str, ...] = ()
    database: str = ""
    in_effect: Sequence[InEffect] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in person who asks. `organization_id` is the one whose pages they are in; None: in none."""

    request: AnyRequest = field(repr=False)
    context: Context = field(repr=False)
    resumed: Resumed
    organization_id: OrganizationId | None
    address: str | None

    @property
    def session(self) -> Session:
        """The session that asks."""
        return self.resumed.session

    @property
    def user(self) -> User:
        """Who asks."""
        return self.resumed.user

    def new_once(self) -> str:
        """A fresh value for `once_field`."""
        return self.context.new_secret().reveal()

    def once_again(self, form: Form, error: KeysteadError) -> str:
        """The value for `once_field` of a form that is shown again.

        The one that it had, lest what got through after all be made twice; a fresh one after InvalidInput,
        when nothing was made, or something else by what was sent before.
        """
        given = form.text(ONCE_FIELD)
        return self.new_once() if isinstance(error, InvalidInput) or not given else given

    @property
    def memberships(self) -> Sequence[tuple[Member, Organization]]:
        """The organizations that they belong to, as whom; oldest first, suspended ones too."""
        return self.resumed.memberships

    @property
    def proven(self) -> bool:
        """Whether they gave their password lately."""
        return is_proven(self.request)

    def actor(self, organization_id: OrganizationId | None, *, once: Once | None = None) -> Actor:
        """Who acts in an organization; with None in none: on one's own account, and as operators do."""
        return Actor(
            principal=people.acting(self.resumed, organization_id),
            address=self.address,
            request_id=request_id(self.request),
            once=once,
            language=texts_of(self.request).language,
        )

    def role_in(self, organization_id: OrganizationId) -> Role | None:
        """Their role in an organization; None where they have none, or it is suspended."""
        return people.acting(self.resumed, organization_id).role

    def may(self, power: Power, organization_id: OrganizationId | None) -> bool:
        """Whether they hold a power in an organization: what they may not do is not offered to them."""
        person = people.acting(self.resumed, organization_id)
        return holds(person, power) and reaches(person, organization_id)


AtDoor = NamedDependency[SkipValidation[Caller]]
AsVisitor = NamedDependency[SkipValidation[Visit]]


async def provide_caller(request: AnyRequest) -> Caller:
    """Dependency `caller`: who is signed in, as whom the frame then shows.

    Raises SignedOut: nobody is; TooManyAttempts for whoever asks without end.
    """
    entrance: Entrance = request.app.state.entrance
    context = entrance.context
    resumed = await people.resume(context, find_cookie(request, SESSION))
    if resumed is None:
        raise SignedOut
    _require_rate(entrance, resumed.user, context.clock())
    put_proven(request, proven=resumed.session.is_proven(context.clock()))
    spots = _spots(resumed)
    spot = await _current(request, context, resumed, spots)
    put_viewer(request, _viewer(request, resumed, spots, spot))
    return Caller(
        request=request,
        context=context,
        resumed=resumed,
        organization_id=None if spot is None else OrganizationId(spot.id),
        address=address_of(request),
    )


async def provide_visit(request: AnyRequest) -> Visit:
    """Dependency `visit`: a browser, whether or not anybody is signed in with it."""
    return Visit(
        address=address_of(request),
        agent=request.headers.get("user-agent", ""),
        request_id=request_id(request),
        session=find_cookie(request, SESSION),
        device=find_cookie(request, DEVICE),
        language=texts_of(request).language,
    )


async def find_caller(request: AnyRequest) -> Caller | None:
    """Who is signed in, for pages that others see too."""
    try:
        return await provide_caller(request)
    except SignedOut:
        return None


def context_of(request: AnyRequest) -> Context:
    """What services are given, for pages that nobody need be signed in to see."""
    entrance: Entrance = request.app.state.entrance
    return entrance.context


async def prove(caller: Caller, form: Form) -> None:
    """Take the password from the form where it was not given lately; needs no care where it was.

    Raises InvalidInput (`proof`) for a wrong one, ProofNeeded for none, TooManyAttempts.
    """
    if caller.proven:
        return
    given = form.secret(PROOF_FIELD)
    if not given:
        raise ProofNeeded
    if not await people.prove(caller.context, caller.actor(None), given):
        raise InvalidInput(PROOF_FIELD, "is not your password", rule="proof")
    put_proven(caller.request, proven=True)


async def stand_in(caller: Caller, organization_id: OrganizationId, *, once: Once | None = None) -> Actor:
    """Who acts in an organization, which the frame shows from here on. Raises NotFound, Denied."""
    actor = caller.actor(organization_id, once=once)
    spots = _spots(caller.resumed)
    spot = next((it for it in spots if it.id == organization_id), None)
    if spot is None:
        found = await organizations.get_organization(caller.context, actor, organization_id)
        spot = Spot(found.id, found.name)
    put_viewer(caller.request, _viewer(caller.request, caller.resumed, spots, spot))
    return actor


async def reach_app(caller: Caller, app_id: str, *, once: Once | None = None) -> tuple[App, Actor]:
    """An app, and who acts in its organization, whichever of the caller's that is. Raises NotFound."""
    for actor in _actors(caller):
        with suppress(NotFound):
            app = await apps.get_app(caller.context, actor, AppId(app_id))
            return app, await stand_in(caller, app.organization_id, once=once)
    raise NotFound("app", app_id)


async def reach_key(caller: Caller, key_id: str, *, once: Once | None = None) -> tuple[Key, Actor]:
    """A key of whichever kind, and who acts in its organization. Raises NotFound."""
    for actor in _actors(caller):
        with suppress(NotFound):
            key = await reading.get_key(caller.context, actor, KeyId(key_id))
            if key.organization_id is None:
                return key, caller.actor(None, once=once)
            return key, await stand_in(caller, key.organization_id, once=once)
    raise NotFound("key", key_id)


def address_of(request: AnyRequest) -> str | None:
    """Where a request comes from, as far as what it says is believed."""
    entrance: Entrance = request.app.state.entrance
    host = None if request.client is None else request.client.host
    trusted = entrance.trusted_proxies
    found = caller_address(peer(host, trusted), heard(list(request.scope["headers"])), trusted)
    return None if found is None else str(found)


def _actors(caller: Caller) -> Iterator[Actor]:
    """As whom the caller may look for something: in each organization, the one they are in first."""
    if caller.user.operator:
        yield caller.actor(None)
        return
    own = [OrganizationId(it.id) for it in _spots(caller.resumed)]
    for organization_id in sorted(own, key=lambda it: it != caller.organization_id):
        yield caller.actor(organization_id)


def _spots(resumed: Resumed) -> Sequence[Spot]:
    """The organizations that are theirs to go to."""
    return [Spot(it.id, it.name) for _, it in resumed.memberships if it.suspension is None]


def _require_rate(entrance: Entrance, user: User, now: datetime) -> None:
    taken = entrance.throttle.take(user.id, now)
    if isinstance(taken, Refused):
        raise TooManyAttempts(math.ceil(taken.retry_after_us / 1_000_000))


async def _current(
    request: AnyRequest, context: Context, resumed: Resumed, spots: Sequence[Spot]
) -> Spot | None:
    """The organization whose pages somebody is in: the one they chose, else the first of theirs."""
    wish = find_cookie(request, ORGANIZATION)
    chosen = next((it for it in spots if it.id == wish), None)
    if chosen is None and resumed.user.operator and is_id(IdKind.ORGANIZATION, wish):
        actor = Actor(principal=people.acting(resumed, None))
        with suppress(NotFound):
            found = await organizations.get_organization(context, actor, OrganizationId(wish))
            return Spot(found.id, found.name)
    return chosen or next(iter(spots), None)


def _viewer(request: AnyRequest, resumed: Resumed, spots: Sequence[Spot], current: Spot | None) -> Viewer:
    user = resumed.user
    acting = people.acting(resumed, None if current is None else OrganizationId(current.id))
    return Viewer(
        name=user.name,
        email=user.email,
        operator=user.operator,
        organization=current,
        organizations=spots if current is None or current in spots else (current, *spots),
        reads_audit=holds(acting, Power.READ_AUDIT),
        back=find_back(request, context_of(request).people.return_urls),
        language=user.language,
        time_zone=user.time_zone,
        theme=user.theme,
    )
