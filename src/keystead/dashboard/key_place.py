"""Where a key's pages lie: in its app, among one's own keys, or among the instance's root keys."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from keystead.dashboard.door import Caller, reach_key
from keystead.dashboard.forms import Form
from keystead.dashboard.key_view import ShownKey
from keystead.dashboard.render import find_viewer
from keystead.dashboard.standing import in_app, say
from keystead.dashboard.viewer import Crumb, Place, Spot
from keystead.domain.errors import NotFound
from keystead.domain.keys import Key, KeyType, OwnerKind
from keystead.domain.tenants import App
from keystead.services.access import may_change, require_change
from keystead.services.context import Actor
from keystead.services.organizations import get_organization


@dataclass(frozen=True, slots=True, kw_only=True)
class AtKey:
    """Somebody at a key: `actor` is them there. `app` None: it is no app's, or its app was deleted.

    `public_methods` is the ceiling that holds for it if it is a public key; a secret one has none.
    """

    caller: Caller
    actor: Actor
    key: Key
    app: App | None
    public_methods: tuple[str, ...]

    @property
    def shown(self) -> ShownKey:
        """The key as it is now, to them."""
        changeable = may_change(self.actor.principal, self.key)
        return ShownKey(
            key=self.key,
            now=self.caller.context.clock(),
            changeable=changeable,
            public_methods=self.public_methods,
        )

    @property
    def back(self) -> str:
        """The path of the list that the key is in."""
        match self.key.owner.kind:
            case OwnerKind.USER:
                return "/profile/keys"
            case OwnerKind.INSTANCE:
                return "/instance/root-keys"
            case _:
                return "/apps" if self.app is None else f"/apps/{self.app.id}/keys"

    def path(self, below: str = "") -> str:
        """The path of the key's page, or of one below it."""
        return f"/keys/{self.key.id}{below}"

    def place(self, *crumbs: Crumb) -> Place:
        """A page of the key."""
        own = Crumb(self.key.name, self.path() if crumbs else None)
        return _place_of(self, (Crumb(say(self.caller.request, "keys.title"), self.back), own, *crumbs))


async def at_key(caller: Caller, key_id: str, form: Form | None = None) -> AtKey:
    """Go to a key, wherever it is. Raises NotFound."""
    key, actor = await reach_key(caller, key_id, once=None if form is None else form.once)
    app = None
    if key.owner.kind is OwnerKind.APP:
        with suppress(NotFound):  # its app was deleted: the record of the key outlives it
            app = (await in_app(caller, str(key.owner.id))).app
    methods = await _public_methods(caller, actor, key)
    return AtKey(caller=caller, actor=actor, key=key, app=app, public_methods=methods)


async def to_change(caller: Caller, key_id: str, form: Form | None = None) -> AtKey:
    """Go to a key that is to be changed. Raises NotFound, and Denied where it is not theirs to manage."""
    here = await at_key(caller, key_id, form)
    require_change(here.actor.principal, here.key)
    return here


async def _public_methods(caller: Caller, actor: Actor, key: Key) -> tuple[str, ...]:
    if key.type is not KeyType.PUBLIC or key.organization_id is None:
        return ()
    with suppress(NotFound):  # deleted: then nothing is let through
        return (await get_organization(caller.context, actor, key.organization_id)).ceiling.public_methods
    return ()


def _place_of(here: AtKey, crumbs: Sequence[Crumb]) -> Place:
    match here.key.owner.kind:
        case OwnerKind.USER:
            return Place(crumbs=(Crumb(say(here.caller.request, "frame.profile"), "/profile"), *crumbs))
        case OwnerKind.INSTANCE:
            return Place(section="root-keys", crumbs=crumbs)
        case _:
            return _app_place(here, crumbs)


def _app_place(here: AtKey, crumbs: Sequence[Crumb]) -> Place:
    app = here.app
    if app is None:
        return Place(section="apps", crumbs=crumbs)
    own = Crumb(app.name, f"/apps/{app.id}")
    return Place(
        section="app-keys",
        app=Spot(app.id, app.name, app.environment),
        crumbs=(*_organization(here), own, *crumbs),
    )


def _organization(here: AtKey) -> Sequence[Crumb]:
    viewer = find_viewer(here.caller.request)
    spot = None if viewer is None else viewer.organization
    return () if spot is None else (Crumb(spot.name, "/apps"),)
