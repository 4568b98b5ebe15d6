"""A token over its life, on a clock of the test's own."""

import json

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from naap_twisted.credentials.oauth2 import ClientCredentials
from naap_twisted.credentials.token_source import TIMEOUT, TokenSource
from naap_twisted.errors import BadGateway, CredentialUnavailable
from naap_twisted.policy.egress import AnyHost
from naap_twisted.secret import Secret


class Response:
    def __init__(self, code, body):
        self.code, self._body = code, body

    def deliverBody(self, protocol):
        protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))


class Asked:
    """An upstream whose answers a test gives.

    :ivar calls: the Deferreds of the calls so far.
    """

    def __init__(self):
        self.calls = []

    def send(self, outbound):
        self.outbound = outbound
        self.calls.append(Deferred())
        return self.calls[-1]

    def grant(self, token, **members):
        document = {"access_token": token, "expires_in": 1000, **members}
        self.calls[-1].callback(Response(200, json.dumps(document).encode()))

    def fail(self):
        self.calls[-1].errback(BadGateway(reason="refused"))


class TokenSourceTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.asked = Clock(), Asked()
        client = ClientCredentials("https://id.example/t", Secret("me"), Secret("s3cret-s3cret"))
        self.source = TokenSource(client, self.asked, AnyHost(), self.clock)

    def get(self):
        return Deferred.fromCoroutine(self.source.token())

    def have(self, **members):
        waiting = self.get()
        self.asked.grant("one", **members)
        self.assertEqual(self.successResultOf(waiting).reveal(), b"Bearer one")

    def held(self):
        token = self.source.held()
        return token and token.reveal()

    def test_renewed_behind_the_back(self):
        """Near its end the old token goes on while the next is fetched."""
        self.have()
        self.clock.advance(939)
        self.assertEqual((self.held(), len(self.asked.calls)), (b"Bearer one", 1))
        self.clock.advance(2)
        for _ in range(5):
            self.assertEqual((self.held(), len(self.asked.calls)), (b"Bearer one", 2))
        self.asked.grant("two")
        self.assertEqual(self.held(), b"Bearer two")

    def test_the_end_of_a_token(self):
        """While no other can be had it serves up to the end that it was given, and not beyond."""
        self.have()
        self.clock.advance(950)
        self.held()
        self.asked.fail()
        self.assertEqual(self.held(), b"Bearer one")
        self.assertEqual(len(self.asked.calls), 2)
        self.clock.advance(44)
        self.assertEqual(self.held(), b"Bearer one")
        self.asked.fail()
        self.clock.advance(1.5)
        self.failureResultOf(self.get(), CredentialUnavailable)

    def test_a_short_life(self):
        """A token of ten seconds is renewed in its last two."""
        self.have(expires_in=10)
        self.clock.advance(7.9)
        self.assertEqual((self.held(), len(self.asked.calls)), (b"Bearer one", 1))
        self.clock.advance(0.2)
        self.assertEqual((self.held(), len(self.asked.calls)), (b"Bearer one", 2))
        self.clock.advance(1.0)
        self.assertIs(self.held(), None)

    def test_pauses(self):
        """They double up to half a minute; a refusal within one tells what is left of it."""
        for pause in (1, 2, 4, 8, 16, 30, 30):
            waiting = self.get()
            self.asked.fail()
            failure = self.failureResultOf(waiting, CredentialUnavailable)
            self.assertEqual(failure.value.headers, ((b"Retry-After", b"%d" % pause),))
            count = len(self.asked.calls)
            self.clock.advance(pause - 0.5)
            failure = self.failureResultOf(self.get(), CredentialUnavailable)
            self.assertEqual(failure.value.headers, ((b"Retry-After", b"1"),))
            self.assertEqual(len(self.asked.calls), count)
            self.clock.advance(0.5)
        self.have()
        self.source._held = None
        waiting = self.get()
        self.asked.fail()
        self.failureResultOf(waiting, CredentialUnavailable)
        self.assertEqual(self.source._pause, 1)

    def test_no_answer(self):
        waiting = self.get()
        self.clock.advance(TIMEOUT)
        self.failureResultOf(waiting, CredentialUnavailable)

    def test_who_leaves(self):
        """Cancelling one wait cancels no call."""
        leaving, staying = self.get(), self.get()
        leaving.addErrback(lambda _: None).cancel()
        self.asked.grant("one")
        self.successResultOf(staying)
        self.assertEqual(len(self.asked.calls), 1)

    def test_refused(self):
        """Once at once, then every ten seconds at most; an older token than the present: never."""
        self.have()
        token = self.source.held()
        self.source.refused(Secret("Bearer one"))
        self.assertIs(self.source.held(), token)
        self.source.refused(token)
        self.assertIs(self.source.held(), None)
        self.have()
        token = self.source.held()
        self.clock.advance(9)
        self.source.refused(token)
        self.assertIs(self.source.held(), token)
        self.clock.advance(1)
        self.source.refused(token)
        self.assertIs(self.source.held(), None)

    def test_no_address_of_ours(self):
        """The token URL is under the rules of the server's own calls: no plain http."""
        self.have()
        self.assertFalse(self.asked.outbound.target.listed_only)
        plain = ClientCredentials("http://id.example/t", Secret("me"), Secret("s3cret-s3cret"))
        self.source.client, self.source._held = plain, None
        self.get()
        self.assertTrue(self.asked.outbound.target.listed_only)

    def test_the_log_has_no_secret(self):
        waiting = self.get()
        self.asked.calls[-1].errback(RuntimeError("s3cret-s3cret"))
        failure = self.failureResultOf(waiting, CredentialUnavailable)
        self.assertNotIn("s3cret", failure.getTraceback(detail="default"))
        self.assertIs(failure.value.__context__ and failure.value.__suppress_context__, True)
