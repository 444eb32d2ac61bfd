# ruff: noqa: INP001 - Alembic loads it by path
"""How Alembic runs the migrations: on the connection and in the transaction that `migrate.py` hands it."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
