"""deploy/backup.py and pg_dump: what was known before is known after, while the server runs."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.testing import RawClient, ScriptedUpstream
from tests.adversarial.process import ProxyProcess, pinned
from tests.integration.support import OK
from tests.servers import NO_POSTGRES, Postgres, find

from .support import DEPLOY, ROOT

SERVER = """
[server]
name = "kept"
listen = ["tcp:0:interface=127.0.0.1"]
rate_limit = false
drain_timeout = 1
{state}
[auth]
mode = "tokens"
[upstream]
allow_networks = ["127.0.0.1/32"]
"""
BUDGET = 'budget = [{ requests = 3, per = "month" }]'


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def back_up(source, target):
    return run(sys.executable, str(DEPLOY / "backup.py"), str(source), str(target))


class RestoreTests(TestCase):
    timeout = 90

    async def serve(self, state):
        server = SERVER.format(state=state)
        return await ProxyProcess(
            self, pinned("/x", self.upstream, BUDGET), server=server
        ).started()

    async def token(self, state):
        config = Path(self.mktemp()).resolve()
        config.write_text(SERVER.format(state=state) + pinned("/x", self.upstream, BUDGET))
        config.chmod(0o600)
        program = "import sys; from naap_twisted.start.cli import main; sys.exit(main())"
        new = (sys.executable, "-c", program, "token", "new", str(config), "job")
        done = await deferToThread(run, *new)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    async def ask(self, child, token):
        client = await RawClient.connect(self, child.port)
        headers = {"Host": "localhost", "Authorization": f"Bearer {token}"}
        client.request("GET", "/api/v1/x", headers)
        status = (await client.answer()).status
        await client.stop()
        return status

    async def through(self, state, restored, copy):
        """Two of three requests before the *copy*, made while the server runs; and two after."""
        self.upstream = ScriptedUpstream(self, OK)
        token = await self.token(state)
        child = await self.serve(state)
        before = [await self.ask(child, token), await self.ask(child, token)]
        done = await deferToThread(copy)
        self.assertEqual(done.returncode, 0, done.stderr)
        # What comes later is in no backup.
        before.append(await self.ask(child, token))
        await child.kill()
        other = await self.serve(restored)
        after = [await self.ask(other, token), await self.ask(other, token)]
        strange = await self.ask(other, token[:-4] + "AAAA")
        self.assertEqual((before, after, strange), ([200, 200, 200], [200, 429], 401))

    async def test_state_dir(self):
        """SQLite and the files beside it."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        old, new = folder / "state", folder / "restored"
        states = (f"state_dir = {json.dumps(str(place))}" for place in (old, new))
        await self.through(*states, lambda: back_up(old, new))

    async def test_postgres(self):
        """pg_dump and pg_restore as the documentation has them."""
        cluster = Postgres.shared()
        old, new = cluster.database("backup_old"), cluster.database("backup_new")
        dump = str(Path(self.mktemp()).resolve())

        def copy():
            done = run(find("pg_dump"), "--format=custom", f"--file={dump}", old)
            return done if done.returncode else run(find("pg_restore"), f"--dbname={new}", dump)

        await self.through(*(f'database_url = "{url}"' for url in (old, new)), copy)

    test_postgres.skip = NO_POSTGRES


class ScriptTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).resolve()
        self.source, self.target = self.folder / "state", self.folder / "copy"
        self.source.mkdir(parents=True)

    def test_files(self):
        """Uncommitted rows are not in it, committed ones of the log are; all is private."""
        (self.source / "whip.key").write_bytes(b"k" * 32)
        path = self.source / "naap-proxy.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as base:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("CREATE TABLE t (x)")
            base.execute("INSERT INTO t VALUES (1)")
            base.execute("BEGIN IMMEDIATE")
            base.execute("INSERT INTO t VALUES (2)")
            done = back_up(self.source, self.target)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = sorted(place.name for place in self.target.iterdir())
        self.assertEqual(found, ["naap-proxy.sqlite3", "whip.key"])
        self.assertEqual((self.target / "whip.key").read_bytes(), b"k" * 32)
        for place in (self.target, *self.target.iterdir()):
            self.assertEqual(place.stat().st_mode & 0o077, 0)
        with closing(sqlite3.connect(self.target / "naap-proxy.sqlite3")) as copy:
            self.assertEqual(copy.execute("SELECT x FROM t").fetchall(), [(1,)])

    def test_refusals(self):
        """Nothing is written over, and nothing half made is left behind."""
        self.target.mkdir()
        self.assertIn("is there already", back_up(self.source, self.target).stderr)
        self.target.rmdir()
        self.assertIn("not a directory", back_up(self.folder / "none", self.target).stderr)
        (self.source / "naap-proxy.sqlite3").write_bytes(b"no database, and long enough" * 100)
        self.assertNotEqual(back_up(self.source, self.target).returncode, 0)
        self.assertEqual([place.name for place in self.folder.iterdir()], ["state"])
