"""Readers in four languages are asked what the bodies say that pass: the value that was judged.

Each is the one that servers in its language use. A reader may refuse a body that passes here; it
may not read another value from it.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import unittest
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qsl

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import Upload
from naap_twisted.documents.reader import read_document

from ..body_vectors import ACCEPTED, FORM, JSON

PATIENCE = 120
FAILED = "(failed)"
HERE = Path(__file__).parent / "readers"
DOCUMENTS = [(kind, body) for kind, body, value in ACCEPTED if isinstance(value, dict) and body]
#: More that passes, for the readers alone.
DOCUMENTS += [
    (JSON, b'{"a":1,"A":2,"b":{"a":3,"A":4}}'),
    (JSON, b'{"amount":5e3,"currency":"eur","n":1.0}'),
    (JSON, b'{"a":"\\u2028\\u2029\\ufeff","b":"\xef\xbb\xbf"}'),
    (JSON, b'{"a":-1.25e-7,"b":123456.789,"c":2251799813685249.5}'),
    (FORM, b"amount=5000&currency=eur&metadata[order]=a+b%2Bc&items[0][price]=p&items[1][price]=q"),
    (FORM, b"a=%20+%09%0a&b=%E2%82%AC&c=%F0%9F%98%80&d=%25zz"),
    (FORM, b"0=a&1=b&10=c"),
]


def program(name: str) -> str:
    """The path of a language's program.

    :raises SkipTest: it is not installed; in CI that is a failure.
    """
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is not installed, and CI installs it")
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def run(*command: str) -> list[Any]:
    """What a reader makes of :data:`DOCUMENTS`."""
    asked = [
        {"type": kind.decode("latin-1"), "body": base64.b64encode(body).decode()}
        for kind, body in DOCUMENTS
    ]
    text = json.dumps(asked).encode()
    done = subprocess.run(command, input=text, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode()[-2000:])
    answers: list[Any] = json.loads(done.stdout)
    return answers


def plain(value: Any) -> Any:
    """*value* as all languages have it: one kind of number, and what is counted is a list."""
    if isinstance(value, Upload):
        return FAILED
    if isinstance(value, dict):
        items = {str(name): plain(each) for name, each in value.items()}
        counted = list(items) == [str(number) for number in range(len(items))]
        return [*items.values()] if counted else items
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def flat(fields: Any) -> dict[str, list[str]]:
    """The texts of a form by their whole names."""
    found: dict[str, list[str]] = {}
    for field in fields:
        if not isinstance(field.value, Upload):
            found.setdefault(field.name, []).append(str(field.value))
    return found


class ReaderTests(SynchronousTestCase):
    def compare(self, answers: list[Any], *, nested: bool) -> None:
        """Every answer is the value that was judged, or none; most are there.

        :param nested: the reader takes a form's names apart.
        """
        self.assertEqual(len(answers), len(DOCUMENTS))
        read = {"json": 0, "form": 0}
        for (kind, body), answer in zip(DOCUMENTS, answers, strict=True):
            if answer == FAILED:
                continue
            document: Any = read_document(body, kind)
            is_json = "json" in kind.decode("latin-1").lower()
            value = document.value if is_json or nested else flat(document.fields)
            if not is_json:
                value = {name: each for name, each in value.items() if plain(each) != FAILED}
                # An empty file input is no file to Go, and a field without a text.
                answer = {name: each for name, each in dict(answer).items() if each != [""]}
                value = {name: each for name, each in value.items() if each != [""]}
            with self.subTest(kind=kind, body=body):
                self.assertEqual(plain(answer), plain(value))
            read["json" if is_json else "form"] += 1
        self.assertGreater(read["json"], 25)
        self.assertGreater(read["form"], 25)

    def test_python(self) -> None:
        """json, urllib.parse and email."""
        answers = [_python(kind.decode("latin-1"), body) for kind, body in DOCUMENTS]
        self.compare(answers, nested=False)

    def test_node(self) -> None:
        """JSON.parse, URLSearchParams and FormData."""
        self.compare(run(program("node"), str(HERE / "reader.js")), nested=False)

    def test_go(self) -> None:
        """encoding/json into a map, url.ParseQuery and mime/multipart."""
        self.compare(run(self.go(), "map"), nested=False)

    def test_go_ignores_case(self) -> None:
        """encoding/json into a struct, which takes a name in any case: the last one of them.

        A judged member has no other spelling beside it, so the field is the value that was judged.
        """
        seen = 0
        for (kind, body), answer in zip(DOCUMENTS, run(self.go(), "struct"), strict=True):
            value = read_document(body, kind).value
            spelled = [name for name in value if name.casefold() == "a"]
            if b"json" in kind.lower() and spelled == ["a"] and answer != FAILED:
                seen += 1
                self.assertEqual(plain(answer["a"]), plain(value["a"]), body)
        self.assertGreater(seen, 20)

    def go(self) -> str:
        """The Go reader, built for one test."""
        target = Path(self.mktemp()).resolve()
        target.mkdir()
        binary = target / "reader"
        build = [program("go"), "build", "-o", str(binary), str(HERE / "reader.go")]
        env = {**os.environ, "GOCACHE": str(target / "cache"), "GO111MODULE": "off"}
        done = subprocess.run(build, capture_output=True, timeout=PATIENCE, env=env, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return str(binary)

    def test_php(self) -> None:
        """json_decode, and the request's own fields from PHP's server."""
        php = program("php")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [php, "-S", f"127.0.0.1:{port}", str(HERE / "reader.php")]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        ask = _asker(port)
        self.compare([ask(kind, body) for kind, body in DOCUMENTS], nested=True)


def _asker(port: int) -> Callable[[bytes, bytes], Any]:
    """What sends bodies to PHP's server, once it listens."""
    poll = Event()
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            poll.wait(0.05)

    def ask(kind: bytes, body: bytes) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("POST", "/", body, {"Content-Type": kind.decode("latin-1")})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    return ask


def _python(kind: str, body: bytes) -> Any:
    name = kind.partition(";")[0].strip().lower()
    texts: dict[str, list[str]] = {}
    if name == "application/x-www-form-urlencoded":
        for key, value in parse_qsl(body.decode(), keep_blank_values=True):
            texts.setdefault(key, []).append(value)
        return texts
    if name != "multipart/form-data":
        return json.loads(body)
    message: Any = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    for each in message.get_payload() if message.is_multipart() else ():
        if each.get_filename() is None:
            key = each.get_param("name", header="content-disposition")
            texts.setdefault(str(key), []).append(each.get_payload(decode=True).decode())
    return texts
