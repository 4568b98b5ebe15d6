"""``${env:X}`` and ``${file:path}``: one Secret, and reasons that never hold a value."""

import os
from base64 import b64encode
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from naap_twisted.model import UserKeyHeader
from naap_twisted.options import secrets
from naap_twisted.options.values import Flaws, Surroundings
from naap_twisted.secret import Secret

CANARY = "sk-canary-9f2"


class SecretsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.around = Surroundings(
            self.directory,
            {"KEY": CANARY, "EMPTY": "", "BLANK": " \t", "LINES": f"{CANARY}\r\nX-Evil: 1"},
        )

    def write(self, name: str, content: bytes = CANARY.encode(), mode: int = 0o600) -> Path:
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return path


class ResolveTests(SecretsCase):
    def test_pieces(self) -> None:
        """Pieces are joined with the text around them; the source lists them, not their values."""
        self.write("key", b"from-file\n")
        table = [
            ("Bearer ${env:KEY}", f"Bearer {CANARY}", "env:KEY"),
            ("${env:KEY}", CANARY, "env:KEY"),
            ("${env:KEY}.${file:key}", f"{CANARY}.from-file", "env:KEY+file:key"),
            ("plain", "plain", "config"),
            ("$5 {x} $", "$5 {x} $", "config"),
            (" ${env:KEY} ", CANARY, "env:KEY"),
        ]
        for template, value, source in table:
            secret = secrets.resolve(template, self.around)
            self.assertEqual(secret.reveal(), value.encode(), template)
            self.assertEqual(secret.source, source)
            self.assertNotIn(CANARY, repr(secret))

    def test_parts(self) -> None:
        """Each piece is a secret by itself, whatever text is around it."""
        self.write("key", b"from-file\n")
        secret = secrets.resolve("a=${env:KEY};b=${file:key}", self.around)
        self.assertEqual(secret.reveal_parts(), (CANARY.encode(), b"from-file"))
        self.assertEqual(secrets.resolve("plain", self.around).reveal_parts(), ())

    def test_again(self) -> None:
        """What a file has a part in can be read again, from wherever the process has gone."""
        path = self.write("key", b"from-file\n")
        relative = Surroundings(Path(os.path.relpath(self.directory)), {"KEY": CANARY})
        secret = secrets.resolve("${env:KEY} ${file:key}", relative)
        self.assertEqual(secret.files, (path,))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")
        self.write("key", b"another")
        self.assertEqual(secret.read_again().reveal(), f"{CANARY} another".encode())
        self.assertEqual(secret.read_again().files, (path,))
        self.assertEqual(secrets.resolve("${env:KEY}", self.around).files, ())

    def test_again_in_a_header(self) -> None:
        """What could not stand in a header at the start can not later."""
        self.write("key")
        secret = secrets.header_value("${file:key}", self.around)
        self.write("key", "k\u00e9y".encode())
        assert isinstance(secret, Secret)
        with self.assertRaises(ValueError):
            secret.read_again()

    def test_refused(self) -> None:
        """Unset, empty, unknown and malformed pieces are refused; no reason holds a value."""
        table = [
            ("${env:NONE}", "environment variable NONE is not set"),
            ("Bearer ${env:EMPTY}", "environment variable EMPTY is empty"),
            ("Bearer ${env:BLANK}", "environment variable BLANK is empty"),
            ("${env:LINES}", "control character"),
            ("${user_key:openai}", "user_key:...} has a meaning in forward_headers only"),
            ("${sk-canary-9f2}", "neither ${env:NAME} nor ${file:path}"),
            ("${env:sk-canary-9f2}", "neither"),
            ("${env:}", "neither"),
            ("${file:}", "neither"),
            ("${ENV:KEY}", "neither"),
            ("${file:none}", "No such file"),
            ("Bearer ${env:KEY", "without its }"),
            ("", "is empty"),
            ("  ", "is empty"),
            (7, "expected text"),
        ]
        for template, reason in table:
            error = self.assertRaises(ValueError, secrets.resolve, template, self.around)
            self.assertIn(reason, str(error), repr(template))
            self.assertNotIn(CANARY, str(error))

    def test_every_bad_piece_is_told(self) -> None:
        """Two unset variables in one value are two problems."""
        error = self.assertRaises(Flaws, secrets.resolve, "${env:A}${env:B}", self.around)
        self.assertEqual(len(error.flaws), 2)

    def test_a_value_is_not_expanded_again(self) -> None:
        """What a variable holds is not a template, and one that looks like it is a mistake."""
        around = Surroundings(self.directory, {"A": "${env:B}", "B": CANARY})
        error = self.assertRaises(ValueError, secrets.resolve, "${env:A}", around)
        self.assertIn("secret from env:A is a variable's name", str(error))


