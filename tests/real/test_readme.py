"""Somebody who has the README alone: its commands as they stand there, up to a server that is drained in the page, against the clock.

The clock counts what the commands take, what the page takes, and the reading at 200 words a minute; five minutes are enough.

    HOWDAH_TEST_README=clone tests/run real readme      in a fresh clone, compiling as the README says, which counts too: for a quiet machine

Without that, the program that the tests have built stands where `cargo run` would have put it.
"""
import json
import os
import re
import shlex
import subprocess
import time
import unittest

from . import kit, test_demo
from .balancer import BINARY

WORDS_A_MINUTE = 200
FIVE_MINUTES = 300


class Readme(unittest.TestCase):
    def test_five_minutes_lead_to_a_drained_server_in_the_page(self):
        try:
            home = kit.install_browser()
        except kit.Missing as fault:
            self.skipTest(fault)
        text = (kit.ROOT / "README.md").read_text()
        self.told = text[:text.index("\n## ", text.index("## Five minutes") + 1)]
        section = self.told[self.told.index("## Five minutes"):]
        blocks = [block.split("\n") for block in re.findall(r"^```\n(.*?)\n```$", section, re.M | re.S)]
        [start], commands = blocks
        reading = len(re.sub(r"^```$", "", self.told, flags=re.M).split()) / WORDS_A_MINUTE * 60

        place, began = self.place(start), time.monotonic()
        demo, page = self.demo(start, place)
        started, began = time.monotonic() - began, time.monotonic()
        self.look(home, page, section)
        looked, began = time.monotonic() - began, time.monotonic()
        self.type(commands, place, page)
        typed = time.monotonic() - began
        demo.signal(kit.signal.SIGINT)
        self.assertEqual(demo.child.wait(10), 0, demo.tail())

        total = reading + started + looked + typed
        print(f"read {reading:.0f} s, start {started:.0f} s, page {looked:.0f} s, commands {typed:.0f} s: {total:.0f} of {FIVE_MINUTES} s", end=" ", flush=True)
        self.assertLess(total, FIVE_MINUTES)

    def place(self, start):
        """Where the reader is: in a clone, or where the program lies as if it had been compiled."""
        folder = kit.folder() / "howdah"
        if os.environ.get("HOWDAH_TEST_README") == "clone":
            subprocess.run(["git", "clone", "--quiet", kit.ROOT, folder], check=True, stdin=subprocess.DEVNULL, timeout=60)
            return folder
        self.assertTrue(start.startswith("cargo run -- "), start)
        (folder / "target/debug").mkdir(parents=True)
        (folder / "target/debug/howdah").symlink_to(BINARY)
        return folder

    def demo(self, start, place):
        """The first command, which goes on; and the page's address that it prints."""
        words, cloned = shlex.split(start), (place / "Cargo.toml").exists()
        if not cloned:
            words = ["target/debug/howdah", *words[words.index("--") + 1:]]
        demo = kit.Process("readme", words, kit.folder(), cwd=place)
        self.addCleanup(demo.kill)
        kit.until("its welcome", lambda: "Try, in another terminal" in demo.text(), 1200 if cloned else 30)
        page = re.search(r"^  Status page +(http://127\.0\.0\.1:\d+)/$", demo.text(), re.M)[1]
        kit.until("its servers to be up", lambda: set(test_demo.Demo.health({"Status page": page.removeprefix("http://")}).values()) == {"up"}, 30)
        # Where somebody else has the usual port, the demo says so, and the commands need to know.
        if not page.endswith(":9600"):
            self.assertIn("Port 9600 is taken", demo.text())
        self.assertIn("http://127.0.0.1:9600", self.told)
        return demo, page

    def look(self, home, page, section):
        """What the README says to press, in the order in which it says so."""
        pressed, [shown] = re.findall(r"\*\*(.+?)\*\*", section), re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", section)
        self.assertEqual(len(pressed), 5, pressed)
        server = shown.split()[0]
        self.assertRegex(section, rf"in the row of\s+`{server}`")
        env = {**os.environ, "HOWDAH_TEST_NODE": str(home), "HOWDAH_TEST_CHROMIUM": kit.have("chromium")}
        script = ["node", kit.ROOT / "tests/browser/readme.mjs", page, server, shown, *pressed]
        child = subprocess.Popen(script, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(child.kill)
        first = child.stdout.readline()
        if first.strip() == "DRAINED":
            self.assertEqual(self.server(page, server)["admin"], "draining")
            self.assertEqual(self.server(page, server)["sessions_active"], 0)
        said, _ = child.communicate("go on\n", timeout=60)
        self.assertEqual((first.strip(), child.returncode), ("DRAINED", 0), first + said)
        self.assertEqual(self.server(page, server)["admin"], "ready")

    def type(self, commands, place, page):
        """The second terminal."""
        self.assertGreaterEqual(len(commands), 3)
        for command in commands:
            done = subprocess.run(["sh", "-c", command], cwd=place, env={**os.environ, "HOWDAH_ADMIN": page}, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, f"{command}:\n{done.stdout}{done.stderr}")
            if " drain " in command:
                pool, server = shlex.split(command)[2].split("/")
                self.assertEqual((pool, self.server(page, server)["admin"]), ("hive", "draining"), done.stdout)
        self.assertEqual(self.server(page, server)["admin"], "ready", "the README puts back what it took out")

    @staticmethod
    def server(page, name):
        done = subprocess.run([BINARY, "status", "--json", "--admin", page], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=True)
        [found] = [server for pool in json.loads(done.stdout)["pools"] for server in pool["servers"] if server["name"] == name]
        return found
