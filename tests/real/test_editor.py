"""The configuration in an editor: a TOML language server that reads `howdah schema`."""
import json
import queue
import subprocess
import threading
import unittest

from . import kit
from .balancer import BINARY

GOOD = '''#:schema ./howdah.schema.json
[[listener]]
name = "hive"
bind = "0.0.0.0:10000"
pool = "hive"

[pool.hive]
service = "hiveserver2"
balance = "least-connection"
servers = ["hs2-1.example.com"]
'''

BALANCERS = ["round-robin", "least-connection", "response-time", "random", "source-hash"]


def taplo():
    """The path of Taplo's own program, which judges files."""
    return str(kit.venv("taplo", ["taplo==0.9.3"]) / "bin/taplo")


def language_server():
    """The folder with Taplo's language server, the one of VS Code's Even Better TOML."""
    home = kit.CACHE / "taplo-lsp"
    if not (home / "node_modules/@taplo/lsp/package.json").exists():
        kit.need_debs(node="nodejs", npm="npm")
        home.mkdir(parents=True, exist_ok=True)
        kit.quiet(["npm", "install", "--silent", "--no-audit", "--prefix", str(home), "@taplo/lsp@0.8.0"], "npm install @taplo/lsp")
    return home


class Editor:
    """A language server over its standard streams; every answer is awaited for at most ten seconds."""

    def __init__(self, server, folder):
        command = ["node", kit.ROOT / "tests/real/editor.mjs", server]
        self.child = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.heard, self.last = queue.Queue(), 0
        threading.Thread(target=self.listen, daemon=True).start()
        self.uri = (folder / "howdah.toml").as_uri()
        root = folder.as_uri()
        self.ask("initialize", processId=None, rootUri=root, capabilities={},
                 workspaceFolders=[{"uri": root, "name": "howdah"}])
        self.tell("initialized")

    def listen(self):
        for line in self.child.stdout:
            self.heard.put(json.loads(line))

    def send(self, **message):
        self.child.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")

    def tell(self, method, **params):
        self.send(method=method, params=params)

    def ask(self, method, **params):
        self.last += 1
        self.send(id=self.last, method=method, params=params)
        return self.await_message(lambda one: one.get("id") == self.last and "method" not in one)["result"]

    def await_message(self, wanted):
        while True:
            message = self.heard.get(timeout=10)
            if "method" in message and "id" in message:
                # What it wants to know of our settings: nothing is set.
                items = (message.get("params") or {}).get("items", [])
                self.send(id=message["id"], result=[None for _ in items])
            elif wanted(message):
                return message

    def opens(self, text, faulty):
        """The faults that the editor underlines, as soon as there are some, or none."""
        document = {"uri": self.uri, "languageId": "toml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)

        def judged(message):
            told = message.get("method") == "textDocument/publishDiagnostics"
            return told and bool(message["params"]["diagnostics"]) == faulty
        return self.await_message(judged)["params"]["diagnostics"]

    def completes(self, text, at):
        """What is offered where `at` begins in `text`, or at its end."""
        before = text[:text.index(at)] if at else text
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        offered = self.ask("textDocument/completion", textDocument={"uri": self.uri}, position=place)
        items = offered["items"] if isinstance(offered, dict) else offered or []
        return [item["label"].strip('"') for item in items]

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.taplo, cls.server = taplo(), language_server()
        except kit.Missing as missing:
            raise unittest.SkipTest(str(missing))
        cls.folder = kit.folder()
        cls.schema = cls.folder / "howdah.schema.json"
        cls.schema.write_text(subprocess.check_output([BINARY, "schema"], text=True, timeout=10))

    def lint(self, *files):
        command = [self.taplo, "lint", "--no-auto-config", "--schema", self.schema.as_uri(), *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_what_loads_is_not_refused(self):
        files = [*(kit.ROOT / "conf").glob("*.toml"), *(kit.ROOT / "tests/config/good").glob("*.toml")]
        self.assertGreater(len(files), 12)
        judged = self.lint(*files)
        self.assertEqual(judged.returncode, 0, judged.stderr)

    def test_what_is_faulty_in_itself_is_refused(self):
        bad = kit.ROOT / "tests/config/bad"
        for name in ("global-unknown-keys", "global-bad-values", "global-durations", "listener-bind-forms",
                     "file-unknown-tables", "file-listener-single-brackets", "admin-token-in-the-file"):
            judged = self.lint(bad / f"{name}.toml")
            self.assertEqual(judged.returncode, 1, f"{name}: {judged.stderr}")

    def test_an_editor_completes_words_and_underlines_wrong_ones(self):
        editor = Editor(self.server, self.folder)
        self.addCleanup(editor.close)
        [fault] = editor.opens(GOOD.replace("least-connection", "leastconn"), faulty=True)
        self.assertIn('"leastconn" is not one of', fault["message"])
        self.assertEqual(fault["range"]["start"]["line"], 8)
        [fault] = editor.opens(GOOD.replace("balance", "balanse"), faulty=True)
        self.assertIn("balanse", fault["message"])
        editor.opens(GOOD, faulty=False)
        self.assertEqual(sorted(editor.completes(GOOD, 'least-connection"')), sorted(BALANCERS))
        keys = editor.completes(GOOD, None)
        self.assertIn("sticky", keys)
        self.assertNotIn("max_conections", keys)
