"""SRV records that a real unbound serves: howdah follows them, also past the length of a datagram, and past unbound's death."""
import os
import signal
import socket
import threading
import time
import unittest

from . import kit
from .balancer import Howdah

NAME = "_app._tcp.howdah.test"
MANY = 60  # records that do not fit into 512 bytes


class Unbound:
    """A name server on port 53 of a loopback address of its own, which forwards nowhere."""

    HOST = "127.53.0.1"

    def __init__(self, folder):
        self.folder = folder / "unbound"
        self.folder.mkdir()
        self.conf = self.folder / "unbound.conf"
        self.process = None

    def serve(self, *records):
        """These are the records from now on."""
        data = "\n".join(f"  local-data: '{record}'" for record in records)
        self.conf.write_text(f'''
server:
  interface: {self.HOST}
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  logfile: ""
  use-syslog: no
  do-not-query-localhost: no
  do-not-query-address: 0.0.0.0/0
  do-not-query-address: ::/0
  num-threads: 1
  local-zone: "howdah.test." static
{data}
remote-control:
  control-enable: no
''')
        if self.process and self.process.running():
            self.process.signal(signal.SIGHUP)
        else:
            self.process = kit.Process("unbound", [kit.have("unbound"), "-d", "-c", self.conf], self.folder)
            self.process.listens(self.HOST, 53, 20)
        return self


def srv(server, priority=0, weight=1, port=0):
    return f"{NAME}. 1 IN SRV {priority} {weight} {port} {server}.howdah.test."


class Named:
    """A server that answers each byte with its name, for as long as its client likes."""

    def __init__(self, name, host, port):
        self.name, self.host = name, host
        self.socket = socket.create_server((host, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with client:
            while client.recv(1):
                client.sendall(self.name.encode())

    @property
    def record(self):
        return f"{self.name}.howdah.test. 1 IN A {self.host}"


class Session:
    """A client's, on the server that answered first."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.server = self.ask()

    def ask(self):
        self.socket.sendall(b"?")
        return self.socket.recv(2).decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class DnsSrv(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.need_debs(unbound="unbound")
        except kit.Missing as missing:
            raise unittest.SkipTest(str(missing)) from missing
        if os.geteuid() != 0:
            raise unittest.SkipTest("port 53 and another resolv.conf need root")
        cls.folder = kit.folder()
        cls.port = kit.free_port("127.0.0.31", "127.0.0.32", "127.0.0.33")
        cls.servers = [Named(f"s{n}", f"127.0.0.3{n}", cls.port) for n in (1, 2, 3)]
        cls.addresses = [server.record for server in cls.servers]
        cls.unbound = Unbound(cls.folder)

    def records(self, *services):
        return self.unbound.serve(*self.addresses, *services)

    def start(self, name):
        resolver = self.folder / "resolv.conf"
        resolver.write_text(f"nameserver {Unbound.HOST}\noptions timeout:1\n")
        self.front = kit.free_port()
        howdah = Howdah(self.folder, name, f'''
[[listener]]
name = "app"
bind = "127.0.0.1:{self.front}"
pool = "app"

[pool.app]
service = "tcp"
balance = "round-robin"
discover = {{ dns_srv = "{NAME}" }}
probe = {{ type = "tcp", interval = "1s", fast_interval = "50ms" }}
''', resolver=resolver)
        self.addCleanup(howdah.stop)
        return howdah

    def up(self, howdah):
        return [server["name"].split(".")[0] for server in howdah.pool("app")["servers"] if server["health"] == "up"]

    def taken(self, count=40):
        """How many new sessions each server gets."""
        taken = {}
        for _ in range(count):
            with Session(self.front) as session:
                taken[session.server] = taken.get(session.server, 0) + 1
        return taken

    def test_records_are_followed_with_their_weights_and_priorities(self):
        self.records(srv("s1", 0, 3, self.port), srv("s2", 0, 1, self.port), srv("s3", 10, 1, self.port))
        howdah = self.start("followed")
        kit.until("three servers up", lambda: self.up(howdah) == ["s1", "s2", "s3"])
        self.assertEqual(self.taken(), {"s1": 30, "s2": 10}, "s3 is a backup")
        discovery = howdah.pool("app")["discovery"]
        self.assertEqual((discovery["source"], discovery["state"], discovery["target"]), ("dns_srv", "live", NAME))

        with next(one for one in iter(lambda: Session(self.front), None) if one.server == "s1") as long:
            changed = time.monotonic()
            self.records(srv("s2", 0, 1, self.port), srv("s3", 0, 1, self.port))
            kit.until("s1 to leave", lambda: self.up(howdah) == ["s2", "s3"], 10)
            took = time.monotonic() - changed
            self.assertEqual(self.taken(), {"s2": 20, "s3": 20})
            self.assertEqual(long.ask(), "s1", "its session goes on")
            [left] = howdah.pool("app")["departed"]
            self.assertEqual((left["sessions_active"], left["seconds_left"]), (1, None))
        print(f"a record's change, with a TTL of 1 s, taken after {took:.1f} s", end=" ")

    def test_a_long_answer_comes_over_tcp_and_a_dead_name_server_changes_nothing(self):
        many = [f"m{n}.howdah.test. 1 IN A 127.50.0.{n + 1}" for n in range(MANY)]
        self.records(*many, *(srv(f"m{n}", 0, 1, 9) for n in range(MANY)), srv("s1", 0, 1, self.port))
        howdah = self.start("long")
        kit.until("all to be listed", lambda: len(howdah.pool("app")["servers"]) == MANY + 1)
        kit.until("one up", lambda: self.up(howdah) == ["s1"])

        def state():
            return howdah.pool("app")["discovery"]["state"]
        self.unbound.process.kill()
        kit.until("the list to be stale", lambda: state() == "stale", 20)
        self.assertEqual((len(howdah.pool("app")["servers"]), self.taken(5)), (MANY + 1, {"s1": 5}))
        self.records()  # a zone without the name
        kit.until("an empty answer", lambda: "lists no server" in howdah.pool("app")["discovery"]["error"], 20)
        self.assertEqual(self.taken(5), {"s1": 5})
        self.records(srv("s2", 0, 1, self.port))
        kit.until("the list to be live", lambda: state() == "live" and self.up(howdah) == ["s2"], 20)
        self.assertEqual(howdah.metric("howdah_discovery_members", pool="app"), 1)
