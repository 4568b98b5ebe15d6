"""Tests of naap_twisted.wrappers.https_only."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.errors import BadRequest, MisdirectedRequest
from naap_twisted.wrappers.https_only import HttpsOnly

from ..support import Answer, FakeRequest

HOST: dict[str, str | list[str]] = {"Host": "api.example.org"}


def through(request: FakeRequest, **options: Any) -> FakeRequest:
    HttpsOnly(Answer(), **{"redirect": True, **options}).render(request)
    return request


class RedirectTests(SynchronousTestCase):
    def test_status(self) -> None:
        """301 for GET and HEAD; 308, which keeps method and body, for the rest."""
        for method, status in [
            (b"GET", 301),
            (b"HEAD", 301),
            (b"POST", 308),
            (b"PATCH", 308),
            (b"OPTIONS", 308),
        ]:
            request = through(FakeRequest(method, b"/a?b=c", HOST))
            self.assertEqual(request.code, status)
            self.assertEqual(request.sent("Location"), "https://api.example.org/a?b=c")
            self.assertEqual(request.sent("Content-Length"), "0")
            self.assertEqual((request.finished, request.rendered), (1, []))

    def test_location(self) -> None:
        """The plain port is dropped; a double slash stays a path of the same host."""
        for host, uri, port, expected in [
            ("a.example:4020", b"/", 443, "https://a.example/"),
            ("a.example:4020", b"/", 8443, "https://a.example:8443/"),
            ("[::1]:80", b"/x", 443, "https://[::1]/x"),
            ("a.example", b"//evil.example/", 443, "https://a.example//evil.example/"),
        ]:
            request = through(FakeRequest(uri=uri, headers={"Host": host}), https_port=port)
            self.assertEqual(request.sent("Location"), expected)

    def test_never_reflects_junk(self) -> None:
        """Without one well-formed Host and an origin-form target there is no URL to name."""
        for headers, uri in [
            ({}, b"/"),
            ({"Host": ["a.example", "b.example"]}, b"/"),
            ({"Host": "a.example/@evil.example"}, b"/"),
            ({"Host": 'a"><script>'}, b"/"),
            (HOST, b"http://evil.example/"),
            (HOST, b"*"),
            (HOST, b"/\xff"),
            (HOST, b"/a b"),
        ]:
            request = through(FakeRequest(uri=uri, headers=headers))
            self.assertIsInstance(request.refused, BadRequest, (headers, uri))
            self.assertIsNone(request.sent("Location"))

    def test_only_to_ours(self) -> None:
        """Where our names are known, no other Host becomes part of a URL."""
        own = {b"api.example.org"}
        self.assertEqual(through(FakeRequest(headers=HOST), own=own).code, 301)
        for host in ("evil.example", "api.example.org.evil.example", "localhost"):
            request = through(FakeRequest(headers={"Host": host}), own=own)
            self.assertIsInstance(request.refused, MisdirectedRequest)
            self.assertIsNone(request.sent("Location"))

    def test_https_passes(self) -> None:
        """Over https there is nothing to do."""
        self.assertEqual(len(through(FakeRequest(secure=True)).rendered), 1)

    def test_health_passes(self) -> None:
        """A load balancer may ask for health over plain http; its neighbours may not."""
        self.assertEqual(len(through(FakeRequest(uri=b"/healthz?x", headers=HOST)).rendered), 1)
        self.assertEqual(through(FakeRequest(uri=b"/healthz/x", headers=HOST)).code, 301)

    def test_off(self) -> None:
        """Without *redirect* plain http passes."""
        self.assertEqual(len(through(FakeRequest(headers=HOST), redirect=False).rendered), 1)

    def test_forwarded_proto(self) -> None:
        """X-Forwarded-Proto counts from a trusted proxy only."""
        told = {**HOST, "X-Forwarded-Proto": "https"}
        trusted = TrustedProxies(["192.0.2.7"])
        self.assertEqual(len(through(FakeRequest(headers=told), trusted=trusted).rendered), 1)
        self.assertEqual(through(FakeRequest(headers=told)).code, 301)


class HstsTests(SynchronousTestCase):
    NAME = "Strict-Transport-Security"

    def test_over_https_only(self) -> None:
        """Secure answers carry it, plain ones and redirects do not (RFC 6797 section 7.2)."""
        secure = through(FakeRequest(secure=True), hsts=31536000.0)
        self.assertEqual(secure.sent(self.NAME), "max-age=31536000")
        self.assertIsNone(through(FakeRequest(headers=HOST), hsts=60.0).sent(self.NAME))
        plain = through(FakeRequest(headers=HOST), hsts=60.0, redirect=False)
        self.assertIsNone(plain.sent(self.NAME))

    def test_behind_a_proxy(self) -> None:
        """What a trusted proxy took over https is secure."""
        request = FakeRequest(headers={"X-Forwarded-Proto": "https"})
        through(request, hsts=60.0, trusted=TrustedProxies(["192.0.2.7"]))
        self.assertEqual(request.sent(self.NAME), "max-age=60")

    def test_none_and_zero(self) -> None:
        """None says nothing; zero takes an earlier promise back."""
        self.assertIsNone(through(FakeRequest(secure=True)).sent(self.NAME))
        self.assertEqual(through(FakeRequest(secure=True), hsts=0).sent(self.NAME), "max-age=0")
