"""An organization's audit log: to look through, and to take away as a file."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from keystead.dashboard.audit_log import Log, as_csv, as_json_lines, position_of
from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.paging import trail_of
from keystead.dashboard.render import HEADERS, AnyRequest, page, texts_of
from keystead.dashboard.standing import InOrganization, in_organization, say
from keystead.dashboard.viewer import Crumb
from keystead.domain.audit import Entry, SubjectKind
from keystead.domain.keys import By, ByKind
from keystead.domain.powers import Power, is_provider
from keystead.ports.store import AuditFilter, Page
from keystead.services.access import require
from keystead.services.members import Membership, list_members

ENTRIES_PER_PAGE = 50

KINDS = (
    SubjectKind.KEY,
    SubjectKind.APP,
    SubjectKind.MEMBER,
    SubjectKind.LINK,
    SubjectKind.ORGANIZATION,
)
"""What an organization's entries are about."""

_LONGEST_ID = 64


class Format(StrEnum):
    """How the log is exported."""

    CSV = "csv"
    JSON_LINES = "jsonl"


_MEDIA_TYPES = {Format.CSV: "text/csv; charset=utf-8; header=present", Format.JSON_LINES: "application/jsonl"}


@get("/organizations/{organization_id:str}/audit")
async def get_audit(caller: AtDoor, organization_id: FromPath[str]) -> Response[str]:
    """A page of the log, the newest entries first."""
    here = await in_organization(caller, organization_id)
    wanted, trail = _wanted(caller.request), trail_of(caller.request)
    found = await _log(caller, here, wanted).page(trail.page(ENTRIES_PER_PAGE))
    members, texts = await _members(caller, here), texts_of(caller.request)
    kinds = [(it.value, texts.text(f"organization.kind-{it}")) for it in KINDS]
    return page(
        caller.request,
        "organization/audit.html",
        place=here.place("audit", Crumb(say(caller.request, "organization.audit"))),
        organization=here.organization,
        entries=[_shown(here, members, it) for it in found.items],
        kinds=[("", texts.text("organization.any-kind")), *kinds],
        people=[("", texts.text("organization.anybody")), *((user.id, user.name) for _, user in members)],
        wanted=wanted,
        back=trail.back,
        onward=trail.on(found, position_of),
    )


@get("/organizations/{organization_id:str}/audit/export.csv")
async def get_csv(caller: AtDoor, organization_id: FromPath[str]) -> Stream:
    """All that the filter leaves, as CSV."""
    return await _export(caller, organization_id, Format.CSV)


@get("/organizations/{organization_id:str}/audit/export.jsonl")
async def get_json_lines(caller: AtDoor, organization_id: FromPath[str]) -> Stream:
    """All that the filter leaves, as JSON Lines."""
    return await _export(caller, organization_id, Format.JSON_LINES)


async def _export(caller: Caller, organization_id: str, kind: Format) -> Stream:
    here = await in_organization(caller, organization_id)
    # Judged before the answer begins: what fails later could only break off.
    require(here.actor.principal, Power.READ_AUDIT)
    entries = _log(caller, here, _wanted(caller.request)).all()
    name = f"audit-{here.organization.id}.{kind}"
    return Stream(
        as_csv(entries) if kind is Format.CSV else as_json_lines(entries),
        media_type=_MEDIA_TYPES[kind],
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _log(caller: Caller, here: InOrganization, wanted: AuditFilter) -> Log:
    return Log(context=caller.context, actor=here.actor, organization_id=here.organization.id, wanted=wanted)


def _wanted(request: AnyRequest) -> AuditFilter:
    """What the address filters for; what is no filter of ours filters nothing."""
    kind, by = request.query_params.get("kind", ""), request.query_params.get("by", "")
    return AuditFilter(
        kind=SubjectKind(kind) if kind in set(KINDS) else None,
        by=by if 0 < len(by) <= _LONGEST_ID else None,
    )


async def _members(caller: Caller, here: InOrganization) -> Sequence[Membership]:
    wanted = Page(limit=caller.context.bounds.members_per_organization)
    return (await list_members(caller.context, here.actor, here.organization.id, wanted)).items


def _shown(here: InOrganization, members: Sequence[Membership], entry: Entry) -> Mapping[str, object]:
    return {
        "entry": entry,
        "who": _who(here, members, entry.by),
        "label": _label(members, entry),
        "path": _path(here, entry),
        "before": _plain(entry.before),
        "after": _plain(entry.after),
    }


def _who(here: InOrganization, members: Sequence[Membership], by: By) -> str | None:
    """The name of whoever did it; None where a text for their kind must do.

    Who works for the provider is not the customer's to know.
    """
    if by.kind is ByKind.OPERATOR and not is_provider(here.actor.principal):
        return None
    return next((user.name for _, user in members if user.id == by.id), None)


def _label(members: Sequence[Membership], entry: Entry) -> str:
    """What people call the thing that was changed; its id where the entry does not tell."""
    told = {**(entry.before or {}), **(entry.after or {})}
    if entry.subject.kind is SubjectKind.MEMBER:
        user_id = entry.subject.id.partition("/")[2]
        return next((user.name for _, user in members if user.id == user_id), user_id)
    return str(told.get("name") or told.get("email") or entry.subject.id)


def _path(here: InOrganization, entry: Entry) -> str | None:
    """Where the page of what was changed is, if it has one."""
    match entry.subject.kind:
        case SubjectKind.KEY:
            return f"/keys/{entry.subject.id}"
        case SubjectKind.APP:
            return f"/apps/{entry.subject.id}"
        case SubjectKind.MEMBER:
            return here.path("/members")
        case SubjectKind.ORGANIZATION:
            return here.path("/settings")
        case _:
            return None


def _plain(values: Mapping[str, object] | None) -> Sequence[tuple[str, str]]:
    """Values as people can read them: text as it is, all else as JSON."""
    return [
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in (values or {}).items()
    ]


ROUTES = (get_audit, get_csv, get_json_lines)
