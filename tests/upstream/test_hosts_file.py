"""hosts(5)."""

import os
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.upstream.hosts_file import HostsFile, parse_hosts

FILE = b"""\
# the usual
127.0.0.1\tlocalhost
::1 localhost ip6-localhost # and so on
10.0.0.7   GPU.lab.example gpu   # a box in the corridor
10.0.0.8 gpu
fe80::1%eth0 router
10.0.0.7 gpu
10.0.0.9 dotted.example.
not-an-address somewhere
10.0.0.10
\xff\xfe nonsense
   # indented
"""


class ParseTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Every address of a name in the file's order, each once, letters of either case."""
        names = parse_hosts(FILE)
        for name, expected in (
            (b"localhost", ("127.0.0.1", "::1")),
            (b"ip6-localhost", ("::1",)),
            (b"gpu.lab.example", ("10.0.0.7",)),
            (b"gpu", ("10.0.0.7", "10.0.0.8")),
            (b"router", ("fe80::1",)),
            (b"dotted.example", ("10.0.0.9",)),
            (b"somewhere", None),
            (b"and", None),
            (b"10.0.0.10", None),
            (b"", None),
        ):
            found = None if expected is None else tuple(map(ip_address, expected))
            self.assertEqual(names.get(name), found, name)


class HostsFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        self.hosts = HostsFile(self.path)

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def test_changes(self) -> None:
        """A line that is added, changed or gone counts at once; so does the file itself."""
        self.assertEqual(self.hosts.addresses("gpu"), ())
        self.write("10.0.0.7 gpu\n")
        self.assertEqual(self.hosts.addresses("GPU"), (ip_address("10.0.0.7"),))
        self.write("10.0.0.77 gpu\n")
        self.assertEqual(self.hosts.addresses("gpu"), (ip_address("10.0.0.77"),))
        os.remove(self.path)
        self.assertEqual(self.hosts.addresses("gpu"), ())

    def test_read_once(self) -> None:
        """A file that stays as it is is not parsed for each name."""
        self.write("10.0.0.7 gpu\n")
        self.hosts.addresses("gpu")
        read = self.hosts._read
        self.hosts.addresses("other")
        self.assertIs(self.hosts._read, read)
