"""Who made a key, by name: what audit knows by id."""

from collections.abc import Iterable, Mapping

from keystead.dashboard.door import Caller
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import ByKind, Key
from keystead.domain.powers import Power
from keystead.ports.store import Page
from keystead.services.context import Actor
from keystead.services.members import list_members


async def makers_of(
    caller: Caller, actor: Actor, organization_id: OrganizationId | None, keys: Iterable[Key]
) -> Mapping[str, str]:
    """The names of those members who made one of the keys, by id; the caller's own name is not looked up."""
    people = {it.created_by.id for it in keys if it.created_by.kind in {ByKind.USER, ByKind.OPERATOR}}
    others = people - {caller.user.id}
    if organization_id is None or not others or not caller.may(Power.READ_MEMBERS, organization_id):
        return {}
    wanted = Page(limit=caller.context.bounds.members_per_organization)
    found = await list_members(caller.context, actor, organization_id, wanted)
    return {user.id: user.name for _, user in found.items if user.id in others}
