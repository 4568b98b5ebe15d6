"""Which headers of a browser go upstream, and what the server adds."""

from __future__ import annotations

from functools import partial
from sys import getrefcount

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import HeaderNotAllowed
from naap_twisted.headers import PASSED, extended
from naap_twisted.route.request_headers import (
    USER_AGENT,
    Fate,
    RequestRewrite,
    injected_headers,
)
from naap_twisted.secret import Secret
from tests.rewrite_vectors import (
    NEVER_SENT,
    NOT_INJECTED,
    SENT,
    outbound,
    values_of,
)


class Outbound(SynchronousTestCase):
    def test_what_passes(self):
        """Browser header x pass_headers: an allow-list, whatever the case of the name."""
        for name, passed, goes in SENT:
            with self.subTest(name=name, passed=passed):
                sent = outbound({name: "value"}, passed=passed)
                self.assertEqual("value" in values_of(sent, name), goes)

    def test_accept_encoding(self):
        """None, for what comes back is looked at; unless a page may ask, or the server does."""
        for passed, injected, browser, sent in [
            ((), {}, {}, ["identity"]),
            ((), {}, {"Accept-Encoding": "br"}, ["identity"]),
            (("Accept-*",), {}, {}, ["identity"]),
            (("Accept-*",), {}, {"accept-encoding": "br"}, ["br"]),
            (
                ("Accept-*",),
                {},
                {"Accept-Encoding": "br", "Connection": "accept-encoding"},
                ["identity"],
            ),
            (("Accept-*",), {"Accept-Encoding": "gzip"}, {"accept-encoding": "br"}, ["gzip"]),
        ]:
            with self.subTest(passed=passed, injected=injected, browser=browser):
                out = outbound(browser, injected, passed=passed)
                self.assertEqual(values_of(out, "accept-encoding"), sent)

    def test_never_passes(self):
        """What belongs to one connection does not pass even where ``pass_headers`` names it."""
        for name in NEVER_SENT:
            with self.subTest(name=name):
                self.assertEqual(values_of(outbound({name: "x"}, passed=(name,)), name), [])

    def test_connection_nominates(self):
        """A header that Connection names is not forwarded (RFC 9110 section 7.6.1)."""
        for connection in ("X-Hop", "close, x-hop", "X-HOP ,close", [b"close", b"x-hop"]):
            for order in (1, -1):
                with self.subTest(connection=connection, order=order):
                    pairs = [("Connection", connection), ("X-Hop", "1"), ("X-End", "2")][::order]
                    sent = outbound(pairs, passed=("X-*",))
                    self.assertEqual(values_of(sent, "X-Hop"), [])
                    self.assertEqual(values_of(sent, "X-End"), ["2"])

    def test_connection_takes_no_account_away(self):
        """The call would act in another account without the header, so it is refused."""
        for connection in ("Stripe-Account", "close, STRIPE-account"):
            pairs = [("Connection", connection), ("Stripe-Account", "acct_1")]
            for order in (1, -1):
                with self.assertRaises(HeaderNotAllowed):
                    outbound(pairs[::order], passed=("Stripe-Account",))

    def test_read_here(self):
        """A header that the server reads is not meant by a pattern, but by its name."""
        for passed, goes in ((("X-*",), False), (("X-*", "X-Key"), True)):
            rule = RequestRewrite(passed, named=passed)
            self.assertIs(rule.explain("X-Key").fate, Fate.PASSED)
            kept = rule.keeping(["X-Key"])
            self.assertIs(kept.explain("X-Key").fate, Fate.PASSED if goes else Fate.KEPT_HERE)
            self.assertIs(kept.explain("X-Other").fate, Fate.PASSED)

    def test_injected_wins(self):
        """No spelling of a browser header stands beside or instead of an injected key."""
        for name in ("Authorization", "authorization", "AUTHORIZATION", "aUTHORIZATION"):
            with self.subTest(name=name):
                sent = outbound(
                    {name: "Bearer browser"},
                    {"AuthoriZation": "Bearer server"},
                    passed=("Authorization",),
                )
                self.assertEqual(values_of(sent, "authorization"), ["Bearer server"])

    def test_connection_cannot_remove_injected(self):
        """Naming the key's header in Connection does not strip it."""
        sent = outbound({"Connection": "authorization"}, {"Authorization": "Bearer server"})
        self.assertEqual(values_of(sent, "authorization"), ["Bearer server"])

    def test_injected_comes_last(self):
        """Keys are the last lines of the head, in their own order."""
        sent = outbound({"Accept": "*/*"}, {"X-B": "2", "X-A": "1"})
        self.assertEqual(sent[-2:], [("X-B", "2"), ("X-A", "1")])

    def test_underscores(self):
        """CGI reads X_API_Key as X-API-Key: such a name could pose as a key."""
        sent = outbound({"X_Api_Key": "1", "X-Api_Key": "2"}, passed=("X*", "X_Api_Key"))
        self.assertEqual([pair for pair in sent if "_" in pair[0]], [])

    def test_repeated_header(self):
        """Repeated lines stay repeated and in order."""
        sent = outbound([("If-Match", [b'"a"', b'"b"'])])
        self.assertEqual(values_of(sent, "If-Match"), ['"a"', '"b"'])

    def test_content_type(self):
        """The body's type is sent once, as checked, whatever passes; an injected one wins."""
        browser = {"Content-Type": "text/html"}
        for content_type, injected, sent in [
            (b"application/json", {}, ["application/json"]),
            (None, {}, []),
            (b"application/json", {"content-type": "application/x"}, ["application/x"]),
        ]:
            with self.subTest(content_type=content_type, injected=injected):
                out = outbound(browser, injected, passed=("Content-*",), content_type=content_type)
                self.assertEqual(values_of(out, "content-type"), sent)

    def test_request_id(self):
        """Ours is sent, never the browser's line; an injected one replaces it."""
        sent = outbound({"X-Request-ID": "theirs"}, passed=("X-*",))
        self.assertEqual(values_of(sent, "x-request-id"), ["id-1"])

    def test_user_agent(self):
        """Ours, unless the browser's passes or the server sets one."""
        ours = USER_AGENT.decode()
        for passed, injected, sent in [
            ((), {}, [ours]),
            (("User-Agent",), {}, ["browser"]),
            ((), {"User-Agent": "set"}, ["set"]),
            (("User-Agent",), {"user-agent": "set"}, ["set"]),
        ]:
            with self.subTest(passed=passed, injected=injected):
                out = outbound({"User-Agent": "browser"}, injected, passed=passed)
                self.assertEqual(values_of(out, "user-agent"), sent)


