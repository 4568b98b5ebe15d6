"""The server that routes are mounted on: its options, its addresses, how it ends."""
