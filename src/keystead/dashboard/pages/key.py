"""The page of one key: what it is, what it may do, its tokens, and a place to try a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor
from keystead.dashboard.key_people import makers_of
from keystead.dashboard.key_place import AtKey, at_key
from keystead.dashboard.render import page, texts_of
from keystead.dashboard.rules import all_in_words, in_force
from keystead.dashboard.tester import METHODS, attempt
from keystead.domain.checkup import Finding, find
from keystead.domain.keys import Key
from keystead.services.reading import reveal_key


@get("/keys/{key_id:str}")
async def get_key(caller: AtDoor, key_id: FromPath[str]) -> Response[str]:
    """Everything about a key."""
    here = await at_key(caller, key_id)
    return page(
        caller.request,
        "keys/key.html",
        place=here.place(),
        path=here.path(),
        shown=here.shown,
        key=here.key,
        app=here.app,
        me=caller.user.id,
        makers=await makers_of(caller, here.actor, here.key.organization_id, [here.key]),
        reads=all_in_words(
            here.key.type, here.key.constraints, here.public_methods, texts_of(caller.request)
        ),
        findings=_findings(here),
        token=await _public_token(here),
        **_trial(here),
    )


def _findings(here: AtKey) -> Sequence[tuple[Finding, bool]]:
    """What is worth a look at a key of an app, and whether it is so; what is well is said too."""
    if here.app is None:
        return ()
    found = find(here.app, [here.key], here.caller.context.clock())
    return [(finding, bool(keys)) for finding, keys in found.items() if _concerns(finding, here.key)]


def _concerns(finding: Finding, key: Key) -> bool:
    return finding is Finding.UNUSED or key.type == (
        "public" if finding is Finding.PUBLIC_WITHOUT_ORIGINS else "secret"
    )


async def _public_token(here: AtKey) -> str | None:
    """The token of a public key, for those who may see it."""
    if not here.shown.is_public or not here.shown.changeable:
        return None
    _, token = await reveal_key(here.caller.context, here.actor, here.key.id)
    return token.reveal()


def _trial(here: AtKey) -> Mapping[str, Any]:
    asked = here.caller.request.query_params
    rules = list(enumerate(in_force(here.key.type, here.key.constraints, here.public_methods)))
    return {
        "trial": attempt(rules, asked.get("try-method", ""), asked.get("try-path", "")),
        "try_methods": [(it, it) for it in METHODS],
    }


ROUTES = (get_key,)
