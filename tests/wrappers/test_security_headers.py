"""Tests of naap_twisted.wrappers.security_headers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted.wrappers.security_headers import SecurityHeaders

from ..support import Answer, FakeRequest


class Page(Resource):
    """A page that needs scripts."""

    def render(self, request: Any) -> bytes:
        request.setHeader(b"Content-Security-Policy", b"default-src 'self'")
        return b"<script src=a.js></script>"


class SecurityHeadersTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Every answer carries them."""
        request = FakeRequest()
        SecurityHeaders(Answer()).render(request)
        for name, value in {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
        }.items():
            self.assertEqual(request.sent(name), value)
        self.assertEqual(len(request.rendered), 1)

    def test_a_resource_overrides(self) -> None:
        """They are set before the resource renders, so its own value wins."""
        request = FakeRequest()
        SecurityHeaders(Page()).render(request)
        self.assertEqual(request.sent("Content-Security-Policy"), "default-src 'self'")

    def test_requests_are_apart(self) -> None:
        """What one answer adds to a header does not reach the next one."""
        wrapper = SecurityHeaders(Answer())
        first, second = FakeRequest(), FakeRequest()
        wrapper.render(first)
        first.responseHeaders.addRawHeader(b"Referrer-Policy", b"origin")
        wrapper.render(second)
        self.assertEqual(second.sent("Referrer-Policy"), "same-origin")
