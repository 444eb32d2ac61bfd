"""The primary: one implementation over SQLAlchemy Core, for SQLite and PostgreSQL."""
