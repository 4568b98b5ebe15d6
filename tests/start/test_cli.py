"""The console script: what it prints, and its exit status."""

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import naap_twisted
from naap_twisted import __version__
from naap_twisted.admin.decision import Question
from naap_twisted.config import parse_config
from naap_twisted.keys.vault import Vault, new_master_key
from naap_twisted.secret import Secret
from naap_twisted.start import cli
from tests.config.support import proxy, text_of

ROOT = Path(naap_twisted.__file__).parent.parent
LOOPBACK = text_of(
    upstream='[upstream]\nallow_networks = ["127.0.0.1/32:9100"]',
    proxy=proxy('allowed_hosts = ["127.0.0.1"]', "allowed_ports = [9100, 9200]"),
)


class CliCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(sys, "path", list(sys.path))

    def config(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)


class CheckTests(CliCase):
    def test_good(self) -> None:
        """What each route allows, and status 0."""
        self.patch(cli, "as_root", lambda user: [])
        self.assertEqual(cli.main(["check", self.config(text_of())]), 0)
        self.assertIn("route /api/v1/a", self.out.getvalue())
        self.assertEqual(self.err.getvalue(), "")

    def test_warnings(self):
        """What is allowed and should be known: on stderr, and the status is that of a good one."""
        self.patch(os, "geteuid", lambda: 0)
        text = text_of(
            server='[server]\nlisten = ["tcp:4020"]',
            proxy=proxy(
                'authorize = "anyone"', 'forward_headers = { Authorization = "Bearer ${env:K}" }'
            ),
        )
        self.patch(os, "environ", {**os.environ, "K": "sk-canary"})
        self.assertEqual(cli.main(["check", self.config(text)]), 0)
        spent, root = self.err.getvalue().splitlines()
        self.assertIn("warning: /api/v1/a: ", spent)
        self.assertIn("whoever reaches tcp:4020 can spend the key", spent)
        self.assertIn("warning: runs as root", root)
        self.assertNotIn("canary", self.err.getvalue() + self.out.getvalue())

    def test_base_path_twice(self):
        """Said by check; the start says the same (tests/server/test_cautions.py)."""
        self.patch(cli, "as_root", lambda user: [])
        text = text_of(proxy=proxy().replace('path = "/a"', 'path = "/api/v1/a"'))
        self.assertEqual(cli.main(["check", self.config(text)]), 0)
        self.assertIn('warning: /api/v1/api/v1/a: path = "/api/v1/a"', self.err.getvalue())

    def test_what_only_building_finds(self):
        """Its verdict is the start's: headers that are never relayed, TLS files, the state."""
        taken = Path(self.mktemp()).absolute()
        taken.write_text("")
        pair = taken.with_name("no.pem")
        pair.write_text("nothing")
        pair.chmod(0o600)
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={pair}"
        for key, sections in (
            ("proxy[0].response_headers", {"proxy": proxy('response_headers = ["Date"]')}),
            ("server.listen[0]", {"server": f'[server]\nlisten = ["{endpoint}"]'}),
            ("server.state_dir", {"server": f'[server]\nstate_dir = "{taken}"'}),
        ):
            self.assertEqual(cli.main(["check", self.config(text_of(**sections))]), 1)
            self.assertIn(key, self.err.getvalue())
            self.assertEqual(self.out.getvalue(), "")

    def test_bad(self) -> None:
        """Each problem on a line of stderr, nothing on stdout, status 1."""
        path = self.config(text_of(proxy=proxy("timeout = 0", "body_limit = 0")))
        self.assertEqual(cli.main(["check", path]), 1)
        self.assertEqual(
            [line.partition(":")[0] for line in self.err.getvalue().splitlines()],
            ["proxy[0].body_limit", "proxy[0].timeout"],
        )
        self.assertEqual(self.out.getvalue(), "")

    def test_authorize_is_imported(self) -> None:
        """A callable that can't be had is a problem before the start."""
        path = self.config(text_of(proxy=proxy('authorize = "no_such_module:f"')))
        self.assertEqual(cli.main(["check", path]), 1)
        self.assertIn("proxy[0].authorize: cannot import no_such_module", self.err.getvalue())

    def test_no_file(self) -> None:
        """A file that is not there."""
        self.assertEqual(cli.main(["check", "/nonexistent.toml"]), 1)
        self.assertIn("cannot read", self.err.getvalue())

    def test_usage(self) -> None:
        """No command, or an unknown one: status 2."""
        for arguments in ([], ["chek"], ["check"], ["explain", "a"]):
            ended = self.assertRaises(SystemExit, cli.main, arguments)
            self.assertEqual(ended.code, 2)


