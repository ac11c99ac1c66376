"""The contenders: how each is started, reached and ended. One runs at a time, all on the same ports.

Each is in a session of its own: where the kernel groups processes by session to share the processors out (autogroup),
a contender in the session of its clients would be one of many, and wait for them."""

import os
import shutil
import subprocess

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PORTS = {"plain": 27101, "ecdsa": 27102, "rsa": 27103, "beside": 27104, "iperf": 27105}
DATAGRAMS = {"udp": 27106, "udp-fresh": 27107}
DIRECT = {"plain": "127.0.0.11:27000", "beside": "127.0.0.11:27001", "iperf": "127.0.0.11:27002", "udp": "127.0.0.11:27003"}


class Peer:
    """A proxy in front of the servers, or, when `command` is None, the servers themselves."""

    def __init__(self, name, command=None, environment=None, ports=None):
        self.name = name
        self.ports = ports or list(PORTS.values())
        self.command = command
        self.environment = environment or {}
        self.process = None

    def address(self, listener):
        if self.command is None:
            return DIRECT.get(listener)
        return f"127.0.0.1:{PORTS[listener]}"

    def datagrams(self, listener):
        return DIRECT["udp"] if self.command is None else f"127.0.0.1:{DATAGRAMS[listener]}"

    def start(self, work, extra=()):
        if self.command is None:
            return
        with open(os.path.join(work, f"{self.name}.log"), "ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *extra],
                cwd=work,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        machine.wait_for(self._listens, 20, f"{self.name} did not listen")

    def stop(self):
        if self.process is None:
            return
        pids = machine.family(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.process = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def _listens(self):
        if self.process.poll() is not None:
            raise SystemExit(f"versus: {self.name} ended with {self.process.returncode}; see its log")
        # Asked of the kernel and not by connecting: a proxy would pass that on to a server that is not there yet.
        return set(self.ports) <= machine.listening_ports()


def all_peers(howdah, haproxy, work, maxconn):
    """The order of the columns."""
    for file in ("haproxy.cfg", "nginx.conf", "howdah.toml"):
        shutil.copy(os.path.join(HERE, file), work)
    haproxy = [haproxy, "-db", "-f", "haproxy.cfg"]
    peers = []
    if howdah:
        peers.append(Peer("howdah", [howdah, "run", "--config", os.path.join(work, "howdah.toml")]))
    peers += [
        Peer("haproxy", haproxy, {"MAXCONN": str(maxconn)}),
        Peer("haproxy-splice", haproxy, {"MAXCONN": str(maxconn * 3 // 4), "SPLICE": "1"}),
        Peer("nginx", ["nginx", "-p", work, "-c", os.path.join(work, "nginx.conf")]),
        Peer("direct"),
    ]
    return peers
