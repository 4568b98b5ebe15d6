"""What the documentation shows is run here."""

import doctest
import importlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any
from unittest import TestResult

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import PluginServer, RateLimit, SignableRequest
from naap_twisted.auth.guests import GuestOptions
from naap_twisted.config import parse_config
from naap_twisted.documents.fields import DEEPEST_NAME, MOST_FIELDS
from naap_twisted.documents.json_text import DEEPEST
from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.errors import HostNotAllowed, ProxyError
from naap_twisted.framing.proxy_protocol import MOST_V1, MOST_V2
from naap_twisted.keys.vault import new_master_key
from naap_twisted.limits.capacity import CapacityLimits
from naap_twisted.limits.replays import ReplayBounds
from naap_twisted.policy.endpoint_pattern import MAX_SEGMENTS
from naap_twisted.policy.learned import MOST, MOST_AT_ONCE
from naap_twisted.route.observed_body import MOST_READ
from naap_twisted.spend.ledger import Charge, Correction, MemoryLedger
from naap_twisted.start import cli
from naap_twisted.upstream.lookups import LookupLimits
from naap_twisted.upstream.pool import PoolLimits
from naap_twisted.wrappers.untrusted_proxies import MOST_TOLD
from tests.spend import measured
from tests.spend.test_prices import Tokens

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEY = "sk-example-key"


def block(marker: str) -> str:
    """The fenced block after ``<!-- marker -->``."""
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found is not None, marker
    return found[1]


