"""The howdah under test: the real binary, its configuration, and what it tells about itself."""
import json
import os
import re
import subprocess
import urllib.request

from . import kit

BINARY = os.environ.get("HOWDAH_BINARY") or str(kit.ROOT / "target/ci/howdah")


class Howdah(kit.Process):
    """`howdah run` with a configuration; `{admin}` and `{access}` in its text are filled in.

    `resolver` is its /etc/resolv.conf, in a mount namespace of its own, which needs root.
    """

    def __init__(self, folder, name, config, netns=None, resolver=None):
        home = folder / name
        home.mkdir(parents=True)
        self.admin = f"127.0.0.1:{kit.free_port()}"
        self.access = home / "access.log"
        self.config = home / "howdah.toml"
        self.inside = ["ip", "netns", "exec", netns] if netns else []
        self.head = f'[admin]\nbind = "{self.admin}"\n\n[log]\naccess = "{self.access}"\nformat = "text"\n\n'
        if way := os.environ.get("HOWDAH_TEST_RELAY"):
            self.head += f'[global]\nrelay = "{way}"\n\n'
        self.config.write_text(self.head + config)
        names = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver] if resolver else []
        super().__init__(name, [*self.inside, *names, BINARY, "run", "--config", self.config], home,
                         env={**os.environ, "RUNTIME_DIRECTORY": str(home)})
        kit.until(f"{name} to answer at {self.admin}", self._serves, 20)

    def takeover(self):
        """A howdah with the same file that takes over from this one; it has this one's admin address when it serves."""
        command = [*self.inside, BINARY, "run", "--takeover", "--config", self.config]
        return kit.Process(f"{self.name}-successor", command, self.folder, env={**os.environ, "RUNTIME_DIRECTORY": str(self.folder)})

    def _serves(self):
        assert self.running(), f"{self.name} ended with {self.child.returncode}:\n{self.tail()}"
        if self.inside:
            return self.ctl("status", "--json").returncode == 0
        return kit.answers(*self.admin.split(":"))

    def ctl(self, *words, timeout=120):
        """One command of howdah, spoken to this one's admin address."""
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def command(self, *words):
        return [*self.inside, BINARY, *words, "--admin", f"http://{self.admin}"]

    def told(self, *words):
        """A command that must succeed; what it prints."""
        done = self.ctl(*words)
        assert done.returncode == 0, f"howdah {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def server(self, pool, name):
        """One server as the status tells it."""
        status = json.loads(self.told("status", "--json") if self.inside else self.get("/api/v1/status"))
        [found] = [server for each in status["pools"] if each["name"] == pool
                   for server in each["servers"] if server["name"] == name]
        return found

    def pool(self, name):
        """One pool as the status tells it."""
        [found] = [pool for pool in json.loads(self.get("/api/v1/status"))["pools"] if pool["name"] == name]
        return found

    def awaits(self, pool, name, health, seconds=30):
        """Waits for a verdict and gives the server as it then is."""
        last = {}

        def concluded():
            last.update(self.server(pool, name))
            return last["health"] == health
        try:
            kit.until(f"{pool}/{name} {health}", concluded, seconds, 0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {last}") from None
        return dict(last)

    def get(self, path):
        """What the admin address says."""
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry these labels."""
        total = 0.0
        for sample, value in re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", self.get("/metrics"), re.M):
            if all(f'{key}="{word}"' in sample for key, word in labels.items()):
                total += float(value)
        return total

    def sessions(self):
        """The lines of the access log."""
        if not self.access.exists():
            return []
        return [json.loads(line) for line in self.access.read_text().splitlines() if line.endswith("}")]


def probe(*words, inside=(), timeout=60, env=None):
    """`howdah probe ...`: exit code and everything it printed."""
    done = subprocess.run([*inside, BINARY, "probe", *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr
