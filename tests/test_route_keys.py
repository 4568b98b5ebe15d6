"""``forward_headers``: a problem for each that can't be sent, or is not the key that was meant."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.keys.headers import UserKeyHeaders
from naap_twisted.keys.memory import MemoryKeyStore
from naap_twisted.model import UserKeyHeader
from naap_twisted.problems import Problems
from naap_twisted.route_keys import fixed_headers, refuse_as_key
from naap_twisted.secret import Secret


class FixedTests(SynchronousTestCase):
    def test_good(self):
        """Names and values, in order; none where a callable makes them, or there are none."""
        problems = Problems()
        pairs = fixed_headers({"A": "x", "B": Secret("y")}, problems)
        self.assertEqual(pairs, ((b"A", Secret("x")), (b"B", Secret("y"))))
        self.assertEqual(fixed_headers(None, problems), ())
        self.assertEqual(fixed_headers(lambda request: {}, problems), ())
        self.assertEqual(problems.lines, [])

    def test_each_is_told(self):
        """One line each; a key in the place of the name is not shown."""
        problems = Problems()
        given = {"sk canary": "x", "Host": "x", "A": "$KEY", "B": "'x'", "C": "\u00e9", "D": "x"}
        self.assertEqual(fixed_headers(given, problems), ((b"D", Secret("x")),))
        self.assertEqual(
            [line.partition(": ")[0] for line in problems.lines],
            ["forward_headers", *(f"forward_headers.{name}" for name in ("Host", "A", "B", "C"))],
        )
        self.assertNotIn("canary", str(problems.lines))


class TargetTests(SynchronousTestCase):
    def lines(self, given):
        problems = Problems()
        refuse_as_key("X-Target-URL", given, problems)
        return problems.lines

    def test_refused(self):
        """Whatever its case, and where a callable knows the names."""
        key = UserKeyHeader("openai", "", "")
        for given in (
            {"x-target-url": "x"},
            UserKeyHeaders({"X-Target-Url": key}, MemoryKeyStore(Clock())),
        ):
            (line,) = self.lines(given)
            self.assertIn("is the route's target_url_header", line)

    def test_others(self):
        """Another header, no header, a callable that says nothing."""
        for given in ({"Authorization": "x"}, None, lambda request: {}):
            self.assertEqual(self.lines(given), [])
