"""The reflection guard."""

import base64
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.route.request_headers import injected_headers
from naap_twisted.route.scrub import Guard, Scrubber
from naap_twisted.secret import Secret
from tests.rewrite_vectors import CLEANED
from tests.spelling_vectors import KEY as SPELLED_KEY
from tests.spelling_vectors import SPELLINGS, VALUE, reveals

KEY = b"sk-0123456789"
GUARD = Guard([(b"Authorization", Secret(b"Bearer " + KEY)), (b"X-Version", Secret("v1"))])


class GuardTests(SynchronousTestCase):
    def test_a_secret_is_replaced_with_and_without_its_scheme(self):
        for said, shown in (
            (b"a Bearer sk-0123456789 b", b"a [redacted] b"),
            (b"sk-0123456789sk-0123456789", b"[redacted][redacted]"),
            (b"nothing of it", b"nothing of it"),
            (b"", b""),
        ):
            self.assertEqual(GUARD.clean(said), shown)

    def test_short_values_are_no_secrets(self):
        self.assertEqual(GUARD.clean(b"v1"), b"v1")

    def test_public_headers(self):
        """What says how to talk is said by every answer, and no secret."""
        guard = Guard(
            [
                (b"Accept", Secret("application/json")),
                (b"content-type", Secret("application/json")),
                (b"ACCEPT-ENCODING", Secret("identity")),
            ]
        )
        self.assertFalse(guard)
        self.assertEqual(guard.clean(b"application/json"), b"application/json")

    def test_plain_values_are_no_secrets(self):
        self.assertEqual(Guard([(b"X", b"plain-value")]).clean(b"plain-value"), b"plain-value")

    def test_a_secret_cut_anywhere_shows_no_part_of_itself(self):
        """Three bytes tell nothing that the name of the scheme or vendor does not."""
        for whole in (KEY, b"Bearer " + KEY):
            for size in range(4, len(whole)):
                self.assertEqual(GUARD.clean_cut(b"text " + whole[:size]), b"text ")
            self.assertEqual(GUARD.clean_cut(b"text " + whole), b"text [redacted]")

    def test_what_only_looks_cut_stays(self):
        for said in (b"sk-", b"sk-01 no", b"a sentence", b""):
            self.assertEqual(GUARD.clean_cut(said), said)


class JoinedTests(SynchronousTestCase):
    def test_joined(self):
        """The secrets of both, whichever is the shorter; headers that are public stay so."""
        guard = Guard([(b"X-Key", Secret("canary-of-the-route"))])
        fields = [(b"Accept", Secret("text/html-of-all")), (b"A", Secret("canary-3"))]
        more = guard.beside(Secret("canary-of-one-request"), injected=fields)
        text = b"canary-of-the-route canary-of-one-request canary-3 text/html-of-all"
        self.assertEqual(more.clean(text), b"[redacted] [redacted] [redacted] text/html-of-all")
        self.assertEqual(guard.clean(text).count(b"[redacted]"), 1)
        self.assertFalse(Guard().beside())
        self.assertEqual(Guard().beside(injected=fields).clean(b"canary-3"), b"[redacted]")


class ScrubberTests(SynchronousTestCase):
    def test_across_pieces(self) -> None:
        """Wherever a body is cut, the secret is found and nothing else changes."""
        secret = b"sk-canary-123456"
        guard = Guard([(b"Authorization", Secret(b"Bearer " + secret))])
        body = b'{"a": "sk-can", "key": "' + secret + b'", "end": "sk-canary"}'
        expected = body.replace(secret, b"[redacted]")
        for first in range(len(body)):
            for second in range(first, len(body), 7):
                scrubber = Scrubber(guard)
                pieces = (body[:first], body[first:second], body[second:])
                out = b"".join(scrubber.feed(piece) for piece in pieces) + scrubber.end()
                self.assertEqual(out, expected, (first, second))

    def test_the_longest_beginning_is_held(self) -> None:
        """A key with the scheme's first letters in it: two secrets begin, the longer one waits."""
        secret = b"key-B-with-Be-in-it-Bearer"
        guard = Guard([(b"Authorization", Secret(b"Bearer " + secret))])
        for cut in range(len(secret)):
            scrubber = Scrubber(guard)
            out = scrubber.feed(secret[:cut]) + scrubber.feed(secret[cut:]) + scrubber.end()
            self.assertEqual(out, b"[redacted]", cut)
            if cut > 3:
                self.assertEqual(guard.clean_cut(b"x " + secret[:cut]), b"x ")

    def test_does_not_wait(self) -> None:
        """An event whose end begins no secret goes out whole."""
        scrubber = Scrubber(Guard([(b"K", Secret(b"sk-canary-123456"))]))
        self.assertEqual(scrubber.feed(b"data: 1\n\n"), b"data: 1\n\n")
        self.assertEqual(scrubber.feed(b"data: sk-"), b"data: ")
        self.assertEqual(scrubber.end(), b"sk-")


