"""An app's Settings: its name, what it allows, suspending and deleting it."""

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.faults import errors_of, fault_text
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.lists import by_field, lines_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, redirect, texts_of
from keystead.dashboard.revisions import revision_of
from keystead.dashboard.standing import InApp, in_app, say
from keystead.dashboard.texts import Texts
from keystead.dashboard.toasts import Toast
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import InvalidInput, KeysteadError, Stale
from keystead.domain.origins import MAX_ORIGINS, make_origin
from keystead.domain.powers import Power, is_provider
from keystead.domain.tenants import App
from keystead.services.access import require
from keystead.services.apps import change_app, delete_app
from keystead.services.drafts import AppChange

Checked = tuple[str, str | None, str | None]
"""An origin as it was typed, as it is read, and what is wrong with it."""


@get("/apps/{app_id:str}/settings")
async def get_settings(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The settings of an app."""
    here = await in_app(caller, app_id)
    return _settings_page(caller, here, _values(here.app))


@post("/apps/{app_id:str}/settings")
async def post_settings(caller: AtDoor, form: Sent, app_id: FromPath[str]) -> Response[str]:
    """Change an app's settings, unless somebody else did since the page was shown."""
    here = await in_app(caller, app_id)
    try:
        await change_app(caller.context, here.actor, here.app.id, _draft(form), revision=revision_of(form))
    except Stale as error:
        return _settings_page(caller, here, _values(here.app), error)
    except KeysteadError as error:
        return _settings_page(caller, here, _typed(form), error)
    return redirect(caller.request, here.path("/settings"), toast=Toast(message_id="toast.app-saved"))


@post("/apps/{app_id:str}/settings/origins")
async def post_origins(caller: AtDoor, form: Sent, app_id: FromPath[str]) -> Response[str]:
    """What the origins that are being typed will be read as; changes nothing."""
    await in_app(caller, app_id)
    return page(
        caller.request, "apps/origins_check.html", origins=_checked(caller, form.text("allowed_origins"))
    )


@get("/apps/{app_id:str}/suspend")
async def get_suspend(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """What suspending an app stops, and the button that does it."""
    here = await in_app(caller, app_id)
    require(here.actor.principal, Power.CHANGE_APPS)
    return _ask(caller, here, "apps/suspend.html")


@post("/apps/{app_id:str}/suspend")
async def post_suspend(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """Suspend an app: every key of it is refused until it is resumed."""
    return await _set_suspended(caller, app_id, suspended=True)


@post("/apps/{app_id:str}/resume")
async def post_resume(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """Let an app go on."""
    return await _set_suspended(caller, app_id, suspended=False)


@get("/apps/{app_id:str}/delete")
async def get_delete(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """What deleting an app ends; its name must be typed."""
    here = await in_app(caller, app_id)
    require(here.actor.principal, Power.CHANGE_APPS)
    return _ask(caller, here, "apps/delete.html")


@post("/apps/{app_id:str}/delete")
async def post_delete(caller: AtDoor, form: Sent, app_id: FromPath[str]) -> Response[str]:
    """Delete an app and revoke its keys."""
    here = await in_app(caller, app_id)
    if form.text("typed") != here.app.name:
        wrong = say(caller.request, "apps.delete-wrong", name=here.app.name)
        return _ask(caller, here, "apps/delete.html", errors={"typed": wrong})
    await delete_app(caller.context, here.actor, here.app.id)
    return redirect(
        caller.request, "/apps", toast=Toast(message_id="toast.app-deleted", values={"name": here.app.name})
    )


async def _set_suspended(caller: Caller, app_id: str, *, suspended: bool) -> Response[str]:
    here = await in_app(caller, app_id)
    await change_app(caller.context, here.actor, here.app.id, AppChange(disabled=suspended))
    which = "suspended" if suspended else "resumed"
    toast = Toast(message_id=f"toast.app-{which}", values={"name": here.app.name})
    return redirect(caller.request, here.path("/settings"), toast=toast)


def _settings_page(
    caller: Caller, here: InApp, values: Mapping[str, object], error: KeysteadError | None = None
) -> Response[str]:
    request, typed = caller.request, {name: str(value) for name, value in values.items()}
    stale = isinstance(error, Stale)
    errors = {} if error is None or stale else by_field(errors_of(request, error), typed)
    return page(
        request,
        "apps/settings.html",
        status=200 if error is None else status_of(error),
        place=here.place("app-settings", Crumb(say(request, "apps.tab-settings"))),
        app=here.app,
        values=values,
        errors=errors,
        stale=stale,
        origins=_checked(caller, typed["allowed_origins"]),
        may_change=here.may(Power.CHANGE_APPS),
        may_resume=_may_resume(here),
    )


def _ask(
    caller: Caller, here: InApp, template: str, errors: Mapping[str, str] | None = None
) -> Response[str]:
    settings = Crumb(say(caller.request, "apps.tab-settings"), here.path("/settings"))
    return page(
        caller.request,
        template,
        status=422 if errors else 200,
        place=here.place("app-settings", settings),
        app=here.app,
        errors=errors or {},
    )


def _may_resume(here: InApp) -> bool:
    """Whether the suspension, if there is one, is theirs to end: the provider's only the provider ends."""
    suspension = here.app.suspension
    return suspension is not None and (not suspension.by.is_provider or is_provider(here.actor.principal))


def _values(app: App) -> Mapping[str, object]:
    return {
        "name": app.name,
        "api_base_url": app.api_base_url or "",
        "allowed_origins": "\n".join(app.allowed_origins),
        "allowed_networks": "\n".join(app.allowed_networks),
        "last_key_protection": app.last_key_protection,
        "self_rotation": app.self_rotation,
    }


def _typed(form: Form) -> Mapping[str, object]:
    return {
        "name": form.text("name"),
        "api_base_url": form.text("api_base_url"),
        "allowed_origins": form.text("allowed_origins"),
        "allowed_networks": form.text("allowed_networks"),
        "last_key_protection": form.flag("last_key_protection"),
        "self_rotation": form.flag("self_rotation"),
    }


def _draft(form: Form) -> AppChange:
    return AppChange(
        name=form.text("name"),
        api_base_url=form.text("api_base_url") or None,
        allowed_origins=lines_of(form.text("allowed_origins")),
        allowed_networks=lines_of(form.text("allowed_networks")),
        last_key_protection=form.flag("last_key_protection"),
        self_rotation=form.flag("self_rotation"),
    )


def _checked(caller: Caller, text: str) -> list[Checked]:
    texts = texts_of(caller.request)
    return [_check(line, texts) for line in lines_of(text)[:MAX_ORIGINS]]


def _check(line: str, texts: Texts) -> Checked:
    try:
        return line, make_origin(line, field="allowed_origins"), None
    except InvalidInput as error:
        return line, None, fault_text(texts, error)


ROUTES = (
    get_settings,
    post_settings,
    post_origins,
    get_suspend,
    post_suspend,
    post_resume,
    get_delete,
    post_delete,
)
