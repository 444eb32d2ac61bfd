"""Reading the audit log."""

from dataclasses import replace

from keystead.domain.audit import Entry, SubjectKind
from keystead.domain.ids import KeyId, OrganizationId
from keystead.domain.powers import Power, Principal, is_provider
from keystead.ports.store import Listing, Page, Tables
from keystead.services.access import reach_organization, sees
from keystead.services.context import Actor, Context


async def list_audit(
    context: Context, actor: Actor, organization_id: OrganizationId, page: Page
) -> Listing[Entry]:
    """What was done to an organization and all below it, newest first.

    Of another user's personal keys a customer reads that something was done, and by whom, but not what.
    """
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_AUDIT, organization_id)
        listing = await tables.audit.list(found.id, page)
        return replace(listing, items=[await _veiled(tables, actor.principal, it) for it in listing.items])


async def _veiled(tables: Tables, principal: Principal, entry: Entry) -> Entry:
    """An entry without its contents where it is about a key that is not the principal's to know of."""
    if is_provider(principal) or entry.subject.kind is not SubjectKind.KEY:
        return entry
    key = await tables.keys.find(KeyId(entry.subject.id))
    return entry if key is not None and sees(principal, key) else replace(entry, before=None, after=None)
