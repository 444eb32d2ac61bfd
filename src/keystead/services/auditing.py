"""Reading the audit log."""

from keystead.domain.audit import Entry
from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Power
from keystead.ports import Listing, Page
from keystead.services.access import reach_organization
from keystead.services.context import Actor, Context


async def list_audit(
    context: Context, actor: Actor, organization_id: OrganizationId, page: Page
) -> Listing[Entry]:
    """What was done to an organization and all below it, newest first."""
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_AUDIT, organization_id)
        return await tables.audit.list(found.id, page)