class SpellingTests(SynchronousTestCase):
    guard = Guard([(b"Authorization", Secret(VALUE))])

    def test_every_spelling(self) -> None:
        """Of the key, and of the header value, alone and in the middle of a text."""
        for secret in (SPELLED_KEY, VALUE):
            for name, spell in SPELLINGS:
                with self.subTest(name=name, secret=secret):
                    for before, after in ((b"", b""), (b'{"said": "', b'"}')):
                        data = before + spell(secret) + after
                        self.assertTrue(reveals(data), data)
                        cleaned = self.guard.clean(data)
                        self.assertTrue(cleaned.startswith(before), cleaned)
                        self.assertTrue(cleaned.endswith(after), cleaned)
                        self.assertFalse(reveals(cleaned), cleaned)
                        self.assertIn(b"[redacted]", cleaned)
                        self.assertTrue(self.guard.holds(data))

    def test_a_whole_body_cut_anywhere(self) -> None:
        """What is cut inside a spelling shows no half of the key, in no spelling."""
        for name, spell in SPELLINGS:
            data = b"<" + spell(SPELLED_KEY) + b">"
            for size in range(len(data) + 1):
                with self.subTest(name=name, size=size):
                    cleaned = self.guard.clean_cut(data[:size])
                    self.assertFalse(reveals(cleaned, SPELLED_KEY[:20]), cleaned)

    def test_what_only_looks_like_it(self) -> None:
        """Escapes and packed texts that are no secret stay byte by byte."""
        for said in (
            b"100% of \\u0041 &amp; &lt;b&gt; %41%42%43 %zz \\/ &#65; \\\\ &nosuch;",
            b"c2stRWNoby85YzFl",  # the beginning of the key alone
            SPELLED_KEY[1:],
            SPELLED_KEY[:-1],
        ):
            self.assertEqual(self.guard.clean(said), said)
            scrubber = Scrubber(self.guard)
            self.assertEqual(scrubber.feed(said) + scrubber.end(), said)
            self.assertFalse(self.guard.holds(said))

    def test_one_that_overlaps_itself(self) -> None:
        """No tail of the second is left behind the first."""
        guard = Guard([], Secret("abababab"))
        self.assertEqual(guard.clean(b"<ababababab>"), b"<[redacted]>")

    def test_where_a_beginning_may_be(self) -> None:
        """It cuts no escape and no spelling: what follows reads the same by itself."""
        guard = Guard([], Secret("2dab2dab2d"))
        for data, spans, begun in (
            (b"x%2d", [], 1),  # "2d" begins the secret; "%2d" is one character
            (b"x\\u00252d", [], 1),  # and so it is with "%" in another escape
            (b"x2dab2dab2d", [(1, 11)], 1),  # a second one may begin within the first
            (b"x2dab2dab2d.", [(1, 11)], 12),
            (b"x2da.", [], 5),
        ):
            self.assertEqual(guard.look(data, more=True), (spans, begun), data)

    def test_parts(self) -> None:
        """What stands between other text in a header value is secret by itself."""
        for secret, said in (
            (Secret("k3y-of-ours").between("token=", ";v=1"), b"k3y-of-ours"),
            (Secret("Digest key=abc"), b"Digest key=abc"),
            (Secret(b"Basic " + base64.b64encode(b"me:pa55word")), b"pa55word"),
            (Secret(b"basic " + base64.b64encode(b"me:short")), b"me:short"),
            (Secret(b"Basic " + base64.b64encode(b"sk_live_51H:")), b"sk_live_51H"),
            (Secret(b"Basic " + base64.b64encode(b"sk_live_51H:").rstrip(b"=")), b"sk_live_51H"),
            (Secret(b"Basic  " + base64.b64encode(b"sk_live_51H:x")), b"sk_live_51H"),
            (Secret("Basic not-base-64-at-all"), b"not-base-64-at-all"),
            (Secret("schl\u00fcssel-\u20ac".encode()), b"schl\\u00fcssel-\\u20ac"),
            (Secret(b"schl\xfcssel"), "schl\u00fcssel".encode()),
            (Secret("pa\"ss'wo\\rd"), b"pa\\\"ss\\'wo\\\\rd"),
        ):
            with self.subTest(said=said):
                self.assertEqual(Guard([(b"A", secret)]).clean(b"<" + said + b">"), b"<[redacted]>")

    def test_the_user_beside_a_password(self) -> None:
        """Where the password is the secret, the user is an account's name, and stays."""
        guard = Guard([(b"A", Secret(b"Basic " + base64.b64encode(b"AC0123456789:pa55word")))])
        self.assertEqual(guard.clean(b"/AC0123456789/x?pa55word"), b"/AC0123456789/x?[redacted]")

    def test_secrets_that_overlap(self) -> None:
        """A chain of them is one, whatever its pieces, and no piece of it waits for its end."""
        for key in (b"s-0123456789-s", b"aaaaaaaaaaaa", b"ab-ab-ab-ab"):
            secret = Secret(key)
            chain = key + key[max(1, len(key) - 3) :] + key[1:] * 50
            texts = (b"<" + chain + b">", chain, key + key, b"<" + chain[:-4] + b">" + key)
            for text, size in itertools.product(texts, (1, 2, 3, 5, 8, 13, 1000)):
                guard = Guard([(b"A", secret)])
                scrubber, most, out = Scrubber(guard), 0, b""
                for at in range(0, len(text), size):
                    out += scrubber.feed(text[at : at + size])
                    most = max(most, len(scrubber._held))
                out += scrubber.end()
                self.assertEqual(out, guard.clean(text), (text, size))
                self.assertLess(most, 2 * len(key), (text, size))

    def test_secrets_from_anywhere(self) -> None:
        """Not only headers hold one."""
        guard = Guard([], Secret("in-the-query"), Secret("in-the-path"))
        self.assertEqual(guard.clean(b"?a=in-the-query/in-the-path"), b"?a=[redacted]/[redacted]")
        self.assertTrue(guard)
        self.assertFalse(Guard([], Secret("short")))

    def test_one_in_another(self) -> None:
        """Of two secrets each is found in every spelling, though one holds the other."""
        guard = Guard([(b"A", Secret("abcdefgh")), (b"B", Secret("abcdefgh-and-more-of-it"))])
        packed = base64.b64encode(b"abcdefgh-and-more-of-it")
        self.assertNotIn(packed[-12:-4], guard.clean(packed))


