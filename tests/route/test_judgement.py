"""The judge of a route's bodies: what is refused, what is changed, what goes up as it came."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.patience import Patience
from naap_twisted.errors import (
    BodyNotAllowed,
    InvalidJson,
    ModelNotAllowed,
    Unauthorized,
    UnsupportedMediaType,
)
from naap_twisted.model import User
from naap_twisted.options.route_body import body_rules
from naap_twisted.policy.endpoint_pattern import Endpoint
from naap_twisted.policy.endpoints import Endpoints
from naap_twisted.policy.models import ModelPlaces, Models
from naap_twisted.policy.target import PinnedBase
from naap_twisted.route.judgement import BodyJudge
from naap_twisted.route.opening import Opening
from naap_twisted.route.sent_body import SentBody

BASE = PinnedBase("https://api.example.com/v1")
JSON = b"application/json"
SPACED = b'{ "n" : 1.0, "a":"\\u00e9" }'


def judge_of(
    judge: Any = None, models: tuple[str, ...] = (), *, merged: bool = False, **table: Any
) -> BodyJudge:
    """A route's judge with these rules."""
    known = Models(models, ModelPlaces()) if models else None
    opening = Opening(models=known, pinned=BASE)
    rules = body_rules(table) if table else None
    return BodyJudge(opening, rules, judge=judge, merged=merged)


