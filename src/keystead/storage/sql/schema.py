"""The tables, as the newest migration leaves them (a test compares the two).

Compatibility: a column is only ever added or filled; what a stored value means changes under a new name.
Instants are milliseconds since 1970, which both databases order and compare alike.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from keystead.domain.errors import InvalidInput
from keystead.domain.instants import MILLISECOND, at, at_ms


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept to the millisecond; a naive one is a TypeError."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else at_ms(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - likewise
        return None if value is None else at(value)


class Span(sa.types.TypeDecorator[timedelta]):
    """A duration, kept to the millisecond."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value // MILLISECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> timedelta | None:  # noqa: ARG002 - likewise
        return None if value is None else timedelta(milliseconds=value)


class Text(sa.types.TypeDecorator[str]):
    """Text that both databases compare and order by its bytes.

    PostgreSQL cannot hold U+0000: sending it is InvalidInput on either, for a search as for an insert.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        # Not by `dialect.type_descriptor`, which makes VARCHAR of it for asyncpg.
        return sa.Text(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is not None and "\0" in value:
            raise InvalidInput("text", "must not hold the character U+0000", rule="unprintable")
        return value


# `json` rather than `jsonb`: it keeps the text as it was, and metadata may hold \u0000, which jsonb refuses.
JSON = sa.JSON(none_as_null=True)

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, Instant, nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, JSON, nullable=nullable)


def _by(what: str, *, nullable: bool = False) -> tuple[sa.Column[str], sa.Column[str]]:
    """Who did something, as two columns."""
    return _text(f"{what}_kind", nullable=nullable), _text(f"{what}_id", nullable=nullable)


def _suspension() -> tuple[sa.Column[Any], ...]:
    return _instant("suspended_at", nullable=True), *_by("suspended_by", nullable=True)


def _revision() -> sa.Column[int]:
    return sa.Column("revision", sa.Integer, nullable=False)


def _number() -> sa.Column[int]:
    """An integer id beside the real one, for wire formats that want one."""
    return sa.Column("number", sa.BigInteger, nullable=False, unique=True)


def _use() -> tuple[sa.Column[Any], ...]:
    """What belongs to `UseStore`: no other statement changes it."""
    return sa.Column("use_count", sa.BigInteger, nullable=False), _instant("last_used_at", nullable=True)


organizations = sa.Table(
    "organizations",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _text("name"),
    _text("name_folded"),
    sa.Column("external_id", Text, unique=True),
    _json("ceiling"),
    _json("labels"),
    _json("metadata"),
    _instant("created_at"),
    *_suspension(),
    _instant("deleted_at", nullable=True),
    _revision(),
    sa.Index(None, "created_at", "id"),
)

apps = sa.Table(
    "apps",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    sa.Column("organization_id", sa.ForeignKey("organizations.id"), nullable=False),
    _text("name"),
    _text("name_folded"),
    _text("environment"),
    sa.Column("external_id", Text, unique=True),
    _json("allowed_origins"),
    _json("allowed_networks"),
    sa.Column("last_key_protection", sa.Boolean, nullable=False),
    sa.Column("self_rotation", sa.Boolean, nullable=False),
    _text("api_base_url", nullable=True),
    _json("labels"),
    _json("metadata"),
    _instant("created_at"),
    *_suspension(),
    _instant("deleted_at", nullable=True),
    _revision(),
    sa.Index(None, "organization_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
)

users = sa.Table(
    "users",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _number(),
    sa.Column("email", Text, nullable=False, unique=True),
    _text("name"),
    _text("name_folded"),
    sa.Column("external_id", Text, unique=True),
    _json("metadata"),
    _instant("created_at"),
    *_suspension(),
    _revision(),
    # With a default, so that an older version may go on making users meanwhile.
    sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()),
    _text("password", nullable=True),
    _instant("email_confirmed_at", nullable=True),
    _text("language", nullable=True),
    _text("theme", nullable=True),
    _text("time_zone", nullable=True),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "operator"),
)

members = sa.Table(
    "members",
    METADATA,
    sa.Column("organization_id", sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    _text("role"),
    _instant("created_at"),
    sa.Index(None, "organization_id", "created_at", "user_id"),
    sa.Index(None, "user_id"),
)


def _lists_of(owner: str) -> tuple[sa.Index, ...]:
    """What lists of an owner's keys follow: by time or by name those not revoked, by time those that are.

    Not by last use: it changes each second, and would have all of a key's indexes written anew each time.
    """
    return (
        _where("revoked_at IS NULL", f"ix_keys_{owner}_live", owner, "ephemeral", "created_at", "id"),
        _where("revoked_at IS NULL", f"ix_keys_{owner}_name", owner, "ephemeral", "name_folded", "id"),
        _where("revoked_at IS NOT NULL", f"ix_keys_{owner}_revoked", owner, "ephemeral", "created_at", "id"),
    )


def _where(condition: str, name: str, *columns: str) -> sa.Index:
    held = sa.text(condition)
    return sa.Index(name, *columns, sqlite_where=held, postgresql_where=held)


_OWNER_AGREES = """
    (owner_kind = 'app' AND app_id IS NOT NULL AND user_id IS NULL AND organization_id IS NOT NULL)
    OR (owner_kind = 'user' AND app_id IS NULL AND user_id IS NOT NULL AND organization_id IS NOT NULL)
    OR (owner_kind = 'instance' AND app_id IS NULL AND user_id IS NULL AND organization_id IS NULL)
