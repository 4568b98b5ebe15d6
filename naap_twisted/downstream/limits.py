"""The browser side's bounds, in one place. docs/limits.md is written from here."""

from __future__ import annotations

from attrs import field, frozen

from ..framing.fields import HeadLimits


@frozen
class DownstreamLimits:
    """Bounds for one listening site; times in seconds, sizes in bytes.

    :ivar head: request line and header fields.
    :ivar uri: the request target.
    :ivar head_timeout: from the connection's or the request's first byte to the end of its head.
    :ivar keep_alive: between two requests on a connection.
    :ivar body_grace: a body may stall or trickle this long ...
    :ivar body_rate: ... beyond what this many bytes a second would have brought.
    :ivar chunk_framing: framing bytes of a chunked body beyond those that its payload pays for: a
        chunk is charged its framing, eight bytes at least.
    :ivar crumbs: reads of fewer than eight bytes within one request, be they packets or TLS
        records; ...
    :ivar bytes_per_crumb: ... each so many bytes of its body buy one more.
    :ivar write_timeout: a reader that takes nothing for this long is cut off.
    :ivar pipelined: bytes that may wait behind a request in progress.
    :ivar linger: bytes and
    :ivar linger_timeout: seconds an unread body is drained after an early answer, so that the
        answer is not lost to a reset (RFC 9112 section 9.6).
    :ivar form: body bytes of a stock (not proxied) resource.
    :ivar held: bytes of bodies that are held whole at once, in total: those of JSON routes, of
        stock resources, and those that a redirect may need again.
    :ivar held_per_address: the same from one address.
    :ivar callable_timeout: an authenticator, ``authorize`` or ``forward_headers`` answers in it.
    :ivar connections: open at once, in total.
    :ivar connections_per_address: open at once, from one address.
    """

    head: HeadLimits = field(factory=HeadLimits)
    uri: int = 8 * 1024
    head_timeout: float = 10.0
    keep_alive: float = 60.0
    body_grace: float = 20.0
    body_rate: float = 1024.0
    chunk_framing: int = 128 * 1024
    crumbs: int = 16 * 1024
    bytes_per_crumb: int = 1024
    write_timeout: float = 60.0
    pipelined: int = 128 * 1024
    linger: int = 1024 * 1024
    linger_timeout: float = 2.0
    form: int = 1024 * 1024
    held: int = 256 * 1024 * 1024
    held_per_address: int = 64 * 1024 * 1024
    callable_timeout: float = 10.0
    connections: int = 10_000
    connections_per_address: int = 1_000
