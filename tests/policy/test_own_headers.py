"""What no upstream sets here, and that every option says so in the same words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ExposeHeader, create_external_proxy
from naap_twisted.errors import ConfigError
from naap_twisted.headers import HOP_BY_HOP, PINNED_RELAY, RELAYED, SDP_RELAY
from naap_twisted.policy.own_headers import (
    is_never_relayed,
    why_not_relayed,
    why_not_renamed,
    why_not_taken,
)
from tests.config.support import problems_of, proxy

NAMES = ("Set-Cookie", "refresh", "Cross-Origin-Opener-Policy", "X-ACCEL-Expires", "SEC-a", "Via")
FREE = ("Location", "Vary", "X-Accel", "Server-Timing", "Sec", "X-Cookie", "ETag", "Retry-After")


class ListTests(SynchronousTestCase):
    def test_listed(self) -> None:
        """Whatever the case, by name and by prefix; the reason opens with the name as given."""
        for name in NAMES:
            self.assertTrue(is_never_relayed(name.lower().encode()), name)
            for why in (why_not_taken(name), why_not_relayed(name)):
                self.assertTrue(why.startswith(f"{name} is never relayed: "), why)

    def test_free(self) -> None:
        """Neighbours of the listed ones are not."""
        for name in FREE:
            self.assertFalse(is_never_relayed(name.lower().encode()), name)
            self.assertEqual((why_not_taken(name), why_not_relayed(name)), ("", ""))

    def test_connection(self) -> None:
        """The connection's names are in the list."""
        for name in HOP_BY_HOP:
            self.assertTrue(is_never_relayed(name), name)

    def test_patterns(self) -> None:
        """One all of whose names are listed says so; one that is none, too."""
        for pattern in ("X-Accel-*", "sec-*", "Access-Control-Allow-*", "*", "a b", "", "a*b"):
            self.assertTrue(why_not_relayed(pattern), pattern)
        for pattern in ("X-*", "S*", "Cross-*", "OpenAI-*"):
            self.assertEqual(why_not_relayed(pattern), "")

    def test_request_id(self) -> None:
        """Ours under its name; the upstream's under another."""
        self.assertTrue(is_never_relayed(b"x-request-id"))
        self.assertIn("X-Upstream-Request-ID", why_not_relayed("X-Request-ID"))
        self.assertEqual(why_not_renamed("X-Request-ID", "X-Upstream-Request-ID"), [])
        self.assertEqual([end for end, _ in why_not_renamed("X-A", "x-request-id")], ["to"])

    def test_renamed(self) -> None:
        """The end that is wrong is named; both are, where both are wrong."""
        for from_, to, ends in (
            ("Location", "X-WHIP-Resource", []),
            ("X-A", "Location", ["to"]),
            ("Set-Cookie", "X-A", ["from"]),
            ("Set-Cookie", "Refresh", ["from", "to"]),
            ("X-*", "A b", ["from", "to"]),
        ):
            self.assertEqual([end for end, _ in why_not_renamed(from_, to)], ends)

    def test_our_own_defaults(self) -> None:
        """What routes relay without being told is not in the list."""
        for pattern in (*RELAYED, *PINNED_RELAY, *SDP_RELAY):
            self.assertEqual(why_not_relayed(pattern), "")


class SameWordsTests(SynchronousTestCase):
    def in_code(self, **options: object) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            create_external_proxy(allowed_hosts=["api.example.com"], **options)  # type: ignore[arg-type]
        return list(caught.exception.problems)

    def in_file(self, line: str) -> list[str]:
        return [found.removeprefix("proxy[0].") for found in problems_of(proxy=proxy(line))]

    def test_response_headers(self) -> None:
        """A file is refused by the same line as code; and so by ``naap-proxy check``."""
        for name in (*NAMES, "X-Request-ID", "Date", "Transfer-Encoding", "Sec-*", "*", "a b"):
            lines = self.in_file(f'response_headers = ["X-A", "{name}"]')
            self.assertEqual(lines, self.in_code(response_headers=["X-A", name]))
            self.assertTrue(lines[0].startswith("response_headers[1]: "), lines)

    def test_expose_headers(self) -> None:
        """The same for names that are changed."""
        for from_, to in (
            ("X-A", "X-Request-ID"),
            ("X-A", "Service-Worker-Allowed"),
            ("X-A", "Location"),
            ("Date", "X-A"),
            ("X-*", "Content-Type"),
        ):
            lines = self.in_file(f'expose_headers = [{{ from = "{from_}", to = "{to}" }}]')
            self.assertEqual(lines, self.in_code(expose_headers=[ExposeHeader(from_, to)]))
            self.assertTrue(lines[0].startswith("expose_headers[0]."), lines)
