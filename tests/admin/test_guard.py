"""Who may ask the admin side."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.guard import check_host, check_local, check_same_origin
from naap_twisted.errors import Forbidden, MisdirectedRequest, OriginNotAllowed

from ..support import FakeRequest


class HostTests(SynchronousTestCase):
    def host(self, value, names=()):
        return check_host(FakeRequest(headers={"Host": value}), names)

    def test_ours(self):
        """Addresses, localhost and the server's names, on any port: a tunnel may end here."""
        for value, name in (
            ("127.0.0.1:9090", b"127.0.0.1"),
            ("192.0.2.1", b"192.0.2.1"),
            ("[::1]:9", b"[::1]"),
            ("LOCALHOST:1", b"localhost"),
            ("localhost.", b"localhost"),
            ("api.example.org", b"api.example.org"),
            ("API.example.org:8443", b"api.example.org"),
        ):
            for listed in ("api.example.org", "API.example.org."):
                self.assertEqual(self.host(value, [listed]).name, name)

    def test_not_ours(self):
        """A name that anybody could have made to point here, and what is no name."""
        for value in (
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "api.example.org.evil.example",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "",
            "a b",
            ["127.0.0.1", "evil.example"],
        ):
            with self.assertRaises(MisdirectedRequest, msg=value):
                self.host(value, ["api.example.org"])
        self.assertRaises(MisdirectedRequest, check_host, FakeRequest())


class OriginTests(SynchronousTestCase):
    def ask(self, headers, method=b"POST"):
        request = FakeRequest(method, headers={"Host": "127.0.0.1:9", **headers})
        check_same_origin(request, check_host(request))

    def test_own_page(self):
        """This port's page, a typed address, and what is no browser."""
        self.ask({})
        self.ask({"Origin": "http://127.0.0.1:9"})
        self.ask({"Origin": "https://127.0.0.1:9"})  # somebody ends TLS in front
        self.ask({"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-origin"})
        self.ask({"Sec-Fetch-Site": "none"}, b"GET")

    def test_foreign(self):
        """Any other page: by its Origin, or where a GET has none, by Sec-Fetch-Site."""
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "http://127.0.0.1:10"},
            {"Origin": "http://localhost:9"},
            {"Origin": ["http://127.0.0.1:9", "http://evil.example"]},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9"},
            {"Sec-Fetch-Site": ["same-origin", "cross-site"]},
        ):
            for method in (b"GET", b"POST"):
                with self.assertRaises(OriginNotAllowed, msg=headers):
                    self.ask(headers, method)
        self.assertRaises(OriginNotAllowed, self.ask, {"Sec-Fetch-Site": "none"}, b"POST")


class LocalTests(SynchronousTestCase):
    def ask(self, address):
        request = FakeRequest()
        request.getHost = lambda: address
        check_local(request)

    def test_local(self):
        """What came in on loopback or a UNIX socket."""
        for address in (
            IPv4Address("TCP", "127.0.0.1", 1),
            IPv4Address("TCP", "127.9.9.9", 1),
            IPv6Address("TCP", "::1", 1),
            UNIXAddress(b"/run/admin"),
            UNIXAddress(None),
        ):
            self.ask(address)

    def test_remote(self):
        """Over a network the console stays shut, whatever admin_remote says."""
        for address in (
            IPv4Address("TCP", "192.0.2.1", 1),
            IPv4Address("TCP", "0.0.0.0", 1),
            IPv6Address("TCP", "2001:db8::1", 1),
            IPv6Address("TCP", "fe80::1%eth0", 1),
            IPv6Address("TCP", "::ffff:192.0.2.1", 1),
        ):
            error = self.assertRaises(Forbidden, self.ask, address)
            self.assertIn("ssh -L", error.message)
