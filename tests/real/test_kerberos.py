"""Kerberos for howdah's own questions: a real KDC, a real HiveServer2 that takes tickets alone, and web servers behind SPNEGO."""
import subprocess
import time
import unittest

from . import kit
from .balancer import BINARY, Howdah, probe
from .clients import beeline
from .kerberos import Kdc
from .servers import HiveServer, Namespace


class Web:
    """A NameNode's page behind SPNEGO."""

    def __init__(self, folder, kdc, name, state):
        self.address = f"127.0.0.1:{kit.free_port()}"
        self.state = folder / f"{name}.state"
        self.be(state)
        host, port = self.address.split(":")
        self.process = kit.Process(f"spnego-{name}", ["/usr/bin/python3", kit.ROOT / "tests/real/spnego.py", host, port,
                                                      kdc.keytab("HTTP/localhost"), self.state], folder, env=kdc.env)
        self.process.listens(host, int(port), 20)

    def be(self, state):
        self.state.write_text(state)


class Kerberos(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.install_kerberos()
        except kit.Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.folder = kit.folder()
        cls.kdc = Kdc(cls.folder).start()
        cls.server = HiveServer(cls.folder, "tickets", "127.0.0.1", kit.free_port(), kdc=cls.kdc).begin()
        cls.sealed = HiveServer(cls.folder, "sealed", "127.0.0.1", kit.free_port(), kdc=cls.kdc)
        cls.sealed.hive["hive.server2.thrift.sasl.qop"] = "auth-conf"
        cls.sealed.begin()
        cls.begin_http()
        kdc, own = cls.kdc, cls.kdc.keytab
        cls.nodes = [Web(cls.folder, kdc, name, state) for name, state in (("nn1", "active"), ("nn2", "standby"))]
        for principal in ("howdah", "lb/howdah.example.com", "expired", "locked", "changed", "gone", "short"):
            own(principal)
        kdc.expire("expired")
        kdc.admin("modprinc -allow_tix locked")
        kdc.admin("cpw -randkey changed")
        kdc.admin("delprinc -force gone")
        kdc.admin('modprinc -maxlife "20 seconds" short')
        kdc.add_realm("AWAY.TEST", kit.free_port())
        kdc.keytab_elsewhere("howdah", "AWAY.TEST")

        cls.pools, cls.ports = [], {}
        for depth in ("handshake", "session", "query"):
            cls.hive(f"hive-{depth}", "howdah", depth=depth)
        cls.hive("sealed", "howdah", depth="query", server=cls.sealed)
        cls.hive("with-a-slash", "lb/howdah.example.com", depth="session")
        cls.hive("short", "short", depth="session")
        for name in ("expired", "locked", "changed", "gone"):
            cls.hive(name, name, depth="session")
        cls.hive("nobody", "howdah", depth="session", service="hive/nobody")
        cls.hive("other", "howdah", depth="session", service="HTTP/localhost")
        cls.hive("away", "howdah@AWAY.TEST", depth="session")
        servers = ", ".join(f'{{ name = "nn{n}", address = "{node.address}" }}' for n, node in enumerate(cls.nodes, 1))
        cls.pool("namenode", "hdfs-namenode", servers, f'service_principal = "HTTP/localhost", '
                 f'principal = "short", keytab = "{own("short")}"')
        # Behind SPNEGO and without a ticket, as it was and is without a keytab.
        cls.pool("nobody-asks", "hdfs-namenode", servers, 'timeout = "3s"')
        cls.server.up()
        cls.sealed.up()
        cls.howdah = cls.start()

    @classmethod
    def start(cls):
        before = dict(kit.os.environ)
        kit.os.environ["KRB5_CONFIG"] = str(cls.kdc.conf)
        try:
            return Howdah(cls.folder, "howdah", "".join(cls.pools))
        finally:
            kit.os.environ.clear()
            kit.os.environ.update(before)

    @classmethod
    def begin_http(cls):
        """Spark's HTTP transport listens on every address: it and its KDC get a network of their own."""
        cls.http, cls.no_http = None, None
        try:
            network = Namespace("krb").name
        except kit.Missing as missing:
            cls.no_http = str(missing)
            return
        kdc = Kdc(cls.folder, "kdc-inside", netns=network)
        kdc.keytab("howdah")
        kdc.start()
        cls.http = HiveServer(cls.folder, "tickets-http", "127.0.0.1", 10001, http=True, netns=network, kdc=kdc).begin()

    @classmethod
    def hive(cls, pool, principal, depth, service=None, server=None):
        server = f'{{ name = "s", address = "localhost:{(server or cls.server).port}" }}'
        shared = f', service_principal = "{service}"' if service else ""
        keytab = cls.kdc.keytab(principal)
        cls.pool(pool, "hiveserver2", server, f'depth = "{depth}", deep_interval = "1s", timeout = "30s", '
                 f'keytab = "{keytab}", principal = "{principal}"{shared}')

    @classmethod
    def pool(cls, name, service, servers, probe):
        cls.ports[name] = kit.free_port()
        cls.pools.append(f'''
[[listener]]
name = "{name}"
bind = "127.0.0.1:{cls.ports[name]}"
pool = "{name}"

[pool.{name}]
service = "{service}"
servers = [{servers}]
probe = {{ interval = "500ms", rise = 1, fall = 1, {probe} }}
''')

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()
        for server in (cls.server, cls.sealed, cls.http):
            if server:
                server.kill()
        for node in cls.nodes:
            node.process.kill()
        if cls.kdc.process.running():
            cls.kdc.process.kill()

    def reason(self, pool, reason, health="up"):
        """The server takes sessions by what needs no ticket, and the reason tells what is wrong with ours."""
        told = {}

        def said():
            told.update(self.howdah.server(pool, "s"))
            return told["health"] == health and told["last_probe"].get("reason", told["reason"]) == reason
        try:
            kit.until(f"{pool}: {reason}", said, 30, 0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {told}") from None
        return told

    def test_a_up_at_every_depth_with_the_servers_own_name(self):
        for depth in ("handshake", "session", "query"):
            server = self.howdah.awaits(f"hive-{depth}", "s", "up", 60)
            self.assertEqual(server["last_probe"]["verdict"], "up")
            self.reason(f"hive-{depth}", "ok")
        self.howdah.awaits("sealed", "s", "up", 60)
        self.reason("sealed", "ok")
        self.howdah.awaits("with-a-slash", "s", "up")
        self.reason("with-a-slash", "ok")

    def test_a_each_fault_of_the_account_by_its_name(self):
        for pool, reason in (("expired", "principal-expired"), ("locked", "principal-expired"), ("changed", "key-wrong"),
                             ("gone", "principal-unknown"), ("nobody", "service-unknown"), ("away", "kdc-unreachable")):
            with self.subTest(pool):
                told = self.reason(pool, reason)
                self.assertIn("without a ticket", str(told["last_probe"]["detail"]))

    def test_a_server_that_cannot_read_the_ticket_is_down(self):
        self.assertEqual(self.reason("other", "kerberos-refused", "down")["health"], "down")

    def test_a_namenodes_behind_spnego_tell_their_role(self):
        self.assertEqual(self.howdah.awaits("namenode", "nn1", "up")["role"], "active")
        self.assertEqual(self.howdah.awaits("namenode", "nn2", "alive")["role"], "standby")
        told = self.howdah.awaits("nobody-asks", "nn1", "alive")
        self.assertIn("wants Negotiate", told["last_probe"]["detail"])
        first, second = self.nodes
        first.be("standby")
        second.be("active")
        self.howdah.awaits("namenode", "nn2", "up", 10)
        self.howdah.awaits("namenode", "nn1", "alive", 10)
        first.be("active")
        second.be("standby")
        self.howdah.awaits("namenode", "nn1", "up", 10)
        self.assertIn("asked by short@", first.process.text())

    def test_d_clients_with_tickets_go_through(self):
        self.kdc.login("short")
        answer = beeline("localhost", self.ports["hive-query"], "SET spark.howdah.instance", kdc=self.kdc,
                         principal=self.kdc.name("hive/localhost"))
        self.assertIn("tickets", answer)

    def test_a_hive_over_http_takes_a_ticket_with_each_request(self):
        if not self.http:
            self.skipTest(self.no_http)
        self.http.up()
        kdc, inside = self.http.kdc, ["ip", "netns", "exec", self.http.netns]
        words = ("hiveserver2", "localhost:10001", "--transport", "http", "--timeout", "40s",
                 "--keytab", kdc.keytab("howdah"), "--principal", "howdah")
        for depth in ("handshake", "session", "query"):
            code, said = probe(*words, "--depth", depth, inside=inside, env={"KRB5_CONFIG": str(kdc.conf)})
            self.assertEqual(code, 0, said)
        code, said = probe(*words, "--depth", "session", "--service-principal", "HTTP/nobody", inside=inside,
                           env={"KRB5_CONFIG": str(kdc.conf)})
        self.assertIn("service-unknown", said)
        self.assertEqual(self.http.faults(), [])

    def test_b_the_kdc_hears_little_of_many_questions(self):
        """Each pool has one ticket; the short one is got anew every 16 seconds."""
        asked, probes = self.kdc.asked("TGS_REQ"), self.howdah.metric("howdah_health_probes_total")
        began = time.monotonic()
        kit.until("200 questions", lambda: self.howdah.metric("howdah_health_probes_total") > probes + 200, 60, 0.2)
        seconds = time.monotonic() - began
        asked = self.kdc.asked("TGS_REQ") - asked
        # Two pools with short tickets and two that are refused, asked again after a minute.
        self.assertLessEqual(asked, 4 + 2 * seconds / 15, f"{asked} tickets in {seconds:.0f} s")
        print(f"\n    200 questions in {seconds:.0f} s: {asked} tickets")

    def test_c_probing_leaves_no_error_in_the_servers_log(self):
        """The one pool whose ticket the server cannot read asks once a second, and that is in the log."""
        faults = [line for line in self.server.faults() if "SASL negotiation failure" not in line
                  and "Error occurred during processing of message" not in line]
        self.assertEqual(faults, [])

    def test_e_without_a_kdc_servers_stay_what_they_are(self):
        self.kdc.process.kill()
        self.reason("short", "kdc-unreachable")
        kit.until("the pages to be asked without a ticket", lambda: "without a ticket" in str(
            self.howdah.server("namenode", "nn1")["last_probe"]["detail"]), 40, 0.2)
        for pool, name, health, role in (("short", "s", "up", None), ("hive-query", "s", "up", None),
                                         ("namenode", "nn1", "up", "active"), ("namenode", "nn2", "alive", "standby")):
            server = self.howdah.server(pool, name)
            self.assertEqual((server["health"], server["role"]), (health, role), server)
        self.nodes[1].process.kill()
        self.howdah.awaits("namenode", "nn2", "down", 10)
        self.kdc.start()
        kit.until("tickets again", lambda: self.howdah.server("namenode", "nn1")["last_probe"]["verdict"] == "up", 30, 0.2)
        self.reason("short", "ok")

    def test_f_the_commands_take_a_keytab(self):
        words = ("hiveserver2", f"localhost:{self.server.port}", "--depth", "session", "--timeout", "30s",
                 "--keytab", self.kdc.keytab("howdah"), "--principal", "howdah")
        code, said = probe(*words, env={"KRB5_CONFIG": str(self.kdc.conf)})
        self.assertEqual(code, 0, said)
        self.assertIn("close-session", said)
        node = ("hdfs-namenode", self.nodes[0].address, *words[6:], "--service-principal", "HTTP/localhost")
        code, said = probe(*node, env={"KRB5_CONFIG": str(self.kdc.conf)})
        self.assertEqual(code, 0, said)

        wrong = self.folder / "wrong.toml"
        text = "".join(self.pools[:1]).replace('principal = "howdah"', 'principal = "nobody"')
        wrong.write_text(text)
        done = subprocess.run([BINARY, "check", "--config", wrong], capture_output=True, text=True, timeout=20,
                              env={**kit.os.environ, "KRB5_CONFIG": str(self.kdc.conf)})
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("holds no key of nobody@HOWDAH.TEST", done.stdout + done.stderr)
