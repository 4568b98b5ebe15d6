"""What a developer needs to call the server."""

from __future__ import annotations

import json

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy
from naap_twisted.admin.setup import own_origins, setup_of

from .support import PATH, SECRET, make


class SetupTestCase(SynchronousTestCase):
    def server(self, **options):
        self.clock = MemoryReactorClock()
        server = make(reactor=self.clock, **{"port": 4020, **options})
        server.startService()
        return server


class SetupTests(SetupTestCase):
    def test_document(self):
        """Each route as it can be called; names of keys, never values."""
        server = self.server()
        self.clock.advance(1.5)
        found = setup_of(server, {PATH: "https://try.example/"})
        listed, pinned = found.pop("routes")
        self.assertEqual(
            found,
            {
                "service": "watched",
                "origins": ["http://127.0.0.1:4020"],
                "listeners": server.addresses(),
                "uptime": 1.5,
                "base_path": "/api/v1",
                "auth": False,
                "cors_origins": ["http://localhost:3000"],
            },
        )
        self.assertEqual(
            listed,
            {
                "path": PATH,
                "kind": "listed",
                "methods": ["POST"],
                "target_url_header": "X-Target-URL",
                "content_types": ["application/json"],
                "allowed_hosts": ["api.example.com", "127.0.0.1"],
                "allowed_schemes": ["https"],
                "allowed_ports": None,
                "target": None,
                "authorize": "anyone",
                "injects": ["Authorization"],
                "whip": False,
                "try": "https://try.example/",
            },
        )
        self.assertEqual((pinned["kind"], pinned["target_url_header"]), ("pinned", None))
        self.assertEqual(pinned["target"], "https://api.example.com/v1")
        self.assertIsNone(pinned["try"])
        self.assertNotIn(SECRET, json.dumps([listed, pinned]))

    def test_origins_setting(self):
        """The wildcard is one however it was written."""
        for written, told in (
            ("*", "*"),
            (["*"], "*"),
            ("https://a.example", ["https://a.example"]),
            (["https://a.example"], ["https://a.example"]),
        ):
            found = setup_of(self.server(cors_origins=written))
            self.assertEqual(found["cors_origins"], told)

    def test_authorize(self):
        """Who may call, with the server's default filled in."""
        server = self.server(require_auth=True)
        for path, rule in (("/a", "anyone"), ("/b", "role:x"), ("/c", lambda request: True)):
            proxy = create_external_proxy(allowed_hosts=["a.example.org"], authorize=rule)
            server.mount(path, proxy)
        server.mount("/page", server.resource())  # no proxy: not listed
        rules = [route["authorize"] for route in setup_of(server)["routes"]]
        self.assertEqual(rules, ["user", "user", "anyone", "role:x", "callable"])


class OriginTests(SetupTestCase):
    def test_own_origins(self):
        """As a browser writes them: usable, default ports left out, each once."""
        loopback = ":interface=127.0.0.1"
        for listen, names, origins in (
            (
                [f"tcp:80{loopback}", f"tcp:8080{loopback}"],
                [],
                ["http://127.0.0.1", "http://127.0.0.1:8080"],
            ),
            (["tcp6:81:interface=\\:\\:1"], [], ["http://[::1]:81"]),
            ([f"tcp:80{loopback}"], ["api.example.org"], ["http://api.example.org"]),
            ([f"tcp:80{loopback}"], ["127.0.0.1", "b.example.org"], ["http://127.0.0.1"]),
        ):
            server = self.server(listen=listen, server_names=names)
            self.assertEqual(own_origins(server), origins)

    def test_everywhere(self):
        """Who listens everywhere listens on loopback, https is named first; a socket has no URL."""

        class Server:
            parts = self.server().parts

            def addresses(self):
                return ["http://0.0.0.0:81", "unix:/s", "http://[::]:81", "https://0.0.0.0:443"]

        self.assertEqual(
            own_origins(Server()), ["https://127.0.0.1", "http://127.0.0.1:81", "http://[::1]:81"]
        )
