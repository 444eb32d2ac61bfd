"""One's own account: name and preferences, e-mail, password, and the sessions one is signed in with."""

from collections.abc import Mapping, Sequence
from functools import cache
from zoneinfo import available_timezones

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from keystead.dashboard.agents import device_of
from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import Renderer, page, redirect
from keystead.dashboard.signing import let_in
from keystead.dashboard.standing import say
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb, Place
from keystead.domain.errors import InvalidInput, KeysteadError, NotFound
from keystead.domain.ids import SessionId
from keystead.domain.tenants import Theme
from keystead.services import account, people


@get("/profile")
async def get_profile(caller: AtDoor) -> Response[str]:
    """The account, and where one is signed in."""
    user = caller.user
    values = {
        "name": user.name,
        "language": user.language or "",
        "time_zone": user.time_zone or "",
        "theme": user.theme or "",
    }
    return await _profile_page(caller, values, {})


@post("/profile")
async def post_profile(caller: AtDoor, form: Sent) -> Response[str]:
    """Change the name and the preferences."""
    try:
        await account.change_account(
            caller.context,
            caller.actor(None),
            account.AccountChange(
                name=form.text("name"),
                language=_language(caller, form),
                time_zone=form.text("time_zone") or None,
                theme=_theme(form),
            ),
        )
    except KeysteadError as error:
        errors = errors_of(caller.request, error)
        return await _profile_page(caller, form.values, errors, status=status_of(error))
    return redirect(caller.request, "/profile", toast=Toast(message_id="toast.profile-saved"))


@post("/profile/theme")
async def post_theme(caller: AtDoor, form: Sent) -> Response[str]:
    """Change the theme, from the menu."""
    change = account.AccountChange(theme=_theme(form))
    await account.change_account(caller.context, caller.actor(None), change)
    return redirect(caller.request, "/profile")


@get("/profile/email")
async def get_email(caller: AtDoor) -> Response[str]:
    """The form for another address."""
    return _email_page(caller, {}, {})


@post("/profile/email")
async def post_email(caller: AtDoor, form: Sent) -> Response[str]:
    """Change the address, at once or once its link was opened."""
    email = form.text("email")
    try:
        await prove(caller, form)
        changed = await account.change_email(caller.context, caller.actor(None), email=email)
    except KeysteadError as error:
        errors = errors_of(caller.request, error)
        return _email_page(caller, form.values, errors, status=status_of(error))
    done = changed.value.email == email.lower()
    toast = Toast(message_id="toast.email-changed" if done else "toast.email-mailed", values={"email": email})
    return redirect(caller.request, "/profile", toast=toast)


@get("/profile/password")
async def get_password(caller: AtDoor) -> Response[str]:
    """The form for another password."""
    return _password_page(caller, {})


@post("/profile/password")
async def post_password(caller: AtDoor, form: Sent) -> Response[str]:
    """Change the password; the other sessions end."""
    try:
        await prove(caller, form)
        password = form.secret("password")
        changed = await account.change_password(caller.context, caller.actor(None), password=password)
    except KeysteadError as error:
        return _password_page(caller, errors_of(caller.request, error), status=status_of(error))
    return let_in(caller.request, changed, "/profile", toast=Toast(message_id="toast.password-changed"))


@post("/profile/sessions/end")
async def post_end_others(caller: AtDoor) -> Response[str]:
    """End all sessions but this one."""
    await people.sign_out_elsewhere(caller.context, caller.actor(None))
    return redirect(caller.request, "/profile", toast=Toast(message_id="toast.sessions-ended"))


@post("/profile/sessions/{session_id:str}/end")
async def post_end(caller: AtDoor, session_id: FromPath[str]) -> Response[str]:
    """End one session; one that has ended already is as good."""
    try:
        await people.end_session(caller.context, caller.actor(None), SessionId(session_id))
    except NotFound:
        return redirect(caller.request, "/profile")
    return redirect(caller.request, "/profile", toast=Toast(message_id="toast.session-ended"))


async def _profile_page(
    caller: Caller, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
) -> Response[str]:
    renderer: Renderer = caller.request.app.state.renderer
    sessions = [
        {
            "id": it.id,
            "device": device_of(it.agent),
            "address": it.address,
            "seen": it.last_seen_at,
            "began": it.created_at,
            "current": it.id == caller.session.id,
        }
        for it in await people.list_sessions(caller.context, caller.actor(None))
    ]
    return page(
        caller.request,
        "profile/profile.html",
        status=status,
        place=_place(caller),
        values=values,
        errors=errors,
        user=caller.user,
        sessions=sessions,
        memberships=caller.memberships,
        languages=[
            (name, str(texts.locale.get_language_name(texts.locale)).capitalize())
            for name, texts in renderer.languages.items()
        ],
        zones=_zones(),
    )


def _email_page(
    caller: Caller, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
) -> Response[str]:
    return page(
        caller.request,
        "profile/email.html",
        status=status,
        place=_place(caller),
        values=values,
        errors=errors,
        user=caller.user,
        mailed=caller.context.people.mail is not None,
    )


def _password_page(caller: Caller, errors: Mapping[str, str], *, status: int = 200) -> Response[str]:
    return page(
        caller.request,
        "profile/password.html",
        status=status,
        place=_place(caller),
        errors=errors,
        user=caller.user,
    )


def _place(caller: Caller) -> Place:
    return Place(crumbs=(Crumb(say(caller.request, "frame.profile")),))


def _language(caller: Caller, form: Form) -> str | UnsetType | None:
    renderer: Renderer = caller.request.app.state.renderer
    chosen = form.text("language")
    if chosen and chosen not in renderer.languages:
        problem = "is not a language of these pages: choose one that is listed"
        raise InvalidInput("language", problem, rule="language")
    return chosen or None


def _theme(form: Form) -> Theme | UnsetType | None:
    chosen = form.text("theme")
    if not chosen:
        return None
    return Theme(chosen) if chosen in set(Theme) else UNSET


@cache
def _zones() -> Sequence[tuple[str, str]]:
    """The zones that people call by a place, and UTC."""
    places = (it for it in available_timezones() if "/" in it and not it.startswith(("Etc/", "SystemV/")))
    return [(it, it) for it in ("UTC", *sorted(places))]


ROUTES = (
    get_profile,
    post_profile,
    post_theme,
    get_email,
    post_email,
    get_password,
    post_password,
    post_end_others,
    post_end,
)