class BasicTests(SecretsCase):
    """``${basic:...}``: a user and a password in base64 (RFC 7617)."""

    def setUp(self) -> None:
        super().setUp()
        self.write("pass", b"pa55 w\xc3\xb6rd:x\n")
        self.write("a:b", b"user-in-file")
        environ = {**self.around.environ, "USER": "AC0123456789", "COLON": "a:b", "TAB": "a\tb"}
        self.around = Surroundings(self.directory, {**environ, "LITERAL": "$NAME"})

    def test_pairs(self) -> None:
        """Each half from a place of its own, or empty; colons in a password and a file's path."""
        table = [
            ("${basic:env:USER:env:KEY}", b"AC0123456789:" + CANARY.encode()),
            ("${basic:env:KEY:}", CANARY.encode() + b":"),
            ("${basic::env:KEY}", b":" + CANARY.encode()),
            ("${basic:env:USER:file:pass}", b"AC0123456789:pa55 w\xc3\xb6rd:x"),
            ("${basic:file:a:b:env:KEY}", b"user-in-file:" + CANARY.encode()),
            ("${basic:file:a:b:file:a:b}", b"user-in-file:user-in-file"),
            ("${basic:file:a:b:}", b"user-in-file:"),
        ]
        for template, pair in table:
            secret = secrets.resolve(f"Basic {template}", self.around)
            self.assertEqual(secret.reveal(), b"Basic " + b64encode(pair), template)
            self.assertEqual(secret.source, template[2:-1])
            self.assertIn(pair, secret.reveal_parts())
            self.assertIn(b64encode(pair), secret.reveal_parts())
            self.assertNotIn(CANARY, repr(secret))

    def test_parts(self) -> None:
        """A password is a secret by itself; the user is one where there is no password."""
        both = secrets.resolve("${basic:env:USER:env:KEY}", self.around).reveal_parts()
        self.assertIn(CANARY.encode(), both)
        self.assertNotIn(b"AC0123456789", both)
        alone = secrets.resolve("${basic:env:KEY:}", self.around).reveal_parts()
        self.assertIn(CANARY.encode(), alone)

    def test_sources(self) -> None:
        """Each place of a secret by itself."""
        for template in ("${basic:env:USER:env:KEY}", "${env:USER}.${env:KEY}", "${env:KEY}"):
            source = secrets.resolve(template, self.around).source
            wanted = ["env:USER", "env:KEY"] if "USER" in template else ["env:KEY"]
            self.assertEqual(secrets.sources_of(source), wanted)
        self.assertEqual(secrets.sources_of("basic:env:KEY:"), ["env:KEY"])
        self.assertEqual(secrets.sources_of("config"), ["config"])

    def test_refused(self) -> None:
        """What no pair can be made of; no reason holds a value."""
        form = "not of the form ${basic:env:USER:env:PASSWORD}"
        table = [
            *((f"${{basic:{text}}}", form) for text in ("", ":", "env:USER", "USER:PASS", "::")),
            *((f"${{basic:{text}}}", form) for text in ("env:USER:PASS", "env:a b:", "file::")),
            ("${basic:env:COLON:env:KEY}", "user from env:COLON has a colon"),
            ("${basic:env:USER:env:NONE}", "environment variable NONE is not set"),
            ("${basic:env:EMPTY:env:KEY}", "environment variable EMPTY is empty"),
            ("${basic:env:USER:env:EMPTY}", "environment variable EMPTY is empty"),
            ("${basic:env:USER:file:none}", "No such file"),
            ("${basic:env:USER:env:LINES}", "control character"),
            ("${basic:env:USER:env:LITERAL}", "secret from env:LITERAL is a variable's name"),
        ]
        for template, reason in table:
            error = self.assertRaises(ValueError, secrets.resolve, template, self.around)
            self.assertIn(reason, str(error), template)
            self.assertNotIn(CANARY, str(error))
        error = self.assertRaises(Flaws, secrets.resolve, "${basic:env:A:env:B}", self.around)
        self.assertEqual(len(error.flaws), 2)


