"""The stage of the authentication tests: a session service beside the upstream."""

import json

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.testing import ScriptedUpstream

from .support import RefusalTestCase, response


def says(document, *lines, status=200):
    """The session service's answer."""
    return response(status, json.dumps(document).encode(), *lines)


ADA = says({"success": True, "data": {"user": {"id": "ada", "roles": ["admin"]}}})
EVE = says({"user": {"id": "eve"}})
REFUSED = says({"success": False}, status=401)


class Counting:
    """Says when it was asked often enough."""

    def __init__(self, inner, wanted):
        self._inner = inner
        self._left = wanted
        self.reached = Deferred()

    def authenticate(self, request):
        self._left -= 1
        if self._left == 0:
            self.reached.callback(None)
        return self._inner.authenticate(request)


class AuthTestCase(RefusalTestCase):
    """
    :ivar service: the session service.
    :ivar clock: what the cache goes by.
    """

    def start_with_sessions(self, *steps, service=(ADA,), server=None, route=None, **options):
        self.clock = Clock()
        self.service = ScriptedUpstream(self, *service)
        self.session = SessionAuthenticator(
            options.pop("url", self.service.origin + "/api/v1/auth/me"),
            now=self.clock.seconds,
            **options,
        )
        self.start_with(self.session, *steps, server=server, **(route or {}))

    def start_with(self, authenticator, *steps, server=None, **route):
        options = {"require_auth": True, "authenticator": authenticator, **(server or {})}
        self.start(*steps, server=options, **route)
        router, plugin = self.running.server.router, self.running.server

        @router.route("/me", methods=["GET", "POST"])
        def me(request):
            return plugin.user(request).id

    async def me(self, token="t0ken-ada"):
        """The caller's id as a Klein handler sees it, or the status of the refusal."""
        answer = await self.running.ask("GET", "/api/v1/me", {"Authorization": f"Bearer {token}"})
        return answer.body.decode() if answer.status == 200 else answer.status
