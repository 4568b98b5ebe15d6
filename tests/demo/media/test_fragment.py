"""SDP fragments, and what of a peer's candidates is used."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.demo.media.fragment import (
    MAX_CANDIDATES,
    NotAFragment,
    is_reachable,
    parse_fragment,
    reachable_offer,
    ufrags,
)

HEAD = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
NEAR = "1 1 udp 2122260223 127.0.0.1 61764 typ host generation 0 ufrag EsAw"
FAR = "2 1 udp 2122260223 192.0.2.1 61764 typ host"


class ParseTests(SynchronousTestCase):
    def test_candidates(self):
        """Each with the mid of its section, in order; the end is not told."""
        text = (
            f"{HEAD}m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:{NEAR}\r\na=end-of-candidates\r\n"
            f"m=video 9 RTP/AVP 0\r\na=mid:v\r\na=candidate:{FAR}\r\n"
        )
        fragment = parse_fragment(text)
        self.assertEqual(fragment.ufrag, "EsAw")
        self.assertEqual(fragment.candidates, (("0", NEAR), ("v", FAR)))

    def test_only_credentials(self):
        """An ICE restart brings no candidate."""
        self.assertEqual(parse_fragment(HEAD).candidates, ())

    def test_not_a_fragment(self):
        """Without credentials, without a section, not SDP, too much."""
        section = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        many = f"a=candidate:{NEAR}\r\n" * (MAX_CANDIDATES + 1)
        for text in (
            "",
            "a=ice-ufrag:EsAw\r\n",
            '{"candidate": 1}',
            f"{HEAD}a=candidate:{NEAR}\r\n",
            HEAD + section + many,
        ):
            with self.assertRaises(NotAFragment):
                parse_fragment(text)


class ReachableTests(SynchronousTestCase):
    def test_loopback_only(self):
        """RTP over UDP to a loopback address; no name is looked up, none asked for by mDNS."""
        for candidate, expected in [
            (NEAR, True),
            (NEAR.replace("127.0.0.1", "::1"), True),
            (FAR, False),
            (NEAR.replace("127.0.0.1", "localhost"), False),
            (NEAR.replace("127.0.0.1", "3f1c.local"), False),
            (NEAR.replace("udp", "tcp"), False),
            (NEAR.replace("1 1 udp", "1 0 udp"), False),
            (NEAR.replace("61764", "x"), False),
            (NEAR.replace("61764", "²"), False),
            (NEAR.replace("61764", "0"), False),
            (NEAR.replace("61764", "65536"), False),
            (NEAR.replace("61764", "9" * 5000), False),
            (NEAR.replace("2122260223", "high"), False),
            (NEAR.replace("2122260223", "9" * 5000), False),
            ("1 1 udp 1 127.0.0.1 9", False),
            ("", False),
        ]:
            self.assertEqual(is_reachable(candidate), expected, candidate)

    def test_offer(self):
        """Other candidates leave the offer, and so does their end; the rest stays."""
        offer = (
            f"v=0\r\na=candidate:{FAR}\r\na=candidate:{NEAR}\r\na=end-of-candidates\r\na=mid:0\r\n"
        )
        self.assertEqual(reachable_offer(offer), f"v=0\r\na=candidate:{NEAR}\r\na=mid:0\r\n")

    def test_ufrags(self):
        """Every section's, once."""
        self.assertEqual(ufrags(HEAD + HEAD + "a=ice-ufrag:b\n"), {"EsAw", "b"})
