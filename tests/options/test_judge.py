"""Keys against one another: each rule with its just-inside neighbour."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.rules import effective_authorize, on_loopback
from tests.config.support import GOOD, config_of, problems_of, proxy

KEY = 'forward_headers = { Authorization = "Bearer ${env:KEY}" }'
PUBLIC = '[server]\nlisten = ["tcp:4020"]'
LOCAL_NETWORK = '[upstream]\nallow_networks = ["127.0.0.1/32:9100"]'


class RulesCase(SynchronousTestCase):
    def assertFine(self, **edits: str) -> None:
        self.assertEqual(problems_of(**edits), ())

    def assertRefused(self, *openings: str, **edits: str) -> None:
        lines = problems_of(**edits)
        self.assertEqual(len(lines), len(openings), lines)
        for opening, line in zip(openings, lines, strict=True):
            self.assertTrue(line.startswith(f"{opening}: "), line)


class RelayTests(RulesCase):
    """No open relay by accident."""

    def test_loopback(self) -> None:
        """On loopback without auth anyone may call."""
        config = config_of(proxy=proxy(KEY))
        self.assertEqual(effective_authorize(config, config.proxy[0]), "anyone")

    def test_public_with_a_key(self) -> None:
        """A key behind an open address, without auth: refused at start."""
        self.assertRefused("proxy[0].authorize", server=PUBLIC, proxy=proxy(KEY))

    def test_one_open_address_is_enough(self) -> None:
        """Every listening address counts."""
        both = '[server]\nlisten = ["tcp:4020:interface=127.0.0.1", "tcp:4021"]'
        self.assertRefused("proxy[0].authorize", server=both, proxy=proxy(KEY))

    def test_public_without_a_key(self) -> None:
        """Without a key nothing is spent: as docs/security.md says, only keys are kept back."""
        self.assertFine(server=PUBLIC)

    def test_written_out(self) -> None:
        """The operator may say that anyone may, or name their own check."""
        for authorize in ("anyone", "plugin:check"):
            self.assertFine(server=PUBLIC, proxy=proxy(KEY, f'authorize = "{authorize}"'))

    def test_a_key_that_is_also_broken(self) -> None:
        """An unset variable does not hide that the route is open."""
        broken = proxy('forward_headers = { Authorization = "${env:NONE}" }')
        self.assertRefused(
            "proxy[0].forward_headers.Authorization",
            "proxy[0].authorize",
            server=PUBLIC,
            proxy=broken,
        )

    def test_a_broken_address_is_one_problem(self) -> None:
        """Where it is not known who can connect, that is what is said."""
        self.assertRefused("server.listen[0]", server='[server]\nlisten = ["4020"]')

    def test_user_without_auth(self) -> None:
        """A route for users on a server that knows none."""
        self.assertRefused("proxy[0].authorize", proxy=proxy('authorize = "user"'))

    def test_required_without_auth(self) -> None:
        """The two contradict each other."""
        self.assertRefused("auth.required", auth='[auth]\nmode = "none"\nrequired = true')
        self.assertFine(auth='[auth]\nmode = "none"\nrequired = false')

    def test_on_loopback(self) -> None:
        """Every address, not one of them."""
        self.assertTrue(on_loopback(config_of()))
        self.assertFalse(on_loopback(config_of(server=PUBLIC, proxy=proxy('authorize = "anyone"'))))


class PathTests(RulesCase):
    """Where routes stand."""

    def test_duplicate(self) -> None:
        """The second route of a path names the first."""
        self.assertRefused("proxy[1].path", more=GOOD["proxy"])
        self.assertIn("proxy[0]", problems_of(more=GOOD["proxy"])[0])
        self.assertFine(more=proxy('path = "/b"'))

    def test_health(self) -> None:
        """A route can not stand where the health check is."""
        self.assertRefused(
            "proxy[0].path", server='[server]\nbase_path = "/"', proxy=proxy('path = "/healthz"')
        )
        self.assertFine(proxy=proxy('path = "/healthz"'))


class EgressTests(RulesCase):
    """Where a route leads."""

    def test_hosts(self) -> None:
        """The egress policy's own lines, each with the route's path before it."""
        for hosts, wheres in (
            (["*"], ["allowed_hosts[0]"]),
            (
                [".com", "api.openai.com", "https://a.example/"],
                ["allowed_hosts[0]", "allowed_hosts[2]"],
            ),
            (["github.io"], ["allowed_hosts[0]"]),
            (["127.0.0.1"], ["allowed_hosts[0]"]),
            ([""], ["allowed_hosts[0]"]),
        ):
            edited = proxy(f"allowed_hosts = {hosts}")
            self.assertRefused(*(f"proxy[0].{where}" for where in wheres), proxy=edited)

    def test_missing(self) -> None:
        """A route without hosts and without target leads nowhere; an empty list is one problem."""
        self.assertRefused("proxy[0].allowed_hosts", proxy='[[proxy]]\npath = "/a"')
        self.assertRefused("proxy[0].allowed_hosts", proxy=proxy("allowed_hosts = []"))

    def test_schemes_and_ports(self) -> None:
        """Judged by the policy."""
        self.assertRefused("proxy[0].allowed_schemes[0]", proxy=proxy('allowed_schemes = ["ftp"]'))
        self.assertRefused("proxy[0].allowed_ports[1]", proxy=proxy("allowed_ports = [443, 0]"))

    def test_allow_networks_admit_addresses(self) -> None:
        """An address is a host where its network is opened."""
        local = proxy('allowed_hosts = ["127.0.0.1"]', "allowed_ports = [9100]")
        self.assertFine(upstream=LOCAL_NETWORK, proxy=local)

    def test_pinned(self) -> None:
        """A good base is fine; a bad one is one line, under target."""
        for target in ("https://api.openai.com/v1", "https://api.openai.com:8443/v1/"):
            self.assertFine(proxy=f'[[proxy]]\npath = "/a"\ntarget = "{target}"')
        for target in (
            "",
            "api.openai.com",
            "https://api.openai.com/v1?a=b",
            "https://co.uk/v1",
            "https://127.0.0.1/v1",
            "https://u:sk-canary-9f2@api.openai.com/",
        ):
            edited = f'[[proxy]]\npath = "/a"\ntarget = "{target}"'
            self.assertRefused("proxy[0].target", proxy=edited)
            self.assertNotIn("sk-canary", problems_of(proxy=edited)[0])

    def test_pinned_beside_header_keys(self) -> None:
        """What a pinned route would never read is refused, not ignored."""
        self.assertRefused(
            "proxy[0].allowed_hosts",
            "proxy[0].allowed_ports",
            "proxy[0].target_url_header",
            proxy=proxy(
                'target = "https://api.openai.com/v1"',
                "allowed_ports = [443]",
                'target_url_header = "X-WHIP-URL"',
            ),
        )


class CleartextTests(RulesCase):
    """A key never travels in the clear, except to networks that the operator opened."""

    def test_http(self) -> None:
        """Plain http with a key is refused, without one it is the operator's choice."""
        schemes = 'allowed_schemes = ["https", "http"]'
        self.assertRefused("proxy[0].allowed_schemes", proxy=proxy(schemes, KEY))
        self.assertFine(proxy=proxy(schemes))
        self.assertFine(upstream=LOCAL_NETWORK, proxy=proxy(schemes, KEY))

    def test_pinned_http(self) -> None:
        """The same for a pinned base."""
        pinned = f'[[proxy]]\npath = "/a"\ntarget = "http://api.openai.com/v1"\n{KEY}'
        self.assertRefused("proxy[0].target", proxy=pinned)


class AdminTests(RulesCase):
    """The admin port is not the public's."""

    def test_admin_listen(self) -> None:
        """On loopback; elsewhere with a second word; never twice at one place; and an endpoint."""
        listen = 'listen = ["tcp:4020:interface=127.0.0.1"]'
        for admin, fine in (
            ('""', True),
            ('"tcp:4021:interface=127.0.0.1"', True),
            ('"unix:/run/admin"', True),
            ('"tcp:4021"\nadmin_remote = true', True),
            ('"tcp:4021"', False),
            ('"tcp:4020:interface=127.0.0.1"', False),
            ('"nine"', False),
            ("9", False),
        ):
            server = f"[server]\n{listen}\nadmin_listen = {admin}"
            self.assertRefused(*(() if fine else ("server.admin_listen",)), server=server)
