"""Forms: what was sent, and whether a page of ours sent it.

Every request that may change something passes `admit_form` before anything else, whatever its handler does,
so none can be forgotten. A handler takes what was sent as `form: Sent`.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import SkipValidation

from keystead.dashboard.cookies import SESSION, VISITOR
from keystead.dashboard.house import House
from keystead.dashboard.render import (
    CSRF_FIELD,
    ONCE_FIELD,
    AnyRequest,
    Renderer,
    find_cookie,
    put_cookie,
    put_csrf,
)
from keystead.services.context import Context, Once

PROOF_FIELD = "proof"
SECRET_FIELDS = frozenset({CSRF_FIELD, PROOF_FIELD, "password"})
"""Never given back to a page, and never part of what is remembered of a request."""

_MAX_FIELDS = 2_000
_MAX_ONCE = 255
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})
_FORM = "keystead.form"


class ForeignForm(Exception):
    """What was sent does not come from a page of ours that the browser was shown lately."""


class Form:
    """What was sent. A field that is absent reads as empty."""

    def __init__(self, request: AnyRequest, fields: Sequence[tuple[str, str]]) -> None:
        self._method, self._path = request.method, request.scope["path"]
        self._fields = fields

    def text(self, name: str) -> str:
        """What was typed, without white space around it and with plain line breaks."""
        return self.secret(name).replace("\r\n", "\n").strip()

    def secret(self, name: str) -> str:
        """What was typed, to the letter: for passwords."""
        return next((value for field, value in self._fields if field == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may be ticked or given several times, each as `text` reads it."""
        return tuple(value.replace("\r\n", "\n").strip() for field, value in self._fields if field == name)

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return any(field == name for field, _ in self._fields)

    @property
    def values(self) -> Mapping[str, str]:
        """What was typed, to fill the form with again: all but secrets; ask with `values.get(name, "")`."""
        return {name: self.text(name) for name, _ in self._fields if name not in SECRET_FIELDS}

    @property
    def once(self) -> Once | None:
        """What makes a form that is sent twice do its work once; None without the field of `once_field`."""
        key = self.text(ONCE_FIELD)
        if not key or len(key) > _MAX_ONCE or not key.isascii() or not key.isprintable():
            return None
        # In order: the button that Enter presses stands elsewhere in a form than the one that is clicked.
        kept = sorted(field for field in self._fields if field[0] not in SECRET_FIELDS)
        return Once(method=self._method, path=self._path, key=key, body=urlencode(kept).encode())


Sent = NamedDependency[SkipValidation[Form]]


def provide_form(request: AnyRequest) -> Form:
    """Dependency `form`: what was sent, which was admitted already."""
    scope: Any = request.scope  # a key of ours in ASGI's typed dict
    form: Form = scope[_FORM]
    return form


async def admit_form(request: AnyRequest) -> None:
    """Before every handler: bind the forms of the answer, and refuse what no page of ours sent.

    Raises ForeignForm, and ClientException for what is no form.
    """
    bound = _bind(request)
    if request.method in _SAFE_METHODS:
        return
    if not _is_own_site(request):
        raise ForeignForm
    fields = await _fields(request)
    given = next((value for name, value in fields if name == CSRF_FIELD), "")
    if not hmac.compare_digest(given.encode(), bound.encode()):
        raise ForeignForm
    scope: Any = request.scope
    scope[_FORM] = Form(request, fields)


def csrf_token(context: Context, cookie: str) -> str:
    """What the forms of a browser with this cookie bring along."""
    return context.seals.seal("csrf", cookie.encode()).hex()


def _bind(request: AnyRequest) -> str:
    """The word that forms bring along: it follows from a cookie that no other site can know or set."""
    context: Context = request.app.state.entrance.context
    cookie = find_cookie(request, SESSION) or find_cookie(request, VISITOR)
    if not cookie:
        cookie = context.new_secret().reveal()
        put_cookie(request, _house(request).cookie(VISITOR, cookie))
    token = csrf_token(context, cookie)
    put_csrf(request, token)
    return token


def _is_own_site(request: AnyRequest) -> bool:
    """Whether the browser says that it is a page of ours which asks; where it says nothing, the form must."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITE:
        return False
    origin = request.headers.get("origin")
    # Pages with `Referrer-Policy: no-referrer`, as all of ours are, send `null` for it.
    if origin is None or origin == "null":
        return True
    # Never `Host`, which is whatever the address was under which somebody else's page reached us.
    return origin in _house(request).origins


def _house(request: AnyRequest) -> House:
    renderer: Renderer = request.app.state.renderer
    return renderer.house


async def _fields(request: AnyRequest) -> Sequence[tuple[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ClientException(status_code=415)
    try:
        body = (await request.body()).decode()
        return parse_qsl(body, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise ClientException(status_code=400) from None
