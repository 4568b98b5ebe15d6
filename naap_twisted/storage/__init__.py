"""The database of users' keys and usage: SQLite in a directory, or PostgreSQL at a URL."""
