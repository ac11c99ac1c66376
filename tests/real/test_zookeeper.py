"""Servers that register in a real ZooKeeper: they come, drain and go with their znodes, whatever becomes of the ensemble."""
import json
import os
import signal
import socket
import struct
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import ensemble, kit
from .balancer import Howdah
from .bed import bed
from .clients import Holder, beeline, instance
from .ensemble import Ensemble, Registered, ZooKeeper

# Longer than a session lasts there (10 s): with it end the sessions of all clients that do not know better.
AWAY_SECONDS = float(os.environ.get("HOWDAH_TEST_ZOOKEEPER_SECONDS", "12"))
MANY = 10_000

_ensemble = None


def setUpModule():
    global _ensemble
    try:
        ensemble.install()
    except kit.Missing as missing:
        raise unittest.SkipTest(str(missing)) from None
    _ensemble = Ensemble(bed().folder).start()
    _ = bed().pair


def tearDownModule():
    _ensemble.kill()


class Front:
    """A howdah with one pool, whose servers are those under a namespace."""

    def __init__(self, test, name, path=None, zookeeper=None, more="", pool='probe = { interval = "1s", depth = "handshake" }'):
        self.port = kit.free_port()
        self.howdah = Howdah(bed().folder, f"zk-{name}", f'''
[[listener]]
name = "hive"
bind = "127.0.0.1:{self.port}"
pool = "hive"

[pool.hive]
service = "hiveserver2"
{pool}

[pool.hive.discover]
zookeeper = {zookeeper or _ensemble.listed}
path = "{path or "/" + name}"
{more}
''')
        test.addCleanup(self.howdah.stop)

    def pool(self):
        return json.loads(self.howdah.get("/api/v1/status"))["pools"][0]

    def servers(self):
        """Those that are listed, with their health."""
        return {server["name"]: server["health"] for server in self.pool()["servers"]}

    def awaits(self, wanted, seconds=10):
        """Until just these are listed, and up."""
        kit.until(f"{wanted} to be up", lambda: self.servers() == dict.fromkeys(wanted, "up"), seconds, 0.02)

    def awaits_state(self, state, seconds):
        return kit.until(f"the list to be {state}", lambda: (found := self.pool()["discovery"])["state"] == state and found,
                         seconds, 0.05)

    def lists(self):
        """How many lists changed the pool."""
        return self.howdah.metric("howdah_discovery_listings_total", result="changed")

    def is_connected(self, port):
        """Whether howdah has a connection to that port of 127.0.0.1."""
        own = {os.readlink(descriptor.path) for descriptor in os.scandir(f"/proc/{self.howdah.pid}/fd")}
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(row[2] == f"0100007F:{port:04X}" and row[3] == "01" and f"socket:[{row[9]}]" in own for row in rows)

    def takes_a_session(self):
        """A login as every client begins with it, through howdah to a server and back."""
        account = b"\0u\0p"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as session:
                session.sendall(b"\1" + struct.pack(">I", 5) + b"PLAIN" + b"\5" + struct.pack(">I", len(account)) + account)
                return session.recv(5) == b"\5\0\0\0\0"
        except OSError:
            return False


def registered(test, namespace, **more):
    holder = Registered(_ensemble.address, namespace, **more)
    test.addCleanup(holder.close)
    return holder


