"""Reading the audit log."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from keystead.domain.audit import Entry, SubjectKind
from keystead.domain.ids import KeyId, OrganizationId
from keystead.domain.powers import Power, Principal, is_provider
from keystead.ports.store import AuditFilter, Listing, Page, Tables
from keystead.services.access import reach_organization, sees
from keystead.services.context import Actor, Context


async def list_audit(
    context: Context, actor: Actor, organization_id: OrganizationId, wanted: AuditFilter, page: Page
) -> Listing[Entry]:
    """What was done to an organization and all below it, newest first.

    Of another user's personal keys a customer reads that something was done, and by whom, but not what.
    """
    async with context.store.read() as tables:
        found = await reach_organization(tables, actor.principal, Power.READ_AUDIT, organization_id)
        listing = await tables.audit.list(found.id, wanted, page)
        hidden = await _hidden(tables, actor.principal, listing.items)
    return replace(listing, items=[_veiled(it) if it.id in hidden else it for it in listing.items])


async def _hidden(tables: Tables, principal: Principal, entries: Sequence[Entry]) -> Collection[str]:
    """Entries about keys that are not the principal's to know of."""
    about = {it.id: KeyId(it.subject.id) for it in entries if it.subject.kind is SubjectKind.KEY}
    if is_provider(principal) or not about:
        return ()
    known = await tables.keys.owned(sorted(set(about.values())))
    return {
        entry_id
        for entry_id, key_id in about.items()
        if key_id not in known or not sees(principal, known[key_id])
    }


def _veiled(entry: Entry) -> Entry:
    return replace(entry, before=None, after=None)
