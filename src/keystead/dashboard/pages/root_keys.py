"""Root keys, for operators: the list, and making one. All else happens on a key's own page."""

from collections.abc import Mapping

from litestar import Response, get, post
from msgspec import UNSET

from keystead.dashboard.door import AtDoor, Caller, prove
from keystead.dashboard.faults import errors_of
from keystead.dashboard.forms import Form, Sent
from keystead.dashboard.paging import by_made, trail_of
from keystead.dashboard.problems import status_of
from keystead.dashboard.render import page, texts_of
from keystead.dashboard.standing import instance_place
from keystead.dashboard.viewer import Crumb
from keystead.domain.errors import InvalidInput, KeysteadError
from keystead.domain.keys import Status
from keystead.domain.powers import Power
from keystead.domain.scopes import ROOT_SCOPES
from keystead.ports.store import KeyFilter
from keystead.services.access import require
from keystead.services.drafts import NewRootKey
from keystead.services.issue import create_root_key
from keystead.services.reading import list_root_keys

KEYS_PER_PAGE = 50
LIFETIMES_DAYS = (7, 30, 90, 365)

_DAY_S = 86_400


@get("/instance/root-keys")
async def get_root_keys(caller: AtDoor) -> Response[str]:
    """The root keys, the newest first; revoked ones where they are asked for."""
    trail, now = trail_of(caller.request), caller.context.clock()
    revoked = caller.request.query_params.get("status") == Status.REVOKED
    wanted = KeyFilter(now=now, status=Status.REVOKED if revoked else None)
    found = await list_root_keys(caller.context, caller.actor(None), wanted, trail.page(KEYS_PER_PAGE))
    return page(
        caller.request,
        "instance/root_keys.html",
        place=instance_place(caller.request, "root-keys"),
        keys=[(key, key.status(now)) for key in found.items],
        revoked=revoked,
        back=trail.back,
        onward=trail.on(found, by_made),
    )


@get("/instance/root-keys/new")
async def get_new_root_key(caller: AtDoor) -> Response[str]:
    """The form of a new root key."""
    require(caller.actor(None).principal, Power.MANAGE_ROOT_KEYS)
    return _new_page(caller, {"name": "", "scopes": (), "days": "90", "once": caller.new_once()})


@post("/instance/root-keys/new")
async def post_new_root_key(caller: AtDoor, form: Sent) -> Response[str]:
    """Make a root key; this answer is the only one that shows its token."""
    try:
        await prove(caller, form)
        made = await create_root_key(caller.context, caller.actor(None, once=form.once), _draft(form))
    except KeysteadError as error:
        once = caller.once_again(form, error)
        values = {
            "name": form.text("name"),
            "days": form.text("days"),
            "scopes": form.all("scopes"),
            "once": once,
        }
        return _new_page(caller, values, error)
    return page(
        caller.request,
        "instance/root_key_made.html",
        place=instance_place(caller.request, "root-keys", Crumb(made.value.name)),
        key=made.value,
        token=None if made.token is None else made.token.reveal(),
    )


def _draft(form: Form) -> NewRootKey:
    scopes = list(form.all("scopes"))
    if not scopes:
        problem = "choose at least one: a key without can do nothing"
        raise InvalidInput("scopes", problem, rule="no-scope")
    days = form.text("days")
    if days and days not in {str(it) for it in LIFETIMES_DAYS}:
        raise InvalidInput("days", "choose one of the lifetimes", rule="choice")
    return NewRootKey(name=form.text("name"), scopes=scopes, expires_in=int(days) * _DAY_S if days else UNSET)


def _new_page(
    caller: Caller, values: Mapping[str, object], error: KeysteadError | None = None
) -> Response[str]:
    texts = texts_of(caller.request)
    lifetimes = [(str(it), texts.plural("instance.lifetime", it)) for it in LIFETIMES_DAYS]
    crumb = Crumb(texts.text("instance.new-root-key"))
    return page(
        caller.request,
        "instance/root_key_new.html",
        status=200 if error is None else status_of(error),
        place=instance_place(caller.request, "root-keys", crumb),
        values=values,
        scopes=[(it, it) for it in sorted(ROOT_SCOPES)],
        lifetimes=[("", texts.text("instance.never")), *lifetimes],
        errors={} if error is None else errors_of(caller.request, error),
    )


ROUTES = (get_root_keys, get_new_root_key, post_new_root_key)
