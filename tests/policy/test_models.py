"""The models that a route opens, wherever an API names them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BodyNotAllowed, ModelNotAllowed, ProxyError
from naap_twisted.policy.models import ModelPlaces, Models
from tests.policy.bodies import from_form, from_json

PATTERNS = ("gpt-4o-mini", "gpt-5-mini*")
USUAL = Models(PATTERNS, ModelPlaces())
OPENAI = Models(
    PATTERNS, ModelPlaces(("model", "tools.model", "session.model", "models", "fallbacks.model"))
)
GEMINI = Models(("gemini-2.5-flash",), ModelPlaces((), (), ("/v1*/models/{model}:*",)))
AZURE = Models(("gpt-4o",), ModelPlaces(("model",), (), ("/deployments/{model}/**",)))


class BodyTests(SynchronousTestCase):
    def test_listed(self) -> None:
        """Exact, or by the beginning before a star."""
        for name in ("gpt-4o-mini", "gpt-5-mini", "gpt-5-mini-2026"):
            USUAL.judge_body(from_json({"model": name}), named=lambda: False)
        for model in ("gpt-4o", "GPT-4o-mini", "gpt-4o-mini ", "", 4, True, {}, ["gpt-4o"]):
            error = self.assertRaises(
                ModelNotAllowed, USUAL.judge_body, from_json({"model": model}), named=lambda: True
            )
            self.assertEqual((error.param, error.rule), ("model", "models"))
        error = self.assertRaises(
            ModelNotAllowed, USUAL.judge_body, from_json({"model": "gpt-4o"}), named=lambda: False
        )
        self.assertEqual(error.message, 'Model "gpt-4o" is not in the allowed list')
        self.assertEqual(error.remedy, 'models = ["gpt-4o-mini", "gpt-5-mini*", "gpt-4o"]')

    def test_every_place(self) -> None:
        """A list, a tool, a session, a fallback: each that is there is listed."""
        good = {"model": "gpt-4o-mini"}
        for more in (
            {"models": ["gpt-5-mini", "gpt-4o"]},
            {"tools": [{"type": "x"}, {"model": "gpt-4o"}]},
            {"session": {"model": "gpt-4o"}},
            {"fallbacks": [{"model": "gpt-4o"}]},
        ):
            body = from_json({**good, **more})
            self.assertRaises(ModelNotAllowed, OPENAI.judge_body, body, named=lambda: False)
        body = from_json({**good, "models": ["gpt-5-mini"], "tools": [], "session": None})
        OPENAI.judge_body(body, named=lambda: False)
        # A word that stands for a model of the upstream's choice has no model in it to judge.
        body = from_json({**good, "fallbacks": "default"})
        self.assertRaises(BodyNotAllowed, OPENAI.judge_body, body, named=lambda: False)

    def test_none_is_named(self) -> None:
        """The upstream would choose; what a tool or a fallback names is not the model."""
        for body in (
            {},
            {"model": None},
            {"tools": [{"model": "gpt-4o-mini"}]},
            {"fallbacks": [{"model": "gpt-4o-mini"}]},
            {"fallbacks": {"model": "gpt-4o-mini"}},
            {"session": [{"model": "gpt-4o-mini"}]},
        ):
            error = self.assertRaises(
                ModelNotAllowed, OPENAI.judge_body, from_json(body), named=lambda: False
            )
            self.assertIn("names no model", error.message)
            self.assertEqual(error.remedy, '[proxy.body] default = { model = "gpt-4o-mini" }')
            OPENAI.judge_body(from_json(body), named=lambda: True)
        OPENAI.judge_body(from_json({"session": {"model": "gpt-4o-mini"}}), named=lambda: False)

    def test_other_spellings(self) -> None:
        """Another spelling is refused, whether or not the right one stands beside it."""
        for body in ({"Model": "gpt-4o"}, {"model": "gpt-4o-mini", "MODEL": "gpt-4o"}):
            self.assertRaises(BodyNotAllowed, USUAL.judge_body, from_json(body), named=lambda: True)

    def test_forms(self) -> None:
        """A transcription's field, and the session inside of a Realtime form."""
        OPENAI.judge_body(from_form(model="gpt-4o-mini"), named=lambda: False)
        OPENAI.judge_body(
            from_form(sdp="v=0", session='{"model": "gpt-5-mini"}'), named=lambda: False
        )
        for form in (from_form(model="x"), from_form(session='{"model": "x"}'), from_form(a="b")):
            self.assertRaises(ModelNotAllowed, OPENAI.judge_body, form, named=lambda: False)


