"""One mistake, three doors: a file, Python and ``check`` give one verdict, in the same words."""

import contextlib
import io
import os
import sys
from pathlib import Path

from attrs import field, frozen
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import Secret, create_external_proxy, create_plugin_server
from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.config import load_config
from naap_twisted.errors import ConfigError
from naap_twisted.start import cli
from naap_twisted.start.assembly import checked_server
from tests.certs import pem_pair
from tests.keypairs import ec, pem, rsa

from .oracle import KEY

HOSTS = {"allowed_hosts": ["api.example.com"]}
ROUTE = '[[proxy]]\npath = "/a"\nallowed_hosts = ["api.example.com"]\n'


@frozen
class Mistake:
    """The same mistake twice.

    :ivar reason: what every door says, behind the option's name.
    :ivar value: what NAAP_TEST_KEY in the environment is.
    :ivar line: of *section* of the file.
    :ivar route: options of ``create_external_proxy``.
    :ivar server: options of ``create_plugin_server``.
    """

    name: str
    reason: str
    value: str = KEY
    section: str = ""
    line: str = ""
    route: dict = field(factory=dict)
    server: dict = field(factory=dict)


def header(name, value, reason, literal=False):
    """A value of ``forward_headers``; from the environment, or (*literal*) written out."""
    written = value if literal else "${env:NAAP_TEST_KEY}"
    given = value if literal else Secret(value, source="env:NAAP_TEST_KEY")
    line = f'forward_headers = {{ X-Key = "{written}" }}'
    route = {"forward_headers": {"X-Key": given}}
    return Mistake(name, reason, value, "proxy", line, route)


VARIABLE = "is a variable's name where its value is meant; write ${env:NAME}"
MISTAKES = (
    header("a shell's variable", "Bearer $OPENAI_API_KEY", VARIABLE, literal=True),
    header("PowerShell's", "$env:OPENAI_API_KEY", VARIABLE, literal=True),
    header("a variable that holds another's name", "$OPENAI_API_KEY", VARIABLE),
    header("a template that nobody filled in", "Bearer ${OPENAI_API_KEY}", VARIABLE),
    header("double quotes", f'"{KEY}"', "still has its quotes; take them away"),
    header("single quotes", f"'{KEY}'", "still has its quotes; take them away"),
    header("a written line end", f"{KEY}\\n", "ends in a line end that was written out"),
    header("a dash", KEY.replace("-", "\u2013"), "holds a character outside ASCII"),
    header("a space", f"{KEY}\u00a0", "holds a character outside ASCII"),
    *(
        Mistake(
            f"{name} relayed",
            f"{name} is never relayed",
            section="proxy",
            line=f'response_headers = ["{name}"]',
            route={"response_headers": [name]},
        )
        for name in ("Date", "Via", "WWW-Authenticate")
    ),
    Mistake(
        "the target's own header injected",
        "is the route's target_url_header",
        section="proxy",
        line='forward_headers = { x-target-url = "${env:NAAP_TEST_KEY}" }',
        route={"forward_headers": {"x-target-url": KEY}},
    ),
    Mistake(
        "an origin's port",
        "is not an origin",
        section="server",
        line='cors_origins = ["http://localhost:99999"]',
        server={"cors_origins": ["http://localhost:99999"]},
    ),
    Mistake(
        "an origin's port of zero",
        "is not an origin",
        section="server",
        line='cors_origins = ["http://localhost:0"]',
        server={"cors_origins": ["http://localhost:0"]},
    ),
    Mistake(
        "TLS files that are not there",
        "cannot read /nowhere/key.pem: No such file",
        section="server",
        line='listen = ["ssl:0:interface=127.0.0.1:privateKey=/nowhere/key.pem"]',
        server={"listen": ["ssl:0:interface=127.0.0.1:privateKey=/nowhere/key.pem"]},
    ),
)


