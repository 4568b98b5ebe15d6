"""Keys that are more than a fixed text: made, fetched or renewed while the server runs."""
