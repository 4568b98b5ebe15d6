"""When a browser asks first, and when it goes on: the Fetch standard's rules."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.preflight import is_forbidden, need_of, problems_of, unsafe_names
from naap_twisted.admin.replay import Reply
from naap_twisted.wrappers.origins import Origins
from naap_twisted.wrappers.remedies import HeaderOption

PAGE = "http://localhost:3000"
OWN = ["http://127.0.0.1:4020"]
JSON = {"Content-Type": "application/json"}


def need(method="POST", headers=None, origin=PAGE):
    return need_of(method, headers or {}, origin, OWN)


class NeedTests(SynchronousTestCase):
    def test_methods(self):
        """GET, HEAD and POST go at once; a browser mends the case of six methods, not of PATCH."""
        for method, sent, needed in (
            ("get", "GET", False),
            ("Post", "POST", False),
            ("HEAD", "HEAD", False),
            ("put", "PUT", True),
            ("DELETE", "DELETE", True),
            ("PATCH", "PATCH", True),
            ("patch", "patch", True),
        ):
            found = need(method)
            self.assertEqual((found.method, found.needed), (sent, needed))

    def test_nobody_to_protect(self):
        """The proxy's own page, and no page: never, whatever they send."""
        for origin in ("", "http://127.0.0.1:4020", "HTTP://127.0.0.1:4020"):
            found = need("PUT", JSON, origin)
            self.assertFalse(found.needed or found.foreign, found.why)
        for origin in (PAGE, "null", "http://localhost:4020", "https://127.0.0.1:4020"):
            self.assertTrue(need("PUT", JSON, origin).needed)

    def test_why(self):
        """It names everything that makes the request special."""
        why = need("PUT", {**JSON, "X-A": "1", "Accept": "*/*"}).why
        for word in ("method PUT", "content-type: application/json", "x-a"):
            self.assertIn(word, why)
        self.assertNotIn("accept", why)

    def test_names(self):
        """Lower case, sorted, each once: as Access-Control-Request-Headers has them."""
        found = need("POST", {"X-B": "1", "Authorization": "x", "x-a": "2", **JSON})
        self.assertEqual(found.names, ("authorization", "content-type", "x-a", "x-b"))

    def test_forbidden(self):
        """What a page can't set is not asked for, and is told."""
        found = need("POST", {"Cookie": "a=b", "Sec-X": "1", "Proxy-X": "1", "Origin": "x"})
        self.assertEqual((found.needed, found.names), (False, ()))
        self.assertEqual(found.dropped, ("Cookie", "Origin", "Proxy-X", "Sec-X"))
        self.assertTrue(is_forbidden("Host"))
        self.assertFalse(is_forbidden("X-Host"))


class SafelistTests(SynchronousTestCase):
    def test_values(self):
        """A safelisted name needs a harmless value."""
        for name, value, safe in (
            ("Accept", "text/html, */*;q=0.8", True),
            ("accept", 'text/html;x="y"', False),
            ("Accept", "a" * 128, True),
            ("Accept", "a" * 129, False),
            ("Accept-Language", "de-DE, de;q=0.9", True),
            ("Accept-Language", "de_DE", False),
            ("Content-Language", "en", True),
            ("Content-Type", "text/plain", True),
            ("Content-Type", "TEXT/PLAIN;charset=utf-8", True),
            ("Content-Type", "multipart/form-data; boundary=x", True),
            ("Content-Type", "application/x-www-form-urlencoded", True),
            ("Content-Type", "application/json", False),
            ("Content-Type", "text/plain-ish", False),
            ("Content-Type", 'text/plain; x="y"', False),
            ("Content-Type", "application/sdp", False),
            ("Range", "bytes=0-", True),
            ("Range", "bytes=-5", False),
            ("Range", "bytes=0-1,3-4", False),
            ("X-Target-URL", "https://api.example.com", False),
            ("Authorization", "Bearer x", False),
        ):
            self.assertEqual(unsafe_names({name: value}) == (), safe, (name, value))

    def test_all_together(self):
        """What is given twice is sent as one value, and judged as one."""
        self.assertEqual(unsafe_names({"Accept": "a" * 64, "accept": "b" * 62}), ())
        self.assertEqual(unsafe_names({"Accept": "a" * 64, "accept": "b" * 63}), ("accept",))


class ProblemTests(SynchronousTestCase):
    def ask(self, *headers, status=204, method="PUT", asked=JSON, **options):
        reply = Reply(status, headers)
        settings = {
            "origins": Origins(["https://a.example"]),
            "allowing": HeaderOption("pass_headers", ("X-Old",)),
        }
        found = problems_of(reply, need(method, asked), PAGE, **settings, **options)
        return [(problem.text, problem.line) for problem in found]

    GOOD = (
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-methods", "POST, PUT"),
        ("access-control-allow-headers", "Content-Type"),
        ("access-control-allow-credentials", "true"),
    )
    ANY = (("access-control-allow-origin", "*"), *GOOD[1:3])

    def test_good(self):
        """Origin, method and headers allowed."""
        self.assertEqual(self.ask(*self.GOOD), [])
        self.assertEqual(self.ask(*self.GOOD, credentials=True), [])
        self.assertEqual(self.ask(*self.ANY), [])

    def test_origin(self):
        """No, another or a repeated Access-Control-Allow-Origin ends it there."""
        line = 'cors_origins = ["https://a.example", "http://localhost:3000"]'
        for allowed in ((), ("http://localhost",), (PAGE, PAGE), ("*", PAGE)):
            headers = [("access-control-allow-origin", each) for each in allowed]
            ((_, found),) = self.ask(*headers, *self.GOOD[1:])
            self.assertEqual(found, line)

    def test_wildcard_with_credentials(self):
        """Cookies and * don't go together; the line lists the page."""
        ((_, line),) = self.ask(*self.ANY, credentials=True)
        self.assertEqual(line, 'cors_origins = ["http://localhost:3000"]')

    def test_method_and_headers(self):
        """Each has its line."""
        found = self.ask(*self.GOOD, method="DELETE", asked={**JSON, "X-New": "1"})
        self.assertEqual(
            [line for _, line in found],
            ['methods = ["POST", "PUT", "DELETE"]', 'pass_headers = ["X-Old", "x-new"]'],
        )

    def test_status(self):
        """A preflight that is not answered with a 2xx fails, whatever its headers."""
        for status in (199, 301, 404, 421):
            ((text, line),) = self.ask(*self.GOOD, status=status)
            self.assertIn("Redirect" if status == 301 else f"status {status}", text)
            self.assertIsNone(line)

    def test_refused_before_cors(self):
        """An allowed origin is not blamed for a 4xx that has no CORS headers."""
        settings = {"origins": Origins([PAGE]), "allowing": HeaderOption("cors_headers", ())}
        (problem,) = problems_of(Reply(431, ()), need("PUT", JSON), PAGE, **settings)
        self.assertIn("status 431", problem.text)
        self.assertIsNone(problem.line)

    def test_simple(self):
        """A request that is sent at once only needs its origin allowed."""
        origin = self.GOOD[0]
        self.assertEqual(self.ask(origin, status=404, method="GET", asked={}), [])
        self.assertEqual(len(self.ask(status=404, method="GET", asked={})), 1)
