"""The access token of one route: fetched when it is first needed, renewed before it ends.

A storm of requests makes few calls: one is in flight at a time, and after a failure none is made
until a pause has passed, which doubles from failure to failure.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..auth.single_flight import SingleFlight
from ..errors import CredentialUnavailable, ProxyError
from ..interfaces import IUpstream
from ..model import ClientCertificate, OutboundRequest, Target, Timeouts, VettedTarget
from ..policy.target import parse_target
from ..secret import Secret
from ..upstream.beginning import Beginning
from .oauth2 import MOST_ANSWER, ClientCredentials, Granted, read_grant

#: Seconds for the whole call, whoever answers how slowly.
TIMEOUT = 10.0
_TIMEOUTS = Timeouts(connect=5.0, head=TIMEOUT, idle=TIMEOUT, total=TIMEOUT)
#: Seconds between two calls that fail: the first, and the most that doubling makes of it.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: A token is renewed so many seconds before its end, or a fifth of a short life ...
_AHEAD, _SHARE = 60.0, 0.2
#: ... and is not sent any more in the last seconds, which the way upstream takes.
_LAST = 5.0
#: Seconds between two tokens that are thrown away because the upstream refused them.
_REFUSAL_PAUSE = 10.0


class Policy(Protocol):
    """Which token URLs may be asked."""

    def vet(self, target: Target) -> VettedTarget:
        """*target* as a vetted one; raises a ProxyError that says why it is none."""


@frozen(eq=False)
class _Held:
    token: Secret
    renew_at: float
    over_at: float


class TokenSource:
    """Keeps one access token in memory.

    :param upstream: the way out of the route.
    :param policy: of the server's own calls.
    :param clock: a monotonic ``IReactorTime``.
    :param certificate: the route's, which a token URL may ask for (RFC 8705).
    :ivar client: whose token it is; another one may take its place, and is used at the next call.
    """

    _log = Logger()

    def __init__(
        self,
        client: ClientCredentials,
        upstream: IUpstream,
        policy: Policy,
        clock: Any,
        certificate: ClientCertificate | None = None,
    ) -> None:
        self.client = client
        self._upstream = upstream
        self._policy = policy
        self._clock = clock
        self._certificate = certificate
        self._calls: SingleFlight[Secret] = SingleFlight(1)
        self._held: _Held | None = None
        self._pause = 0.0
        self._not_before = float("-inf")
        self._refusable_at = float("-inf")

    def held(self) -> Secret | None:
        """The token, if there is one that still works; near its end a call for the next begins."""
        held = self._held
        if held is None:
            return None
        now = self._clock.seconds()
        if now >= held.over_at:
            return None
        if now >= held.renew_at and now >= self._not_before:
            # The request goes on with the old token; a failure is logged where it happens.
            self._calls.ask(b"", self._fetch).addErrback(_told)
        return held.token

    async def token(self) -> Secret:
        """The token, waited for if need be.

        :raises CredentialUnavailable: there is none, and the token URL gives none now.
        """
        held = self.held()
        if held is not None:
            return held
        wait = self._not_before - self._clock.seconds()
        if wait > 0:
            raise _unavailable("the last call to the token URL failed", wait)
        return await self._calls.ask(b"", self._fetch)

    def refused(self, token: Secret) -> None:
        """Throw *token* away, which the upstream answered with 401, if it is the present one.

        An upstream that refuses every token gets another one every ten seconds at most.
        """
        now = self._clock.seconds()
        if self._held is not None and self._held.token is token and now >= self._refusable_at:
            self._held = None
            self._refusable_at = now + _REFUSAL_PAUSE
            self._log.warn(
                "oauth2: the upstream refused the token; a new one is asked of {origin}",
                origin=self.origin,
            )

    @property
    def origin(self) -> str:
        """The token URL without its path; it may be shown."""
        return parse_target(self.client.token_url.encode("ascii"), "token_url").origin

    async def _fetch(self) -> Secret:
        asked = self._clock.seconds()
        try:
            answer = Deferred.fromCoroutine(self._ask())
            granted = await answer.addTimeout(TIMEOUT, self._clock)
        except TimeoutError:
            raise self._failed(f"no answer within {TIMEOUT:g} s") from None
        except ProxyError as error:
            raise self._failed(error.reason) from None
        except ValueError as error:
            raise self._failed(str(error)) from None
        except Exception as error:
            # Neither the text nor the traceback: both may hold what was sent.
            raise self._failed(type(error).__name__) from None
        self._pause, self._not_before = 0.0, float("-inf")
        ahead = min(_AHEAD, granted.seconds * _SHARE)
        over = asked + granted.seconds
        self._held = _Held(granted.token, over - ahead, over - min(_LAST, ahead / 2))
        return granted.token

    async def _ask(self) -> Granted:
        vetted = self._policy.vet(parse_target(self.client.token_url.encode("ascii"), "token_url"))
        headers, body = self.client.request()
        outbound = OutboundRequest(
            b"POST", vetted, headers, body, _TIMEOUTS, certificate=self._certificate
        )
        response = await self._upstream.send(outbound)
        beginning = Beginning(MOST_ANSWER + 1)
        response.deliverBody(beginning)
        answer = await beginning.done
        if len(answer) > MOST_ANSWER:
            raise ValueError(f"its answer is over {MOST_ANSWER} bytes")
        if not beginning.complete:
            raise ValueError("its answer broke off")
        return read_grant(response.code, answer)

    def _failed(self, reason: str) -> CredentialUnavailable:
        self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        self._not_before = self._clock.seconds() + self._pause
        self._log.warn(
            "oauth2: no token from {origin}: {reason}; asked again in {pause:g} s at the earliest",
            origin=self.origin,
            reason=reason,
            pause=self._pause,
        )
        return _unavailable("the token URL gave no token", self._pause)


def _unavailable(reason: str, wait: float) -> CredentialUnavailable:
    return CredentialUnavailable(reason=reason, retry_after=max(1, math.ceil(wait)))


def _told(failure: Failure) -> None:
    failure.trap(CredentialUnavailable)
