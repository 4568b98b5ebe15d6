"""Keeps the ICE agents of this process on 127.0.0.1."""

from __future__ import annotations

from aioice import ice

LOOPBACK = "127.0.0.1"


def gather_only_loopback() -> None:
    """Let new ICE agents have one host candidate, on 127.0.0.1.

    aioice binds every address of the machine except that one and has no setting for it, so its
    function that lists the addresses is replaced.

    :raises RuntimeError: aioice has no such function; no media is better than media on a network.
    """
    if not callable(getattr(ice, "get_host_addresses", None)):
        raise RuntimeError("aioice has no get_host_addresses: can't keep ICE on loopback")
    ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]


def all_on_loopback(description: str) -> bool:
    """Whether every candidate of a local *description* is on 127.0.0.1."""
    candidates = [line for line in description.splitlines() if line.startswith("a=candidate:")]
    return all(line.split()[4] == LOOPBACK for line in candidates)
