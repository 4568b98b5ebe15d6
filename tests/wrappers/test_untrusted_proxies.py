"""The line that says whom to trust."""

from __future__ import annotations

import re
import tomllib
from types import SimpleNamespace

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.wrappers.https_only import HttpsOnly
from naap_twisted.wrappers.request_id import RequestId
from naap_twisted.wrappers.untrusted_proxies import MOST_TOLD, UntrustedProxies
from tests.support import Answer, FakeRequest

TOLD = {"X-Forwarded-For": "198.51.100.7"}


class UntrustedTests(SynchronousTestCase):
    def setUp(self):
        self.layers = {}

    def said(self, *peers, listed=("10.0.0.0/8",), headers=TOLD, channel=None):
        """The lines that requests of *peers* make, of one server."""
        trusted = TrustedProxies(listed)
        root = self.layers.get(listed)
        if root is None:
            strangers = UntrustedProxies(trusted)
            root = HttpsOnly(Answer(), redirect=True, trusted=trusted, strangers=strangers)
            root = RequestId(root, trusted=trusted, strangers=strangers)
            self.layers[listed] = root
        with capturedLogs() as events:
            for peer in peers:
                address = UNIXAddress(None) if peer == "unix" else IPv4Address("TCP", peer, 1)
                request = FakeRequest(headers={"Host": "a", **headers}, client=address)
                request.channel = channel
                root.render(request)
        return [formatEvent(event) for event in events]

    def test_line(self):
        """The peer, and the whole setting to paste."""
        for peer in ("192.0.2.7", "unix"):
            (text,) = self.said(peer)
            self.assertIn(f"of {peer} is not believed", text)
            line = re.search(r"trusted_proxies = .*", text)[0]
            listed = tomllib.loads(line)["trusted_proxies"]
            self.assertEqual(listed, ["10.0.0.0/8", peer])
            self.assertTrue(TrustedProxies(listed).trusts(peer))

    def test_once(self):
        """However often it comes, and in whichever header."""
        self.assertEqual(len(self.said("192.0.2.7", "192.0.2.7", "192.0.2.8")), 2)
        self.assertEqual(self.said("192.0.2.7", headers={"X-Forwarded-Proto": "https"}), [])
        self.assertEqual(len(self.said("192.0.2.9", headers={"X-Forwarded-Proto": "https"})), 1)

    def test_nothing_to_say(self):
        """No such header, a trusted proxy, or a front that has named the client."""
        self.assertEqual(self.said("192.0.2.7", headers={}), [])
        self.assertEqual(self.said("10.1.2.3"), [])
        self.assertEqual(self.said("unix", listed=("unix",)), [])
        self.assertEqual(self.said("192.0.2.7", channel=SimpleNamespace(announced=True)), [])

    def test_bounded(self):
        """Strangers of the whole internet fill no log."""
        peers = [f"192.0.2.{number}" for number in range(200)]
        self.assertEqual(len(self.said(*peers)), MOST_TOLD)
