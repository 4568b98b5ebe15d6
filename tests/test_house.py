"""The rules of the house that neither a type checker knows nor tests/test_imports.py."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from importlib import import_module
from pathlib import Path

from twisted.application.internet import TimerService
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
    "policy/endpoint_pattern.py",
    "policy/endpoints.py",
    "policy/likely_endpoint.py",
    "policy/query_rules.py",
    "errors.py",
    "route/scrub.py",
    "headers.py",
    "policy/host_rules.py",
    "policy/hostname.py",
    "policy/learned.py",
    "policy/least.py",
    "policy/body_rules.py",
    "policy/members.py",
    "policy/models.py",
    "policy/output_limit.py",
    "documents/document.py",
    "documents/fields.py",
    "documents/json_text.py",
    "documents/multipart.py",
    "documents/parameters.py",
    "documents/reader.py",
    "documents/urlencoded.py",
    "route/observed_body.py",
    "model.py",
    "policy/own_headers.py",
    "policy/own_query.py",
    "policy/public_suffix.py",
    "route/request_headers.py",
    "secret.py",
    "route/response_headers.py",
    "route/sealing.py",
    "route/spellings.py",
    "policy/target.py",
    "units.py",
    "whip/location.py",
    "whip/rules.py",
    "upstream/wire.py",
    "wrappers/origins.py",
    "wrappers/remedies.py",
    "credentials/oauth2.py",
    *(name for name in TREES if name.startswith("framing/")),
)
#: Where a secret becomes bytes: on the wire, to be looked for in what comes back, as a key.
REVEALING = {
    *("upstream/wire.py", "upstream/agent.py", "route/request_headers.py", "route/scrub.py"),
    # The path of a pinned base, which a redirect may not leave.
    *("policy/target.py", "route/sealing.py"),
    # A target with its keys, to be signed.
    "route/signing.py",
    # Base64 of a user and a password.
    "options/secrets.py",
    "auth/signing_keys.py",
    "auth/page_token.py",
    *("auth/signed_text.py", "auth/challenge.py"),
    *("credentials/oauth2.py", "credentials/sigv4.py"),
    "demo/media/process.py",
    "keys/vault.py",
    "limits/redis_address.py",
    "storage/database.py",
    # The URL of a webhook, and the key that signs what is posted there.
    *("options/stores.py", "server/alerts.py"),
}
#: What runs as it is imported, and what needs an extra that tests do without.
PROGRAMS = tuple(name for name in TREES if name.endswith("__main__.py"))
NEED_AIORTC = tuple(f"demo/media/{name}.py" for name in ("endpoint", "loopback", "session"))
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


def is_private(name: str) -> bool:
    """Whether *name* begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def private_names(tree: ast.AST) -> dict[str, set[str]]:
    """Private names in *tree*, by what is done with them.

    ``made``: defined or assigned; ``taken``: read from an object, by a string too; ``imported``:
    of modules outside the package, or the modules' own.
    """
    found: dict[str, set[str]] = {"made": set(), "taken": set(), "imported": set()}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found["made"].add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found["made"].add(node.id)
        elif isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            is_made = of_self and isinstance(node.ctx, ast.Store)
            found["made" if is_made else "taken"].add(node.attr)
        elif isinstance(node, ast.Call) and called(node)[:1] in (["getattr"], ["setattr"]):
            found["taken"].update(a.value for a in node.args[1:2] if isinstance(a, ast.Constant))
        elif isinstance(node, ast.Import):
            found["imported"].update(part for a in node.names for part in a.name.split("."))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found["imported"].update((node.module or "").split("."))
            found["imported"].update(alias.name for alias in node.names)
    return {kind: set(filter(is_private, names)) for kind, names in found.items()}


@functools.cache
def names_in(kind: type) -> set[str]:
    """Private names that the body of *kind* sets, or uses of ``self``."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        source = ""  # made by a call of type(): it has no body
    used = re.findall(r"\bself\.(\w+)", source)
    return set(filter(is_private, (*vars(kind), *used)))


def shared_names(kind: type) -> set[str]:
    """Private names in *kind* that a base outside the package has, too."""
    others = ("klein", "treq", "twisted", "werkzeug")
    above = [base for base in kind.__mro__ if base.__module__.partition(".")[0] in others]
    theirs = set().union(*map(names_in, above))
    return theirs and theirs & names_in(kind)


class Taking(TimerService):
    """Uses a private name of its base's."""

    def later(self) -> object:
        return self._loop


class Keeping(TimerService):
    """Has a private name of its own only."""

    def later(self) -> object:
        return self._mine


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

    def test_private_names_of_others(self) -> None:
        """Only ``_twisted.py`` takes a private name of somebody else's."""
        found = {module: private_names(tree) for module, tree in TREES.items()}
        ours = set().union(*(names["made"] for names in found.values()))
        theirs = found.pop("_twisted.py")
        self.assertIn("_tempDataLen", theirs["taken"])
        for module, names in found.items():
            with self.subTest(module=module):
                self.assertEqual(names["imported"] | (names["taken"] - ours), set())
                # Methods that somebody else calls are made here; ours are written otherwise.
                used = names["made"] | names["taken"]
                self.assertEqual({name for name in used if re.match("_[a-z]+[A-Z]", name)}, set())

    def test_private_names_inherited(self) -> None:
        """No class of ours sets or uses a private name of its base in Twisted, Klein or treq."""
        for module in TREES:
            if module in ("_twisted.py", *PROGRAMS, *NEED_AIORTC):
                continue
            name = ".".join(("naap_twisted", *Path(module).with_suffix("").parts))
            loaded = import_module(name.removesuffix(".__init__"))
            for kind in vars(loaded).values():
                if inspect.isclass(kind) and kind.__module__ == loaded.__name__:
                    with self.subTest(module=module, kind=kind.__name__):
                        self.assertEqual(shared_names(kind), set())

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
        tree = ast.parse("from a._b import c, _d\nself._e = x._f\ngetattr(x, '_g')\ndef _h(): ...")
        self.assertEqual(
            private_names(tree),
            {"made": {"_e", "_h"}, "taken": {"_f", "_g"}, "imported": {"_b", "_d"}},
        )
        self.assertEqual((shared_names(Taking), shared_names(Keeping)), ({"_loop"}, set()))
