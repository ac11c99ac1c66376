"""A virtual address between two machines: howdah with howdah, and howdah with a real keepalived in both roles.

Client, nodes and bridge are network namespaces. Needs root; installs keepalived and iproute2. HOWDAH_TEST_FAILOVER=20 kills the
master so often, beside keepalived with HAProxy doing the same, and prints the median and the longest of both.
"""
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import unittest

from . import kit

V4, V6 = "192.0.2.10", "2001:db8::10"
OWN = {"a": ("192.0.2.1", "2001:db8::1"), "b": ("192.0.2.2", "2001:db8::2"), "client": ("192.0.2.3", "2001:db8::3")}
PRIORITY = {"a": 150, "b": 100}
# Says who it is, or whom it sees: howdah is told by its own address.
ANSWER = """
import socket, sys, threading
name = sys.argv[1]
s = socket.create_server(("::", int(sys.argv[2])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
def serve(c, peer):
    with c:
        try: c.sendall((name if name != "-" else peer).encode())
        except OSError: pass
while True:
    c, peer = s.accept()
    threading.Thread(target=serve, args=(c, peer[0].removeprefix("::ffff:")), daemon=True).start()
"""
# When somebody else than argv[2] answers, and who.
ASK = """
import socket, sys, time
print("asks", flush=True)
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    try:
        with socket.create_connection((sys.argv[1], 10000), 0.1) as s:
            s.settimeout(0.3)
            who = s.recv(64).decode()
            if who and who != sys.argv[2]: print(time.monotonic(), who); sys.exit(0)
    except OSError: time.sleep(0.005)
sys.exit("nobody")
"""


