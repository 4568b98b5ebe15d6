"""Where a request names its models: body, query, path."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.named_models import NamedModels


class NamedModelsTests(SynchronousTestCase):
    def test_body(self) -> None:
        """Members at any depth, each item of a list, each name once; what is no text names none."""
        models = NamedModels(["model", "tools.model", "models", "a.b.c"])
        for document, found in (
            ({"model": "x"}, ("x",)),
            ({"model": "x", "models": ["y", "x", 3]}, ("x", "y")),
            ({"tools": [{"model": "y"}, {}, "model", [{"model": "z"}]]}, ("y", "z")),
            ({"tools": {"model": "y"}, "a": {"b": {"c": "w"}}}, ("y", "w")),
            ({"model": None, "tools": "model", "a": {"b": "c"}, "Model": "x"}, ()),
        ):
            self.assertEqual(models.in_body(document), found, str(document))

    def test_query(self) -> None:
        """Parameters, decoded."""
        models = NamedModels((), ["model"])
        self.assertEqual(models.in_target("", "/listen", "a=b&model=nova%2D2"), ("nova-2",))
        self.assertEqual(models.in_target("", "/model", "Model=x&m=model"), ())

    def test_path(self) -> None:
        """The patterns that providers write, below a base or of a whole URL."""
        base = "https://generativelanguage.googleapis.com"
        for pattern, origin, path, found in (
            ("/v1*/models/{model}:*", "", "/v1beta/models/gemini-2:generateContent", ("gemini-2",)),
            ("/v1*/models/{model}:*", "", "/v1beta/models/gemini-2", ()),
            ("/openai/deployments/{model}/**", "", "/openai/deployments/d%34/chat/x", ("d4",)),
            (f"{base}/v1/{{model}}", base, "/v1/gemini", ("gemini",)),
            (f"{base}/v1/{{model}}", "https://other.example", "/v1/gemini", ()),
        ):
            self.assertEqual(NamedModels((), (), [pattern]).in_target(origin, path, ""), found)
