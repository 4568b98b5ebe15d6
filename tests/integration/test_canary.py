"""The canary sees what it must, and the worst that upstreams and plugins do shows it nothing.

Every other test of this package is watched by the same canary: see ``support``.
"""

from twisted.internet.defer import fail
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.testing import RunningServer

from .canary import AUTHORIZATION, CANARY, Canary
from .support import PATH, IntegrationTestCase, response


class WatchTests(TestCase):
    """A watch that can't bark is none."""

    timeout = 10

    def setUp(self):
        self.canary = Canary()
        self.canary.start()
        self.server = create_plugin_server("leaky", 0, require_auth=False, compression=False)
        self.canary.watch(self.server)

    async def test_sees_a_response(self):
        """Though it comes in two pieces."""

        @self.server.router.route("/leak")
        def leak(request):
            request.write(CANARY[:9].encode())
            return CANARY[9:]

        running = RunningServer(self, self.server)
        await running.ask("GET", "/api/v1/leak")
        self.canary.stop()
        self.assertEqual(self.canary.leaks, ["response bytes"])

    def test_sees_a_log_line(self):
        Logger("some.plugin").info("using {key}", key=CANARY)
        self.canary.stop()
        self.assertEqual(self.canary.leaks, ["log event of some.plugin"])

    def test_sees_a_traceback(self):
        try:
            raise ValueError(CANARY)
        except ValueError:
            Logger("some.plugin").failure("it broke")
        self.canary.stop()
        self.assertEqual(self.canary.leaks, ["log event of some.plugin"])
        self.flushLoggedErrors(ValueError)

    def test_sees_a_repr(self):
        self.server.note = CANARY
        self.canary.stop()
        self.assertEqual(self.canary.leaks, ["repr of dict"])

    def test_sees_nothing_where_nothing_is(self):
        self.server.mount(
            "/x",
            create_external_proxy(
                allowed_hosts=["api.example.com"], forward_headers={"Authorization": AUTHORIZATION}
            ),
        )
        self.canary.stop()
        self.assertEqual(self.canary.leaks, [])


class Broken:
    """An upstream side with a bug, which has the request in its hands."""

    def __init__(self, how):
        self._how = how

    def send(self, outbound):
        error = RuntimeError(f"cannot send {outbound!r} {outbound.headers!r}")
        if self._how == "raises":
            raise error
        return fail(error)

    def close(self):
        """Nothing to close."""


class ReflectionTests(IntegrationTestCase):
    async def test_an_upstream_that_repeats_the_key(self):
        """In headers of every kind that is relayed, and in error texts."""
        lines = [f"{name}: see {AUTHORIZATION}" for name in ("X-Echo", "ETag", "Retry-After")]
        lines.append(f"Location: /{CANARY}/made")
        for status in (201, 302, 401, 500):
            self.start(
                response(status, b"" if status < 400 else f"no: {AUTHORIZATION}".encode(), *lines),
                response_headers=["X-Echo", "Retry-After"],
            )
            answer = await self.post()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("X-Echo"), "see [redacted]")

    async def test_a_bug_with_the_request_in_its_hands(self):
        """The traceback of an error that names the outbound request names no key."""
        for how in ("raises", "fails"):
            self.start(upstream=Broken(how))
            self.assert_refused(await self.post(), 500, "INTERNAL_ERROR", "Internal error")
            (failure,) = self.flushLoggedErrors(RuntimeError)
            self.assertIn("[redacted]", failure.getErrorMessage())

    async def test_a_key_from_a_callable(self):
        def keys(request):
            raise LookupError("no key for this user")

        self.start(forward_headers=keys)
        self.assert_refused(await self.post(), 500, "INTERNAL_ERROR")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertEqual(self.upstream.connections, 0)

    async def test_the_key_goes_to_its_upstream_and_to_no_other(self):
        stranger = self.stranger(response(200, b"hi"))
        self.start(response(200, b"hi"))
        self.running.server.mount(
            "/keyless",
            create_external_proxy(
                allowed_hosts=["127.0.0.1"],
                allowed_schemes=["http"],
                allowed_ports=[stranger.port],
            ),
        )
        url = stranger.origin + "/"
        answer = await self.post(path="/api/v1/keyless", X_Target_URL=url)
        self.assertEqual((answer.status, len(stranger.requests)), (200, 1))
        self.assert_refused(await self.post(X_Target_URL=url), 400, "PORT_NOT_ALLOWED")
        self.assertEqual((await self.post(path=PATH)).status, 200)
        values = self.upstream.requests[0].values("Authorization")
        self.assertEqual(values, [AUTHORIZATION.encode()])
