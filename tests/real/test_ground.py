"""What the platform stands on, asked as it is: a directory by each of its ways to TLS, and a clock."""
import subprocess
import unittest

from . import kit
from .balancer import Howdah, probe
from .bed import bed
from .servers import Directory


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
            kit.need_debs(chronyd="chrony")
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
