"""deploy/docker and deploy/kubernetes: what no engine runs here is read, the configs are served.

The server has a real PostgreSQL and a real Redis beside it; its commands are the image's own.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from naap_twisted.testing import RawClient
from tests.adversarial.peers import free_port
from tests.adversarial.process import TWISTD, Child
from tests.servers import NO_POSTGRES, NO_REDIS, Postgres, Redis

from .support import DEPLOY, KEY, ROOT, checked, filled, secret_file

DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text()
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
# A database and a Redis that nobody asks.
ENVIRON = {
    "DATABASE_URL": "postgresql://naap:naap@127.0.0.1/naap",
    "REDIS_URL": "redis://127.0.0.1:6379",
    "OPENAI_API_KEY": KEY,
}


def documents(path):
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def seconds(config, name):
    return int(re.search(rf'^{name} = "(\d+)s"$', config, re.MULTILINE)[1])


def ending(name):
    """Seconds that a server of this config takes to end at most."""
    config = (DEPLOY / name).read_text()
    return seconds(config, "lame_duck") + seconds(config, "drain_timeout")


def exec_form(instruction):
    """The words of *instruction* in the last stage of the Dockerfile."""
    text = DOCKERFILE.replace("\\\n", "").rpartition("\nFROM ")[2]
    return json.loads(re.search(rf"^{instruction}\b[^\[]*(\[.*\])$", text, re.MULTILINE)[1])


class DockerTests(SynchronousTestCase):
    def test_image(self):
        """No root, no shell between the signal and the server."""
        last = DOCKERFILE.rpartition("\nFROM ")[2]
        self.assertIn("\nUSER 10001:10001\n", last)
        self.assertIn("\nSTOPSIGNAL SIGTERM\n", last)
        self.assertEqual(exec_form("ENTRYPOINT")[0], "twistd")
        self.assertNotIn("curl", exec_form("HEALTHCHECK"))

    def test_context(self):
        """What the Dockerfile copies is there, and .dockerignore lets it through."""
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE):
            for name in line.split():
                self.assertTrue((ROOT / name).exists(), name)
                self.assertIn(f"!{name}", ignored)

    def test_compose(self):
        """Every service is confined, and every file and secret that it names is there."""
        (compose,) = documents(DEPLOY / "docker/compose.yaml")
        for name, service in compose["services"].items():
            self.assertTrue(service["read_only"], name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"], name)
            self.assertTrue("build" in service or "healthcheck" in service, name)
            self.assertLessEqual({*service.get("secrets", ())}, {*compose["secrets"]})
            for volume in service.get("volumes", ()):
                source = volume.partition(":")[0]
                found = source in compose["volumes"] or (DEPLOY / "docker" / source).exists()
                self.assertTrue(found, volume)
        grace = compose["services"]["proxy"]["stop_grace_period"]
        self.assertGreater(int(grace.removesuffix("s")), ending("docker/naap-proxy.toml"))


class KubernetesTests(SynchronousTestCase):
    def setUp(self):
        self.named = {each["kind"]: each for path in MANIFESTS for each in documents(path)}

    def test_check(self):
        """The config of the ConfigMap passes."""
        done = checked(DEPLOY / "kubernetes/naap-proxy.toml", **ENVIRON)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_secret(self):
        """The example has what the config asks for, and nothing else."""
        config = (DEPLOY / "kubernetes/naap-proxy.toml").read_text()
        self.assertEqual({*self.named["Secret"]["stringData"]}, {*re.findall(r"env:(\w+)", config)})

    def test_kustomization(self):
        """Every resource that it names is a file; only the example secret is in none."""
        (found,) = documents(DEPLOY / "kubernetes/kustomization.yaml")
        rest = {"kustomization.yaml", "secret.example.yaml", "servicemonitor.yaml"}
        self.assertEqual({*found["resources"]} | rest, {path.name for path in MANIFESTS})

    def test_deployment(self):
        """It is let drain, is confined, and has the labels that the others look for."""
        pod = self.named["Deployment"]["spec"]["template"]
        most = ending("kubernetes/naap-proxy.toml")
        self.assertGreater(pod["spec"]["terminationGracePeriodSeconds"], most)
        (container,) = pod["spec"]["containers"]
        self.assertTrue(pod["spec"]["securityContext"]["runAsNonRoot"])
        confined = container["securityContext"]
        self.assertTrue(confined["readOnlyRootFilesystem"])
        self.assertFalse(confined["allowPrivilegeEscalation"])
        self.assertEqual(confined["capabilities"], {"drop": ["ALL"]})
        for kind, where in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            wanted = self.named[kind]["spec"][where]["matchLabels"]
            self.assertLessEqual(wanted.items(), pod["metadata"]["labels"].items())
        self.assertEqual(self.named["HorizontalPodAutoscaler"]["spec"]["minReplicas"], 2)

    def test_schemas(self):
        """By the schemas of Kubernetes itself."""
        try:
            import kubernetes_validate
        except ImportError:
            raise SkipTest("kubernetes-validate is not installed (PyPI)") from None
        for path in MANIFESTS:
            if path.name not in ("kustomization.yaml", "servicemonitor.yaml"):
                for each in documents(path):
                    kubernetes_validate.validate(each, "1.33", strict=True)


class ServedCase(TestCase):
    """Starts the image's command, with a Redis beside it."""

    timeout = 90
    skip = NO_POSTGRES or NO_REDIS

    def setUp(self):
        self.folder = Path(self.mktemp()).resolve()
        self.port, self.admin = free_port(), free_port()
        self.redis = Redis(self)

    def start(self, config):
        arguments = [sys.executable, "-c", TWISTD, *exec_form("ENTRYPOINT")[1:]]
        return Child(self, [*arguments, "--config", str(config)], path=str(ROOT))

    async def status(self, port, path, host):
        client = await RawClient.connect(self, port)
        client.request("GET", path, {"Host": host})
        answer = await client.answer()
        await client.stop()
        return answer.status

    def changes(self):
        """Only loopback: a test's server is nobody else's business."""
        return {
            "tcp:4020:interface=0.0.0.0": f"tcp:{self.port}:interface=127.0.0.1",
            "tcp:4021:interface=0.0.0.0": f"tcp:{self.admin}:interface=127.0.0.1",
        }


