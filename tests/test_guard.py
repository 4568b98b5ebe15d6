"""The reflection guard."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.guard import Guard, Scrubber
from naap_twisted.secret import Secret

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
