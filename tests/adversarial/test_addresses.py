"""Addresses that names resolve to, and spellings of addresses in a URL."""

from attrs import frozen

from .addresses_vectors import LITERALS, V4, V6
from .oracle import Stage, one_test_per

NAME = "api.example.com"
URL = f"http://{NAME}:{{up}}/v1".encode()
GOOD = "127.0.0.1"


@frozen
class Resolved:
    """One row: what the name resolves to."""

    name: str
    addresses: tuple[str, ...]


class AddressStage(Stage):
    """Judges one row: the name has these addresses."""

    route = {"forward_headers": None}

    async def check(self, row):
        self.hosts = {NAME: row.addresses}
        self.start(**self.route)
        replies = await self.converse(self.request(url=URL))
        self.assert_error(replies, 400, "ADDRESS_NOT_ALLOWED")
        for address in row.addresses:
            self.assertNotIn(address.encode(), replies[0].body)
        await self.judge(sent=0)


@one_test_per([Resolved(address, (address,)) for address in V4 + V6])
class AloneTests(AddressStage):
    """Nothing but the bad address. No key is carried: the table of addresses decides."""


@one_test_per([Resolved(address, (GOOD, address)) for address in V4 + V6])
class BehindGoodTests(AddressStage):
    """One bad address among good ones refuses them all."""


@one_test_per([Resolved(a, (a, GOOD)) for a in (*V4[::5], *V6[::5])])
class BeforeGoodTests(AddressStage):
    """In whatever order, and where a key is carried, too."""

    route = {}


@one_test_per([Resolved(literal, ()) for literal in LITERALS])
class LiteralTests(Stage):
    """The only host allowed is 127.0.0.1, in that spelling."""

    async def check(self, row):
        self.start(allowed_hosts=["127.0.0.1"])
        url = b"http://" + row.name.encode() + b":{up}/v1"
        (reply,) = await self.converse(self.request(url=url))
        self.assertEqual(reply.status, 400)
        self.assertRegex(reply.body, b'"code": "(INVALID_TARGET|HOST_NOT_ALLOWED)"')
        self.assertEqual(self.resolver.asked, [])
        await self.judge(sent=0)


class OpenedTests(Stage):
    """``allow_networks`` opens what it lists."""

    async def test_the_port_counts(self):
        """127.0.0.1 is open on the upstream's port, closed on the sentinel's."""
        self.start(allowed_ports=[1])
        ports = [self.upstream.port, self.sentinels.port]
        self.mount("/y", self.upstream, self.key, {"allowed_ports": ports})
        url = b"http://api.example.com:{sentinel}/"
        replies = await self.converse(self.request(url=url, path=b"/api/v1/y"))
        self.assert_error(replies, 400, "ADDRESS_NOT_ALLOWED")
        await self.judge(sent=0)

    async def test_metadata_stays_closed(self):
        """Also where its whole network is listed."""
        self.hosts = {NAME: "169.254.169.254"}
        self.start(server={"allow_networks": ["127.0.0.0/8", "169.254.0.0/16"]})
        self.assert_error(await self.converse(self.request(url=URL)), 400, "ADDRESS_NOT_ALLOWED")
        await self.judge(sent=0)

    async def test_a_key_does_not_go_out_in_plain_text(self):
        """A public address is fine by itself; over http, with a key, it is not."""
        self.hosts = {NAME: "93.184.215.14"}
        self.start(connect_timeout=0.3)
        self.assert_error(await self.converse(self.request(url=URL)), 400, "ADDRESS_NOT_ALLOWED")
        await self.judge(sent=0)

    async def test_ipv4_mapped_form_of_the_listed_address(self):
        """The same peer in another family: reached where no key is carried."""
        self.hosts = {NAME: "::ffff:127.0.0.1"}
        self.start(forward_headers=None)
        (reply,) = await self.converse(self.request(url=URL))
        self.assertIn(reply.status, (200, 502))  # 502: a machine without IPv6 sockets
        await self.judge(sent=1 if reply.status == 200 else 0)
