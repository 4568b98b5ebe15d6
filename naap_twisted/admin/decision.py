"""``POST /console/explain``: would a request pass, why not, and which config line would help.

Nothing is decided here a second time: the site itself answers the preflight, the route's own policy
judges the target, and the server's own resolver looks its name up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import Factory, evolve, frozen
from twisted.internet.interfaces import IReactorTime

from ..errors import BadRequest, HeaderNotAllowed, MethodNotAllowed, NotFound, OriginNotAllowed
from ..headers import is_token
from ..route.cross_site import no_origin
from ..route.explain import Sent, Step, explain
from ..route.request_headers import Fate, HeaderVerdict
from ..route.spine import MountedProxy
from ..server.mounts import Mount
from ..wrappers.origins import Origins, parse_origin
from ..wrappers.remedies import HeaderOption, Problem, method_refused
from .hints import line_for
from .preflight import Need, need_of, problems_of
from .replay import Reply, replay
from .setup import own_origins

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

# The bounds of the site's framing: it refuses a request beyond them before CORS or a route sees it.
_MOST_HEADERS, _LONGEST_NAME, _LONGEST_METHOD = 100, 256, 32


@frozen
class Question:
    """The request that a developer asks about.

    :ivar route: the full path of a route.
    :ivar url: the target's URL; on a pinned route what follows the route's path.
    :ivar origin: the page's origin; ``""`` for a client that is no browser.
    :ivar credentials: whether cookies go along.
    :ivar body: what the route's rules are to judge; a byte that is not UTF-8 as a lone surrogate.
    """

    route: str
    method: str = "POST"
    url: str = ""
    origin: str = ""
    headers: Mapping[str, str] = Factory(dict)
    credentials: bool = False
    body: str | None = None

    @classmethod
    def read(cls, document: Any) -> Question:
        """The question in a JSON *document*.

        :raises BadRequest: a field is missing, unknown, of another type, or can't be sent.
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

    def sent(self, proxy: MountedProxy) -> Sent:
        """What a route judges beside the URL; a body of the route's first type, or of JSON."""
        method = self.method.encode("ascii")
        if self.body is None:
            return Sent(method)
        typed = (value for name, value in self.headers.items() if name.lower() == "content-type")
        first = proxy.options.content_type[0]
        content_type = next(typed, "application/json" if "*" in first else first)
        body = self.body.encode("utf-8", "surrogateescape")
        return Sent(method, body, content_type.encode("latin-1", "replace"))

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
        try:
            (self.body or "").encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise BadRequest('"body" holds a lone surrogate, which no bytes are') from None


_TEXT = (str, "text")
_KINDS: dict[str, tuple[type, str]] = {
    "route": _TEXT,
    "method": _TEXT,
    "url": _TEXT,
    "origin": _TEXT,
    "headers": (dict, "an object of header names and text"),
    "credentials": (bool, "true or false"),
    "body": _TEXT,
}


async def decide(server: PluginServer, question: Question, clock: IReactorTime) -> dict[str, Any]:
    """The JSON document that answers *question*.

    :raises NotFound: there is no such route.
    """
    mount, proxy = _find(server, question)
    asked = Asked.of(server, mount, question)
    # JSON can hold lone surrogates, which no URL can and UTF-8 does not encode.
    url = question.url.encode("utf-8", "replace").decode("utf-8")
    on_target = await explain(
        proxy, url, server.parts.upstream.resolver, clock, question.sent(proxy)
    )
    verdicts = proxy.route.request_rewrite.explain_all(question.headers)
    steps = [
        *asked.steps(mount),
        *(
            step if step.allowed else evolve(step, line=step.line or line_for(proxy, step, url))
            for step in on_target
        ),
        *_header_steps(verdicts),
    ]
    refused = next((step for step in steps if not step.allowed), None)
    error = None if refused is None else refused.error
    return {
        "allowed": refused is None,
        "code": None if error is None else error.code,
        "message": None if error is None else error.message,
        "steps": [{"name": step.name, "passed": step.allowed, "text": step.text} for step in steps],
        "hint": None if refused is None else refused.line,
        "headers": [_fate_in_json(verdict) for verdict in verdicts],
        "preflight": asked.document(),
    }


def _header_steps(verdicts: Sequence[HeaderVerdict]) -> list[Step]:
    """The refusals of headers; what is dropped stops no request."""
    return [
        Step("header", False, f"{found.name} {found.reason}", HeaderNotAllowed(), line=found.line)
        for found in verdicts
        if found.fate is Fate.REFUSED
    ]


