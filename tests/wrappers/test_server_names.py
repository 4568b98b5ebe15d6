"""Tests of naap_twisted.wrappers.server_names."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import MisdirectedRequest
from naap_twisted.wrappers.server_names import (
    LOOPBACK_NAMES,
    Host,
    ServerNames,
    host_of,
    parse_host,
)

from ..support import Answer, FakeRequest


class ParseHostTests(SynchronousTestCase):
    def test_good(self) -> None:
        """Names, addresses and ports; lower-cased, without the trailing dot."""
        for value, expected in [
            (b"example.org", Host(b"example.org")),
            (b"EXAMPLE.org.", Host(b"example.org")),
            (b"localhost:4020", Host(b"localhost", b"4020")),
            (b"192.0.2.1:80", Host(b"192.0.2.1", b"80")),
            (b"[::1]:80", Host(b"[::1]", b"80")),
            (b"[2001:DB8::1]", Host(b"[2001:db8::1]")),
            (b"my_service", Host(b"my_service")),
            (b"a", Host(b"a")),
        ]:
            self.assertEqual(parse_host(value), expected)

    def test_bad(self) -> None:
        """Whatever could mean another host, or break out of a URL."""
        for value in (
            b"",
            b":80",
            b"a:",
            b"a:b",
            b"a:123456",
            b"user@evil.example",
            b"a/b",
            b"a\\b",
            b"a b",
            b"a\n",
            b"a,b",
            b"a?b",
            b"a#b",
            b"-a",
            b"::1",
            b"[::1",
            b"[evil]",
            b"\xc3\xa9",
            b"a%2e",
            b"a" * 263,
        ):
            self.assertIsNone(parse_host(value), value)

    def test_one_only(self) -> None:
        """A request with no Host, or two, has none."""
        self.assertIsNone(host_of(FakeRequest()))
        self.assertIsNone(host_of(FakeRequest(headers={"Host": ["a", "a"]})))
        self.assertEqual(host_of(FakeRequest(headers={"Host": "a"})), Host(b"a"))

    def test_authority(self) -> None:
        """Name and port as they stand in a URL."""
        self.assertEqual(Host(b"a", b"80").authority, b"a:80")
        self.assertEqual(Host(b"a").authority, b"a")


class ServerNamesTests(SynchronousTestCase):
    def ask(self, headers: dict[str, str | list[str]]) -> FakeRequest:
        request = FakeRequest(headers=headers)
        ServerNames(Answer(), ["api.example.org", "[::1]"]).render(request)
        return request

    def test_ours(self) -> None:
        """Our names pass, in any case and on any port."""
        for value in ("api.example.org", "API.Example.ORG:4020", "api.example.org.", "[::1]:4020"):
            self.assertEqual(len(self.ask({"Host": value}).rendered), 1, value)

    def test_others(self) -> None:
        """Other names, their neighbours and no name get 421."""
        for headers in [
            {"Host": "evil.example"},
            {"Host": "example.org"},
            {"Host": "x.api.example.org"},
            {"Host": "api.example.org@evil.example"},
            {"Host": ["api.example.org", "api.example.org"]},
            {},
        ]:
            request = self.ask(headers)
            self.assertIsInstance(request.refused, MisdirectedRequest, headers)
            self.assertEqual(request.rendered, [])

    def test_health(self) -> None:
        """Who checks health knows an address at most, and with HTTP/1.0 not even that."""
        for headers in ({}, {"Host": "192.0.2.1"}, {"Host": "evil.example"}):
            for uri, passed in ((b"/healthz", 1), (b"/healthz?a", 1), (b"/healthz/", 0)):
                request = FakeRequest(uri=uri, headers=headers)
                ServerNames(Answer(), ["api.example.org"]).render(request)
                self.assertEqual(len(request.rendered), passed, uri)

    def test_names_of_loopback(self) -> None:
        """Without a list they count for what came in on loopback: not for a UNIX socket's proxy."""
        rest: list[tuple[Any, int]] = [
            (IPv4Address("TCP", "127.0.0.1", 80), 0),
            (IPv4Address("TCP", "127.0.0.9", 80), 0),
            (IPv6Address("TCP", "::1", 80), 0),
            (IPv4Address("TCP", "192.0.2.1", 80), 1),
            (IPv6Address("TCP", "fe80::1%eth0", 80), 1),
            (UNIXAddress("/run/naap.sock"), 1),
        ]
        for own, passed in rest:
            for host, known in (("localhost:9", True), ("[::1]", True), ("evil.example", False)):
                request = FakeRequest(headers={"Host": host})
                request.getHost = lambda own=own: own  # type: ignore[method-assign]
                ServerNames(Answer(), [], also=LOOPBACK_NAMES).render(request)
                self.assertEqual(len(request.rendered), 1 if known else passed, (own, host))
        nameless = FakeRequest()
        ServerNames(Answer(), [], also=LOOPBACK_NAMES).render(nameless)
        self.assertEqual(len(nameless.rendered), 1)

    def test_told(self) -> None:
        """A page only sees a CORS error: the log has the line. Nobody else gets one."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for headers in ({"Host": "b.example"}, {"Host": "evil\x1b", "Origin": "http://a"}):
            self.ask(headers)
        self.assertEqual(events, [])
        self.ask({"Host": "b.example:80", "Origin": "http://a"})
        said = formatEvent(events[0])
        self.assertIn('server_names = ["api.example.org", "[::1]", "b.example"]', said)

    def test_told_where_nothing_is_listed(self) -> None:
        """Whoever put a proxy before loopback finds the line, without a page too."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        request = FakeRequest(headers={"Host": "b.example"})
        request.getHost = lambda: IPv4Address("TCP", "127.0.0.1", 80)  # type: ignore[method-assign]
        ServerNames(Answer(), [], also=LOOPBACK_NAMES).render(request)
        self.assertIn('server_names = ["b.example"]', formatEvent(events[0]))
