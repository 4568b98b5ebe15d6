"""Multipart forms, as the clients that pages and servers use write them."""

from __future__ import annotations

import shutil
import subprocess
import unittest

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import Upload
from naap_twisted.documents.multipart import read_multipart
from naap_twisted.errors import ProxyError
from tests.body_vectors import PART, part, parts

NAME = "\u00e9 \u4e2d's (1).txt"
WANTED = {
    "model": "whisper-1",
    "tags": ["a", "b"],
    "metadata": {"k": "line 1\r\nline 2 \u00e9"},
    "file": Upload(NAME, "text/plain", 5),
}
NODE = """
const form = new FormData();
form.append("model", "whisper-1");
form.append("tags[]", "a"); form.append("tags[]", "b");
form.append("metadata[k]", "line 1\\r\\nline 2 \\u00e9");
form.append("file", new File(["hello"], process.argv[1], {type: "text/plain"}));
const request = new Request("http://localhost/", {method: "POST", body: form});
request.arrayBuffer().then((body) => {
  process.stdout.write(request.headers.get("content-type") + "\\n");
  process.stdout.write(Buffer.from(body));
});
"""


class WriterTests(SynchronousTestCase):
    def read(self, kind: bytes, body: bytes) -> None:
        """The form says what was put into it."""
        self.assertEqual(read_multipart(body, kind).value, WANTED, body)

    def test_node(self) -> None:
        """Node's FormData, which is the browsers'."""
        node = shutil.which("node")
        if node is None:
            raise unittest.SkipTest("node is not installed")
        done = subprocess.run([node, "-e", NODE, NAME], capture_output=True, timeout=20, check=True)
        kind, _, body = done.stdout.partition(b"\n")
        self.read(kind, body)

    def test_httpx(self) -> None:
        """The client under OpenAI's and Anthropic's libraries."""
        try:
            import httpx
        except ImportError:
            raise unittest.SkipTest("httpx is not installed") from None
        fields = {
            "model": "whisper-1",
            "tags[]": ["a", "b"],
            "metadata[k]": WANTED["metadata"]["k"],
        }
        files = {"file": (NAME, b"hello", "text/plain")}
        request = httpx.Request("POST", "http://localhost/", data=fields, files=files)
        self.read(request.headers["content-type"].encode(), request.read())

    def test_requests(self) -> None:
        """The client under Stripe's library."""
        try:
            import requests
        except ImportError:
            raise unittest.SkipTest("requests is not installed") from None
        fields = [("model", "whisper-1"), ("tags[]", "a"), ("tags[]", "b")]
        fields.append(("metadata[k]", WANTED["metadata"]["k"]))
        files = {"file": (NAME, b"hello", "text/plain")}
        prepared = requests.Request("POST", "http://localhost/", data=fields, files=files).prepare()
        assert isinstance(prepared.body, bytes)
        self.read(prepared.headers["content-type"].encode(), prepared.body)


class BoundTests(SynchronousTestCase):
    def test_many(self) -> None:
        """A million tiny parts, of delimiters, of headers: refused in linear time."""
        for body in (
            parts(*[part(b"a[]", b"")] * 50_000),
            b"--xYz\r\n" * 150_000,
            b"\r\n--xY" * 200_000,
            parts(b"X: y\r\n" * 100_000 + b"\r\n"),
            parts(part(b"a", b"\n" * 1_000_000)),
        ):
            try:
                read_multipart(body, PART)
            except ProxyError as error:
                self.assertLess(len(error.message), 240)


class PartHeaderTests(SynchronousTestCase):
    def test_what_changes_a_part(self) -> None:
        """A part with a coding, a length or a charset that readers differ about is refused."""
        kind = b'multipart/form-data; boundary="b"'
        for header, passes in (
            (b"Content-Length: 1", True),
            (b"Content-Length: 2", False),
            (b"Content-Encoding: gzip", False),
            (b"X-Other: 1", False),
            (b"Content-Type: text/plain; charset=utf-8", True),
            (b"Content-Type: text/plain; charset=utf-8; charset=utf-16", False),
            (b"Content-Type: text/plain; charset =utf-16", False),
            (b"Content-Type: text/plain; charset*=utf-16", False),
        ):
            head = b'Content-Disposition: form-data; name="a"\r\n' + header
            body = b"--b\r\n" + head + b"\r\n\r\nx\r\n--b--\r\n"
            if passes:
                self.assertEqual(read_multipart(body, kind).value, {"a": "x"}, header)
            else:
                self.assertRaises(ProxyError, read_multipart, body, kind)
