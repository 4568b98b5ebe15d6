"""What ``check`` prints: everything that a route lets through, and no value of a header."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.keys.vault import new_master_key
from naap_twisted.start.describe import describe
from tests.config.support import ENVIRON, config_of, proxy


class DescribeTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """What bodies may hold, and what the server puts into them."""
        lines = (
            "allowed_hosts = []",
            'provider = "openai"',
            'models = ["a", "b*"]',
            "max_output_tokens = 5",
            'body = { forbid = ["tools"], set = { n = 1 } }',
            'judge = "math:floor"',
        )
        text = "\n".join(describe(config_of(proxy=proxy(*lines))))
        self.assertIn("  models             a, b*\n", text)
        self.assertIn("  most output        5 tokens; more is refused\n", text)
        self.assertIn("  bodies             never tools\n                     sets n = 1\n", text)
        self.assertIn("  judged by          math:floor\n", text)
        lowered = 'max_output_tokens = { tokens = 5, over = "clamp" }'
        text = "\n".join(describe(config_of(proxy=proxy(*lines[:2], lowered))))
        self.assertIn("5 tokens; more is lowered\n", text)

    def test_replay(self) -> None:
        """How long answers are kept, and where."""
        text = "\n".join(describe(config_of(proxy=proxy('replay = "10m"'))))
        line = "  replay             answers to an Idempotency-Key for 600s, in memory\n"
        self.assertIn(line, text)

    def test_workers(self) -> None:
        """How many there are, and what is not of all together."""
        text = "\n".join(describe(config_of(server="[server]\nworkers = 3")))
        self.assertIn("  workers            3; each has its own bounds of ", text)

    def test_budgets(self) -> None:
        """What may be spent, a line each."""
        budgets = '[{ usd = 0.5, per = "day" }, { requests = 9, per = "1h", mode = "audit" }]'
        text = "\n".join(describe(config_of(proxy=proxy(f"budget = {budgets}"))))
        self.assertIn("  budget             0.5 USD a day of each caller\n", text)
        self.assertIn("9 requests in any 1h of each caller, watched only\n", text)

    def test_opens(self) -> None:
        """What a route opens, in plain words where nobody bounds it."""
        vendor = ("allowed_hosts = []", 'provider = "openai"')
        for lines, words in (
            ((), "every endpoint of its hosts"),
            (
                vendor,
                "every endpoint of api.openai.com/v1, fine-tuning, file deletion and everybody's"
                " stored responses included",
            ),
            (
                (*vendor, 'endpoints = ["@chat", "GET /models"]', 'query = { a = ["b*"] }'),
                "POST /chat/completions, GET /models\n  query              a = b*; any other",
            ),
        ):
            self.assertIn(
                f"  opens              {words}\n",
                "\n".join(describe(config_of(proxy=proxy(*lines)))),
            )

    def test_observes(self) -> None:
        """A route that notes what is used."""
        text = "\n".join(describe(config_of(proxy=proxy("observe = true"))))
        self.assertIn("observes           what is used, in the log; naap-proxy learn", text)
        self.assertNotIn("observes", "\n".join(describe(config_of())))

    def test_whip(self) -> None:
        """Sessions and redirects, where there are any."""
        text = "\n".join(
            describe(
                config_of(
                    proxy=proxy(
                        'content_type = "application/sdp"',
                        'location_ttl = "1h"',
                        "follow_redirects = true",
                    )
                )
            )
        )
        sessions = "sessions           PATCH, DELETE, GET, HEAD; Location works for 3600s"
        self.assertIn(sessions, text)
        self.assertIn("redirects          followed to allowed targets; keys stay", text)
        other = "\n".join(describe(config_of()))
        self.assertNotIn("sessions", other)
        self.assertNotIn("redirects", other)

    def test_keys(self) -> None:
        """In every place, each by its source."""
        table = '{ forward_headers = { A = "Basic ${basic:env:KEY:}" } }'
        keys = (
            'forward_query = { key = "${env:KEY}", api-version = "2024-10-21" }',
            f'hosts = {{ "api.openai.com" = {table} }}',
        )
        text = "\n".join(describe(config_of(proxy=proxy(*keys))))
        self.assertIn("injected query     key (from env:KEY), api-version (from config)", text)
        source = "forward_headers.A (from basic:env:KEY:)"
        self.assertIn(f"keys of a host     api.openai.com: {source}", text)
        target = "https://hooks.example.com/services/${env:KEY}"
        pinned = config_of(proxy=f'[[proxy]]\npath = "/a"\ntarget = "{target}"')
        text += "\n".join(describe(pinned))
        self.assertIn(f"pinned to          {target}", text)
        self.assertNotIn(ENVIRON["KEY"], text)

    def test_admin(self) -> None:
        """Where the admin port is, if there is one."""
        server = '[server]\nadmin_listen = "unix:/run/admin"'
        self.assertIn("  admin              unix:/run/admin", describe(config_of(server=server)))
        self.assertNotIn("admin", "\n".join(describe(config_of())))

    def test_route(self) -> None:
        """Path, methods, hosts, schemes, ports, types, limits, auth and names of headers."""
        lines = describe(
            config_of(
                proxy=proxy(
                    'methods = ["POST", "PATCH"]',
                    'forward_headers = { Authorization = "Bearer ${env:KEY}" }',
                    'expose_headers = [{ from = "Location", to = "X-WHIP-Resource" }]',
                    'response_headers = ["X-Cost", "!ETag"]',
                    'pass_headers = ["X-Trace"]',
                )
            )
        )
        text = "\n".join(lines)
        for wanted in (
            "server ai",
            "listen             tcp:4020:interface=127.0.0.1",
            "auth               off",
            "route /api/v1/a",
            "methods            POST, PATCH",
            "target from        X-Target-URL",
            "hosts              api.openai.com",
            "schemes            https",
            "ports              443",
            "content types      application/json",
            "body limit         1048576 bytes",
            "timeouts           connect 10s, head 30s, idle 300s, total none",
            "authorize          anyone",
            "errors             envelope",
            "injected headers   Authorization (from env:KEY)",
            "Digest, X-Trace",
            "relayed headers    Retry-After, Retry-After-Ms, Last-Modified, ",
            "X-RateLimit-*, X-Cost, Location as X-WHIP-Resource",
        ):
            self.assertIn(wanted, text)
        self.assertNotIn("sk-canary", text)

    def test_pinned(self) -> None:
        """A pinned route is a branch, and passes its upstream's errors."""
        text = "\n".join(
            describe(
                config_of(proxy='[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"')
            )
        )
        self.assertIn("route /api/v1/a/*", text)
        self.assertIn("pinned to          https://api.openai.com/v1", text)
        self.assertIn("errors             passthrough", text)
        self.assertNotIn("target from", text)
        self.assertNotIn("redirects", text)
        more = 'follow_redirects = true\nallowed_hosts = ["files.example.net"]'
        pinned = '[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"'
        text = "\n".join(
            describe(config_of(proxy=f'{pinned}\n{more}\nresource_policy = "cross-origin"'))
        )
        self.assertIn("followed to allowed targets, and to files.example.net; keys stay", text)
        self.assertIn("resource policy    cross-origin", text)
        self.assertNotIn("has to be there", text)
        listed = '[server]\nname = "ai"\ncors_origins = ["https://a.example.com"]'
        text = "\n".join(
            describe(config_of(server=listed, proxy=f"{pinned}\nrequire_origin = true"))
        )
        self.assertIn("origin             has to be there", text)

    def test_headers_that_nobody_listed(self) -> None:
        """What a kind of route passes and relays by itself is told, too."""
        for route, passed, relayed in (
            (proxy(), "Accept, Accept-Language, If-Match, ", "Retry-After, "),
            (
                '[[proxy]]\npath = "/a"\ntarget = "https://api.openai.com/v1"',
                "Digest, X-Stainless-*, OpenAI-Beta",
                "X-RateLimit-*, X-Should-Retry, OpenAI-*, X-Request-ID as X-Upstream-Request-ID",
            ),
            (proxy('content_type = "application/sdp"'), "Digest, ETag", "Link, Accept-Patch"),
        ):
            lines = describe(config_of(proxy=route))
            (shown,) = [line for line in lines if "passed headers" in line]
            self.assertIn(passed, shown)
            (shown,) = [line for line in lines if "relayed headers" in line]
            self.assertIn(relayed, shown)

    def test_stores(self) -> None:
        """Where state is kept, whose limits hold, and what happens without Redis."""
        lines = describe(
            config_of(
                server='[server]\ndatabase_url = "postgresql://:sk-canary@h/d"\n'
                "user_rate_limit = { requests = 5, window = 60 }",
                auth='[auth]\nsession_url = "http://localhost:1/x"',
                redis='[redis]\nurl = "redis://:sk-canary@h"',
                proxy=proxy(
                    "rate_limit = { requests = 2, window = 1 }",
                    'forward_headers = { X-Key = "${user_key:daydream}" }',
                ),
                more=f'[keys]\nmaster_key = "{new_master_key()}"',
            )
        )
        text = "\n".join(lines)
        for wanted in (
            "5 requests in 60s per user",
            "state              a database: keys and usage",
            "shared             limits, sessions, in Redis; when it is gone: local",
            "rate limit         2 requests in 1s per caller",
            "injected headers   X-Key (from user_key:daydream)",
        ):
            self.assertIn(wanted, text)
        self.assertNotIn("sk-canary", text)

    def test_alerts(self) -> None:
        """That there is a webhook, and never where: its URL may be a secret."""
        url = '[server]\nalert_url = "https://h/sk-canary"\n'
        for more, signed in (
            ("", "not signed"),
            ('alert_secret = "a-key-of-16-and-more"', "signed"),
        ):
            lines = describe(config_of(server=url + more))
            (shown,) = [line for line in lines if "alerts" in line]
            self.assertTrue(shown.endswith(f"to alert_url, {signed}"), shown)
            self.assertNotIn("canary", "".join(lines))

    def test_server(self) -> None:
        """What is open is said."""
        server = (
            '[server]\nrate_limit = false\ncors_origins = ["http://localhost:3000"]\n'
            'server_names = ["localhost"]'
        )
        text = "\n".join(
            describe(
                config_of(
                    server=server, upstream='[upstream]\nallow_networks = ["127.0.0.1/32:9100"]'
                )
            )
        )
        for wanted in (
            "origins            http://localhost:3000",
            "rate limit         none",
            "server names       localhost, 127.0.0.1, [::1]",
            "open networks      127.0.0.1/32:9100",
        ):
            self.assertIn(wanted, text)