class Servers(unittest.TestCase):
    def test_a_server_takes_sessions_when_it_registers_and_drains_when_it_is_deregistered(self):
        a, b = bed().pair
        front = Front(self, "hs2-come-and-go")
        self.assertEqual(front.servers(), {}, "nobody has ever registered")
        old, new = registered(self, "hs2-come-and-go"), registered(self, "hs2-come-and-go")

        began = time.monotonic()
        old.add(a.address)
        kit.until("a session", front.takes_a_session, 5, 0.02)
        took = time.monotonic() - began
        self.assertLess(took, 1)
        print(f"\n    the first session {took:.2f} s after the registration was asked for")

        holder = Holder("impyla", "127.0.0.1", front.port)
        self.addCleanup(holder.kill)
        new.add(b.address, version="4.0.1")
        front.awaits([a.address, b.address])
        self.assertEqual(new.deregister("3.1.3"), 1)
        front.awaits([b.address])
        self.assertEqual({instance("pyhive", "127.0.0.1", front.port) for _ in range(2)}, {"b"})
        self.assertEqual(holder.let_go(), "a", "the session did not stay")
        self.assertEqual([line for line in front.howdah.sessions() if line["reason"] == "drained"], [])

        old.add(a.address)
        front.awaits([a.address, b.address])

    def test_a_server_that_died_is_listed_until_its_own_session_ends(self):
        a, b = bed().pair
        front = Front(self, "hs2-dies")
        stays, dies = registered(self, "hs2-dies"), registered(self, "hs2-dies", timeout=2)
        stays.add(a.address)
        dies.add(b.address)
        front.awaits([a.address, b.address])
        dies.kill()
        died = time.monotonic()
        front.awaits([a.address])
        print(f"\n    gone {time.monotonic() - died:.1f} s after its death")

    def test_of_an_active_and_passive_pair_the_active_one_is_listed(self):
        a, b = bed().pair
        pair = registered(self, "hs2-pair/instances")

        def say(**roles):
            pair.ask(put=[[f"instance-{place:010}", json.dumps({
                "type": "JSONServiceRecord", "external": [], "internal": [{"api": f"{role}Endpoint"}],
                "hive.server2.instance.uri": address})] for place, (address, role) in enumerate(roles.items())])
        say(**{a.address: "active", b.address: "passive"})
        front = Front(self, "hs2-pair", path="/hs2-pair/instances")
        front.awaits([a.address])
        say(**{a.address: "passive", b.address: "active"})
        front.awaits([b.address])

    def test_what_contradicts_the_pool_or_names_no_server_is_in_the_log_once(self):
        a, b = bed().pair
        by_name = json.dumps([f"localhost:{member.port}" for member in _ensemble.members])
        front = Front(self, "hs2-odd", zookeeper=by_name)
        odd = registered(self, "hs2-odd")
        odd.ask(put=[["leader-latch", "x"]])
        odd.add(a.address, use_SSL="true", transport_mode="http")
        front.awaits([a.address])
        odd.add(b.address)
        front.awaits([a.address, b.address])
        said = front.howdah.text()
        for fact in ("leader-latch", "it speaks TLS", "its transport is http"):
            self.assertEqual(said.count(fact), 1, f"{fact}:\n{said}")

    def test_beeline_finds_howdah_in_zookeeper_as_it_finds_servers(self):
        [a, _] = bed().pair
        direct = registered(self, "hs2-direct")
        direct.add(a.address)
        front = Front(self, "hs2-direct")
        front.awaits([a.address])
        balanced = registered(self, "hs2-balanced")
        balanced.add(f"127.0.0.1:{front.port}")

        def asked(namespace):
            url = f"jdbc:hive2://{_ensemble.address}/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace={namespace}"
            return beeline(None, None, "SET spark.howdah.instance", url=url).split()[-1]
        with ThreadPoolExecutor() as both:
            self.assertEqual(list(both.map(asked, ("hs2-direct", "hs2-balanced"))), ["a", "a"])
        kit.until("its line", lambda: len(front.howdah.sessions()) == 1)
        self.assertEqual(front.howdah.sessions()[0]["server"], a.address)


