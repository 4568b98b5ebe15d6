"""What the contract names and this version does not do yet: refused, never ignored.

Whoever builds one of them deletes its line here.
"""

from __future__ import annotations

_LATER = "is not available in this version"

# Key -> the values that are built, and what to say of any other.
UNBUILT: dict[str, tuple[tuple[object, ...], str]] = {
    "server.workers": ((1,), f"more than 1 {_LATER}"),
}


def refusal(key: str, value: object) -> str | None:
    """Why *value* can not be had for *key* (``"server.workers"``), or ``None``."""
    row = UNBUILT.get(key)
    if row is None or value in row[0]:
        return None
    return row[1]
