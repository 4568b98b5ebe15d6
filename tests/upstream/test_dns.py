from ipaddress import ip_address

from twisted.internet.defer import Deferred, fail, succeed
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway
from naap_twisted.upstream.dns import DnsResolver, Record, addresses_in
from naap_twisted.upstream.resolver import NoAddress

A, B = ip_address("192.0.2.1"), ip_address("2001:db8::1")


class AddressesInTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The addresses of the asked name, through its CNAMEs, and of no other name."""
        for records, expected in (
            ([Record("h", A, 60), Record("h", B, 30)], ((A, B), 30)),
            ([Record("h", "c", 5), Record("c", A, 60)], ((A,), 5)),
            ([Record("c", A, 60), Record("h", "c", 5)], ((A,), 5)),
            ([Record("h", A, 60), Record("h", A, 60)], ((A,), 60)),
            ([Record("other", A, 60)], None),
            ([Record("h", "h", 60), Record("h", A, 60)], None),
            ([Record("h", "c", 60), Record("c", "h", 60)], None),
            ([Record("h", "c", 60)], None),
            ([], None),
            ([Record("h", A, -5)], ((A,), 0)),
        ):
            answer = addresses_in("h", records)
            found = None if answer is None else (answer.addresses, answer.ttl)
            self.assertEqual(found, expected, records)

    def test_bounds(self) -> None:
        """A long chain, and more addresses than we would judge, are no answer."""
        chain = [Record(f"n{i}", f"n{i + 1}", 60) for i in range(9)] + [Record("n9", A, 60)]
        self.assertIsNone(addresses_in("n0", chain))
        many = [Record("h", ip_address(i), 60) for i in range(257)]
        self.assertIsNone(addresses_in("h", many))
        self.assertIsNotNone(addresses_in("h", many[:256]))


class Names:
    """twisted.names' resolver, scripted: an exception, or a message, for each type.

    :param by_tcp: messages for who asks again by TCP.
    """

    def __init__(self, four: object, six: object, by_tcp: object = None) -> None:
        self._script = {dns.A: four, dns.AAAA: six}
        self._by_tcp = by_tcp

    def queryUDP(self, queries: list[dns.Query]) -> Deferred[object]:
        ((name, kind),) = ((str(query.name), query.type) for query in queries)
        assert name == "h.example"
        outcome = self._script[kind]
        return fail(outcome) if isinstance(outcome, Exception) else succeed(outcome)

    def queryTCP(self, queries: list[dns.Query]) -> Deferred[object]:
        return succeed(self._by_tcp)

    def exceptionForCode(self, code: int) -> type[Exception]:
        return DNSServerError


def message(*answers: dns.RRHeader, code: int = dns.OK, truncated: bool = False) -> dns.Message:
    made = dns.Message(rCode=code, trunc=truncated)
    made.answers = list(answers)
    return made


def header(kind: int, payload: object, name: str = "H.example.", ttl: int = 60) -> dns.RRHeader:
    return dns.RRHeader(name, kind, dns.IN, ttl, payload)


FOUR = header(dns.A, dns.Record_A("192.0.2.1"))
SIX = header(dns.AAAA, dns.Record_AAAA("2001:db8::1"), ttl=20)
NO_NAME = message(code=dns.ENAME)


class DnsResolverTests(SynchronousTestCase):
    def resolve(self, four: object, six: object, by_tcp: object = None) -> Deferred[object]:
        return DnsResolver((), None, Names(four, six, by_tcp)).resolve("h.example")

    def failed(self, *script: object) -> BadGateway:
        error: BadGateway = self.failureResultOf(self.resolve(*script), BadGateway).value
        return error

    def test_both_families(self) -> None:
        """A and AAAA together, names compared without case."""
        answer = self.successResultOf(self.resolve(message(FOUR), message(SIX)))
        self.assertEqual((answer.addresses, answer.ttl), ((A, B), 20))

    def test_one_family_only(self) -> None:
        """No AAAA at all is an answer; a name that does not exist has no address."""
        for six in (message(), NO_NAME):
            answer = self.successResultOf(self.resolve(message(FOUR), six))
            self.assertEqual(answer.addresses, (A,))
        for nothing in (message(), NO_NAME):
            self.assertIsInstance(self.failed(nothing, nothing), NoAddress)

    def test_a_family_that_fails_is_not_ignored(self) -> None:
        """What could not be seen could be private: no connection on half an answer."""
        for six in (message(code=dns.ESERVER), DNSServerError(), OSError()):
            error = self.failed(message(FOUR), six)
            self.assertNotIsInstance(error, NoAddress)
            self.assertIn(type(six).__name__.replace("Message", "DNSServerError"), error.reason)

    def test_truncated(self) -> None:
        """What UDP cuts short is asked for by TCP; what TCP cuts short is no answer."""
        cut = message(truncated=True)
        answer = self.successResultOf(self.resolve(cut, message(), message(FOUR)))
        self.assertEqual(answer.addresses, (A,))
        self.assertNotIsInstance(self.failed(cut, message(), cut), NoAddress)