class Fates(SynchronousTestCase):
    """What becomes of each header, and the line that would change it."""

    FATES = (
        ("Accept", "passed"),
        ("idempotency-key", "passed"),
        ("X-Mine", "passed"),
        ("Stripe-Context", "passed"),
        ("OpenAI-Organization", "refused"),
        ("stripe-account", "refused"),
        ("Stripe_Account", "refused"),
        ("stripe_context", "refused"),
        ("Cookie", "kept here"),
        ("Authorization", "kept here"),
        ("Content-Type", "kept here"),
        ("Sec-Fetch-Mode", "kept here"),
        ("X-Forwarded-For", "kept here"),
        ("Connection", "kept here"),
        ("X-WHIP-URL", "kept here"),
        ("x-where", "kept here"),
        ("X-Key", "set here"),
        ("x_key", "set here"),
        ("X-New", "dropped"),
        ("Idempotency_Key", "dropped"),
        ("X_Mine", "dropped"),
    )
    NAMED = ("X-Mine", "Stripe-Context", "!Range")

    def rewrite(self):
        fixed = injected_headers({"X-Key": "sk-1"})
        passed = extended(PASSED, self.NAMED)
        return RequestRewrite(passed, fixed, named=self.NAMED, kept=("X-Where",)), fixed

    def outbound(self, *names):
        rewrite, fixed = self.rewrite()
        dropped = []
        sent = rewrite.outbound(
            [(name.encode(), [b"v"]) for name in names],
            fixed,
            content_type=None,
            request_id="1",
            dropped=dropped,
        )
        return [name.decode() for name, value in sent if value == b"v"], dropped

    def test_content_type(self):
        """It is not lost: the words say that it goes up, with the body that it describes."""
        for name in ("Content-Type", "content-type"):
            words = self.rewrite()[0].explain(name).reason
            self.assertIn("goes upstream with a body", words)

    def test_explained_is_done(self):
        """The console's word on a header is what happens to it."""
        for name, fate in self.FATES:
            with self.subTest(name=name):
                verdict = self.rewrite()[0].explain(name)
                self.assertEqual((verdict.name, verdict.fate.value), (name, fate))
                helped = fate == "refused" or (fate == "dropped" and "_" not in name)
                self.assertEqual(bool(verdict.line), helped)
                if fate == "refused":
                    self.assertRaises(HeaderNotAllowed, self.outbound, name)
                    continue
                passed, dropped = self.outbound(name)
                self.assertEqual(passed, [name] if fate == "passed" else [])
                self.assertEqual(dropped, [name.encode()] if fate == "dropped" else [])

    def test_every_time(self):
        """A kept verdict is the same verdict."""
        rewrite, fixed = self.rewrite()
        dropped = []
        for _ in range(3):
            rewrite.outbound(
                [(b"X-New", [b"v"])],
                fixed,
                content_type=None,
                request_id="1",
                dropped=dropped,
            )
        self.assertEqual(dropped, [b"X-New"] * 3)

    def test_line(self):
        """It names the header as its API spells it, beside what the option has already."""
        with self.assertRaises(HeaderNotAllowed) as caught:
            self.outbound("openai-organization")
        line = 'pass_headers = ["X-Mine", "Stripe-Context", "!Range", "OpenAI-Organization"]'
        self.assertIn(line, caught.exception.message)
        self.assertEqual(self.rewrite()[0].explain("OPENAI_organization").line, line)

    def test_one_line_for_all(self):
        """A request's lost headers need one edit; the others have no line."""
        rewrite, _ = self.rewrite()
        found = rewrite.explain_all(["X-New", "Accept", "openai-project", "X_New"])
        line = 'pass_headers = ["X-Mine", "Stripe-Context", "!Range", "X-New", "OpenAI-Project"]'
        self.assertEqual([each.line for each in found], [line, "", line, ""])

    def test_a_pattern_names_it(self):
        """The owner's own pattern counts; a usual one does not."""
        for named, refused in (("OpenAI-*",), False), ((), True):
            rewrite = RequestRewrite(("OpenAI-*",), named=named)
            fate = rewrite.explain("OpenAI-Project").fate
            self.assertIs(fate, Fate.REFUSED if refused else Fate.PASSED)

    def test_yielding(self):
        """What the page may set takes the place of the server's own; unnamed, it is refused."""
        fixed = injected_headers({"apikey": "k1", "Authorization": "Bearer k1"})
        for named, sent, expected in (
            (("Authorization",), [(b"Authorization", [b"Bearer bo"])], [b"Bearer bo"]),
            (("Authorization",), [], [b"Bearer k1"]),
            ((), [], [b"Bearer k1"]),
            ((), [(b"Authorization", [b"Bearer bo"])], None),
            (("Authorization",), [(b"apikey", [b"other"])], [b"Bearer k1"]),
        ):
            rewrite = RequestRewrite(
                named,
                fixed,
                named=named,
                choosing=("Authorization",),
                yielding=("Authorization",),
            )
            out = partial(
                rewrite.outbound, sent, fixed, content_type=None, request_id="1", dropped=[]
            )
            if expected is None:
                self.assertRaises(HeaderNotAllowed, out)
                continue
            found = {name: [] for name in (b"authorization", b"apikey")}
            for name, value in out():
                plain = value.reveal() if isinstance(value, Secret) else value
                found.setdefault(name.lower(), []).append(plain)
            self.assertEqual(found[b"authorization"], expected)
            self.assertEqual(found[b"apikey"], [b"k1"])

    def test_set_by_a_callable(self):
        """What a callable sets for this request is neither refused nor missed."""
        rewrite, _ = self.rewrite()
        made, dropped = injected_headers({"Stripe-Account": "acct_1", "X-New": "1"}), []
        sent = rewrite.outbound(
            [(b"Stripe-Account", [b"acct_2"]), (b"x-new", [b"2"])],
            made,
            content_type=None,
            request_id="1",
            dropped=dropped,
        )
        self.assertEqual(sent[-2:], made)
        self.assertNotIn(b"acct_2", [value for _, value in sent])
        self.assertEqual(dropped, [])


