"""Parameters of a Content-Type and of a Content-Disposition, with one reading only."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.parameters import parameters, split_parameters
from naap_twisted.errors import UnsupportedMediaType


class ParameterTests(SynchronousTestCase):
    def test_good(self) -> None:
        """Tokens and quoted texts, blanks around them, names in any case."""
        for field, wanted in (
            (b"application/json", {}),
            (b"application/json;", {}),
            (b"application/json; charset=utf-8", {"charset": "utf-8"}),
            (b'a/b ;CharSet="UTF-8"; profile=x', {"charset": "UTF-8", "profile": "x"}),
            (b'a/b; boundary="----x y"', {"boundary": "----x y"}),
            (b"a/b; boundary=----WebKitFormBoundaryAbC", {"boundary": "----WebKitFormBoundaryAbC"}),
        ):
            self.assertEqual(parameters(field), wanted, field)

    def test_two_readings(self) -> None:
        """Repeats, escapes, RFC 2231, half a quote, a list of types."""
        for field in (
            *(b"a/b; charset=utf-8; charset=utf-7", b"a/b; charset=utf-8; CHARSET=utf-8"),
            *(b'a/b; charset="utf\\"-8"', b"a/b; charset*=utf-8''utf-16", b"a/b; charset*0=utf-7"),
            *(
                b'a/b; boundary="x',
                b'a/b; boundary=x"y',
                b"a/b; boundary",
                b"a/b; =x",
                b"a/b; ;c=d",
            ),
            *(b"a/b, c/d", b"a/b; charset=utf-8, c/d", b"a/b; x=1 2", b"a/b; charset=\xfc"),
            *(b'a/b; boundary="x;y"', b"a/b; charset = utf-8", b"a/b; charset=utf-8\x00"),
        ):
            self.assertRaises(UnsupportedMediaType, parameters, field)

    def test_disposition(self) -> None:
        """The same for a part of a form."""
        kind, found = split_parameters('form-data; name="a"; filename="\u00e9.txt"')
        self.assertEqual((kind, found), ("form-data", {"name": "a", "filename": "\u00e9.txt"}))
