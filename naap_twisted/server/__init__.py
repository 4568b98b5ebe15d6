"""The server that routes are mounted on: its wrappers, its url map, its addresses, its end."""
