"""The demo's key: new at each start, compared as a whole."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from naap_twisted.demo.credentials import new_authorization, presents
from naap_twisted.secret import Secret


def request_with(*values):
    request = DummyRequest([b""])
    if values:
        request.requestHeaders.setRawHeaders(b"authorization", list(values))
    return request


class Credentials(SynchronousTestCase):
    def test_new_at_each_start(self):
        """Two starts never share a key, and a key does not show itself."""
        first, second = new_authorization(), new_authorization()
        self.assertNotEqual(first, second)
        self.assertTrue(first.reveal().startswith(b"Bearer demo-"))
        self.assertNotIn(first.reveal().decode(), f"{first!r} {first}")

    def test_presented(self):
        """Only the exact value, exactly once, passes."""
        expected = Secret("Bearer right")
        cases = [
            ((b"Bearer right",), True),
            ((b"Bearer wrong",), False),
            ((b"Bearer rightx",), False),
            ((b"Bearer",), False),
            ((b"",), False),
            ((), False),
            ((b"Bearer right", b"Bearer right"), False),
        ]
        for values, verdict in cases:
            self.assertIs(presents(request_with(*values), expected), verdict, values)
