"""Howdahs that share a real ZooKeeper: orders, views, load, and one that leads."""
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from . import ensemble, kit
from .balancer import BINARY, Howdah
from .ensemble import Ensemble

AWAY_SECONDS = float(os.environ.get("HOWDAH_TEST_ZOOKEEPER_SECONDS", "3"))

_ensemble = None
_folder = None


def setUpModule():
    global _ensemble, _folder
    try:
        ensemble.install()
    except kit.Missing as missing:
        raise unittest.SkipTest(str(missing)) from None
    _folder = kit.folder()
    _ensemble = Ensemble(_folder).start()


def tearDownModule():
    _ensemble.kill()


class Server:
    """Takes connections and says its name; closes its port on demand."""

    def __init__(self, test, name):
        self.name, self.port, self.held = name, kit.free_port(), []
        self.open()
        test.addCleanup(self.close)

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                taken, _ = listener.accept()
                taken.sendall(self.name.encode())
            except OSError:
                return
            self.held.append(taken)

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for held in self.held:
            held.close()


class Node:
    """A howdah of a cluster."""

    numbers = itertools.count()

    def __init__(self, test, name, path, servers, port=None, balance="round-robin", zookeeper=None, probe='{ interval = "200ms" }', **keys):
        self.test, self.name, self.port = test, name, port or kit.free_port()
        listed = ", ".join(f'{{ name = "{server.name}", address = "127.0.0.1:{server.port}" }}' for server in servers)
        more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
        self.text = f'''
[cluster]
name = "{name}"
zookeeper = {zookeeper or _ensemble.listed}
path = "{path}"
session_timeout = "4s"
{more}

[[listener]]
name = "front"
bind = "127.0.0.1:{self.port}"
pool = "p"

[pool.p]
service = "tcp"
probe = {probe}
balance = "{balance}"
servers = [{listed}]
'''
        self.start()

    def start(self):
        self.howdah = Howdah(_folder, f"{self.name}-{next(Node.numbers)}", self.text)
        self.test.addCleanup(self.howdah.stop)
        return self

    def upgrade(self):
        """`howdah upgrade`, with this same program; what it printed, and its exit code."""
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(self.howdah.config.parent)}
        done = subprocess.run([BINARY, "upgrade", "--force", "--config", self.howdah.config], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        if done.returncode == 0:
            self.test.addCleanup(end, self.pid())
        return done.stdout, done.returncode

    def pid(self):
        """Of the process that answers now."""
        [pid] = [member["pid"] for member in self.status()["members"] if member["here"]]
        return pid

    def status(self):
        return json.loads(self.howdah.get("/api/v1/status"))["cluster"]

    def cluster(self):
        return json.loads(self.howdah.get("/api/v1/cluster"))

    def admin(self, server):
        return self.howdah.server("p", server)["admin"]

    def knows(self, *names):
        kit.until(f"{self.name} to know {names}", lambda: [one["name"] for one in self.status()["members"]] == sorted(names), 15)
        return self

    def listens(self):
        return kit.answers("127.0.0.1", self.port)


def end(pid):
    """One that an upgrade started, which is no child of ours."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def events(howdah, kind):
    return [event["text"] for event in json.loads(howdah.get(f"/api/v1/events?kind={kind}"))["events"]]


class Orders(unittest.TestCase):
    def test_an_order_given_to_one_is_obeyed_by_all_and_survives_them(self):
        servers = [Server(self, name) for name in "abc"]
        nodes = [Node(self, f"lb-{number}", "/orders/front", servers) for number in (1, 2, 3)]
        names = [node.name for node in nodes]
        for node in nodes:
            node.knows(*names)

        one, *others = nodes
        times = []
        for order, state in (("drain", "draining"), ("ready", "ready"), ("drain", "draining")):
            began = time.monotonic()
            one.howdah.told(order, "p/a")
            for node in others:
                kit.until(f"{node.name} to obey", lambda node=node, state=state: node.admin("a") == state, 5, 0.01)
            times.append(time.monotonic() - began)
        # The machine may be busy with other things.
        self.assertLess(min(times), 1)
        others[0].howdah.told("weight", "p/b", "7")
        kit.until("the weight", lambda: all(node.howdah.server("p", "b")["weight"] == 7 for node in nodes), 5, 0.01)
        said = events(others[1].howdah, "order")
        self.assertTrue(any("as ordered at lb-1" in text for text in said), said)
        [order] = [one for one in others[1].cluster()["orders"] if one["server"] == "a"]
        self.assertEqual((order["order"]["value"], order["order"]["from"]), ("draining", "lb-1"))

        for node in nodes:
            node.howdah.kill()
        for node in nodes[:2]:
            node.start()
        for node in nodes[:2]:
            kit.until("what was ordered", lambda node=node: (node.admin("a"), node.howdah.server("p", "b")["weight"]) == ("draining", 7), 10, 0.02)
        told = nodes[0].howdah.told("status", "--cluster")
        self.assertIn("draining", told)
        self.assertIn("lb-2", told)
        print(f"\n    obeyed by two others {min(times) * 1000:.0f} ms after it was asked for")

    def test_without_zookeeper_each_goes_on_and_the_newest_order_stands_when_it_is_back(self):
        servers = [Server(self, name) for name in "abc"]
        nodes = [Node(self, f"lb-{number}", "/away/front", servers) for number in (1, 2)]
        one, two = nodes
        for node in nodes:
            node.knows("lb-1", "lb-2")
        _ensemble.kill()
        self.addCleanup(_ensemble.start)
        for node in nodes:
            kit.until(f"{node.name} to say that it is alone", lambda node=node: node.status()["state"] == "alone", 10)
        one.howdah.told("drain", "p/a")
        one.howdah.told("drain", "p/b")
        two.howdah.told("maintenance", "p/b")
        kit.until("orders that wait", lambda: one.status()["orders"] == 2, 5)
        self.assertEqual((one.admin("a"), two.admin("a")), ("draining", "ready"))
        time.sleep(AWAY_SECONDS)
        self.assertTrue(all(node.listens() for node in nodes))
        _ensemble.start()
        back = time.monotonic()
        for node in nodes:
            kit.until(f"{node.name}: newest orders", lambda node=node: (node.admin("a"), node.admin("b")) == ("draining", "maintenance"), 15)
        print(f"\n    one mind {time.monotonic() - back:.1f} s after the ensemble served again")
        kit.until("nothing to wait", lambda: all(node.status()["orders_waiting"] == 0 for node in nodes), 5)

    def test_what_they_see_differently_is_told_once_and_two_of_one_name_are_told_apart(self):
        a, b = Server(self, "a"), Server(self, "b")
        one = Node(self, "lb-1", "/views/front", [a, b])
        # To this one, b is a port where nobody listens.
        gone = Server(self, "b")
        gone.close()
        two = Node(self, "lb-2", "/views/front", [a, gone])
        for node in (one, two):
            node.knows("lb-1", "lb-2")
        twin = Node(self, "lb-2", "/views/front", [a, b])
        different = kit.until("a difference", lambda: one.status()["differences"], 15)
        self.assertEqual([(each["server"], each["here"], each["there"], each["member"]) for each in different], [("b", "up", "down", "lb-2")])
        kit.until("the event", lambda: [text for text in events(one.howdah, "cluster") if "up here and down at lb-2" in text], 5)
        self.assertIn("DIFFERENT: p/b", one.howdah.told("status", "--cluster"))
        self.assertIn("[cluster-differs]", one.howdah.ctl("doctor").stdout)

        kit.until("the twin to say so", lambda: [text for text in events(twin.howdah, "cluster") if "another howdah has the name" in text], 30)
        self.assertEqual([each["pid"] for each in one.status()["members"] if each["name"] == "lb-2"], [two.howdah.pid])
        self.assertEqual(len([text for text in events(one.howdah, "cluster") if "up here and down at lb-2" in text]), 1)


class Load(unittest.TestCase):
    def test_two_do_not_fill_the_same_server(self):
        servers = [Server(self, name) for name in "abc"]
        nodes = [Node(self, f"lb-{number}", "/load/front", servers, balance="least-connection") for number in (1, 2)]
        for node in nodes:
            node.knows("lb-1", "lb-2")
            node.howdah.awaits("p", "c", "up")
        held = []
        self.addCleanup(lambda: [one.close() for one in held])

        def open_one(node):
            session = socket.create_connection(("127.0.0.1", node.port), timeout=5)
            held.append(session)
            return session.recv(1).decode()
        # One howdah fills two of three, as the third is out; the other one knows.
        nodes[0].howdah.told("maintenance", "p/c")
        for _ in range(10):
            open_one(nodes[0])
        nodes[0].howdah.told("ready", "p/c")

        def carried():
            seen = {view["server"]: view["seen"] for view in nodes[1].cluster()["views"]}
            return seen["c"]["lb-2"]["admin"] == "ready" and seen["a"].get("lb-1", {}).get("sessions") == 5
        kit.until("lb-2 to know what lb-1 carries", carried, 5)
        time.sleep(0.3)
        self.assertEqual([open_one(nodes[1]) for _ in range(5)], ["c"] * 5)


class Knocks(threading.Thread):
    """Connects to each node all the time, and notes who served when."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.ended, self.served = nodes, threading.Event(), []
        self.start()

    def run(self):
        while not self.ended.is_set():
            for node in self.nodes:
                began = time.monotonic()
                try:
                    with socket.create_connection(("127.0.0.1", node.port), timeout=0.2) as session:
                        session.settimeout(0.2)
                        if session.recv(1):
                            self.served.append((began, time.monotonic(), node.name))
                except OSError:
                    pass
            time.sleep(0.005)

    def stop(self):
        self.ended.set()
        self.join(5)

    def next_of(self, name, after):
        """When that one served first after this moment."""
        return kit.until(f"{name} to serve", lambda: next((end for began, end, who in list(self.served) if who == name and began > after), None), 15, 0.02)

    def never_two(self, test):
        """Once another has served, the one before it does not, until it leads again."""
        turns = []
        for _, _, who in self.served:
            if not turns or turns[-1] != who:
                turns.append(who)
        return turns


class Pair(unittest.TestCase):
    def test_one_leads_the_other_is_warm_and_never_do_both_serve(self):
        servers = [Server(self, name) for name in "ab"]
        nodes = [Node(self, f"lb-{number}", "/pair/front", servers, mode="active-standby") for number in (1, 2)]
        leader = kit.until("a leader", lambda: next((node for node in nodes if node.status()["leads"]), None), 10)
        [standby] = [node for node in nodes if node is not leader]
        kit.until("it to listen", leader.listens, 5, 0.01)
        self.assertFalse(standby.listens())
        standby.howdah.awaits("p", "a", "up")
        self.assertEqual(kit.until("readiness", lambda: ready(leader) == (200, None), 5), True)
        self.assertEqual(ready(standby)[0], 503)
        standby.howdah.told("reload")
        self.assertFalse(standby.listens(), "a reload opened what another one leads")
        kit.until("it to know who leads", lambda: f'"{leader.name}" leads' in json.loads(ready(standby)[1])["reasons"][0], 10)

        knocks = Knocks(nodes)
        self.addCleanup(knocks.stop)
        # Frozen: another one leads, and the frozen one serves nobody when it wakes up, whoever was let into its backlog.
        knocks.next_of(leader.name, time.monotonic())
        leader.howdah.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        served = knocks.next_of(standby.name, stopped)
        leader.howdah.signal(signal.SIGCONT)
        woken = time.monotonic()
        kit.until("the woken one to stand by", lambda: not leader.listens(), 5, 0.01)
        time.sleep(0.5)
        self.assertEqual([each for each in knocks.served if each[2] == leader.name and each[0] > stopped + 0.3], [])
        print(f"\n    served {served - stopped:.1f} s after a SIGSTOP; the one that woke up closed {time.monotonic() - 0.5 - woken:.2f} s later")

        # Killed.
        leader, standby = standby, leader
        leader.howdah.kill()
        killed = time.monotonic()
        served = knocks.next_of(standby.name, killed)
        expired = served - killed
        print(f"    served {expired:.1f} s after a SIGKILL")

        # Stopped in order: at once.
        back = leader.start()
        kit.until("the one that came back to know the other", lambda: len(back.status()["members"]) == 2, 10)
        standby.howdah.signal(signal.SIGTERM)
        ended = time.monotonic()
        served = knocks.next_of(back.name, ended)
        knocks.stop()
        print(f"    served {served - ended:.2f} s after a SIGTERM")
        self.assertLess(served - ended, expired, "no sooner than if it had been killed")
        self.assertEqual(len(knocks.never_two(self)), 4, "one after the other")


class Rivals(unittest.TestCase):
    def test_who_loses_its_member_znode_to_a_twin_lets_another_one_lead(self):
        servers = [Server(self, "a")]
        one = Node(self, "lb-1", "/rival/front", servers, mode="active-standby")
        kit.until("it to lead", lambda: one.status()["leads"], 10, 0.02)
        two = Node(self, "lb-2", "/rival/front", servers, mode="active-standby").knows("lb-1", "lb-2")
        twin = Node(self, "lb-1", "/rival/front", servers, mode="active-standby")
        kit.until("the twin to look", lambda: twin.status()["state"] == "connected", 10, 0.02)
        hand = ensemble.Registered(_ensemble.address, "rival/front")
        self.addCleanup(hand.close)
        # Both hear of it, and either may be the first to make another.
        first = hand.ask(owners=["members"])["members/lb-1"]
        for _ in range(60):
            hand.ask(delete=["members/lb-1"])
            owner = kit.until("another", lambda: hand.ask(owners=["members"]).get("members/lb-1"), 5, 0.01)
            if owner != first:
                break
        self.assertNotEqual(owner, first, "the twin was never the first")
        kit.until("the other one to lead", lambda: two.status()["leads"], 10, 0.02)
        self.assertFalse(one.status()["leads"])


class Arrivals(threading.Thread):
    """A client every 20 ms, which waits for its server's first byte; what became of those that got none."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.served, self.longest, self.failed, self.ended = port, 0, 0.0, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            began = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as session:
                    assert session.recv(1), "closed"
                self.served += 1
                self.longest = max(self.longest, time.monotonic() - began)
            except (OSError, AssertionError) as fault:
                self.failed.append(f"{fault!r} after {time.monotonic() - began:.3f} s")

    def stop(self):
        self.ended.set()
        self.join(10)


class Takeover(unittest.TestCase):
    def test_an_upgrade_of_the_one_that_leads_is_felt_by_nobody(self):
        servers = [Server(self, "a")]
        nodes = [Node(self, f"lb-{number}", "/upgrade/front", servers, mode="active-standby") for number in (1, 2)]
        leader = kit.until("a leader", lambda: next((node for node in nodes if node.status()["leads"]), None), 10, 0.02)
        [standby] = [node for node in nodes if node is not leader]
        kit.until("it to serve", lambda: ready(leader) == (200, None), 10, 0.02)
        kit.until("both to know each other", lambda: all(len(node.status()["members"]) == 2 for node in nodes), 10, 0.02)
        look = ensemble.Registered(_ensemble.address, "upgrade/front")
        self.addCleanup(look.close)
        owners, heard = look.ask(owners=["members", "latch"]), events(standby.howdah, "cluster")
        clients = Arrivals(leader.port)
        self.addCleanup(clients.stop)

        # One that cannot take over leaves everything as it was.
        file = leader.howdah.config.read_text()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            more = f'[[listener]]\nname = "more"\nbind = "127.0.0.1:{taken.getsockname()[1]}"\npool = "p"\n'
            leader.howdah.config.write_text(file + more)
            said, code = leader.upgrade()
        self.assertNotEqual(code, 0, said)
        self.assertEqual(leader.pid(), leader.howdah.pid)
        leader.howdah.config.write_text(file)

        for _ in range(2):
            before = leader.pid()
            said, code = leader.upgrade()
            self.assertEqual(code, 0, said)
            self.assertNotEqual(leader.pid(), before)
            self.assertEqual(ready(leader), (200, None))

            def seen():
                return [(one["pid"], one["leads"]) for one in standby.status()["members"] if one["name"] == leader.name]
            kit.until("the other one to hear of the new process", lambda: seen() == [(leader.pid(), True)], 5, 0.02)
        self.assertEqual(look.ask(owners=["members", "latch"]), owners, "the session is another one")
        served = clients.served
        kit.until("more clients", lambda: clients.served > served + 20, 5, 0.02)
        clients.stop()
        self.assertEqual(clients.failed, [])
        self.assertEqual(events(standby.howdah, "cluster"), heard, "the other one noticed")
        self.assertFalse(standby.listens())
        # The session is the new one's to end.
        os.kill(leader.pid(), signal.SIGTERM)
        ended = time.monotonic()
        kit.until("the other one to listen", standby.listens, 10, 0.01)
        self.assertLess(time.monotonic() - ended, 3, "no sooner than if it had been killed")
        print(f"\n    {clients.served} clients served, none refused; the longest waited {clients.longest * 1000:.0f} ms")


def ready(node):
    """The code of /readyz, and what it says where it is not 200."""
    import urllib.error
    try:
        node.howdah.get("/readyz")
        return 200, None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Odd(unittest.TestCase):
    def test_an_ensemble_that_nobody_can_find_stops_no_start_and_junk_is_named_once(self):
        a = Server(self, "a")
        alone = Node(self, "lb-1", "/odd/front", [a], zookeeper='["no-such-host.invalid"]')
        kit.until("a session", alone.listens, 5)
        self.assertEqual(alone.status()["state"], "alone")
        self.assertIn("[cluster-alone]", alone.howdah.ctl("doctor").stdout)
        kit.until("the log to say so", lambda: "goes on alone" in alone.howdah.text(), 10)

        junk = ensemble.Registered(_ensemble.address, "odd/front/orders/p")
        self.addCleanup(junk.close)
        junk.ask(put=[["a", "serverUri=junk"]])
        node = Node(self, "lb-1", "/odd/front", [a])
        node.knows("lb-1")
        kit.until("junk", lambda: "a znode of [cluster] is ignored" in node.howdah.text(), 10)
        node.howdah.told("drain", "p/a")
        kit.until("the order to be kept", lambda: node.status()["orders_waiting"] == 0 and node.status()["orders"] == 1, 5)
        self.assertEqual(node.howdah.text().count("is ignored"), 1)
        self.assertEqual(node.howdah.metric("howdah_cluster_junk_total"), 1)
