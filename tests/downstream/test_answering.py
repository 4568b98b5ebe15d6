"""How a coroutine answers."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from naap_twisted.downstream.answering import Answering, only, send_json
from naap_twisted.errors import Forbidden, InternalError, MethodNotAllowed
from tests.support import FakeRequest


class Scripted(Answering):
    """Does what the test says."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    async def serve(self, request):
        await self.act(request)


class AnsweringTests(SynchronousTestCase):
    def ask(self, act, method=b"GET"):
        request = FakeRequest(method)
        self.assertIs(Scripted(act).render(request), NOT_DONE_YET)
        return request

    def test_answer(self):
        """A document, its length, and no cache that may keep it."""

        async def act(request):
            send_json(request, {"a": 1}, 503)

        request = self.ask(act)
        self.assertEqual((request.code, b"".join(request.written)), (503, b'{"a": 1}'))
        self.assertEqual(request.sent("Content-Length"), "8")
        self.assertEqual(request.sent("Cache-Control"), "no-store")

    def test_refusal(self):
        """What is raised is the answer."""

        async def act(request):
            raise Forbidden("no")

        self.assertIsInstance(self.ask(act).refused, Forbidden)

    def test_method(self):
        """405 names the methods there are."""

        async def act(request):
            only(request, b"GET", b"HEAD")
            send_json(request, None)

        self.assertIsNone(self.ask(act).refused)
        refused = self.ask(act, b"PUT").refused
        self.assertIsInstance(refused, MethodNotAllowed)
        self.assertIn((b"Allow", b"GET, HEAD"), refused.headers)

    def test_bug(self):
        """Anything else is logged, and answered with a fixed text."""

        async def act(request):
            raise ValueError("secret detail")

        request = self.ask(act)
        self.assertIsInstance(request.refused, InternalError)
        self.assertNotIn("detail", str(request.refused))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_caller_leaves(self):
        """What is waited for is cancelled, and nobody is answered."""
        waiting = Deferred()

        async def act(request):
            await waiting

        request = self.ask(act)
        request.processingFailed(Failure(ConnectionDone()))
        self.assertTrue(waiting.called)
        self.assertIsNone(request.refused)
