"""What a plugin's author sees of the package's types: with the wheel, and no plugin for mypy."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import naap_twisted
from naap_twisted import interfaces, testing
from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.auth.static import StaticTokens
from tests.typed.plugin import PluginTests

ROOT = Path(__file__).parent.parent
TYPED = ROOT / "tests" / "typed"
DOCUMENTED = (
    ("README.md", "library-example"),
    ("docs/testing.md", "http-example"),
    ("docs/testing.md", "client-example"),
)
# As docs/testing.md has it: what others did not annotate is no news of this package.
UNTYPED = "--allow-untyped-calls"
REASONS = {
    "create_plugin_server: reactor": "no one type says all that a reactor can do",
    "PluginServer.__init__: reactor": "the same",
    "JwtAuthenticator.from_jwks: reactor": "the same",
    "SessionAuthenticator.__init__: reactor": "the same",
    "Answer.json: return": "as json.loads",
    "RawClient.transport": "TCP and TLS transports have no type in common that says what both can",
    "RunningServer.treq: options": "treq's own",
    "RunningServer.treq: return": "treq's class of responses has no public name",
    "ISessionStore.put: return": "what a coroutine is sent is Twisted's affair",
}
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([^]]*)\])?")
_EXTRA = re.compile(r"extra == ['\"]([^'\"]*)")

__all__ = ["AnyTests", "PluginTests", "TypesTests"]


def link_requirements(requirements: list[str], site: Path, known: set[str]) -> None:
    """Put what *requirements* name, and what that requires, into *site*; as an installer would."""
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        assert found is not None, requirement
        name, extras = found[1], (found[2] or "").split(",")
        if requirement in known:
            continue
        known.add(requirement)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another Python or another system
        for top in {file.parts[0] for file in package.files or ()}:
            if top != ".." and not top.endswith(".pth") and not (site / top).exists():
                (site / top).symlink_to(package.locate_file(top))
        more = package.requires or []
        wanted = [(each, _EXTRA.search(each)) for each in more]
        link_requirements(
            [each for each, extra in wanted if extra is None or extra[1] in extras], site, known
        )


def make_environment(place: Path) -> Path:
    """A Python with what the wheel holds and requires, and nothing else: no mypy-zope, no stubs."""
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    build = [sys.executable, "setup.py", "-q", "build", "--build-base", place / "build"]
    subprocess.run([*build, "--build-lib", site], cwd=ROOT, check=True, capture_output=True)
    # twistd's plugin; no import of anybody's, and it would hide Twisted itself.
    shutil.rmtree(site / "twisted")
    required = [each for each in distribution("naap-twisted").requires or [] if "extra" not in each]
    link_requirements(required, site, set())
    return place / "bin" / "python"


def example(document: str, marker: str) -> str:
    """The fenced block after ``<!-- marker -->``."""
    text = (ROOT / document).read_text("utf-8")
    found = re.search(rf"<!-- {marker} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None, marker
    return found[1]


class TypesTests(SynchronousTestCase):
    """mypy --strict, outside of the tree."""

    maxDiff = None

    def setUp(self) -> None:
        for name in ("mypy", "setuptools"):
            if find_spec(name) is None:
                raise SkipTest(f"{name} is not installed: pip install '.[test]'")
        self.work = Path(self.mktemp()).absolute()
        self.work.mkdir()
        self.python = make_environment(self.work / "env")

    def errors(self, *arguments: str) -> list[tuple[str, int, str]]:
        """File, line and code of each error that mypy finds."""
        strictly = ["--config-file=", "--strict", "--no-pretty", "--python-executable", self.python]
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *strictly, *arguments],
            cwd=self.work,
            env={name: value for name, value in os.environ.items() if "MYPY" not in name},
            capture_output=True,
            text=True,
            timeout=300,
        )
        told = re.findall(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
        # Whatever else goes wrong is no list of errors: a crash, a file that is not there.
        self.assertEqual(done.returncode, 1 if told else 0, done.stdout + done.stderr)
        return sorted({(file, int(line), code) for file, line, code in told})

    def test_a_plugin_s_author(self) -> None:
        """Examples, documentation and a whole plugin pass; each slip is refused, for its reason."""
        for file in [*ROOT.glob("examples/*.py"), *ROOT.glob("examples/*/*.py"), *TYPED.glob("*")]:
            copy = self.work / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        for document, marker in DOCUMENTED:
            module = self.work / "documented" / f"{marker.replace('-', '_')}.py"
            module.parent.mkdir(exist_ok=True)
            module.write_text(example(document, marker))
        self.assertEqual(self.errors("examples", "tests", "documented"), refused())
        (self.work / "test_assistant.py").write_text(example("docs/testing.md", "testing-example"))
        self.assertEqual(self.errors("test_assistant.py", UNTYPED), [])


class AnyTests(SynchronousTestCase):
    """``Any`` in what an author touches."""

    def test_any_has_a_reason(self) -> None:
        """Each is listed above with its reason."""
        public = [naap_twisted.__dict__[name] for name in naap_twisted.__all__]
        public += [testing.__dict__[name] for name in testing.__all__]
        public += [each for name, each in vars(interfaces).items() if re.match("I[A-Z]", name)]
        public += [JwtAuthenticator, SessionAuthenticator, StaticTokens]
        found = {
            place
            for each in public
            for place, annotation in annotations_of(each)
            if re.search(r"\bAny\b", annotation)
        }
        self.assertEqual(found, set(REASONS))


def annotations_of(public: object) -> Iterator[tuple[str, str]]:
    """Place and annotation of each argument, result and attribute of a public function or class."""
    if isinstance(public, type):
        for name, annotation in inspect.get_annotations(public).items():
            yield f"{public.__name__}.{name}", str(annotation)
        members = [value for name, value in vars(public).items() if not name.startswith("_")]
        members.append(vars(public).get("__init__"))
        for member in members:
            yield from annotations_of(getattr(member, "__func__", getattr(member, "fget", member)))
    elif inspect.isfunction(public):
        for name, annotation in public.__annotations__.items():
            yield f"{public.__qualname__}: {name}", str(annotation)


def refused() -> list[tuple[str, int, str]]:
    """What tests/typed/wrong.py says of its own lines."""
    lines = enumerate((TYPED / "wrong.py").read_text("utf-8").splitlines(), 1)
    marks = [(n, re.search("# refused: (.*)", line)) for n, line in lines]
    return sorted(
        ("tests/typed/wrong.py", n, code)
        for n, mark in marks
        if mark
        for code in mark[1].split(", ")
    )
