"""``naap-proxy learn``: logs in, TOML out; and on stderr, what was read and what was not."""

from __future__ import annotations

import io
import sys
import tomllib

from twisted.logger import Logger, textFileLogObserver

from naap_twisted.observe.log import json_observer
from naap_twisted.policy.learned import NAMESPACE, Sighting
from naap_twisted.start import cli
from naap_twisted.start.learn import messages
from tests.start.test_cli import CliCase

CHAT = Sighting("/api/v1/openai", "POST /chat/completions", members=("messages", "model"))
LIST = Sighting("/api/v1/openai", "GET /models", query=("limit",))
CHARGE = Sighting("/api/v1/stripe", "POST /v1/charges", members=("amount",))
OBSERVERS = (textFileLogObserver, json_observer)


def written(observer, *sightings):
    """A log of *sightings*, with a line of another kind before each."""
    out = io.StringIO()
    for sighting in sightings:
        Logger("naap.access", observer=observer(out)).info("{line}", line='{"status":200}')
        Logger(NAMESPACE, observer=observer(out)).info("{text}", text=sighting.text)
    return out.getvalue()


class LearnTests(CliCase):
    def learn(self, *arguments):
        """The exit status, and what was printed."""
        status = cli.main(["learn", *arguments])
        return status, self.out.getvalue(), self.err.getvalue()

    def test_both_forms(self) -> None:
        """The text of twistd and the JSON lines of --logger say the same."""
        for observer in OBSERVERS:
            self.out.truncate(0)
            self.out.seek(0)
            status, out, err = self.learn(self.config(written(observer, CHAT, LIST, CHAT)))
            self.assertEqual(status, 0)
            found = tomllib.loads(out)
            self.assertEqual(found["endpoints"], ["POST /chat/completions", "GET /models"])
            self.assertIn('"messages",   # POST /chat/completions\n', out)
            self.assertIn(": 6 lines, 3 of them of observing routes\n", err)

    def test_merged(self) -> None:
        """Several logs, one of them from standard input, are one; each route has its part."""
        stdin = io.TextIOWrapper(io.BytesIO(written(OBSERVERS[1], LIST).encode() + b"\xff\n"))
        self.patch(sys, "stdin", stdin)
        status, out, _ = self.learn(self.config(written(OBSERVERS[0], CHAT, CHARGE)), "-")
        self.assertEqual(status, 0)
        openai, stripe = out.split("\n\n")
        self.assertIn("# /api/v1/openai: ", openai)
        self.assertEqual(len(tomllib.loads(openai)["endpoints"]), 2)
        self.assertIn('"amount",', stripe)

    def test_route(self) -> None:
        """One route by its path, or by the end of it, as a config writes it."""
        log = self.config(written(OBSERVERS[0], CHAT, CHARGE))
        for path in ("/api/v1/stripe", "/stripe"):
            self.out.truncate(0)
            self.out.seek(0)
            status, out, _ = self.learn(log, "--route", path)
            self.assertEqual((status, tomllib.loads(out)["endpoints"]), (0, ["POST /v1/charges"]))
        status, _, err = self.learn(log, "--route", "/other")
        self.assertEqual(status, 1)
        self.assertIn("nothing was seen on /other; there is '/api/v1/openai', '/api/v1/str", err)

    def test_nothing(self) -> None:
        """A log of no observing route: said, with another status."""
        status, out, err = self.learn(self.config("a line\n"))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("1 lines, 0 of them", err)
        self.assertIn("nothing was seen on a route with observe = true\n", err)

    def test_no_log(self) -> None:
        """A file that can't be read is named."""
        status, out, err = self.learn("no-such.log")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, "no-such.log: No such file or directory\n")

    def test_left_out(self) -> None:
        """Lines that were cut or changed are counted, the first ones with their places."""
        bad = (
            *('{"route": "/a", "endpo', '{"route": "/a"}', "", "3", "[" * 100_000),
            '{"route": "/a", "endpoint": "GET no path"}',
        )
        log = "".join(f"2026-01-01T00:00:00+0000 [{NAMESPACE}#info] {text}\n" for text in bad)
        status, out, err = self.learn(self.config(log + written(OBSERVERS[0], CHAT)))
        self.assertEqual(status, 0)
        self.assertIn("POST /chat", out)
        self.assertEqual(err.count(": left out, "), 5)
        self.assertIn(f"8 lines, 1 of them of observing routes; {len(bad)} were left out\n", err)

    def test_names_are_bounded(self) -> None:
        """Whoever wrote a line, no more than plain names get into a config."""
        odd = Sighting("/a\n[auth]", "GET /b", members=("x" * 200, '"]\nmode = "none'))
        status, out, _ = self.learn(self.config(written(OBSERVERS[0], odd)))
        self.assertEqual(status, 0)
        self.assertEqual(set(tomllib.loads(out)), {"endpoints", "query"})


class MessageTests(CliCase):
    def test_prefixed(self) -> None:
        """A journal writes its own words before a line."""
        line = f"Jan 01 host twistd[7]: 2026-01-01T00:00:00+0000 [{NAMESPACE}#info] {CHAT.text}\n"
        self.assertEqual(list(messages(line)), [CHAT.text])

    def test_other_loggers(self) -> None:
        """A line of another logger holds what callers sent; it is no sighting for that."""
        fake = f"[{NAMESPACE}#info] {CHAT.text}"
        for observer in OBSERVERS:
            out = io.StringIO()
            Logger("naap.access", observer=observer(out)).info("{line}", line=fake)
            Logger("naap.access", observer=observer(out)).warn("{line}", line=f"a\n{fake}")
            for line in out.getvalue().splitlines():
                with self.subTest(line=line):
                    self.assertEqual(list(messages(line)), [])
        for line in (f'{{"system": "x", "message": "{NAMESPACE}"}}', f'{{"{NAMESPACE}', NAMESPACE):
            self.assertEqual(list(messages(line)), [])
