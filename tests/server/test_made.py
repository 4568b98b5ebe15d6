"""Tests of naap_twisted.server.made: which parts the next server goes on with."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.observe.log import AccessLog
from naap_twisted.options.code import read_server
from naap_twisted.options.server import Config
from naap_twisted.server.made import authenticator_for, observers_of, parts_of
from tests.config.support import config_of
from tests.integration.certificates import Authority


def config(**options: object) -> Config:
    return read_server({"name": "x", **options})


class PartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def test_alike(self) -> None:
        """Counts, pools and the age outlive a reload; the state does not, but what it keeps."""
        first = parts_of(config(), self.clock, None)
        self.clock.advance(5)
        second = parts_of(config(cors_origins=["https://a.example"]), self.clock, first)
        for name in ("upstream", "capacity", "tally", "born"):
            self.assertIs(getattr(second, name), getattr(first, name), name)
        self.assertIsNot(second.state, first.state)
        self.assertIs(second.state.ledger, first.state.ledger)
        self.assertEqual((first.generation, second.generation), (1, 2))

    def test_other(self) -> None:
        """Other words, or another file of the same name, are other parts."""
        trust = Path(self.mktemp()).absolute()
        trust.write_bytes(Authority().pem)
        first = parts_of(config(ca_file=str(trust)), self.clock, None)
        same = parts_of(config(ca_file=str(trust)), self.clock, first)
        self.assertIs(same.upstream, first.upstream)
        trust.write_bytes(Authority().pem)
        for options in ({"ca_file": str(trust)}, {}, {"dns_servers": ["127.0.0.1:5353"]}):
            other = parts_of(config(**options), self.clock, first)
            self.assertIsNot(other.upstream, first.upstream)
        self.assertIsNot(
            parts_of(config(max_in_flight=7), self.clock, first).capacity, first.capacity
        )
        folder = str(Path(self.mktemp()).absolute())
        kept = parts_of(config(state_dir=folder), self.clock, first)
        self.assertIsNot(kept.state.ledger, first.state.ledger)
        self.assertIsNotNone(kept.state.usage)
        again = parts_of(config(state_dir=folder), self.clock, kept)
        self.assertIs(again.state.usage, kept.state.usage)

    def test_authenticator(self) -> None:
        """What is known of sessions and keys stays known, until something about it changes."""
        session = '[auth]\nmode = "session"\nsession_url = "https://a.example/session"\n'
        once, again, other = (
            config_of(auth=text) for text in (session, session, session + 'session_cookie = "sid"')
        )
        first = parts_of(once, self.clock, None)
        known = authenticator_for(once, first)
        self.assertIsNotNone(known)
        second = parts_of(again, self.clock, first)
        self.assertIs(authenticator_for(again, second), known)
        third = parts_of(other, self.clock, second)
        self.assertIsNot(authenticator_for(other, third), known)

    def test_observers(self) -> None:
        """The log always; counts where somebody can read them."""
        (log,) = observers_of(parts_of(config(), self.clock, None))
        self.assertIsInstance(log, AccessLog)
        both = config(state_dir=self.mktemp(), admin_listen="tcp:0:interface=127.0.0.1")
        self.assertEqual(len(observers_of(parts_of(both, self.clock, None))), 3)
