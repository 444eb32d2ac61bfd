"""From a template and values to an answer. What every page has in common is added here.

Templates know these words: `t(id, …)`, `tn(id, count, …)` and `th(id, …)` (a text; its plural; with markup),
`to(path, …)` (an address, relative, with a query), `when(instant)`, `exact(instant)`, `day(instant)`,
`number(n)`, `asset(name)`, `csrf_field()`, `once_field(once)`, `proven()`; every macro of
`templates/pieces/`; and the values `house`, `viewer`, `place`, `reading`, `request_id`, `toast`.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from keystead.dashboard import times
from keystead.dashboard.addresses import MAX_STEPS, relative, steps_of
from keystead.dashboard.house import House
from keystead.dashboard.statics import Statics
from keystead.dashboard.texts import Texts, choose_language
from keystead.dashboard.toasts import COOKIE, MAX_AGE, Toast, decode, encode
from keystead.dashboard.viewer import Place, Viewer, initials, navigation
from keystead.domain.instants import at
from keystead.ports.chance import Clock
from keystead.web.request_id import request_id

_VIEWER = "keystead.viewer"
_CSRF = "keystead.csrf"
_PROVEN = "keystead.proven"
_COOKIES = "keystead.cookies"

CSRF_FIELD = "csrf"
ONCE_FIELD = "once"
STEPS_HEADER = "Page-Steps"
"""How deep the page lies that asks for a part of itself: addresses in the part are seen from there."""

TEMPLATES = Path(__file__).parent / "templates"
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_DEPTHS = frozenset(str(steps) for steps in range(MAX_STEPS + 1))
_SEE_OTHER = 303
_NO_CONTENT = 204

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one page reads: its language, the reader's time zone (None: the browser's), and from where."""

    texts: Texts
    zone: tzinfo | None
    now: datetime
    steps: int
    csrf: str = ""
    proven: bool = False

    def to(self, path: str, /, **query: object) -> str:
        """The address of a path of ours, seen from this page."""
        return relative(path, steps=self.steps, query=query)

    def when(self, instant: datetime | None, never: str = "times.never") -> Markup:
        """How long ago an instant was, the exact one on hover and focus; `never` is the text for None."""
        if instant is None:
            return Markup('<span class="muted">{}</span>').format(self.texts.text(never))
        return self._time(instant, times.relative(instant, now=self.now, texts=self.texts), "when")

    def exact(self, instant: datetime) -> Markup:
        """Date and time, where the reader is and in UTC."""
        return self._time(instant, times.exact(instant, zone=self.zone, texts=self.texts), "exact")

    def day(self, instant: datetime) -> Markup:
        """The date, with the exact instant on hover and focus."""
        return self._time(instant, times.day(instant, zone=self.zone, texts=self.texts), "when")

    def _time(self, instant: datetime, shown: str, kind: str) -> Markup:
        stamp = instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        if kind == "exact":
            return Markup('<time class="exact" datetime="{}">{}</time>').format(stamp, shown)
        title = times.exact(instant, zone=self.zone, texts=self.texts)
        return Markup('<time class="when" datetime="{}" title="{}" tabindex="0">{}</time>').format(
            stamp, title, shown
        )


class Renderer:
    """Makes pages of templates, for one instance."""

    def __init__(
        self, house: House, *, clock: Clock, languages: Mapping[str, Texts], statics: Statics
    ) -> None:
        self.house = house
        self.statics = statics
        self.languages = languages
        self._clock = clock
        self._templates = _environment(statics)

    def reading(self, request: AnyRequest) -> Reading:
        """How an answer to this request reads."""
        viewer = find_viewer(request)
        chosen = choose_language(
            viewer.language if viewer else None, request.headers.get("accept-language", ""), self.languages
        )
        return Reading(
            texts=self.languages[chosen],
            zone=times.find_zone(viewer.time_zone if viewer else None),
            now=at(self._clock()),
            steps=_steps(request),
            csrf=str(request.scope.get(_CSRF, "")),
            proven=is_proven(request),
        )

    def render(self, request: AnyRequest, template: str, values: Mapping[str, object]) -> str:
        """The text of a page, or of a part of one."""
        reading = self.reading(request)
        known = {
            "house": self.house,
            "viewer": find_viewer(request),
            "place": Place(),
            "reading": reading,
            "request_id": request_id(request),
            "toast": toast_text(find_cookie(request, COOKIE), reading.texts),
        }
        token = _READING.set(reading)
        try:
            return self._templates.get_template(template).render({**known, **values})
        finally:
            _READING.reset(token)


