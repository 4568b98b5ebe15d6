"""A file to a Config, or to every line that is wrong with it."""

import traceback
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import load_config, parse_config
from naap_twisted.errors import ConfigError
from tests.config.support import ENVIRON, config_of, problems_of, proxy, text_of

FIVE = """
[server]
listen = ["tcp:http"]
[auth]
mode = "none"
[[proxy]]
path = "/a"
allowed_hosts = ["*"]
timeout = 0
[[proxy]]
path = "/b"
allowed_host = ["api.openai.com"]
target = "https://api.openai.com/v1"
forward_headers = { Authorization = "Bearer ${env:NONE}" }
"""


class LoadTests(SynchronousTestCase):
    def file(self, content: bytes) -> Path:
        path = Path(self.mktemp())
        path.write_bytes(content)
        return path

    def refused(self, content: bytes) -> tuple[str, ...]:
        return self.assertRaises(ConfigError, load_config, self.file(content), ENVIRON).problems

    def test_five_mistakes_are_five_lines(self) -> None:
        """All problems at once, one line each, every line opening with its key's path."""
        lines = self.refused(FIVE.encode())
        self.assertEqual(
            [line.partition(": ")[0] for line in lines],
            [
                "server.listen[0]",
                "proxy[0].timeout",
                "proxy[1].allowed_host",
                "proxy[1].forward_headers.Authorization",
                "proxy[0].allowed_hosts[0]",
            ],
        )
        self.assertEqual(len("\n".join(lines).splitlines()), 5)

    def test_good(self) -> None:
        """A file is read, relative secrets from its own directory."""
        path = self.file(
            text_of(proxy=proxy('forward_headers = { X-Key = "${file:key}" }')).encode()
        )
        key = path.parent / "key"
        key.write_text("sk-file\n")
        key.chmod(0o600)
        self.addCleanup(key.unlink)
        config = load_config(path, {})
        self.assertEqual(config.proxy[0].forward_headers["X-Key"].reveal(), b"sk-file")

    def test_byte_order_mark(self) -> None:
        """The mark that Windows' editors write is no part of the text."""
        self.assertEqual(load_config(self.file(b"\xef\xbb\xbf" + text_of().encode())), config_of())

    def test_names_the_file(self) -> None:
        """What is no TOML names the file: at a start nobody sees which one was read."""
        path = self.file(b"[server")
        (line,) = self.assertRaises(ConfigError, load_config, path, ENVIRON).problems
        self.assertTrue(line.startswith(f"config: {path} is not TOML: "), line)

    def test_code_only(self) -> None:
        """A key that only code can give says so, and what a file has in its stead."""
        for key, words in (
            ("allow_networks", "is for code only; in a file write upstream.allow_networks"),
            ("logger", "is for code only"),
        ):
            (line,) = problems_of(proxy=proxy(f"{key} = ['127.0.0.1/32']"))
            self.assertEqual(line, f"proxy[0].{key}: {words}")

    def test_no_section(self) -> None:
        """An option of the server's above every table is told where it stands."""
        (line,) = problems_of(server='server_names = ["a.example"]')
        self.assertEqual(line, "server_names: stands in [server]; write that line before it")

    def test_misspelled_provider(self) -> None:
        """The near name is told, and no line asks for hosts, which the provider would bring."""
        text = '[[proxy]]\npath = "/a"\nprovider = "opneai"'
        (line,) = problems_of(proxy=text)
        self.assertTrue(line.endswith('did you mean "openai"?'), line)

    def test_unreadable(self) -> None:
        """No file, a directory, not UTF-8, not TOML, endless: one line each, never a traceback."""
        for content, reason in (
            (b"\xff\xfe", "UTF-8"),
            (b"[server", "not TOML"),
            (b"[server]\n[server]", "not TOML"),
            (b"x = " + b"[" * 20000, "not TOML"),
            (b"x = " + b"9" * 5000, "not TOML"),
            (b"#" * (1024 * 1024 + 1), "over"),
        ):
            (line,) = self.refused(content)
            self.assertTrue(line.startswith("config: "))
            self.assertIn(reason, line)
        for path in (Path("/nonexistent/x.toml"), Path("/"), Path("a\0b")):
            error = self.assertRaises(ConfigError, load_config, path)
            self.assertEqual(len(error.problems), 1)

    def test_sections(self) -> None:
        """Tables of the wrong shape and unknown ones are named."""
        self.assertEqual(
            problems_of(more='[sever]\nname = "x"'), ('sever: unknown key; did you mean "server"?',)
        )
        (line,) = problems_of(proxy='[proxy]\npath = "/a"')
        self.assertIn("[[proxy]]", line)
        self.assertEqual(problems_of(proxy=None), ("proxy: there is no [[proxy]] route",))
        self.assertEqual(len(problems_of(proxy='[[proxies]]\npath = "/a"')), 1)
        (line,) = self.refused(
            b'server = 3\n[auth]\nmode = "none"\n' + text_of(server=None, auth=None).encode()
        )
        self.assertEqual(line, "server: expected a table, got a whole number")

    def test_empty(self) -> None:
        """An empty file is refused for what it does not say."""
        keys = [line.partition(": ")[0] for line in self.refused(b"")]
        self.assertEqual(keys, ["proxy", "auth.session_url"])


class SecretTests(SynchronousTestCase):
    def test_no_value_is_ever_shown(self) -> None:
        """Neither a config's repr nor an error nor its traceback holds a secret's value."""
        header = 'forward_headers = { Authorization = "Bearer ${env:KEY}", X-B = "sk-inline-1" }'
        self.assertNotIn("sk-", repr(config_of(proxy=proxy(header))))
        try:
            parse_config(text_of(proxy=proxy(header, "timeout = 0")), environ=ENVIRON)
        except ConfigError as error:
            shown = "".join(
                traceback.TracebackException.from_exception(error, capture_locals=False).format()
            )
        self.assertIn("proxy[0].timeout", shown)
        self.assertNotIn("sk-", shown)
