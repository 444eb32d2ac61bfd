"""Links that let somebody in, all at one path: GET shows what a link is for, POST uses it up."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from litestar import Response, get, post

from keystead.dashboard.door import AsVisitor, Caller, context_of, find_caller
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import AnyRequest, page, redirect
from keystead.dashboard.signing import enter, know_again, let_in
from keystead.dashboard.toasts import Toast
from keystead.domain.errors import KeysteadError, LinkClosed, SignedOut
from keystead.domain.links import LinkKind
from keystead.domain.text import make_name
from keystead.services import accept
from keystead.services.context import Context, Visit
from keystead.services.devices import device_cookie
from keystead.services.links import LINK_PATH, SECRET_QUERY, Looked, look_at
from keystead.services.set_up import set_up
from keystead.services.sign_up import sign_up


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A link that somebody opened, and who they are if they are signed in."""

    request: AnyRequest = field(repr=False)
    text: str = field(repr=False)
    looked: Looked
    caller: Caller | None

    @property
    def context(self) -> Context:
        return context_of(self.request)

    @property
    def path(self) -> str:
        """The link itself, to come back to after signing in."""
        return f"{LINK_PATH}?{urlencode({SECRET_QUERY: self.text})}"

    @property
    def is_theirs(self) -> bool:
        """Whether the one it is for is the one who is signed in."""
        user, caller = self.looked.user, self.caller
        return user is not None and caller is not None and caller.user.id == user.id


class _Way(NamedTuple):
    """How one sort of link is shown, and what its form does."""

    template: str
    take: Callable[[_Opened, Visit, Form], Awaitable[Response[str]]]


@get(LINK_PATH)
async def get_link(request: AnyRequest) -> Response[str]:
    """What a link is for; nothing is used up, however often mail scanners and previews look."""
    return _page(await _open(request), {}, {})


@post(LINK_PATH)
async def post_link(request: AnyRequest, visit: AsVisitor, form: Sent) -> Response[str]:
    """Do what the link gives."""
    opened = await _open(request)
    try:
        return await _way(opened).take(opened, visit, form)
    except LinkClosed:
        raise
    except KeysteadError as error:
        return _page(opened, form.values, errors_of(request, error), status=status_of(error))


async def _open(request: AnyRequest) -> _Opened:
    text = request.query_params.get(SECRET_QUERY, "")
    looked = await look_at(context_of(request), text)
    if looked is None:
        raise LinkClosed
    return _Opened(request=request, text=text, looked=looked, caller=await find_caller(request))


def _page(
    opened: _Opened, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
) -> Response[str]:
    looked = opened.looked
    return page(
        opened.request,
        _way(opened).template,
        status=status,
        values=values,
        errors=errors,
        opened=opened,
        link=looked.link,
        user=looked.user,
        organization=looked.organization,
    )


async def _set_up(opened: _Opened, visit: Visit, form: Form) -> Response[str]:
    signed_in = await set_up(
        opened.context,
        visit,
        opened.text,
        email=form.text("email"),
        name=form.text("name"),
        password=form.secret("password"),
        organization=make_name(form.text("organization"), field="organization"),
    )
    return let_in(opened.request, signed_in, toast=Toast(message_id="toast.set-up"))


async def _accept(opened: _Opened, visit: Visit, form: Form) -> Response[str]:
    signed_in = await accept.accept_invitation(
        opened.context, visit, opened.text, name=form.text("name"), password=form.secret("password")
    )
    return _joined(opened, let_in(opened.request, signed_in, toast=_welcome(opened)))


async def _join(opened: _Opened, _visit: Visit, _form: Form) -> Response[str]:
    if opened.caller is None:
        raise SignedOut
    await accept.join(opened.context, opened.caller.actor(None), opened.text)
    return _joined(opened, redirect(opened.request, "/", toast=_welcome(opened)))


async def _reset_password(opened: _Opened, visit: Visit, form: Form) -> Response[str]:
    user = await accept.reset_password(opened.context, visit, opened.text, password=form.secret("password"))
    answer = redirect(opened.request, "/sign-in", toast=Toast(message_id="toast.password-reset"))
    # Whoever is kept out by others who guess at the account gets in again this way.
    return know_again(opened.request, answer, device_cookie(opened.context, user))


async def _confirm(opened: _Opened, visit: Visit, _form: Form) -> Response[str]:
    user = await accept.confirm_email(opened.context, visit, opened.text)
    toast = Toast(message_id="toast.email-confirmed", values={"email": user.email})
    return redirect(opened.request, "/profile", toast=toast)


async def _sign_up(opened: _Opened, visit: Visit, form: Form) -> Response[str]:
    signed_in = await sign_up(
        opened.context,
        visit,
        opened.text,
        name=form.text("name"),
        password=form.secret("password"),
        organization=make_name(form.text("organization"), field="organization"),
    )
    return let_in(opened.request, signed_in, toast=Toast(message_id="toast.set-up"))


async def _sign_in(opened: _Opened, visit: Visit, _form: Form) -> Response[str]:
    return let_in(opened.request, await accept.sign_in_by_link(opened.context, visit, opened.text))


_WAYS = {
    LinkKind.SET_UP: _Way("links/set_up.html", _set_up),
    LinkKind.PASSWORD_RESET: _Way("links/password_reset.html", _reset_password),
    LinkKind.SIGN_IN: _Way("links/sign_in.html", _sign_in),
}
_NEWCOMER, _MEMBER = _Way("links/invitation.html", _accept), _Way("links/join.html", _join)
_CUSTOMER, _CONFIRMER = _Way("links/sign_up.html", _sign_up), _Way("links/email.html", _confirm)


def _way(opened: _Opened) -> _Way:
    link = opened.looked.link
    match link.kind:
        case LinkKind.INVITATION:
            return _NEWCOMER if opened.looked.user is None else _MEMBER
        case LinkKind.EMAIL:
            return _CUSTOMER if link.user_id is None else _CONFIRMER
        case kind:
            return _WAYS[kind]


def _joined(opened: _Opened, response: Response[str]) -> Response[str]:
    organization = opened.looked.organization
    return response if organization is None else enter(opened.request, response, organization.id)


def _welcome(opened: _Opened) -> Toast:
    organization = opened.looked.organization
    name = "" if organization is None else organization.name
    return Toast(message_id="toast.joined", values={"organization": name})


ROUTES = (get_link, post_link)
