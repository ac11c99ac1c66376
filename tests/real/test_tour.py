"""Every command of an operator, put to a howdah before real HiveServer2 servers with a real client on it: docs/tour.md.

    HOWDAH_TEST_BLESS=1 tests/run real tour      writes the page anew; folders and ports of the run are made readable

Without that, each command must succeed and say what the page says it is for; and those whose words do not depend on the moment, in the words of
the page.
"""
import os
import re
import unittest

from . import kit
from .bed import bed
from .clients import Holder

PAGE = kit.ROOT / "docs/tour.md"
HEAD = """# A tour

What an operator types, and what howdah answers. Two HiveServer2 servers and one that is switched off stand behind this howdah; a session of impyla
runs a query through it. Made by `HOWDAH_TEST_BLESS=1 tests/run real tour`, on real servers.
"""


class Tour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gone = f"127.0.0.14:{kit.free_port('127.0.0.14')}"
        pool = bed().pool()
        pool = pool.replace("servers = [", f'servers = [{{ name = "gone", address = "{cls.gone}" }}, ', 1)
        cls.howdah, cls.port = bed().front("tour", pool + "slo = 99.9\n")
        cls.addClassCleanup(cls.howdah.stop)
        cls.howdah.awaits("hive", "gone", "down")
        cls.holder = Holder("impyla", "127.0.0.1", cls.port)
        cls.addClassCleanup(cls.holder.kill)
        [cls.other] = {"a", "b"} - {cls.holder.server}

    def readable(self, text):
        for said, shown in ((str(self.howdah.config), "/etc/howdah/howdah.toml"), (str(self.howdah.access), "/var/log/howdah/access.log"),
                            (str(self.howdah.config.parent), "/etc/howdah"), (self.howdah.admin, "127.0.0.1:9600"),
                            (f"127.0.0.1:{self.port}", "127.0.0.1:10000"), (f":{bed().port}", ":10000"), (self.gone, "127.0.0.14:10000")):
            text = text.replace(said, shown)
        return "\n".join(line.rstrip() for line in text.rstrip().splitlines())

    def stop_at(self, title, words, *says, code=0):
        """One command, and what it must say."""
        words = [str(word) for word in words]
        local = words[0] in ("check",)
        done = self.howdah.ctl(*words) if not local else self.alone(*words)
        said = done.stdout + done.stderr
        with self.subTest(words[0]):
            if code is not None:
                self.assertEqual(done.returncode, code, said)
            for what in says:
                self.assertRegex(said, what)
        self.text += f"\n## {title}\n\n```\n$ howdah {self.readable(' '.join(words))}\n{self.readable(said)}\n```\n"

    def alone(self, *words):
        import subprocess
        from .balancer import BINARY
        return subprocess.run([BINARY, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_every_command_on_real_servers(self):
        self.text = HEAD
        server, config = self.holder.server, self.howdah.config
        self.stop_at("Which server is ill, and why", ["status"], "refused", r"gone")
        self.stop_at("Where would this client go", ["explain", "--listener", "hive", "--client", "127.0.0.1"], r"hive", r"gone")
        self.stop_at("Who is there", ["sessions", "--server", server], r"127\.0\.0\.1:\d+", server)
        self.stop_at("Take a server out", ["drain", f"hive/{server}"], "draining", "1 session")
        self.stop_at("What a client would meet now", ["explain", "--listener", "hive", "--client", "127.0.0.1"], self.other, "drain")
        self.stop_at("And put it back", ["ready", f"hive/{server}"], "back to work")
        self.stop_at("What happened", ["events", "--since", "5m"], "drain", "gone")
        self.stop_at("What was reached", ["availability"], "hive", r"100|99")
        self.stop_at("Each server, asked once", ["check", "--connect", "--config", config], "refused", code=1)
        config.write_text(config.read_text().replace('interval = "1s"', 'interval = "2s"'))
        self.stop_at("What a changed file would change", ["reload", "--dry-run"], "interval", "1s", "2s")
        self.stop_at("What goes wrong in practice", ["doctor"], "gone|error|warning|note", code=None)
        self.assertEqual(self.holder.let_go(), server, "the tour disturbed the session")
        if os.environ.get("HOWDAH_TEST_BLESS"):
            PAGE.write_text(self.text)
        page = PAGE.read_text()
        commands = re.findall(r"^\$ howdah (\w+)", page, re.M)
        self.assertEqual(commands, re.findall(r"^\$ howdah (\w+)", self.text, re.M), "docs/tour.md shows other commands: make it anew")
        for command in ("explain", "drain", "ready", "reload"):
            self.assertEqual(words(page, command), words(self.text, command), f"docs/tour.md has other words of {command}: make it anew")


def words(text, command):
    """What that command said, without numbers, names and order: those change from run to run."""
    said = re.findall(rf"^\$ howdah {command} .*?^```", text, re.M | re.S)
    return sorted(set(re.findall(r"[A-Za-z][A-Za-z-]{3,}", " ".join(said))))
