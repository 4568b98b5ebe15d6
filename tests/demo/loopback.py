"""Real sockets on 127.0.0.1 for the demo's tests."""

import shlex

import treq
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.client import Agent

AUTHORIZATION = "Bearer key-of-these-tests"


def serve(test, site):
    """Listen until *test* ends; gives the base URL."""
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    test.addCleanup(port.stopListening)
    return f"http://127.0.0.1:{port.getHost().port}"


class Tally:
    """The requests that come in at *upstream*'s site, and how their answers end.

    :ivar calls: all of them.
    :ivar completed: those whose answer was sent to its end and is no error.
    :ivar aborts: those whose connection ended before.
    """

    def __init__(self, upstream):
        self.calls = self.completed = self.aborts = 0
        self._site = upstream.site
        upstream.site = self.site

    def site(self):
        site = self._site()
        find = site.getResourceFor

        def find_and_count(request):
            self.calls += 1
            request.notifyFinish().addCallbacks(self._ended, self._cut, (request,))
            return find(request)

        site.getResourceFor = find_and_count
        return site

    def _ended(self, _, request):
        self.completed += request.code < 400

    def _cut(self, _):
        self.aborts += 1


def call(method, url, headers=None, json=None, data=None, key=AUTHORIZATION):
    """One request on its own connection; gives the Deferred of its response."""
    headers = dict(headers or {})
    if key is not None:
        headers["Authorization"] = key
    extra = {"json": json} if json is not None else {"data": data}
    return treq.request(
        method,
        url,
        headers=headers,
        agent=Agent(reactor),
        allow_redirects=False,
        timeout=10,
        **extra,
    )


async def until(condition, tries=500):
    """Let the reactor work until *condition* holds."""
    for _ in range(tries):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("the condition never came true")


def shell_words(command):
    """*command* as a shell splits it; shlex alone keeps the newline of a continued line."""
    return shlex.split(command.replace("\\\n", ""))