class ExplainTests(CliCase):
    def explain(self, *arguments: str, route: str = "/a", **answer: object) -> int:
        """The command's status; *answer* is laid over what the console would say."""
        said = {
            "allowed": True,
            "hint": None,
            "steps": [{"name": "host", "passed": True, "text": "because"}],
            "headers": [],
            "preflight": {"allowed": True, "problems": []},
        }
        self.asked: list[Question] = []

        def run(_: object, question: Question) -> dict[str, object]:
            self.asked.append(question)
            return {**said, **answer}

        self.patch(cli, "_run", run)
        return cli.main(["explain", self.config(text_of()), route, "https://x/", *arguments])

    def test_steps(self) -> None:
        """One line a step, the decision last; its status is the answer."""
        for passed, status, word in ((True, 0, "allowed"), (False, 1, "refused")):
            self.assertEqual(self.explain(allowed=passed), status)
            self.assertEqual(self.out.getvalue().split()[-2:], ["decision", word])
            self.assertIn("because", self.out.getvalue())

    def test_request(self) -> None:
        """Method, origin and headers are asked about; the method is the route's own at first."""
        self.explain("--origin", "http://a.example", "-H", "X-A: 1", "--header", "X-B:2")
        self.assertEqual(
            self.asked,
            [Question("/a", "POST", "https://x/", "http://a.example", {"X-A": "1", "X-B": "2"})],
        )
        self.explain("--method", "DELETE")
        self.assertEqual(self.asked[0].method, "DELETE")
        self.assertEqual(self.explain("--header", "X A: 1"), 2)
        self.assertIn('"headers" must be', self.err.getvalue())

    def test_body(self) -> None:
        """A text, or a file's bytes, whatever they are; a file that is not there is told."""
        self.explain("--body", '{"model": "m"}')
        self.assertEqual(self.asked[0].body, '{"model": "m"}')
        path = Path(self.mktemp())
        path.write_bytes(b"a\xffb")
        self.explain("--body", f"@{path}")
        body = self.asked[0].body
        assert body is not None
        self.assertEqual(body.encode("utf-8", "surrogateescape"), b"a\xffb")
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
        self.explain("--body", "@-")
        self.assertEqual(self.asked[0].body, "{}")
        self.assertEqual(self.asked[0].method, "POST")
        self.assertEqual(self.explain("--body", f"@{path}.no"), 2)
        self.assertIn("No such file", self.err.getvalue())
        self.patch(cli, "_MOST_BODY", 2)
        self.assertEqual(self.explain("--body", f"@{path}"), 2)
        self.assertIn("--body has more than 2 bytes", self.err.getvalue())

    def test_headers(self) -> None:
        """What is lost, with its line; a preflight that fails refuses as well."""
        line = 'pass_headers = ["X-A"]'
        lost = {"name": "X-A", "fate": "dropped", "text": "is lost", "hint": line}
        self.assertEqual(self.explain(headers=[lost]), 0)
        self.assertIn(f"dropped   X-A is lost; to allow it: {line}", self.out.getvalue())
        problem = {"text": "x-a is not allowed", "hint": line}
        preflight = {"allowed": False, "problems": [problem]}
        self.assertEqual(self.explain(preflight=preflight), 1)
        self.assertIn(
            f"preflight REFUSED   x-a is not allowed; to allow it: {line}", self.out.getvalue()
        )

    def test_route(self) -> None:
        """A route is found with or without the base path; an unknown one is status 2."""
        self.assertEqual(self.explain(route="/api/v1/a"), 0)
        self.assertEqual(self.explain(route="/b"), 2)
        self.assertIn("no route /b; there is /a", self.err.getvalue())

    def test_bad_config(self) -> None:
        """Without a config there is nothing to explain."""
        self.assertEqual(cli.main(["explain", self.config(""), "/a", "https://x/"]), 2)
        self.assertIn("auth.session_url: ", self.err.getvalue())


class ProcessTests(SynchronousTestCase):
    def test_explain(self) -> None:
        """The whole command with its own reactor, as the console script runs it."""
        path = Path(self.mktemp()).absolute()
        path.write_text(LOOPBACK)
        program = "import sys; from naap_twisted.start.cli import main; sys.exit(main())"
        for port, status, last in ((9100, 0, "allowed"), (9200, 1, "refused")):
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    program,
                    "explain",
                    path,
                    "/a",
                    f"https://127.0.0.1:{port}/",
                    *("--header", "X-New: 1"),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((done.returncode, done.stderr), (status, ""))
            self.assertEqual(done.stdout.split()[-1], last)
            self.assertIn("loopback (RFC 1122)", done.stdout)
            self.assertIn("header    dropped   X-New", done.stdout)


