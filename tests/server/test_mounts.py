"""Which pinned route a path continues."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted import create_plugin_server
from naap_twisted.errors import ConfigError, MethodNotAllowed
from naap_twisted.server.mounts import Mount, pinned_above, shadowed
from tests.spine import Upstream, make_proxy


def pinned(path: str, *methods: str) -> Mount:
    return mounted(path, target="https://api.example.com/v1", methods=methods)


def mounted(path: str, **options: Any) -> Mount:
    server = create_plugin_server("mounts", require_auth=False)
    server.mount(path, make_proxy(Upstream(), **options))
    return server.routes()[0]


class PinnedAboveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mounts = [
            pinned("/a", "GET"),
            pinned("/a/b", "GET"),
            pinned("/a/b", "PUT"),
            mounted("/free"),
            Mount("/page", "/api/v1/page", Resource()),
        ]

    def test_nearest(self) -> None:
        """The longest path that the bytes really open with, and its method."""
        one, two, three, *_ = self.mounts
        for method, below, found in [
            (b"GET", b"/a//x", one),
            (b"HEAD", b"/a/%0a", one),
            (b"GET", b"/a//b/x", one),
            (b"GET", b"/a/b//x", two),
            (b"PUT", b"/a/b/%ff", three),
            (b"GET", b"/a", None),
            (b"GET", b"/ab/x", None),
            (b"GET", b"/%61/x", None),
            (b"GET", b"//a/x", None),
            (b"POST", b"/free//x", None),
            (b"GET", b"/page//x", None),
        ]:
            with self.subTest(method=method, below=below):
                self.assertIs(pinned_above(self.mounts, method, below), found)

    def test_wrong_method(self) -> None:
        """405 with all that the path takes; a route above it is not asked."""
        with self.assertRaises(MethodNotAllowed) as caught:
            pinned_above(self.mounts, b"DELETE", b"/a/b//x")
        self.assertEqual(caught.exception.headers, ((b"Allow", b"GET, HEAD, OPTIONS, PUT"),))
        self.assertEqual(caught.exception.reason, "the path takes GET, HEAD, OPTIONS, PUT")


class ShadowedTests(SynchronousTestCase):
    def test_beside(self) -> None:
        """Paths beside the base path come first, where there is no base path."""
        mounts = [pinned("/a", "GET"), pinned("/app/x", "GET"), pinned("/apple", "GET")]
        (line,) = shadowed(mounts, [b"app", b"healthz"])
        self.assertIn('"/app/x" is the server\'s own; choose another', line)
        self.assertEqual([*shadowed(mounts, [])], [])

    def test_sessions(self) -> None:
        """A WHIP route's sessions stand below it."""
        whip = mounted("/whip", content_type="application/sdp")
        for path, count in (
            ("/whip/whip-session", 1),
            ("/whip/whip-session/a", 1),
            ("/whip/whip-sessions", 0),
            ("/whip/x", 0),
            ("/whip-session", 0),
        ):
            lines = [*shadowed([pinned(path, "GET"), whip], [])]
            self.assertEqual(len(lines), count, path)

    def test_start(self) -> None:
        """The start says so, and with it check."""
        server = create_plugin_server("mounts", require_auth=False, base_path="")
        server.root_children[b"app"] = Resource()
        server.mount("/app/x", make_proxy(Upstream()))
        error = self.assertRaises(ConfigError, server.check_start)
        self.assertIn("/app/x", str(error))
