"""The OpenAPI document: valid, complete, and true in its examples; and the page that shows it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from litestar.routes import HTTPRoute
from schemathesis.specs.openapi.definitions import OPENAPI_31

import keystead
from keystead.api import docs
from keystead.api.app import MANAGEMENT
from keystead.api.forward_auth import PROFILES
from keystead.api.openapi import openapi_document
from keystead.api.openapi_problems import PROBLEMS
from keystead.domain.errors import Conflict, Denied, InvalidInput, NotFound, Stale, Unavailable
from keystead.services.drafts import Draft
from tests.api.world import World

Json = dict[str, Any]

DOCUMENT: Json = json.loads(openapi_document(MANAGEMENT))
SCHEMAS: Json = DOCUMENT["components"]["schemas"]
OPERATIONS: dict[str, Json] = {
    operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()
}
_ERRORS = {it.__name__: it for it in (Conflict, Denied, InvalidInput, NotFound, Stale, Unavailable)}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def test_document_is_valid_openapi_3_1():
    faults = [str(it) for it in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(DOCUMENT)]
    assert not faults


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_valid_json_schema(name):
    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMAS[name]})


def test_every_reference_leads_somewhere_and_every_component_is_used():
    used = set(re.findall(r'"#/components/(\w+/[\w.-]+)"', json.dumps(DOCUMENT)))
    there = {
        f"{kind}/{name}"
        for kind, items in DOCUMENT["components"].items()
        for name in items
        if kind != "securitySchemes"
    }
    assert used == there


def test_every_route_of_the_api_is_documented():
    routes = {
        (route.path_format, method.lower())
        for route in MANAGEMENT.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }
    beside = {(path, "get") for path in {*PROFILES, "/healthz", "/readyz", "/metrics"}}
    assert routes | beside == {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}


def test_names_of_operations_are_words_and_no_two_are_alike():
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", it) for it in OPERATIONS)
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())


@each_operation
def test_operation_has_a_summary_a_known_tag_and_described_parameters(operation):
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert set(operation["tags"]) <= {it["name"] for it in DOCUMENT["tags"]}
    assert all(it["description"] for it in operation.get("parameters", ()))


@each_operation
def test_operation_shows_what_it_takes_and_answers(operation):
    assert not list(_without_example(operation))


@each_operation
def test_examples_are_valid(operation):
    examples = list(_examples(operation))
    for schema, example in examples:
        faults = [str(it) for it in _validator(schema).iter_errors(example)]
        assert not faults, example


@pytest.mark.parametrize("response", DOCUMENT["components"]["responses"].values(), ids=PROBLEMS)
def test_examples_of_problems_are_valid(response):
    examples = list(_examples({"responses": {"4XX": response}}))
    assert examples
    assert all(_validator(schema).is_valid(example) for schema, example in examples)


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_of_fields_are_valid(name):
    for field in SCHEMAS[name].get("properties", {}).values():
        assert all(_validator(field).is_valid(example) for example in field.get("examples", ()))


@pytest.mark.parametrize("draft", sorted(it.__name__ for it in Draft.__subclasses__()))
def test_unknown_fields_are_refused_as_documented(draft):
    assert SCHEMAS[draft]["additionalProperties"] is False


@each_operation
def test_refusals_say_how_to_authenticate(operation):
    if operation.get("security") == []:
        assert "401" not in operation["responses"]
    else:
        assert "WWW-Authenticate" in _resolved(operation["responses"]["401"])["headers"]


def test_every_answer_carries_a_request_id():
    for operation in OPERATIONS.values():
        assert all("X-Request-Id" in _resolved(it)["headers"] for it in operation["responses"].values())


def test_every_problem_that_the_code_can_raise_is_documented():
    documented = {slug for slugs in PROBLEMS.values() for slug in slugs}
    raised = set(_codes())
    assert len(raised) > 20
    assert raised <= documented


def test_optional_bodies_and_parameters_say_so():
    assert OPERATIONS["rotate_key"]["requestBody"]["required"] is False
    assert OPERATIONS["create_app_key"]["requestBody"]["required"] is True
    for operation in OPERATIONS.values():
        assert all('"null"' not in json.dumps(it["schema"]) for it in operation.get("parameters", ()))


async def test_document_is_public_and_can_be_asked_for_again_cheaply(sqlite_world: World):
    first = await sqlite_world.client.get("/api/openapi.json")
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/json"
    assert first.json() == DOCUMENT
    again = await sqlite_world.client.get(
        "/api/openapi.json", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_schema_says_what_the_answer_is(sqlite_world: World):
    key = await sqlite_world.key()
    assert _validator({"$ref": "#/components/schemas/Key"}).is_valid(key)
    verdict = await sqlite_world.verdict("unknown")
    assert "key" not in verdict
    assert _validator({"$ref": "#/components/schemas/Verdict"}).is_valid(verdict)


class TestPage:
    async def test_it_is_served_under_a_strict_policy(self, sqlite_world: World):
        page = await sqlite_world.client.get("/api/docs")
        policy = page.headers["content-security-policy"]
        assert page.status_code == 200
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "<style" not in page.text
        assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)

    async def test_all_addresses_are_relative_and_found(self, sqlite_world: World):
        page = await sqlite_world.client.get("/api/docs")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(addresses) == 6
        for address in addresses:
            assert not address.startswith(("/", "http"))
            found = await sqlite_world.client.get(f"/api/{address}")
            assert found.status_code == 200, address

    async def test_files_asked_for_by_version_are_kept(self, sqlite_world: World):
        kept = await sqlite_world.client.get("/api/docs/docs.js?v=1")
        asked = await sqlite_world.client.get("/api/docs/docs.js")
        assert "immutable" in kept.headers["cache-control"]
        assert asked.headers["cache-control"] == "no-cache"
        assert asked.headers["content-type"].startswith("text/javascript")

    @pytest.mark.parametrize("name", ["openapi.py", "..%2Fapp.py", "docs.html", ".", "swagger-ui"])
    async def test_no_other_file_is_served(self, sqlite_world: World, name):
        answer = await sqlite_world.client.get(httpx.URL(f"http://keystead.test/api/docs/{name}"))
        assert answer.status_code in {200, 307, 404}
        assert answer.status_code != 200 or answer.headers["content-type"].startswith("text/html")

    async def test_a_slash_at_its_end_leads_to_it(self, sqlite_world: World):
        answer = await sqlite_world.client.get("/api/docs/")
        assert answer.is_redirect
        assert answer.headers["location"] == "../docs"

    async def test_it_says_how_to_fetch_what_it_needs(self, sqlite_world: World, monkeypatch, tmp_path):
        monkeypatch.setitem(docs._FILES, "swagger-ui.css", (tmp_path, "text/css"))
        answer = await sqlite_world.client.get("/api/docs")
        assert answer.status_code == 503
        assert "make setup" in answer.text
        missing = await sqlite_world.client.get("/api/docs/swagger-ui.css")
        assert missing.status_code == 404


def _validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _resolved(response: Json) -> Json:
    if "$ref" not in response:
        return response
    return dict(DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]])


def _contents(operation: Json) -> Iterator[Json]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from _resolved(response).get("content", {}).values()


def _examples(operation: Json) -> Iterator[tuple[Json, object]]:
    for content in _contents(operation):
        if "example" in content:
            yield content["schema"], content["example"]
        for example in content.get("examples", {}).values():
            yield content["schema"], example["value"]
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            yield parameter["schema"], parameter["example"]


def _without_example(operation: Json) -> Iterator[Json]:
    for content in _contents(operation):
        if "example" not in content and not content.get("examples"):
            yield content


def _codes() -> Iterator[str]:
    """The code of every error that is raised in the domain, the services or the store."""
    package = Path(keystead.__file__).parent
    for path in (it for room in ("domain", "services", "storage") for it in (package / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            kind = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and kind in _ERRORS:
                said = [it.value.value for it in node.keywords if it.arg == "code"]
                yield from said or [_ERRORS[kind].code]
