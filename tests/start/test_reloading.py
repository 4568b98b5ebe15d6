"""Tests of naap_twisted.start.reloading: over real sockets, nothing is cut and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.auth.cache import TtlCache
from naap_twisted.auth.sql_tokens import SqlTokenStore
from naap_twisted.auth.tokens import new_token
from naap_twisted.config.load import ConfigFile
from naap_twisted.errors import ConfigError
from naap_twisted.options.server import Config
from naap_twisted.start.reloading import GAP, ReloadingServer, differences
from naap_twisted.testing import PAUSE, RawClient, ScriptedUpstream
from tests.config.support import config_of, proxy
from tests.demo.loopback import until
from tests.integration.certificates import Authority

SERVER = """\
[server]
listen = {listen}
drain_timeout = 2
{server}
[upstream]
allow_networks = ["127.0.0.1/32"]
[auth]
mode = "none"
"""
ROUTE = """\
[[proxy]]
path = "{path}"
target = "{target}"
authorize = "anyone"
methods = ["GET"]
[proxy.forward_headers]
Authorization = "Bearer {key}"
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ReloadCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.folder = folder
        self.path = folder / "naap-proxy.toml"
        self.listen = ["tcp:0:interface=127.0.0.1"]

    def write(self, *routes: str, server: str = "") -> None:
        text = SERVER.format(listen=self.listen, server=server) + "".join(routes)
        self.path.write_text(text.replace("'", '"'))
        self.path.chmod(0o600)

    def route(self, path: str = "/x", key: str = "first-secret-1234", more: str = "") -> str:
        return ROUTE.format(path=path, target=self.upstream.origin, key=key) + more

    def start(self) -> ReloadingServer:
        self.serving = ReloadingServer(self.path, reactor)
        self.serving.startService()
        self.addCleanup(self.stop)
        return self.serving

    def stop(self) -> object:
        stopped = self.serving.stopService()
        self.serving.hurry()
        return stopped

    @property
    def port(self) -> int:
        return int(self.serving.addresses()[0].rpartition(":")[2])

    async def client(self) -> RawClient:
        return await RawClient.connect(self, self.port)

    async def ask(self, path: str = "/api/v1/x") -> int:
        client = await self.client()
        client.request("GET", path)
        answer = await client.answer()
        await client.stop()
        return answer.status

    def keys(self) -> list[str]:
        return [seen.values("authorization")[0].decode() for seen in self.upstream.requests]