class ServedTests(ServedCase):
    """With compose's config, and with the ConfigMap's."""

    async def test_docker(self):
        """The healthcheck says yes of a server that runs and no of one that is gone."""
        secret_file(self.folder, "openai_key")
        secret_file(self.folder, "database_url", Postgres.shared().database("compose"))
        changes = {"/run/secrets": str(self.folder), "redis://redis:6379": self.redis.url}
        config = filled("docker/naap-proxy.toml", self.folder, self.changes() | changes)
        child = self.start(config)
        await child.until(lambda: child.ended or b"listens on" in child.output)
        self.assertFalse(child.ended, child.output)
        python, *rest = exec_form("HEALTHCHECK")
        self.assertEqual(python, "python")
        command = [sys.executable, *(word.replace("4020", str(self.port)) for word in rest)]

        def healthy():
            return subprocess.run(command, capture_output=True, timeout=20).returncode

        self.assertEqual(await deferToThread(healthy), 0)
        self.assertEqual(await self.status(self.admin, "/readyz", "127.0.0.1"), 200)
        await child.kill()
        self.assertNotEqual(await deferToThread(healthy), 0)

    async def test_probes(self):
        """A kubelet asks by the pod's address, and by what the manifest says beside it."""
        url = Postgres.shared().database("kubernetes")
        changes = {"${env:DATABASE_URL}": url, "${env:REDIS_URL}": self.redis.url}
        changes["${env:OPENAI_API_KEY}"] = KEY
        config = filled("kubernetes/naap-proxy.toml", self.folder, self.changes() | changes)
        child = self.start(config)
        await child.until(lambda: child.ended or b"listens on" in child.output)
        self.assertFalse(child.ended, child.output)
        (deployment,) = documents(DEPLOY / "kubernetes/deployment.yaml")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asks = container[probe]["httpGet"]
            port = {"admin": self.admin, "http": self.port}[asks["port"]]
            host = next((each["value"] for each in asks.get("httpHeaders", ())), f"10.1.2.3:{port}")
            self.assertEqual(await self.status(port, asks["path"], host), 200, probe)
