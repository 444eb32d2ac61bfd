"""What the OpenAPI document promises, asked of a real server: each operation by itself, then whole sequences.

Hypothesis derives its examples from the operations alone, so that a run today and a run in CI ask the same.
"""

import copy
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks

from keystead.api.app import MANAGEMENT
from keystead.api.openapi import openapi_document
from keystead.domain.ids import IdKind, is_id
from keystead.domain.keys import Environment
from keystead.domain.scopes import is_scope
from keystead.domain.tokens import TokenKind, make_token
from tests.servers import free_port, running

Json = dict[str, Any]

LEFT_OUT_NAMES = (
    # A schema cannot say all that the domain judges (a scope in the catalogue, a canonical pattern, one of
    # two fields): what has the right shape may still be refused with 422.
    "positive_data_acceptance",
    # Nothing is erased here: what was deleted or revoked can still be read, and says so.
    "use_after_free",
)
load_all_checks()
LEFT_OUT = CHECKS.get_by_names(LEFT_OUT_NAMES)
# A proxy asks with whichever method its client used, and is answered.
LEFT_OUT_OF_FORWARD_AUTH = [*LEFT_OUT, *CHECKS.get_by_names(["unsupported_method"])]
FORWARD_AUTH = frozenset({"/auth", "/auth/nginx"})

SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi_document(MANAGEMENT)))
SCHEMA.config.generation.update(with_security_parameters=False)
SETTINGS = settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True, kw_only=True)
class Live:
    """A server, the root key that makes things there, and what there is to name in paths."""

    url: str
    root: str
    root_id: str
    client: httpx.Client

    def made(self, path: str, body: Json) -> Json:
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        return dict(answer.json())

    def seed(self) -> "Seeds":
        """An organization with all that can be below it."""
        nonce = secrets.token_hex(6)
        organization = self.made("organizations", {"name": "Seed", "external_id": nonce})
        app = self.made(f"organizations/{organization['id']}/apps", {"name": "Seed"})
        key = self.made(f"apps/{app['id']}/keys", {"name": "Seed"})
        public = self.made(f"apps/{app['id']}/keys", {"name": "Spare", "type": "public"})
        member = self.made(
            f"organizations/{organization['id']}/members",
            {"email": f"{nonce}@example.com", "role": "developer"},
        )
        mine = self.made(f"users/{member['user_id']}/keys", {"name": "Seed"})
        rotated = self.made(f"keys/{key['id']}/rotate", {})
        scope = self.made("scopes", {"name": f"seed:{nonce}"})
        return Seeds(
            ids={
                IdKind.ORGANIZATION: organization["id"],
                IdKind.APP: app["id"],
                IdKind.USER: member["user_id"],
                IdKind.KEY: key["id"],
                IdKind.VERSION: key["versions"][0]["id"],
            },
            public_key=public["id"],
            scope=scope["name"],
            app_token=rotated["token"],
            personal_token=mine["token"],
        )


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Names of things that exist, and tokens of keys that are not the root key."""

    ids: Mapping[IdKind, str]
    public_key: str
    scope: str
    app_token: str
    personal_token: str

    def aim(self, case: schemathesis.Case) -> None:
        """Let what is shaped like a name of something name what exists."""
        for place, value in case.path_parameters.items():
            kind = next((kind for kind in self.ids if is_id(kind, str(value))), None)
            if kind is not None:
                public = case.path.endswith("/reveal")
                case.path_parameters[place] = self.public_key if public else self.ids[kind]
            elif place == "name" and is_scope(unquote(str(value))):
                case.path_parameters[place] = self.scope

    def token_for(self, case: schemathesis.Case) -> str | None:
        """Who asks: what is about oneself is asked as oneself."""
        if case.path.startswith("/api/v1/self") or case.path in FORWARD_AUTH:
            return self.app_token
        return self.personal_token if case.path == "/api/v1/users/me" else None


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("schemathesis")
    port, url = free_port(), ""
    root = make_token("ks", TokenKind.ROOT, Environment.LIVE, secrets.token_bytes(32)).reveal()
    url = f"http://127.0.0.1:{port}"
    (folder / "root-key").write_text(root)
    environ = {
        "KEYSTEAD_DATA": str(folder / "data"),
        "KEYSTEAD_PORT": str(port),
        "KEYSTEAD_ROOT_KEY_FILE": str(folder / "root-key"),
        "KEYSTEAD_MAX_KEYS_PER_APP": "100000",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        command = [Path(sys.executable).with_name("keystead"), "serve"]
        with (
            running(command, port=port, log=folder / "log"),
            httpx.Client(
                base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {root}"}, timeout=30
            ) as client,
        ):
            mine = client.post("keys/lookup", json={"token": root}).json()
            yield Live(url=url, root=root, root_id=mine["id"], client=client)


@pytest.fixture
def seed(live: Live) -> Callable[[schemathesis.Case], Seeds]:
    """Seeds for a case: new ones each time where it ends what it names."""
    kept: list[Seeds] = []

    def wanted(case: schemathesis.Case) -> Seeds:
        if not kept or case.method == "DELETE" or case.path.startswith("/api/v1/self/"):
            kept[:] = [live.seed()]
        return kept[0]

    return wanted


@SCHEMA.parametrize()
@SETTINGS
def test_operation_keeps_its_promises(
    case: schemathesis.Case, live: Live, seed: Callable[[schemathesis.Case], Seeds]
):
    seeds = seed(case)
    seeds.aim(case)
    token = seeds.token_for(case) or live.root
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(base_url=live.url, headers=headers, excluded_checks=_left_out(case))


def test_sequences_of_operations_keep_their_promises(live: Live, tmp_path: Path):
    """What one operation answers is asked of the next, as schemathesis infers it from the document.

    Its own program runs these: in a state machine of ours, Hypothesis could not repeat a sequence exactly,
    for what the one before made is still there.
    """
    (tmp_path / "openapi.json").write_text(json.dumps(_narrowed(SCHEMA.raw_schema)))
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        tmp_path / "openapi.json",
        f"--url={live.url}",
        "--phases=stateful",
        "--mode=positive",
        "--max-examples=60",
        "--generation-deterministic",
        "--generation-with-security-parameters=false",
        f"--exclude-checks={','.join(LEFT_OUT_NAMES)}",
        f"--header=Authorization: Bearer {live.root}",
        # The first would show the root key to the sequences, which might end it; the others want other keys.
        "--exclude-operation-id-regex=^(list_root_keys|get_me|.*_self|forward_auth.*)$",
        "--no-color",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert live.client.get("root-keys").is_success, "the sequences ended the root key"


def _narrowed(document: Json) -> Json:
    """The document without what only the domain can judge, so that sequences go beyond their first step."""
    narrowed = copy.deepcopy(document)
    for schema in narrowed["components"]["schemas"].values():
        if schema.get("additionalProperties") is False:
            schema["properties"] = {
                name: field
                for name, field in schema["properties"].items()
                if name in {*schema["required"], "disabled", "grace_s", "type", "user_id"}
            }
            if "name" in schema["properties"]:
                schema["properties"]["name"] = {"type": "string", "pattern": "^[a-z]{8,16}$"}
    schemas = narrowed["components"]["schemas"]
    schemas["NewScope"]["properties"]["name"]["pattern"] = "^[a-z]{3,9}:[a-z]{3,9}$"
    schemas["NewRootKey"]["properties"]["scopes"]["items"] = {"const": "verify"}
    return narrowed


def _left_out(case: schemathesis.Case) -> list[Any]:
    return LEFT_OUT_OF_FORWARD_AUTH if case.path in FORWARD_AUTH else LEFT_OUT
