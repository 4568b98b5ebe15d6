"""An upstream's error as one line of text."""

from __future__ import annotations

import codecs

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.route.error_text import _CODECS, codec_of, error_text
from naap_twisted.route.request_headers import injected_headers
from naap_twisted.route.scrub import Guard

KEY = "sk-123456789"
GUARD = Guard(injected_headers({"Authorization": f"Bearer {KEY}"}))


def read(body: bytes, charset: str = "", *, complete: bool = True) -> str:
    content_type = f"text/plain; charset={charset}" if charset else "text/plain"
    return error_text(body, content_type.encode("latin-1"), GUARD, complete=complete)


class Labels(SynchronousTestCase):
    def test_spellings(self) -> None:
        """In any case, quoted or not, by any of its names, and behind other parameters."""
        for content_type, codec in (
            ('text/plain; charset="ISO-8859-1"', "latin_1"),
            ("text/plain;CHARSET=Latin1; format=flowed", "latin_1"),
            ("text/plain; format=flowed;charset = windows-1251", "cp1251"),
            ("text/plain; charset=Shift_JIS", "shift_jis"),
            ("text/plain; charset=x-sjis", "shift_jis"),
            ("text/plain; charset=GB18030", "gb18030"),
            ("text/plain; charset=utf8", "utf_8"),
            ("application/json", "utf_8"),
            ("", "utf_8"),
        ):
            self.assertEqual(codec_of(content_type.encode()), codec, content_type)

    def test_no_other_codec(self) -> None:
        """What unpacks, guesses, imports or is no charset is read as UTF-8."""
        for label in (
            *("hex", "zlib", "zlib_codec", "bz2", "base64", "uu", "quopri", "rot13", "rot_13"),
            *("idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_7", "undefined"),
            *("charmap", "mbcs", "oem", "../os", "os.path", "x" * 500, "", "\xff"),
        ):
            self.assertEqual(codec_of(f"text/plain; charset={label}".encode("latin-1")), "utf_8")

    def test_every_codec_is_one_of_texts(self) -> None:
        """As Python itself has it."""
        for name in _CODECS:
            self.assertTrue(codecs.lookup(name)._is_text_encoding, name)


class Texts(SynchronousTestCase):
    def test_charsets(self) -> None:
        """Read as declared."""
        for charset, text in (
            ("iso-8859-1", "clé refusée"),
            ("iso-8859-15", "5 € dus"),
            ("windows-1251", "слишком много"),
            ("shift_jis", "多すぎます"),
            ("iso-2022-jp", "多すぎます"),
            ("gb18030", "请求过多"),
            ("utf-16", "trop tôt"),
            ("utf-16be", "trop tôt"),
            ("utf-32", "trop tôt"),
            ("utf-8", "clé refusée"),
        ):
            self.assertEqual(read(text.encode(charset), charset), text)

    def test_a_wrong_declaration(self) -> None:
        """Something is read all the same."""
        self.assertEqual(read(b"caf\xe9"), "caf\ufffd")
        self.assertEqual(read("é".encode(), "ascii"), "\ufffd\ufffd")
        self.assertTrue(read(b"odd", "utf-16"))

    def test_half_a_character(self) -> None:
        """At a cut it is left out; at an end it is one that is broken."""
        for complete, text in ((False, "caf"), (True, "caf\ufffd")):
            self.assertEqual(read("café".encode()[:-1], complete=complete), text)

    def test_one_line(self) -> None:
        """No control character, no byte order mark, no blank at either end."""
        self.assertEqual(read("\ufeffa\r\n\x1b[31mb\u2028c\n".encode()), "a   [31mb c")

    def test_secrets_in_a_wrong_charset(self) -> None:
        """A key that people could read between what is no character of the declared charset."""
        for codec in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            for declared in ("", "utf-8", "latin-1", "utf-7", "iso-2022-jp", "cp037"):
                for mark in (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\0"):
                    shown = read(mark + f"bad key {KEY}, sorry".encode(codec), declared)
                    readable = "".join(filter(str.isalnum, shown))
                    self.assertNotIn(KEY[3:], readable, (codec, declared, mark))

    def test_secrets(self) -> None:
        """In every charset, whole; and half of one at a cut."""
        for codec in _CODECS:
            body = f"bad key {KEY}, sorry".encode(codec)
            self.assertNotIn(KEY[:6], read(body, codec), codec)
            if not codec.startswith(("utf_16", "utf_32")):
                self.assertIn("[redacted], sorry", read(body, codec), codec)
            cut = f"bad key {KEY[:9]}".encode(codec)
            self.assertNotIn(KEY[:6], read(cut, codec, complete=False), codec)

    def test_secrets_under_a_wrong_declaration(self) -> None:
        """The bytes are looked at before they are read as something else."""
        for codec in _CODECS:
            self.assertNotIn(KEY[:6], read(f"key {KEY}".encode(), codec), codec)
