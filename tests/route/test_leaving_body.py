"""A body as it leaves: the page's own, another by the route's rules, or one that asks for usage."""

from twisted.trial.unittest import SynchronousTestCase

from tests.spine import JSON, make_spine


class LeavingBodyTests(SynchronousTestCase):
    def test_on_its_way(self):
        """Rules and the wish for usage change what leaves; a retry is known by what came."""
        words = {"set": {"user": "ours"}}
        spine = make_spine(body=words, replay=60, content_type="application/json")
        for _ in range(2):
            answer = spine.ask(headers=(JSON, ("Idempotency-Key", "k")), body=b'{"n": 1}')
            self.assertEqual(answer.code, 200)
        self.assertEqual([each.body for each in spine.upstream.seen], [b'{"n": 1,"user":"ours"}'])
        other = spine.ask(
            headers=(JSON, ("Idempotency-Key", "k")), body=b'{"n": 1, "user": "ours"}'
        )
        self.assertEqual(other.error, (409, "IDEMPOTENCY_CONFLICT"))
