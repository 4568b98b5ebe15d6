"""A published key set: fetched when needed, and not more often."""

import json

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.jwks import JwksKeys
from naap_twisted.errors import ConfigError, InvalidToken, Unavailable
from tests.auth.support import FakeAgent
from tests.keypairs import ec, public, rsa

ONE, TWO = public(rsa("one")), public(rsa("two"))


class JwksCase(SynchronousTestCase):
    def setUp(self):
        self.agent, self.clock = FakeAgent(), Clock()
        self.keys = JwksKeys(
            "https://id.example/keys",
            reactor=self.clock,
            agent=self.agent,
            now=self.clock.seconds,
        )

    def find(self, kid="one", algorithm="RS256"):
        return maybeDeferred(self.keys.find, kid, algorithm)

    def publish(self, *keys, index=-1):
        self.agent.answer(200, json.dumps({"keys": keys}).encode(), index=index)

    def fetched(self, *keys):
        """The first look-up, answered."""
        found = self.find(keys[0]["kid"])
        self.publish(*keys)
        self.successResultOf(found)

    @property
    def calls(self):
        return len(self.agent.requests)


class Finding(JwksCase):
    def test_first(self):
        """Fetched at the first token, by one call for everybody; then at hand."""
        asked = [self.find() for _ in range(100)]
        self.assertEqual(self.calls, 1)
        self.publish(ONE, TWO)
        for each in asked:
            self.assertEqual(self.successResultOf(each).kid, "one")
        self.assertEqual(self.keys.find("two", "RS256").kid, "two")
        self.assertEqual(self.calls, 1)

    def test_algorithm(self):
        """The key's kind has to fit as well."""
        self.fetched(ONE, public(ec()))
        self.failureResultOf(self.find("one", "ES256"), InvalidToken)
        self.failureResultOf(self.find("one", "HS256"), InvalidToken)
        self.assertEqual(self.successResultOf(self.find("P-256", "ES256")).kid, "P-256")

    def test_without_kid(self):
        """Only where there is one to choose from."""
        self.fetched(ONE, TWO, public(ec()))
        self.assertEqual(self.successResultOf(self.find(None, "ES256")).kid, "P-256")
        self.failureResultOf(self.find(None, "RS256"), InvalidToken)

    def test_kid_is_a_name(self):
        """It is compared, and never becomes a path, a URL or a query."""
        self.fetched(ONE)
        for kid in ("../../etc/passwd", "/dev/null", "one\x00", "' OR 1=1 --", "http://evil/"):
            self.failureResultOf(self.find(kid), InvalidToken)
        self.assertEqual({url for _, url, _ in self.agent.requests}, {b"https://id.example/keys"})


class Refetching(JwksCase):
    def test_unknown_kid(self):
        """A key that was published since is found, once the pause is over."""
        self.fetched(ONE)
        self.failureResultOf(self.find("two"), InvalidToken)
        self.assertEqual(self.calls, 1)
        self.clock.advance(10.0)
        found = self.find("two")
        self.assertEqual(self.calls, 2)
        self.publish(ONE, TWO)
        self.assertEqual(self.successResultOf(found).kid, "two")

    def test_flood(self):
        """Made-up key ids cause one call a pause, and hold up nobody with a known key."""
        self.fetched(ONE)
        self.clock.advance(10.0)
        asked = [self.find(f"x{number}") for number in range(1_000)]
        self.assertEqual(self.successResultOf(self.find("one")).kid, "one")
        self.publish(ONE)
        for each in asked:
            self.failureResultOf(each, InvalidToken)
        self.failureResultOf(self.find("x"), InvalidToken)
        self.assertEqual(self.calls, 2)

    def test_refresh(self):
        """After ten minutes the set is asked for again, and a key that left it is gone."""
        self.fetched(ONE, TWO)
        self.clock.advance(599.9)
        self.assertEqual(self.successResultOf(self.find("two")).kid, "two")
        self.clock.advance(0.1)
        found = self.find("two")
        self.publish(ONE)
        self.failureResultOf(found, InvalidToken)


class Failing(JwksCase):
    def test_never_there(self):
        """Nobody is let in, and the next try waits for the pause."""
        asked = self.find()
        self.agent.fail(ConnectionRefusedError())
        self.failureResultOf(asked, Unavailable)
        self.failureResultOf(self.find(), Unavailable)
        self.assertEqual(self.calls, 1)
        self.clock.advance(10.0)
        asked = self.find()
        self.publish(ONE)
        self.assertEqual(self.successResultOf(asked).kid, "one")

    def test_gone(self):
        """Known keys serve for an hour; an unknown one can't be told from a new one."""
        self.fetched(ONE)
        self.clock.advance(600.0)
        asked, unknown = self.find(), self.find("two")
        self.agent.fail(ConnectionRefusedError())
        self.assertEqual(self.successResultOf(asked).kid, "one")
        self.failureResultOf(unknown, Unavailable)
        self.assertEqual(self.successResultOf(self.find()).kid, "one")
        self.assertEqual(self.calls, 2)
        self.clock.advance(3000.0)
        asked = self.find()
        self.agent.fail(ConnectionRefusedError())
        self.failureResultOf(asked, Unavailable)

    def test_documents(self):
        """What is no key set changes nothing."""
        for code, body in (
            (500, b""),
            (302, b""),
            *((200, text) for text in (b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}')),
            (200, json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}]}).encode()),
            (200, json.dumps({"keys": [ONE] * 101}).encode()),
            (200, b'{"keys": [], "keys": [%s]}' % json.dumps(ONE).encode()),
            (200, b" " * (256 * 1024 + 1)),
        ):
            with self.subTest(body=body[:30]):
                asked = self.find()
                self.agent.answer(code, body)
                self.failureResultOf(asked, Unavailable)
                self.clock.advance(10.0)

    def test_one_bad_key(self):
        """RFC 7517 section 5: what is not understood is passed over."""
        asked = self.find()
        self.publish({"kty": "AKP", "kid": "pq"}, {"kty": "RSA", "kid": "one"}, ONE)
        self.assertEqual(self.successResultOf(asked).kid, "one")

    def test_urls(self):
        """Keys come over https, or from this machine."""
        for url in ("http://id.example/keys", "file:///keys", ""):
            error = self.assertRaises(ConfigError, JwksKeys, url, reactor=self.clock)
            self.assertTrue(str(error).startswith("jwks_url: "))


class Weak(JwksCase):
    def test_skipped_and_told(self):
        """A key that no algorithm may use is left out, with a line; its own words are bounded."""
        weak = public(rsa("weak", 1024), kid="\n" * 200)
        with capturedLogs() as logs:
            self.fetched(ONE, weak)
        self.failureResultOf(self.find("\n" * 200), InvalidToken)
        (line,) = [event["key"] for event in logs if event["log_level"] is LogLevel.warn]
        self.assertIn("RSA key under 2048 bits", line)
        self.assertTrue(line.isprintable() and len(line) < 120, line)

    def test_nothing_else(self):
        """Where no other is left, that is the reason why the set does not count."""
        found = self.find("weak")
        with capturedLogs() as logs:
            self.publish(public(rsa("weak", 1024)))
        self.failureResultOf(found, Unavailable)
        (line,) = [event["reason"] for event in logs if event["log_level"] is LogLevel.warn]
        self.assertIn("'weak' holds an RSA key under 2048 bits", line)
