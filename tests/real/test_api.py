"""The API as its own OpenAPI document has it, judged by schemathesis with requests that it makes up."""
import json
import os
import re
import subprocess
import unittest

from . import kit
from .balancer import BINARY, Howdah

# How many requests are made up for each endpoint; twenty times as many before a release find nothing more.
EXAMPLES = "12"


def schemathesis():
    """Its program."""
    return str(kit.venv("schemathesis", ["schemathesis==4.32.5"]) / "bin/st")


SERVERS = '''
[[listener]]
name = "front"
bind = "127.0.0.1:{port}"
pool = "hive"

[pool.hive]
service = "hiveserver2"
probe = "none"
servers = [{{ name = "hs2-1.example.com:10000", address = "127.0.0.1:9" }}, {{ name = "hs2-2.example.com:10000", address = "127.0.0.1:10" }}]
'''

# Names that are there, so that orders are carried out too; 503 of /readyz is what it is for.
KNOWN = '''
[parameters]
"path.pool" = "hive"
"path.server" = "hs2-1.example.com:10000"

[[operations]]
include-path = "/readyz"
checks.not_a_server_error.enabled = false
'''


class Api(unittest.TestCase):
    def test_schemathesis_finds_nothing(self):
        try:
            judge = schemathesis()
        except kit.Missing as missing:
            self.skipTest(str(missing))
        howdah = Guarded()
        folder = howdah.folder
        try:
            for config in ("", KNOWN):
                (folder / "schemathesis.toml").write_text(config)
                command = [judge, "run", f"http://{howdah.admin}/api/v1/openapi.json", "--checks", "all", "--seed", "8",
                           "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--max-time", "12",
                           "--header", "Authorization: Bearer s3cret", "--exclude-path", "/api/v1/stream", "--no-color"]
                if not config:
                    command += ["--exclude-path", "/readyz"]
                judged = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
                self.assertEqual(judged.returncode, 0, judged.stdout[-6000:] + judged.stderr)
                self.assertRegex(judged.stdout, r"\d{3,} generated, \d{3,} passed")
            document = json.loads(howdah.get("/api/v1/openapi.json"))
            self.assertEqual(howdah.metric("howdah_admin_requests_total", code="500"), 0)
            self.assertGreater(len(document["paths"]), 12)
        finally:
            howdah.stop()


    def test_the_examples_of_the_documentation_work(self):
        try:
            kit.need_debs(curl="curl")
        except kit.Missing as missing:
            self.skipTest(str(missing))
        page = (kit.ROOT / "docs/operating/api.md").read_text()
        blocks = re.findall(r"```sh\n(.*?)```", page, re.S)
        commands = [line for block in blocks for line in block.splitlines()]
        self.assertGreater(len(commands), 9)
        howdah = Guarded()
        try:
            env = {**os.environ, "HOWDAH": f"http://{howdah.admin}", "HOWDAH_TOKEN": "s3cret"}
            for command in commands:
                done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
                self.assertIsInstance(json.loads(done.stdout), dict, command)
        finally:
            howdah.stop()


class Guarded(Howdah):
    """A howdah whose commands need a token."""

    def __init__(self):
        self.admin = f"127.0.0.1:{kit.free_port()}"
        self.inside = []
        folder = kit.folder()
        token = folder / "admin.token"
        token.write_text("s3cret\n")
        token.chmod(0o600)
        config = folder / "howdah.toml"
        admin = f'[admin]\nbind = "{self.admin}"\ntoken_file = "{token}"\n\n[log]\naccess = "off"\n'
        config.write_text(admin + SERVERS.format(port=kit.free_port()))
        kit.Process.__init__(self, "api", [BINARY, "run", "--config", config], folder)
        kit.until("howdah to answer", self._serves, 20)