"""

keys = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _number(),
    _text("name"),
    _text("name_folded"),
    _text("type"),
    _text("environment"),
    _text("owner_kind"),
    sa.Column("app_id", sa.ForeignKey("apps.id")),
    sa.Column("user_id", sa.ForeignKey("users.id")),
    sa.Column("organization_id", sa.ForeignKey("organizations.id")),
    sa.Column("ephemeral", sa.Boolean, nullable=False),
    _instant("created_at"),
    *_by("created_by"),
    _instant("expires_at", nullable=True),
    sa.Column("lifetime", Span),
    _json("constraints"),
    _json("allowed_origins"),
    _json("allowed_networks"),
    _json("scopes"),
    _json("labels"),
    _json("metadata"),
    _instant("disabled_at", nullable=True),
    *_by("disabled_by", nullable=True),
    _instant("revoked_at", nullable=True),
    _text("revoked_reason", nullable=True),
    *_use(),
    _revision(),
    # The newest version's, for filters.
    _text("start"),
    _text("last4"),
    sa.CheckConstraint(_OWNER_AGREES, name="owner_agrees"),
    *_lists_of("organization_id"),
    *_lists_of("app_id"),
    sa.Index(None, "user_id", "created_at", "id"),
    sa.Index(None, "created_by_id"),
    sa.Index(None, "expires_at"),
)

versions = sa.Table(
    "versions",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    sa.Column("key_id", sa.ForeignKey("keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    _text("start"),
    _text("last4"),
    _instant("created_at"),
    _instant("retires_at", nullable=True),
    _text("token", nullable=True),
    *_use(),
    # Belongs to `UseStore` likewise.
    _instant("origin_seen_at", nullable=True),
    # Instants may be equal; the position says which version is the newest.
    sa.UniqueConstraint("key_id", "position"),
    # Whether one was seen is asked of all keys of an app, and few ever are.
    _where("origin_seen_at IS NOT NULL", "ix_versions_key_id_seen", "key_id"),
)

scopes = sa.Table(
    "scopes",
    METADATA,
    sa.Column("name", Text, primary_key=True),
    _text("description"),
    sa.Column("customer_grantable", sa.Boolean, nullable=False),
    _instant("created_at"),
    sa.Index(None, "created_at", "name"),
)

# The record outlives what it is about: no foreign keys.
audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _instant("at"),
    *_by("by"),
    _text("action"),
    _text("subject_kind"),
    _text("subject_id"),
    _text("organization_id", nullable=True),
    _json("before", nullable=True),
    _json("after", nullable=True),
    _text("address", nullable=True),
    _text("request_id", nullable=True),
    sa.Column("epoch", sa.BigInteger),
    sa.Index(None, "organization_id", "at", "id"),
    sa.Index(None, "organization_id", "subject_kind", "at", "id"),
    sa.Index(None, "organization_id", "by_id", "at", "id"),
    sa.Index(None, "at"),
)

changes = sa.Table(
    "changes",
    METADATA,
    # Not SQLite's row id, nor a sequence: `Changes.append` says what the number is.
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", Text, primary_key=True),
    sa.Column("id", Text, primary_key=True),
    sa.Column("mark", sa.LargeBinary, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("principal", Text, primary_key=True),
    sa.Column("method", Text, primary_key=True),
    sa.Column("path", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("body_hmac", sa.LargeBinary, nullable=False),
    _text("subject_kind"),
    _text("subject_id"),
    sa.Column("epoch", sa.BigInteger),
    _instant("at"),
    sa.Index(None, "at"),
)

facts = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", Text, primary_key=True),
    _text("value"),
)

nodes = sa.Table(
    "nodes",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _text("name"),
    sa.Column("applied_epoch", sa.BigInteger, nullable=False),
    sa.Column("mark", sa.LargeBinary, nullable=False),
    # By the primary's clock: see `SqlNodes`.
    _instant("seen_at"),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    _instant("created_at"),
    _instant("last_seen_at"),
    _instant("expires_at"),
    _instant("proven_at"),
    _text("address", nullable=True),
    _text("agent"),
    sa.Index(None, "user_id", "last_seen_at"),
    sa.Index(None, "expires_at"),
)

links = sa.Table(
    "links",
    METADATA,
    sa.Column("id", Text, primary_key=True),
    _text("kind"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("user_id", sa.ForeignKey("users.id")),
    _text("email", nullable=True),
    sa.Column("organization_id", sa.ForeignKey("organizations.id")),
    _text("role", nullable=True),
    _text("return_url", nullable=True),
    *_by("made_by"),
    _instant("created_at"),
    _instant("expires_at"),
    _instant("used_at", nullable=True),
    sa.Index(None, "organization_id", "created_at", "id"),
    sa.Index(None, "user_id"),
    sa.Index(None, "expires_at"),
)