class Vip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.need_debs(keepalived="keepalived")
            networks = {node: [f"{v4}/24", f"{v6}/64"] for node, (v4, v6) in OWN.items()}
            cls.net = kit.Net(**networks)
        except kit.Missing as fault:
            raise unittest.SkipTest(str(fault))
        cls.work = kit.folder()
        cls.work.chmod(0o755)
        cls.server = cls.net.start("client", "server", cls.work, sys.executable, "-c", ANSWER, "-", "7001")

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        self.running = {}
        self.addCleanup(self.end)

    def end(self):
        for node in list(self.running):
            self.kill(node)
        for node in PRIORITY:
            if "eth0" not in self.net.ip(node, "link", "show"):
                self.plug(node)
            self.forget(node)

    def forget(self, node):
        """What a killed keepalived leaves for good, and a killed howdah for three seconds."""
        for address, length in ((V4, 24), (V6, 128)):
            if self.net.has(node, address):
                self.net.ip(node, "addr", "del", f"{address}/{length}", "dev", "eth0")

    # ------------------------------------------------------------ nodes

    def plug(self, node):
        self.net.plug(node, *(f"{address}/{length}" for address, length in zip(OWN[node], (24, 64))))

    def start(self, node, kind, address=V4, unicast=False, **more):
        self.running[node] = getattr(self, kind)(node, address, unicast, **more)

    def howdah(self, node, address, unicast, server=f"{OWN['client'][0]}:7001", probe='"none"', interval="200ms", extra="", before="", through=()):
        v6 = ":" in address
        bind = f"[{address}]" if v6 else address
        peers = f"unicast_peers = [\"{self.partner(node, v6)}\"]" if unicast else ""
        file = self.work / f"howdah-{node}.toml"
        file.write_text(f"""
{before}

[vip.front]
addresses = "{address}/{128 if v6 else 24}"
interface = "eth0"
router_id = 51
priority = {PRIORITY[node]}
advert_interval = "{interval}"
track = ["front"]
{peers}
{extra}

[[listener]]
name = "front"
bind = "{bind}:10000"
pool = "answer"

[pool.answer]
service = "tcp"
dial = "at-once"
probe = {probe}
servers = ["{server}"]
""")
        process = self.net.start(node, "howdah", self.work, *through, os.environ["HOWDAH_BINARY"], "run", "--config", file)
        kit.until(f"howdah on {node}: {process.tail()}", lambda: self.state(node) in ("backup", "master", "fault"), 15)
        return [process]

    def keepalived(self, node, address, unicast):
        v6 = ":" in address
        peers = f"unicast_src_ip {self.own(node, v6)}\nunicast_peer {{\n{self.partner(node, v6)}\n}}" if unicast else ""
        file = self.work / f"keepalived-{node}.conf"
        file.write_text(f"""
vrrp_instance front {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    priority {PRIORITY[node]}
    {peers}
    virtual_ipaddress {{
        {address}/{128 if v6 else 24}
    }}
}}
""")
        for left in ("pid", "vrrp"):
            (self.work / f"{node}.{left}").unlink(missing_ok=True)
        keeper = self.net.start(node, "keepalived", self.work, "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", file,
                                "--pid", self.work / f"{node}.pid", "--vrrp_pid", self.work / f"{node}.vrrp")
        return [keeper, self.net.start(node, "answer", self.work, sys.executable, "-c", ANSWER, self.own(node), "10000")]

    def own(self, node, v6=False):
        return OWN[node][v6]

    def partner(self, node, v6=False):
        return self.own({"a": "b", "b": "a"}[node], v6)

    def status(self, node):
        done = self.net.run(node, os.environ["HOWDAH_BINARY"], "status", "--json")
        return json.loads(done.stdout)["vips"][0] if done.returncode == 0 else {"state": "none"}

    def state(self, node):
        return self.status(node)["state"]

    def says(self, node, words, seconds=5):
        """The log is written a little later than things happen."""
        process = self.running[node][0]
        kit.until(f"{node} to say {words!r}: {process.tail()}", lambda: words in process.text(), seconds)

    # ------------------------------------------------------------ what is seen

    def holds(self, node, seconds=6, address=V4):
        """The node carries the address, and nobody else does; how long that took."""
        began = time.monotonic()

        def seen():
            return [one for one in PRIORITY if self.net.has(one, address)] == [node]
        kit.until(f"{node} to hold {address}", seen, seconds, 0.02)
        return time.monotonic() - began

    def asked(self, address=V4, but="", seconds=8, meanwhile=lambda: None):
        """The first who answers a client that asks again and again, and how long after `meanwhile` that is."""
        words = self.net.inside("client", sys.executable, "-c", ASK, address, but, str(seconds))
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
            self.assertEqual(client.stdout.readline(), "asks\n")
            began = time.monotonic()
            meanwhile()
            said = client.stdout.read()
        self.assertEqual(client.returncode, 0, f"nobody else answers at {address}\n{said}")
        at, who = said.split()
        return float(at) - began, who

    def kill(self, node):
        for process in self.running.pop(node):
            # keepalived's child would say goodbye for its parent.
            if process.running():
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()

    def killed(self, node, address=V4):
        """kill -9; how long until a new session is served by the other node."""
        took, who = self.asked(address, but=self.own(node), meanwhile=lambda: self.kill(node))
        self.assertEqual(who, self.partner(node))
        return took

    # ------------------------------------------------------------ tests

    def elect_and_fail_over(self, first, second, address=V4, unicast=False):
        self.start("b", second, address, unicast)
        self.start("a", first, address, unicast)
        self.holds("a", address=address)
        self.assertEqual(self.asked(address)[1], self.own("a"))
        took = self.killed("a", address)
        self.forget("a")
        if took > 1:
            # A machine that is busy with something else may hold a client up, once.
            self.start("a", first, address, unicast)
            self.holds("a", address=address)
            took = self.killed("a", address)
            self.forget("a")
        # The one that should have it takes it back.
        self.start("a", first, address, unicast)
        self.holds("a", address=address)
        # A stop is followed at once.
        began = time.monotonic()
        self.running["a"][0].signal(signal.SIGTERM)
        self.holds("b", 3, address)
        moved = time.monotonic() - began
        print(f"\n    {first} > {second}: stop {moved:.2f} s, kill -9 {took:.2f} s", end=" ")
        if second == "howdah":
            self.says("b", "the master has left")
        self.assertLess(moved, 1.0)
        self.assertLess(took, 1.0)

    def test_two_howdahs(self):
        self.elect_and_fail_over("howdah", "howdah")

    def test_howdah_is_followed_by_keepalived(self):
        self.elect_and_fail_over("howdah", "keepalived")

    def test_keepalived_is_followed_by_howdah(self):
        self.elect_and_fail_over("keepalived", "howdah", unicast=True)

    def test_over_ipv6_with_keepalived(self):
        self.elect_and_fail_over("howdah", "keepalived", V6)

    def test_between_two_howdahs_by_unicast_over_ipv6(self):
        self.elect_and_fail_over("howdah", "howdah", V6, unicast=True)

    def test_what_cannot_serve_gives_the_address_up(self):
        port = 7002
        server = self.net.start("client", "ill", self.work, sys.executable, "-c", ANSWER, "-", str(port))
        self.addCleanup(server.kill)
        ill = {"server": f"{OWN['client'][0]}:{port}", "probe": '{ type = "tcp", interval = "200ms", fall = 1, rise = 1 }'}
        self.start("b", "keepalived")
        self.start("a", "howdah", **ill)
        self.holds("a")
        server.kill()
        self.holds("b")
        self.assertEqual(self.status("a")["priority"], 1)
        server = self.net.start("client", "well", self.work, sys.executable, "-c", ANSWER, "-", str(port))
        self.addCleanup(server.kill)
        self.holds("a")

    def test_a_frozen_master_loses_the_address_and_stands_down_when_it_wakes(self):
        self.start("a", "howdah", extra='preempt_delay = "1m"')
        self.holds("a")
        self.start("b", "howdah")
        frozen = self.running["a"][0]
        began = time.monotonic()
        answered, who = self.asked(but=self.own("a"), meanwhile=lambda: frozen.signal(signal.SIGSTOP))
        self.assertEqual(who, self.own("b"))
        # The kernel takes the address from the one that sleeps.
        self.holds("b", 5)
        alone = time.monotonic() - began
        print(f"\n    SIGSTOP: the other answers after {answered:.2f} s, and alone has the address after {alone:.1f} s", end=" ")
        frozen.signal(signal.SIGCONT)
        kit.until("a to stand by", lambda: self.state("a") == "backup", 3)
        self.assertTrue(self.net.has("b", V4) and not self.net.has("a", V4))

    def test_two_that_cannot_hear_each_other_agree_when_they_can(self):
        self.start("b", "howdah")
        self.start("a", "howdah")
        self.holds("a")
        self.apart(True)
        self.addCleanup(self.apart, False)
        # What a virtual address cannot do: docs/operating/pair.md.
        kit.until("both to hold it", lambda: all(self.net.has(node, V4) for node in PRIORITY), 5, 0.02)
        self.apart(False)
        took = self.holds("a", 2)
        print(f"\n    two masters agree {took:.2f} s after they hear each other", end=" ")
        self.assertEqual(self.status("b")["peer_priority"], PRIORITY["a"])
        self.assertEqual(self.asked()[1], self.own("a"))

    def apart(self, parted):
        """Both reach the client, and not each other."""
        for node in PRIORITY:
            self.net.ip("switch", "link", "set", f"p-{node}", "type", "bridge_slave", "isolated", "on" if parted else "off")

    def test_an_interface_that_goes_and_comes_back(self):
        self.start("b", "howdah")
        self.start("a", "howdah")
        self.holds("a")
        self.net.ip("switch", "link", "set", "p-a", "down")
        kit.until("a to see it", lambda: self.state("a") == "fault", 3)
        self.assertIn("carrier", self.status("a")["why"])
        self.holds("b")
        self.net.ip("switch", "link", "set", "p-a", "up")
        self.holds("a")
        self.net.unplug("a")
        kit.until("a to see it", lambda: self.state("a") == "fault", 3)
        self.assertIn("there is no interface", self.status("a")["why"])
        self.plug("a")
        self.holds("a")

    def test_an_address_that_the_machine_has_anyway_stays(self):
        self.net.ip("a", "addr", "add", f"{V4}/24", "dev", "eth0")
        self.start("a", "howdah")
        kit.until("a to be master", lambda: self.state("a") == "master", 5)
        self.says("a", "carries 192.0.2.10 already")
        self.running["a"][0].stop()
        self.assertTrue(self.net.has("a", V4))

    def test_forged_packets_are_counted_and_change_nothing(self):
        self.start("a", "howdah")
        self.holds("a")
        self.assertEqual(self.net.run("client", sys.executable, "-c", FORGE, OWN["client"][0]).stdout, "")
        expected = {"length", "ttl", "version", "authentication", "type", "checksum", "router-id", "addresses"}

        def counted():
            page = self.net.run("a", sys.executable, "-c", METRICS).stdout
            return set(re.findall(r'howdah_vip_faults_total\{reason="([a-z-]+)",vip="front"\} [1-9]', page))
        kit.until(f"each to be counted: {counted()}", lambda: counted() == expected, 3)
        self.assertEqual(self.state("a"), "master")
        self.says("a", "came through a router")

    def test_rights_are_kept_by_the_user_and_missed_by_who_has_none(self):
        self.start("a", "howdah", before='[global]\nuser = "nobody"')
        self.holds("a")
        self.says("a", "nobody with CAP_NET_ADMIN, CAP_NET_RAW")
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        self.start("b", "howdah", through=drop)
        self.assertIn("needs CAP_NET_ADMIN and CAP_NET_RAW", self.status("b")["why"])
        self.assertEqual(self.state("b"), "fault")

    def test_a_name_that_does_not_resolve_is_waited_for(self):
        self.start("a", "howdah", extra='unicast_peers = ["lb-2.example.invalid"]')
        kit.until("the name to be missed", lambda: self.state("a") == "fault", 5)
        self.assertIn('"lb-2.example.invalid" of unicast_peers does not resolve', self.status("a")["why"])

    def test_a_takeover_keeps_the_address_and_its_sessions(self):
        self.start("b", "howdah")
        self.start("a", "howdah", server=f"{OWN['client'][0]}:7003")
        self.holds("a")
        held = self.net.start("client", "held", self.work, sys.executable, "-c", ECHO, V4)
        self.addCleanup(held.kill)
        kit.until("the session to be there", lambda: "holds" in held.text(), 5)
        seen = self.running["b"][0].text().count("-> master")
        second = self.net.start("a", "howdah-2", self.work, os.environ["HOWDAH_BINARY"], "run", "--takeover", "--config", self.work / "howdah-a.toml")
        self.running["a"].append(second)
        kit.until(f"the second to be master: {second.tail()}", lambda: "init -> master" in second.text(), 10)
        self.says("a", "master -> init, the howdah after it has it")

        # Longer than a lease, and every byte comes back.
        def ended():
            self.assertTrue(self.net.has("a", V4), "the address went")
            return not held.running()
        kit.until(f"the session to end: {held.tail()}", ended, 20)
        self.assertEqual(held.child.returncode, 0, held.tail())
        self.assertEqual(self.running["b"][0].text().count("-> master"), seen, "the other node noticed")
        self.assertEqual(self.state("a"), "master")

    @unittest.skipUnless(os.environ.get("HOWDAH_TEST_FAILOVER"), "the long form: HOWDAH_TEST_FAILOVER=20")
    def test_failover_beside_keepalived_and_haproxy(self):
        try:
            kit.need_debs(haproxy="haproxy")
        except kit.Missing as fault:
            self.skipTest(str(fault))
        runs = int(os.environ["HOWDAH_TEST_FAILOVER"])
        for kind in ("howdah", "haproxy"):
            took = []
            for _ in range(runs):
                for node in ("b", "a"):
                    if node not in self.running:
                        self.start(node, kind)
                self.holds("a", 15)
                took.append(self.killed("a"))
                self.forget("a")
            took.sort()
            print(f"\n    {kind}: kill -9 to a new session, {runs} runs: p50 {statistics.median(took):.3f} s, p100 {took[-1]:.3f} s", end=" ")
            self.kill("b")

    def haproxy(self, node, address, unicast):
        """With keepalived, as most have it."""
        file = self.work / f"haproxy-{node}.cfg"
        file.write_text(f"""
defaults
    mode tcp
    timeout connect 1s
    timeout client 1m
    timeout server 1m
frontend front
    bind 0.0.0.0:10000
    default_backend answer
backend answer
    server one {OWN['client'][0]}:7001
""")
        keeper, answer = self.keepalived(node, address, unicast)
        answer.kill()
        return [keeper, self.net.start(node, "haproxy", self.work, "haproxy", "-db", "-f", file)]