class JudgementTests(SynchronousTestCase):
    def judged(
        self,
        judge: BodyJudge,
        body: bytes | None,
        kind: bytes | None = JSON,
        *,
        user: User | None = None,
        method: bytes = b"POST",
        below: bytes = b"/x",
    ) -> tuple[bytes | None, bytes | None]:
        asked = self.ask(judge, body, kind, user=user, method=method, below=below)
        answer: SentBody = self.successResultOf(asked)
        assert answer.content is None or isinstance(answer.content, bytes)
        return answer.content, answer.content_type

    def ask(
        self,
        judge: BodyJudge,
        body: bytes | None,
        kind: bytes | None = JSON,
        *,
        user: User | None = None,
        method: bytes = b"POST",
        below: bytes = b"/x",
    ) -> Deferred[Any]:
        request: Any = SimpleNamespace(method=method, record=SimpleNamespace(user=user))
        sent = SentBody(body, kind)
        coroutine = judge.judged(request, BASE.join(below), sent, Patience(Clock(), 5))
        return Deferred.fromCoroutine(coroutine)

    def refused(self, kind: type[Exception], judge: BodyJudge, *args: Any, **more: Any) -> Any:
        return self.failureResultOf(self.ask(judge, *args, **more), kind).value

    def test_as_it_came(self) -> None:
        """What nothing changes is the very same bytes, blanks and spellings and all."""
        sent = self.judged(judge_of(rules={"n": {"max": 1}}), SPACED)
        self.assertIs(sent[0], SPACED)
        self.assertEqual(self.judged(judge_of(rules={"n": {"max": 1}}), None), (None, JSON))

    def test_no_body(self) -> None:
        """It is judged as one without members: words and defaults go up, gaps are told."""
        self.assertEqual(self.judged(judge_of(set={"n": 2}), None), (b'{"n":2}', JSON))
        self.assertEqual(self.judged(judge_of(default={"n": 2}), None), (b'{"n":2}', JSON))
        self.assertEqual(self.judged(judge_of(set={"n": 2}), None, method=b"GET"), (None, JSON))
        self.refused(BodyNotAllowed, judge_of(rules={"n": {"required": True}}), None)
        self.refused(ModelNotAllowed, judge_of(models=("a",)), None)
        chat = Endpoints([Endpoint.parse("POST /chat")])
        judge = evolve(judge_of(models=("a",)), answering=[chat])
        self.assertEqual(self.judged(judge, None, below=b"/responses/1/cancel"), (None, JSON))
        self.refused(ModelNotAllowed, judge, None, below=b"/chat")

    def test_json_of_another_type(self) -> None:
        """A model in the query lets pass what can't be read, but no JSON that claims a type."""
        judge, below = judge_of(models=("a",)), b"/x?model=a"
        self.assertEqual(self.judged(judge, b"v=0", b"application/sdp", below=below)[0], b"v=0")
        for body in (b'{"model":"b"}', b" [1]", b'\xef\xbb\xbf{"model":"b"}'):
            self.refused(UnsupportedMediaType, judge, body, b"application/sdp", below=below)

    def test_words_and_defaults(self) -> None:
        """A default's table may get a word of the server's; the user's own id is a word."""
        judge = judge_of(default={"d": {"f": 1}, "n": 3}, set={"user": "${user:id}", "d.e": 2})
        body, kind = self.judged(judge, SPACED, user=User("u-1"))
        self.assertEqual(kind, JSON)
        self.assertEqual(body, b'{ "n" : 1.0, "a":"\\u00e9","d":{"f": 1,"e":2},"user":"u-1" }')
        self.refused(Unauthorized, judge, SPACED)

    def test_types(self) -> None:
        """What can't be judged is refused; a model that the URL names needs no body to read."""
        for kind in (b"text/plain", b"application/sdp", b"application/octet-stream", None, b""):
            error = self.refused(
                UnsupportedMediaType, judge_of(rules={"a": {"max": 1}}), b"x", kind
            )
            self.assertIn("JSON and forms only", error.message)
        named = judge_of(models=("m",))
        body = self.judged(named, b"\0audio", b"audio/wav", below=b"/x?model=m")
        self.assertEqual(body, (b"\0audio", b"audio/wav"))
        self.refused(UnsupportedMediaType, named, b"\0audio", b"audio/wav")
        self.refused(InvalidJson, named, b"{", JSON)

    def test_models(self) -> None:
        """In the body, or in the URL."""
        judge = judge_of(models=("m",))
        self.assertEqual(self.judged(judge, b'{"model":"m"}')[0], b'{"model":"m"}')
        self.assertEqual(self.judged(judge, b"{}", below=b"/x?model=m")[0], b"{}")
        self.refused(ModelNotAllowed, judge, b"{}")
        self.refused(ModelNotAllowed, judge, b'{"model":"m2"}', below=b"/x?model=m")
        self.refused(ModelNotAllowed, judge, None, None)
        self.assertEqual(self.judged(judge, None, None, below=b"/x?model=m")[0], None)
        for body in (b'[{"model":"x"}]', b'"x"'):
            self.refused(BodyNotAllowed, judge, body, below=b"/x?model=m")

    def test_default_model(self) -> None:
        """A default names the model that the page left out."""
        judge = judge_of(models=("m",), default={"model": "m"})
        self.assertEqual(self.judged(judge, b"{}")[0], b'{"model":"m"}')
        self.refused(ModelNotAllowed, judge, b'{"model":"x"}')

    def test_query(self) -> None:
        """A judged member in the query, also without a body; a reading method has no body."""
        judge = judge_of(rules={"amount": {"max": 5}})
        for body in (None, b'{"amount":1}'):
            self.refused(BodyNotAllowed, judge, body, below=b"/x?amount=9")
        self.judged(judge, None, method=b"GET", below=b"/x?amount=9")

    def test_callable(self) -> None:
        """It sees what the rules let pass with its defaults; the server's words come after."""
        seen: list[Any] = []

        def judge(request: Any, body: Any) -> Any:
            seen.append((request.method, body))
            return None if "same" in body else {"other": 1}

        judged = judge_of(judge, rules={"n": {"max": 1}}, default={"d": 1}, set={"s": 1})
        self.assertEqual(self.judged(judged, b'{"n":1}')[0], b'{"other":1,"s":1}')
        self.assertEqual(self.judged(judged, b'{"same":0}')[0], b'{"same":0,"d":1,"s":1}')
        self.assertEqual(seen, [(b"POST", {"n": 1, "d": 1}), (b"POST", {"same": 0, "d": 1})])
        self.refused(BodyNotAllowed, judged, b'{"n":2}')
        self.assertEqual(len(seen), 2)

    def test_callable_refuses(self) -> None:
        """It raises what the page is to read; a Deferred is waited for."""

        def judge(request: Any, body: Any) -> Any:
            if "bad" in body:
                raise BodyNotAllowed("no", param="bad")
            return succeed({"x": 1})

        self.refused(BodyNotAllowed, judge_of(judge), b'{"bad":1}')
        self.assertEqual(self.judged(judge_of(judge), b"{}")[0], b'{"x":1}')
        form = b"application/x-www-form-urlencoded"
        self.assertEqual(self.judged(judge_of(judge), b"a=1", form), (b"x=1", form))

    def test_explained(self) -> None:
        """The same verdict for a body that is asked about, and what the server would set."""
        judge = judge_of(lambda *_: None, rules={"n": {"max": 1}}, set={"u": 1}, default={"d": 1})
        self.assertEqual(
            judge.explain(b"POST", BASE.join(b"/x"), SentBody(b"{}", JSON)),
            "no rule is broken; the server sets d, u; judge is asked, too",
        )
        self.assertRaises(
            BodyNotAllowed, judge.explain, b"POST", BASE.join(b"/x"), SentBody(b'{"n":2}', JSON)
        )
        self.assertEqual(
            judge.explain(b"GET", BASE.join(b"/x"), SentBody(None)),
            "no body for the rules to judge",
        )
