"""The printed commands survive a shell."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.demo.guide import OFFER, Guide

from .loopback import shell_words

GUIDE = Guide(
    root="http://127.0.0.1:4020",
    api="http://127.0.0.1:4020/api/v1",
    chat_url="http://127.0.0.1:9001/v1/chat/completions",
    whip_url="http://127.0.0.1:9002/whip/demo-room",
)


class Commands(SynchronousTestCase):
    def test_chat(self):
        """One curl, its arguments whole after the shell's splitting."""
        words = shell_words(GUIDE.chat())
        self.assertEqual(
            words[:3], ["curl", "-sS", "http://127.0.0.1:4020/api/v1/assistant/openai-proxy"]
        )
        self.assertIn(f"X-Target-URL: {GUIDE.chat_url}", words)
        self.assertNotIn("stream", words[-1])

    def test_streamed_chat_is_unbuffered(self):
        """Without -N curl would hold words back."""
        words = shell_words(GUIDE.chat(stream=True))
        self.assertEqual(words[1], "-sSN")
        self.assertIn('"stream": true', words[-1])

    def test_offer_has_crlf(self):
        """printf, not the shell's quoting, makes the line ends."""
        words = shell_words(GUIDE.whip())
        self.assertEqual(words[0], "printf")
        self.assertEqual(words[1].replace(r"\r\n", "\n").splitlines(), list(OFFER))
        self.assertNotIn("%", words[1])

    def test_text(self):
        """Everything is there, the page first, and no key: there is none to give."""
        text = GUIDE.text()
        for part in (
            "http://127.0.0.1:4020/ ",
            GUIDE.chat(),
            GUIDE.chat(stream=True),
            GUIDE.whip(),
            GUIDE.preflight(),
            GUIDE.health(),
            'base_url="http://127.0.0.1:4020/api/v1/openai"',
        ):
            self.assertIn(part, text)
        self.assertNotIn("Bearer", text)
