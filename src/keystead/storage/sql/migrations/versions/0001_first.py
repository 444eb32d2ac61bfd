"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
JSON = sa.JSON()
INSTANT = sa.BigInteger()
SPAN = sa.BigInteger()

OWNER_AGREES = """
    (owner_kind = 'app' AND app_id IS NOT NULL AND user_id IS NULL AND organization_id IS NOT NULL)
    OR (owner_kind = 'user' AND app_id IS NULL AND user_id IS NOT NULL AND organization_id IS NOT NULL)
    OR (owner_kind = 'instance' AND app_id IS NULL AND user_id IS NULL AND organization_id IS NULL)
"""


def upgrade() -> None:
    _organizations()
    _apps()
    _users()
    _members()
    _keys()
    _versions()
    _scopes()
    _audit()
    _changes()
    _idempotency()
    _facts()


def _organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_folded", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("ceiling", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("suspended_at", INSTANT, nullable=True),
        sa.Column("suspended_by_kind", TEXT, nullable=True),
        sa.Column("suspended_by_id", TEXT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("external_id", name=op.f("uq_organizations_external_id")),
    )
    op.create_index(op.f("ix_organizations_created_at_id"), "organizations", ["created_at", "id"])


def _apps() -> None:
    op.create_table(
        "apps",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_folded", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("allowed_origins", JSON, nullable=False),
        sa.Column("allowed_networks", JSON, nullable=False),
        sa.Column("last_key_protection", sa.Boolean(), nullable=False),
        sa.Column("self_rotation", sa.Boolean(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("suspended_at", INSTANT, nullable=True),
        sa.Column("suspended_by_kind", TEXT, nullable=True),
        sa.Column("suspended_by_id", TEXT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_apps_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apps")),
        sa.UniqueConstraint("external_id", name=op.f("uq_apps_external_id")),
    )
    op.create_index(op.f("ix_apps_created_at_id"), "apps", ["created_at", "id"])
    op.create_index(
        op.f("ix_apps_organization_id_created_at_id"), "apps", ["organization_id", "created_at", "id"]
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_folded", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("suspended_at", INSTANT, nullable=True),
        sa.Column("suspended_by_kind", TEXT, nullable=True),
        sa.Column("suspended_by_id", TEXT, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("external_id", name=op.f("uq_users_external_id")),
        sa.UniqueConstraint("number", name=op.f("uq_users_number")),
    )
    op.create_index(op.f("ix_users_created_at_id"), "users", ["created_at", "id"])


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("organization_id", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_members_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id")),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_members")),
    )
    op.create_index(
        op.f("ix_members_organization_id_created_at_user_id"),
        "members",
        ["organization_id", "created_at", "user_id"],
    )
    op.create_index(op.f("ix_members_user_id"), "members", ["user_id"])


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_folded", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("owner_kind", TEXT, nullable=False),
        sa.Column("app_id", TEXT, nullable=True),
        sa.Column("user_id", TEXT, nullable=True),
        sa.Column("organization_id", TEXT, nullable=True),
        sa.Column("ephemeral", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by_kind", TEXT, nullable=False),
        sa.Column("created_by_id", TEXT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("lifetime", SPAN, nullable=True),
        sa.Column("constraints", JSON, nullable=False),
        sa.Column("allowed_origins", JSON, nullable=False),
        sa.Column("allowed_networks", JSON, nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("disabled_by_kind", TEXT, nullable=True),
        sa.Column("disabled_by_id", TEXT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("revoked_reason", TEXT, nullable=True),
        sa.Column("use_count", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("start", TEXT, nullable=False),
        sa.Column("last4", TEXT, nullable=False),
        sa.CheckConstraint(OWNER_AGREES, name=op.f("ck_keys_owner_agrees")),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_keys_app_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_keys_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("number", name=op.f("uq_keys_number")),
    )
    op.create_index(op.f("ix_keys_app_id_created_at_id"), "keys", ["app_id", "created_at", "id"])
    op.create_index(op.f("ix_keys_created_by_id"), "keys", ["created_by_id"])
    op.create_index(op.f("ix_keys_expires_at"), "keys", ["expires_at"])
    op.create_index(
        op.f("ix_keys_organization_id_created_at_id"), "keys", ["organization_id", "created_at", "id"]
    )
    op.create_index(op.f("ix_keys_user_id_created_at_id"), "keys", ["user_id", "created_at", "id"])


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("start", TEXT, nullable=False),
        sa.Column("last4", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("retires_at", INSTANT, nullable=True),
        sa.Column("token", TEXT, nullable=True),
        sa.Column("use_count", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_versions_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("digest", name=op.f("uq_versions_digest")),
        sa.UniqueConstraint("key_id", "position", name=op.f("uq_versions_key_id_position")),
    )


def _scopes() -> None:
    op.create_table(
        "scopes",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("customer_grantable", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scopes")),
    )
    op.create_index(op.f("ix_scopes_created_at_name"), "scopes", ["created_at", "name"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_kind", TEXT, nullable=False),
        sa.Column("by_id", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject_kind", TEXT, nullable=False),
        sa.Column("subject_id", TEXT, nullable=False),
        sa.Column("organization_id", TEXT, nullable=True),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("address", TEXT, nullable=True),
        sa.Column("request_id", TEXT, nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_index(op.f("ix_audit_organization_id_at_id"), "audit", ["organization_id", "at", "id"])


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "kind", "id", name=op.f("pk_changes")),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("body_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("subject_kind", TEXT, nullable=False),
        sa.Column("subject_id", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("principal", "method", "path", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"])


def _facts() -> None:
    op.create_table(
        "facts",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
