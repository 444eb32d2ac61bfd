"""The OpenAPI 3.1 document: what the framework generates from the routes, polished once.

Schemas are msgspec's own, for it knows what the framework does not: which fields may be absent, and that
unknown ones are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig

from keystead.api.examples import answer_example, body_example
from keystead.api.openapi_parts import (
    ID_PARAMETERS,
    INFO,
    LABELS_PARAMETER,
    OPERATIONS,
    PARAMETER_TEXTS,
    SECURITY,
    SECURITY_SCHEMES,
    TAGS,
)
from keystead.api.openapi_problems import HEADERS, PROBLEM_NAMES, header_refs, problem_response
from keystead.api.problem import MEDIA_TYPE as PROBLEM_TYPE
from keystead.api.wire import ListView

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_JSON = "application/json"
_LISTED = re.compile(r"ListView_(?:[a-z_.]+\.)?([A-Za-z]+)_")
_SENTENCE = re.compile(r"(.+?)[.;:](?:\s+(.+))?", re.DOTALL)
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES = {"EntryView": "AuditEntry", "KeyFacts": "VerifiedKey", "VerifyAnswer": "Verdict"}
_VERBS = {"post": "create", "get": "get", "put": "put", "patch": "change", "delete": "delete"}
_IDS = {
    "delete_member": "remove_member",
    "delete_one": "revoke_key",
    "delete_version": "retire_version",
    "get_audit": "list_audit",
    "get_one": "get_key",
    "patch_one": "change_key",
    "post_disable": "disable_key",
    "post_enable": "enable_key",
    "post_lookup": "lookup_key",
    "post_member": "add_member",
    "post_reveal": "reveal_key",
    "post_rotate": "rotate_key",
    "post_self_revoke": "revoke_self",
    "post_self_rotate": "rotate_self",
    "post_verify": "verify",
}
"""Operations that do something else than their handler's name, `{method}_{what}`, would say."""

_REVISED = frozenset({"App", "Key", "Organization", "User"})
_NOISE = frozenset({"deprecated", "allowEmptyValue", "allowReserved"})


@cache
def openapi_document(*routers: Router) -> bytes:
    """The document for these routers, as JSON; made once in a process, since it depends on nothing else."""
    config = OpenAPIConfig(
        title=INFO["title"],
        version=INFO["version"],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    )
    app = Litestar(route_handlers=routers, openapi_config=config, logging_config=None)
    return msgspec.json.encode(polished(app.openapi_schema.to_schema()))


