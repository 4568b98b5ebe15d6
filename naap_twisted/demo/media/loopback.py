"""ICE of this whole process on 127.0.0.1."""

from __future__ import annotations

from aioice import ice

LOOPBACK = "127.0.0.1"


def _addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return [LOOPBACK]


def gather_only_loopback() -> None:
    """From now on ICE agents have a host candidate on 127.0.0.1 and no other.

    aioice binds every address of the machine but this one, and has no setting for it; its one
    function that lists them is replaced.

    :raises RuntimeError: there is no such function; better no media than media elsewhere.
    """
    if not callable(getattr(ice, "get_host_addresses", None)):
        raise RuntimeError("aioice has no get_host_addresses: can't keep ICE on loopback")
    ice.get_host_addresses = _addresses


def all_on_loopback(description: str) -> bool:
    """Whether every candidate of a local *description* is on 127.0.0.1."""
    candidates = [line for line in description.splitlines() if line.startswith("a=candidate:")]
    return all(line.split()[4] == LOOPBACK for line in candidates)
