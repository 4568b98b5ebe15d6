"""The fields of a form: the tree of their names, and changes that leave the others alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import FieldText, Upload
from naap_twisted.documents.fields import FormDocument, name_of, path_of
from naap_twisted.documents.multipart import read_multipart
from naap_twisted.documents.urlencoded import read_urlencoded
from naap_twisted.errors import BodyNotAllowed, InvalidJson
from tests.body_vectors import FORM, PART, part, parts

FILE = part(b"f", b"\x00\x01", b'; filename="a.bin"')


def urlencoded(text: bytes) -> FormDocument:
    """A form of *text*."""
    return read_urlencoded(text, FORM)


class NameTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """Brackets are levels; a name that readers take apart differently is refused."""
        for name, path in (
            ("a", ("a",)),
            ("a[b][c]", ("a", "b", "c")),
            ("a[]", ("a", "")),
            ("a[0][b-c]", ("a", "0", "b-c")),
        ):
            self.assertEqual(path_of(name), path)
        self.assertEqual(name_of(("a", "b", "")), "a[b][]")
        for name in (
            "",
            "a[",
            "a]b",
            "a[][b]",
            "_method",
            "_Charset_",
            "a b",
            "a\n",
            "a.b",
            "x" + "[y]" * 5,
        ):
            self.assertRaises(BodyNotAllowed, path_of, name)

    def test_texts(self) -> None:
        """Every value is text that may stand for a number, or a file."""
        value = read_multipart(parts(part(b"a", b"1"), FILE), PART).value
        self.assertIsInstance(value["a"], FieldText)
        self.assertEqual(value["f"], Upload("a.bin", "", 2))


class ChangeTests(SynchronousTestCase):
    def test_urlencoded(self) -> None:
        """The server's pairs come last, in the place of the page's; the others keep their bytes."""
        for text, members, wanted in (
            (b"a=1", {}, b"a=1"),
            (b"", {("a",): 1}, b"a=1"),
            (b"a=%41&b=2", {("b",): "x y&"}, b"a=%41&b=x+y%26"),
            (b"a[b]=1&a[c]=2", {("a", "b"): True}, b"a[c]=2&a[b]=true"),
            (b"a[b]=1&a[c]=2", {("a",): {"d": 1}}, b"a[d]=1"),
            (b"a[]=1&a[]=2&b=3", {("a",): ["x", "y"]}, b"b=3&a[]=x&a[]=y"),
            (b"b=1", {("a", "c"): 1.5}, b"b=1&a[c]=1.5"),
            (b"b=1", {("a",): [{"c": 1}, {"c": 2}]}, b"b=1&a[0][c]=1&a[1][c]=2"),
            (b"p=%7B%22a%22%3A1.0%7D", {("p", "b"): 2}, b"p=%7B%22a%22%3A1.0%2C%22b%22%3A2%7D"),
        ):
            self.assertEqual(urlencoded(text).changed(members)[0], wanted, text)

    def test_multipart(self) -> None:
        """A member of a field of JSON is set inside of it; files go up as they came."""
        session = b'{"type": "realtime", "n":1.0}'
        form = read_multipart(parts(part(b"sdp", b"v=0"), part(b"session", session), FILE), PART)
        body, kind = form.changed({("session", "model"): "m", ("n",): 1})
        self.assertEqual(kind, PART)
        json_head = b"\r\nContent-Type: application/json"
        wanted = parts(
            part(b"sdp", b"v=0"),
            FILE,
            part(b"n", b"1"),
            part(b"session", session[:-1] + b',"model":"m"}', b"", json_head),
        )
        self.assertEqual(body, wanted)
        body, _ = read_multipart(parts(), PART).changed({("session", "model"): "m"})
        self.assertEqual(body, parts(part(b"session", b'{"model":"m"}', b"", json_head)))

    def test_no_room(self) -> None:
        """A list and a file have no members to set, nor has a text that is no JSON."""
        self.assertRaises(BodyNotAllowed, urlencoded(b"a[]=1").changed, {("a", "b"): 1})
        self.assertRaises(
            BodyNotAllowed, read_multipart(parts(FILE), PART).changed, {("f", "b"): 1}
        )
        self.assertRaises(InvalidJson, urlencoded(b"a=x").changed, {("a", "b"): 1})
        held = read_multipart(parts(), PART)
        self.assertRaises(BodyNotAllowed, held.changed, {("a",): "x\r\n--xYz"})

    def test_inner(self) -> None:
        """A text read as JSON, as strictly as a body."""
        form = urlencoded(b"a=%7B%22b%22%3A1%7D&c=%7B%22b%22%3A1%2C%22b%22%3A2%7D&d[e]=1")
        self.assertEqual(form.inner("a"), {"b": 1})
        self.assertRaises(BodyNotAllowed, form.inner, "c")
        self.assertRaises(BodyNotAllowed, form.inner, "d")

    def test_replaced(self) -> None:
        """What a callable returns; files are those that came."""
        form = read_multipart(parts(part(b"a", b"1"), FILE), PART)
        body, _ = form.replaced({**form.value, "b": True})
        self.assertEqual(body, parts(part(b"a", b"1"), FILE, part(b"b", b"true")))
        self.assertRaises(ValueError, form.replaced, {"f": Upload("a.bin", "", 2)})
        self.assertRaises(ValueError, form.replaced, {"a": None})


NAMES = st.text("abcXYZ019_-", min_size=1, max_size=5).filter(lambda name: not name.isdigit())
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
TREES = st.dictionaries(
    NAMES,
    TEXTS | st.lists(TEXTS, min_size=1, max_size=3) | st.dictionaries(NAMES, TEXTS, min_size=1),
    max_size=4,
)


def folded_once(tree: dict[str, Any]) -> bool:
    """Whether no two names of one level are spellings of one another."""
    levels = [tree, *(each for each in tree.values() if isinstance(each, dict))]
    flat = [[name.casefold() for name in level] for level in levels]
    return all(len(set(names)) == len(names) for names in flat) and not (
        {"_method", "_charset_"} & {name.lower() for level in levels for name in level}
    )


class PropertyTests(SynchronousTestCase):
    @given(TREES.filter(folded_once))
    def test_what_is_written_is_read(self, tree: dict[str, Any]) -> None:
        """Both kinds of form say what they were written to say."""
        body, _ = urlencoded(b"").replaced(tree)
        self.assertEqual(urlencoded(body).value, tree)
        try:
            body, kind = read_multipart(parts(), PART).replaced(tree)
        except BodyNotAllowed:
            return
        self.assertEqual(read_multipart(body, kind).value, tree)

    @given(TREES.filter(folded_once), NAMES, TEXTS)
    def test_changed(self, tree: dict[str, Any], name: str, text: str) -> None:
        """Read again, it is what it was with the member set; other pairs stand as they did."""
        spelled = {each.casefold(): each for each in tree}
        if spelled.get(name.casefold(), name) != name or name.lower() in ("_method", "_charset_"):
            return
        body, _ = urlencoded(b"").replaced(tree)
        after, _ = urlencoded(body).changed({(name,): text})
        self.assertEqual(urlencoded(after).value, {**tree, name: text})
        kept = [
            pair
            for pair in body.split(b"&")
            if parse_qsl(pair.decode(), True)
            and parse_qsl(pair.decode(), True)[0][0].partition("[")[0] != name
        ]
        self.assertEqual(after.split(b"&")[: len(kept)], kept)


class BoundTests(SynchronousTestCase):
    def test_words_of_the_server(self) -> None:
        """A form that is full takes no more: PHP and qs would drop what comes last, the server's.

        A word in the place of the page's own field still has room.
        """
        form = urlencoded(b"&".join(b"m[k%d]=" % number for number in range(1000)))
        error = self.assertRaises(BodyNotAllowed, form.changed, {("m", "shop"): "berlin"})
        self.assertIn("more than 1000 fields", error.message)
        self.assertIn(b"m[k7]=berlin", form.changed({("m", "k7"): "berlin"})[0])