class KeyTests(CliCase):
    def test_new_master_key(self) -> None:
        """One that keys.master_key takes, another one each time."""
        self.assertEqual([cli.main(["new-master-key"]) for _ in range(2)], [0, 0])
        first, second = self.out.getvalue().split()
        self.assertNotEqual(first, second)
        Vault(Secret(f"{first},{second}"))

    def test_rotate_keys(self) -> None:
        """What one master key sealed opens with the next one; without the old one: refused."""
        old, new = new_master_key(), new_master_key()
        folder = Path(self.mktemp()).absolute()
        for keys, status in ((old, 0), (f"{new},{old}", 0), (new, 0), (old, 1)):
            text = text_of(
                server=f'[server]\nstate_dir = "{folder}"', more=f'[keys]\nmaster_key = "{keys}"'
            )
            path = self.config(text)
            os.chmod(path, 0o600)
            self.assertEqual(cli.main(["rotate-keys", path]), status, keys)
            self.assertNotIn(old, self.out.getvalue() + self.err.getvalue())
        self.assertIn("nothing was changed", self.err.getvalue())

    def test_rotate_nothing(self) -> None:
        """Without a master key there is nothing to rotate, and that is no success."""
        self.assertEqual(cli.main(["rotate-keys", self.config(text_of())]), 1)
        self.assertIn("keys.master_key", self.err.getvalue())


class InitTests(CliCase):
    def test_version(self) -> None:
        """The package's, as every command has it."""
        with self.assertRaises(SystemExit) as caught:
            cli.main(["--version"])
        self.assertEqual(caught.exception.code, 0)
        self.assertEqual(self.out.getvalue(), f"naap-proxy {__version__}\n")

    def test_an_example_is_called_one(self) -> None:
        """A target that only its owner knows: left as it is, the key would go to another's."""
        (line,) = [each for each in cli.config_for("azure-openai").splitlines() if "target" in each]
        self.assertIn("<your-resource>", line)
        self.assertIn("# write yours: the key goes there", line)

    def test_the_printed_config_is_good(self) -> None:
        """With the one variable it names it passes ``check``."""
        self.assertEqual(cli.main(["init"]), 0)
        printed = self.out.getvalue()
        self.patch(os, "environ", {"OPENAI_API_KEY": "sk-test"})
        self.assertEqual(cli.main(["check", self.config(printed)]), 0, self.err.getvalue())

    def test_the_other_modes_of_auth_are_good(self) -> None:
        """Each indented block, in the place of the mode that stands there."""
        section = cli.example_config().partition("[auth]")[2].partition("[upstream]")[0]
        blocks = section.split('#   mode = "')[1:]
        self.assertEqual(len(blocks), 4)
        for block in blocks:
            lines = [line for line in ('#   mode = "' + block).splitlines() if "#   " in line]
            auth = "\n".join(["[auth]", *(line.removeprefix("#   ") for line in lines)])
            text = cli.example_config().replace("[auth]" + section, auth + "\n")
            text = text.replace("# state_dir", "state_dir")
            environ = {"OPENAI_API_KEY": "sk-test", "NEXTAUTH_SECRET": "x" * 32}
            environ["PAGE_TOKEN_ISSUER"] = "y" * 43
            config = parse_config(text, environ=environ)
            self.assertTrue(config.auth.is_required)

    def test_what_is_commented_out_is_good_too(self) -> None:
        """Every option that stands behind a # is a key of its section and parses."""
        lines = []
        for line in cli.example_config().splitlines():
            key = line.removeprefix("# ").partition(" = ")[0]
            option = line.startswith("# ") and " = " in line and key.isidentifier()
            files = ("ca_file", "client_cert", "client_key")
            lines.append(line.removeprefix("# ") if option and key not in files else line)
        text = "\n".join(lines)
        environ = {
            "OPENAI_API_KEY": "sk-test",
            "MAPS_KEY": "AIza-123456",
            "NAAP_MASTER_KEY": new_master_key(),
            "DATABASE_URL": "postgresql://h/d",
            "CLIENT_SECRET": "of-the-client",
            "ALERT_URL": "https://hooks.example.org/x",
            "ALERT_SECRET": "of-the-webhook-too",
        }
        config = parse_config(text, environ=environ)
        self.assertEqual(config.proxy[0].pass_headers, ("OpenAI-Organization",))
        self.assertTrue(config.server.https_redirect)


class ProviderTests(CliCase):
    def test_what_it_sets(self) -> None:
        """A provider of ours by name, one's own by path; an unknown one is a wrong command."""
        self.assertEqual(cli.main(["options", "--provider", "anthropic"]), 0)
        self.assertIn('header = "x-api-key"', self.out.getvalue())
        own = Path(self.mktemp()).absolute().with_suffix(".toml")
        own.write_text("title = 'Acme'")
        self.assertEqual(cli.main(["options", "--provider", str(own)]), 0)
        self.assertTrue(self.out.getvalue().endswith("title = 'Acme'\n"))
        self.assertEqual(cli.main(["options", "--provider", "gone.toml"]), 2)
        self.assertIn("cannot read", self.err.getvalue())
