"""Hostile vectors over real sockets, all judged by one oracle (oracle.py)."""
