"""A running demo, and its printed commands as a stock client sends them."""

import io
import json

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.demo.service import DemoService

from .loopback import Tally, call, shell_words


def parse_curl(command):
    """What a printed command asks for: method, URL, headers, body."""
    words = shell_words(command)
    body = None
    if words[0] == "printf":
        body = words[1].replace(r"\r\n", "\r\n").encode()
        words = words[words.index("|") + 1 :]
    url, options = words[2], words[3:]
    headers, method = {}, None
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        elif option == "-X":
            method = value
        elif option == "-d":
            body = value.encode()
    return method or ("GET" if body is None else "POST"), url, headers, body


class DemoCase(TestCase):
    """Starts a demo for each test.

    :cvar media: whether there is media behind its WebRTC sessions.
    """

    media = False

    def setUp(self):
        self.out = io.StringIO()
        self.demo = DemoService(0, reactor, self.out, media=self.media)
        self.openai, self.whip = Tally(self.demo.openai), Tally(self.demo.whip)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        self.guide = self.demo.guide

    def run_printed(self, command):
        self.assertIn(command, self.out.getvalue())
        method, url, headers, body = parse_curl(command)
        return call(method, url, headers=headers, data=body, key=None)

    def ask(self, model, **members):
        _, url, headers, body = parse_curl(self.guide.chat())
        document = {**json.loads(body), "model": model, **members}
        return call("POST", url, headers=headers, json=document, key=None)
