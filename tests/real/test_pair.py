"""Two howdahs and a real keepalived on each, as docs/operating/pair.md has them: an address that goes where howdah can serve.

The nodes, a client with the server, and the bridge between are network namespaces, made and removed here. Needs root; installs
keepalived, curl and iproute2.
"""
import os
import re
import signal
import sys
import time
import unittest

from . import kit

ADDRESS = "192.0.2.10"
NODES = {"a": ("192.0.2.1", 150), "b": ("192.0.2.2", 100)}
CLIENT = "192.0.2.3"
ECHO = """
import socket, sys, threading
def serve(c):
    while (data := c.recv(4096)): c.sendall(data)
    c.close()
s = socket.create_server((sys.argv[1], 7001))
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
# Prints which node answers, and how long that took: the node of a session is told by howdah's own address at the server.
ASK = """
import socket, sys, time
began = time.monotonic()
while time.monotonic() - began < float(sys.argv[2]):
    try:
        with socket.create_connection((sys.argv[1], 10000), 0.3) as s:
            s.settimeout(0.5); s.sendall(b"hello")
            if s.recv(5) == b"hello": print(time.monotonic() - began); sys.exit(0)
    except OSError: time.sleep(0.01)
sys.exit(1)
"""


class Pair(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.need_debs(keepalived="keepalived", curl="curl")
            cls.net = kit.Net(**{node: [f"{own}/24"] for node, (own, _) in NODES.items()}, client=[f"{CLIENT}/24"])
        except kit.Missing as fault:
            raise unittest.SkipTest(str(fault))
        cls.work = kit.folder()
        cls.work.chmod(0o755)
        server = cls.start("client", "echo", sys.executable, "-c", ECHO, CLIENT)
        cls.addClassCleanup(server.kill)

    @classmethod
    def start(cls, node, name, *command):
        return cls.net.start(node, name, cls.work, *command)

    def howdah(self, node):
        file = self.work / "howdah.toml"
        file.write_text(f"""
[global]
shutdown_delay = "3s"

[[listener]]
name = "front"
bind = "0.0.0.0:10000"
pool = "echo"

[pool.echo]
service = "tcp"
dial = "at-once"
servers = ["{CLIENT}:7001"]
""")
        process = self.start(node, "howdah", os.environ["HOWDAH_BINARY"], "run", "--config", file)
        kit.until(f"howdah on {node} to be ready: {process.tail()}", lambda: self.ready(node), 15, 0.1)
        return process

    def ready(self, node):
        return self.net.run(node, "curl", "-sf", "-m", "1", "-o", "/dev/null", "http://127.0.0.1:9600/readyz").returncode == 0

    def keepalived(self, node):
        page = (kit.ROOT / "docs/operating/pair.md").read_text()
        text = re.search(r"```\n(# /etc/keepalived/keepalived.conf.*?)```", page, re.S)[1]
        file = self.work / f"keepalived-{node}.conf"
        file.write_text(text.replace("priority 150", f"priority {NODES[node][1]}"))
        return self.start(node, "keepalived", "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", file,
                          "--pid", self.work / f"{node}.pid", "--vrrp_pid", self.work / f"{node}.vrrp")

    def holder(self):
        return [node for node in NODES if self.net.has(node, ADDRESS)]

    def holds(self, node, seconds):
        kit.until(f"{node} to hold the address, it is {self.holder()}", lambda: self.holder() == [node], seconds, 0.02)

    def served(self, seconds=20):
        done = self.net.run("client", sys.executable, "-c", ASK, ADDRESS, str(seconds))
        self.assertEqual(done.returncode, 0, f"no session through {ADDRESS}\n{done.stdout}")
        return float(done.stdout)

    def test_the_address_goes_where_howdah_can_serve(self):
        first, second = self.howdah("a"), self.howdah("b")
        keepers = [self.keepalived("a"), self.keepalived("b")]
        self.holds("a", 20)
        self.served()
        # A stop: /readyz says so, the address leaves while the listener still takes sessions.
        began = time.monotonic()
        os.kill(first.pid, signal.SIGTERM)
        self.holds("b", 8)
        moved = time.monotonic() - began
        self.served(2)
        self.assertLess(moved, 4.5, "interval times fall, a probe of keepalived, and the election")
        # It comes back, and leaves the address to the one that works.
        kit.until("the first to end", lambda: not first.running(), 10)
        believed = "VRRP_Script(howdah_ready) succeeded"
        before = keepers[0].text().count(believed)
        first = self.howdah("a")
        kit.until("keepalived on a to believe it", lambda: keepers[0].text().count(believed) > before, 10)
        self.assertEqual(self.holder(), ["b"])
        # A crash.
        began = time.monotonic()
        second.kill()
        self.holds("a", 8)
        self.served()
        print(f"\n    stop: the address moved after {moved:.1f} s; kill -9: a new session after {time.monotonic() - began:.1f} s", end=" ")
        for keeper in keepers:
            keeper.stop()
