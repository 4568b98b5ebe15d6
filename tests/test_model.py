"""Frozen values and what they show."""

from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import OutboundRequest, RateLimit, Target, Timeouts, User, VettedTarget
from naap_twisted.secret import Secret


class Targets(SynchronousTestCase):
    def test_authority(self):
        """The port is named only where it is not the scheme's own; IPv6 in brackets."""
        for scheme, host, port, authority in [
            ("https", "a.example", 443, "a.example"),
            ("https", "a.example", 80, "a.example:80"),
            ("http", "a.example", 80, "a.example"),
            ("http", "a.example", 443, "a.example:443"),
            ("https", "2001:db8::1", 443, "[2001:db8::1]"),
            ("https", "2001:db8::1", 1, "[2001:db8::1]:1"),
        ]:
            target = Target(scheme, host, port, "/p?q")
            self.assertEqual(target.authority, authority)
            self.assertEqual(target.origin, f"{scheme}://{authority}")
            self.assertEqual(target.url, f"{scheme}://{authority}/p?q")

    def test_shown(self):
        """No path, query, header or body in any repr: each may hold a token."""
        target = Target("https", "a.example", 443, "/p?token=canary")
        request = OutboundRequest(
            b"POST",
            VettedTarget(target, "a.example"),
            ((b"X", b"canary"), (b"Y", Secret("canary"))),
            b"canary",
        )
        for value in (target, request.target, request):
            self.assertNotIn("canary", repr(value))


class Values(SynchronousTestCase):
    def test_frozen(self):
        """A value that was checked stays what it was."""
        target = Target("https", "a.example", 443, "/")
        for value, name in [
            (target, "host"),
            (VettedTarget(target, "r"), "target"),
            (User("1"), "id"),
            (Timeouts(), "head"),
        ]:
            with self.assertRaises(FrozenInstanceError):
                setattr(value, name, "x")

    def test_defaults(self):
        """The contract's numbers, in seconds (sections 2 and 3)."""
        self.assertEqual((RateLimit().requests, RateLimit().window), (200, 900.0))
        timeouts = Timeouts()
        self.assertEqual((timeouts.connect, timeouts.head), (10.0, 30.0))
        self.assertEqual((timeouts.idle, timeouts.total), (300.0, None))
