"""Who looks at a page, and where in the dashboard it lies: what the frame around it shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit


class Spot(NamedTuple):
    """An organization or app as the frame names it."""

    id: str
    name: str
    environment: str | None = None


class Crumb(NamedTuple):
    """One step of the way to a page; the last one is the page itself and has no path."""

    label: str
    path: str | None = None


class Back(NamedTuple):
    """Where the provider who let somebody in wants them back (see `provider`)."""

    url: str

    @property
    def host(self) -> str:
        """What it is called."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The signed-in user as pages need them. `organization` is the one they are in now, if any.

    `reads_audit`: whether the audit log there is theirs to read. `back` leads to who let them in with a link.
    `language`, `time_zone` and `theme` are None for "as the browser says".
    """

    name: str
    email: str
    operator: bool = False
    organization: Spot | None = None
    organizations: Sequence[Spot] = ()
    reads_audit: bool = False
    back: Back | None = None
    language: str | None = None
    time_zone: str | None = None
    theme: str | None = None

    @property
    def initials(self) -> str:
        """One or two letters for the round button."""
        return initials(self.name or self.email)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page lies. `section` is the name of its entry in the side navigation, such as `app-keys`."""

    section: str = ""
    crumbs: Sequence[Crumb] = ()
    app: Spot | None = None


class Entry(NamedTuple):
    """A line of the side navigation."""

    section: str
    icon: str
    path: str


class Group(NamedTuple):
    """Entries under a heading; `name` is None where a text, `frame.group-{kind}`, is the heading."""

    kind: str
    name: str | None
    entries: Sequence[Entry]


def initials(name: str) -> str:
    """The first letters of the first and last word, or the first two of the only one; `?` for none at all."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    if len(words) == 1:
        return words[0][:2].upper()
    return "".join(word[0] for word in (words[:1] + words[-1:])).upper() or "?"


def navigation(viewer: Viewer, place: Place) -> Iterator[Group]:
    """The side navigation: the organization, the app one is in, and for operators the instance."""
    if viewer.organization is not None:
        entries = _organization(viewer.organization.id)
        hidden = set() if viewer.reads_audit or viewer.operator else {"audit"}
        yield Group(
            "organization", viewer.organization.name, [it for it in entries if it.section not in hidden]
        )
    if place.app is not None:
        yield Group("app", place.app.name, _app(place.app.id))
    if viewer.operator:
        yield Group("instance", None, _INSTANCE)


def _organization(organization_id: str) -> Sequence[Entry]:
    root = f"/organizations/{organization_id}"
    return (
        Entry("apps", "grid", "/apps"),
        Entry("organization-keys", "key", f"{root}/settings/keys"),
        Entry("members", "people", f"{root}/members"),
        Entry("audit", "list", f"{root}/audit"),
        Entry("organization-settings", "gear", f"{root}/settings"),
    )


def _app(app_id: str) -> Sequence[Entry]:
    root = f"/apps/{app_id}"
    return (
        Entry("app-overview", "pulse", root),
        Entry("app-keys", "key", f"{root}/keys"),
        Entry("app-settings", "gear", f"{root}/settings"),
    )


_INSTANCE = (
    Entry("organizations", "building", "/instance/organizations"),
    Entry("scopes", "shield", "/instance/scopes"),
    Entry("root-keys", "lock", "/instance/root-keys"),
    Entry("health", "server", "/instance/health"),
    Entry("instance-settings", "sliders", "/instance/settings"),
)
