"""What the platform stands on, asked as it is: a directory by each of its ways to TLS, a clock, tickets and names over both
protocols, Hive's metastore, plain and behind SASL, and brokers."""
import subprocess
import unittest

from . import kit
from .balancer import Howdah, probe
from .bed import bed
from .kerberos import Kdc
from .servers import Directory, Metastore, Namespace
from .test_dns_srv import Unbound


class Directories(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.install_ldap()
        except kit.Missing as fault:
            raise unittest.SkipTest(str(fault)) from fault
        cls.open = Directory(bed().folder / "ground", tls=bed().tls).start()
        cls.closed = Directory(bed().folder / "ground", tls=bed().tls, strangers=False).start()

    def judged(self, port, *more):
        return probe("ldap", f"127.0.0.1:{port}", *more)

    def test_a_directory_is_up_plain_by_starttls_and_by_tls(self):
        ca = ("--ca", str(bed().tls.ca))
        for port, more in ((self.open.port, ()), (self.open.port, ("--starttls", *ca)), (self.open.secure_port, ca)):
            code, said = self.judged(port, *more)
            self.assertEqual(code, 0, said)

    def test_one_that_lets_no_strangers_in_is_up(self):
        self.assertEqual(self.judged(self.closed.port)[0], 0)
        code, said = self.judged(self.closed.port, "--starttls", "--ca", str(bed().tls.ca))
        self.assertEqual(code, 0, said)

    def test_a_certificate_of_strangers_is_seen_through_starttls(self):
        other = bed().folder / "ground" / "other.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=others", "-keyout", "/dev/null", "-out", other], check=True, stderr=subprocess.DEVNULL)
        code, said = self.judged(self.open.port, "--starttls", "--ca", str(other))
        self.assertEqual(code, 4, said)
        self.assertIn("certificate-untrusted", said)

    def test_a_directory_without_a_certificate_starts_no_tls_and_is_alive(self):
        plain = Directory(bed().folder / "ground-plain").start()
        code, said = self.judged(plain.port, "--starttls", "--ca", str(bed().tls.ca))
        self.assertEqual(code, 3, said)
        self.assertIn("does not start TLS", said)


class Clocks(unittest.TestCase):
    def test_a_clock_is_up_through_howdah_too_and_one_that_follows_none_is_alive(self):
        try:
            kit.install_ground()
        except kit.Missing as fault:
            self.skipTest(str(fault))
        good, lost = (self.chronyd(name, line) for name, line in (("good", "local stratum 8"), ("lost", "")))
        front = kit.free_port()
        howdah = Howdah(bed().folder, "clocks", f"""
[[listener]]
name = "ntp"
bind = "127.0.0.1:{front}"
protocol = "udp"
pool = "ntp"

[pool.ntp]
service = "ntp"
servers = [{{ name = "good", address = "127.0.0.1:{good}" }}, {{ name = "lost", address = "127.0.0.1:{lost}" }}]
timeouts = {{ udp_responses = 1 }}
probe = {{ interval = "500ms", rise = 1 }}
""")
        howdah.awaits("ntp", "good", "up")
        howdah.awaits("ntp", "lost", "alive")
        for port, code in ((good, 0), (lost, 3), (front, 0)):
            answer, said = probe("ntp", f"127.0.0.1:{port}")
            self.assertEqual(answer, code, said)

    def chronyd(self, name, line):
        folder, port = bed().folder / f"chrony-{name}", kit.free_port()
        folder.mkdir(mode=0o700)
        conf = folder / "chrony.conf"
        conf.write_text(f"{line}\nallow 127.0.0.1\nbindaddress 127.0.0.1\nport {port}\ncmdport 0\nbindcmdaddress /\n"
                        f"pidfile {folder / 'pid'}\n")
        kit.Process(f"chronyd-{name}", [kit.have("chronyd"), "-x", "-d", "-u", "root", "-f", conf], folder)
        return port