class FileTests(SecretsCase):
    def test_read(self) -> None:
        """Owner-only files are read without their closing line end."""
        for mode in (0o600, 0o400):
            path = self.write(f"key{mode}", b" key \r\n", mode)
            self.assertEqual(secrets.read_secret_file(path), b" key ")

    def test_open_to_others(self) -> None:
        """Any permission of group or others refuses the file, and says how to close it."""
        for mode in (0o640, 0o604, 0o644, 0o620, 0o602, 0o601):
            path = self.write(f"key{mode}", mode=mode)
            error = self.assertRaises(ValueError, secrets.read_secret_file, path)
            self.assertIn("chmod 600", str(error), oct(mode))
            self.assertNotIn(CANARY, str(error))

    def test_tls_keys_may_be_read_by_their_group(self) -> None:
        """Mode 0640 is how Debian keeps them; writing, or others, is still too much."""
        path = self.write("tls", mode=0o640)
        self.assertTrue(secrets.read_secret_file(path, group_may_read=True))
        for mode in (0o660, 0o644, 0o604):
            path.chmod(mode)
            with self.assertRaises(ValueError):
                secrets.read_secret_file(path, group_may_read=True)

    def test_credential(self) -> None:
        """systemd's credential, root's and of mode 0440 by its access list, for another user."""
        path = self.write("credential", mode=0o440)
        status = path.stat()
        if status.st_uid or status.st_gid:
            raise SkipTest("only root can make files of root")
        with self.assertRaises(ValueError):
            secrets.read_secret_file(path)
        self.patch(secrets.os, "geteuid", lambda: 4711)
        self.assertTrue(secrets.read_secret_file(path))
        for mode in (0o460, 0o450, 0o444, 0o442):
            path.chmod(mode)
            with self.assertRaises(ValueError, msg=oct(mode)):
                secrets.read_secret_file(path)

    def test_owner(self) -> None:
        """A file that another user could change at will is refused."""
        path = self.write("key")
        status = path.stat()
        self.patch(secrets.os, "geteuid", lambda: status.st_uid + 1)
        fields = list(status)
        fields[4] = status.st_uid + 2
        self.patch(secrets.os, "fstat", lambda _: os.stat_result(fields))
        error = self.assertRaises(ValueError, secrets.read_secret_file, path)
        self.assertIn("belongs to another user", str(error))

    def test_not_a_file(self) -> None:
        """Directories, pipes (without waiting for a writer) and huge files are refused."""
        os.mkfifo(self.directory / "pipe", 0o600)
        self.write("huge", b"x" * (secrets.MAX_FILE_BYTES + 1))
        for name, reason in (("pipe", "regular"), ("huge", "over"), (".", ""), ("a\0b", "")):
            with self.assertRaises(ValueError) as caught:
                secrets.read_secret_file(self.directory / name)
            self.assertIn(reason, str(caught.exception))

    def test_directory(self) -> None:
        """Whoever can write a directory on the way can put another file there."""
        inside = self.directory / "one" / "two"
        inside.mkdir(parents=True)
        path = inside / "key"
        path.write_text(CANARY)
        path.chmod(0o600)
        link = self.directory / "link"
        link.symlink_to(path)
        for place in (inside, inside.parent):
            for mode, refused in ((0o757, True), (0o777, True), (0o1777, False), (0o755, False)):
                place.chmod(mode)
                for name in (path, link):
                    if refused:
                        error = self.assertRaises(ValueError, secrets.read_secret_file, name)
                        self.assertIn(f"chmod go-w {place}", str(error))
                    else:
                        self.assertEqual(secrets.read_secret_file(name), CANARY.encode())

    def test_directory_of_a_group(self) -> None:
        """Its own group is this user's alone on many systems; another one is others."""
        inside = self.directory / "shared"
        inside.mkdir()
        path = inside / "key"
        path.write_text(CANARY)
        path.chmod(0o600)
        inside.chmod(0o775)
        group = inside.stat().st_gid
        self.patch(secrets.os, "getegid", lambda: group)
        self.assertEqual(secrets.read_secret_file(path), CANARY.encode())
        if group == 0:
            return  # root's group is root's
        self.patch(secrets.os, "getegid", lambda: group + 1)
        self.assertRaises(ValueError, secrets.read_secret_file, path)

    def test_the_mode_is_that_of_the_file_behind_a_link(self) -> None:
        """A link to a readable file does not hide its mode."""
        target = self.write("open", mode=0o644)
        link = self.directory / "link"
        link.symlink_to(target)
        self.assertRaises(ValueError, secrets.read_secret_file, link)


