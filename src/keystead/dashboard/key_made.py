"""The one page that shows a token which was just made."""

from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Response

from keystead.dashboard.door import Caller
from keystead.dashboard.render import Renderer, page, texts_of
from keystead.dashboard.rules import all_in_words, in_force
from keystead.dashboard.snippets import EXAMPLE, snippets
from keystead.dashboard.standing import say
from keystead.dashboard.viewer import Place
from keystead.domain.ids import IdKind, is_id
from keystead.domain.keys import Key, KeyType, OwnerKind
from keystead.domain.powers import Power
from keystead.domain.tenants import App
from keystead.services.mutation import Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where the lines to copy send their request.

    `example`: nobody said where the API is, which can be done at `settings` by those for whom that is set.
    `own`: it is our own API, in which a personal key acts as its user.
    """

    base_url: str
    path: str = "/"
    example: bool = False
    settings: str | None = None
    own: bool = False


MADE = "keys.made-title"
"""The title of a page whose key is new too."""


def made_before(caller: Caller) -> str | None:
    """The id of the key that a page of this address has shown the token of: a reload leads to the key."""
    found = caller.request.query_params.get("made", "")
    return found if is_id(IdKind.KEY, found) else None


def made_page(  # noqa: PLR0913 - what the page is made of
    caller: Caller,
    made: Changed[Key],
    place: Place,
    title: str,
    *,
    app: App | None,
    public_methods: Sequence[str],
) -> Response[str]:
    """The page with a new token: the only one that ever has it. Whoever missed it is told so instead.

    `app` is the one that holds the key, `public_methods` the ceiling that is above a public one.
    """
    request, key = caller.request, made.value
    if made.token is None:
        return page(request, "keys/missed.html", place=place, key=key)
    aim = _aim(caller, key, app)
    return page(
        request,
        "keys/made.html",
        place=place,
        key=key,
        reads=all_in_words(key.type, key.constraints, public_methods, texts_of(request)),
        token=made.token.reveal(),
        title=say(request, title, name=key.name),
        toast=say(request, "toast.key-created" if title == MADE else "toast.token-made"),
        aim=aim,
        snippets=snippets(
            in_force(key.type, key.constraints, public_methods), base_url=aim.base_url, path=aim.path
        ),
    )


def _aim(caller: Caller, key: Key, app: App | None) -> Aim:
    # A public key opens nothing of ours, whosever it is.
    if key.owner.kind is OwnerKind.USER and key.type is KeyType.SECRET:
        return Aim(base_url=_own_api(caller), path="/users/me", own=True)
    if key.owner.kind is OwnerKind.INSTANCE:
        return Aim(base_url=_own_api(caller), path="/self")
    if app is None:
        return Aim(base_url=EXAMPLE, example=True)
    if app.api_base_url is not None:
        return Aim(base_url=app.api_base_url)
    tells = caller.may(Power.CHANGE_APPS, app.organization_id)
    return Aim(base_url=EXAMPLE, example=True, settings=f"/apps/{app.id}/settings" if tells else None)


def _own_api(caller: Caller) -> str:
    renderer: Renderer = caller.request.app.state.renderer
    return f"{renderer.house.public_url.rstrip('/')}/api/v1"
