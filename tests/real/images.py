"""Images without a registry: base images out of the distribution's own packages, in a store of our own.

The base images are made by debootstrap, and with this machine's Rust toolchain on top, under the names that the Dockerfile
uses. Needs Debian bookworm and root, and installs buildah, podman, runc and debootstrap there.
"""
import functools
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from . import kit

DEBIAN, RUST = "debian:bookworm-slim", "rust:1-slim-bookworm"
SYSTEMD = "howdah-test-systemd:latest"
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


_building = threading.Lock()


def built():
    """The image of this checkout: built by whoever asks first, while the others wait."""
    with _building:
        return _built()


@functools.cache
def _built():
    images = Images()
    images.rust()
    images.build()
    return images


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

    def systemd(self):
        """A Debian that boots: systemd, and what a package asks for."""
        if self.has(SYSTEMD):
            return
        self.debian()
        made = self.run("buildah", "from", "--pull-never", DEBIAN)
        self.run("buildah", "run", "--isolation=chroot", "--network=host", made, "sh", "-c",
                 "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
                 "systemd systemd-sysv adduser logrotate socat && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb")
        self.run("buildah", "commit", "-q", made, SYSTEMD)
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
