"""The bounds of the browser's side; docs/limits.md shows these defaults."""

from __future__ import annotations

from attrs import evolve, field, frozen

from ..framing.fields import HeadLimits


@frozen
class DownstreamLimits:
    """The bounds of one listening site; times in seconds, sizes in bytes.

    :ivar head: the request line and the header section.
    :ivar uri: the path of the request target, and its query.
    :ivar head_timeout: from the connection's or the request's first byte to the end of its head.
    :ivar keep_alive: between two requests on a connection.
    :ivar body_grace: how long a body may stall or trickle ...
    :ivar body_rate: ... beyond the time that it would take at so many bytes a second.
    :ivar chunk_framing: framing bytes of a chunked body beyond those that its payload pays for; a
        chunk is charged its framing, and eight bytes at least.
    :ivar crumbs: reads of fewer than eight bytes within one request, be they packets or TLS
        records; ...
    :ivar bytes_per_crumb: ... each so many bytes of the request's body allow one more.
    :ivar write_timeout: how long a browser may take nothing of its answer before it is cut off.
    :ivar pipelined: bytes that may wait behind a request in progress.
    :ivar linger_time: how long the unread rest of a body is drained after an early answer, so that
        a reset does not destroy the answer (RFC 9112 section 9.6); ...
    :ivar linger_timeout: ... and how long without a byte of it.
    :ivar linger_rate: bytes a second that are drained, of all connections together.
    :ivar lingering: connections that are drained at once; a further one is closed.
    :ivar lingering_per_address: the same from one address.
    :ivar form: the request body of a stock resource, which is not proxied.
    :ivar held: bytes of request bodies in memory at once, in total: those of JSON routes, of stock
        resources, and those that a redirect may need again.
    :ivar held_per_address: the same from one address.
    :ivar callable_timeout: how long an authenticator, ``authorize`` or ``forward_headers`` may
        take.
    :ivar connections: open at once, in total.
    :ivar connections_per_address: open at once, from one address, of IPv6 from one /64.
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
    linger_time: float = 30.0
    linger_timeout: float = 2.0
    linger_rate: int = 64 * 1024 * 1024
    lingering: int = 1_000
    lingering_per_address: int = 100
    form: int = 1024 * 1024
    held: int = 256 * 1024 * 1024
    held_per_address: int = 64 * 1024 * 1024
    callable_timeout: float = 10.0
    connections: int = 10_000
    connections_per_address: int = 1_000

    def of_overflow(self) -> DownstreamLimits:
        """The bounds of those who find no room: few, and each for a moment."""
        return evolve(
            self,
            head_timeout=min(self.head_timeout, 2.0),
            write_timeout=min(self.write_timeout, 5.0),
            linger_time=min(self.linger_time, 2.0),
            linger_timeout=min(self.linger_timeout, 1.0),
            connections=32,
            connections_per_address=8,
        )
