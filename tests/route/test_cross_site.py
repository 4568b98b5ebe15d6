"""Fetch Metadata: the decision, and the line of the log that goes with it."""

from __future__ import annotations

from typing import Any

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.errors import CrossSiteNotAllowed, OriginNotAllowed
from naap_twisted.route.cross_site import CrossSite, need_origin
from tests.support import FakeRequest

LISTED = ("https://app.example.org", "http://dev.example.com:3000", "http://[::1]:3000")

# Sec-Fetch-Site, Sec-Fetch-Mode, further headers, whether it passes
TABLE: list[tuple[str, str, dict[str, str | list[str]], bool]] = [
    ("same-origin", "cors", {}, True),
    ("none", "navigate", {}, True),
    ("cross-site", "no-cors", {}, False),
    ("cross-site", "cors", {"Origin": LISTED[0]}, True),
    ("cross-site", "navigate", {"Origin": LISTED[0]}, False),
    ("cross-site", "nested-navigate", {"Origin": LISTED[0]}, False),
    ("cross-site", "", {}, False),
    ("", "no-cors", {}, False),
    ("Same-Origin", "no-cors", {}, False),
    ("same-site", "no-cors", {"Host": "api.example.org"}, True),
    ("same-site", "no-cors", {"Host": "example.org:81"}, True),
    ("same-site", "no-cors", {"Host": "api.example.com"}, True),
    ("same-site", "no-cors", {"Host": "[::1]:4020"}, True),
    ("same-site", "no-cors", {"Host": "api.example.net"}, False),
    ("same-site", "no-cors", {"Host": "org"}, False),
    ("same-site", "no-cors", {"Host": ["api.example.org", "api.example.org"]}, False),
    ("same-site", "no-cors", {}, False),
    ("same-site", "navigate", {"Host": "api.example.org"}, False),
]


class CrossSiteTests(SynchronousTestCase):
    def passes(self, origins: Any, headers: dict[str, Any], **options: Any) -> bool:
        secure, method = options.pop("secure", False), options.pop("method", b"GET")
        embeddable = options.pop("embeddable", False)
        request = FakeRequest(method, headers=headers, secure=secure)
        try:
            CrossSite(origins, **options).check(request, embeddable=embeddable)
        except CrossSiteNotAllowed:
            return False
        return True

    def test_table(self) -> None:
        """Each row with a list of origins; with "*" nobody's site is listed."""
        for site, mode, more, expected in TABLE:
            with self.subTest(site=site, mode=mode, more=more):
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, **more}
                self.assertEqual(self.passes(LISTED, headers), expected)
                anybody = expected and site != "same-site"
                self.assertEqual(self.passes("*", headers), anybody)

    def test_patterns(self) -> None:
        """A sibling of a pattern's site passes as one of a listed origin's."""
        for origin, host, expected in (
            ("https://*.example.net", "api.example.net", True),
            ("https://*.example.net:8443", "api.example.net", True),
            ("https://*.example.com", "api.example.net", False),
            ("https://*-team.vercel.app", "api-team.vercel.app", True),
            ("https://*-team.vercel.app", "api.vercel.app", False),
        ):
            headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Host": host}
            self.assertEqual(self.passes([origin], headers), expected, (origin, host))

    def test_embedded(self) -> None:
        """An image on a page of a listed origin, by Referer, where the route says so."""
        origins = [LISTED[0], "https://*.example.net"]
        image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        for referrer, expected in (
            (f"{LISTED[0]}/", True),
            (f"{LISTED[0]}/a/b?c", True),
            ("https://app.example.net/", True),
            ("https://example.net/", False),
            (f"{LISTED[0]}.evil.example/", False),
            (f"{LISTED[0]}:8443/", False),
            (f"https://evil.example/?{LISTED[0]}/", False),
            ("https://evil.example/", False),
            ("https://app.example.net@evil.example/", False),
            ("null", False),
            ("", False),
        ):
            headers = {**image, "Referer": referrer}
            self.assertEqual(self.passes(origins, headers, embeddable=True), expected, referrer)
            self.assertFalse(self.passes(origins, headers), referrer)
            self.assertFalse(self.passes("*", headers, embeddable=True), "no site is listed")
        headers = {**image, "Referer": f"{LISTED[0]}/"}
        self.assertTrue(self.passes(origins, headers, embeddable=True, method=b"HEAD"))
        self.assertFalse(self.passes(origins, headers, embeddable=True, method=b"POST"))
        link = {**headers, "Sec-Fetch-Mode": "navigate"}
        self.assertFalse(self.passes(origins, link, embeddable=True))
        self.assertFalse(self.passes(origins, image, embeddable=True))

    def test_no_browser(self) -> None:
        """Who says nothing of a site is no page, whatever else is said."""
        for headers in ({}, {"Sec-Fetch-Mode": "navigate"}, {"Referer": "https://evil.example/"}):
            self.assertTrue(self.passes(LISTED, headers))

    def test_said_twice(self) -> None:
        """No browser does."""
        self.assertFalse(self.passes(LISTED, {"Sec-Fetch-Site": ["none", "none"]}))

    def test_scheme_of_a_site(self) -> None:
        """An http page is not of the site of an https one; who says https is believed."""
        headers = {"Sec-Fetch-Site": "same-site", "Host": "api.example.com"}
        self.assertTrue(self.passes(LISTED, headers))
        self.assertFalse(self.passes(LISTED, headers, secure=True))
        told = {**headers, "X-Forwarded-Proto": "https"}
        self.assertTrue(self.passes(LISTED, told))
        self.assertFalse(self.passes(LISTED, told, trusted=TrustedProxies(["192.0.2.7"])))

    def said(self, origins: Any, **headers: str) -> str:
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.assertFalse(self.passes(origins, named))
        (event,) = events
        self.assertEqual(event["log_level"].name, "warn")
        return str(formatEvent(event))

    def test_told(self) -> None:
        """The line that lets a sibling in, if its browser says who it is; else what pages do."""
        page = "https://www.example.net"
        told = self.said(LISTED[:1], Sec_Fetch_Site="same-site", Referer=f"{page}/a?b")
        self.assertIn(f'to allow it: cors_origins = ["{LISTED[0]}", "{page}"]', told)
        told = self.said("*", Sec_Fetch_Site="same-site", Referer=f"{page}/")
        self.assertIn(f'to allow it: cors_origins = ["{page}"]', told)
        for referrer in ("", "about:blank", "http://[", "\x1b://a", "http://a b/"):
            told = self.said("*", Sec_Fetch_Site="same-site", Referer=referrer)
            self.assertIn("call it with fetch()", told)
            self.assertNotIn("\x1b", told)
        told = self.said(LISTED, Sec_Fetch_Site="cross-site", Referer=f"{page}/")
        self.assertIn("call it with fetch()", told)

    def test_no_origin(self) -> None:
        """An Origin has to be there; which one it may be is for CORS to say."""
        need_origin(FakeRequest(b"GET", headers={"Origin": LISTED[0]}))
        request = FakeRequest(b"GET", headers={"Referer": LISTED[0]})
        error = self.assertRaises(OriginNotAllowed, need_origin, request)
        self.assertIn("require_origin", error.reason)