class ReloadTests(ReloadCase):
    async def test_routes(self) -> None:
        """Routes come, go and change; a connection that is open goes on under the new ones."""
        self.upstream = ScriptedUpstream(self, OK, OK, OK)
        self.write(self.route(), self.route("/old"))
        serving = self.start()
        client = await self.client()
        client.request("GET", "/api/v1/old")
        self.assertEqual((await client.answer()).status, 200)
        self.write(self.route(key="second-secret-1234"), self.route("/new"))
        told = serving.reload()
        self.assertEqual(told.problems, ())
        self.assertEqual(told.generation, 2)
        self.assertEqual(told.changed, ("/x (forward_headers)", "/new (new)", "/old (gone)"))
        for path, status in (("/x", 200), ("/old", 404), ("/new", 200)):
            client.request("GET", f"/api/v1{path}")
            self.assertEqual((await client.answer()).status, status, path)
        self.assertEqual(
            self.keys(),
            ["Bearer first-secret-1234", "Bearer second-secret-1234", "Bearer first-secret-1234"],
        )

    async def test_streams_end_as_they_began(self) -> None:
        """What is in flight is not cut, even where its route is gone; then its stores close."""
        self.upstream = ScriptedUpstream(
            self, HEAD + b"3\r\none\r\n", PAUSE, b"3\r\ntwo\r\n0\r\n\r\n"
        )
        self.write(self.route(), server=f'state_dir = "{self.folder}/first"')
        serving = self.start()
        old = serving.server
        client = await self.client()
        client.request("GET", "/api/v1/x")
        await self.upstream.until(lambda: self.upstream.requests)
        self.write(self.route("/other"), server=f'state_dir = "{self.folder}/second"')
        self.assertEqual(serving.reload().problems, ())
        self.assertIsNotNone(old.parts.state._database._engine)
        self.assertEqual(await self.ask(), 404)
        self.upstream.release()
        answer = await client.answer()
        self.assertEqual((answer.status, answer.body), (200, b"onetwo"))
        await until(lambda: old.parts.state._database._engine is None)
        self.assertIsNotNone(serving.server.parts.state._database._engine)
        client.request("GET", "/api/v1/x")
        self.assertEqual((await client.answer()).status, 404)

    async def test_refused(self) -> None:
        """A broken config changes nothing: by file, line and place the log says why."""
        self.upstream = ScriptedUpstream(self, OK)
        self.write(self.route())
        serving = self.start()
        server = serving.server
        self.write(self.route().replace("methods", 'max_body = "many"\nmethods'))
        with capturedLogs() as logs:
            told = serving.reload()
        self.assertEqual(told.generation, 1)
        lines = self.path.read_text().splitlines()
        number = lines.index('max_body = "many"') + 1
        (problem,) = told.problems
        place = f"{self.path}:{number}: proxy[0].max_body: "
        self.assertTrue(problem.startswith(place), problem)
        said = [formatEvent(event) for event in logs if event["log_level"] is LogLevel.error]
        self.assertEqual(
            said, [f"reload refused, nothing has changed: {line}" for line in told.problems]
        )
        self.path.write_text("[server\n")
        self.assertIn("not TOML", serving.reload().problems[0])
        self.path.unlink()
        self.assertIn("No such file", serving.reload().problems[0])
        self.assertIs(serving.server, server)
        self.assertEqual(await self.ask(), 200)
        self.assertEqual(server.parts.tally.reloads, {"refused": 3})

    async def test_listeners(self) -> None:
        """A new address is opened, one that is gone is closed, and one that is taken refused."""
        self.upstream = ScriptedUpstream(self, OK, OK)
        self.write(self.route())
        serving = self.start()
        first = self.port
        taken = ScriptedUpstream(self).port
        self.listen = [f"tcp:{taken}:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"]
        self.write(self.route())
        (problem,) = serving.reload().problems
        self.assertIn(f"cannot listen on 127.0.0.1:{taken}", problem)
        self.assertEqual(await self.ask(), 200)
        open_before = await self.client()
        self.listen = ["tcp:0:interface=127.0.0.1:backlog=7"]
        self.write(self.route())
        self.assertEqual(serving.reload().problems, ())
        self.assertNotEqual(self.port, first)
        self.assertEqual(await self.ask(), 200)
        with self.assertRaises(ConnectionRefusedError):
            await RawClient.connect(self, first)
        open_before.request("GET", "/healthz")
        self.assertEqual((await open_before.answer()).status, 200)

    async def test_counts_go_on(self) -> None:
        """A limit and a budget that stay as they are know what was before."""
        self.upstream = ScriptedUpstream(self, *[OK] * 9)
        limits = 'rate_limit = { requests = 3, window = "1h" }\n'
        budget = 'budget = [{ requests = 2, per = "day", of = "route" }]\n'
        route = self.route().replace("[proxy.f", budget + "[proxy.f")
        self.write(route, server=limits)
        serving = self.start()
        self.assertEqual(await self.ask(), 200)
        self.write(route, self.route("/more"), server=limits)
        self.assertEqual(serving.reload().problems, ())
        self.assertEqual([await self.ask() for _ in range(3)], [200, 429, 429])
        self.assertEqual(await self.ask("/api/v1/none"), 429)
        self.write(route)
        self.assertEqual(serving.reload().problems, ())
        self.assertEqual(await self.ask(), 429)
        self.assertEqual(await self.ask("/api/v1/none"), 404)

    async def test_refused_after_it_was_built(self) -> None:
        """What serves knows its callers from where it did, though another place was named."""
        self.upstream = ScriptedUpstream(self, OK, OK)
        self.write(self.route(), server=f'state_dir = "{self.folder}/first"')
        tokens = self.path.read_text().replace('mode = "none"', 'mode = "tokens"')
        tokens = tokens.replace('authorize = "anyone"', 'authorize = "user"')
        self.path.write_text(tokens)
        serving = self.start()
        token, text = new_token("ci", None, None, 1)
        SqlTokenStore(serving.server.parts.state._database).add(token)

        async def status() -> int:
            client = await self.client()
            client.request("GET", "/api/v1/x", {"Authorization": f"Bearer {text}"})
            answer = await client.answer()
            await client.stop()
            return answer.status

        self.assertEqual(await status(), 200)
        other = tokens.replace("/first", "/second")
        taken = ScriptedUpstream(self).port
        self.path.write_text(other.replace("tcp:0:", f"tcp:{taken}:"))
        self.assertIn("cannot listen", serving.reload().problems[0])
        known = serving.server._authenticator
        known._known = TtlCache(10)
        self.assertEqual(await status(), 200)

    async def test_guests_stay(self) -> None:
        """A guest is known after a reload, also where the key is this process's alone."""
        self.upstream = ScriptedUpstream(self)
        self.write(self.route())
        text = self.path.read_text().replace('mode = "none"', 'mode = "guest"')
        self.path.write_text(text)
        serving = self.start()
        guests = serving.server.parts.state.guests
        self.path.write_text(
            text.replace('mode = "guest"', 'mode = "guest"\nguest = { ttl = "1h" }')
        )
        self.assertEqual(serving.reload().problems, ())
        again = serving.server.parts.state.guests
        self.assertIsNot(again, guests)
        self.assertEqual(again.open().keys, guests.open().keys)

    async def test_certificate(self) -> None:
        """A reload, and time, read the certificate again; a pair that does not fit is refused."""
        self.upstream = ScriptedUpstream(self)
        first, second = Authority(), Authority()
        key, chain = self.folder / "key.pem", self.folder / "chain.pem"

        def put(authority: Authority) -> None:
            for file, content in zip((key, chain), authority.issue("localhost"), strict=True):
                file.write_bytes(content)
                file.chmod(0o600)

        put(first)
        self.listen = [f"ssl:0:privateKey={key}:certKey={chain}:interface=127.0.0.1"]
        self.write(self.route())
        serving = self.start()
        self.assertEqual(await self.trusting(first, second), [True, False])
        put(second)
        with capturedLogs() as logs:
            self.assertEqual(serving.reload().problems, ())
            self.assertEqual(await self.trusting(first, second), [False, True])
            put(first)
            await until(lambda: any("read again from" in formatEvent(event) for event in logs))
        self.assertEqual(await self.trusting(first, second), [True, False])
        key.write_text("none")
        self.assertIn("are no PEM private key", serving.reload().problems[0])
        self.assertEqual(await self.trusting(first, second), [True, False])

    async def test_admin(self) -> None:
        """The admin side tells of the new config, and moves where that says so."""
        self.upstream = ScriptedUpstream(self)
        admin = 'admin_listen = "tcp:0:interface=127.0.0.1"\n'
        self.write(self.route(), server=admin)
        serving = self.start()
        before = serving.server.admin_address
        self.write(self.route("/b"), server=admin)
        self.assertEqual(serving.reload().problems, ())
        self.assertEqual(serving.server.admin_address, before)
        client = await RawClient.connect(self, int(before.rpartition(":")[2]))
        client.request("GET", "/metrics")
        metrics = (await client.answer()).body.decode()
        self.assertIn("naap_config_generation 2.0", metrics)
        self.assertIn('naap_config_reloads_total{outcome="done"} 1.0', metrics)
        client.request("GET", "/readyz")
        self.assertEqual((await client.answer()).status, 200)
        client.request("POST", "/reload", {"Origin": "http://evil.example"}, b"")
        self.assertEqual((await client.answer("POST")).status, 403)
        client.request("POST", "/reload", {}, b"")
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.json()["generation"]), (200, 3))
        self.path.write_text("nothing")
        client.request("POST", "/reload", {}, b"")
        answer = await client.answer("POST")
        self.assertEqual(answer.status, 422)
        self.assertIn("not TOML", answer.json()["problems"][0])
        self.write(self.route("/b"))
        self.assertEqual(serving.reload().problems, ())
        self.assertEqual(serving.server.admin_address, "")

    async def test_stopping(self) -> None:
        """A server that stops takes no other config."""
        self.upstream = ScriptedUpstream(self)
        self.write(self.route())
        serving = ReloadingServer(self.path, reactor)
        serving.startService()
        stopped = serving.stopService()
        self.assertIn("not running", serving.reload().problems[0])
        serving.ask()
        await stopped

    async def test_storm(self) -> None:
        """A hundred wishes at once are two reloads: one now, and one for what came since."""
        self.upstream = ScriptedUpstream(self)
        self.write(self.route())
        serving = self.start()
        for _ in range(100):
            serving.ask()
        await until(lambda: serving.server.parts.generation == 2)
        for _ in range(100):
            serving.ask()
        await deferLater(reactor, 0)
        self.assertEqual(serving.server.parts.generation, 2)
        await until(lambda: serving.server.parts.generation == 3)

    async def trusting(self, *authorities: Authority) -> list[bool]:
        """Whether clients that trust each of *authorities* get an answer."""
        heard = []
        for authority in authorities:
            tls = authority.client_options("localhost")
            client = await RawClient.connect(self, self.port, tls=tls)
            client.request("GET", "/healthz")
            heard.append((await client.read_until(b"\r\n")).startswith(b"HTTP/1.1 200"))
        return heard


