"""The server's own name in Via: who is refused, and what an upstream is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.errors import LoopDetected
from naap_twisted.route.via import Via
from tests.spine import make_spine

ME, OTHER = b"naap-0123456789abcdef", b"naap-fedcba9876543210"


class Asked:
    """As much of a request as Via looks at."""

    def __init__(self, *values: bytes) -> None:
        self.requestHeaders = Headers({b"Via": [*values]} if values else {})


class ViaTests(SynchronousTestCase):
    def test_alone(self):
        """A request that comes straight from a caller."""
        self.assertEqual(Via(ME).field(Asked()), (b"Via", b"1.1 " + ME))
        Via(ME).check(Asked())

    def test_other_proxies(self):
        """What stands in front is passed, and nobody behind is told of it."""
        via = Via(ME)
        for value in (b"1.1 squid.corp.internal", b"1.1 vegur, 2.0 fred (Apache)", b"", b",,"):
            via.check(Asked(value))
            self.assertEqual(via.field(Asked(value)), (b"Via", b"1.1 " + ME))

    def test_a_loop(self):
        """However the list is written."""
        for values in (
            [b"1.1 " + ME],
            [b"1.1 a, 1.1 " + ME + b" (x), 1.0 b"],
            [b"1.1 a", b"HTTP/2 " + ME],
            [b"1.1 " + OTHER, b"1.1 " + ME],
        ):
            with self.assertRaises(LoopDetected):
                Via(ME).check(Asked(*values))

    def test_look_alikes(self):
        """A name that is longer is another's."""
        for name in (b"x" + ME, ME + b"0", ME + b".example", b"a." + ME, ME[:-1], ME.upper()):
            Via(ME).check(Asked(b"1.1 " + name))

    def test_in_a_row(self):
        """Servers of this kind are told on, as far as they go."""
        via = Via(ME)
        self.assertEqual(
            via.field(Asked(b"1.1 squid, 1.1 " + OTHER)),
            (b"Via", b"1.1 " + OTHER + b", 1.1 " + ME),
        )
        many = [b"1.1 naap-%016x" % number for number in range(16)]
        via.check(Asked(*many[:15]))
        with self.assertRaises(LoopDetected):
            via.check(Asked(*many))

    @given(st.lists(st.binary(max_size=80), max_size=4))
    def test_any_value(self, values):
        """Whatever stands there, what goes on is a list of names of this kind."""
        values = [value.replace(b"\r", b"").replace(b"\n", b"") for value in values]
        name, value = Via(ME).field(Asked(*values))
        self.assertEqual(name, b"Via")
        self.assertRegex(value, rb"\A(1\.1 naap-[0-9a-f]{16}, )*1\.1 naap-0123456789abcdef\Z")

    def test_each_its_own(self):
        """Two servers have two pseudonyms, which say nothing of their machine."""
        one, two = Via().pseudonym, Via().pseudonym
        self.assertNotEqual(one, two)
        self.assertRegex(one, rb"\Anaap-[0-9a-f]{16}\Z")

    def test_refused_before_anything_is_spent(self):
        """The route's answer, without a request upstream."""
        spine = make_spine(budget=[{"requests": 2, "per": "day", "of": "route"}])
        self.assertEqual(spine.ask().code, 200)
        via = spine.sent.header("Via")
        for _ in range(3):
            answer = spine.ask(headers=[("Content-Type", "application/json"), ("Via", via)])
            self.assertEqual(answer.error, (508, "LOOP_DETECTED"))
        self.assertEqual(spine.ask().code, 200)
        self.assertEqual(len(spine.upstream.seen), 2)

    def test_a_route_that_passes_via(self):
        """The caller's own goes on beside ours."""
        spine = make_spine(pass_headers=["Via"])
        spine.ask(headers=[("Content-Type", "application/json"), ("Via", "1.1 squid")])
        values = spine.sent.headers.getRawHeaders("Via")
        self.assertEqual(values[0], "1.1 squid")
        self.assertEqual(len(values), 2)