class Ensembles(unittest.TestCase):
    def test_without_its_ensemble_nothing_changes_but_the_age(self):
        a, b = bed().pair
        front = Front(self, "hs2-alone")
        both = registered(self, "hs2-alone")
        both.add(a.address)
        both.add(b.address)
        front.awaits([a.address, b.address])

        # A leader's end is no news, and servers come and go before and after it.
        lists = front.lists()
        leader = _ensemble.leader()
        leader.kill()
        self.addCleanup(_ensemble.start)
        third = registered(self, "hs2-alone")
        third.add("127.0.0.19:9")
        kit.until("a third server", lambda: len(front.servers()) == 3, 10)
        third.close()
        front.awaits([a.address, b.address], 20)
        self.assertEqual(front.lists(), lists + 2)

        # A second one's is: nobody can say any more who is there.
        next(one for one in _ensemble.members if one is not leader).kill()
        front.awaits_state("stale", 10)
        _ensemble.start()
        front.awaits_state("live", 15)

        _ensemble.kill()
        killed = time.monotonic()
        stale = front.awaits_state("stale", 10)
        print(f"\n    stale {time.monotonic() - killed:.1f} s after the kill: {stale['error']}")
        while time.monotonic() - killed < AWAY_SECONDS:
            self.assertTrue(front.takes_a_session())
            self.assertEqual(front.servers(), dict.fromkeys([a.address, b.address], "up"))
            time.sleep(0.2)
        age = front.pool()["discovery"]["age_seconds"]
        self.assertGreater(age, AWAY_SECONDS - 5)
        began = time.monotonic()
        _ensemble.start()
        served = time.monotonic()
        front.awaits_state("live", 15)
        print(f"    {age:.0f} s old when the ensemble came back; live {time.monotonic() - served:.1f} s after it served, "
              f"which took {served - began:.1f} s")
        self.assertEqual(front.servers(), dict.fromkeys([a.address, b.address], "up"))
        self.assertEqual(front.lists(), lists + 2, "the pool changed")

    def test_a_server_of_the_ensemble_that_hangs_is_left(self):
        a, b = bed().pair
        front = Front(self, "hs2-hangs")
        registered(self, "hs2-hangs").add(a.address)
        front.awaits([a.address])
        [hung] = [one for one in _ensemble.members if front.is_connected(one.port)]
        others = ",".join(one.address for one in _ensemble.members if one is not hung)
        self.addCleanup(hung.process.signal, signal.SIGCONT)
        hung.process.signal(signal.SIGSTOP)
        began = time.monotonic()
        second = Registered(others, "hs2-hangs")
        self.addCleanup(second.close)
        second.add(b.address)
        kit.until("a second server", lambda: b.address in front.servers(), 15)
        print(f"\n    left {time.monotonic() - began:.1f} s after it hung")
        self.assertEqual(front.howdah.metric("howdah_discovery_listings_total", result="silent"), 0)

    def test_ten_thousand_znodes_are_one_list(self):
        many = registered(self, "hs2-many")
        hosts = [f"127.1.{place // 250}.{place % 250 + 1}:10000" for place in range(MANY)]
        settings = "hive.server2.authentication=NONE;hive.server2.transport.mode=binary;hive.server2.use.SSL=false"
        many.ask(add=[[f"serverUri={host};version=3.1.3;sequence=", f"hive.server2.instance.uri={host};{settings}"]
                      for host in hosts])
        began = time.monotonic()
        front = Front(self, "hs2-many", pool='probe = "none"')
        running = time.monotonic()
        kit.until("all of them", lambda: "servers are listed" in front.howdah.text(), 20, 0.02)
        took = time.monotonic()
        self.assertEqual(len(front.servers()), MANY)
        self.assertEqual(front.lists(), 1)
        self.assertLess(took - running, 5)
        memory = front.howdah.metric("howdah_process_resident_memory_bytes") / 2**20

        # One after the other, which is as many changes: the ensemble is asked for far fewer lists.
        for place in range(100):
            many.add(f"127.2.0.{place + 1}:10000")
        kit.until("a hundred more", lambda: front.howdah.metric("howdah_discovery_members") == MANY + 100, 20, 0.05)
        more = front.lists() - 1
        self.assertLess(more, 60)
        print(f"\n    {MANY} servers {took - running:.2f} s after the start ({running - began:.2f} s), {memory:.0f} MiB; "
              f"100 more in {more:.0f} lists")

    def test_a_closed_ensemble_over_tls_takes_a_login(self):
        [a, _] = bed().pair
        closed = ZooKeeper(bed().folder / "closed", tls=bed().tls).begin().up()
        self.addCleanup(closed.kill)
        holder = Registered(closed.address, "hs2-closed")
        self.addCleanup(holder.close)
        holder.ask(acl=["howdah", "secret"])
        holder.add(a.address)
        password = bed().folder / "zookeeper.password"
        password.write_text("secret")
        password.chmod(0o600)
        secure = json.dumps([f"127.0.0.1:{closed.secure}"])
        tls = f'tls = {{ ca = "{bed().tls.ca}" }}\n'
        login = f'username = "howdah"\npassword_file = "{password}"\n'
        Front(self, "closed-1", "/hs2-closed", secure, tls + login).awaits([a.address])
        for number, more, why in ((2, tls, "must not be read"), (3, login, "wants TLS")):
            front = Front(self, f"closed-{number}", "/hs2-closed", secure, more)
            error = kit.until("an error", lambda front=front: front.pool()["discovery"]["error"], 10)
            self.assertIn(why, error)
            self.assertEqual(front.servers(), {})
