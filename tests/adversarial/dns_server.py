"""A DNS server that says what a test tells it to, over real UDP and TCP on 127.0.0.1."""

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.task import deferLater
from twisted.names import dns
from twisted.protocols.basic import Int16StringReceiver

HOST = "api.example.com"


def a(address, name=HOST, ttl=0):
    """An A record."""
    return dns.RRHeader(name, dns.A, dns.IN, ttl, dns.Record_A(address, ttl))


def aaaa(address, name=HOST, ttl=0):
    """An AAAA record."""
    return dns.RRHeader(name, dns.AAAA, dns.IN, ttl, dns.Record_AAAA(address, ttl))


def cname(to, name=HOST, ttl=0):
    """A CNAME record."""
    return dns.RRHeader(name, dns.CNAME, dns.IN, ttl, dns.Record_CNAME(to, ttl))


class ScriptedDns:
    """Answers every query with what *script* returns.

    :param script: called with the query (a ``dns.Message``), its type and how often that type was
        asked before; returns datagrams, or records for one good answer.
    :param by_tcp: records for who asks again by TCP; ``None``: nobody listens there.
    :ivar asked: ``(name, type)`` of every query, by UDP and TCP.
    :ivar heard: the ``(port, id)`` that every query by UDP had.
    """

    def __init__(self, test, script, by_tcp=None):
        self.script = script
        self.by_tcp = by_tcp
        self.asked = []
        self.heard = []
        self._listen(test)

    def _listen(self, test):
        for _ in range(20):
            udp = reactor.listenUDP(0, _ByUdp(self), interface="127.0.0.1", maxPacketSize=4096)
            self.port = udp.getHost().port
            test.addCleanup(udp.stopListening)
            if self.by_tcp is None:
                return
            factory = Factory.forProtocol(lambda: _ByTcp(self))
            factory.noisy = False
            try:
                tcp = reactor.listenTCP(self.port, factory, interface="127.0.0.1")
            except CannotListenError:
                continue
            self._open = set()
            test.addCleanup(self._hang_up)
            test.addCleanup(tcp.stopListening)
            return
        raise AssertionError("no port is free for both UDP and TCP")

    async def _hang_up(self):
        # The resolver opens a connection for each of two queries and sends both on one of them;
        # the other stays open until the server closes it.
        while self._open:
            for connection in self._open:
                connection.transport.abortConnection()
            await deferLater(reactor, 0.002)

    def said_to(self, query):
        """The datagrams that answer *query*."""
        kind = query.queries[0].type
        before = sum(1 for _, asked in self.asked if asked == kind)
        self.asked.append((str(query.queries[0].name), kind))
        said = self.script(query, kind, before)
        if said and isinstance(said[0], dns.RRHeader):
            return [answer(query, [record for record in said if record.type in (kind, dns.CNAME)])]
        return said


class _ByUdp(DatagramProtocol):
    def __init__(self, server):
        self._server = server

    def datagramReceived(self, datagram, address):
        query = dns.Message()
        query.fromStr(datagram)
        self._server.heard.append((address[1], query.id))
        for reply in self._server.said_to(query):
            self.transport.write(reply, address)


class _ByTcp(Int16StringReceiver):
    def __init__(self, server):
        self._server = server

    def connectionMade(self):
        self._server._open.add(self)

    def connectionLost(self, reason):
        self._server._open.discard(self)

    def stringReceived(self, string):
        query = dns.Message()
        query.fromStr(string)
        kind = query.queries[0].type
        self._server.asked.append((str(query.queries[0].name), kind))
        self.sendString(answer(query, [r for r in self._server.by_tcp if r.type == kind]))


def answer(query, records, *, code=dns.OK, truncated=False, number=None):
    """The bytes of an answer to *query*.

    :param number: another id than the query's.
    """
    message = dns.Message(query.id if number is None else number, answer=1, trunc=truncated)
    message.queries = query.queries
    message.answers = list(records)
    message.rCode = code
    return message.toStr()
