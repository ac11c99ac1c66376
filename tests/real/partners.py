"""Two nodes that share a virtual address, a client and a server behind both, in network namespaces of their own.

A node is a howdah, a keepalived with a program that answers, or a keepalived with HAProxy.
"""
import json
import os
import signal
import sys

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


def network():
    """The namespaces, a folder, and the server that says whom it sees."""
    net = kit.Net(**{node: [f"{v4}/24", f"{v6}/64"] for node, (v4, v6) in OWN.items()})
    work = kit.folder()
    work.chmod(0o755)
    return net, work, net.start("client", "server", work, sys.executable, "-c", ANSWER, "-", "7001")


class Partners:
    """What runs on the nodes of `net`, with files in `work`."""

    def __init__(self):
        self.net, self.work, self.server = network()
        self.running = {}

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
        answer = self.net.start(node, "answer", self.work, sys.executable, "-c", ANSWER, self.own(node), "10000")
        return [self.keeper(node, address, unicast), answer]

    def keeper(self, node, address, unicast):
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
        return self.net.start(node, "keepalived", self.work, "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", file,
                              "--pid", self.work / f"{node}.pid", "--vrrp_pid", self.work / f"{node}.vrrp")

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
        return [self.keeper(node, address, unicast), self.net.start(node, "haproxy", self.work, "haproxy", "-db", "-f", file)]

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

    def kill(self, node):
        for process in self.running.pop(node):
            # keepalived's child would say goodbye for its parent.
            if process.running():
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
