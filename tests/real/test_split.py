"""Networks that part, and nodes that die: who of two howdahs has their address, and what clients notice.

Client, nodes and an ensemble of ZooKeeper are network namespaces on one bridge. A client connects every 20 ms and notes who
served it; others hold sessions; the kernel of each node tells when it had the address. Needs root; installs iproute2, iptables
and ZooKeeper.

    HOWDAH_TEST_SPLIT=5   the long form: every case so often, also without a fence, and the table of docs/reliability.md, the worst of each
"""
import collections
import datetime
import json
import os
import re
import signal
import sys
import time
import unittest

from . import ensemble, kit

VIP = "192.0.2.10"
OWN = {"a": "192.0.2.1", "b": "192.0.2.2", "client": "192.0.2.3", "zk": "192.0.2.4"}
PRIORITY = {"a": 150, "b": 100}
NODES = tuple(PRIORITY)
ROUNDS = int(os.environ.get("HOWDAH_TEST_SPLIT", "0"))
# How long a session of ZooKeeper lasts without its howdah: long enough for a machine that does much else, or as in the table.
SESSION = 2.0 if ROUNDS else 3.0
# How long a kernel keeps an address that nobody renews: three seconds, and it looks once in a while.
LEASE = 4.0

# Says whom it sees, on one port, and gives everything back on the other.
SERVER = """
import socket, sys, threading
def listen(port, serve):
    s = socket.create_server(("", port), backlog=512)
    while True:
        c, peer = s.accept()
        threading.Thread(target=serve, args=(c, peer[0]), daemon=True).start()
def answer(c, peer):
    with c:
        try: c.sendall(peer.encode())
        except OSError: pass
def echo(c, peer):
    with c:
        try:
            while (data := c.recv(4096)): c.sendall(data)
        except OSError: pass
threading.Thread(target=listen, args=(7001, answer), daemon=True).start()
listen(7002, echo)
"""

# A connection every 20 ms: when it began, and who answered within half a second. Ten sessions that say a byte every 100 ms.
CLIENT = """
import socket, sys, threading, time
vip, lock = sys.argv[1], threading.Lock()
def say(*words):
    with lock: print(*words, flush=True)
def ask():
    began = time.time()
    try:
        with socket.create_connection((vip, 10000), 0.5) as s:
            s.settimeout(0.5)
            say("new", began, s.recv(64).decode() or "-")
    except OSError: say("new", began, "-")
def hold(number):
    said = False
    while not said:
        try:
            with socket.create_connection((vip, 10001), 0.5) as s:
                s.settimeout(60)
                while True:
                    s.sendall(b"x")
                    if not s.recv(1): break
                    said = True
                    say("held", time.time(), number)
                    time.sleep(0.1)
        except OSError: pass
    say("cut", time.time(), number)
for number in range(10): threading.Thread(target=hold, args=(number,), daemon=True).start()
due = time.time()
while True:
    threading.Thread(target=ask, daemon=True).start()
    due = max(due + 0.02, time.time() - 0.02)
    time.sleep(max(0, due - time.time()))
"""

# Everybody in turn, from addresses of their own: whom each met.
ASK_ALL = """
import socket, sys
vip, who = sys.argv[1], sys.argv[2:]
for address in who:
    with socket.create_connection((vip, 10000), 5, (address, 0)) as s:
        s.settimeout(5)
        print(address, s.recv(64).decode())
"""

# Each says its name on a port of its own.
NAMED = """
import socket, sys, threading
def serve(port, name):
    s = socket.create_server(("", port), backlog=512)
    while True:
        c, _ = s.accept()
        with c: c.sendall(name.encode())
for port, name in enumerate(sys.argv[2:], 7012): threading.Thread(target=serve, args=(port, name), daemon=True).start()
serve(7011, sys.argv[1])
"""

Seen = collections.namedtuple("Seen", "held moved fault heal both lost")
TABLE = []


def setUpModule():
    global NET, WORK, ENSEMBLE
    try:
        ensemble.install()
        kit.need_debs(iptables="iptables")
        NET = kit.Net(**{node: [f"{address}/24"] for node, address in OWN.items()})
    except kit.Missing as fault:
        raise unittest.SkipTest(str(fault)) from None
    WORK = kit.folder()
    WORK.chmod(0o755)
    NET.start("client", "server", WORK, sys.executable, "-c", SERVER)
    ENSEMBLE = ensemble.Ensemble(WORK, host=OWN["zk"], inside=NET.inside("zk")).start()


