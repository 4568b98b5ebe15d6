"""By which names a server is called."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.listen import parse_listen
from naap_twisted.server.own_names import own_names

ON_LOOPBACK = {b"localhost", b"127.0.0.1", b"[::1]"}
LOCAL = "tcp:4020:interface=127.0.0.1"
TLS = "ssl:443:privateKey=k.pem:certKey=c.pem"
LISTED = ["api.example.org"]

# listeners, server_names -> known names, whether only loopback is heard
TABLE = [
    ([LOCAL], [], ON_LOOPBACK, True),
    ([LOCAL], LISTED, ON_LOOPBACK | {b"api.example.org"}, True),
    (["tcp6:80:interface=\\:\\:1", LOCAL], [], ON_LOOPBACK, True),
    (["tcp:80:interface=localhost"], [], ON_LOOPBACK, True),
    ([f"{TLS}:interface=127.0.0.2"], [], ON_LOOPBACK | {b"127.0.0.2"}, True),
    ([LOCAL, "unix:/run/naap.sock"], [], ON_LOOPBACK, True),
    (["unix:/run/naap.sock"], [], ON_LOOPBACK, False),
    (["unix:/run/naap.sock"], LISTED, {b"api.example.org"}, False),
    (["systemd:domain=INET:index=0"], [], ON_LOOPBACK, False),
    (["tcp:80"], [], ON_LOOPBACK, False),
    (["tcp:80"], LISTED, {b"api.example.org"}, False),
    ([LOCAL, "tcp:80:interface=192.0.2.1"], [], ON_LOOPBACK | {b"127.0.0.1", b"192.0.2.1"}, False),
    (["tcp6:80:interface=2001\\:db8\\:0\\:\\:1"], [], ON_LOOPBACK | {b"[2001:db8::1]"}, False),
    (["tcp6:80"], ["A.Example.org.", "[::1]"], {b"a.example.org", b"[::1]"}, False),
    ([], [], ON_LOOPBACK, False),
    ([], LISTED, {b"api.example.org"}, False),
]


class NamesTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What is known to be ours, and when nothing else is answered."""
        for listeners, listed, known, loopback in TABLE:
            with self.subTest(listeners=listeners, listed=listed):
                names = own_names(map(parse_listen, listeners), listed)
                self.assertEqual(names.known, known)
                self.assertEqual(names.loopback, loopback)
                self.assertEqual(names.listed, tuple(listed))

    def test_answered(self) -> None:
        """In words: the list first; nothing where any name is answered."""
        for listeners, listed, answered in (
            ([LOCAL], [], ("127.0.0.1", "[::1]", "localhost")),
            ([LOCAL], LISTED, ("api.example.org", "127.0.0.1", "[::1]", "localhost")),
            ([LOCAL], ["localhost"], ("localhost", "127.0.0.1", "[::1]")),
            (["tcp:80"], LISTED, ("api.example.org",)),
            (["tcp:80"], [], ()),
        ):
            found = own_names(map(parse_listen, listeners), listed).answered
            self.assertEqual(found, answered)
