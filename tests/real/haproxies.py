"""Real HAProxies that share a sticky table, and a relay that records what they say to each other.

`python3 -m tests.real.haproxies` records the conversations of tests/peers/ again: for each, the bytes of the side that
connected and of the side that accepted.
"""
import os
import selectors
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from . import kit

HERE = kit.ROOT / "tests/peers"


def binary():
    """HAPROXY, or Debian's."""
    own = os.environ.get("HAPROXY")
    if own:
        return own
    kit.need_debs(haproxy="haproxy")
    return kit.have("haproxy")


class Servers:
    """Servers that say their name to whoever connects, and keep the connection."""

    def __init__(self, *names):
        self.sockets, self.ports = [], {}
        self.held = []
        for name in names:
            listening = socket.create_server(("127.0.0.1", 0))
            self.sockets.append(listening)
            self.ports[name] = listening.getsockname()[1]
            threading.Thread(target=self._serve, args=(listening, name), daemon=True).start()

    def _serve(self, listening, name):
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            try:
                client.sendall(name.encode() + b"\n")
                self.held.append(client)
            except OSError:
                client.close()

    def close(self):
        for one in self.sockets + self.held:
            one.close()


def ask(port, source, host="127.0.0.1", keep=False):
    """The name of the server that a client with this address meets."""
    client = socket.create_connection((host, port), timeout=5, source_address=(source, 0))
    client.settimeout(5)
    # howdah calls the server when the client has spoken.
    client.sendall(b"?")
    name = b""
    while not name.endswith(b"\n"):
        piece = client.recv(100)
        if not piece:
            break
        name += piece
    if keep:
        return name.decode().strip(), client
    client.close()
    return name.decode().strip()


class HAProxy:
    """One process, with a socket for questions."""

    def __init__(self, folder, name, text):
        self.folder = Path(folder)
        self.name = name
        self.file = self.folder / f"{name}.cfg"
        self.socket = str(self.folder / f"{name}.sock")
        self.file.write_text(text)
        self.process = None

    def start(self):
        self.process = kit.Process(self.name, [binary(), "-f", self.file, "-db"], self.folder)
        kit.until(f"haproxy {self.name} answers", lambda: self.ask("show info", quiet=True), 10)
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process = None

    def ask(self, command, quiet=False):
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.settimeout(5)
                talk.connect(self.socket)
                talk.sendall(command.encode() + b"\n")
                answer = b""
                while piece := talk.recv(65536):
                    answer += piece
                return answer.decode()
        except OSError:
            if quiet or not self.process.running():
                return ""
            raise

    def table(self, name="hive"):
        """Client to server, as the table has it."""
        found = {}
        for line in self.ask(f"show table {name}").splitlines():
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "key" in words:
                found[words["key"]] = words.get("server_key") or words.get("server_name")
        return found


def config(name, socket_path, port, front, servers, others, table="type ip", tls=""):
    """A complete file: `others` are the peers' names and ports."""
    lines = "\n".join(f"    server {one} 127.0.0.1:{where}" for one, where in servers.items())
    peers = "\n".join(f"    server {other} 127.0.0.1:{where} {tls and tls.format(who='server')}".rstrip() for other, where in others.items())
    return f"""global
    stats socket {socket_path} level admin
    localpeer {name}
defaults
    mode tcp
    timeout connect 3s
    timeout client 1h
    timeout server 1h
peers mesh
    bind 127.0.0.1:{port} {tls and tls.format(who='bind')}
    server {name}
{peers}
listen hive
    bind 127.0.0.1:{front}
    balance roundrobin
    stick-table {table} size 200k expire 30m peers mesh
    stick on src
{lines}
"""


class Recorder:
    """Accepts one connection after another, carries it to `port`, and keeps what each side says of the last."""

    def __init__(self, port):
        self.port = port
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.own = self.listening.getsockname()[1]
        self.connected, self.accepted = b"", b""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except OSError:
                near.close()
                continue
            self.connected, self.accepted = b"", b""
            self._carry(near, far)

    def _carry(self, near, far):
        with near, far, selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select():
                    try:
                        piece = key.fileobj.recv(65536)
                        key.data.sendall(piece)
                    except OSError:
                        return
                    if not piece:
                        return
                    if key.fileobj is near:
                        self.connected += piece
                    else:
                        self.accepted += piece

    def close(self):
        self.listening.close()


def record(name, table):
    """a connects to b, which knows clients already; b teaches, then each tells the other of new ones."""
    folder = kit.ROOT / "target/peers-record"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    servers = Servers("hs2-1", "hs2-2")
    port_a, port_b, front_a, front_b = (kit.free_port() for _ in range(4))
    recorder = Recorder(port_b)
    closed = kit.free_port()
    a = HAProxy(folder, "lb-1", config("lb-1", folder / "lb-1.sock", port_a, front_a, servers.ports, {"lb-2": recorder.own}, table))
    b = HAProxy(folder, "lb-2", config("lb-2", folder / "lb-2.sock", port_b, front_b, servers.ports, {"lb-1": closed}, table))
    try:
        b.start()
        for last in range(1, 6):
            ask(front_b, f"127.0.0.{last}")
        # The taught one is considered up to date only when its own wait for others is over.
        time.sleep(6)
        a.start()
        kit.until("a was taught", lambda: len(a.table()) == 5, 15)
        for last in range(11, 14):
            ask(front_a, f"127.0.0.{last}")
        kit.until("b was told", lambda: len(b.table()) == 8, 15)
        ask(front_b, "127.0.0.1")
        time.sleep(4)
    finally:
        a.stop()
        b.stop()
        recorder.close()
        servers.close()
    HERE.mkdir(exist_ok=True)
    (HERE / f"{name}.connected").write_bytes(recorder.connected)
    (HERE / f"{name}.accepted").write_bytes(recorder.accepted)
    print(name, len(recorder.connected), len(recorder.accepted))


if __name__ == "__main__":
    version = subprocess.run([binary(), "-v"], capture_output=True, text=True).stdout.split()[2].split("-")[0]
    version = ".".join(version.split(".")[:2])
    record(f"haproxy-{version}-ip", "type ip")
    record(f"haproxy-{version}-ipv6", "type ipv6")
    record(f"haproxy-{version}-string", "type string len 64 store gpt0,conn_cnt,conn_rate(10s)")