class Injected(SynchronousTestCase):
    def test_values(self):
        """Text, bytes and secrets all become secrets."""
        pairs = injected_headers({"A": "a", "B": b"b", "C": Secret("c")})
        self.assertEqual([name for name, _ in pairs], [b"A", b"B", b"C"])
        self.assertEqual([value.reveal() for _, value in pairs], [b"a", b"b", b"c"])
        self.assertTrue(all(isinstance(value, Secret) for _, value in pairs))

    def test_refused(self):
        """Framing, names that are none and values that would break the line; never the value."""
        for name, value in NOT_INJECTED:
            with self.subTest(name=name), self.assertRaises(ValueError) as caught:
                injected_headers({name: value})
            self.assertNotIn("secret\r", str(caught.exception))


class InjectedTests(SynchronousTestCase):
    def test_nothing_of_a_user_is_kept(self):
        """What a callable injected for one request is referred to by nothing afterwards."""
        rewrite, headers = RequestRewrite(()), injected_headers({"X-Key": "ada's own key"})
        before = getrefcount(headers)
        rewrite.outbound((), headers, content_type=None, request_id="1", dropped=[])
        self.assertEqual(getrefcount(headers), before)


class Verdicts(SynchronousTestCase):
    def test_strangers_do_not_fill_the_memory(self):
        """Names that nobody sends again leave room for others."""
        rewrite = RequestRewrite(("Accept",))
        for at in range(512):
            rewrite._verdict(b"X-Junk-%d" % at)
        rewrite._verdict(b"Accept")
        self.assertEqual(rewrite._verdicts.get(b"Accept"), b"accept")
        self.assertLessEqual(len(rewrite._verdicts), 512)