def tearDownModule():
    for process in list(kit.Process.living):
        if process.folder == WORK:
            process.kill()
    ENSEMBLE.kill()
    NET.close()
    if ROUNDS:
        print(*TABLE, sep="\n")


class Watch:
    """What a client and both kernels see, from now to `end`."""

    def __init__(self):
        self.client = NET.start("client", f"trace-{time.time_ns()}", WORK, sys.executable, "-c", CLIENT, VIP)
        self.began = time.time()
        self.had = {node: NET.has(node, VIP) for node in NODES}
        self.kernels = {node: NET.start(node, f"addresses-{time.time_ns()}", WORK, "ip", "-ts", "-o", "monitor", "address") for node in NODES}
        kit.until("ten sessions", lambda: len({word[2] for word in self.told("held")}) == 10, 15)

    def told(self, kind):
        lines = [line.split() for line in self.client.log.read_text().split("\n")[:-1] if line.startswith(kind)]
        return [(kind, float(at), who) for kind, at, who in lines]

    def served(self):
        """Who served whom: when each began that was served, and by whom."""
        return sorted((at, who) for _, at, who in self.told("new") if who != "-")

    def gap(self, begin, end):
        """The longest time in which whoever began to connect was not served."""
        times = [at for at, _ in self.served() if begin <= at <= end]
        return max((after - before for before, after in zip([begin, *times], [*times, end])), default=0.0)

    def holds(self, node):
        """From when to when the kernel had the address."""
        spans, since = [], self.began if self.had[node] else None
        for line in self.kernels[node].log.read_text().split("\n")[:-1]:
            said = re.match(r"\[(\S+)\] (Deleted )?.* inet 192\.0\.2\.10/", line)
            if not said:
                continue
            at = datetime.datetime.fromisoformat(said[1]).timestamp()
            if said[2] and since is not None:
                spans.append((since, at))
                since = None
            elif not said[2] and since is None:
                since = at
        return spans + ([(since, time.time())] if since is not None else [])

    def both(self):
        """How long both kernels had it, the longest time."""
        pairs = [(max(x[0], y[0]), min(x[1], y[1])) for x in self.holds("a") for y in self.holds("b")]
        return max([0.0, *(end - begin for begin, end in pairs)])

    def end(self):
        for process in (self.client, *self.kernels.values()):
            process.kill()


def start(node, text):
    """A howdah there, whose address the other one may have."""
    file = WORK / f"howdah-{node}.toml"
    file.write_text(f"""
[global]
drain_timeout = "1s"

[vip.front]
addresses = "{VIP}/24"
interface = "eth0"
router_id = 51
priority = {PRIORITY[node]}
advert_interval = "200ms"
preempt = false
{text}""")
    return NET.start(node, "howdah", WORK, os.environ["HOWDAH_BINARY"], "run", "--config", file)


def forget():
    """The address that a kernel still has of a howdah that was killed."""
    for node in NODES:
        if NET.has(node, VIP):
            NET.ip(node, "addr", "del", f"{VIP}/24", "dev", "eth0")


