"""Many keys at once, with tokens that anybody can work out from their number."""

import hashlib
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from keystead.domain.constraints import make_constraints
from keystead.domain.tenants import Ceiling
from keystead.storage.sql.shapes import ceiling_to_json, constraints_to_json
from tests.servers import Postgres

APPS = 1_000
NAMES = ("Production", "Staging", "Build", "Reports")
PREFIXES = tuple(f"/v1/resource{i}/" for i in range(10))
METHODS = ("GET", "POST")
PATH = "/v1/resource7/items/42"

_CONSTRAINTS = json.dumps(
    constraints_to_json(make_constraints([("prefix", it[1:], METHODS) for it in PREFIXES])),
    separators=(",", ":"),
)
_CEILING = json.dumps(ceiling_to_json(Ceiling()), separators=(",", ":"))
_NOW = 1_790_000_000_000
_CHUNK = 50_000


def token_of(number: int) -> str:
    """The token of the key with this number, from 1 on."""
    return f"ks_sk_live_{_md5(f't{number}')}{_md5(f'u{number}')[:6]}"


def seed_postgres(server: Postgres, database: str, first: int, last: int) -> None:
    """Add the keys numbered `first` to `last`, made by the server itself, to a database set up by us.

    Ten million take minutes; indexes that only lists need are left out, and nothing survives a power cut.
    """
    statements = [
        "SET session_replication_role = replica",
        "SET synchronous_commit = off",
        *(f"DROP INDEX IF EXISTS ix_{name}" for name in _LIST_INDEXES),
        *(_TENANTS if first == 1 else ()),
        _keys(first, last),
        _versions(first, last),
        "ANALYZE keys",
        "ANALYZE versions",
    ]
    command = [server.psql, "-qXd", server.url(database), "-v", "ON_ERROR_STOP=1"]
    subprocess.run([*command, *(f"-c{it}" for it in statements)], check=True, capture_output=True)


def seed_sqlite(path: Path, first: int, last: int) -> None:
    """Add the keys numbered `first` to `last` to a database file set up by us and served by nobody now."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.create_function("md5", 1, _md5, deterministic=True)
    with database:
        for statement in _TENANTS if first == 1 else ():
            database.execute(_for_sqlite(statement))
        numbers = iter(range(first, last + 1))
        while chunk := list(islice(numbers, _CHUNK)):
            database.executemany(_insert("keys", _KEY_COLUMNS), _key_rows(chunk))
            database.executemany(_insert("versions", _VERSION_COLUMNS), _version_rows(chunk))
    database.close()


_LIST_INDEXES = (
    "keys_organization_id_created_at_id",
    "keys_app_id_created_at_id",
    "keys_user_id_created_at_id",
    "keys_created_by_id",
    "keys_expires_at",
)
_COMMON = f"'{{}}', '{{}}', {_NOW}, 1"
_TENANTS = (
    f"INSERT INTO organizations (id, name, name_folded, ceiling, labels, metadata, created_at, revision)"
    f" VALUES ('org_{'0' * 22}', 'Bench', 'bench', '{_CEILING}', {_COMMON})",
    "INSERT INTO apps (id, organization_id, name, name_folded, environment, allowed_origins, allowed_networks,"
    " last_key_protection, self_rotation, labels, metadata, created_at, revision)"
    f" SELECT 'app_' || left(md5('app' || n), 22), 'org_{'0' * 22}', 'App ' || n, 'app ' || n, 'live', '[]', '[]',"
    f" true, true, {_COMMON} FROM generate_series(0, {APPS - 1}) AS n",
)
_KEY_COLUMNS = (
    "id, number, name, name_folded, type, environment, owner_kind, app_id, organization_id, ephemeral, created_at,"
    " created_by_kind, created_by_id, constraints, allowed_origins, allowed_networks, scopes, labels, metadata,"
    " use_count, revision, start, last4"
)
_VERSION_COLUMNS = "id, key_id, position, digest, start, last4, created_at, use_count"


def _keys(first: int, last: int) -> str:
    names = ", ".join(f"'{name}'" for name in NAMES)
    return (
        f"INSERT INTO keys ({_KEY_COLUMNS}) SELECT 'key_' || left(md5('key' || n), 22), n,"
        f" (ARRAY[{names}])[n % {len(NAMES)} + 1], 'bench', 'secret', 'live', 'app',"
        f" 'app_' || left(md5('app' || n % {APPS}), 22), 'org_{'0' * 22}', false, {_NOW}, 'operator', 'bench',"
        f" '{_CONSTRAINTS}', '[]', '[]', '[]', '{{}}', '{{}}', 0, 1, 'ks_sk_live_', '0000'"
        f" FROM generate_series({first}, {last}) AS n"
    )


def _versions(first: int, last: int) -> str:
    return (
        f"INSERT INTO versions ({_VERSION_COLUMNS}) SELECT 'ver_' || left(md5('ver' || n), 22),"
        " 'key_' || left(md5('key' || n), 22), 0, '\\x01'::bytea ||"
        " sha256(convert_to('ks_sk_live_' || md5('t' || n) || left(md5('u' || n), 6), 'UTF8')),"
        f" 'ks_sk_live_', '0000', {_NOW}, 0 FROM generate_series({first}, {last}) AS n"
    )


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


def _key_rows(numbers: list[int]) -> Iterator[tuple[object, ...]]:
    for n in numbers:
        app = f"app_{_md5(f'app{n % APPS}')[:22]}"
        fixed = (
            0,
            _NOW,
            "operator",
            "bench",
            _CONSTRAINTS,
            "[]",
            "[]",
            "[]",
            "{}",
            "{}",
            0,
            1,
            "ks_sk_live_",
            "0000",
        )
        named = (NAMES[n % len(NAMES)], "bench", "secret", "live", "app")
        yield (f"key_{_md5(f'key{n}')[:22]}", n, *named, app, f"org_{'0' * 22}", *fixed)


def _version_rows(numbers: list[int]) -> Iterator[tuple[object, ...]]:
    for n in numbers:
        digest = b"\x01" + hashlib.sha256(token_of(n).encode()).digest()
        ids = (f"ver_{_md5(f'ver{n}')[:22]}", f"key_{_md5(f'key{n}')[:22]}")
        yield (*ids, 0, digest, "ks_sk_live_", "0000", _NOW, 0)


def _for_sqlite(statement: str) -> str:
    series = f"generate_series(0, {APPS - 1}) AS n"
    counted = f"(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {APPS - 1}) SELECT n FROM c)"
    return statement.replace(series, counted).replace("left(", "substr(").replace(", 22)", ", 1, 22)")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