class TargetTests(SynchronousTestCase):
    def test_query(self) -> None:
        """One spelling, once, listed."""
        self.assertEqual(USUAL.in_target("", "/x", "model=gpt-4o-mini&a=b"), ("gpt-4o-mini",))
        self.assertEqual(USUAL.in_target("", "/x", "a=b"), ())
        for query in (
            *("model=gpt-4o", "Model=gpt-4o-mini", "model[]=gpt-4o-mini", "%6dodel=gpt-4o"),
            *("model=gpt-4o-mini&model=gpt-4o", "model=gpt-4o-mini;model=x", "model="),
            *("model=gpt-4o-mini%2500", "mod%65l=gpt-4o", "model=gpt-5-mini%00"),
        ):
            self.assertRaises(ModelNotAllowed, USUAL.in_target, "", "/x", query)

    def test_path(self) -> None:
        """The segment, or the part of it, that names the model, however it is encoded."""
        flash = "/v1beta/models/gemini-2.5-flash:generateContent"
        self.assertEqual(GEMINI.in_target("", flash, ""), ("gemini-2.5-flash",))
        encoded = "/v1beta/models/gemini-2.5-flash%3AgenerateContent"
        self.assertEqual(GEMINI.in_target("", encoded, ""), ("gemini-2.5-flash",))
        self.assertEqual(GEMINI.in_target("", "/v1beta/models", ""), ())
        for path in (
            "/v1beta/models/gemini-2.5-pro:generateContent",
            "/v1beta/models/gemini-2.5-pro%3AgenerateContent",
            "/v1beta/models/gemini-2.5%252dpro:generateContent",
            "/V1beta/Models/gemini-2.5-pro:generateContent",
            "/v1beta/models/gemini-2.5-flash:x:generateContent",
            "/v1beta//models/gemini-2.5-pro:generateContent",
            "/v1beta/models//gemini-2.5-pro:generateContent",
            "/v1beta/models/./gemini-2.5-pro:generateContent",
            "/v1beta/models%2F%2Fgemini-2.5-pro:generateContent",
            "/v1beta\\models\\gemini-2.5-pro:generateContent",
            "/v1beta/models;a=1//gemini-2.5-pro:generateContent;b",
        ):
            self.assertRaises(ModelNotAllowed, GEMINI.in_target, "", path, "")
        self.assertEqual(AZURE.in_target("", "/openai/deployments/gpt-4o/chat", ""), ("gpt-4o",))
        self.assertRaises(ModelNotAllowed, AZURE.in_target, "", "/openai/deployments/o3/chat", "")

    def test_separators(self) -> None:
        """The last separator counts, and a path of nothing else is read in linear time."""
        path = f"/v1/models/{':' * 4000}"
        self.assertRaises(ModelNotAllowed, GEMINI.in_target, "", path, "")
        for tail in ("/x", ":/x"):
            self.assertEqual(GEMINI.in_target("", f"{path}{tail}", ""), ())
        self.assertRaises(ModelNotAllowed, GEMINI.in_target, "", "/v1/models/a:b:c", "")

    def test_body_beside_a_path(self) -> None:
        """The path names the model; what the body says is held to the list, too."""
        AZURE.judge_body(from_json({}), named=lambda: True)
        self.assertRaises(
            ModelNotAllowed, AZURE.judge_body, from_json({"model": "o3"}), named=lambda: True
        )
        GEMINI.judge_body(from_json({"model": "anything"}), named=lambda: True)

    def test_collections(self) -> None:
        """Gemini's bodies name a model with its collection."""
        models = Models(("text-embedding",), ModelPlaces(("requests.model",), (), ()))
        body = {"requests": [{"model": "models/text-embedding"}]}
        models.judge_body(from_json(body), named=lambda: True)


