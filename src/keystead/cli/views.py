"""How people see the API's objects: which facts, in which order, in which words."""

import json
import re

from keystead.cli.exits import Json
from keystead.cli.printing import Reader, View, objects

NONE = "-"

_FRACTION = re.compile(r"\.\d+Z\Z")


def at(field: str) -> Reader:
    """The field's value in plain text; `-` for none."""
    return lambda item: plain(item.get(field))


def if_any(field: str) -> Reader:
    """The field's value; empty, so that the fact is left out, for none."""
    return lambda item: plain(item[field]) if item.get(field) not in (None, [], {}) else ""


def plain(value: object) -> str:
    """A JSON value in plain text: yes and no, items with commas between, `-` for none."""
    if value in (None, "", [], {}):
        return NONE
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(plain(it) for it in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def constraint(item: Json) -> str:
    """A constraint as `--allow` takes it: `GET,POST prefix jobs/`."""
    methods = item.get("methods")
    words = [
        ",".join(map(str, methods)) if isinstance(methods, list) else "",
        item.get("type"),
        item.get("pattern"),
    ]
    return " ".join(str(word) for word in words if word)


def _inner(item: Json, field: str) -> Json:
    found = item.get(field)
    return found if isinstance(found, dict) else {}


def _who(field: str) -> Reader:
    def read(item: Json) -> str:
        who = _inner(item, field)
        return " ".join(str(who[part]) for part in ("kind", "id") if who.get(part)) or NONE

    return read


def _token(item: Json) -> str:
    return f"{item.get('start')}…{item.get('last4')}"


def _instant(field: str, none: str = NONE) -> Reader:
    """An instant without its fraction of a second, which `--json` has."""
    return lambda item: _FRACTION.sub("Z", str(item.get(field) or none))


_expires = _instant("expires_at", "never")
_used = _instant("last_used_at", "never")
_origin_at = _instant("origin_seen_at", "")


def _origin_seen(item: Json) -> str:
    """When a browser last sent one of the key's tokens; left out where none ever did."""
    return max((_origin_at(it) for it in objects(item.get("versions"))), default="")


def _constraints(item: Json) -> str:
    return " or ".join(constraint(it) for it in objects(item.get("constraints"))) or "any request"


def _labels(item: Json) -> str:
    return ", ".join(f"{name}={value}" for name, value in _inner(item, "labels").items()) or NONE


def _key_status(item: Json) -> str:
    reason = item.get("revoked_reason")
    return f"{plain(item.get('status'))} ({reason})" if reason else plain(item.get("status"))


def _status(item: Json) -> str:
    if item.get("deleted_at"):
        return "deleted"
    return f"suspended by {_who('disabled_by')(item)}" if item.get("disabled") else "active"


def _ceiling_scopes(item: Json) -> str:
    scopes = _inner(item, "ceiling").get("scopes")
    return "all that customers may grant" if scopes is None else plain(scopes)


def _ceiling_lifetime(item: Json) -> str:
    seconds = _inner(item, "ceiling").get("max_lifetime_s")
    return "any" if seconds is None else f"{seconds} s"


def _ceiling_methods(item: Json) -> str:
    return plain(_inner(item, "ceiling").get("public_methods"))


def _verdict(item: Json) -> str:
    return "accepted" if item.get("valid") is True else f"refused: {plain(item.get('reason'))}"


def _of_key(read: Reader) -> Reader:
    """A fact of the key that a verdict is about; left out when there is none."""
    return lambda item: read(_inner(item, "key")) if item.get("key") else ""


def _names(field: str) -> Reader:
    return lambda item: ", ".join(plain(it.get("name")) for it in objects(item.get(field)))


def _id_in(field: str) -> Reader:
    return lambda item: plain(_inner(item, field).get("id"))


_CHANGE = {"epoch": if_any("epoch"), "applied by": _names("confirmed"), "lagging": _names("lagging")}
"""What the answer to a change says of it."""

KEY = View(
    many="keys",
    columns={
        "id": at("id"),
        "name": at("name"),
        "type": at("type"),
        "token": _token,
        "status": at("status"),
        "expires": _expires,
        "last used": _used,
    },
    facts={
        "id": at("id"),
        "name": at("name"),
        "type": at("type"),
        "environment": at("environment"),
        "owner": _who("owner"),
        "organization": at("organization_id"),
        "status": _key_status,
        "token": _token,
        "ephemeral": lambda item: "yes" if item.get("ephemeral") else "",
        "constraints": _constraints,
        "allowed origins": at("allowed_origins"),
        "allowed networks": at("allowed_networks"),
        "scopes": at("scopes"),
        "labels": _labels,
        "metadata": at("metadata"),
        "created": _instant("created_at"),
        "created by": _who("created_by"),
        "expires": _expires,
        "last used": _used,
        "uses": at("use_count"),
        "seen with an Origin": _origin_seen,
        "revoked": _instant("revoked_at", ""),
        "revoked with it": if_any("descendants"),
        **_CHANGE,
    },
    parts="versions",
    part_columns={
        "version": at("id"),
        "token": _token,
        "created": _instant("created_at"),
        "retires": _instant("retires_at"),
        "last used": _used,
        "uses": at("use_count"),
    },
)

ORGANIZATION = View(
    many="organizations",
    columns={"id": at("id"), "name": at("name"), "external id": at("external_id"), "status": _status},
    facts={
        "id": at("id"),
        "name": at("name"),
        "external id": at("external_id"),
        "status": _status,
        "ceiling: scopes": _ceiling_scopes,
        "ceiling: lifetime": _ceiling_lifetime,
        "ceiling: public methods": _ceiling_methods,
        "labels": _labels,
        "metadata": at("metadata"),
        "created": _instant("created_at"),
        **_CHANGE,
    },
)

APP = View(
    many="apps",
    columns={
        "id": at("id"),
        "name": at("name"),
        "environment": at("environment"),
        "external id": at("external_id"),
        "status": _status,
    },
    facts={
        "id": at("id"),
        "name": at("name"),
        "organization": at("organization_id"),
        "environment": at("environment"),
        "external id": at("external_id"),
        "status": _status,
        "allowed origins": at("allowed_origins"),
        "allowed networks": at("allowed_networks"),
        "last key protection": at("last_key_protection"),
        "self rotation": at("self_rotation"),
        "API base URL": at("api_base_url"),
        "labels": _labels,
        "metadata": at("metadata"),
        "created": _instant("created_at"),
        **_CHANGE,
    },
)

USER = View(
    many="users",
    columns={"id": at("id"), "email": at("email"), "name": at("name"), "status": _status},
    facts={
        "id": at("id"),
        "email": at("email"),
        "name": at("name"),
        "external id": at("external_id"),
        "status": _status,
        "metadata": at("metadata"),
        "created": _instant("created_at"),
        **_CHANGE,
    },
)

MEMBER = View(
    many="members",
    columns={"user": at("user_id"), "email": at("email"), "name": at("name"), "role": at("role")},
    facts={
        "organization": at("organization_id"),
        "user": at("user_id"),
        "email": at("email"),
        "name": at("name"),
        "role": at("role"),
        "created": _instant("created_at"),
        **_CHANGE,
    },
)

SCOPE = View(
    many="scopes",
    columns={
        "name": at("name"),
        "customers may grant": at("customer_grantable"),
        "description": at("description"),
    },
    facts={
        "name": at("name"),
        "customers may grant": at("customer_grantable"),
        "description": at("description"),
        "created": _instant("created_at"),
    },
)

ENTRY = View(
    many="entries",
    columns={
        "at": _instant("at"),
        "by": _who("by"),
        "action": at("action"),
        "subject": _who("subject"),
        "epoch": at("epoch"),
    },
    facts={},
)

NODE = View(
    many="nodes",
    columns={
        "id": at("id"),
        "name": at("name"),
        "epoch": at("applied_epoch"),
        "lag": at("lag"),
        "seen": _instant("seen_at"),
        "this": at("this_node"),
    },
    facts={},
)

VERDICT = View(
    many="verdicts",
    columns={},
    facts={
        "verdict": _verdict,
        "key": _of_key(at("id")),
        "name": _of_key(at("name")),
        "type": _of_key(at("type")),
        "environment": _of_key(at("environment")),
        "version": _of_key(at("version_id")),
        "owner": _of_key(_who("owner")),
        "organization": _of_key(_id_in("organization")),
        "scopes": _of_key(at("scopes")),
        "metadata": _of_key(at("metadata")),
        "expires": _of_key(_expires),
        "as of": _instant("as_of"),
        "degraded": lambda item: "yes" if item.get("degraded") else "",
    },
    parts="checks",
    part_columns={"check": at("reason"), "passed": at("passed")},
)
