"""How a text can be spelled, and how spellings are read."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.route.spellings import FOLD, Layer, spellings
from tests.spelling_vectors import KEY, in_base64

# A text, and the text without one layer of escapes.
UNDONE = [
    (b"", b""),
    (b"nothing", b"nothing"),
    (b"%2d%2D%41", b"--A"),
    (b"%252d", b"%2d"),
    (b"\\u002d\\u002D\\u00e9\\u20ac", "--é€".encode()),
    (b"\\x2d\\/\\\\\\-\\_", b"-/\\-_"),
    (b"&#45;&#045;&#x2d;&#X2D;&amp;&lt;&sol;&lowbar;", b"----&</_"),
    (b"&#8364;&#x20AC;", "€€".encode()),
    (b"\\\\u002d", b"\\u002d"),
    (b"&amp;#45;", b"&#45;"),
    (b"\\\\\\u002d", b"\\-"),
    (b"\\%41\\&#65;", b"\\A\\A"),
    # No escapes.
    (b"100% of\\nit & more; %g1 \\u00 &#; &nosuch; &#45 &hellip;", None),
    (b"\\\" \\'", None),
    (b"&#9999999;", b"\xff"),
    (b"&#55296;", b"\xed\xa0\x80"),
]

# A text that goes on, and where its last escape may begin.
OPEN = [
    (b"a%", 1),
    (b"a%2", 1),
    (b"a%2d", 4),
    (b"a\\", 1),
    (b"a\\\\", 3),
    (b"a\\u002", 1),
    (b"a\\x2", 1),
    (b"a\\n", 3),
    (b"a&", 1),
    (b"a&#4", 1),
    (b"a&#x4", 1),
    (b"a&am", 1),
    (b"a&amp", 1),
    (b"a&amp;", 6),
    (b"a& b", 4),
    (b"a&#45 b", 7),
    (b"%41&%", 4),
    (b"%41&", 3),
    (b"&" + b"a" * 40, 41),
    (b"&#" + b"1" * 8, 10),
]


class LayerTests(SynchronousTestCase):
    def test_undone(self):
        """Percent, JSON, JavaScript and HTML escapes, each kind once."""
        for under, text in UNDONE:
            with self.subTest(under=under):
                layer = Layer(under, more=False, quotes=False)
                self.assertEqual(layer.text, under if text is None else text)
                self.assertEqual(layer.closed, len(under))

    def test_quotes(self):
        """Undone only where asked for: half of what JSON escapes are quotes."""
        self.assertEqual(Layer(b"\\\"\\'\\/", more=False, quotes=True).text, b"\"'/")
        self.assertEqual(Layer(b"\\\"\\'\\/", more=False, quotes=False).text, b"\\\"\\'/")

    def test_half_an_escape(self):
        """Of a text that goes on, what may be half an escape at its end is left out."""
        for under, closed in OPEN:
            with self.subTest(under=under):
                layer = Layer(under, more=True, quotes=False)
                self.assertEqual(layer.closed, closed)
                shut = Layer(under[:closed], more=False, quotes=False)
                self.assertEqual(layer.text, shut.text)

    def test_the_way_back(self):
        """From each byte to where its spelling begins and ends, and up again."""
        under = b"a%62\\u20acd&#101;"
        layer = Layer(under, more=False, quotes=False)
        self.assertEqual(layer.text, "ab€de".encode())
        starts = [0, 1, 4, 4, 4, 10, 11]
        ends = [1, 4, 10, 10, 10, 11, 17]
        self.assertEqual([layer.first(at) for at in range(7)], starts)
        self.assertEqual([layer.last(at + 1) for at in range(7)], ends)
        self.assertEqual(layer.first(7), 17)
        floors = [0, 1, 1, 1, *[4] * 6, 10, *[11] * 6, 17]
        self.assertEqual([layer.floor(place) for place in range(18)], floors)
        ups = {0: 0, 1: 1, 4: 2, 10: 5, 11: 6, 17: 7}
        self.assertEqual({place: layer.up(place) for place in ups}, ups)


class SpellingsTests(SynchronousTestCase):
    def test_folded(self):
        """Case does not count, nor the alphabet of base64."""
        self.assertEqual(b"A-Z_a+z/".translate(FOLD), b"a+z/a+z/")

    def test_all(self):
        """As it is, in hexadecimal, in UTF-16, in base64 at three places."""
        found = set(spellings(KEY))
        self.assertEqual(len(found), 6)
        self.assertIn(KEY.hex().encode(), found)
        self.assertIn(KEY.decode().encode("utf-16-le")[:-1].translate(FOLD), found)
        for before in (b"", b"x", b"xx", b"xxx", b"xxxx"):
            for after in (b"", b"y", b"yy", b"\xff" * 7):
                packed = in_base64(before, after)(KEY).translate(FOLD)
                self.assertTrue(any(spelled in packed for spelled in found), packed)

    def test_not_ascii(self):
        """A byte that a server took for Latin-1 comes back as UTF-8."""
        self.assertIn("schlüssel".encode(), set(spellings("schlüssel".encode("latin-1"))))
