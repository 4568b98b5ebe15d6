"""Host names to addresses through named DNS servers (``dns_servers``), with their TTLs."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.names import client, dns

from ..errors import BadGateway
from ..model import Address, Answer
from .resolver import NoAddress

_TIMEOUTS = (1, 2, 3)
_LONGEST_CHAIN = 8
_MOST_RECORDS = 256


@frozen
class Record:
    """An A, AAAA or CNAME record of a DNS answer.

    :ivar value: an address, or the next name of a CNAME.
    :ivar ttl: seconds.
    """

    name: str
    value: Address | str
    ttl: int


def addresses_in(host: str, records: Sequence[Record]) -> Answer | None:
    """The addresses that *host* has in *records*, through its CNAMEs.

    :returns: ``None`` where there are none, where there are too many to judge, or where the chain
        of CNAMEs is too long or a circle.
    """
    names = {host}
    ttls: list[int] = []
    name = host
    for _ in range(_LONGEST_CHAIN):
        aliases = [r for r in records if r.name == name and isinstance(r.value, str)]
        if not aliases:
            break
        name = str(aliases[0].value)
        ttls.append(aliases[0].ttl)
        if name in names:
            return None
        names.add(name)
    else:
        return None
    addresses: dict[Address, None] = {}
    for record in records:
        if record.name == name and not isinstance(record.value, str):
            ttls.append(record.ttl)
            addresses[record.value] = None
    if not addresses or len(addresses) > _MOST_RECORDS:
        return None
    return Answer(tuple(addresses), max(0, min(ttls)))


class DnsResolver:
    """Asks *servers* for A and AAAA records. Both must come, for a missing one can't be judged.

    Each query has a random id and leaves from a random port of its own (RFC 5452 section 9.2), so
    that a forged answer has to guess both. Twisted's sharing of equal queries is not used: a query
    that could not be sent (no descriptor was left) would stay in its table for ever, and every
    later look-up of that name would wait for it.

    :param servers: address and port of each.
    :param reactor: ``IReactorUDP`` and ``IReactorTime``.
    """

    def __init__(
        self, servers: Sequence[tuple[str, int]], reactor: Any, resolver: Any = None
    ) -> None:
        self._resolver = resolver or client.Resolver(
            servers=list(servers), timeout=_TIMEOUTS, reactor=reactor
        )

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`."""
        kinds = (dns.A, dns.AAAA)
        both = DeferredList(
            [Deferred.fromCoroutine(self._ask(host, kind)) for kind in kinds], consumeErrors=True
        )
        return both.addCallback(self._merge, host)

    async def _ask(self, host: str, kind: int) -> list[Record]:
        queries = [dns.Query(host.encode("ascii"), kind, dns.IN)]
        message = await self._resolver.queryUDP(queries)
        if message.trunc:
            message = await self._resolver.queryTCP(queries)
        if message.rCode == dns.ENAME:
            return []
        if message.rCode != dns.OK:
            raise self._resolver.exceptionForCode(message.rCode)(message)
        if message.trunc:
            raise BadGateway(reason="an answer by TCP was cut short")
        return _records(message.answers)

    def _merge(self, outcomes: list[tuple[bool, Any]], host: str) -> Answer:
        records: list[Record] = []
        for succeeded, value in outcomes:
            if not succeeded:
                raise BadGateway(reason=f"DNS look-up of {host} failed: {value.type.__name__}")
            records += value
        answer = addresses_in(host, records)
        if answer is None:
            raise NoAddress(reason=f"no address for {host}")
        return answer


def _records(headers: Sequence[Any]) -> list[Record]:
    records: list[Record] = []
    for header in headers[: _MOST_RECORDS * 2]:
        name = str(header.name).lower().rstrip(".")
        payload = header.payload
        if header.type == dns.A:
            records.append(Record(name, IPv4Address(payload.address), header.ttl))
        elif header.type == dns.AAAA:
            records.append(Record(name, IPv6Address(payload.address), header.ttl))
        elif header.type == dns.CNAME:
            records.append(Record(name, str(payload.name).lower().rstrip("."), header.ttl))
    return records
