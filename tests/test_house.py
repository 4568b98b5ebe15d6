"""The rules of the house that neither a type checker knows nor tests/test_imports.py."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import naap_twisted

PACKAGE = Path(naap_twisted.__file__).parent
TREES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
}

#: Values in, value out: no reactor, no waiting.
PURE = (
    "policy/addresses.py",
    "admin/hints.py",
    "admin/preflight.py",
    "downstream/caller.py",
    "framing/codings.py",
    "policy/egress.py",
    "errors.py",
    "route/scrub.py",
    "headers.py",
    "policy/host_rules.py",
    "policy/hostname.py",
    "model.py",
    "policy/own_headers.py",
    "policy/public_suffix.py",
    "route/request_headers.py",
    "secret.py",
    "route/response_headers.py",
    "route/spellings.py",
    "policy/target.py",
    "units.py",
    "whip/location.py",
    "whip/rules.py",
    "upstream/wire.py",
    "wrappers/origins.py",
    "wrappers/remedies.py",
    *(name for name in TREES if name.startswith("framing/")),
)
#: Where a secret becomes bytes: on the wire, to be looked for in what comes back, as a key.
REVEALING = {
    *("upstream/wire.py", "upstream/agent.py", "route/request_headers.py", "route/scrub.py"),
    "auth/signing_keys.py",
    "demo/media/process.py",
    "keys/vault.py",
    "limits/redis_address.py",
    "storage/database.py",
}
#: Words of products and of routes, which no layer around the routes may know.
PRODUCT_WORDS = ("openai", "whip", "daydream", "livepeer", "assistant", "stripe", "/api/", "/v1")


def imports(tree: ast.AST) -> set[str]:
    """Absolute names of the modules that *tree* imports, and what it takes from them."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            found.update(f"{dots}{node.module or ''}.{alias.name}" for alias in node.names)
    return found


def called(tree: ast.AST) -> list[str]:
    """Names of the functions and methods that *tree* calls."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        function.attr if isinstance(function, ast.Attribute) else function.id
        for function in functions
        if isinstance(function, (ast.Attribute, ast.Name))
    ]


def texts(tree: ast.AST) -> list[str]:
    """String constants of *tree*, docstrings excluded."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    constants = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in docstrings
    ]
    return [
        value.decode("latin-1") if isinstance(value, bytes) else value
        for value in constants
        if isinstance(value, (str, bytes))
    ]


class HouseTests(SynchronousTestCase):
    def users(self, name: str) -> set[str]:
        return {module for module, tree in TREES.items() if name in called(tree)}

    def test_only_egress_vets(self) -> None:
        """A ``VettedTarget`` is made by the policy and nowhere else."""
        self.assertEqual(self.users("VettedTarget"), {"policy/egress.py"})
        for module in ("policy/egress.py", "route/spine.py"):
            self.assertNotIn("evolve", called(TREES[module]))

    def test_who_reveals(self) -> None:
        """A secret becomes bytes in few places."""
        found = self.users("reveal") | self.users("reveal_parts")
        self.assertEqual(found - REVEALING, set())
        self.assertIn("upstream/wire.py", found)

    def test_nobody_reaches_into_a_secret(self) -> None:
        """``_value`` is the secret's own."""
        reaching = {
            module
            for module, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "_value"
        }
        self.assertEqual(reaching, {"secret.py"})

    def test_pure_rooms(self) -> None:
        """Pure modules import nothing that waits: no reactor, no socket."""
        forbidden = ("twisted.internet", "treq", "klein", "socket", "asyncio")
        for module in PURE:
            for name in imports(TREES[module]):
                with self.subTest(module=module, name=name):
                    self.assertFalse(name.startswith(forbidden), name)

    def test_pure_rooms_exist(self) -> None:
        """The list above names modules that are there."""
        self.assertEqual([module for module in PURE if module not in TREES], [])

    def test_wrappers_know_no_product(self) -> None:
        """What stands around every route knows neither a product nor a path."""
        for module in (name for name in TREES if name.startswith("wrappers/")):
            for text in texts(TREES[module]):
                with self.subTest(module=module, text=text):
                    self.assertEqual([word for word in PRODUCT_WORDS if word in text.lower()], [])

    def test_lengths(self) -> None:
        """A module of more than 400 lines says why in its own docstring."""
        for module, tree in TREES.items():
            size = len((PACKAGE / module).read_text().splitlines())
            if size > 400:
                self.assertIn("400 lines", ast.get_docstring(tree) or "", f"{module}: {size}")

    def test_the_rules_themselves(self) -> None:
        """The helpers, on a module that can be seen here."""
        tree = ast.parse('"""doc"""\nfrom ..a import b\nimport c.d\nx.reveal(f("text", b"raw"))')
        self.assertEqual(imports(tree), {"..a.b", "c.d"})
        self.assertEqual(sorted(called(tree)), ["f", "reveal"])
        self.assertEqual(texts(tree), ["text", "raw"])
