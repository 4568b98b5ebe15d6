"""Every interface of the house, in one file: the seams along which it is taken apart and tested."""

from __future__ import annotations

from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from zope.interface import Attribute, Interface


class IHeadResource(IResource):
    """A resource that renders at the end of the request's *headers*.

    Our site renders every other resource once the whole body is there, as twisted.web does, so
    that ``request.content`` and ``request.args`` work for it. A provider of this interface gets
    the request earlier and reads ``request.body`` itself.
    """


class IDownstreamRequest(IRequest):
    """The browser's request on our site: a ``twisted.web.server.Request`` with some more things."""

    body = Attribute("The request body as a stream: an IRequestBody.")
    record = Attribute("The naap_twisted.downstream.record.ExchangeRecord of this exchange.")
    finished = Attribute("True once the answer is out, whoever gave it.")
    relayed = Attribute("True once the answer is an upstream's: its bytes must not be touched.")
    compression = Attribute("Callable[[request], encoder | None] for an answer of ours, or None.")

    def render(resource):  # type: ignore[no-untyped-def]
        """Let *resource* answer: at once if it is an IHeadResource, else when the body is in."""

    def refuse(error):  # type: ignore[no-untyped-def]
        """Send a ProxyError as the contract's JSON answer and finish. No-op once a head is out."""

    def notifyFinish():  # type: ignore[no-untyped-def]
        """Deferred that fires with None when the answer is out, and fails when the browser left."""

    def processingFailed(reason):  # type: ignore[no-untyped-def]
        """Log a Failure of a handler and answer with a fixed text."""

    def registerProducer(producer, streaming):  # type: ignore[no-untyped-def]
        """Flow control of the answer's body, as twisted.web.http.Request has it."""

    def unregisterProducer():  # type: ignore[no-untyped-def]
        """The answer's body is complete, or over."""

    def when_gone(callback):  # type: ignore[no-untyped-def]
        """Call *callback*, without arguments, if the browser leaves before the answer is out."""

    def abort():  # type: ignore[no-untyped-def]
        """Cut the connection: an answer that began can not be completed."""


class IRequestBody(Interface):
    """A request body on its way in, with back-pressure to the browser's socket."""

    length = Attribute("Declared bytes (Content-Length), or None for a chunked body.")
    received = Attribute("Bytes taken from the wire so far.")

    def collect(limit):  # type: ignore[no-untyped-def]
        """Deferred[bytes] of the whole body; BodyTooLarge past *limit*, at once if declared.

        Unavailable where the server holds too many bytes of such bodies.
        """

    def read_all(limit):  # type: ignore[no-untyped-def]
        """As collect, but the bytes themselves where all of them have been received."""

    def start(sink):  # type: ignore[no-untyped-def]
        """Deliver to *sink*: dataReceived(bytes)*, then bodyEnded() or bodyFailed(error)."""

    def pause():  # type: ignore[no-untyped-def]
        """Stop delivery soon: stop reading from the browser."""

    def resume():  # type: ignore[no-untyped-def]
        """Go on."""


class IRouteTable(Interface):
    """What the CORS wrapper may know of the routes behind it."""

    def cors_for(path):  # type: ignore[no-untyped-def]
        """A model.RouteCors for the raw request path (bytes), or None when no route is there."""


class IAuthenticator(Interface):
    """Request -> user. The seam that session, JWT and users' own authentication stand behind."""

    def authenticate(request):  # type: ignore[no-untyped-def]
        """A model.User, None without credentials, or a Deferred or coroutine of one of these.

        Raises errors.InvalidToken for credentials that do not verify, errors.Unavailable when
        that can't be told now.
        """


class ISessionStore(Interface):
    """Sessions that several processes remember together. It fails with nothing: it may forget."""

    def get(digest):  # type: ignore[no-untyped-def]
        """Awaitable of (model.User, seconds left) for a token's SHA-256 digest, or of None."""

    def put(digest, user, seconds):  # type: ignore[no-untyped-def]
        """Keep *user* for at most *seconds*; awaitable of None."""


class IRateLimiter(Interface):
    """Counts requests against a RateLimit; one instance per limit."""

    def hit(key):  # type: ignore[no-untyped-def]
        """Count one request of *key* (str) and return a model.RateDecision, or a Deferred of it."""


class IKeyStore(Interface):
    """Users' own API keys. Each method's Deferred may also fail with errors.Unavailable."""

    def get(user_id, provider):  # type: ignore[no-untyped-def]
        """Deferred[Secret] of the user's key; fails with errors.NoUserKey where there is none."""

    def put(user_id, provider, key):  # type: ignore[no-untyped-def]
        """Keep *key* (a Secret); Deferred[model.KeyInfo] once it is safe.

        Fails with errors.TooManyKeys.
        """

    def delete(user_id, provider):  # type: ignore[no-untyped-def]
        """Deferred[bool]: whether there was one."""

    def describe(user_id):  # type: ignore[no-untyped-def]
        """Deferred[tuple[model.KeyInfo, ...]] of the user's keys, by provider."""


class IUsageStore(Interface):
    """Sums of what users used. Each method's Deferred may fail with errors.Unavailable."""

    def add(usage):  # type: ignore[no-untyped-def]
        """Add a mapping of usage.counts.UsageKey to Counts; Deferred[None] once it is safe."""

    def read(user_id):  # type: ignore[no-untyped-def]
        """Deferred of such a mapping: everything of this user."""


class IResolver(Interface):
    """Host name to addresses."""

    def resolve(host):  # type: ignore[no-untyped-def]
        """Deferred[upstream.resolver.Answer] of every A and AAAA record, at least one.

        Fails with upstream.resolver.NoAddress, a BadGateway, where the name has none, and with
        Unavailable where nothing can be asked now. Any other failure is no answer: while somebody
        waits, the name is asked for once more. It has to end some time, also when all have left.
        """


class IUpstream(Interface):
    """The API side: sends what was vetted, and only that."""

    def send(outbound):  # type: ignore[no-untyped-def]
        """Deferred[twisted.web.iweb.IResponse] at the response head of a model.OutboundRequest.

        Cancelling it, or ``abort()`` of the body's transport, ends the upstream exchange at once.
        Fails with errors.BadGateway, UpstreamTimeout, AddressNotAllowed or Unavailable.
        The request body's own failure (a browser that left, BodyTooLarge) passes through unchanged.
        """

    def close():  # type: ignore[no-untyped-def]
        """Drop idle connections. Returns a Deferred that fires when they are gone."""
