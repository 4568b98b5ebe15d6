"""Endpoint strings: the kinds, their arguments, and who can connect."""

from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config.listen import parse_listen, with_backlog

LOCAL = [
    "tcp:4020:interface=127.0.0.1",
    "tcp:0:127.0.0.1",
    "tcp:port=4020:interface=127.9.9.9",
    "tcp:4020:interface=localhost",
    r"tcp6:4020:interface=\:\:1",
    "unix:/run/naap.sock:mode=660",
]
OPEN = [
    "tcp:4020",
    "tcp:4020:interface=0.0.0.0",
    "tcp:4020:interface=10.0.0.1",
    "tcp:4020:interface=",
    "tcp:4020:",
    "tcp6:4020",
    r"tcp6:4020:interface=\:\:",
    r"tcp6:4020:interface=2001\:db8\:\:1",
]
REFUSED = [
    "",
    "tcp",
    "tcp:",
    "4020",
    "tcp:http",
    "tcp:65536",
    "tcp:-1",
    "tcp: 80",
    "tcp:4020:4021:4022:4023",
    "tcp:4020:port=4021",
    "tcp:4020:interfaces=127.0.0.1",
    "tcp:4020:interface=example.org",
    "tcp:4020:backlog=many",
    "tcp6:4020:interface=127.0.0.1",
    "tcp:4020\\",
    "udp:53",
    "http://127.0.0.1:4020",
    "127.0.0.1:4020",
    "unix:",
    "ssl:443:privatekey=key.pem",
    4020,
]


class ListenTests(SynchronousTestCase):
    def test_local(self) -> None:
        """Loopback interfaces and UNIX sockets are for this machine only."""
        for description in LOCAL:
            self.assertTrue(parse_listen(description).local, description)

    def test_open(self) -> None:
        """No interface is every interface; what is not known to be loopback is not."""
        for description in [*OPEN, "ssl:443:privateKey=key.pem", "systemd:domain=INET:index=0"]:
            self.assertFalse(parse_listen(description).local, description)

    def test_refused(self) -> None:
        """A string that Twisted would not take, or would misread, does not pass."""
        for description in REFUSED:
            with self.assertRaises(ValueError, msg=repr(description)):
                parse_listen(description)

    def test_twisted_reads_the_same(self) -> None:
        """What passes here is an endpoint for Twisted, on the same port and interface."""
        for description in LOCAL + OPEN:
            listen = parse_listen(description)
            reactor = MemoryReactor()
            serverFromString(reactor, description).listen(object())
            if listen.kind == "unix":
                self.assertEqual(reactor.unixServers[0][0], listen.arguments["address"])
                continue
            port, _, _, interface = reactor.tcpServers[0]
            self.assertEqual(port, int(listen.arguments["port"]))
            self.assertEqual(interface or "", listen.arguments.get("interface", interface))

    def test_escapes(self) -> None:
        """A colon behind a backslash belongs to the value."""
        listen = parse_listen(r"ssl:443:privateKey=/keys/a\:b.pem:interface=127.0.0.1")
        self.assertEqual(listen.arguments["privateKey"], "/keys/a:b.pem")
        self.assertTrue(listen.local)


class BacklogTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Added where the endpoint takes one and has none; what is written out stays."""
        for description, expected in (
            ("tcp:80", "tcp:80:backlog=1024"),
            ("tcp:80:interface=127.0.0.1", "tcp:80:interface=127.0.0.1:backlog=1024"),
            ("tcp:80:backlog=7", "tcp:80:backlog=7"),
            ("tcp:80:127.0.0.1:7", "tcp:80:127.0.0.1:7"),
            ("unix:/run/x", "unix:/run/x:backlog=1024"),
            ("systemd:INET:0", "systemd:INET:0"),
        ):
            self.assertEqual(with_backlog(description), expected)
