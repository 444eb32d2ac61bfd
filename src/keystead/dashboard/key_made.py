"""The one page that shows a token which was just made."""

from litestar import Response

from keystead.dashboard.door import Caller
from keystead.dashboard.render import page
from keystead.dashboard.rules import all_in_words
from keystead.dashboard.snippets import snippets
from keystead.dashboard.standing import say
from keystead.dashboard.viewer import Place
from keystead.domain.ids import IdKind, is_id
from keystead.domain.keys import Key
from keystead.services.mutation import Changed

MADE = "keys.made-title"
"""The title of a page whose key is new too."""


def made_before(caller: Caller) -> str | None:
    """The id of the key that a page of this address has shown the token of: a reload leads to the key."""
    found = caller.request.query_params.get("made", "")
    return found if is_id(IdKind.KEY, found) else None


def made_page(caller: Caller, made: Changed[Key], place: Place, title: str) -> Response[str]:
    """The page with a new token: the only one that ever has it. Whoever missed it is told so instead."""
    request, key = caller.request, made.value
    if made.token is None:
        return page(request, "keys/missed.html", place=place, key=key)
    return page(
        request,
        "keys/made.html",
        place=place,
        key=key,
        reads=all_in_words(key.constraints, request),
        token=made.token.reveal(),
        title=say(request, title, name=key.name),
        toast=say(request, "toast.key-created" if title == MADE else "toast.token-made"),
        snippets=snippets(key.constraints),
    )
