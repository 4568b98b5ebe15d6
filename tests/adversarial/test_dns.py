"""What a DNS server can do to us; it is asked over real UDP."""

from itertools import pairwise

from attrs import frozen
from twisted.names import dns

from naap_twisted.upstream import dns as upstream_dns

from .dns_server import HOST, ScriptedDns, a, aaaa, answer, cname
from .oracle import Stage, one_test_per

GOOD = a("127.0.0.1")
URL = b"http://api.example.com:{up}/v1"
PUBLIC = "93.184.215.14"


@frozen
class Answers:
    """One row.

    :ivar script: see :class:`ScriptedDns`.
    :ivar code: of the refusal; ``""`` where the request goes through.
    :ivar keyed: the request carries a key, which by itself closes what is not listed; without one
        the table of addresses alone decides.
    """

    name: str
    script: object
    code: str = "ADDRESS_NOT_ALLOWED"
    status: int = 400
    by_tcp: tuple | None = None
    keyed: bool = False


def records(name, *found, **more):
    """A server that has these records."""
    return Answers(name, lambda query, kind, before: list(found) or [answer(query, [])], **more)


def no_answer(name, script, status=502, code="BAD_GATEWAY"):
    """Nothing that can be used."""
    return Answers(name, script, code, status)


def _chain(length):
    """CNAME records from HOST on, and the name that they end at."""
    names = [HOST, *(f"c{n}.example.net" for n in range(length))]
    return [cname(after, before) for before, after in pairwise(names)], names[-1]


def _raw(change):
    """A good answer with its bytes changed."""
    return lambda query, kind, before: [change(answer(query, [GOOD] if kind == dns.A else []))]


SHORT, LAST = _chain(3)
LONG, LONGEST = _chain(12)
THOUSAND = [a(f"127.{n // 250}.{n % 250}.1") for n in range(1000)]

ANSWERS = [
    records("good", GOOD, code=""),
    records("good with a TTL", a("127.0.0.1", ttl=60), code=""),
    records("IPv4-mapped, and a key to carry", aaaa("::ffff:127.0.0.1"), keyed=True),
    records("another loopback address", a("127.0.0.2")),
    records("private", a("10.0.0.1")),
    records("metadata", a("169.254.169.254")),
    records("unspecified", a("0.0.0.0")),
    records("good and private", GOOD, a("10.0.0.1")),
    records("private and good", a("192.168.0.1"), GOOD),
    records("good and another loopback address", GOOD, a("127.0.0.2")),
    records("good and an IPv6 loopback", GOOD, aaaa("::1")),
    records("good and unique local", GOOD, aaaa("fd00::1")),
    records("good and link local", GOOD, aaaa("fe80::1")),
    records("good and IPv4-mapped private", GOOD, aaaa("::ffff:10.0.0.1")),
    records("good and NAT64 loopback", GOOD, aaaa("64:ff9b::7f00:1")),
    records("good and 6to4 loopback", GOOD, aaaa("2002:7f00:1::")),
    records("good and Teredo", GOOD, aaaa("2001:0:7f00:1::")),
    records("good and a public one that may not see the key", GOOD, a(PUBLIC), keyed=True),
    records("254 good ones and a private", *[GOOD] * 25, a("10.0.0.1")),
    records("CNAME chain", *SHORT, a("127.0.0.1", LAST), code=""),
    records("CNAME chain to a private address", *SHORT, a("10.0.0.1", LAST)),
    records("CNAME chain to both", *SHORT, a("127.0.0.1", LAST), a("10.0.0.1", LAST)),
    records(
        "CNAME to metadata",
        cname("metadata.example.net"),
        a("169.254.169.254", "metadata.example.net"),
    ),
    records(
        "CNAME in other letters", cname("C.Example.NET"), a("127.0.0.1", "c.example.net"), code=""
    ),
    no_answer(
        "CNAME loop", lambda q, k, n: [cname("b.example.net"), cname(HOST, "b.example.net"), GOOD]
    ),
    no_answer("CNAME to itself", lambda q, k, n: [cname(HOST)]),
    no_answer("CNAME chain too long", lambda q, k, n: [*LONG, a("127.0.0.1", LONGEST)]),
    no_answer("CNAME to nowhere", lambda q, k, n: [cname("b.example.net")]),
    no_answer("1000 records", lambda q, k, n: THOUSAND),
    no_answer("no records", lambda q, k, n: [answer(q, [])]),
    no_answer("NXDOMAIN", lambda q, k, n: [answer(q, [], code=dns.ENAME)]),
    no_answer("NXDOMAIN with an address", lambda q, k, n: [answer(q, [GOOD], code=dns.ENAME)]),
    no_answer("SERVFAIL", lambda q, k, n: [answer(q, [], code=dns.ESERVER)]),
    no_answer("REFUSED", lambda q, k, n: [answer(q, [], code=dns.EREFUSED)]),
    no_answer("address of another name", lambda q, k, n: [a("127.0.0.1", "evil.example")]),
    no_answer("address of a name below", lambda q, k, n: [a("127.0.0.1", "a." + HOST)]),
    no_answer(
        "AAAA fails, A is good",
        lambda q, k, n: [GOOD] if k == dns.A else [answer(q, [], code=dns.ESERVER)],
    ),
    no_answer(
        "A fails, AAAA is good",
        lambda q, k, n: (
            [aaaa("::ffff:127.0.0.1")] if k == dns.AAAA else [answer(q, [], code=dns.ESERVER)]
        ),
    ),
    no_answer("truncated, nobody on TCP", lambda q, k, n: [answer(q, [], truncated=True)]),
    no_answer("silence", lambda q, k, n: [], 504, "UPSTREAM_TIMEOUT"),
    no_answer(
        "silence for AAAA", lambda q, k, n: [GOOD] if k == dns.A else [], 504, "UPSTREAM_TIMEOUT"
    ),
    no_answer(
        "another id", lambda q, k, n: [answer(q, [GOOD], number=q.id ^ 1)], 504, "UPSTREAM_TIMEOUT"
    ),
    no_answer("empty datagram", lambda q, k, n: [b""], 504, "UPSTREAM_TIMEOUT"),
    no_answer("half a message", _raw(lambda raw: raw[:-6])),
    no_answer("noise", lambda q, k, n: [b"\xff" * 60], 504, "UPSTREAM_TIMEOUT"),
    no_answer(
        "compression loop", _raw(lambda raw: raw[:12] + b"\xc0\x0c" * 20), 504, "UPSTREAM_TIMEOUT"
    ),
    Answers(
        "wrong id first, right one later",
        lambda q, k, n: [
            answer(q, [a("10.0.0.1")], number=q.id ^ 1),
            answer(q, [GOOD] if k == dns.A else []),
        ],
        "",
    ),
    Answers(
        "truncated, good by TCP",
        lambda q, k, n: [answer(q, [], truncated=True)],
        "",
        by_tcp=(GOOD,),
    ),
    Answers(
        "truncated, private by TCP",
        lambda q, k, n: [answer(q, [GOOD], truncated=True)],
        by_tcp=(GOOD, a("10.0.0.1")),
    ),
    Answers("good only when asked again", lambda q, k, n: [GOOD] if n else [], ""),
]


