"""``alert_url``: a webhook that hears when a part of a budget is spent."""

from __future__ import annotations

import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..auth.fetch import Fetch, FetchFailed, RequestHeaders
from ..secret import Secret
from ..spend.alert import Alert

#: Alerts that wait to be sent; further ones are dropped.
MOST_WAITING = 100
#: Seconds before the second try and the third, which is the last.
WAITS = (2.0, 10.0)
#: Statuses below 500 for which it is of use to try again (RFC 9110 section 15.5, RFC 6585).
_TRY_AGAIN = (408, 425, 429)
_HEADER = "X-Naap-Signature"


class Alerts:
    """Posts alerts to a URL, one after the other.

    :param url: may hold a secret, as webhooks of chats do; no log line has it.
    :param secret: signs each body; ``None``: nothing is signed.
    :param service: the name of the server.
    :param now: seconds since 1970, which are signed beside the body.
    :ivar lost: alerts that nobody heard.
    """

    _log = Logger()

    def __init__(
        self,
        url: Secret,
        secret: Secret | None,
        service: str,
        reactor: Any,
        *,
        fetch: Fetch,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._service = service
        self._reactor = reactor
        self._fetch = fetch
        self._now = now
        self._waiting: deque[bytes] = deque()
        self._sending: Deferred[None] | None = None
        self._busy = False
        self._open = True
        self.lost = 0

    def tell(self, alert: Alert) -> None:
        """Send *alert*, after those that wait."""
        if not self._open or len(self._waiting) >= MOST_WAITING:
            self._lose("too many wait for alert_url, or the server stops")
            return
        self._waiting.append(json.dumps(alert.document(self._service)).encode())
        if not self._busy:
            self._busy = True
            self._sending = Deferred.fromCoroutine(self._send_all())
            self._sending.addErrback(self._failed)

    async def _send_all(self) -> None:
        try:
            while self._waiting and self._open:
                await self._send(self._waiting[0])
                self._waiting.popleft()
        finally:
            self._busy = False

    async def _send(self, body: bytes) -> None:
        problem, url = "", self._url.reveal().decode("ascii")
        for wait in (0.0, *WAITS):
            if wait:
                await deferLater(self._reactor, wait)
            try:
                status, _ = await self._fetch.send(url, *self._signed(body))
            except FetchFailed as error:
                problem = str(error)
            else:
                if 200 <= status < 300:
                    return
                problem = f"it answers {status}"
                if status < 500 and status not in _TRY_AGAIN:
                    break
            if not self._open:
                raise CancelledError()
        self._lose(problem)

    def _signed(self, body: bytes) -> tuple[RequestHeaders, bytes]:
        headers: RequestHeaders = {"Content-Type": "application/json"}
        if self._secret is not None:
            at = str(int(self._now()))
            signed = at.encode("ascii") + b"." + body
            digest = hmac.new(self._secret.reveal(), signed, "sha256").hexdigest()
            headers[_HEADER] = f"t={at},v1={digest}"
        return headers, body

    def _lose(self, problem: str) -> None:
        self.lost += 1
        self._log.error("An alert did not get to alert_url: {problem}", problem=problem)

    def _failed(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("Alerts can't be sent", failure)

    def start(self) -> None:
        """Take alerts, again after a :meth:`stop`."""
        self._open = True

    def stop(self) -> None:
        """Send no more; those that wait are dropped."""
        self._open = False
        if self._sending is not None:
            self._sending.cancel()
        for _ in range(len(self._waiting)):
            self._lose("the server stops")
        self._waiting.clear()