def page(
    request: AnyRequest,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response[str]:
    """A page made of `template`, never stored by anybody. Give `place=Place(…)` to a page in the frame."""
    renderer: Renderer = request.app.state.renderer
    response = Response(
        renderer.render(request, template, values),
        status_code=status,
        media_type=MediaType.HTML,
        headers={**HEADERS, **(headers or {})},
        cookies=cast("tuple[Cookie, ...]", request.scope.get(_COOKIES, ())),
    )
    if find_cookie(request, COOKIE):
        response.set_cookie(renderer.house.cookie(COOKIE, "", lasts=timedelta(0)))
    return response


def redirect(request: AnyRequest, path: str, *, toast: Toast | None = None, **query: object) -> Response[str]:
    """Send the browser on to a path of ours, with GET; `toast` appears on the next page.

    A script is told in a header: what it fetched would be followed before it could look.
    """
    renderer: Renderer = request.app.state.renderer
    address = relative(path, steps=_steps(request), query=query)
    scripted = is_scripted(request)
    return Response(
        "",
        media_type=MediaType.TEXT,
        status_code=_NO_CONTENT if scripted else _SEE_OTHER,
        headers={**HEADERS, "HX-Redirect" if scripted else "Location": address},
        cookies=[] if toast is None else [renderer.house.cookie(COOKIE, encode(toast), lasts=MAX_AGE)],
    )


def is_scripted(request: AnyRequest) -> bool:
    """Whether a script of ours asks, which takes what it wants out of the answer."""
    return request.headers.get("hx-request") == "true"


def texts_of(request: AnyRequest) -> Texts:
    """The texts in the reader's language, for what is not said by a template."""
    renderer: Renderer = request.app.state.renderer
    return renderer.reading(request).texts


def put_viewer(request: AnyRequest, viewer: Viewer) -> None:
    """Say who asks; whoever judges sessions does so before any page is made."""
    _put(request, _VIEWER, viewer)


def find_viewer(request: AnyRequest) -> Viewer | None:
    """The signed-in user who asks, if there is one."""
    return cast("Viewer | None", request.scope.get(_VIEWER))


def put_csrf(request: AnyRequest, token: str) -> None:
    """Have every form of the page send `token` back, in the field `csrf`."""
    _put(request, _CSRF, token)


def put_cookie(request: AnyRequest, cookie: Cookie) -> None:
    """Have the page that is made come with a cookie, whatever page that will be."""
    _put(request, _COOKIES, (cookie,))


def find_cookie(request: AnyRequest, name: str) -> str:
    """What the browser sent in a cookie of ours; empty without one."""
    renderer: Renderer = request.app.state.renderer
    return request.cookies.get(renderer.house.cookie_name(name), "")


def put_proven(request: AnyRequest, *, proven: bool) -> None:
    """Say whether who asks gave their password lately: forms ask for it otherwise."""
    _put(request, _PROVEN, proven)


def is_proven(request: AnyRequest) -> bool:
    """Whether who asks gave their password lately."""
    return bool(request.scope.get(_PROVEN, False))


def toast_text(cookie: str, texts: Texts) -> str | None:
    """What the toast in a cookie says, or None: cookies can be made by others."""
    toast = decode(cookie)
    if toast is None or not toast.message_id.startswith("toast."):
        return None
    try:
        return texts.text(toast.message_id, **toast.values)
    except (LookupError, ValueError):
        return None


def _put(request: AnyRequest, name: str, value: object) -> None:
    scope: Any = request.scope  # a key of ours in ASGI's typed dict
    scope[name] = value


def _steps(request: AnyRequest) -> int:
    claimed = request.headers.get(STEPS_HEADER, "")
    if claimed in _DEPTHS:
        return int(claimed)
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return steps_of(raw.decode("latin-1"))


_READING: ContextVar[Reading] = ContextVar("reading")
"""Set while a template is rendered, so that macros need not be handed their language from call to call."""


def _environment(statics: Statics) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["attributes"] = _attributes
    environment.globals.update(_words(statics))
    for name in sorted(environment.list_templates(filter_func=lambda it: it.startswith("pieces/"))):
        module = environment.get_template(name).module
        macros = {it: macro for it, macro in vars(module).items() if not it.startswith("_")}
        environment.globals.update(macros)
    return environment


def _words(statics: Statics) -> Mapping[str, object]:
    """What every template and macro may say, of the page that is being made."""

    def reads(name: str) -> Callable[..., object]:
        def word(*given: object, **named: object) -> object:
            return getattr(_READING.get(), name)(*given, **named)

        return word

    def says(name: str) -> Callable[..., object]:
        def word(*given: object, **named: object) -> object:
            return getattr(_READING.get().texts, name)(*given, **named)

        return word

    return {
        "t": says("text"),
        "tn": says("plural"),
        "th": says("markup"),
        "number": says("number"),
        "to": reads("to"),
        "when": reads("when"),
        "exact": reads("exact"),
        "day": reads("day"),
        "asset": lambda name: _READING.get().to(statics.path(name)),
        "csrf_field": lambda: _hidden(CSRF_FIELD, _READING.get().csrf),
        "once_field": lambda once: _hidden(ONCE_FIELD, once),
        "proven": lambda: _READING.get().proven,
        "initials": initials,
        "navigation": navigation,
    }


def _hidden(name: str, value: str) -> Markup:
    if not value:
        return Markup()
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)


def _attributes(given: Mapping[str, object]) -> Markup:
    """Attributes of an element; `_` in a name stands for `-`, True for one without value, None for none."""
    named = {name.rstrip("_").replace("_", "-"): it for name, it in given.items()}
    return Markup().join(
        Markup(" {}").format(name) if value is True else Markup(' {}="{}"').format(name, value)
        for name, value in named.items()
        if value is not None and value is not False
    )