def operations(marker: str) -> str:
    """The code block of docs/operations.md behind *marker*."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", text, re.DOTALL)
    assert found is not None, marker
    return found[1]


def every_error(kind: type) -> list[type]:
    return [each for sub in kind.__subclasses__() for each in (sub, *every_error(sub))]


class ReadmeTests(SynchronousTestCase):
    def test_config_example(self) -> None:
        """The ten lines are ten lines (and the table headers), and open one endpoint and model."""
        text = block("config-example")
        lines = [line for line in text.splitlines() if not line.startswith("[")]
        self.assertLessEqual(len(lines), 10)
        config = parse_config(text, directory=ROOT, environ={"OPENAI_API_KEY": KEY})
        (route,) = config.proxy
        self.assertEqual(route.endpoints, ("POST /chat/completions",))
        self.assertEqual(route.models, ("gpt-4o-mini",))

    def test_target_url_example(self) -> None:
        """The other form stands below the same head."""
        head = block("config-example").partition("[[proxy]]")[0]
        text = head + block("target-url-example")
        config = parse_config(text, directory=ROOT, environ={"OPENAI_API_KEY": KEY})
        self.assertEqual(config.proxy[0].allowed_hosts, ("api.openai.com",))

    def test_library_example(self) -> None:
        """The plugin runs as it stands and makes a server."""
        names = {"__name__": "plugin"}
        self.patch(sys.modules["os"], "environ", {"OPENAI_API_KEY": KEY})
        exec(compile(block("library-example"), "README.md", "exec"), names)  # noqa: S102
        server = names["server"]
        self.assertIsInstance(server, PluginServer)
        self.assertEqual(server.routes()[0].full_path, "/api/v1/assistant/openai-proxy")

    def test_keys_example(self) -> None:
        """The config of docs/keys.md passes."""
        text = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- keys-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        environ = {"NAAP_MASTER_KEY": new_master_key()}
        config = parse_config(example[1], directory=ROOT, environ=environ)
        self.assertEqual(list(config.proxy[0].forward_headers), ["Authorization"])

    def test_budget_example(self) -> None:
        """The budgets of docs/spend.md are some, and their arithmetic is the ledger's."""
        text = (ROOT / "docs" / "spend.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- budget-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        config = parse_config(example[1], directory=ROOT, environ={"OPENAI_API_KEY": KEY})
        self.assertEqual(len(config.server.budget) + len(config.proxy[0].budget), 3)
        rows = re.findall(r"^\| [^|]+ \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
        ledger, charge = MemoryLedger(), Charge("a", 0, 0, 0, 1000, 500, True, 9)
        done = [
            lambda: None,
            lambda: self.assertEqual(ledger.reserve([charge]).refused, -1),
            lambda: self.assertEqual(ledger.reserve([charge]).refused, -1),
            lambda: self.assertEqual(ledger.reserve([charge]).refused, 0),
            lambda: ledger.settle([Correction(charge, 200)]),
            lambda: self.assertEqual(ledger.reserve([charge]).refused, -1),
            lambda: ledger.settle([Correction(charge, 500)] * 2),
        ]
        self.assertEqual(len(rows), len(done))
        for row, step in zip(rows, done, strict=True):
            step()
            (standing,) = ledger.read([charge])
            left = max(0, 1000 - standing.total)
            self.assertEqual(tuple(map(int, row)), (standing.spent, standing.held, left))

    def test_guest_example(self) -> None:
        """The config of docs/guests.md passes without a caution, and is what its text says."""
        text = (ROOT / "docs" / "guests.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- guest-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        environ = {"OPENAI_API_KEY": KEY, "TURNSTILE_SECRET": KEY}
        config = parse_config(example[1], directory=ROOT, environ=environ)
        self.assertEqual([budget.of for budget in config.proxy[0].budget], ["guest", "route"])
        options = GuestOptions()
        self.assertEqual(config.auth.guests.per_address, options.per_address)
        for name, limit in (("per_address", "20 in 1 hour"), ("per_prefix", "60 in 1 hour")):
            self.assertIn(f"| {limit} |\n", text)
            each: RateLimit = getattr(options, name)
            self.assertEqual(f"{each.requests} in {each.window / 3600:g} hour", limit)
        self.assertEqual(options.ttl, 30 * 86_400)
        self.assertIn(f"| `{options.cookie}` |\n", text)

    def test_measured_estimates(self) -> None:
        """The table of docs/spend.md is what the estimator says of the recorded sizes."""
        text = (ROOT / "docs" / "spend.md").read_text(encoding="utf-8")
        self.assertIn(f"<!-- measured -->\n{measured.table()}\n\n", text)

    def test_credentials_examples(self) -> None:
        """So do those about keys that are more than a text."""
        text = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
        environ = dict.fromkeys(("CRM_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEY)
        auth = '[server]\nlisten = ["tcp:0:interface=127.0.0.1"]\n[auth]\nmode = "none"\n'
        found = re.findall(r"<!-- \w+-route-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        self.assertGreater(len(found), 0)
        for example in found:
            config = parse_config(auth + example, directory=ROOT, environ=environ)
            self.assertTrue(config.proxy[0].carries_key)

    def test_provider_example(self) -> None:
        """The provider's file of docs/clients.md is one, and its key goes where it says."""
        text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- provider-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        folder = Path(self.mktemp())
        folder.mkdir()
        folder.joinpath("acme.toml").write_text(example[1])
        route = '[[proxy]]\npath = "/a"\nprovider = "./acme.toml"\nkey = "${env:KEY}"'
        config = parse_config(
            f'[auth]\nmode = "none"\n{route}', directory=folder, environ={"KEY": KEY}
        )
        self.assertEqual([*config.proxy[0].forward_query], ["api_key"])

    def test_signer_example(self) -> None:
        """The callable of docs/keys.md signs."""
        text = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- sign-callable-example -->\n```python\n(.*?)```", text, re.DOTALL)
        assert example is not None
        names: dict[str, Any] = {}
        exec(compile(example[1], "keys.md", "exec"), names)  # noqa: S102
        made = names["sign"](SignableRequest("POST", "https://a.example/", (), b"x"))
        self.assertEqual(set(made), {"X-Timestamp", "X-Signature"})

    def test_admin_example(self) -> None:
        """The config of docs/admin.md passes, beside a route."""
        text = (ROOT / "docs" / "admin.md").read_text(encoding="utf-8")
        example = re.search(r"<!-- admin-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        route = '[auth]\nmode = "none"\n[[proxy]]\npath = "/a"\nallowed_hosts = ["a.example.org"]\n'
        route += 'authorize = "anyone"'
        config = parse_config(f"{example[1]}\n{route}", directory=ROOT, environ={})
        self.assertEqual(config.server.admin_listen, "tcp:4021:interface=127.0.0.1")

    def test_links(self) -> None:
        """Every file that a document names is there."""
        for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8")):
                self.assertTrue((document.parent / link).exists(), f"{document.name}: {link}")


class DocstringTests(SynchronousTestCase):
    def test_examples(self) -> None:
        """Every example in a docstring of the package gives what it says, and some are there."""
        finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
        for path in sorted((ROOT / "naap_twisted").rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(ROOT).with_suffix("").parts
                for example in finder.find(importlib.import_module(".".join(parts))):
                    said: list[str] = []
                    failed = runner.run(example, out=said.append).failed
                    self.assertEqual(failed, 0, "".join(said))
        self.assertGreater(runner.tries, 0)


def named(pattern: str, *globs: str) -> list[tuple[Path, str]]:
    """What *pattern* finds in the files of *globs*, each with its file."""
    files = sorted({file for glob in globs for file in ROOT.glob(glob)})
    return [(file, name) for file in files for name in re.findall(pattern, file.read_text("utf-8"))]


class PlacesTests(SynchronousTestCase):
    """Whoever goes where a text sends them finds what it speaks of, also after a module's move."""

    def missing(self, places: list[tuple[Path, str]], *roots: Path) -> list[str]:
        self.assertGreater(len(places), 9, "nothing was looked for")
        return [
            f"{file.relative_to(ROOT)}: {name}"
            for file, name in places
            if not any((root / name).exists() for root in roots)
        ]

    def test_documents(self) -> None:
        """A module or a folder stands where a document says: from the root, or in the package."""
        places = named(r"`([a-z_0-9/]+(?:\.py|/))`", "*.md", "docs/*.md", "changes/*.md")
        roots = (ROOT, ROOT / "naap_twisted", ROOT / "examples" / "frontend")
        self.assertEqual(self.missing(places, *roots), [])

    def test_comments(self) -> None:
        """So does what a comment or a docstring names from the root."""
        pattern = r"\b((?:naap_twisted|tests|docs|bench|examples)/[a-z_0-9/]+\.(?:py|md|toml))\b"
        places = named(pattern, "naap_twisted/**/*.py", "tests/**/*.py", "bench/**/*.py")
        # It speaks of any module at all.
        places = [place for place in places if place[0].name != "test_mirror.py"]
        self.assertEqual(self.missing(places, ROOT), [])

    def test_modules(self) -> None:
        """What the package calls a module is one."""
        modules = named(r":mod:`\.([\w.]+)`", "naap_twisted/**/*.py")
        self.assertGreater(len(modules), 9, "nothing was looked for")
        # As Python reads it: from the file's own folder, or, at the way of a request, from the top.
        for file, name in modules:
            path = Path(*name.split("."))
            found = [
                (folder / path).is_dir() or (folder / path).with_suffix(".py").exists()
                for folder in (file.parent, ROOT / "naap_twisted")
            ]
            self.assertIn(True, found, f"{file.relative_to(ROOT)}: {name}")

    def test_promises(self) -> None:
        """Each promise has its number once, a place in the code, and tests that are there."""
        text = (ROOT / "docs" / "security.md").read_text("utf-8")
        rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
        self.assertEqual([row[0] for row in rows], [f"| {n}" for n in range(1, len(rows) + 1)])
        self.assertEqual(len({row[1] for row in rows}), len(rows))
        for _, promise, place, tests in rows:
            self.assertRegex(place, r"`[a-z_/]+(\.py|/)`|\.md\)", promise)
            self.assertRegex(tests, r"`tests/|canary keys|exact counts", promise)
            for file, case in re.findall(r"`(tests/[a-z_/]+\.py)`: `(\w+Tests)`", tests):
                self.assertIn(f"class {case}(", (ROOT / file).read_text("utf-8"), promise)


class TestingTests(SynchronousTestCase):
    """docs/testing.md: its test is run."""

    def test_testing_example(self) -> None:
        """Both tests of the example pass."""
        text = (ROOT / "docs" / "testing.md").read_text("utf-8")
        found = re.search(r"<!-- testing-example -->\n```python\n(.*?)```", text, re.DOTALL)
        assert found is not None
        names = {"__name__": "example"}
        exec(compile(found[1], "docs/testing.md", "exec"), names)  # noqa: S102
        result = TestResult()
        for name in ("test_the_key_is_added", "test_another_host_is_refused"):
            names["AssistantTests"](name).run(result)
        self.assertEqual([*result.errors, *result.failures], [])
        self.assertEqual(result.testsRun, 2)

    def test_client_example(self) -> None:
        """The plugin with a key of its own makes its client, which asks nobody else."""
        text = (ROOT / "docs" / "testing.md").read_text("utf-8")
        found = re.search(r"<!-- client-example -->\n```python\n(.*?)```", text, re.DOTALL)
        assert found is not None
        self.patch(os, "environ", {"STRIPE_KEY": KEY})
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(found[1], "docs/testing.md", "exec"), names)  # noqa: S102
        refused = names["stripe"].get("https://api.stripe.example/v1/balance")
        self.failureResultOf(refused, HostNotAllowed)


class WhipTests(SynchronousTestCase):
    def test_the_checklist_s_tests_are_there(self) -> None:
        """docs/whip.md names tests that exist."""
        text = (ROOT / "docs" / "whip.md").read_text("utf-8")
        files = [
            *(ROOT / "tests" / "integration").glob("test_whip*.py"),
            *(ROOT / "tests" / "browser").glob("test_whip.py"),
            *(ROOT / "tests" / "browser" / "media").glob("*.py"),
            *(ROOT / "tests" / "demo" / "media").glob("test_*.py"),
        ]
        tests = "".join(file.read_text("utf-8") for file in files)
        named = set(re.findall(r"`(test_\w+|\w+Tests)`", text))
        self.assertGreater(len(named), 15)
        self.assertEqual([name for name in named if f" {name}(" not in tests], [])

    def test_examples(self) -> None:
        """Its configs are configs."""
        text = (ROOT / "docs" / "whip.md").read_text("utf-8")
        examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        self.assertEqual(len(examples), 3)
        for example in examples:
            # A user's key needs users, and a store of keys.
            text = '[auth]\nmode = "none"\n' + example.replace("user_key:daydream", "env:KEY")
            environ = {"OPENAI_API_KEY": KEY, "KEY": KEY}
            config = parse_config(text, directory=ROOT, environ=environ)
            self.assertIn("application/sdp", config.proxy[0].content_type)


class OperationsTests(SynchronousTestCase):
    def test_examples(self) -> None:
        """The configs behind another proxy are good; what stands before them is tried for real.

        tests/adversarial/test_fronts.py starts nginx and haproxy with the lines of this page.
        """
        for marker in ("nginx-config", "haproxy-config"):
            rest = (
                '[auth]\nmode = "none"\n[[proxy]]\npath = "/a"\nallowed_hosts = ["a.example.com"]'
            )
            parse_config(operations(marker) + rest, directory=ROOT, environ={})
        self.assertIn("proxy_set_header", operations("nginx-example"))
        self.assertIn("send-proxy-v2-ssl", operations("haproxy-example"))


class LimitsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """docs/limits.md gives the defaults that the code has."""
        text = (ROOT / "docs" / "limits.md").read_text("utf-8")
        down, pool, places = DownstreamLimits(), PoolLimits(), CapacityLimits()
        asked = LookupLimits().waited
        for row in (
            f"{down.head.size // 1024} kB, {down.head.lines} lines",
            f"request target | {down.uri // 1024} kB",
            f"time for the head | {down.head_timeout:g} s",
            f"on a connection | {down.keep_alive:g} s",
            f"slower than {down.body_rate / 1024:g} kB/s for {down.body_grace:g} s",
            f"takes nothing | {down.write_timeout:g} s",
            f"in progress | {down.pipelined // 1024} kB",
            f"early answer | {down.linger_time:g} s; {down.linger_timeout:g} s without",
            f"drained | {down.lingering:,} at once, {down.lingering_per_address} from one address",
            f"drained | {down.linger_rate // 1024**2} MB/s, all connections together",
            f"not a proxy | {down.form // 1024**2} MB",
            f"{down.chunk_framing // 1024} kB more than its payload",
            f"in one request | {down.crumbs:,}, and one for each {down.bytes_per_crumb // 1024} kB",
            f"held whole | {down.held // 1024**2} MB; {down.held_per_address // 1024**2} MB from",
            f"does not answer | {down.callable_timeout:g} s",
            f"{MOST_V1} bytes of version 1, {MOST_V2 // 1024} kB of version 2",
            f"not trusted | {MOST_TOLD}, one a peer",
            f"{down.connections:,}; {down.connections_per_address:,} from one address",
            f"{pool.idle:g} s, {pool.per_key} an origin and route, {pool.total:,} in all",
            f"one origin | {pool.open_per_key:,}",
            f"all upstreams | {pool.open_total:,}",
            f"waits for | {asked.total} names, {asked.route} of one route, "
            f"{asked.caller} of one caller, {asked.both} of one caller on one route; "
            f"each route has {asked.reserve} in any case",
            f"levels of JSON, on a route with rules for bodies | {DEEPEST} | 422",
            f"fields of a form, there | {MOST_FIELDS:,} | 422",
            f"levels of a field's name, there | {DEEPEST_NAME} | 422",
            f"segments of an entry of `endpoints` | {MAX_SEGMENTS} |",
            f"read with `observe` | {MOST_READ // 1024**2} MB, declared",
            f"noted with `observe` | {MOST:,}; {MOST_AT_ONCE} of one request",
            f"`server.max_in_flight` | {places.total.running:,} | {places.total.queued:,} wait",
            f"`server.max_in_flight_per_user` | {places.user.running:,}",
        ):
            self.assertIn(row, text)


class ReplayTests(SynchronousTestCase):
    def test_example(self) -> None:
        """docs/replay.md: its config is good, and its bounds are those of the code."""
        text = (ROOT / "docs" / "replay.md").read_text("utf-8")
        example = re.search(r"<!-- replay-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert example is not None
        text_of_config = f'[auth]\nmode = "none"\n{example[1]}'
        config = parse_config(text_of_config, directory=ROOT, environ={"OPENAI_API_KEY": KEY})
        self.assertEqual(config.proxy[0].replay, 600.0)
        bounds, mb = ReplayBounds(), 1024 * 1024
        limits = (ROOT / "docs" / "limits.md").read_text("utf-8")
        total, own = bounds.total // mb, bounds.caller // mb
        for page, row in (
            (text, f"one answer | {bounds.answer // mb} MB"),
            (text, f"all answers of a caller | {own} MB"),
            (text, f"all answers | {total} MB"),
            (text, f"{bounds.running} in all"),
            (limits, f"one kept answer | {bounds.answer // mb} MB"),
            (limits, f"included | {total} MB; {own} MB of one caller"),
            (limits, f"callers | {bounds.running}; {bounds.running_per_caller} of one caller"),
            (limits, f"the window, {bounds.longest:g} s at most"),
        ):
            self.assertIn(row, page)


class ErrorsTests(SynchronousTestCase):
    def test_every_code_is_documented(self) -> None:
        """docs/errors.md has every code that can be answered, with its status."""
        text = (ROOT / "docs" / "errors.md").read_text("utf-8")
        for kind in every_error(ProxyError):
            if kind.__module__ == "naap_twisted.errors":
                self.assertIn(f"`{kind.code}`", text)


class Doctests(SynchronousTestCase):
    def test_examples_in_docstrings(self) -> None:
        """What a docstring of the package shows is what happens."""
        package = ROOT / "naap_twisted"
        shown = [path for path in sorted(package.rglob("*.py")) if "\n    >>> " in path.read_text()]
        self.assertGreater(len(shown), 5)
        for path in shown:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            with self.subTest(module=name):
                outcome = doctest.testmod(importlib.import_module(name))
                self.assertGreater(outcome.attempted, 0)
                self.assertEqual(outcome.failed, 0)


class LearnTests(SynchronousTestCase):
    def test_example(self) -> None:
        """docs/learn.md: its policy is what its log gives, and its config takes it."""
        text = (ROOT / "docs" / "learn.md").read_text("utf-8")
        parts = re.findall(r"<!-- learn-\w+ -->\n```\w+\n(.*?)```", text, re.DOTALL)
        config, log, policy = parts
        file = Path(self.mktemp())
        file.write_text(log)
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual(cli.main(["learn", str(file)]), 0)
        self.assertTrue(out.getvalue().startswith(policy), out.getvalue())
        for route in (config, config.replace("observe = true\n", out.getvalue())):
            parse_config(
                f'[auth]\nmode = "none"\n{route}', directory=ROOT, environ={"OPENAI_API_KEY": KEY}
            )


class PricesTests(SynchronousTestCase):
    def test_example(self) -> None:
        """docs/prices.md: its prices are taken, and its sum is what a request costs."""
        text = (ROOT / "docs" / "prices.md").read_text("utf-8")
        found = re.search(r"<!-- prices-example -->\n```toml\n(.*?)```", text, re.DOTALL)
        assert found is not None
        route = '[auth]\nmode = "none"\n[[proxy]]\npath = "/a"\nprovider = "openai"\n'
        route += 'key = "${env:KEY}"\nbody = { forbid = ["service_tier"] }'
        config = parse_config(f"{found[1]}\n{route}", directory=ROOT, environ={"KEY": KEY})
        price = config.prices.of("openai", "gpt-4o-mini-2024-07-18")
        assert price is not None
        tokens = Tokens(1000, 200, cached_input=400)
        self.assertIn(f"= {price.cost(tokens).normalize():f} dollars", text)
        self.assertIsNotNone(config.prices.of("", "acme-1"))