class PropertyTests(SynchronousTestCase):
    """However a body is cut, what goes out is what would go out of it in one piece."""

    # Short keys of bytes that escapes are made of: every accident that can be is likely.
    keys = st.lists(st.sampled_from(list(b'aB%\\&"25cux0;#-_/+7')), min_size=8, max_size=12)
    noise = st.lists(st.sampled_from(list(b'aB%\\&"25cux0;#-_/+7 ')), max_size=12)
    spellers = st.lists(st.sampled_from([spell for _, spell in SPELLINGS]), max_size=2)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_any_cut(self, data) -> None:
        key = bytes(data.draw(self.keys))
        body = b""
        for _ in range(data.draw(st.integers(1, 4))):
            said = key
            for spell in data.draw(self.spellers):
                said = spell(said)
            cut = data.draw(st.integers(0, 3))
            body += bytes(data.draw(self.noise)) + said[: len(said) - cut]
        guard = Guard([(b"Authorization", Secret(b"Bearer " + key))])
        scrubber, out, at = Scrubber(guard), [], 0
        while at < len(body):
            size = data.draw(st.integers(1, 30))
            out.append(scrubber.feed(body[at : at + size]))
            at += size
        cut_up = b"".join(out) + scrubber.end()
        self.assertEqual(cut_up, guard.clean(body))
        self.assertNotIn(key.lower(), cut_up.lower())

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(SPELLINGS), st.binary(max_size=20), st.data())
    def test_no_spelling_gets_through(self, spelling, around, data) -> None:
        """Whatever stands around it."""
        guard = Guard([(b"Authorization", Secret(VALUE))])
        body = around + b" " + spelling[1](SPELLED_KEY) + b" " + around
        cut = data.draw(st.integers(0, len(body)))
        scrubber = Scrubber(guard)
        out = scrubber.feed(body[:cut]) + scrubber.feed(body[cut:]) + scrubber.end()
        self.assertFalse(reveals(out), out)
        self.assertEqual(out, guard.clean(body))


class InjectedHeaders(SynchronousTestCase):
    def guard(self, **values):
        return Guard(injected_headers(values))

    def test_clean(self):
        """The whole value, and the token behind its scheme, wherever they stand."""
        guard = self.guard(Authorization="Bearer sk-123456789", Key="abcdefgh")
        for data, cleaned in CLEANED:
            with self.subTest(data=data):
                self.assertEqual(guard.clean(data), cleaned)

    def test_longest_first(self):
        """A secret that holds another one leaves no tail behind."""
        guard = self.guard(A="abcdefgh", B="abcdefgh-and-more")
        self.assertEqual(guard.clean(b"abcdefgh-and-more"), b"[redacted]")

    def test_short_values_are_no_keys(self):
        """``2023-06`` in every answer is a version, not a leak."""
        guard = self.guard(A="2023-06", B="Bearer short")
        self.assertEqual(guard.clean(b"2023-06 short"), b"2023-06 short")
        self.assertEqual(guard.clean(b"Bearer short"), b"[redacted]")


class BesideTests(SynchronousTestCase):
    def test_both(self):
        """A wider guard finds what the first one does, and more; the first stays as it was."""
        wider = GUARD.beside(Secret("other-key-of-eight"), Secret("v2"))
        for guard, cleaned in (
            (GUARD, b"[redacted] other-key-of-eight"),
            (wider, b"[redacted] [redacted]"),
        ):
            self.assertEqual(guard.clean(KEY + b" other-key-of-eight"), cleaned)
        self.assertFalse(wider.holds(b"version v2"))
        self.assertTrue(Guard().beside(Secret("other-key-of-eight")))
