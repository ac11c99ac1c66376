"""`howdah demo` as a newcomer meets it: real clients run queries on its stand-ins and read who answered."""
import difflib
import json
import re
import subprocess
import unittest
import urllib.request

from . import kit
from .balancer import BINARY
from .clients import beeline, query


class Demo(unittest.TestCase):
    def start(self, every):
        process = kit.Process("demo", [BINARY, "demo", "--every", every], kit.folder())
        self.addCleanup(process.kill)
        kit.until("its welcome", lambda: "Try, in another terminal" in process.text(), 30)
        places = dict(re.findall(r"^  (\w+(?: page)?) +(?:http://)?(127\.0\.0\.1:\d+)", process.text(), re.M))
        kit.until("its servers to be up", lambda: set(self.health(places).values()) == {"up"}, 30)
        return process, places

    @staticmethod
    def health(places):
        with urllib.request.urlopen(f"http://{places['Status page']}/api/v1/status", timeout=10) as answer:
            pools = json.load(answer)["pools"]
        return {server["name"]: server["health"] for pool in pools for server in pool["servers"]}

    def test_real_clients_read_which_stand_in_answered(self):
        process, places = self.start("1h")
        hive = (places["HiveServer2"].split(":")[0], int(places["HiveServer2"].split(":")[1]))
        impala = (places["Impala"].split(":")[0], int(places["Impala"].split(":")[1]))
        self.assertRegex(beeline(*hive, "SELECT who_answers"), r"\bhs2-[123]\b")
        for library in ("impyla", "pyhive"):
            self.assertRegex(str(query(library, *hive, "SELECT who_answers")), r"\bhs2-[123]\b")
        self.assertRegex(str(query("impyla", *impala, "SELECT who_answers", auth="NOSASL")), r"\bimpalad-[12]\b")
        with urllib.request.urlopen(f"http://{places['Hue']}/", timeout=10) as answer:
            self.assertIn("hue-", answer.read().decode())
        with urllib.request.urlopen(f"http://{places['Status page']}/", timeout=10) as answer:
            self.assertIn("<html", answer.read().decode().lower())
        process.signal(kit.signal.SIGINT)
        self.assertEqual(process.child.wait(10), 0, process.tail())

    def test_one_stand_in_dies_and_comes_back(self):
        _, places = self.start("3s")
        dead = kit.until("a death", lambda: [name for name, health in self.health(places).items() if health == "down"], 30)
        kit.until("its return", lambda: self.health(places)[dead[0]] == "up", 30)

    def test_the_book_says_the_commands_and_options_that_exist(self):
        """Each `howdah WORD` of the README and of docs is a command, and each --option behind it one of its own."""
        helps, options = {}, 0
        every = subprocess.run([BINARY, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10).stdout
        commands = re.findall(r"^  ([a-z]+)  ", every, re.M)
        for page in (kit.ROOT / "README.md", kit.ROOT / "CONTRIBUTING.md", *sorted((kit.ROOT / "docs").rglob("*.md"))):
            # Decisions tell what was thought of, too.
            if page.parent.name == "adr":
                continue
            for before, word, rest in re.findall(r"(`|^|^\$ |target/debug/)howdah ([a-z]+)\b([^`\n|#]*)", page.read_text(), re.M):
                if word not in helps:
                    done = subprocess.run([BINARY, word, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
                    helps[word] = done.stdout if done.returncode == 0 else None
                if helps[word] is None:
                    # Sentences say what howdah does, commands what it is told: an unknown word is a fault where it is nearly a command.
                    near = before and difflib.get_close_matches(word, commands, cutoff=0.75)
                    self.assertFalse(near, f"{page.name}: howdah {word}{rest}")
                    continue
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                    options += 1
                    self.assertTrue(re.search(rf"{option}\b", helps[word]), f"{page.name}: howdah {word}{rest}")
        known = {word for word, text in helps.items() if text}
        self.assertGreaterEqual(known, {"check", "probe", "status", "drain", "ready", "weight", "reload", "sessions", "events", "doctor"})
        self.assertGreater(options, 50)
