"""`howdah top` at a real terminal (tmux): the demo's servers, one drained with keys, and the terminal given back.

BLESS=1 writes what it saw into docs/operating/top.md."""
import json
import os
import re
import subprocess
import unittest
import urllib.request
import uuid
from pathlib import Path

from . import kit
from .balancer import BINARY

DOCUMENT = kit.ROOT / "docs/operating/top.md"


class Pane:
    """A tmux of its own with one window, which runs a shell."""

    def __init__(self, width, height):
        self.name = f"howdah-{uuid.uuid4().hex[:8]}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "env", "PS1=$ ", "sh")
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-L", self.name, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=10)
        if done.returncode != 0:
            raise AssertionError(f"tmux {arguments}: {done.stderr}")
        return done.stdout

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def text(self):
        return "\n".join(line.rstrip() for line in self.tmux("capture-pane", "-p").splitlines())

    def shows(self, *parts, seconds=15):
        try:
            kit.until(f"{parts} at the terminal", lambda: all(part in self.text() for part in parts), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        return self.text()

    def modes(self):
        return self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split()

    def child(self):
        """What the shell runs."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        [pid] = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(pid)

    def kill(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], stdin=subprocess.DEVNULL, capture_output=True)


class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not kit.have("tmux"):
            raise unittest.SkipTest("tmux is not there: apt-get install tmux")
        cls.demo = kit.Process("demo", [BINARY, "demo", "--every", "1h"], kit.folder())
        cls.addClassCleanup(cls.demo.kill)
        kit.until("its welcome", lambda: "Try, in another terminal" in cls.demo.text(), 30)
        cls.admin = re.search(r"^  Status page +(http://127\.0\.0\.1:\d+)", cls.demo.text(), re.M)[1]
        kit.until("its servers to be up", lambda: {one["health"] for one in cls.servers().values()} == {"up"}, 30)

    @classmethod
    def servers(cls):
        with urllib.request.urlopen(f"{cls.admin}/api/v1/status", timeout=10) as answer:
            pools = json.load(answer)["pools"]
        return {server["name"]: server for pool in pools for server in pool["servers"]}

    def pane(self, width=100, height=24):
        pane = Pane(width, height)
        self.addCleanup(pane.kill)
        pane.type(f"{BINARY} top --admin {self.admin}", "Enter")
        pane.shows("HEALTH", "hs2-1", "impalad-1")
        return pane

    def left(self, pane):
        """The shell is back, on its own screen, with its cursor."""
        kit.until("the shell's screen", lambda: pane.modes() == ["0", "1"])
        self.assertNotIn("HEALTH", pane.text())
        pane.type("stty -a | grep -c ' echo '; echo we are $((1+1))", "Enter")
        self.assertIn("\n1\n", pane.shows("we are 2"), "the terminal does not echo any more")

    def test_a_server_is_drained_with_keys_and_seen_draining(self):
        pane = self.pane()
        kit.until("traffic", lambda: re.search(r" hs2-\d .* \d[\d.]*[KM]? ok$", pane.text(), re.M))
        overview = pane.text()
        pane.type("/", "hs2-2", "Enter")
        kit.until("the others to be hidden", lambda: "hs2-1" not in pane.text())
        pane.type("d")
        pane.shows("Drain hive/hs2-2", "[y/n]")
        self.assertEqual(self.servers()["hs2-2"]["admin"], "ready", "nobody said yes yet")
        pane.type("y")
        pane.shows("hive/hs2-2 is draining", " drain ")
        self.assertEqual(self.servers()["hs2-2"]["admin"], "draining")
        pane.type("Escape", "Enter")
        pane.shows("up", ", draining, weight 1", "SESSION ")
        kit.until("its sessions", lambda: "asking" not in pane.text())
        closely = pane.text()
        pane.type("r")
        pane.shows("Put hive/hs2-2 back to work?")
        pane.type("y")
        pane.shows("hive/hs2-2 is ready")
        pane.type("Escape")
        pane.shows("HEALTH")
        pane.type("?")
        pane.shows("keys", "q       quit")
        pane.type("Escape")
        kit.until("the keys to be gone", lambda: "q       quit" not in pane.text())
        pane.type("q")
        self.left(pane)
        self.told(overview, closely)

    def told(self, overview, closely):
        """The document shows what was seen: its heads are those of the program."""
        text = DOCUMENT.read_text()
        blocks = re.findall(r"```text\n(.*?)```", text, re.S)
        self.assertEqual(len(blocks), 2, "docs/operating/top.md shows two screens")
        if os.environ.get("BLESS"):
            for block, seen in zip(blocks, (overview, closely)):
                seen = re.sub(r"\n{2,}", "\n\n", seen).rstrip() + "\n"
                text = text.replace(f"```text\n{block}```", f"```text\n{seen}```", 1)
            DOCUMENT.write_text(text)
            return
        for block, seen, word in zip(blocks, (overview, closely), ("SERVER", "SESSION")):
            head = [line.split() for line in seen.splitlines() if line.startswith(word)]
            shown = [line.split() for line in block.splitlines() if line.startswith(word)]
            self.assertEqual(shown, head, "docs/operating/top.md is old: run this with BLESS=1")

    def test_the_terminal_is_given_back_after_a_signal_and_follows_its_size(self):
        pane = self.pane(80)
        pane.tmux("resize-window", "-x", "132", "-y", "40")
        kit.until("the new size", lambda: pane.text().splitlines()[-1].startswith("q quit") and len(pane.text().splitlines()) == 40)
        os.kill(pane.child(), 15)
        self.left(pane)

    def test_it_ends_with_its_terminal(self):
        pane = self.pane()
        top = pane.child()
        pane.kill()
        kit.until("its end", lambda: not Path(f"/proc/{top}").exists(), 10)

    def test_without_an_answer_it_says_so_and_takes_no_screen(self):
        done = subprocess.run([BINARY, "top", "--admin", "http://127.0.0.1:1"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no howdah answers", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
