"""The signature of a route's requests: made last, of what is sent, for the first origin only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.web.iweb import IResponse

from ..auth.patience import Patience
from ..interfaces import IUpstream
from ..model import HeaderPairs, OutboundRequest, SignableRequest, Target
from ..secret import Secret
from .request_headers import injected_headers
from .scrub import Guard


class Signing:
    """The ``sign`` of one route.

    :param sign: the signer: from a request to headers; sync, async or a Deferred.
    :param secrets: what the signer signs with, and an answer must not repeat.
    :param replaced: header names that are the signer's alone.
    """

    def __init__(
        self,
        sign: Callable[[SignableRequest], Any],
        secrets: tuple[Secret, ...] = (),
        replaced: tuple[str, ...] = (),
    ) -> None:
        self.sign = sign
        self._secrets = secrets
        self.replaced = frozenset(name.lower().encode("ascii") for name in replaced)

    def exchange(
        self, upstream: IUpstream, target: Target, guard: Guard, patience: Patience
    ) -> SignedExchange:
        """The way out of one exchange, whose first request goes to *target*."""
        return SignedExchange(self, upstream, target.origin, guard.beside(*self._secrets), patience)


class SignedExchange:
    """An ``IUpstream`` that signs what it sends to one origin.

    A redirect that is followed within that origin is signed anew; elsewhere it goes unsigned.

    :ivar guard: looks for the signatures so far as well.
    """

    def __init__(
        self, signing: Signing, upstream: IUpstream, origin: str, guard: Guard, patience: Patience
    ) -> None:
        self._signing = signing
        self._upstream = upstream
        self._origin = origin
        self._patience = patience
        self.guard = guard

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        if outbound.target.target.origin != self._origin:
            return self._upstream.send(outbound)
        return Deferred.fromCoroutine(self._signed_and_sent(outbound))

    def close(self) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        return self._upstream.close()

    async def _signed_and_sent(self, outbound: OutboundRequest) -> IResponse:
        made = await self._patience.settle(self._signing.sign(_signable(outbound)), "sign")
        added = injected_headers(made or {})
        self.guard = self.guard.beside(injected=added)
        replaced = self._signing.replaced.union(_folded(name) for name, _ in added)
        kept: HeaderPairs = tuple(
            pair for pair in outbound.headers if _folded(pair[0]) not in replaced
        )
        return await self._upstream.send(evolve(outbound, headers=(*kept, *added)))


def _folded(name: bytes) -> bytes:
    # CGI-like upstreams read "_" as "-": a browser's X_Signature must not stand beside ours.
    return name.lower().replace(b"_", b"-")


def _signable(outbound: OutboundRequest) -> SignableRequest:
    target, body = outbound.target.target, outbound.body
    headers: list[tuple[str, str | Secret]] = [("Host", target.authority)]
    headers += [
        (name.decode("ascii"), value if isinstance(value, Secret) else value.decode("latin-1"))
        for name, value in outbound.headers
    ]
    held = body if isinstance(body, bytes) else b"" if body is None else None
    sealed = outbound.request_target
    url = target.url if sealed is None else target.origin + sealed.reveal().decode("ascii")
    return SignableRequest(outbound.method.decode("ascii"), url, tuple(headers), held)
