"""The hosts file, hosts(5), which is read again when it changes."""

from __future__ import annotations

import os
from ipaddress import ip_address

from ..model import Address

Names = dict[bytes, tuple[Address, ...]]


class HostsFile:
    """The names in a hosts file, for any thread. A file that can't be read has no names."""

    def __init__(self, path: str) -> None:
        self._path = path
        # One assignment replaces version and names, so that no thread sees them of two readings.
        self._read: tuple[tuple[int, ...], Names] = ((), {})

    def addresses(self, host: str) -> tuple[Address, ...]:
        """Every address of *host*, in the file's order."""
        return self._names().get(host.lower().encode("ascii"), ())

    def _names(self) -> Names:
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
                if version != self._read[0]:
                    self._read = (version, parse_hosts(file.read()))
        except OSError:
            # getaddrinfo does the same: it asks the next source.
            return {}
        return self._read[1]


def parse_hosts(raw: bytes) -> Names:
    """The addresses of each name in *raw*, which has an address and its names on each line.

    >>> parse_hosts(b"127.0.0.1 localhost # a comment")
    {b'localhost': (IPv4Address('127.0.0.1'),)}
    """
    names_in_file: dict[bytes, dict[Address, None]] = {}
    for line in raw.splitlines():
        address_text, *names = line.partition(b"#")[0].split() or [b""]
        try:
            address = ip_address(address_text.decode("ascii").partition("%")[0])
        except ValueError:
            continue
        for name in names:
            names_in_file.setdefault(name.lower().rstrip(b"."), {})[address] = None
    return {name: tuple(addresses) for name, addresses in names_in_file.items()}
