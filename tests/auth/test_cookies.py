"""Cookies found by name."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.cookies import OCTETS, percent_decoded, set_cookie, values_of


class Values(SynchronousTestCase):
    def test_table(self):
        """Exact names, every occurrence, over all lines; nothing is unquoted or repaired."""
        for lines, found in [
            ([b"a=1"], [b"1"]),
            ([b"b=2; a=1;c=3"], [b"1"]),
            ([b"a=1; a=2"], [b"1", b"2"]),
            ([b"a=1", b"a=2"], [b"1", b"2"]),
            ([b" a = 1 "], [b"1"]),
            ([b"A=1; ab=2; xa=3; a"], []),
            ([b"a="], [b""]),
            ([b"a=b=c="], [b"b=c="]),
            ([b'a="1"'], [b'"1"']),
            ([b'b="; a=1; "'], [b"1"]),
            ([b"b=1,a=2"], []),
            ([b""], []),
            ([], []),
        ]:
            with self.subTest(lines=lines):
                self.assertEqual(values_of(lines, b"a"), found)

    def test_set(self):
        """One line, for the whole host and for no other."""
        line = set_cookie("a", "1", seconds=60, same_site="Strict", secure=False, readable=True)
        self.assertEqual(line, b"a=1; Max-Age=60; Path=/; SameSite=Strict")
        line = set_cookie("a", "1", seconds=60, same_site="Lax", secure=True)
        self.assertEqual(line, b"a=1; Max-Age=60; Path=/; SameSite=Lax; HttpOnly; Secure")

    def test_plain(self):
        """Percent-encoding is undone once."""
        for raw, value in [(b"a%2Bb", b"a+b"), (b"a+b", b"a+b"), (b"%2541", b"%41")]:
            self.assertEqual(percent_decoded(raw), value)

    def test_octets(self):
        """RFC 6265 section 4.1.1, and at least one."""
        for fine in (b"a", b"A.b-c_d~e+f/g=", b"!#$%&'()*", b"a:b<=>?@[]^`{|}"):
            self.assertIsNotNone(OCTETS.fullmatch(fine), fine)
        for bad in (
            b"",
            b"a b",
            b'"a"',
            b"a,b",
            b"a;b",
            b"a\\b",
            b"a\n",
            b"a\x00",
            b"\xe9",
            b"\x7f",
        ):
            self.assertIsNone(OCTETS.fullmatch(bad), bad)
