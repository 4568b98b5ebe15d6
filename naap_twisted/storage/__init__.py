"""The database behind users' keys and usage: SQLite in a directory, or PostgreSQL by URL."""
