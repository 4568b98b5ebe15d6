"""What a route opens of its upstream, judged on the parsed target."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import EndpointNotAllowed
from naap_twisted.options.provider import parse_provider
from naap_twisted.policy.endpoints import Endpoint, Endpoints
from naap_twisted.policy.models import ModelPlaces
from naap_twisted.policy.query_rules import QueryRules
from naap_twisted.policy.target import PinnedBase, parse_target
from naap_twisted.route.opening import Opening, model_places

BASE = PinnedBase("https://api.example.com/v1")


def opening(*entries: str, pinned: PinnedBase | None = BASE, **query: object) -> Opening:
    """The rules of a route."""
    endpoints = Endpoints([Endpoint.parse(text) for text in entries]) if entries else None
    return Opening(endpoints, QueryRules.from_table(query) if query else None, None, pinned)


class OpeningTests(SynchronousTestCase):
    def test_below_a_base(self) -> None:
        """A path is what follows the base; the base itself is the root."""
        rules = opening("GET /a", "POST /")
        rules.check(b"GET", BASE.join(b"/a?b=1"))
        for remainder in (b"", b"/", b"?x=1"):
            rules.check(b"POST", BASE.join(remainder))
            self.assertRaises(EndpointNotAllowed, rules.check, b"GET", BASE.join(remainder))

    def test_where_the_page_names_the_url(self) -> None:
        """The whole path, of every host or of one."""
        rules = opening("GET /a", "GET https://b.com/b", pinned=None)
        for url, passes in (
            ("https://a.com/a", True),
            ("https://b.com/b", True),
            ("https://a.com/b", False),
            ("https://b.com:8443/b", False),
        ):
            target = parse_target(url.encode())
            if passes:
                rules.check(b"GET", target)
            else:
                self.assertRaises(EndpointNotAllowed, rules.check, b"GET", target)

    def test_query_alone(self) -> None:
        """A route may have rules for its query and none for its paths."""
        rules = opening(limit=["10"])
        rules.check(b"GET", BASE.join(b"/any?limit=10"))
        self.assertRaises(EndpointNotAllowed, rules.check, b"GET", BASE.join(b"/any?limit=11"))
        self.assertEqual(rules.explain(b"GET", BASE.join(b"/any")), "every endpoint is open")

    def test_words(self) -> None:
        """The operator reads which entry lets a request pass."""
        self.assertEqual(opening("GET /a*").explain(b"GET", BASE.join(b"/ab")), 'matches "GET /a*"')

    def test_model_places(self) -> None:
        """A provider's own, or the usual ones where its file names none."""
        text = '[route]\ntarget = "https://api.example.com"\n'
        self.assertEqual(model_places(None), ModelPlaces())
        self.assertEqual(model_places(parse_provider("plain", text)), ModelPlaces())
        named = parse_provider("named", f'{text}[model]\npath = ["/m/{{model}}"]\n')
        self.assertEqual(model_places(named), ModelPlaces((), (), ("/m/{model}",)))
