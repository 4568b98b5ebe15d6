"""Tests of naap_twisted.start.crew: real processes of real servers, which are killed and told."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from .crews import CrewCase


class ServingTests(CrewCase):
    def test_serves(self) -> None:
        """Every worker answers, as one server: one count, one health, one end; a socket a path."""
        path = self.folder / "socket"
        self.listen.append(f"unix:{path}:mode=600")
        self.write()
        process = self.start()
        streams = self.streams(30)
        self.assertEqual({*self.owners(streams).values()}, {*self.pids().values()})
        self.assertEqual(self.statuses(20), [200] * 20)
        self.upstream.release.set()
        self.assertTrue(all(stream.whole() for stream in streams))
        self.until(
            lambda: self.metrics()['naap_requests_total{route="/api/v1/a",status="2xx"}'] == 50
        )
        found = self.metrics()
        self.assertEqual(found['naap_request_duration_seconds_count{route="/api/v1/a"}'], 50)
        self.assertEqual(found["naap_in_flight"], 0)
        status, text = self.get("/readyz", self.admin)
        self.assertEqual(status, 200)
        checks = json.loads(text)["checks"]
        self.assertEqual((checks["worker 1"], checks["worker 2"]), ("ok", "ok"))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        (line,) = [line for line in self.lines if " listens on " in line]
        self.assertIn("workers: 2", line)
        os.kill(self.pids()["worker 1"], signal.SIGTERM)
        self.until(lambda: self.metrics()["naap_worker_restarts_total"] == 1)
        self.assertTrue(path.exists())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        self.assertFalse(path.exists())
        log = "".join(self.lines)
        self.assertIn("worker 1 ended, process", log)
        self.assertNotIn("Traceback", log)

    def test_systemd(self) -> None:
        """A socket that systemd gives is shared by all, over the end of a worker, too."""
        with socket.create_server(("127.0.0.1", self.port)) as given:
            self.listen = ["systemd:domain=INET:index=0"]
            self.write()
            self.start(inherits=[given])
        self.assertEqual(self.statuses(10), [200] * 10)
        victim = self.pids()["worker 1"]
        os.kill(victim, signal.SIGKILL)
        self.assertEqual(self.statuses(10), [200] * 10)
        self.assertEqual(self.get("/reload", self.admin, "POST", "")[0], 200)
        self.until(lambda: self.states() == {"ready": 2})
        self.assertEqual(self.statuses(10), [200] * 10)

    def test_killed(self) -> None:
        """A worker that is killed takes its own streams only, is replaced, and its counts stay."""
        self.write()
        self.start()
        self.assertEqual(self.statuses(9), [200] * 9)
        key = 'naap_requests_total{route="/api/v1/a",status="2xx"}'
        self.until(lambda: self.metrics()[key] == 9)
        streams = self.streams(30)
        owners = self.owners(streams)
        victim = self.pids()["worker 2"]
        os.kill(victim, signal.SIGKILL)
        cut = [stream for stream in streams if owners[stream.port] == victim]
        self.assertTrue(0 < len(cut) < 30)
        self.assertFalse(any(stream.whole() for stream in cut))
        self.assertEqual(self.statuses(20), [200] * 20)
        self.until(lambda: self.states() == {"ready": 2})
        self.until(lambda: self.pids()["worker 2"] != victim)
        self.upstream.release.set()
        self.assertTrue(all(s.whole() for s in streams if owners[s.port] != victim))
        self.assertGreaterEqual(self.metrics()[key], 9 + 20)
        (line,) = [line for line in self.lines if "the next begins in" in line]
        self.assertIn(f"worker 2 ended, process {victim}: signal 9; the next begins in 0.1 s", line)

    def test_back_off(self) -> None:
        """A worker that ends again and again is waited for, longer each time."""
        self.write()
        self.start()
        for _ in range(4):
            pid = self.pids()["worker 1"]
            os.kill(pid, signal.SIGKILL)
            self.until(lambda pid=pid: self.pids()["worker 1"] != pid)
        waits = re.findall(r"worker 1 ended.*begins in ([\d.]+) s", "".join(self.lines))
        self.assertEqual(waits, ["0.1", "0.2", "0.4", "0.8"])

    def test_log_file(self) -> None:
        """With a log file of twistd the lines of workers are in it, whole."""
        self.write(server='name = "logged"')
        process = self.start("--logfile=the.log")
        log = self.folder / "the.log"
        self.assertEqual(self.statuses(30), [200] * 30)
        self.until(lambda: log.read_text().count('"route":"/api/v1/a"') == 30)
        rows = [line for line in log.read_text().splitlines() if "naap.access#info" in line]
        for row in rows:
            stamp, _, text = row.partition(" [naap.access#info] ")
            self.assertRegex(stamp, r"^\d{4}-\d\d-\d\dT")
            self.assertEqual(json.loads(text)["status"], 200)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 0)


class ReloadTests(CrewCase):
    def command(self) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "naap_twisted", "reload", self.config.name],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    def test_reload(self) -> None:
        """Every worker serves by the new config, on new sockets too, and no stream is cut."""
        self.write("/a", "/old")
        process = self.start()
        streams = self.streams(50)
        self.assertEqual(len({*self.owners(streams).values()}), 2)
        first = self.port
        self.write("/a", "/new")
        self.assertEqual(
            self.command(), (0, "generation 2 serves; changed: /new (new), /old (gone)\n", "")
        )
        self.assertEqual(self.statuses(20, "/api/v1/new/ok"), [200] * 20)
        self.assertEqual(self.statuses(10, "/api/v1/old/ok"), [404] * 10)
        self.port = first + 1 if self.admin != first + 1 else first + 2
        self.listen.append(f"tcp:{self.port}:interface=127.0.0.1")
        self.write("/a", "/new")
        process.send_signal(signal.SIGHUP)
        self.until(lambda: self.metrics()["naap_config_generation"] == 3)
        self.until(lambda: any("generation 3" in line for line in self.lines))
        self.assertEqual(self.statuses(20, "/api/v1/new/ok"), [200] * 20)
        self.upstream.release.set()
        self.assertTrue(all(stream.whole() for stream in streams))

    def test_refused(self) -> None:
        """A broken config changes nothing, for workers that begin later neither."""
        self.write()
        self.start()
        good = self.config.read_text()
        for line, said in (
            ("nonsense = 1\n", "proxy[0].nonsense: unknown key"),
            ("workers", "server.workers: is 2 until a restart"),
        ):
            text = good.replace("workers = 2", "workers = 3") if line == "workers" else good + line
            self.config.write_text(text)
            status, out = self.get("/reload", self.admin, "POST", "")
            self.assertEqual(status, 422, out)
            self.assertIn(said, out)
        victim = self.pids()["worker 1"]
        os.kill(victim, signal.SIGKILL)
        self.until(lambda: self.pids()["worker 1"] != victim)
        self.until(lambda: self.states() == {"ready": 2})
        self.assertEqual(self.statuses(20), [200] * 20)


class EndTests(CrewCase):
    def test_drain(self) -> None:
        """SIGTERM drains every worker: what runs comes to its end, nothing else is accepted."""
        self.write(server='lame_duck = "1s"')
        process = self.start()
        streams = self.streams(20)
        process.send_signal(signal.SIGTERM)
        self.until(lambda: self.get("/readyz", self.admin)[0] == 503)
        self.assertEqual(self.statuses(1), [200])
        self.until(self.refuses)
        self.assertIsNone(process.poll())
        self.upstream.release.set()
        self.assertTrue(all(stream.whole() for stream in streams))
        self.assertEqual(process.wait(60), 0)
        self.assertNotIn("were cut", "".join(self.lines))

    def refuses(self) -> bool:
        try:
            self.get("/healthz")
        except OSError:
            return True
        return False

    def test_hurry(self) -> None:
        """A second signal cuts at once, in every worker; the log says what."""
        self.write()
        process = self.start()
        streams = self.streams(20)
        process.send_signal(signal.SIGTERM)
        self.until(self.refuses)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(15), 0)
        self.assertFalse(any(stream.whole() for stream in streams))
        cut = re.findall(r"(\d+) exchanges outlasted the drain", "".join(self.lines))
        self.assertEqual(sum(map(int, cut)), 20)

    def test_stuck(self) -> None:
        """A worker that is stuck is not ready, somebody stands in, and at the end it is killed."""
        self.write()
        process = self.start()
        stuck = self.pids()["worker 1"]
        os.kill(stuck, signal.SIGSTOP)
        self.addCleanup(lambda: Path(f"/proc/{stuck}").exists() and os.kill(stuck, signal.SIGKILL))
        status, text = self.get("/readyz", self.admin)
        self.assertEqual((status, json.loads(text)["failing"]), (503, ["worker 1"]))
        self.assertEqual(json.loads(text)["checks"]["worker 1"], "no answer")
        self.assertEqual(self.states(), {"ready": 2})
        self.until(lambda: "worker 1 is stuck" in "".join(self.lines))
        self.assertEqual(self.statuses(20), [200] * 20)
        os.kill(stuck, signal.SIGCONT)
        self.until(lambda: "worker 1 answers again" in "".join(self.lines))
        self.assertEqual(self.get("/readyz", self.admin)[0], 200)
        os.kill(stuck, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        # A caller of its socket would wait, so that "refuses" does not tell here.
        closed = f"TCP Port {self.port} Closed"
        self.until(lambda: closed in "".join(self.lines).partition("Received SIGTERM")[2])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.assertIn(f"worker 1 does not end, and is killed: process {stuck}", "".join(self.lines))

    def test_group(self) -> None:
        """A signal to the whole group, as a terminal or systemd sends, drains as well."""
        self.write()
        process = self.start()
        streams = self.streams(20)
        for pid in self.pids().values():
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGHUP)
            os.kill(pid, signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        self.until(self.refuses)
        self.upstream.release.set()
        self.assertTrue(all(stream.whole() for stream in streams))
        self.assertEqual(process.wait(60), 0)

    def test_orphans(self) -> None:
        """Workers whose supervisor is killed end what runs, and then themselves."""
        self.write()
        process = self.start()
        streams = self.streams(20)
        pids = self.pids().values()
        process.kill()
        process.wait(30)
        self.until(self.refuses)
        self.upstream.release.set()
        self.assertTrue(all(stream.whole() for stream in streams))
        self.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    def test_cannot_serve(self) -> None:
        """A worker that can't begin is told of, and another accepts what comes to its sockets."""
        state = self.folder / "state"
        self.write(server=f'state_dir = "{state}"')
        process = self.start()
        (database,) = state.glob("*.sqlite3")
        database.chmod(0o644)
        os.kill(self.pids()["worker 1"], signal.SIGKILL)
        self.until(lambda: "exit status 1; the next begins in 0.2 s" in "".join(self.lines))
        self.until(lambda: self.states().get("ready") == 1)
        self.assertEqual(self.statuses(20), [200] * 20)
        self.assertEqual(self.get("/readyz", self.admin)[0], 503)
        self.assertEqual(self.get("/reload", self.admin, "POST", "")[0], 422)
        self.assertEqual(self.statuses(20), [200] * 20)
        ended = {*self.pids().values()}
        database.chmod(0o600)
        self.until(lambda: self.states() == {"ready": 2})
        # The log is written in a thread, so that a line may come later than what it tells of.
        self.until(lambda: {*self.pids().values()} != ended)
        owners = self.owners(self.streams(20))
        self.assertEqual({*owners.values()}, {*self.pids().values()})
        self.upstream.release.set()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        self.assertIn("cannot serve: ", "".join(self.lines))
