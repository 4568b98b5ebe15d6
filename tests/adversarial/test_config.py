"""Configs that must not start: refused as a whole, the key named, nothing opened, nothing told."""

import os
from pathlib import Path

from naap_twisted.config import load_config
from naap_twisted.errors import ConfigError
from naap_twisted.start.assembly import build_server

from .config_vectors import CONFIGS, GOOD, HOSTS, NO_AUTH, ROUTE, SERVER
from .oracle import KEY, Stage, one_test_per

_ENVIRON = {"SECRET": KEY, "EMPTY": " ", "BROKEN": f"{KEY}\nX: y"}


class ConfigStage(Stage):
    """A server that runs beside the config which must not."""

    def written(self, text, name="naap-proxy.toml", mode=0o600):
        """A file of the test's own directory."""
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        path = directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def problems(self, text):
        """The lines that the config is refused with; the test fails if it is not."""
        try:
            build_server(load_config(self.written(text), _ENVIRON)).check_exposure()
        except ConfigError as error:
            return error.problems
        self.fail("the config was taken")

    async def refused(self, text, key):
        """One line opens with *key*; none holds a secret."""
        self.start()
        problems = self.problems(text)
        self.assertTrue([line for line in problems if line.startswith(key)], problems)
        for line in problems:
            self.assertNotIn(KEY, line)
            self.assertNotIn("hunter2", line)
            self.assertTrue(line.isprintable(), line)
        await self.judge(sent=0)


@one_test_per(CONFIGS)
class DangerousTests(ConfigStage):
    """One config."""

    async def check(self, row):
        await self.refused(row.text, row.key)


class SecretFileTests(ConfigStage):
    """Files that hold keys."""

    def config_for(self, path):
        """A route that takes its key from *path*."""
        keys = f'forward_headers = {{ Authorization = "${{file:{path}}}" }}\n'
        return SERVER + NO_AUTH + ROUTE + HOSTS + keys

    async def refused_file(self, path):
        """The header that would have held it is named."""
        await self.refused(self.config_for(path), "proxy[0].forward_headers.Authorization")

    async def test_readable_by_others(self):
        """0644, 0640, 0604, 0620: chmod 600 is the answer."""
        path = self.written(KEY, "key").absolute()
        self.start()
        for mode in (0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o777):
            path.chmod(mode)
            (line,) = self.problems(self.config_for(path))
            self.assertIn("chmod 600", line)
            self.assertNotIn(KEY, line)
        await self.judge(sent=0)

    async def test_a_link_to_a_readable_file(self):
        """The file counts, not the link."""
        path = self.written(KEY, "key", 0o644).absolute()
        link = path.with_name("link")
        link.symlink_to(path)
        await self.refused_file(link)

    async def test_missing(self):
        """No such file."""
        await self.refused_file("no-such-file")

    async def test_empty(self):
        """Nothing but a line end."""
        await self.refused_file(self.written("\n", "key").absolute())

    async def test_two_lines(self):
        """A key with a line break would be two header lines."""
        await self.refused_file(self.written(f"{KEY}\nX-Evil: 1\n", "key").absolute())

    async def test_too_large(self):
        """64 KB are enough for any key."""
        await self.refused_file(self.written("k" * 70_000, "key").absolute())

    async def test_directory(self):
        """A directory."""
        await self.refused_file(self.written("", "key").absolute().parent)

    async def test_named_pipe(self):
        """It is not waited for."""
        path = self.written("", "key").absolute().with_name("pipe")
        os.mkfifo(path, 0o600)
        await self.refused_file(path)

    async def test_endless_device(self):
        """Nor read for ever."""
        await self.refused_file("/dev/zero")

    async def test_of_another_user(self):
        """Whoever owns it could have written it."""
        if os.geteuid() != 0:
            self.skipTest("needs root, to give a file away")
        path = self.written(KEY, "key").absolute()
        os.chown(path, 65534, 65534)
        self.patch(os, "geteuid", lambda: 1000)
        await self.refused_file(path)


class GoodTests(ConfigStage):
    """What the table changes is fine as it stands: its rows fail for their own reason."""

    async def test_the_config_that_the_table_changes(self):
        """It builds, and it does so without opening anything."""
        self.start()
        build_server(load_config(self.written(GOOD), _ENVIRON)).check_exposure()
        await self.judge(sent=0)
