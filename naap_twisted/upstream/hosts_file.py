"""The system's own names: hosts(5), read again when the file changes."""

from __future__ import annotations

import os
from ipaddress import ip_address

from ..model import Address

Names = dict[bytes, tuple[Address, ...]]


class HostsFile:
    """Asked from any thread; a file that is not there, or can't be read, knows no name."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Replaced as a whole, so that a thread never sees half of a reading.
        self._read: tuple[tuple[int, ...], Names] = ((), {})

    def addresses(self, host: str) -> tuple[Address, ...]:
        """Every address of *host*, in the file's order; none where it does not stand there."""
        return self._names().get(host.lower().encode("ascii"), ())

    def _names(self) -> Names:
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
                if version != self._read[0]:
                    self._read = (version, parse_hosts(file.read()))
        except OSError:
            # getaddrinfo takes it in the same way: the next source is asked.
            return {}
        return self._read[1]


def parse_hosts(raw: bytes) -> Names:
    """An address, then its names, on each line; ``#`` begins a comment."""
    found: dict[bytes, dict[Address, None]] = {}
    for line in raw.splitlines():
        address_text, *names = line.partition(b"#")[0].split() or [b""]
        try:
            address = ip_address(address_text.decode("ascii").partition("%")[0])
        except ValueError:
            continue
        for name in names:
            found.setdefault(name.lower().rstrip(b"."), {})[address] = None
    return {name: tuple(addresses) for name, addresses in found.items()}
