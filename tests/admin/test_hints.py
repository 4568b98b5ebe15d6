"""The line that would let a refused target through, and that it really does."""

import tomllib
from ipaddress import ip_address

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.hints import line_for
from naap_twisted.model import Answer
from naap_twisted.route.explain import explain
from naap_twisted.start.assembly import build_server
from tests.config.support import config_of, proxy


class Resolver:
    """Every name has one address."""

    def __init__(self, address):
        self.address = address

    def resolve(self, host):
        return succeed(Answer((ip_address(self.address),)))


class HintTests(SynchronousTestCase):
    def refused(self, url, address="93.184.216.34", **edits):
        """The first step that refuses, and its line; ``None`` if none does."""
        config = config_of(**edits)
        route = build_server(config).routes()[0].proxy
        asked = explain(route, url, Resolver(address), Clock())
        steps = self.successResultOf(Deferred.fromCoroutine(asked))
        found = [(step.name, line_for(route, step, url)) for step in steps if not step.allowed]
        return found[0] if found else None

    def test_lines(self):
        """Host, scheme and port: what was there, and what is missing. With the line it passes."""
        for url, step, line in (
            ("https://evil.com/", "host", 'allowed_hosts = ["api.openai.com", "evil.com"]'),
            ("http://api.openai.com/", "scheme", 'allowed_schemes = ["https", "http"]'),
            ("https://api.openai.com:8443/", "port", "allowed_ports = [443, 8443]"),
        ):
            self.assertEqual(self.refused(url), (step, line))
            self.assertIsNone(self.refused(url, proxy=proxy(line)))

    def test_address(self):
        """A private address is opened by itself, on its port; what was open stays."""
        for upstream, address, line in (
            ("[upstream]", "10.1.2.3", 'allow_networks = ["10.1.2.3/32:443"]'),
            ("[upstream]", "fd00::1", 'allow_networks = ["[fd00::1]/128:443"]'),
            (
                '[upstream]\nallow_networks = ["10.9.0.0/16"]',
                "10.1.2.3",
                'allow_networks = ["10.9.0.0/16", "10.1.2.3/32:443"]',
            ),
        ):
            url = "https://api.openai.com/"
            step, found = self.refused(url, address, upstream=upstream)
            self.assertEqual(step, "address")
            self.assertEqual(tomllib.loads(found), tomllib.loads(line))
            self.assertIsNone(self.refused(url, address, upstream=f"[upstream]\n{found}"))

    def test_never(self):
        """Metadata services, public suffixes, bad URLs, another base: no line opens them."""
        pinned = '[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"'
        for url, options in (
            ("https://api.openai.com/", {"address": "169.254.169.254"}),
            ("https://co.uk/", {}),
            ("https://192.168.1.1/", {}),
            ("not a url", {}),
            ("/../v2", {"proxy": pinned}),
            ("https://evil.com/v1", {"proxy": pinned}),
        ):
            step, line = self.refused(url, **options)
            self.assertIsNone(line, (url, step))

    def test_pinned(self):
        """A pinned base whose host is private: the network, not the host, has to be opened."""
        pinned = '[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"'
        _, line = self.refused("/x", "10.1.2.3", proxy=pinned)
        self.assertEqual(line, 'allow_networks = ["10.1.2.3/32:443"]')
