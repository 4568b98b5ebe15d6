"""The decision step by step, up to the one that refuses."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway
from naap_twisted.model import Answer
from naap_twisted.route.explain import explain
from naap_twisted.start.assembly import build_server
from tests.config.support import config_of, proxy

PINNED = '[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"'


class Resolver:
    """Answers what it is told, and remembers the questions."""

    def __init__(self, *addresses: str) -> None:
        self.answer = succeed(Answer(tuple(map(ip_address, addresses))))
        self.asked: list[str] = []

    def resolve(self, host: str) -> Deferred:
        self.asked.append(host)
        return self.answer


class ExplainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.resolver = Resolver("93.184.216.34")

    def start(self, url: str, **edits: str) -> Deferred:
        config = config_of(**edits)
        route = build_server(config).routes()[0].proxy
        steps = explain(route, url, self.resolver, self.clock)
        return Deferred.fromCoroutine(steps)

    def explain(self, url: str, **edits: str) -> list[tuple[str, bool]]:
        return [(s.name, s.allowed) for s in self.successResultOf(self.start(url, **edits))]

    def test_allowed(self) -> None:
        """Every step of the spine's decision, all passed."""
        self.assertEqual(
            self.explain("https://api.openai.com/v1/x?y=1"),
            [(name, True) for name in ("parse", "host", "scheme", "port", "dns", "address")],
        )
        self.assertEqual(self.resolver.asked, ["api.openai.com"])

    def test_refused_before_dns(self) -> None:
        """What the policy refuses is never looked up."""
        for url, names in (
            ("not a url", ["parse"]),
            ("https://évil.example/", ["parse"]),
            ("https://evil.com/", ["parse", "host"]),
            ("http://api.openai.com/", ["parse", "host", "scheme"]),
            ("https://api.openai.com:8443/", ["parse", "host", "scheme", "port"]),
        ):
            passed = [True] * (len(names) - 1) + [False]
            self.assertEqual(self.explain(url), list(zip(names, passed, strict=True)))
        self.assertEqual(self.resolver.asked, [])

    def test_every_address_is_judged(self) -> None:
        """One private answer refuses, and each answer has its verdict."""
        self.resolver = Resolver("93.184.216.34", "127.0.0.1", "::1")
        steps = self.explain("https://api.openai.com/")
        self.assertEqual(
            [passed for name, passed in steps if name == "address"], [True, False, False]
        )

    def test_no_dns(self) -> None:
        """A name without an answer, and a resolver that stays silent."""
        self.resolver.answer = fail(BadGateway(reason="no address for api.openai.com"))
        self.assertEqual(self.explain("https://api.openai.com/")[-1], ("dns", False))
        self.resolver.answer = Deferred()
        waiting = self.start("https://api.openai.com/")
        self.clock.advance(9.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.assertFalse(self.successResultOf(waiting)[-1].allowed)

    def test_address_as_host(self) -> None:
        """An address is not looked up, and allow_networks says what of it is open."""
        edits = {
            "upstream": '[upstream]\nallow_networks = ["127.0.0.1/32:9100"]',
            "proxy": proxy('allowed_hosts = ["127.0.0.1"]', "allowed_ports = [9100, 9200]"),
        }
        self.assertEqual(self.explain("https://127.0.0.1:9100/", **edits)[-1], ("address", True))
        self.assertEqual(self.explain("https://127.0.0.1:9200/", **edits)[-1], ("address", False))
        self.assertEqual(self.resolver.asked, [])

    def test_key_over_plain_http(self) -> None:
        """A key goes in the clear to listed networks only; without one the address is fine."""
        opened = '[upstream]\nallow_networks = ["127.0.0.1/32:9100"]'
        key = 'forward_headers = { Authorization = "Bearer ${env:KEY}" }'
        plain = 'allowed_schemes = ["http"]'
        pinned = '[[proxy]]\npath = "/a"\ntarget = "http://api.openai.com/v1"\n'
        for route, url, expected in (
            (proxy(plain), "http://api.openai.com/", True),
            (proxy(plain, key), "http://api.openai.com/", False),
            (pinned, "/x", True),
            (pinned + key, "/x", False),
        ):
            step = self.explain(url, proxy=route, upstream=opened)[-1]
            self.assertEqual(step, ("address", expected))

    def test_pinned(self) -> None:
        """A pinned route takes what follows its path, or a whole URL below its base."""
        for url in ("", "/chat/completions", "https://api.openai.com/v1/models?a=b", "?a=b"):
            self.assertTrue(all(passed for _, passed in self.explain(url, proxy=PINNED)), url)
        for url in (
            "/../v2",
            "/%2e%2e/v2",
            "https://evil.com/v1/models",
            "https://api.openai.com/v2/models",
            "https://api.openai.com/v10",
            "http://api.openai.com/v1/models",
        ):
            self.assertEqual(self.explain(url, proxy=PINNED), [("parse", False)], url)

    def test_error(self) -> None:
        """A step that refuses says what the caller would be answered."""
        for url, code in (
            ("not a url", "INVALID_TARGET"),
            ("https://evil.com/", "HOST_NOT_ALLOWED"),
            ("http://api.openai.com/", "SCHEME_NOT_ALLOWED"),
            ("https://api.openai.com:8443/", "PORT_NOT_ALLOWED"),
        ):
            steps = self.successResultOf(self.start(url))
            self.assertEqual([s.error.code for s in steps if s.error is not None], [code])
            self.assertFalse(steps[-1].allowed)
        self.resolver = Resolver("93.184.216.34", "127.0.0.1")
        *_, public, private = self.successResultOf(self.start("https://api.openai.com/"))
        self.assertIsNone(public.error)
        self.assertEqual(private.error.code, "ADDRESS_NOT_ALLOWED")
        self.assertNotIn("127.0.0.1", private.error.message)
        self.assertEqual(private.address, ip_address("127.0.0.1"))

    def test_rules(self) -> None:
        """The route's own rules are judged before a name is looked up."""
        route = f'{PINNED}\nendpoints = ["POST /chat"]'
        for url, step in (("/chat", ("endpoint", True)), ("/files", ("endpoint", False))):
            steps = self.explain(url, proxy=route)
            self.assertIn(step, steps)
            self.assertEqual(steps[-1][0], "address" if step[1] else "endpoint")
        self.assertEqual(len(self.resolver.asked), 1)

    def test_mounted(self) -> None:
        """A running server's route decides as its config does, its own networks included."""
        text = proxy('allowed_hosts = ["api.openai.com"]')
        opened = '[upstream]\nallow_networks = ["127.0.0.1/32:443"]'
        for route in (text, PINNED):
            config = config_of(proxy=route, upstream=opened)
            (mount,) = build_server(config).routes()
            for url in ("https://api.openai.com/v1/x", "https://evil.com/", "/x", ""):
                for address in ("93.184.216.34", "127.0.0.1", "127.0.0.2"):
                    self.resolver = Resolver(address)
                    asked = explain(mount.proxy, url, self.resolver, self.clock)
                    found = self.successResultOf(Deferred.fromCoroutine(asked))
                    edits = {"proxy": route, "upstream": opened}
                    self.resolver = Resolver(address)
                    self.assertEqual(found, self.successResultOf(self.start(url, **edits)))
