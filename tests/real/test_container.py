"""The Dockerfile as it stands: built, and run as it should be run, with nothing that it does not need.

The base images come from the distribution's own packages (debootstrap, and this machine's Rust toolchain on top of
that) under the names that the Dockerfile uses, so no image registry is asked. Needs Debian bookworm and root, and
installs buildah, podman, runc and debootstrap there.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from . import kit

DEBIAN, RUST = "debian:bookworm-slim", "rust:1-slim-bookworm"
IMAGE = "howdah-test:latest"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def builder():
    """Makes sure that images can be built here, or skips and says why."""
    if os.environ.get("HOWDAH_TEST_CONTAINER") == "0":
        raise unittest.SkipTest("HOWDAH_TEST_CONTAINER=0")
    if os.geteuid() != 0:
        raise unittest.SkipTest("building the image without a registry needs root")
    if 'VERSION_CODENAME=bookworm' not in Path("/etc/os-release").read_text():
        raise unittest.SkipTest("the base images can be made on Debian bookworm only")
    kit.install_image_builder()


class Images:
    """A store of its own in the cache, so that the machine's images are left alone."""

    def __init__(self):
        self.home = kit.CACHE / "images"
        self.home.mkdir(parents=True, exist_ok=True)
        store = self.home / "storage.conf"
        store.write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{self.home}/run"\ngraphroot = "{self.home}/store"\n')
        self.env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(store)}

    def run(self, *command, **more):
        done = subprocess.run([str(word) for word in command], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
        return done.stdout.strip()

    def has(self, image):
        return subprocess.run(["podman", "image", "exists", image], env=self.env).returncode == 0

    def debian(self):
        """A minimal system out of the packages that apt-get here already uses."""
        if self.has(DEBIAN):
            return
        targets = self.run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages")
        mirror = next(line.split()[0] for line in targets.splitlines() if line.endswith(" bookworm"))
        root = Path(tempfile.mkdtemp(dir=self.home)) / "root"
        try:
            self.run("debootstrap", "--variant=minbase", "bookworm", root, mirror)
            for litter in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
                shutil.rmtree(root / litter, ignore_errors=True)
            path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            self.run("sh", "-c", f"tar -C {root} -c . | podman import --change 'ENV {path}' --change 'CMD bash' - {DEBIAN}")
        finally:
            shutil.rmtree(root.parent, ignore_errors=True)

    def rust(self):
        """The same with a C compiler and this machine's toolchain."""
        if self.has(RUST):
            return
        self.debian()
        made = self.run("buildah", "from", "--pull-never", DEBIAN)
        self.run("buildah", "run", "--isolation=chroot", "--network=host", made, "sh", "-c",
                 "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
                 "gcc libc6-dev ca-certificates && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb")
        mounted = Path(self.run("buildah", "mount", made))
        toolchain = self.run("rustc", "--print", "sysroot")
        home = mounted / "usr/local/rust"
        home.mkdir()
        self.run("sh", "-c", f"tar -C {toolchain} --exclude=./share --exclude=./lib/rustlib/src -c . | tar -C {home} -x")
        for tool in (home / "bin").iterdir():
            (mounted / "usr/local/bin" / tool.name).symlink_to(f"../rust/bin/{tool.name}")
        self.run("buildah", "umount", made)
        self.run("buildah", "config", "--env", "CARGO_HOME=/usr/local/cargo", made)
        self.run("buildah", "commit", "-q", made, RUST)
        self.run("buildah", "rm", made)

    def build(self):
        """The image of this checkout, with the profile of the tests."""
        trust = ["-v", f"{AUTHORITIES}:{AUTHORITIES}:ro"] if Path(AUTHORITIES).exists() else []
        self.run("buildah", "build", "--isolation=chroot", "--network=host", "--pull=never", *trust,
                 "--build-arg", "PROFILE=ci", "-t", IMAGE, "-f", kit.ROOT / "Dockerfile", kit.ROOT)

    def podman(self, *words):
        return ["podman", "--runtime", "runc", *map(str, words)]

    def options(self, conf):
        """How howdah should be run: nothing writable, no privilege."""
        limit = self.run("sh", "-c", "ulimit -Hn")
        return ["--pull=never", "--network=host", "--ulimit", f"nofile={limit}:{limit}", "--ulimit", "nproc=4096:4096",
                "--read-only", "--cap-drop=all", "-v", f"{conf}:/etc/howdah:ro"]


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        builder()
        cls.images = Images()
        cls.images.rust()
        cls.images.build()
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
