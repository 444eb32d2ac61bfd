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
PREFIXES = tuple(f"/v1/resource{i}/" for i in range(10))
METHODS = ("GET", "POST")
PATH = "/v1/resource7/items/42"
"""A path that the eighth of the prefixes allows."""

SERVER_SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
"""What makes `seed_postgres` quick, for `serve_postgres`."""

_NAMES = ("Production", "Staging", "Build", "Reports")
_ORGANIZATION = f"org_{'0' * 22}"
_START = "ks_sk_live_"
_LAST4 = "0000"
_NOW = 1_790_000_000_000
_CHUNK = 50_000
_CONSTRAINTS = json.dumps(
    constraints_to_json(make_constraints([("prefix", it[1:], METHODS) for it in PREFIXES])),
    separators=(",", ":"),
)
_CEILING = json.dumps(ceiling_to_json(Ceiling()), separators=(",", ":"))


def token_of(number: int) -> str:
    """The token of the key with this number, from 1 on."""
    chance = _md5(str(number))
    return f"{_START}{chance}{chance[:6]}"


def seed_postgres(server: Postgres, database: str, first: int, last: int) -> None:
    """Add the keys numbered `first` to `last`, made by the server itself, to a database set up by us.

    Ten million take minutes. The indexes that only lists need and the foreign key of versions are left out
    from then on, and nothing survives a power cut.
    """
    url = server.url(database)
    _finish(_begin(server, url, [*_LOOSEN, *(_TENANTS if first == 1 else ())]))
    # One for each core: without the foreign key the tables know nothing of each other.
    halves = (
        [*_QUICKLY, _keys(first, last), *_KEY_INDEXES, "ANALYZE keys"],
        [*_QUICKLY, _versions(first, last), *_VERSION_INDEXES, "ANALYZE versions"],
    )
    for process in [_begin(server, url, statements) for statements in halves]:
        _finish(process)


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


_LOOSEN = (
    *(
        f"DROP INDEX IF EXISTS ix_keys_{columns}"
        for columns in (
            *(
                f"{owner}_{it}"
                for owner in ("organization_id", "app_id")
                for it in ("live", "name", "revoked")
            ),
            "user_id_created_at_id",
            "created_by_id",
            "expires_at",
        )
    ),
    """ALTER TABLE versions DROP CONSTRAINT IF EXISTS fk_versions_key_id,
        DROP CONSTRAINT IF EXISTS pk_versions, DROP CONSTRAINT IF EXISTS uq_versions_digest,
        DROP CONSTRAINT IF EXISTS uq_versions_key_id_position""",
    "ALTER TABLE keys DROP CONSTRAINT IF EXISTS pk_keys, DROP CONSTRAINT IF EXISTS uq_keys_number",
)
_KEY_INDEXES = (
    "ALTER TABLE keys ADD CONSTRAINT pk_keys PRIMARY KEY (id), ADD CONSTRAINT uq_keys_number UNIQUE (number)",
)
_VERSION_INDEXES = (
    """ALTER TABLE versions ADD CONSTRAINT pk_versions PRIMARY KEY (id),
        ADD CONSTRAINT uq_versions_digest UNIQUE (digest),
        ADD CONSTRAINT uq_versions_key_id_position UNIQUE (key_id, position)""",
)
# Foreign keys are checked by triggers, which a replica does not fire.
_QUICKLY = ("SET session_replication_role = replica", "SET synchronous_commit = off")

_COMMON = f"'{{}}', '{{}}', {_NOW}, 1"
_TENANTS = (
    f"""INSERT INTO organizations
        (id, name, name_folded, ceiling, labels, metadata, created_at, revision)
        VALUES ('{_ORGANIZATION}', 'Bench', 'bench', '{_CEILING}', {_COMMON})""",
    f"""INSERT INTO apps
        (id, organization_id, name, name_folded, environment, allowed_origins, allowed_networks,
        last_key_protection, self_rotation, labels, metadata, created_at, revision)
        SELECT 'app_' || left(md5('app' || n), 22), '{_ORGANIZATION}', 'App ' || n, 'app ' || n, 'live',
        '[]', '[]', true, true, {_COMMON} FROM generate_series(0, {APPS - 1}) AS n""",
)
_KEY_COLUMNS = (
    "id, number, name, name_folded, type, environment, owner_kind, app_id, organization_id, ephemeral,"
    " created_at, created_by_kind, created_by_id, constraints, allowed_origins, allowed_networks, scopes,"
    " labels, metadata, use_count, revision, start, last4"
)
_VERSION_COLUMNS = "id, key_id, position, digest, start, last4, created_at, use_count"


def _keys(first: int, last: int) -> str:
    names = ", ".join(f"'{name}'" for name in _NAMES)
    return f"""
        INSERT INTO keys ({_KEY_COLUMNS}) SELECT
            'key_' || left(md5(n::text), 22), n, (ARRAY[{names}])[n % {len(_NAMES)} + 1],
            'bench', 'secret', 'live', 'app', 'app_' || left(md5('app' || n % {APPS}), 22),
            '{_ORGANIZATION}', false, {_NOW}, 'operator', 'bench', '{_CONSTRAINTS}', '[]', '[]', '[]',
            '{{}}', '{{}}', 0, 1, '{_START}', '{_LAST4}'
        FROM generate_series({first}, {last}) AS n"""


def _versions(first: int, last: int) -> str:
    # OFFSET 0: so that a digest is worked out once for each row.
    return f"""
        INSERT INTO versions ({_VERSION_COLUMNS}) SELECT
            'ver_' || right(chance, 22), 'key_' || left(chance, 22), 0,
            '\\x01'::bytea || sha256(convert_to('{_START}' || chance || left(chance, 6), 'UTF8')),
            '{_START}', '{_LAST4}', {_NOW}, 0
        FROM (SELECT md5(n::text) AS chance FROM generate_series({first}, {last}) AS n OFFSET 0) AS made"""


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


def _key_rows(numbers: list[int]) -> Iterator[tuple[object, ...]]:
    kinds = ("bench", "secret", "live", "app")
    lists = (_CONSTRAINTS, "[]", "[]", "[]", "{}", "{}")
    fixed = (_ORGANIZATION, 0, _NOW, "operator", "bench", *lists, 0, 1, _START, _LAST4)
    for n in numbers:
        app = f"app_{_md5(f'app{n % APPS}')[:22]}"
        yield (f"key_{_md5(str(n))[:22]}", n, _NAMES[n % len(_NAMES)], *kinds, app, *fixed)


def _version_rows(numbers: list[int]) -> Iterator[tuple[object, ...]]:
    for n in numbers:
        chance = _md5(str(n))
        digest = b"\x01" + hashlib.sha256(token_of(n).encode()).digest()
        yield (f"ver_{chance[-22:]}", f"key_{chance[:22]}", 0, digest, _START, _LAST4, _NOW, 0)


def _for_sqlite(statement: str) -> str:
    series = f"generate_series(0, {APPS - 1}) AS n"
    counted = (
        "(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c"
        f" WHERE n < {APPS - 1}) SELECT n FROM c)"
    )
    return statement.replace(series, counted).replace("left(", "substr(").replace(", 22)", ", 1, 22)")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _begin(server: Postgres, url: str, statements: list[str]) -> "subprocess.Popen[bytes]":
    command = [server.psql, "-qXd", url, "-v", "ON_ERROR_STOP=1", *(f"-c{it}" for it in statements)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def _finish(process: "subprocess.Popen[bytes]") -> None:
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(said.decode(errors="replace"))