class DoorsCase(SynchronousTestCase):
    def setUp(self):
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.patch(sys, "path", list(sys.path))

    def file(self, sections):
        """A config of these; ``proxy`` is added to the route's."""
        sections = {"server": "", "auth": 'mode = "none"', **sections}
        text = "".join(
            f"[{name}]\n{lines}\n" for name, lines in sections.items() if name != "proxy"
        )
        path = self.directory / "naap-proxy.toml"
        path.write_text(text + ROUTE + sections.get("proxy", ""), encoding="utf-8")
        path.chmod(0o600)
        return path

    def of_file(self, path):
        """What twistd says of it."""
        return self.assertRaises(ConfigError, lambda: checked_server(load_config(path))).problems

    def of_check(self, path):
        """What ``naap-proxy check`` says, and its status."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(cli.main(["check", str(path)]), 1)
        return tuple(said.getvalue().splitlines())

    def of_python(self, route, server):
        """What a script is refused with, at the call or as it starts."""

        def start():
            options = {"require_auth": False, "reactor": MemoryReactorClock(), **server}
            made = create_plugin_server("doors", **options)
            made.mount("/a", create_external_proxy(**HOSTS, **route))
            made.check_start()

        return self.assertRaises(ConfigError, start).problems

    def same(self, path, route, server, reason):
        """One line from each door, with the reason and without the key."""
        told = self.of_file(path)
        self.assertEqual(self.of_check(path), told)
        for lines in (told, self.of_python(route, server)):
            (line,) = lines
            self.assertIn(reason, line)
            for secret in (KEY, KEY.partition("-")[2], "OPENAI"):
                self.assertNotIn(secret, line)


class MistakeTests(DoorsCase):
    def test_each(self):
        """Every row of the table."""
        for row in MISTAKES:
            with self.subTest(name=row.name):
                self.patch(os, "environ", {**os.environ, "NAAP_TEST_KEY": row.value})
                path = self.file({row.section: row.line})
                self.same(path, row.route, row.server, row.reason)

    def test_good(self):
        """What the table changes is fine as it stands."""
        self.patch(os, "environ", {**os.environ, "NAAP_TEST_KEY": KEY})
        line = 'forward_headers = { X-Key = "Bearer ${env:NAAP_TEST_KEY}" }'
        checked_server(load_config(self.file({"proxy": line})))

    def test_key_and_certificate_of_two_pairs(self):
        """The first handshake would fail, not the start."""
        paths = [self.directory / name for name in ("key.pem", "cert.pem")]
        for path, content in zip(paths, (pem_pair("a")[0], pem_pair("b")[1]), strict=True):
            path.write_bytes(content)
            path.chmod(0o600)
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={paths[0]}:certKey={paths[1]}"
        path = self.file({"server": f'listen = ["{endpoint}"]'})
        self.same(path, {}, {"listen": [endpoint]}, "the certificate that goes with it")

    def test_tls_key_that_others_can_read(self):
        """Whoever lists the endpoint, the key's file has to be closed."""
        both = self.directory / "both.pem"
        both.write_bytes(b"".join(pem_pair("a")))
        both.chmod(0o644)
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={both}"
        path = self.file({"server": f'listen = ["{endpoint}"]'})
        self.same(
            path, {}, {"listen": [endpoint]}, f"open to group or others; run: chmod 600 {both}"
        )

    def test_certificates_that_are_none(self):
        """``ca_file``: missing, or not PEM."""
        broken = self.directory / "ca.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nnothing\n")
        path = self.file({"upstream": f'ca_file = "{broken}"'})
        self.same(path, {}, {"ca_file": str(broken)}, "can not be read as PEM certificates")


class SigningTests(DoorsCase):
    """Keys of tokens (RFC 7518 sections 3.2 to 3.5)."""

    def refused(self, lines, make, reason):
        path = self.file({"auth": f'mode = "jwt"\n{lines}'})
        told = self.of_file(path)
        self.assertEqual(self.of_check(path), told)
        for line in (*told, *self.assertRaises(ConfigError, make).problems):
            self.assertIn(reason, line)

    def test_secrets(self):
        """48 bytes for HS384 and 64 for HS512, whatever else is allowed beside."""
        for algorithms, size in ((["HS384"], 48), (["HS512"], 64), (["HS256", "HS512"], 64)):
            secret = "s" * (size - 1)
            self.patch(os, "environ", {**os.environ, "NAAP_TEST_KEY": secret})
            self.refused(
                f'secret = "${{env:NAAP_TEST_KEY}}"\nalgorithms = {algorithms}'.replace("'", '"'),
                lambda secret=secret, names=algorithms: JwtAuthenticator.from_secret(secret, names),
                f"is under the {size} bytes that {algorithms[-1]} asks for",
            )

    def test_public_keys(self):
        """RSA under 2048 bits, and a curve that is not the algorithm's."""
        for key, algorithm, reason in (
            (rsa("weak", 1024), "RS256", "RSA key under 2048 bits"),
            (ec("P-384"), "ES256", "ES256 does not go with"),
            (ec("P-256"), "ES512", "ES512 does not go with"),
            (ec("secp256k1"), "ES256", "ES256 does not go with"),
            (ec("P-256"), "EdDSA", "EdDSA does not go with"),
        ):
            public = self.directory / "public.pem"
            public.write_bytes(pem(key))
            self.refused(
                f'public_key_file = "{public}"\nalgorithms = ["{algorithm}"]',
                lambda key=key, name=algorithm: JwtAuthenticator.from_public_key(pem(key), [name]),
                reason,
            )
