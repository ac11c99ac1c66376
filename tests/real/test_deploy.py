"""What packaging/ offers beside the Debian package: read by those who would take it, and the configurations inside judged by howdah."""
import os
import re
import subprocess
import textwrap
import unittest

from . import kit

PLACES = kit.ROOT / "packaging"


class Deploy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.bin = kit.install_validators() / "bin"
        except kit.Missing as fault:
            raise unittest.SkipTest(str(fault))
        cls.work = kit.folder()

    def run_tool(self, *command):
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, cwd=self.work)
        return done.returncode, done.stdout

    def check(self, text):
        file = self.work / "howdah.toml"
        file.write_text(text)
        return self.run_tool(os.environ["HOWDAH_BINARY"], "check", "--config", file)

    def test_kubernetes_takes_the_example(self):
        example = PLACES / "kubernetes/howdah.yaml"
        code, said = self.run_tool(self.bin / "kubernetes-validate", "--strict", example)
        self.assertEqual(code, 0, said)
        for kind in ("configmap", "deployment", "service", "poddisruptionbudget"):
            self.assertIn(f"passed for resource {kind}/howdah", said)
        broken = self.work / "broken.yaml"
        broken.write_text(example.read_text().replace("readinessProbe:", "readyProbe:"))
        self.assertNotEqual(self.run_tool(self.bin / "kubernetes-validate", "--strict", broken)[0], 0, "the validator validates nothing")

    def test_the_example_of_kubernetes_is_a_faultless_configuration(self):
        text = (PLACES / "kubernetes/howdah.yaml").read_text()
        inside = textwrap.dedent(re.search(r"howdah\.toml: \|\n(.*?)\n---", text, re.S)[1])
        token = self.work / "operator.token"
        token.write_text("0123456789abcdef")
        inside = inside.replace("/etc/howdah-admin/operator.token", str(token)).replace("/run/howdah/admin.sock", str(self.work / "sock"))
        code, said = self.check(inside)
        self.assertEqual(code, 0, said)
        # The pod lives a little longer than howdah waits for sessions.
        grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", text)[1])
        drain, delay = (int(re.search(rf'{key} = "(\d+)', inside)[1]) for key in ("drain_timeout", "shutdown_delay"))
        self.assertGreater(grace, drain * 60 + delay)
        listeners = {port for port in re.findall(r'bind = "0\.0\.0\.0:(\d+)"', inside)}
        self.assertEqual(listeners, set(re.findall(r"containerPort: (\d+)", text)))

    def test_compose_takes_the_example(self):
        code, said = self.run_tool(self.bin / "podman-compose", "-f", PLACES / "compose/compose.yaml", "config")
        self.assertEqual(code, 0, said)
        self.assertIn("stop_grace_period: 31m", said)
        code, said = self.check((PLACES / "compose/conf/howdah.toml").read_text())
        self.assertEqual(code, 0, said)

    def test_the_package_starts_from_a_faultless_configuration(self):
        text = (PLACES / "debian/howdah.toml").read_text()
        text = text.replace("/run/howdah", str(self.work)).replace("/var/log/howdah", str(self.work)).replace("/var/lib/howdah", str(self.work))
        code, said = self.check(text)
        self.assertEqual(code, 0, said)