METRICS = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9600/metrics', timeout=2).read().decode())"

# One packet of each kind that is wrong, and one that lists another address.
FORGE = """
import socket, sys
own, group = socket.inet_aton(sys.argv[1]), socket.inet_aton("224.0.0.18")
def total(b): return sum(b[i] << 8 | b[i + 1] for i in range(0, len(b), 2))
def folded(x):
    while x >> 16: x = (x & 0xffff) + (x >> 16)
    return x
def advert(kind=0x31, router=51, priority=50, count=1, first=0, address="192.0.2.10"):
    body = bytearray([kind, router, priority, count, first, 20, 0, 0]) + socket.inet_aton(address)
    body[6:8] = (0xffff ^ folded(total(body) + total(own) + total(group) + 112 + len(body))).to_bytes(2, "big")
    return body
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
def send(body, ttl=255):
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    s.sendto(body, ("224.0.0.18", 0))
send(advert()[:6]); send(advert(), ttl=64); send(advert(kind=0x11)); send(advert(kind=0x21, first=1)); send(advert(kind=0x32))
send(advert()[:2] + b"\\xff" + advert()[3:]); send(advert(router=52)); send(advert(address="192.0.2.99"))
"""

# A session of some seconds, by both of its ends.
ECHO = """
import socket, sys, threading, time
s = socket.create_server(("", 7003))
def serve():
    c, _ = s.accept()
    while (data := c.recv(4096)): c.sendall(data)
threading.Thread(target=serve, daemon=True).start()
end = time.monotonic() + 10
while True:
    try:
        c = socket.create_connection((sys.argv[1], 10000), 0.3); break
    except OSError:
        if time.monotonic() > end: raise
        time.sleep(0.02)
c.settimeout(1)
print("holds", flush=True)
end = time.monotonic() + 4.5
while time.monotonic() < end:
    c.sendall(b"x" * 100)
    got = 0
    while got < 100: got += len(c.recv(4096)) or sys.exit("closed")
    time.sleep(0.01)
"""
