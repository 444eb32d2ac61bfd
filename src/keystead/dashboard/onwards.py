"""The way back: where somebody wanted to go when they were asked to sign in, or for their password."""

import re
from typing import Any

from keystead.dashboard.render import AnyRequest
from keystead.logs import has_token

NEXT_FIELD = "next"

_LONGEST = 2_000
_PLAIN = re.compile(r"/(?![/\\\\])[!-~]*")
_DOTS = frozenset({".", ".."})


def way_back(request: AnyRequest) -> str | None:
    """The page that was asked for, or that has the form which was sent; None where that is no page."""
    scope: Any = request.scope
    # A path that only takes forms shows nothing to somebody who comes back to it.
    if not any(it.path_format == scope["path_template"] and "GET" in it.methods for it in request.app.routes):
        return None
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    text = f"{path}?{query}" if query else path
    # A token that somebody put in an address by mistake is not said again in the next one.
    return own_path(next((it for it in (text, path) if not has_token(it)), None))


def own_path(text: str | None) -> str | None:
    """`text` if it is the path of a page of ours, with its query; None for what may lead anywhere else."""
    if not text or text == "/" or len(text) > _LONGEST or not _PLAIN.fullmatch(text) or "\\" in text:
        return None
    steps = text.partition("?")[0].partition("#")[0].lower().replace("%2e", ".").split("/")
    return None if _DOTS.intersection(steps) else text