def polished(generated: Json) -> Json:
    """The document as we publish it, from the one that the framework generated."""
    paths = {
        path: {method: _operation(operation) for method, operation in item.items()}
        for path, item in generated["paths"].items()
    }
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "security": SECURITY,
        "tags": TAGS,
        "paths": {**paths, **OPERATIONS},
        "components": {
            "schemas": _schemas(sorted({*_schema_names(generated["paths"]), "Health", "Problem"})),
            "responses": {
                PROBLEM_NAMES[status]: problem_response(status, meaning)
                for status, meaning in sorted(_meanings(generated["paths"]).items())
            },
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(raw: Json) -> Json:
    summary, description = _sentences(cleandoc(raw["description"]))
    answers = {status: it for status, it in raw["responses"].items() if int(status) not in PROBLEM_NAMES}
    name = next(_schema_names(answers))
    operation_id = _operation_id(raw["operationId"], is_list=pretty_name(name).endswith("List"))
    operation = {
        "tags": raw["tags"],
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "parameters": _parameters(raw.get("parameters", ()), operation_id),
        "requestBody": _request_body(raw["requestBody"]) if "requestBody" in raw else None,
        "responses": {
            **{status: _answer(status, it, operation_id, name) for status, it in sorted(answers.items())},
            **_problems(raw),
        },
    }
    return {field: value for field, value in operation.items() if value}


def _sentences(text: str) -> tuple[str, str]:
    """A docstring's first sentence, or what it says before a colon or semicolon, and the rest of it."""
    parts = _SENTENCE.fullmatch(text)
    first, rest = (parts[1], parts[2] or "") if parts else (text, "")
    return first.replace("`", ""), rest[:1].upper() + rest[1:]


def _operation_id(handler: str, *, is_list: bool) -> str:
    if handler in _IDS:
        return _IDS[handler]
    method, _, what = handler.partition("_")
    return f"{'list' if is_list else _VERBS[method]}_{what}"


def _parameters(raw: Sequence[Json], operation_id: str) -> list[Json]:
    """The parameters with their texts; those that filter may also filter by labels."""
    labelled = operation_id.endswith("keys") or operation_id in {"list_apps", "list_organizations"}
    return [*map(_parameter, raw), *([LABELS_PARAMETER] if labelled else [])]


def _parameter(raw: Json) -> Json:
    name, text = raw["name"], raw.get("description") or PARAMETER_TEXTS.get(raw["name"], "")
    schema = {key: value for key, value in _not_null(raw["schema"]).items() if key != "description"}
    plain = {key: value for key, value in raw.items() if key not in _NOISE}
    if raw["in"] == "path" and name in ID_PARAMETERS:
        return {**plain, **ID_PARAMETERS[name]}
    return {**plain, "schema": _schema(schema), "description": text}


def _not_null(schema: Json) -> Json:
    """A schema without null among its alternatives, for what is left out rather than null."""
    kept = [it for it in schema.get("oneOf", ()) if it != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    return {**kept[0], **rest} if len(kept) == 1 else schema


def _request_body(raw: Json) -> Json:
    schema = raw["content"][_JSON]["schema"]
    content = {"schema": _schema(schema), "example": body_example(next(_schema_names(schema)))}
    return {"content": {_JSON: content}, "required": {"type": "null"} not in schema.get("oneOf", ())}


def _answer(status: str, raw: Json, operation_id: str, name: str) -> Json:
    listed = _LISTED.fullmatch(name)
    example = answer_example(operation_id, listed[1] if listed else name)
    return {
        "description": _answer_text(status, pretty_name(name), operation_id),
        "headers": header_refs("X-Request-Id", *(["ETag"] if pretty_name(name) in _REVISED else [])),
        "content": {
            _JSON: {
                "schema": _schema(raw["content"][_JSON]["schema"]),
                "example": {"items": [example], "next_cursor": None} if listed else example,
            }
        },
    }


def _answer_text(status: str, name: str, operation_id: str) -> str:
    thing = _WORD.sub(" ", name).lower()
    if operation_id == "list_nodes":
        return "All nodes, by name."
    if name.endswith("List"):
        return "A page of the list, newest first."
    if status == "201":
        return f"Made: the new {thing}."
    return (
        f"The {thing}." if operation_id.startswith(("get", "lookup", "verify")) else f"Done: the {thing} now."
    )


def _problems(raw: Json) -> Json:
    """The problems of an operation, by reference; where no body is read, it cannot be broken or too large."""
    bodiless = set() if "requestBody" in raw else {400, 413}
    statuses = sorted({int(it) for it in raw["responses"]} & PROBLEM_NAMES.keys() - bodiless)
    return {str(it): {"$ref": f"#/components/responses/{PROBLEM_NAMES[it]}"} for it in statuses}


def _meanings(paths: Json) -> dict[int, str]:
    """What each status of a problem means, as the routes describe it."""
    return {
        int(status): response["description"]
        for item in paths.values()
        for operation in item.values()
        for status, response in operation["responses"].items()
        if PROBLEM_TYPE in response["content"]
    }


def pretty_name(name: str) -> str:
    """What a schema is called in the document: `Key` for `KeyView`, `KeyList` for a list of them."""
    listed = _LISTED.fullmatch(name)
    return f"{pretty_name(listed[1])}List" if listed else _NAMES.get(name, name.removesuffix("View"))


def _schemas(names: Sequence[str]) -> Json:
    """The named schemas and all that they refer to."""
    known = {it.__name__: it for kind in (msgspec.Struct, StrEnum) for it in _kinds(kind)}
    types = [_type(name, known) for name in names]
    _, schemas = msgspec.json.schema_components(
        types, schema_hook=lambda _: {"description": "Any JSON value."}, ref_template=_SCHEMAS + "{name}"
    )
    ordered = {pretty_name(name): _in_order(known.get(name), schema) for name, schema in schemas.items()}
    return {name: _schema(schema) for name, schema in sorted(ordered.items())}


def _type(name: str, known: Mapping[str, type]) -> object:
    listed = _LISTED.fullmatch(name)
    if listed is None:
        return known[name]
    generic: Any = ListView  # what it is a list of is known at run time only
    return generic[known[listed[1]]]


def _kinds(kind: type) -> Iterator[type]:
    """All of our own types below a kind."""
    below: list[type] = kind.__subclasses__()
    for it in below:
        if it.__module__.startswith("keystead."):
            yield it
        yield from _kinds(it)


def _in_order(kind: type | None, schema: Json) -> Json:
    """Words of a closed set in the order we give them, which says something; msgspec sorts them."""
    if kind is None or not issubclass(kind, StrEnum):
        return schema
    return {**schema, "type": "string", "enum": [it.value for it in kind]}


def _schema(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A part of a schema: references by their pretty names, texts without indentation, no titles."""
    if isinstance(node, list):
        return [_schema(it) for it in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _polished_value(key, value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }


def _polished_value(key: str, value: Any) -> Any:  # noqa: ANN401 - likewise
    if key == "$ref" and isinstance(value, str):
        return _SCHEMAS + pretty_name(value.removeprefix(_SCHEMAS))
    if key == "description" and isinstance(value, str):
        return cleandoc(value)
    return value if key in {"default", "example", "examples"} else _schema(value)


def _schema_names(node: object) -> Iterator[str]:
    """The schemas that a part of the framework's document refers to."""
    if isinstance(node, Mapping):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_SCHEMAS)
        for value in node.values():
            yield from _schema_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _schema_names(value)
