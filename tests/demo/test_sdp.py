"""SDP answers mirror their offers."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.demo import sdp

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:offerer",
        "a=setup:actpass",
        "a=mid:0",
        "a=sendonly",
        "a=rtpmap:111 opus/48000/2",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=sendrecv",
        "",
    ]
)


class AnswerTo(SynchronousTestCase):
    def test_m_lines(self):
        """The answer has the offer's m-lines, in their order (RFC 3264 section 6)."""
        lines = sdp.answer_to(OFFER).split("\r\n")
        self.assertEqual(lines[0], "v=0")
        self.assertEqual(lines[-1], "")
        media = [line for line in lines if line.startswith("m=")]
        self.assertEqual(
            media, ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=video 9 UDP/TLS/RTP/SAVPF 96"]
        )
        for kept in ("a=group:BUNDLE 0 1", "a=mid:0", "a=mid:1", "a=rtpmap:111 opus/48000/2"):
            self.assertIn(kept, lines)

    def test_own_identity(self):
        """ICE and DTLS values are the answerer's own, fresh for each answer."""
        first, second = sdp.answer_to(OFFER), sdp.answer_to(OFFER)
        self.assertNotIn("offerer", first)
        self.assertNotEqual(first, second)
        self.assertEqual(first.count("a=ice-ufrag:"), 2)
        self.assertEqual(first.count("a=fingerprint:sha-256 "), 2)

    def test_direction(self):
        """A WHIP endpoint only receives (RFC 9725 section 4.2)."""
        answer = sdp.answer_to(OFFER)
        self.assertEqual(answer.count("a=recvonly"), 2)
        self.assertNotIn("a=send", answer)

    def test_setup(self):
        """The DTLS roles never clash (RFC 8842 section 5.3)."""
        for offered, answered in [
            ("actpass", "active"),
            ("passive", "active"),
            ("active", "passive"),
        ]:
            answer = sdp.answer_to(OFFER.replace("setup:actpass", f"setup:{offered}"))
            self.assertIn(f"a=setup:{answered}\r\n", answer)

    def test_bare_newlines(self):
        """An offer typed into curl has bare newlines."""
        self.assertIn("m=audio", sdp.answer_to(OFFER.replace("\r\n", "\n")))

    def test_not_an_offer(self):
        """What is no SDP, or offers nothing, is refused."""
        for text in (
            "",
            "{}",
            "hello\nv=0\nm=audio 9 x 0",
            "v=1\nm=audio 9 x 0",
            "v=0\n",
            "m=audio",
        ):
            with self.assertRaises(sdp.NotAnOffer):
                sdp.answer_to(text)