class BothProtocols(unittest.TestCase):
    def states(self, service, address, expected):
        for protocol in ("tcp", "udp"):
            code, said = probe(service, address, "--protocol", protocol, "--timeout", "2s")
            self.assertEqual(code, expected, f"{service} over {protocol}: {said}")

    def test_a_kdc_is_up_over_both_and_down_when_it_is_gone(self):
        try:
            kit.install_kerberos()
        except kit.Missing as fault:
            self.skipTest(str(fault))
        kdc = Kdc(bed().folder, "ground-kdc").start()
        self.states("kerberos-kdc", f"127.0.0.1:{kdc.port}", 0)
        kdc.process.kill()
        self.states("kerberos-kdc", f"127.0.0.1:{kdc.port}", 4)

    def test_a_resolver_is_up_over_both_and_alive_when_it_reaches_nobody(self):
        try:
            kit.install_ground()
        except kit.Missing as fault:
            self.skipTest(str(fault))
        folder = bed().folder / "names"
        folder.mkdir()
        names = Unbound(folder).serve(". 3600 IN SOA a.howdah.test. root.howdah.test. 1 1800 900 604800 86400")
        address = f"{names.HOST}:53"
        kit.until("unbound answers", lambda: probe("dns", address)[0] == 0, 20)
        self.states("dns", address, 0)
        names.process.stop()
        self.states("dns", address, 4)
        names.serve("alone.howdah.test. 3600 IN A 10.0.0.1")
        kit.until("unbound finds no root", lambda: probe("dns", address)[0] == 3, 30)
        names.process.stop()


class Metastores(unittest.TestCase):
    def test_a_metastore_is_up_and_one_behind_sasl_is_not_and_says_why(self):
        try:
            kit.install_kerberos()
            net = Namespace("metastore").name
        except kit.Missing as fault:
            self.skipTest(str(fault))
        inside = ("ip", "netns", "exec", net)
        kdc = Kdc(bed().folder, "metastore-kdc", netns=net).start()
        plain = Metastore(bed().folder, "plain", net).start()
        closed = Metastore(bed().folder, "closed", net, kdc=kdc).start()

        def verdict(server):
            return probe("hive-metastore", server.address, inside=inside)
        kit.until("a metastore is up", lambda: verdict(plain)[0] == 0, 60)
        kit.until("one behind SASL listens", lambda: "refused" not in verdict(closed)[1], 60)
        code, said = verdict(closed)
        self.assertIn(code, (3, 4), said)
        self.assertTrue("SASL" in said or "closed" in said, said)
        errors = [line for line in plain.process.text().splitlines() if " ERROR " in line]
        self.assertEqual(errors, [], "a probe leaves no error")
        plain.process.kill()
        self.assertEqual(verdict(plain)[0], 4)


class Brokers(unittest.TestCase):
    def test_a_broker_is_up_and_a_client_finds_the_cluster_through_howdah(self):
        try:
            python = kit.install_kafka() / "bin/python"
        except kit.Missing as fault:
            self.skipTest(str(fault))
        folder = bed().folder / "kafka"
        folder.mkdir()
        script = kit.ROOT / "tests/real/kafka.py"
        cluster = kit.Process("kafka", [python, script, "cluster", "3"], folder)
        kit.until("three brokers", lambda: cluster.text().count(":") >= 3, 30)
        addresses = cluster.text().split()
        for address in addresses:
            code, said = probe("kafka", address)
            self.assertEqual(code, 0, said)
        front = kit.free_port()
        servers = ", ".join(f'"{address}"' for address in addresses)
        howdah = Howdah(bed().folder, "brokers", f"""
[[listener]]
name = "kafka"
bind = "127.0.0.1:{front}"
pool = "kafka"

[pool.kafka]
service = "kafka"
servers = [{servers}]
probe = {{ interval = "500ms", rise = 1, fall = 1 }}
""")
        howdah.awaits("kafka", addresses[0], "up")
        found = subprocess.run([python, script, "client", f"127.0.0.1:{front}"], capture_output=True, text=True, timeout=60)
        self.assertEqual(sorted(found.stdout.split()), sorted(addresses), found.stderr)
        cluster.kill()
        howdah.awaits("kafka", addresses[0], "down")