class DnsStage(Stage):
    """A server whose names come from a scripted DNS server."""

    # The first try of a look-up that gets no answer takes a second otherwise.
    patience = (0.1, 0.1)

    def start_with(self, script, by_tcp=None, **route):
        self.patch(upstream_dns, "_TIMEOUTS", self.patience)
        self.dns = ScriptedDns(self, script, by_tcp)
        options = {"connect_timeout": 0.5, "allowed_hosts": [HOST], **route}
        self.start(
            own_way_out=True, server={"dns_servers": [f"127.0.0.1:{self.dns.port}"]}, **options
        )

    async def ask(self):
        """One request to the name."""
        return await self.converse(self.request(url=URL))


@one_test_per(ANSWERS)
class AnswerTests(DnsStage):
    """One look-up."""

    async def check(self, row):
        wait = 0.15 if row.status == 504 else 0.5
        keys = {} if row.keyed else {"forward_headers": None}
        self.start_with(row.script, row.by_tcp, connect_timeout=wait, **keys)
        replies = await self.ask()
        if row.code:
            self.assert_error(replies, row.status, row.code)
        else:
            self.assertEqual([reply.status for reply in replies], [200], replies)
        self.assertEqual({name for name, _ in self.dns.asked}, {HOST})
        await self.judge(sent=0 if row.code else 1)


class RebindingTests(DnsStage):
    """The answer changes."""

    async def test_second_look_up_is_private(self):
        """Without a TTL every connection asks, and judges, anew."""
        self.start_with(lambda q, k, n: [a("127.0.0.2") if n else GOOD])
        self.assertEqual((await self.ask())[0].status, 200)
        self.way_out.pool.close()
        self.assert_error(await self.ask(), 400, "ADDRESS_NOT_ALLOWED")
        await self.judge(sent=1)

    async def test_one_look_up_a_connection(self):
        """What was judged is what is connected to: there is no second look-up to change."""
        self.start_with(lambda q, k, n: [a("127.0.0.2") if n else GOOD])
        self.assertEqual((await self.ask())[0].status, 200)
        self.assertEqual(sorted(kind for _, kind in self.dns.asked), [dns.A, dns.AAAA])
        await self.judge(sent=1)

    async def test_ttl_is_kept(self):
        """Within its TTL an answer is used again, the bad one behind it is never seen."""
        self.start_with(lambda q, k, n: [a("127.0.0.2" if n else "127.0.0.1", ttl=60)])
        for _ in range(3):
            self.assertEqual((await self.ask())[0].status, 200)
            self.way_out.pool.close()
        self.assertEqual(len(self.dns.asked), 2)
        await self.judge(sent=3)

    async def test_shortest_ttl_of_a_chain(self):
        """A CNAME without a TTL makes the whole answer one without."""
        chain = [cname("b.example.net", ttl=0), a("127.0.0.1", "b.example.net", ttl=60)]
        self.start_with(lambda q, k, n: chain)
        for _ in range(2):
            self.assertEqual((await self.ask())[0].status, 200)
            self.way_out.pool.close()
        self.assertEqual(len(self.dns.asked), 4)
        await self.judge(sent=2)

    async def test_many_ask_for_one_silent_name(self):
        """One look-up serves them all, and they all get their answer in time."""
        self.patience = (1.0,)
        self.start_with(lambda q, k, n: [], connect_timeout=0.3)
        clients = [await self.running.client() for _ in range(20)]
        for client in clients:
            client.send(self.request(url=URL))
        for client in clients:
            self.assertTrue((await client.read_to_end()).startswith(b"HTTP/1.1 504 "))
        self.assertEqual(len(self.dns.asked), 2)
        await self.judge(sent=0)
