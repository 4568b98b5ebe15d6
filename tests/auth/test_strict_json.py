"""JSON without two meanings."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.strict_json import read_object


class ReadObject(SynchronousTestCase):
    def test_taken(self):
        """An object, whatever is in it."""
        self.assertEqual(read_object(b'{"a": [1, {"b": null}]}'), {"a": [1, {"b": None}]})

    def test_refused(self):
        """Duplicates at any depth, constants, other values, bad bytes, depth, huge numbers."""
        for data in (
            *(b"", b"1", b"null", b"[]", b'"a"', b"{", b"{}{}", b"\xff", b"\xef\xbb\xbf{}"),
            *(b'{"a":1,"a":1}', b'{"x":{"a":1,"a":2}}', b'{"a":1,"\\u0061":2}'),
            *(
                b'{"a":NaN}',
                b'{"a":-Infinity}',
                b'{"a":' + b"[" * 100_000,
                b'{"a":%s}' % (b"9" * 5000),
            ),
        ):
            with self.subTest(data=data[:20]):
                self.assertRaises(ValueError, read_object, data)
