"""People sign in: sessions and links; only adds, so that the older version may go on serving meanwhile."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _users()
    _sessions()
    _links()


def _users() -> None:
    for column in (
        sa.Column("operator", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("password", TEXT, nullable=True),
        sa.Column("email_confirmed_at", INSTANT, nullable=True),
        sa.Column("language", TEXT, nullable=True),
        sa.Column("theme", TEXT, nullable=True),
        sa.Column("time_zone", TEXT, nullable=True),
    ):
        op.add_column("users", column)
    op.create_index(op.f("ix_users_operator"), "users", ["operator"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("proven_at", INSTANT, nullable=False),
        sa.Column("address", TEXT, nullable=True),
        sa.Column("agent", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])
    op.create_index(op.f("ix_sessions_user_id_last_seen_at"), "sessions", ["user_id", "last_seen_at"])


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", TEXT, nullable=True),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("organization_id", TEXT, nullable=True),
        sa.Column("role", TEXT, nullable=True),
        sa.Column("return_url", TEXT, nullable=True),
        sa.Column("made_by_kind", TEXT, nullable=False),
        sa.Column("made_by_id", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_links_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_links_digest")),
    )
    op.create_index(op.f("ix_links_expires_at"), "links", ["expires_at"])
    op.create_index(
        op.f("ix_links_organization_id_created_at_id"), "links", ["organization_id", "created_at", "id"]
    )
    op.create_index(op.f("ix_links_user_id"), "links", ["user_id"])
