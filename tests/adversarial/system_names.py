"""A process whose hosts file, DNS server and search domain are the test's: asks for names.

``python -m tests.adversarial.system_names HOSTS RESOLV NAME...``, in a mount and a network
namespace of its own. Prints as JSON, for each name, the addresses or the failure's kind, and the
names that the DNS server was asked for.
"""

import json
import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import react
from twisted.names import dns

from naap_twisted.errors import ProxyError
from naap_twisted.upstream.resolver import SystemResolver

from .dns_server import a, answer

SEARCH = "evil.example"
KNOWN = {"ollama": "172.18.0.2", "api.example.com": "192.0.2.1"}


class Server(DatagramProtocol):
    """Knows a few names as they are, and every name in the search domain."""

    def __init__(self):
        self.asked = set()

    def datagramReceived(self, datagram, address):
        query = dns.Message()
        query.fromStr(datagram)
        name = str(query.queries[0].name)
        self.asked.add(name)
        found = "192.0.2.66" if name.endswith(SEARCH) else KNOWN.get(name)
        if found is None:
            self.transport.write(answer(query, [], code=dns.ENAME), address)
        else:
            records = [a(found, name)] if query.queries[0].type == dns.A else []
            self.transport.write(answer(query, records), address)


async def look_up(names):
    """The whole child."""
    server, resolver, told = Server(), SystemResolver(reactor), {}
    port = reactor.listenUDP(53, server, interface="127.0.0.1")
    for name in names:
        server.asked.clear()
        try:
            found = [str(one) for one in (await resolver.resolve(name)).addresses]
        except ProxyError as error:
            found = type(error).__name__
        told[name] = [found, sorted(server.asked)]
    await port.stopListening()
    print(json.dumps(told))


if __name__ == "__main__":
    hosts, resolv, *names = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for ours, system in ((hosts, "/etc/hosts"), (resolv, "/etc/resolv.conf")):
        subprocess.run(["mount", "--bind", ours, system], check=True)
    react(lambda _: Deferred.fromCoroutine(look_up(names)))