class HeadersTests(SecretsCase):
    def test_names(self) -> None:
        """Names are header names, and each is there once whatever its case."""
        table = [
            ({"Host": "a"}, "[name 1]"),
            ({"Bearer sk-canary-9f2": "Authorization"}, "[name 1]"),
            ({"X-A": "a", "x-a": "b"}, ".x-a"),
            ({"X-A": 3}, ".X-A"),
        ]
        for headers, where in table:
            error = self.assertRaises(Flaws, secrets.secret_headers, headers, self.around)
            self.assertEqual([found for found, _ in error.flaws], [where])
            self.assertNotIn(CANARY, str(error))
        self.assertRaises(ValueError, secrets.secret_headers, "Bearer", self.around)

    def test_read(self) -> None:
        """The table comes out with the same names and Secrets as values."""
        headers = secrets.secret_headers({"Authorization": "Bearer ${env:KEY}"}, self.around)
        self.assertEqual(list(headers), ["Authorization"])
        self.assertNotIn(CANARY, repr(headers))

    def test_user_keys(self) -> None:
        """``${user_key:x}`` stays open until there is a user; plain text around it is kept."""
        for template, wanted in (
            ("Bearer ${user_key:daydream}", UserKeyHeader("daydream", "Bearer ")),
            ("${user_key:a-1}", UserKeyHeader("a-1")),
            (" key=${user_key:a};v=1 ", UserKeyHeader("a", "key=", ";v=1")),
        ):
            self.assertEqual(secrets.header_value(template, self.around), wanted)
        self.assertEqual(UserKeyHeader("a").source, "user_key:a")

    def test_user_keys_refused(self) -> None:
        """No provider, two of them, other references beside, broken templates."""
        for template in (
            *("${user_key:}", "${user_key:A b}", "${user_key:a}${user_key:b}", "${user_key:../a}"),
            *("${env:KEY}${user_key:a}", "${user_key:a} ${", "${user_key:a}\n", "${user_key}"),
        ):
            error = self.assertRaises(ValueError, secrets.header_value, template, self.around)
            self.assertNotIn(CANARY, str(error))
