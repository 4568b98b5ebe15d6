"""``POST /console/explain``: would this request pass, why not, and what line would change that.

Nothing is decided here: the site itself answers the preflight, the route's own rooms judge the
target, the server's own resolver is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen
from twisted.internet.interfaces import IReactorTime

from ..errors import BadRequest, MethodNotAllowed, NotFound, OriginNotAllowed
from ..headers import is_token
from ..route.explain import Step, explain
from ..route.spine import MountedProxy
from ..server.mounts import Mount
from ..wrappers.origins import Origins, parse_origin
from ..wrappers.remedies import Problem, method_refused
from .hints import line_for
from .preflight import Need, need_of, problems_of
from .replay import Reply, replay
from .setup import authority_of, own_origins

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

# What the site's framing takes: a longer one would be refused before anybody asks who may call.
_MOST_HEADERS, _LONGEST_NAME, _LONGEST_METHOD = 100, 256, 32


@frozen
class Question:
    """What is asked about.

    :ivar route: a route's full path.
    :ivar url: the target; on a pinned route what follows the route's path.
    :ivar origin: of the page; ``""`` for no page.
    :ivar credentials: cookies go along.
    """

    route: str
    method: str = "POST"
    url: str = ""
    origin: str = ""
    headers: Mapping[str, str] = Factory(dict)
    credentials: bool = False

    @classmethod
    def read(cls, document: Any) -> Question:
        """From the JSON document of a request.

        :raises BadRequest: a field that is missing, unknown, of another type, or can't be sent.
        """
        if not isinstance(document, dict) or "route" not in document:
            raise BadRequest('Expected a JSON object with "route"')
        for name, value in document.items():
            if name not in _KINDS:
                raise BadRequest(f"Unknown field; known are {', '.join(_KINDS)}")
            kind, words = _KINDS[name]
            if not isinstance(value, kind):
                raise BadRequest(f'"{name}" must be {words}')
        question = cls(**document)
        question._check()
        return question

    def _check(self) -> None:
        if not is_token(self.method) or len(self.method) > _LONGEST_METHOD:
            raise BadRequest('"method" is not an HTTP method')
        if self.origin not in ("", "null") and parse_origin(self.origin) != self.origin:
            raise BadRequest('"origin" must be as a browser sends it: scheme, host and port')
        if len(self.headers) > _MOST_HEADERS:
            raise BadRequest(f'"headers" has more than {_MOST_HEADERS} names')
        for name, value in self.headers.items():
            if not is_token(name) or not isinstance(value, str):
                raise BadRequest('"headers" must be an object of header names and text')
            if len(name) > _LONGEST_NAME or not {*"\r\n\0"}.isdisjoint(value):
                raise BadRequest('"headers" has one that no browser or server would take')


_TEXT = (str, "text")
_KINDS: dict[str, tuple[type, str]] = {
    "route": _TEXT,
    "method": _TEXT,
    "url": _TEXT,
    "origin": _TEXT,
    "headers": (dict, "an object of header names and text"),
    "credentials": (bool, "true or false"),
}


@frozen
class Judged:
    """A step, and the config line that would let it pass."""

    step: Step
    line: str | None = None


async def decide(server: PluginServer, question: Question, clock: IReactorTime) -> dict[str, Any]:
    """The answer's document.

    :raises NotFound: no such route.
    """
    mount, proxy = _find(server, question)
    asked = Asked.of(server, mount, question)
    judged = [*asked.steps(mount), *await _target_steps(server, proxy, question, clock)]
    refused = next((each for each in judged if not each.step.passed), None)
    error = None if refused is None else refused.step.error
    return {
        "allowed": refused is None,
        "code": None if error is None else error.code,
        "message": None if error is None else error.message,
        "steps": [
            {"name": each.step.name, "passed": each.step.passed, "text": each.step.text}
            for each in judged
        ],
        "hint": None if refused is None else refused.line,
        "preflight": asked.document(),
    }


async def _target_steps(
    server: PluginServer, proxy: MountedProxy, question: Question, clock: IReactorTime
) -> list[Judged]:
    resolver = server.parts.upstream.resolver
    url = question.url.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return [
        Judged(step, None if step.passed else line_for(proxy, step, url))
        for step in await explain(proxy, url, resolver, clock)
    ]


@frozen
class Asked:
    """What the site says to the page: its preflight, replayed.

    :ivar reply: ``None`` where no other origin asks, or the site does not answer at once.
    :ivar origin_line: the config line that would let the origin in.
    :ivar listed: it is let in already.
    """

    question: Question
    need: Need
    sent: tuple[tuple[str, str], ...]
    reply: Reply | None
    problems: tuple[Problem, ...]
    origin_line: str | None = None
    listed: bool = False

    @classmethod
    def of(cls, server: PluginServer, mount: Mount, question: Question) -> Asked:
        """Ask it."""
        own = own_origins(server)
        need = need_of(question.method, question.headers, question.origin, own)
        if not need.foreign:
            return cls(question, need, (), None, ())
        sent = [("Origin", question.origin), ("Access-Control-Request-Method", need.method)]
        if need.names:
            sent.append(("Access-Control-Request-Headers", ",".join(need.names)))
        where = own[0] if own else "http://localhost"
        reply = replay(
            server.site(),
            "OPTIONS",
            mount.full_path,
            [("Host", authority_of(where)), *sent],
            secure=where.startswith("https:"),
        )
        options = server.parts.options
        origins = Origins(options.cors_origins)
        problems = [Problem("The server refuses new connections now")]
        if reply is not None:
            problems = problems_of(
                reply,
                need,
                question.origin,
                origins=origins,
                cors_headers=options.cors_headers,
                credentials=question.credentials,
            )
        origin = question.origin.encode("ascii")  # it was parsed
        line, listed = origins.line_allowing(origin), origins.allows(origin)
        return cls(question, need, tuple(sent), reply, tuple(problems), line, listed)

    def steps(self, mount: Mount) -> list[Judged]:
        """Whether the page, and the method, get as far as the route."""
        steps = []
        if self.reply is not None:
            allowed = self.reply.values("access-control-allow-origin")
            if allowed in (["*"], [self.question.origin]):
                text = f"cors_origins lets {self.question.origin} in"
                steps.append(Judged(Step("origin", True, text)))
            elif self.listed:  # it was refused before CORS had its say
                steps.append(Judged(Step("origin", False, self.problems[0].text)))
            else:
                text = f"{self.question.origin} is not in cors_origins"
                step = Step("origin", False, text, OriginNotAllowed())
                steps.append(Judged(step, self.origin_line))
        method, methods = self.need.method, mount.methods
        if method in methods or method == "OPTIONS":
            return [*steps, Judged(Step("method", True, f"{method} is proxied"))]
        text = f"{method} is not in methods ({', '.join(methods)})"
        line = method_refused(method, methods).line
        return [*steps, Judged(Step("method", False, text, MethodNotAllowed()), line)]

    def document(self) -> dict[str, Any]:
        """The preflight's part of the answer."""
        return {
            "needed": self.need.needed,
            "why": self.need.why,
            "request": [list(pair) for pair in self.sent],
            "status": None if self.reply is None else self.reply.status,
            "headers": [] if self.reply is None else [list(pair) for pair in self.reply.headers],
            "allowed": not self.problems,
            "problems": [{"text": each.text, "hint": each.line} for each in self.problems],
            "dropped": [*self.need.dropped],
        }


def _find(server: PluginServer, question: Question) -> tuple[Mount, MountedProxy]:
    found = [
        (mount, mount.proxy)
        for mount in server.routes()
        if mount.proxy is not None and question.route in (mount.full_path, mount.path)
    ]
    if not found:
        raise NotFound("No such route; GET /console/setup lists them")
    # A path may be mounted once for each method.
    return next((each for each in found if question.method in each[0].methods), found[0])
