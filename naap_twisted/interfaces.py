"""Every interface of the house, in one file: the seams along which it is taken apart and tested.

What Twisted looks for at run time is a zope interface; everything else is a ``Protocol``, so that a
class fits by its methods and type checkers see both sides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest, IResponse
from twisted.web.resource import IResource
from zope.interface import Attribute

from .errors import ProxyError
from .model import Answer, KeyInfo, OutboundRequest, PageGrant, RateDecision, RouteCors, User
from .secret import Secret

if TYPE_CHECKING:
    from twisted.web.server import Request

Usage = TypeVar("Usage", contravariant=True)
Question = TypeVar("Question", contravariant=True)
Totals = TypeVar("Totals")


class IHeadResource(IResource):
    """A resource that renders at the end of the request's *headers*.

    Our site renders every other resource once the whole body is there, as twisted.web does, so
    that ``request.content`` and ``request.args`` work for it. A provider of this interface gets
    the request earlier and reads ``request.body`` itself.
    """


class IDownstreamRequest(IRequest):
    """The browser's request on our site: a ``twisted.web.server.Request`` with some more things."""

    body: IRequestBody = Attribute("The request body as a stream: an IRequestBody.")
    record = Attribute("The naap_twisted.downstream.record.ExchangeRecord of this exchange.")
    finished = Attribute("True once the answer is out, whoever gave it.")
    outer = Attribute(
        "The beginning of the request's path that belongs to resources above this server; uri and"
        " path go on behind it. Paths that a caller is told begin with it."
    )
    relayed = Attribute("True once the answer is an upstream's: its bytes must not be touched.")
    compression = Attribute("Callable[[request], encoder | None] for an answer of ours, or None.")

    def render(resource: IResource) -> None:
        """Let *resource* answer: at once if it is an IHeadResource, else when the body is in."""

    def refuse(error: ProxyError) -> None:
        """Send a ProxyError as the contract's JSON answer and finish. No-op once a head is out."""

    def notifyFinish() -> Deferred[None]:
        """Deferred that fires with None when the answer is out, and fails when the browser left."""

    def processingFailed(reason: Failure) -> Failure:
        """Log a Failure of a handler and answer with a fixed text."""

    def registerProducer(producer: IPushProducer, streaming: bool) -> None:
        """Flow control of the answer's body, as twisted.web.http.Request has it."""

    def unregisterProducer() -> None:
        """The answer's body is complete, or over."""

    def when_gone(callback: Callable[[], object]) -> None:
        """Call *callback*, without arguments, if the browser leaves before the answer is out."""

    def abort() -> None:
        """Cut the connection: an answer that began can not be completed."""


class Sink(Protocol):
    """A consumer of one request body."""

    def dataReceived(self, data: bytes) -> None:
        """Take a piece of the body."""

    def bodyEnded(self) -> None:
        """The body has been delivered completely."""

    def bodyFailed(self, error: Exception) -> None:
        """The body will never be complete."""


class IRequestBody(Protocol):
    """A request body on its way in, with back-pressure to the browser's socket.

    :ivar length: declared bytes (Content-Length), or ``None`` for a chunked body.
    :ivar received: bytes taken from the wire so far.
    :ivar complete: all of it has been received.
    """

    length: int | None
    received: int
    complete: bool

    def collect(self, limit: int) -> Deferred[bytes]:
        """The whole body; fails with BodyTooLarge past *limit*, at once if declared.

        Unavailable where the server holds too many bytes of such bodies.
        """

    def read_all(self, limit: int) -> bytes | Deferred[bytes]:
        """As collect, but the bytes themselves where all of them have been received."""

    def start(self, sink: Sink) -> None:
        """Deliver to *sink*: dataReceived(bytes)*, then bodyEnded() or bodyFailed(error)."""

    def discard(self) -> None:
        """Nobody will read this any more."""

    def pause(self) -> None:
        """Stop delivery soon: stop reading from the browser."""

    def resume(self) -> None:
        """Go on."""


