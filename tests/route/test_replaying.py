"""Which requests have a key, and what makes two requests one."""

from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted import create_external_proxy
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import InvalidIdempotencyKey
from naap_twisted.limits.replays import Replayed, Replays
from naap_twisted.policy.target import parse_target
from naap_twisted.route.first_exchange import FirstExchange
from naap_twisted.route.replaying import replaying_of
from naap_twisted.route.scrub import Guard

TARGET = parse_target(b"https://api.example.com/v1/pay")


def request(method=b"POST", client="192.0.2.1", **headers):
    table = Headers({"Idempotency-Key": ["k1"]})
    for name, values in headers.items():
        table.setRawHeaders(name.replace("_", "-"), values)
    record = ExchangeRecord(client=client)
    return SimpleNamespace(method=method, requestHeaders=table, record=record)


class ReplayingTestCase(SynchronousTestCase):
    def setUp(self):
        self.replays = Replays(Clock())
        self.replaying = self.made(provider="stripe", key="sk_0123456789")

    def made(self, **route):
        options = create_external_proxy(**{"replay": 60, **route}).options
        return replaying_of(options, "/r", self.replays, None, Logger())


class KeyTests(ReplayingTestCase):
    def test_methods(self):
        """Methods that may be repeated by themselves have no key here."""
        for method in (b"POST", b"PUT", b"PATCH", b"DELETE"):
            self.assertEqual(self.replaying.key_of(request(method)), "k1")
        for method in (b"GET", b"HEAD", b"PROPFIND"):
            self.assertIsNone(self.replaying.key_of(request(method)))
        self.assertIsNone(self.replaying.key_of(request(Idempotency_Key=[])))

    def test_spellings(self):
        """One header of printable ASCII."""
        for good in (" ", "a", "~", "x" * 255):
            self.assertEqual(self.replaying.key_of(request(Idempotency_Key=[good])), good)
        for bad in ([""], ["x" * 256], ["\x7f"], ["a\tb"], [b"\xc3\xa9"], ["a", "a"]):
            wrong = request(Idempotency_Key=bad)
            self.assertRaises(InvalidIdempotencyKey, self.replaying.key_of, wrong)

    def test_off(self):
        """A route without the option has none."""
        self.assertIsNone(self.made(replay=None, allowed_hosts=["a.example"]))


class SameTests(ReplayingTestCase):
    def begin(self, asked, body=b"{}", target=TARGET):
        return self.replaying.begin(asked, "k1", target, body)

    def prints(self, asked, body=b"{}", target=TARGET):
        return self.replaying._fingerprint(asked, target, body)

    def test_begin(self):
        """The first runs; once its answer is kept, the record says of a retry what it is."""
        first, again, other = request(), request(), request(client="192.0.2.2")
        begun = self.begin(first)
        self.assertIsInstance(begun, FirstExchange)
        begun._running.keep(b"{}\n", Guard())
        self.assertIsInstance(self.begin(again), Replayed)
        self.assertIsInstance(self.begin(other), FirstExchange)
        told = [each.record.replayed for each in (first, again, other)]
        self.assertEqual(told, [False, True, False])

    def test_tells_apart(self):
        """Everything that the upstream may answer otherwise."""
        asked = [
            (request(),),
            (request(b"PUT"),),
            (request(), b"{ }"),
            (request(), b""),
            (request(), b"{}", parse_target(b"https://api.example.com/v1/pay?")),
            (request(), b"{}", parse_target(b"https://api.example.com:444/v1/pay")),
            (request(Content_Type=["a/b"]),),
            (request(Content_Type=["a/b", "a/b"]),),
            (request(Content_Encoding=["a/b"]),),
            (request(Accept=["a/b"]),),
            (request(If_Match=['"1"']),),
            (request(Stripe_Account=["acct_1"]),),
            (request(Stripe_Account=["acct_2"]),),
            (request(OpenAI_Project=["acct_2"]),),
        ]
        self.assertEqual(len({self.prints(*each) for each in asked}), len(asked))

    def test_takes_for_one(self):
        """What clients change from try to try."""
        tries = [
            request(),
            request(X_Stainless_Retry_Count=["1"]),
            request(traceparent=["00-1-2-03"], User_Agent=["x"], X_Request_ID=["r"]),
            request(X_Stripe_Client_Telemetry=["{}"], Idempotency_Key=["k2"]),
        ]
        self.assertEqual(len({self.prints(each) for each in tries}), 1)