def status(node):
    done = NET.run(node, os.environ["HOWDAH_BINARY"], "status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {}


class Split(unittest.TestCase):
    """What a case does is told of the node that has the address, and of the other one."""

    fenced = True

    @classmethod
    def setUpClass(cls):
        cls.running = {}
        forget()

    @classmethod
    def tearDownClass(cls):
        for process in cls.running.values():
            process.stop()

    def setUp(self):
        self.addCleanup(self.heal)
        self.again()

    def start(self, node):
        cluster = f"""
[cluster]
name = "lb-{node}"
zookeeper = {ENSEMBLE.listed}
path = "/split/front"
session_timeout = "{SESSION:.0f}s"
fence_vips = true
"""
        self.running[node] = start(node, (cluster if self.fenced else "") + f"""
[[listener]]
name = "front"
bind = "{VIP}:10000"
pool = "answer"

[[listener]]
name = "long"
bind = "{VIP}:10001"
pool = "echo"

[pool.answer]
service = "tcp"
dial = "at-once"
probe = "none"
servers = ["{OWN['client']}:7001"]

[pool.echo]
service = "tcp"
probe = "none"
servers = ["{OWN['client']}:7002"]
""")

    def holders(self):
        return [node for node in NODES if NET.has(node, VIP)]

    def alone(self, *nodes, seconds=10):
        """One of these nodes has the address, the other has not; which."""
        try:
            kit.until("", lambda: len(found := self.holders()) == 1 and found[0] in nodes, seconds, 0.02)
        except AssertionError:
            said = "\n".join(f"{node}: {process.tail()}" for node, process in self.running.items())
            self.fail(f"{self.holders()} have the address instead of one of {nodes} within {seconds} s\n{said}")
        return self.holders()[0]

    # ------------------------------------------------------------ what breaks

    def drop(self, node, *packets):
        done = NET.run(node, "iptables", "-w", "-A", "INPUT", *packets, "-j", "DROP")
        self.assertEqual(done.returncode, 0, done.stdout)

    def part(self, one, other):
        self.drop(one, "-s", OWN[other])
        self.drop(other, "-s", OWN[one])

    def heal(self):
        for process in self.running.values():
            process.signal(signal.SIGCONT)
        for node in OWN:
            NET.run(node, "iptables", "-w", "-F", "INPUT")
            NET.ip("switch", "link", "set", f"p-{node}", "up")

    def mute(self, has, other):
        self.part(has, other)

    def deaf(self, has, other):
        self.drop(other, "-s", OWN[has])

    def has_no_zookeeper(self, has, _other):
        self.part(has, "zk")

    def other_has_no_zookeeper(self, _has, other):
        self.part(other, "zk")

    def no_zookeeper(self, _has, _other):
        ENSEMBLE.kill()

    def off(self, has, _other):
        NET.ip("switch", "link", "set", f"p-{has}", "down")

    def frozen(self, has, _other):
        self.running[has].signal(signal.SIGSTOP)

    def killed(self, has, _other):
        self.running[has].kill()

    def stopped(self, has, _other):
        self.running[has].signal(signal.SIGTERM)

    def taken_over(self, has, _other):
        former, file = self.running[has], WORK / f"howdah-{has}.toml"
        self.running[has] = NET.start(has, "successor", WORK, os.environ["HOWDAH_BINARY"], "run", "--takeover", "--config", file)
        kit.until("it to drain", lambda: not former.running(), 15, 0.02)
        self.assertIn("took over", self.running[has].text())

    def again(self):
        for node in NODES:
            if node not in self.running or not self.running[node].running():
                self.start(node)

    # ------------------------------------------------------------ a case

    def case(self, name, breaks, seconds=0.5, mend=None, **expected):
        """Breaks something for so long and mends it, and compares what was seen."""
        worst = None
        for _ in range(ROUNDS or 1):
            seen = self.once(breaks, seconds, mend or self.heal, expected["held"])
            held = " and ".join(seen.held) or "nobody"
            print(f"\n    {name}: {held}, {'moved' if seen.moved else 'stayed'}; not served {seen.fault:.2f} s, after mending {seen.heal:.2f} s; "
                  f"both {seen.both:.2f} s; lost {seen.lost} of 10", end=" ")
            self.compare(seen, **expected)
            worst = seen if worst is None else Seen(seen.held, seen.moved, *map(max, seen[2:], worst[2:]))
        TABLE.append(f"| {name} | {held} | {worst.fault:.1f} s | {worst.heal:.1f} s | {worst.both:.1f} s | {worst.lost} of 10 |")

    def compare(self, seen, held, moved, fault=1.0, heal=1.0, both=0.0, lost=10):
        """The figures are limits."""
        self.assertEqual(seen.held, held)
        self.assertIn(moved, (seen.moved, None), "whether it moved")
        self.assertLessEqual(seen.fault, fault, "not served while it was broken")
        self.assertLessEqual(seen.heal, heal, "not served after it was mended")
        self.assertLessEqual(seen.both, both, "both had the address")
        self.assertLessEqual(seen.lost, lost, "sessions were lost")

    def live(self, watch, since, seconds):
        """Sessions that still speak; those that are silent may have to wait for TCP to try again."""
        end = time.time() + seconds
        while True:
            cut, live = {who for _, _, who in watch.told("cut")}, {who for _, at, who in watch.told("held") if at > since}
            if len(cut | live) == 10 or time.time() > end:
                return live - cut
            time.sleep(0.2)

    def once(self, breaks, seconds, mend, expected):
        has = self.alone(*NODES)
        roles = {"the one that has it": has, "the other one": "b" if has == "a" else "a"}
        self.settled(has)
        watch = Watch()
        try:
            broken = time.time()
            breaks(*roles.values())
            kit.until(f"{expected} to have the address", lambda: [role for role, node in roles.items() if NET.has(node, VIP)] == expected, 10, 0.02)
            if expected:
                kit.until("somebody to be served", lambda: watch.served()[-1][0] > time.time() - 0.2, 10, 0.05)
            time.sleep(max(0.3, broken + seconds - time.time()))
            held = [role for role, node in roles.items() if NET.has(node, VIP)]
            mend()
            mended = time.time()
            after = self.alone(*NODES)
            settled = time.time()
            time.sleep(1)
            kit.until("somebody to be served", lambda: watch.served()[-1][0] > settled + 0.5, 20)
            end = time.time()
            live = self.live(watch, settled, 7 if ROUNDS else 0)
            self.assertEqual(self.alone(*NODES), after)
            return Seen(held, after != has, watch.gap(broken, mended), watch.gap(mended, end), watch.both(), 10 - len(live))
        finally:
            watch.end()


LONG = unittest.skipUnless(ROUNDS, "the long form: HOWDAH_TEST_SPLIT=5")
HAS, OTHER = ["the one that has it"], ["the other one"]
STAYS = {"held": HAS, "moved": False, "lost": 0}
# Two thirds of a session until the one lets go, the whole of it and a tick until the other one may, and three intervals of silence.
MOVES = {"held": OTHER, "moved": True, "fault": SESSION + 2.5}


class Fenced(Split):
    def settled(self, has):
        """Both have a session with ZooKeeper, and only one may hold the address."""
        def done():
            said = {node: status(node) for node in NODES}
            return all(one.get("cluster", {}).get("state") == "connected" and len(one["cluster"]["members"]) == 2 for one in said.values())
        kit.until(f"two sessions with ZooKeeper: {status('a').get('cluster')} {status('b').get('cluster')}", done, 15)

    def test_nodes_that_do_not_hear_each_other(self):
        self.case("neither hears the other", self.mute, 2, **STAYS)

    def test_the_other_one_hears_nothing_and_is_heard(self):
        self.case("the other one hears nothing of it, and is heard", self.deaf, 2, **STAYS)

    def test_the_other_one_loses_zookeeper(self):
        self.case("the other one loses ZooKeeper", self.other_has_no_zookeeper, 3.5, **STAYS)

    def test_the_one_that_has_it_loses_zookeeper(self):
        self.case("it loses ZooKeeper", self.has_no_zookeeper, **MOVES)

    def test_zookeeper_is_gone_for_both(self):
        self.case("ZooKeeper is gone for both", self.no_zookeeper, 1, ENSEMBLE.start, held=[], moved=None, fault=60, heal=6)

    def test_it_is_cut_off_from_everything(self):
        self.case("it is cut off from everything", self.off, **MOVES)

    def test_another_howdah_takes_over_there(self):
        self.case("another howdah takes over there", self.taken_over, held=HAS, moved=False)

    def test_it_is_frozen_and_wakes_up(self):
        self.case("it is frozen, and wakes up", self.frozen, 5 if ROUNDS else 0.5, **MOVES, both=LEASE - SESSION)

    @LONG
    def test_it_is_killed(self):
        self.case("it is killed", self.killed, 3.5 if ROUNDS else 0.5, self.again, **MOVES, both=LEASE - SESSION)

    @LONG
    def test_it_is_stopped(self):
        self.case("it is stopped", self.stopped, 2.5, self.again, **{**MOVES, "fault": 1.5})


class Plain(Split):
    """VRRP alone."""

    fenced = False

    def setUp(self):
        super().setUp()
        if self.alone(*NODES) == "b":
            self.running["b"].stop()
            self.alone("a")
            self.again()

    def settled(self, has):
        other = "b" if has == "a" else "a"
        kit.until("the other one to stand by", lambda: status(other).get("vips", [{}])[0].get("state") == "backup", 10)

    def test_nodes_that_do_not_hear_each_other(self):
        self.case("neither hears the other (without a fence)", self.mute, 2, held=HAS + OTHER, moved=False, both=4)

    def test_the_other_one_hears_nothing_and_is_heard(self):
        self.case("the other one hears nothing of it, and is heard (without a fence)", self.deaf, 2, held=HAS + OTHER, moved=False, both=4)

    @LONG
    def test_it_is_cut_off_from_everything(self):
        self.case("it is cut off from everything (without a fence)", self.off, held=OTHER, moved=True)

    @LONG
    def test_it_is_frozen_and_wakes_up(self):
        self.case("it is frozen, and wakes up (without a fence)", self.frozen, 5, held=OTHER, moved=True, both=LEASE)

    @LONG
    def test_it_is_killed(self):
        self.case("it is killed (without a fence)", self.killed, 3.5, self.again, held=OTHER, moved=True, both=LEASE)


class Death(unittest.TestCase):
    """What clients and operators have from a node that dies."""

    clients = [f"192.0.2.{number}" for number in range(50, 250)]
    servers = ["one", "two", "three", "four"]

    @classmethod
    def setUpClass(cls):
        batch = WORK / "clients"
        batch.write_text("".join(f"addr add {address}/24 dev eth0\n" for address in cls.clients))
        NET.ip("client", "-batch", str(batch))
        NET.start("client", "servers", WORK, sys.executable, "-c", NAMED, *cls.servers)

    def setUp(self):
        self.running = {}
        forget()
        self.addCleanup(lambda: [process.kill() for process in self.running.values()])

    def start(self, node):
        listed = ", ".join(f'{{ name = "{name}", address = "{OWN["client"]}:{port}" }}' for port, name in enumerate(self.servers, 7011))
        other = "b" if node == "a" else "a"
        self.running[node] = start(node, f"""
[state]
file = "{WORK}/state-{node}.json"

[cluster]
name = "lb-{node}"
zookeeper = {ENSEMBLE.listed}
path = "/death/front"
session_timeout = "{SESSION:.0f}s"

[cluster.peers]
bind = "{OWN[node]}:1024"
peers = {{ lb-{other} = "{OWN[other]}:1024" }}

[[listener]]
name = "front"
bind = "{VIP}:10000"
pool = "p"

[pool.p]
service = "tcp"
dial = "at-once"
probe = "none"
sticky = {{ by = "source-ip" }}
servers = [{listed}]
""")
        kit.until(f"{node} to answer: {self.running[node].tail()}", lambda: status(node), 10)

    def pool(self, node):
        [pool] = status(node)["pools"]
        return pool

    def server(self, node, name):
        [server] = [one for one in self.pool(node)["servers"] if one["name"] == name]
        return server["admin"], server["weight"]

    def holds(self, node):
        kit.until(f"{node} alone to have the address", lambda: [one for one in NODES if NET.has(one, VIP)] == [node], 10, 0.02)

    def met(self):
        done = NET.run("client", sys.executable, "-c", ASK_ALL, VIP, *self.clients)
        self.assertEqual(done.returncode, 0, done.stdout)
        return dict(line.split() for line in done.stdout.splitlines())

    def told(self, node, *words):
        done = NET.run(node, os.environ["HOWDAH_BINARY"], *words)
        self.assertEqual(done.returncode, 0, done.stdout)

    def saved(self, node):
        """What is in its file."""
        try:
            return (WORK / f"state-{node}.json").read_text()
        except FileNotFoundError:
            return ""

    def test_clients_meet_their_server_and_orders_hold_on_the_survivor_and_after_a_restart(self):
        for node in NODES:
            self.start(node)
        self.holds("a")
        kit.until("two members", lambda: len(status("b")["cluster"]["members"]) == 2, 10)
        self.told("a", "drain", "p/four")
        self.told("a", "weight", "p/three", "7")
        kit.until("b to obey", lambda: (self.server("b", "four")[0], self.server("b", "three")[1]) == ("draining", 7), 5, 0.02)

        first = self.met()
        self.assertEqual(set(first.values()), {"one", "two", "three"})
        kit.until("b to know all clients", lambda: self.pool("b")["sticky_entries"] == len(self.clients), 5)
        self.running["a"].kill()
        self.holds("b")
        second = self.met()
        same = sum(second[client] == first[client] for client in self.clients)
        print(f"\n    {same} of {len(first)} clients met their server on the survivor", end=" ")
        self.assertEqual(same, len(self.clients))
        self.assertEqual((self.server("b", "four")[0], self.server("b", "three")[1]), ("draining", 7))

        # Nobody is left to ask.
        kit.until("the file to know all clients", lambda: all(client in self.saved("b") for client in self.clients), 15)
        ENSEMBLE.kill()
        self.addCleanup(ENSEMBLE.start)
        self.running["b"].kill()
        self.start("b")
        self.assertEqual((self.server("b", "four")[0], self.server("b", "three")[1]), ("draining", 7))
        self.holds("b")
        self.assertEqual(self.met(), first)
