"""The hiveserver2 probe against real servers: up at every depth, and a reason of its own for each way to be wrong."""
import http.server
import signal
import threading
import unittest

from . import kit
from .bed import bed
from .balancer import Howdah, probe
from .clients import instance
from .servers import Directory, HiveServer, Namespace


class Judge:
    """One howdah with a pool for each question; the verdicts are read from its status."""

    def __init__(self, name):
        self.name, self.pools, self.ports = name, [], {}

    def ask(self, pool, address, **probe):
        """A pool with one server `s`. Keywords are settings of its probe in TOML; `tls` is the pool's CA."""
        ca = probe.pop("tls", None)
        settings = {"type": '"hiveserver2"', "interval": '"500ms"', "timeout": '"2s"', "rise": "1", "fall": "1"} | probe
        inline = ", ".join(f"{key} = {value}" for key, value in settings.items())
        secure = f'\n[pool.{pool}.tls]\nca = "{ca}"\n' if ca else ""
        self.ports[pool] = kit.free_port()
        self.pools.append(f'''
[[listener]]
name = "{pool}"
bind = "127.0.0.1:{self.ports[pool]}"
pool = "{pool}"

[pool.{pool}]
service = "hiveserver2"
servers = [{{ name = "s", address = "{address}" }}]
probe = {{ {inline} }}
{secure}''')

    def start(self, netns=None):
        return Howdah(bed().folder, self.name, "".join(self.pools), netns)


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        plain, strict = bed().pair[1], bed().strict
        right, wrong = bed().folder / "right.password", bed().folder / "wrong.password"
        right.write_text(Directory.PASSWORD)
        wrong.write_text("guess")
        cls.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        cls.web.RequestHandlerClass.log_message = lambda *_: None
        threading.Thread(target=cls.web.serve_forever, daemon=True).start()
        account = {"username": f'"{Directory.USER}"', "password_file": f'"{right}"', "tls": bed().tls.ca}

        judge = Judge("judge")
        for depth in ("handshake", "session", "query"):
            judge.ask(f"plain-{depth}", plain.address, depth=f'"{depth}"')
            judge.ask(f"strict-{depth}", strict.address, depth=f'"{depth}"', **account)
        judge.ask("bad-password", strict.address, depth='"handshake"', **account | {"password_file": f'"{wrong}"'})
        judge.ask("tls-there", strict.address)
        judge.ask("tls-not-there", plain.address, tls=bed().tls.ca)
        judge.ask("web-there", f"127.0.0.1:{cls.web.server_port}")
        judge.ask("nobody-there", f"127.0.0.1:{kit.free_port()}")
        cls.howdah = judge.start()

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()
        cls.web.shutdown()
        cls.web.server_close()

    def assert_up(self, pool):
        self.assertEqual(self.howdah.awaits(pool, "s", "up")["last_probe"]["verdict"], "up")

    def assert_reason(self, pool, reason):
        server = self.howdah.awaits(pool, "s", "down")
        self.assertEqual(server["reason"], reason, server)

    def test_up_at_depth_handshake(self):
        self.assert_up("plain-handshake")

    def test_up_at_depth_session(self):
        self.assert_up("plain-session")

    def test_up_at_depth_query(self):
        self.assert_up("plain-query")

    def test_up_with_a_password_over_tls_at_every_depth(self):
        for depth in ("handshake", "session", "query"):
            self.assert_up(f"strict-{depth}")

    def test_wrong_password(self):
        self.assert_reason("bad-password", "bad-credentials")

    def test_tls_where_plain_was_expected(self):
        self.assert_reason("tls-there", "speaks-tls")

    def test_plain_where_tls_was_expected(self):
        self.assert_reason("tls-not-there", "not-tls")

    def test_http_server_on_that_port(self):
        self.assert_reason("web-there", "speaks-http")

    def test_nobody_listens(self):
        self.assert_reason("nobody-there", "connect-refused")

    def test_probe_command_says_the_verdict_by_its_exit_code(self):
        plain, strict = bed().pair[1], bed().strict
        for depth in ("handshake", "session", "query"):
            code, said = probe("hiveserver2", plain.address, "--depth", depth)
            self.assertEqual(code, 0, said)
        wrong = ["--ca", bed().tls.ca, "--user", Directory.USER, "--password-file", bed().folder / "wrong.password"]
        for words, reason in ((("hiveserver2", strict.address, *wrong), "bad-credentials"),
                              (("hiveserver2", strict.address), "speaks-tls"),
                              (("hiveserver2", f"127.0.0.1:{self.web.server_port}"), "speaks-http"),
                              (("hiveserver2", f"127.0.0.1:{kit.free_port()}"), "connect-refused")):
            code, said = probe(*words)
            self.assertEqual(code, 4, said)
            self.assertIn(reason, said)

    def test_stopped_process_times_out_at_every_depth(self):
        stopped = bed().pair[1].process
        self.addCleanup(stopped.signal, signal.SIGCONT)
        stopped.signal(signal.SIGSTOP)
        for depth in ("handshake", "session", "query"):
            self.assert_reason(f"plain-{depth}", "timeout")
        stopped.signal(signal.SIGCONT)
        for depth in ("handshake", "session", "query"):
            self.assert_up(f"plain-{depth}")


class Http(unittest.TestCase):
    def test_http_transport_is_up_at_every_depth_and_carries_queries(self):
        """The server listens on every address in this mode: all of it happens in a network of its own."""
        try:
            network = Namespace()
        except kit.Missing as missing:
            self.skipTest(str(missing))
        server = HiveServer(bed().folder, "http", "127.0.0.1", 10001, http=True, netns=network.name).start()
        self.addCleanup(server.kill)
        judge = Judge("http-judge")
        transport = {"transport": '"http"', "timeout": '"30s"'}  # its first query loads classes
        for depth in ("handshake", "session", "query"):
            judge.ask(f"http-{depth}", server.address, depth=f'"{depth}"', **transport)
        judge.ask("binary-there", server.address)
        howdah = judge.start(network.name)
        self.addCleanup(howdah.stop)
        for depth in ("handshake", "session", "query"):
            howdah.awaits(f"http-{depth}", "s", "up", 60)
        self.assertEqual(howdah.awaits("binary-there", "s", "down")["reason"], "speaks-http")
        port = judge.ports["http-query"]
        inside = ["ip", "netns", "exec", network.name]
        self.assertEqual(instance("impyla", "127.0.0.1", port, http=True, inside=inside), "http")
