"""Where somebody stands: the organization or app whose page they asked for, and what they may do there."""

from dataclasses import dataclass

from keystead.dashboard.door import Caller, reach_app, stand_in
from keystead.dashboard.render import AnyRequest, find_viewer, texts_of
from keystead.dashboard.viewer import Crumb, Place, Spot
from keystead.domain.errors import NotFound
from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Power, holds
from keystead.domain.tenants import App, Organization
from keystead.services.context import Actor, Once
from keystead.services.organizations import get_organization


@dataclass(frozen=True, slots=True, kw_only=True)
class InOrganization:
    """Somebody in an organization: `actor` is them there."""

    actor: Actor
    organization: Organization

    def may(self, power: Power) -> bool:
        """Whether they hold the power here; what they may not do is not shown."""
        return holds(self.actor.principal, power)

    def path(self, below: str = "") -> str:
        """The path of the organization's page, or of one below it."""
        return f"/organizations/{self.organization.id}{below}"

    def place(self, section: str, *crumbs: Crumb) -> Place:
        """A page of the organization."""
        own = Crumb(self.organization.name, self.path() if crumbs else None)
        return Place(section=section, crumbs=(own, *crumbs))


@dataclass(frozen=True, slots=True, kw_only=True)
class InApp:
    """Somebody in an app: `actor` is them in its organization, which is called `organization`."""

    actor: Actor
    app: App
    organization: str

    def may(self, power: Power) -> bool:
        """Whether they hold the power here."""
        return holds(self.actor.principal, power)

    def path(self, below: str = "") -> str:
        """The path of the app's page, or of one below it."""
        return f"/apps/{self.app.id}{below}"

    def place(self, section: str, *crumbs: Crumb) -> Place:
        """A page of the app."""
        own = Crumb(self.app.name, self.path() if crumbs else None)
        return Place(
            section=section,
            app=Spot(self.app.id, self.app.name, self.app.environment),
            crumbs=(Crumb(self.organization, "/apps"), own, *crumbs),
        )


async def in_organization(
    caller: Caller, organization_id: str, *, once: Once | None = None
) -> InOrganization:
    """Go to an organization, which the frame shows from here on. Raises NotFound, Denied."""
    wanted = OrganizationId(organization_id)
    actor = await stand_in(caller, wanted, once=once)
    return InOrganization(actor=actor, organization=await get_organization(caller.context, actor, wanted))


async def in_app(caller: Caller, app_id: str, *, once: Once | None = None) -> InApp:
    """Go to an app, in whichever organization of theirs it is. Raises NotFound."""
    app, actor = await reach_app(caller, app_id, once=once)
    viewer = find_viewer(caller.request)
    if viewer is None or viewer.organization is None:
        raise NotFound("app", app_id)
    return InApp(actor=actor, app=app, organization=viewer.organization.name)


def say(request: AnyRequest, message_id: str, /, **values: object) -> str:
    """A text in the reader's language, for what is said outside a template, such as a crumb."""
    return texts_of(request).text(message_id, **values)


def instance_place(request: AnyRequest, section: str, *crumbs: Crumb) -> Place:
    """A page of the instance, for operators; the crumbs are below the section's page."""
    root = f"/instance/{section.removeprefix('instance-')}"
    own = Crumb(say(request, f"frame.section-{section}"), root if crumbs else None)
    return Place(section=section, crumbs=(Crumb(say(request, "frame.group-instance")), own, *crumbs))
