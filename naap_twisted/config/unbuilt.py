"""What the contract names and this version does not do yet: refused, never ignored.

Whoever builds one of them deletes its line here.
"""

from __future__ import annotations

_LATER = "is not available in this version"

# Key -> the values that are built, and what to say of any other.
UNBUILT: dict[str, tuple[tuple[object, ...], str]] = {
    "redis.url": (("",), f"{_LATER}; limits are kept in this process's memory"),
    "server.workers": ((1,), f"more than 1 {_LATER}"),
    "server.admin_listen": (("",), f"{_LATER}; delete it"),
    "server.state_dir": (("",), f"{_LATER}; nothing is kept on disk, delete it"),
    "proxy[].rate_limit": ((None,), f"a limit per route {_LATER}; server.rate_limit is there"),
}

# ${kind:...} in a header value -> what to say of it.
UNBUILT_REFERENCES = {"user_key": f"${{user_key:...}} {_LATER}; use ${{env:X}} or ${{file:path}}"}


def refusal(key: str, value: object) -> str | None:
    """Why *value* can not be had for *key* (``"proxy[].rate_limit"``), or ``None``."""
    row = UNBUILT.get(key)
    if row is None or value in row[0]:
        return None
    return row[1]