class Crew:
    """Workers of whom one takes no other config."""

    restarts = 0
    file: ConfigFile
    most = 0.0

    async def reload(self, file: ConfigFile) -> list[str]:
        self.asked = file
        return ["worker 2: no"]

    def start(self, descriptors: object) -> None: ...

    def stop(self) -> Deferred[None]:
        return succeed(None)

    def hurry(self) -> None: ...


class CrewTests(ReloadCase):
    async def test_refused_there(self) -> None:
        """Workers get the text that was read, only if it is good; who refuses it is told."""
        self.upstream = ScriptedUpstream(self)
        self.write(self.route(), server="workers = 2")
        hired: list[int] = []
        crew = Crew()

        def hire(size: int) -> Any:
            hired.append(size)
            return crew

        self.serving = ReloadingServer(self.path, reactor, hire=hire)
        self.serving.startService()
        self.addCleanup(self.stop)
        self.assertEqual((hired, crew.most), ([2], 2.0))
        self.assertEqual(crew.file.text, self.path.read_text())
        self.write(self.route("/b"), server="workers = 2")
        told = await self.serving.reload_all()
        self.assertEqual(
            (told.generation, told.problems, told.partly), (2, ("worker 2: no",), True)
        )
        self.assertIs(crew.asked, crew.file)
        self.assertEqual(crew.file.text, self.path.read_text())
        self.write(self.route("/b"), server="workers = 3")
        told = await self.serving.reload_all()
        self.assertIn("server.workers: is 2 until a restart", told.problems[0])
        self.assertIsNot(crew.file.text, self.path.read_text())
        self.assertFalse(told.partly)


class StartTests(SynchronousTestCase):
    def test_bad(self) -> None:
        """It is not made of a config that can't be used."""
        self.assertRaises(ConfigError, ReloadingServer, "/nowhere.toml", Clock())
        self.assertGreater(GAP, 0)


class DifferenceTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Options by their names in a file."""
        a = config_of(server='[server]\nname = "a"', proxy=proxy('allowed_hosts = ["a.example"]'))
        b = config_of(server='[server]\nname = "b"', proxy=proxy('allowed_hosts = ["b.example"]'))
        self.assertEqual([*differences(a, a)], [])
        self.assertEqual([*differences(a, b)], ["server.name", "/a (allowed_hosts)"])
        self.assertEqual(
            [*differences(a, Config(server=a.server))][-1], f"{a.proxy[0].path} (gone)"
        )
