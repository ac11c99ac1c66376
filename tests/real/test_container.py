"""The Dockerfile as it stands: built, and run as it should be run, with nothing that it does not need."""
import json
import re
import subprocess
import unittest
import urllib.request

from . import kit
from .images import IMAGE, builder, built


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        builder()
        cls.images = built()
        cls.conf = kit.folder() / "conf"
        cls.conf.mkdir()
        cls.conf.parent.chmod(0o755)
        cls.admin = f"127.0.0.1:{kit.free_port()}"
        (cls.conf / "howdah.toml").write_text(f'''
[admin]
bind = "{cls.admin}"

[[listener]]
name = "hive"
bind = "127.0.0.1:{kit.free_port()}"
pool = "hive"

[pool.hive]
service = "hiveserver2"
servers = ["127.0.0.1:{kit.free_port()}"]
''')

    def test_image_is_small_and_has_its_health_check(self):
        [about] = json.loads(self.images.run("podman", "image", "inspect", IMAGE))
        self.assertEqual(about["Config"]["User"], "10001:10001")
        self.assertIn("/etc/howdah", about["Config"]["Volumes"])
        self.assertIn("10000/tcp", about["Config"]["ExposedPorts"])
        self.assertLess(about["Size"], 200_000_000)
        print(f"\n    {about['Size'] / 1e6:.0f} MB", end=" ")

    def test_check_judges_the_mounted_configuration(self):
        said = self.images.run(*self.images.podman("run", "--rm", *self.images.options(self.conf), IMAGE, "check"))
        self.assertIn("hive", said)

    def test_runs_without_any_privilege_and_stops_on_sigterm(self):
        run = self.images.podman("run", "--rm", "--name", "howdah-test", *self.images.options(self.conf),
                                 "-e", f"HOWDAH_ADMIN=http://{self.admin}", IMAGE)
        process = kit.Process("container", run, self.conf.parent, env=self.images.env)
        self.addCleanup(self.remove)
        kit.until(f"howdah in its container; it wrote:\n{process.tail()}", self.lives, 30, 0.2)
        inside = self.images.podman("exec", "howdah-test")
        self.assertIn("hive", self.images.run(*inside, "howdah", "status"))
        self.assertEqual(re.search(r"^Uid:\s+(\d+)", self.images.run(*inside, "cat", "/proc/1/status"), re.M)[1], "10001")
        # A successor in place: process 1 stays for it, and passes the stop on.
        said = self.images.run(*inside, "howdah", "upgrade", "--force")
        self.assertIn("took over from process 1", said)
        kit.until("the admin address to be the new one's", lambda: "predecessor" not in self.images.run(*inside, "howdah", "status", "--json"), 10, 0.2)
        self.assertTrue(process.running())
        self.assertIn("nothing to do", self.images.run(*inside, "howdah", "upgrade"))
        self.images.run(*self.images.podman("stop", "--time", "20", "howdah-test"))
        kit.until("the container to end", lambda: not process.running(), 20)
        self.assertEqual(process.child.returncode, 0, process.tail())

    def lives(self):
        try:
            return urllib.request.urlopen(f"http://{self.admin}/healthz", timeout=2).status == 200
        except OSError:
            return False

    def remove(self):
        subprocess.run(self.images.podman("rm", "-f", "--ignore", "howdah-test"), env=self.images.env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
