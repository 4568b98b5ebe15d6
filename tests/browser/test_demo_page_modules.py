"""The page's pure functions, in the engine that runs them: the modules as the page gets them."""

import json
import subprocess

from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from naap_twisted.page.page import StaticText, demo_children

from .support import BrowserTestCase, Resource, listen

CALL = "async ([file, name, values]) => (await import(`/page/${file}`))[name](...values)"
PARSE = """async (pieces) => {
  const parse = (await import("/page/sse.js")).eventParser();
  return pieces.map(parse);
}"""
READ = """async (pieces) => {
  const { textOf } = await import("/page/stream.js");
  const stream = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new Uint8Array(piece));
      controller.close();
    },
  });
  const texts = [];
  for await (const text of textOf(stream)) texts.push(text);
  return texts.join("");
}"""
# Nothing of the page itself runs here: its modules alone.
BLANK = "<!doctype html><title>blank</title><link rel=icon href=/page/icon.svg>"
HARD = (
    *(
        "plain",
        "",
        "two words",
        "it's",
        "'",
        "''",
        '"',
        "$HOME",
        "$(id)",
        "`id`",
        "a\nb",
        "\\",
        "\\n",
    ),
    *(
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "~",
        "#",
        "!",
        "a;b",
        "a&b",
        "a|b",
        ">x",
        "\t",
        "\u00e9\U0001f600",
    ),
)


class ModuleCase(BrowserTestCase):
    async def begin(self):
        root = Resource()
        for name, child in demo_children("/proxy", "http://127.0.0.1:9/v1", "", "").items():
            root.putChild(name, child)
        root.putChild(b"blank", StaticText(BLANK, "html"))
        port = listen(self, Site(root))
        await self.open()
        await self.browse(lambda page: page.goto(f"http://127.0.0.1:{port}/blank"))

    async def call(self, file, name, *values):
        return await self.browse(lambda page: page.evaluate(CALL, [file, name, list(values)]))


class SseTests(ModuleCase):
    async def test_events(self):
        """Events end with an empty line, whatever its kind; other fields and comments are none."""
        await self.begin()
        for text, events in [
            ("data: a\n\n", ["a"]),
            ("data: a\n\ndata: b\n\n", ["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
            ("data: a\ndata:b\n\n", ["a\nb"]),
            ("data:  a \n\n", [" a "]),
            ("data\n\n", [""]),
            (": comment\n\nid: 1\n\n", []),
            ("event: x\nid: 1\ndata: a\n\n", ["a"]),
            ("dataset: a\n\n", []),
            ("data: a\n", []),
        ]:
            whole = await self.browse(lambda page, text=text: page.evaluate(PARSE, [text]))
            self.assertEqual(whole, [events], repr(text))
            pieces = await self.browse(lambda page, text=text: page.evaluate(PARSE, list(text)))
            self.assertEqual([one for some in pieces for one in some], events, repr(text))

    async def test_text(self):
        """A character that two pieces share is one character; half of one is not lost."""
        await self.begin()
        euro = list("\u20ac".encode())
        for pieces, text in [
            ([euro[:1], euro[1:]], "\u20ac"),
            ([[97], euro[:2]], "a\ufffd"),
        ]:
            read = await self.browse(lambda page, pieces=pieces: page.evaluate(READ, pieces))
            self.assertEqual(read, text)


class CurlTests(ModuleCase):
    async def test_shell_words(self):
        """A quoted word is that word to a POSIX shell, and one word."""
        await self.begin()
        quoted = [await self.call("curl.js", "shellQuoted", word) for word in HARD]
        command = "printf '%s\\0' " + " ".join(quoted)
        done = await deferToThread(
            subprocess.run, ["sh", "-c", command], capture_output=True, timeout=30
        )
        self.assertEqual(done.stdout.decode().split("\0")[:-1], list(HARD))

    async def test_options(self):
        """Each part of a request has its option; what curl would read otherwise is guarded."""
        await self.begin()
        for request, wanted, unwanted in [
            ({"method": "GET"}, [], ["-X", "--data"]),
            ({"method": "POST", "body": "{}"}, ["--data-raw '{}'"], ["-X"]),
            ({"method": "POST", "body": "@file"}, ["--data-raw @file"], []),
            ({"method": "POST", "body": ""}, ["--data-raw ''"], ["-X"]),
            ({"method": "DELETE"}, ["-X DELETE"], ["--data"]),
            ({"method": "HEAD"}, ["--head"], ["-X"]),
            ({"method": "GET", "url": "http://h/[a]"}, ["--globoff"], []),
            (
                {"method": "GET", "headers": [["A", "b c"], ["E", ""]]},
                ["-H 'A: b c'", "-H 'E;'"],
                [],
            ),
        ]:
            full = {"url": "http://h/", "headers": [], "body": None, **request}
            command = await self.call("curl.js", "curlOf", full)
            for text in wanted:
                self.assertIn(text, command)
            for text in unwanted:
                self.assertNotIn(text, command)

    async def test_fetch_bodies(self):
        """JSON is shown as an object only where that loses nothing; names are never dropped."""
        await self.begin()
        for body, wanted in [
            ('{"a":1}', 'body: JSON.stringify({\n    "a": 1\n  }),'),
            ('{"a":1.0}', 'body: "{\\"a\\":1.0}",'),
            ('{"a":1,"a":2}', 'body: "{\\"a\\":1,\\"a\\":2}",'),
            ('{"__proto__":1}', 'body: "{\\"__proto__\\":1}",'),
            ("v=0\r\n", 'body: "v=0\\r\\n",'),
        ]:
            request = {"method": "POST", "url": "/x", "headers": [], "body": body}
            self.assertIn(wanted, await self.call("curl.js", "fetchOf", request))
        twice = [["A", "1"], ["a", "2"]]
        request = {"method": "GET", "url": "/x", "headers": twice, "body": None}
        self.assertIn('"2"', await self.call("curl.js", "fetchOf", request))


class WhipTests(ModuleCase):
    async def test_ice_servers(self):
        """Link lines name the ICE servers, with what they ask for; other links are none."""
        await self.begin()
        for link, servers in [
            (None, []),
            ('<https://h/>; rel="next"', []),
            ('<stun:h:1>; rel="ice-server"', [{"urls": "stun:h:1"}]),
            (
                '<stun:h:1>; rel=ice-server, <turn:h:2?transport=udp>; rel="ice-server"; '
                'username="u"; credential="c"; credential-type="password"',
                [
                    {"urls": "stun:h:1"},
                    {"urls": "turn:h:2?transport=udp", "username": "u", "credential": "c"},
                ],
            ),
        ]:
            self.assertEqual(await self.call("whip.js", "iceServersOf", link), servers)


class FailureTests(ModuleCase):
    async def test_envelope(self):
        """The words of an error, the upstream's own where the proxy quotes them."""
        await self.begin()
        quoted = json.dumps({"error": {"message": "slow"}})
        for text, said in [
            ("", None),
            ("no JSON", None),
            ("{}", None),
            ('{"error":{"message":"m","code":"C"}}', {"message": "m", "code": "C"}),
            ('{"error":{"message":"m"}}', {"message": "m", "code": None}),
            (
                json.dumps({"error": {"message": f"said 429: {quoted}", "code": "C"}}),
                {"message": "said 429: slow", "code": "C"},
            ),
            (
                '{"error":{"message":"said {x}","code":"C"}}',
                {"message": "said {x}", "code": "C"},
            ),
        ]:
            self.assertEqual(await self.call("failure.js", "envelopeOf", text), said, text)
