"""What the dashboard shows of apps and keys, and indexes that its lists follow.

Takes away only indexes that others replace, so that the older version may go on serving meanwhile.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.add_column("apps", sa.Column("api_base_url", TEXT, nullable=True))
    op.add_column("versions", sa.Column("origin_seen_at", INSTANT, nullable=True))
    seen = sa.text("origin_seen_at IS NOT NULL")
    op.create_index(
        op.f("ix_versions_key_id_seen"), "versions", ["key_id"], sqlite_where=seen, postgresql_where=seen
    )
    for owner in ("organization_id", "app_id"):
        _key_lists(owner)
    for column in ("subject_kind", "by_id"):
        op.create_index(
            op.f(f"ix_audit_organization_id_{column}_at_id"),
            "audit",
            ["organization_id", column, "at", "id"],
        )


def _key_lists(owner: str) -> None:
    live, revoked = sa.text("revoked_at IS NULL"), sa.text("revoked_at IS NOT NULL")
    for name, order, held in (
        ("live", "created_at", live),
        ("name", "name_folded", live),
        ("revoked", "created_at", revoked),
    ):
        op.create_index(
            op.f(f"ix_keys_{owner}_{name}"),
            "keys",
            [owner, "ephemeral", order, "id"],
            sqlite_where=held,
            postgresql_where=held,
        )
    op.drop_index(op.f(f"ix_keys_{owner}_created_at_id"), "keys")
