"""What the endpoints of a route say together."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, create_external_proxy

TARGET = "https://api.example.com/v1"


def lines(**route: object) -> tuple[str, ...]:
    """The problems of a route; none where it is fine."""
    try:
        create_external_proxy(**route)
    except ConfigError as error:
        return error.problems
    return ()


class EndpointsTests(SynchronousTestCase):
    def test_groups(self) -> None:
        """A provider's group stands for its endpoints, in their order, each once."""
        proxy = create_external_proxy(provider="openai", endpoints=["@chat", "@models"])
        wanted = ("POST /chat/completions", "GET /models", "GET /models/*")
        self.assertEqual(proxy.options.endpoints, wanted)

    def test_place(self) -> None:
        """A problem names the entry that was written, also behind a group."""
        route = {"provider": "openai", "endpoints": ["@models", "GET /a", "GET /a"]}
        self.assertEqual(
            lines(**route), ('endpoints[2]: "GET /a" says the same as "GET /a"; drop one',)
        )
        route = {"provider": "openai", "endpoints": ["@models", "@modls", "@chat"]}
        self.assertEqual(lines(**route), ('endpoints[1]: "@modls": did you mean "@models"?',))

    def test_groups_that_overlap(self) -> None:
        """Two groups of a provider may have an endpoint in common."""
        route = {"provider": "azure-openai", "target": "https://x.openai.azure.com"}
        self.assertEqual(lines(**route, endpoints=["@deployments", "@chat"]), ())

    def test_methods(self) -> None:
        """They follow the endpoints where nobody names them; a provider's stay beside them."""
        proxy = create_external_proxy(target=TARGET, endpoints=["GET /a", "PATCH /b"])
        self.assertEqual(proxy.options.methods, ("GET", "PATCH"))
        proxy = create_external_proxy(provider="openai", endpoints=["PATCH /b"])
        self.assertEqual(proxy.options.methods, ("GET", "POST", "DELETE", "PATCH"))
        line, other = lines(target=TARGET, methods=["POST"], endpoints=["PATCH /b"])
        self.assertIn("methods: POST opens nothing", other)
        self.assertIn('"PATCH /b" can never match', line)

    def test_hosts(self) -> None:
        """An endpoint of a host, a scheme or a port that the route does not ask."""
        hosts = {"allowed_hosts": ["a.example.com"]}
        self.assertEqual(lines(**hosts, endpoints=["GET https://a.example.com/x"]), ())
        for url in ("https://b.com/x", "http://a.example.com/x", "https://a.example.com:8443/x"):
            (line,) = lines(**hosts, endpoints=[f"GET {url}"])
            self.assertIn("can never match", line)