NAMES = st.sampled_from(["gpt-4o-mini", "gpt-5-mini-x", "gpt-4o", "", "o3", None, 4])
KEYS = st.sampled_from(["model", "models", "tools", "session", "Model", "x"])
ENTRIES = NAMES | st.lists(NAMES, max_size=2)
BODIES = st.dictionaries(
    KEYS, ENTRIES | st.dictionaries(KEYS, ENTRIES) | st.lists(st.dictionaries(KEYS, NAMES))
)


def every_name(value: Any, under: str = "") -> list[Any]:
    """Whatever stands under a name that may be a model's, at the places of :data:`OPENAI`."""
    found: list[Any] = []
    for key, each in value.items() if isinstance(value, dict) else ():
        if key.lower() == "model" or (key.lower() == "models" and not under):
            found += each if isinstance(each, list) else [each]
        elif key in ("tools", "session") and not under:
            for item in each if isinstance(each, list) else [each]:
                found += every_name(item, key)
    return found


class PropertyTests(SynchronousTestCase):
    @given(BODIES)
    def test_whatever_passes_is_listed(self, body: dict[str, Any]) -> None:
        """A naive reading of a body that passes finds listed models only, and one at least."""
        places = ModelPlaces(("model", "models", "tools.model", "session.model"))
        try:
            Models(PATTERNS, places).judge_body(from_json(body), named=lambda: False)
        except ProxyError:
            return
        names = [name for name in every_name(body) if name is not None]
        self.assertTrue(names)
        for name in names:
            self.assertTrue(name == "gpt-4o-mini" or name.startswith("gpt-5-mini"), names)


class PlacesTests(SynchronousTestCase):
    """Where names are looked for, whether they are listed or not."""

    def test_body(self) -> None:
        """Members at any depth, each item of a list; null names none."""
        places = ModelPlaces(("model", "tools.model", "models"))
        body = {"model": "x", "models": ["y", None], "tools": [{"model": "z"}, {}]}
        found = [*places.in_body(from_json(body))]
        self.assertEqual(found, [("model", "x"), ("models", "y"), ("tools.model", "z")])

    def test_query(self) -> None:
        """Parameters, decoded."""
        places = ModelPlaces()
        self.assertEqual(places.in_query("a=b&model=nova%2D2"), ("nova-2",))
        self.assertEqual(places.in_query("Model=x&m=model"), ())

    def test_path(self) -> None:
        """Below a base, or of a whole URL."""
        base = "https://generativelanguage.googleapis.com"
        for pattern, origin, path, found in (
            ("/models/{model}:*", "", "/v1beta/models/gemini-2:generateContent", ("gemini-2",)),
            ("/models/{model}:*", "", "/v1beta/models/gemini-2", ()),
            (f"{base}/v1/{{model}}", base, "/v1/gemini", ("gemini",)),
            (f"{base}/v1/{{model}}", "https://other.example", "/v1/gemini", ()),
        ):
            self.assertEqual(ModelPlaces(path=(pattern,)).in_path(origin, path), found)

    def test_collection(self) -> None:
        """A name is one model with and without ``models/``, in a config as in a body."""
        models = Models(("models/gemini-2.5-flash",), ModelPlaces())
        for name in ("gemini-2.5-flash", "models/gemini-2.5-flash"):
            models.judge_body(from_json({"model": name}), named=lambda: False)
