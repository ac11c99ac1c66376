"""The Debian package in a Debian that boots: installed, started, reloaded, rotated, upgraded, watched, activated by a socket, removed
and purged.

systemd runs as process 1 of a container without a network. Needs what the image needs, and cargo-deb, which is built once
into the cache (40 s).
"""
import os
import re
import shutil
import subprocess
import time
import unittest

from . import kit
from .images import SYSTEMD, Images, builder

NAME = "howdah-test-package"
EXAMPLE = "/usr/share/doc/howdah/examples/howdah.socket"
CONFIGURATION = """
[admin]
bind = "127.0.0.1:9600"
socket = "/run/howdah/admin.sock"

[log]
access = "/var/log/howdah/access.log"

[history]
file = "/var/lib/howdah/history.redb"

[[listener]]
name = "low"
bind = "127.0.0.1:{port}"
pool = "echo"

[pool.echo]
service = "tcp"
servers = ["127.0.0.1:7001"]
"""


def build(version):
    """The package of this checkout with the binary of the tests, as `version`; cargo-deb keeps one at a time."""
    tools = kit.install_packer()
    env = {**os.environ, "PATH": f"{tools / 'bin'}:{os.environ['PATH']}", "HOWDAH_DEB_VERSION": version}
    said = kit.quiet([kit.ROOT / "packaging/build-deb", "ci", "--fast", "--strip"], "packaging/build-deb", env=env)
    return shutil.move(said.strip().splitlines()[-1], kit.folder())


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        builder()
        try:
            cls.packages = [build("0.1.0-1"), build("0.1.0-2")]
        except kit.Missing as fault:
            raise unittest.SkipTest(f"no package can be built: {fault}")
        cls.images = Images()
        cls.images.systemd()
        cls.remove()
        limit = cls.images.run("sh", "-c", "ulimit -Hn")
        mounts = [word for number, package in enumerate(cls.packages) for word in ("-v", f"{package}:/packages/{number}.deb:ro")]
        cls.images.run(*cls.images.podman("run", "-d", "--name", NAME, "--pull=never", "--systemd=always", "--network=none",
                                          "--ulimit", f"nofile={limit}:{limit}", "--ulimit", "nproc=4096:4096",
                                          "--cap-add", "SYS_ADMIN", *mounts, SYSTEMD, "/sbin/init"))
        cls.addClassCleanup(cls.remove)
        kit.until("systemd to run", lambda: cls.asks("systemctl", "is-system-running")[1].strip() in ("running", "degraded"), 30, 0.2)
        # A server that echoes.
        cls.does("systemd-run", "--quiet", "--unit=echo", "socat", "TCP-LISTEN:7001,bind=127.0.0.1,fork,reuseaddr", "PIPE")

    @classmethod
    def remove(cls):
        subprocess.run(cls.images.podman("rm", "-f", "--time", "2", "--ignore", NAME), env=cls.images.env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @classmethod
    def asks(cls, *command, text=None):
        """Exit code and output of a command in there."""
        words = cls.images.podman("exec", *(["-i"] if text is not None else []), NAME, *command)
        done = subprocess.run(words, env=cls.images.env, input=text, stdin=subprocess.DEVNULL if text is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.returncode, done.stdout

    @classmethod
    def does(cls, *command, text=None):
        code, said = cls.asks(*command, text=text)
        assert code == 0, f"{' '.join(command)}: {code}\n{said}"
        return said

    def configure(self, text):
        self.does("sh", "-c", "cat > /etc/howdah/howdah.toml", text=text)

    def process(self):
        return int(self.does("systemctl", "show", "--value", "-p", "MainPID", "howdah"))

    def served(self, line):
        """What a new session answers."""
        self.sessions += 1
        return self.does("socat", "-t20", "-", "TCP:127.0.0.1:99", text=f"{line}\n").strip()

    def await_up(self):
        kit.until("howdah to serve", lambda: "up" in self.asks("howdah", "status")[1] and self.asks("howdah", "status")[0] == 0, 20, 0.2)

    def test_a_life(self):
        """One container lives through it all, in this order."""
        self.sessions = 0
        for step in (self.installed, self.started, self.reloaded, self.rotated, self.upgraded, self.watched, self.activated,
                     self.removed, self.purged):
            with self.subTest(step.__name__):
                began = time.monotonic()
                step()
                print(f"{step.__name__} {time.monotonic() - began:.1f} s", end=" ", flush=True)

    def installed(self):
        said = self.does("dpkg", "-i", "/packages/0.deb")
        self.assertIn("name your servers in /etc/howdah/howdah.toml", said)
        # The file as it comes is a faultless one, that names servers of nobody; nothing was started with it.
        self.does("howdah", "check")
        self.assertEqual(self.asks("systemctl", "is-active", "howdah")[1].strip(), "inactive")
        self.assertEqual(self.asks("systemctl", "is-enabled", "howdah")[1].strip(), "disabled")
        self.assertEqual(self.does("stat", "-c", "%U:%G %a", "/etc/howdah/howdah.toml").strip(), "root:howdah 640")
        for unit in ("/usr/lib/systemd/system/howdah.service", EXAMPLE):
            self.assertEqual(self.does("systemd-analyze", "verify", "--man=no", unit).strip(), "")
        manuals = self.does("ls", "/usr/share/man/man1").split()
        for page in ("howdah.1.gz", "howdah-run.1.gz", "howdah-drain.1.gz"):
            self.assertIn(page, manuals)
        self.does("bash", "-n", "/usr/share/bash-completion/completions/howdah")
        # The book, to which the README leads.
        files = set(self.does("dpkg", "-L", "howdah").split())
        for page in (kit.ROOT / "docs").rglob("*.*"):
            self.assertIn(f"/usr/share/doc/howdah/{page.relative_to(kit.ROOT)}", files)

    def started(self):
        # A port below 1024, which the user howdah may have by its one capability.
        self.configure(CONFIGURATION.format(port=99))
        self.does("systemctl", "enable", "--now", "--quiet", "howdah")
        self.await_up()
        self.assertEqual(self.served("hello"), "hello")
        status = self.does("cat", f"/proc/{self.process()}/status")
        account = self.does("id", "-u", "howdah").strip()
        self.assertEqual(re.search(r"^Uid:\s+(\d+)", status, re.M)[1], account)
        self.assertEqual(int(re.search(r"^CapBnd:\s+(\w+)", status, re.M)[1], 16), 1 << 10, "CAP_NET_BIND_SERVICE alone")
        exposure = self.asks("systemd-analyze", "security", "--no-pager", "--threshold=30", "howdah.service")
        self.assertEqual(exposure[0], 0, exposure[1][-400:])
        # As an entry of the journal's own, with howdah's fields.
        self.assertIn("confined", self.does("journalctl", "-u", "howdah", "--no-pager", "HOWDAH_AT=howdah::confine"))

    def reloaded(self):
        before = self.process()
        self.configure(CONFIGURATION.format(port=99) + "\n[pool.echo.nonsense]\n")
        code, _ = self.asks("systemctl", "reload", "howdah")
        self.assertNotEqual(code, 0, "systemctl must say that the file is faulty")
        self.assertIn("nonsense", self.does("journalctl", "-u", "howdah", "--no-pager"))
        self.assertEqual(self.served("still here"), "still here")
        self.configure(CONFIGURATION.format(port=99) + "balance = \"round-robin\"\n")
        self.does("systemctl", "reload", "howdah")
        self.assertEqual(self.process(), before)

    def rotated(self):
        lines = lambda name: int(self.asks("grep", "-c", "echo", f"/var/log/howdah/{name}")[1] or 0)
        kit.until("the lines of all sessions", lambda: lines("access.log") == self.sessions, 10, 0.1)
        self.does("logrotate", "--force", "/etc/logrotate.d/howdah")

        def written():
            self.served("into which file?")
            return lines("access.log") > 0
        kit.until("a line in the new file", written, 10, 0.1)
        # Each session has one line, in one of the two.
        kit.until("the lines of all sessions", lambda: lines("access.log") + lines("access.log.1") == self.sessions, 10, 0.1)

    def upgraded(self):
        before = self.process()
        session = self.open_session()
        self.say(session, "before")
        said = self.does("dpkg", "-i", "/packages/1.deb")
        self.assertIn("the new version serves", said)
        self.assertIn("0.1.0-2", self.does("dpkg-query", "-W", "howdah"))
        # It is the one that systemd watches; the sessions of the old one go on, and the operator's file is as it was.
        after = self.process()
        self.assertNotEqual(after, before)
        self.assertEqual(self.asks("systemctl", "is-active", "howdah")[1].strip(), "active")
        self.say(session, "after")
        self.assertIn(f"process {before}", self.does("howdah", "status"))
        self.assertEqual(self.served("by the new one"), "by the new one")
        self.assertIn('bind = "127.0.0.1:99"', self.does("cat", "/etc/howdah/howdah.toml"))
        session.stdin.close()
        session.wait(20)
        kit.until("the old one to end", lambda: self.asks("test", "-d", f"/proc/{before}")[0] != 0, 20, 0.2)
        self.assertEqual(self.asks("systemctl", "is-active", "howdah")[1].strip(), "active")
        # The same program: a reload is one of the file alone.
        self.does("systemctl", "reload", "howdah")
        self.assertEqual(self.process(), after)
        self.does("systemctl", "restart", "howdah")
        self.await_up()
        self.assertNotEqual(self.process(), after)
        self.assertEqual(self.served("the new one"), "the new one")

    def watched(self):
        """One that drains does not speak for the newest one, which hangs."""
        shorter = "mkdir -p /etc/systemd/system/howdah.service.d && cat > /etc/systemd/system/howdah.service.d/watch.conf"
        self.does("sh", "-c", shorter, text="[Service]\nWatchdogSec=2s\n")
        self.does("systemctl", "daemon-reload")
        self.does("systemctl", "restart", "howdah")
        self.await_up()
        session = self.open_session()
        self.say(session, "before")
        before = self.process()
        # Another program by its date, so that the reload is a takeover.
        self.does("touch", "/usr/bin/howdah")
        self.does("systemctl", "reload", "howdah")
        after = self.process()
        self.assertNotEqual(after, before)
        time.sleep(2.5)
        self.assertEqual((self.process(), self.restarts()), (after, 0), "the newest one is not heard of")
        self.say(session, "drains")
        self.does("sh", "-c", f"kill -STOP {after}")
        kit.until("systemd to start howdah anew", lambda: self.restarts() == 1, 15, 0.2)
        self.await_up()
        self.assertEqual(self.served("anew"), "anew")
        self.assertIn("Watchdog timeout", self.does("journalctl", "-u", "howdah", "--no-pager"))

    def restarts(self):
        return int(self.does("systemctl", "show", "--value", "-p", "NRestarts", "howdah"))

    def activated(self):
        """While howdah is not there clients wait, and the first of them starts it."""
        self.does("sh", "-c", f"sed 's/^ListenStream=.*/ListenStream=127.0.0.1:99/' {EXAMPLE} > /etc/systemd/system/howdah.socket")
        self.does("systemctl", "daemon-reload")
        self.does("systemctl", "stop", "howdah")
        self.does("systemctl", "start", "howdah.socket")
        self.assertNotEqual(self.asks("systemctl", "is-active", "howdah")[1].strip(), "active")
        self.assertEqual(self.served("who starts it"), "who starts it")
        before = self.process()
        restart = subprocess.Popen(self.images.podman("exec", NAME, "systemctl", "restart", "howdah"), env=self.images.env)
        self.addCleanup(restart.kill)
        while restart.poll() is None:
            self.assertEqual(self.served("meanwhile"), "meanwhile")
        self.assertEqual(restart.returncode, 0)
        self.assertNotEqual(self.process(), before)
        # A reload has the sockets from the howdah that runs.
        self.does("touch", "/usr/bin/howdah")
        self.does("systemctl", "reload", "howdah")
        self.assertEqual(self.served("by a successor"), "by a successor")
        self.assertNotIn("service manager", self.does("journalctl", "-u", "howdah", "--no-pager"), "the socket is of use")
        self.does("systemctl", "stop", "howdah.socket")
        self.does("rm", "/etc/systemd/system/howdah.socket", "/etc/systemd/system/howdah.service.d/watch.conf")
        self.does("systemctl", "daemon-reload")

    def open_session(self):
        session = subprocess.Popen(self.images.podman("exec", "-i", NAME, "socat", "-t5", "-", "TCP:127.0.0.1:99"), env=self.images.env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(session.kill)
        return session

    def say(self, session, line):
        session.stdin.write(f"{line}\n")
        session.stdin.flush()
        self.assertEqual(session.stdout.readline().strip(), line)

    def removed(self):
        self.does("dpkg", "-r", "howdah")
        self.assertNotEqual(self.asks("systemctl", "is-active", "howdah")[1].strip(), "active")
        self.does("test", "-s", "/etc/howdah/howdah.toml")
        self.does("test", "-s", "/var/lib/howdah/history.redb")
        self.does("test", "-s", "/var/log/howdah/access.log")

    def purged(self):
        self.does("dpkg", "-P", "howdah")
        for left in ("/etc/howdah", "/var/log/howdah", "/var/lib/howdah", "/usr/bin/howdah", "/etc/logrotate.d/howdah"):
            self.assertNotEqual(self.asks("test", "-e", left)[0], 0, f"{left} is still there")
        self.assertNotEqual(self.asks("getent", "passwd", "howdah")[0], 0)
