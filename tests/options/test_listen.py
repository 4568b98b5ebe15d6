"""Endpoint strings: the kinds, their arguments, and who can connect."""

from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.listen import check_admin, heard_twice, parse_listen, with_backlog

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

    def test_fronted(self) -> None:
        """A front's requests are of other machines, whoever may connect; TLS comes too late."""
        for description in [*LOCAL, *OPEN]:
            listen = parse_listen(f"haproxy:{description}")
            self.assertTrue(listen.fronted)
            self.assertFalse(listen.local)
            self.assertEqual(listen.closed, parse_listen(description).local)
            self.assertEqual(listen.endpoint, description)
            self.assertEqual(listen.arguments, parse_listen(description).arguments)
        for description in ("haproxy:", "haproxy:ssl:443:privateKey=a", "haproxy:haproxy:tcp:1"):
            with self.assertRaises(ValueError, msg=description):
                parse_listen(description)

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
            ("haproxy:tcp:80", "tcp:80:backlog=1024"),
            ("haproxy:unix:/run/x:backlog=7", "unix:/run/x:backlog=7"),
        ):
            self.assertEqual(with_backlog(description), expected)


class HeardTwiceTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What the second bind would fail with, known before the first."""
        here = "interface=127.0.0.1"
        for listeners, found in (
            ((f"tcp:1:{here}", f"tcp:1:{here}"), [(1, 0)]),
            ((f"tcp:1:{here}", "tcp:1"), [(1, 0)]),
            ((f"tcp:1:{here}", "tcp:2", f"ssl:1:{here}"), [(2, 0)]),
            (("tcp6:1", "tcp:1:interface=\\:\\:1"), [(1, 0)]),
            (("unix:/a", "unix:/b", "unix:/a"), [(2, 0)]),
            (("tcp:1", "tcp6:1"), []),
            (("tcp:1", "haproxy:tcp:1"), [(1, 0)]),
            (("unix:/a", "haproxy:unix:/a"), [(1, 0)]),
            (("tcp:0", "tcp:0"), []),
            ((f"tcp:1:{here}", "tcp:1:interface=127.0.0.2"), []),
        ):
            parsed = [parse_listen(each) for each in listeners]
            wanted = [(index, parsed[other]) for index, other in found]
            self.assertEqual(list(heard_twice(parsed)), wanted, listeners)


class AdminTests(SynchronousTestCase):
    def refused(self, description: str, *public: str, remote: bool = False) -> str:
        try:
            check_admin(description, map(parse_listen, public), remote=remote)
        except ValueError as error:
            return str(error)
        return ""

    def test_local(self) -> None:
        """Loopback and UNIX sockets need no second word; everything else does."""
        for description in LOCAL:
            self.assertEqual(self.refused(description), "")
        for description in OPEN:
            self.assertIn("admin_remote = true", self.refused(description))
            self.assertEqual(self.refused(description, remote=True), "")

    def test_public(self) -> None:
        """Never where the public listens, however that is written, nor where nobody can."""
        here, there = ":interface=127.0.0.1", ":interface=127.0.0.2"
        for admin, public, taken in (
            (f"tcp:1{here}", f"tcp:1{here}", True),
            (f"tcp:1{here}", "tcp:1:127.0.0.1", True),
            (f"tcp:1{here}", f"ssl:1{here}", True),
            (f"tcp:1{here}", "tcp:1", True),
            (f"tcp:1{here}", "tcp:1:interface=0.0.0.0", True),
            (f"tcp:1{here}", "tcp6:1", True),
            (f"tcp:1{here}", "tcp:1:interface=localhost", True),
            (f"tcp:1{here}", f"tcp:1{there}", False),
            (f"tcp:1{here}", f"tcp:2{here}", False),
            (f"tcp:0{here}", f"tcp:0{here}", False),
            ("unix:/a", "unix:/a:mode=600", True),
            ("unix:/a", "unix:/b", False),
            ("unix:/a", "tcp:1", False),
        ):
            said = self.refused(admin, "unix:/other", public)
            self.assertEqual("a port of its own" in said, taken, (admin, public))

    def test_front(self) -> None:
        """Not behind a front, whose callers could all say that they are of this machine."""
        for remote in (False, True):
            said = self.refused("haproxy:tcp:1:interface=127.0.0.1", remote=remote)
            self.assertIn("has a front before it", said)

    def test_no_endpoint(self) -> None:
        """As any endpoint string."""
        self.assertIn("is not an endpoint", self.refused("nine"))