class IRouteTable(Protocol):
    """What the CORS wrapper may know of the routes behind it."""

    def cors_for(self, path: bytes) -> RouteCors | None:
        """What a preflight for a raw request path may allow; None where no route is."""


@runtime_checkable
class IAuthenticator(Protocol):
    """Request -> user. The seam that session, JWT and users' own authentication stand behind."""

    def authenticate(self, request: Request) -> User | Awaitable[User | None] | None:
        """The user, or None without credentials; or a Deferred or coroutine of one of these.

        Raises errors.InvalidToken for credentials that do not verify, errors.Unavailable when
        that can't be told now.
        """


class ISessionStore(Protocol):
    """Sessions that several processes remember together. It fails with nothing: it may forget."""

    def get(self, digest: bytes) -> Awaitable[tuple[User, float] | None]:
        """The user and the seconds left for a token's SHA-256 digest, or None."""

    def put(self, digest: bytes, user: User, seconds: float) -> Coroutine[Deferred[Any], Any, None]:
        """Keep *user* for at most *seconds*."""


class IRateLimiter(Protocol):
    """Counts requests against a RateLimit; one instance per limit."""

    def hit(self, key: str) -> RateDecision | Deferred[RateDecision]:
        """Count one request of *key*."""


@runtime_checkable
class IKeyStore(Protocol):
    """Users' own API keys. Each method's Deferred may also fail with errors.Unavailable."""

    def get(self, user_id: str, provider: str) -> Deferred[Secret]:
        """The user's key; fails with errors.NoUserKey where there is none."""

    def put(self, user_id: str, provider: str, key: Secret) -> Deferred[KeyInfo]:
        """Keep *key*; fires once it is safe.

        Fails with errors.TooManyKeys.
        """

    def delete(self, user_id: str, provider: str) -> Deferred[bool]:
        """Whether there was one."""

    def describe(self, user_id: str) -> Deferred[tuple[KeyInfo, ...]]:
        """The user's keys, by provider."""


class IPageTokenStore(Protocol):
    """What processes of one server share of page tokens: revocations, and counts of uses."""

    async def revoke(self, token_id: str, sub: str, at: int) -> None:
        """Remember a revocation; see auth.revocations.Revocation.

        Raises errors.Unavailable where the others do not get to know of it.
        """

    async def spend(self, sub: str, grant: PageGrant) -> None:
        """Let a token pass, and count a use of it if only some are left.

        Raises errors.InvalidToken where it is revoked or used up; Unavailable where that can't be
        told.
        """


class IUsageStore(Protocol[Usage, Question, Totals]):
    """Sums of what callers used: mappings of spend.counts.UsageKey to Counts, and spend.totals.

    Each method's Deferred may fail with errors.Unavailable.
    """

    def add(self, usage: Usage) -> Deferred[None]:
        """Add *usage* to the sums; fires once it is safe."""

    def totals(self, question: Question) -> Deferred[Totals]:
        """The sums that are asked for; their number is bounded by the question."""


class IResolver(Protocol):
    """Host name to addresses."""

    def resolve(self, host: str) -> Deferred[Answer]:
        """Every A and AAAA record, at least one.

        Fails with upstream.resolver.NoAddress, a BadGateway, where the name has none, and with
        Unavailable where nothing can be asked now. Any other failure is no answer: while somebody
        waits, the name is asked for once more. It has to end some time, also when all have left.
        """


@runtime_checkable
class IUpstream(Protocol):
    """The API side: sends what was vetted, and only that."""

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """The response, at the end of its head.

        Where *outbound* has a ``request_target``, that goes to the wire instead of its target's
        path and query, which have no key in them.
        Cancelling it, or ``abort()`` of the body's transport, ends the upstream exchange at once.
        Fails with errors.BadGateway, UpstreamTimeout, AddressNotAllowed or Unavailable.
        The request body's own failure (a browser that left, BodyTooLarge) passes through unchanged.
        """

    def close(self) -> Deferred[None]:
        """Drop idle connections; fires when they are gone."""