def _fate_in_json(found: HeaderVerdict) -> dict[str, str | None]:
    return {
        "name": found.name,
        "fate": found.fate.value,
        "text": found.reason,
        "hint": found.line or None,
    }


@frozen
class Asked:
    """The preflight of the page's request, replayed, and what the site said to it.

    It is replayed for every page of another origin, whether a browser would send it or not: the
    answer tells if the origin is allowed.

    :ivar sent: the headers of the preflight.
    :ivar reply: ``None`` where the origin is the proxy's own, or the site does not answer at once.
    :ivar origins: ``cors_origins``.
    """

    question: Question
    need: Need
    sent: tuple[tuple[str, str], ...]
    reply: Reply | None
    problems: tuple[Problem, ...]
    origins: Origins

    @classmethod
    def of(cls, server: PluginServer, mount: Mount, question: Question) -> Asked:
        """Replay the preflight of *question*, if a browser would send one."""
        own = own_origins(server)
        need = need_of(question.method, question.headers, question.origin, own)
        options = server.parts.options
        origins = Origins(options.cors_origins)
        if not need.foreign:
            return cls(question, need, (), None, (), origins)
        sent = [("Origin", question.origin), ("Access-Control-Request-Method", need.method)]
        if need.names:
            sent.append(("Access-Control-Request-Headers", ",".join(need.names)))
        where = own[0] if own else "http://localhost"
        reply = replay(
            server.site(),
            "OPTIONS",
            mount.full_path,
            [("Host", urlsplit(where).netloc), *sent],
            secure=where.startswith("https:"),
        )
        proxy = mount.proxy
        route = None if proxy is None else evolve(proxy.route.cors, route=mount.full_path)
        problems = [Problem("The server refuses new connections now")]
        if reply is not None:
            problems = problems_of(
                reply,
                need,
                question.origin,
                origins=origins,
                allowing=HeaderOption.of(route, options.cors_headers),
                credentials=question.credentials,
            )
        return cls(question, need, tuple(sent), reply, tuple(problems), origins)

    def steps(self, mount: Mount) -> list[Step]:
        """The verdicts on the page's origin and on the method."""
        steps = []
        if self.reply is not None:
            allowed = self.reply.values("access-control-allow-origin")
            origin = self.question.origin.encode("ascii")  # Question.read has parsed it.
            if allowed in (["*"], [self.question.origin]):
                text = f"cors_origins lets {self.question.origin} in"
                steps.append(Step("origin", True, text))
            elif self.origins.allows(origin):  # A wrapper outside CORS has refused the preflight.
                steps.append(Step("origin", False, self.problems[0].text))
            else:
                text = f"{self.question.origin} is not in cors_origins"
                line = self.origins.line_allowing(origin)
                steps.append(Step("origin", False, text, OriginNotAllowed(), line=line))
        elif not self.question.origin and mount.proxy and mount.proxy.options.require_origin:
            error = no_origin()
            steps.append(Step("origin", False, error.reason, error))
        method, methods = self.need.method, mount.methods
        if method in methods or method == "OPTIONS":
            return [*steps, Step("method", True, f"{method} is proxied")]
        text = f"{method} is not in methods ({', '.join(methods)})"
        line = method_refused(method, methods).line
        return [*steps, Step("method", False, text, MethodNotAllowed(), line=line)]

    def document(self) -> dict[str, Any]:
        """The preflight's part of the answer."""
        return {
            "needed": self.need.needed,
            "why": self.need.why,
            "request": [list(pair) for pair in self.sent],
            "status": None if self.reply is None else self.reply.status,
            "headers": [] if self.reply is None else [list(pair) for pair in self.reply.headers],
            "allowed": not self.problems,
            "problems": [{"text": problem.text, "hint": problem.line} for problem in self.problems],
            "dropped": [*self.need.dropped],
        }


def _find(server: PluginServer, question: Question) -> tuple[Mount, MountedProxy]:
    proxies = [
        (mount, mount.proxy)
        for mount in server.routes()
        if mount.proxy is not None and question.route in (mount.full_path, mount.path)
    ]
    if not proxies:
        raise NotFound("No such route; GET /console/setup lists them")
    # One path may have several mounts, each for other methods.
    return next((pair for pair in proxies if question.method in pair[0].methods), proxies[0])
