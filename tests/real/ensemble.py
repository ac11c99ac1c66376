"""ZooKeeper from the Debian package, on loopback with folders of its own, and servers that register there as Hive does.

Three servers are an ensemble; each can be killed and started again. Their ticks are short, so that a new leader is there
within half a second and a session's end within seconds.
"""
import glob
import inspect
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from . import kit

JARS = Path("/usr/share/java")
KAZOO = "kazoo==2.11.0"
TICK = 200


def install():
    """ZooKeeper with its jars, and a client that registers."""
    kit.need_debs(java="openjdk-17-jre-headless")
    if not (JARS / "zookeeper.jar").exists():
        kit.need_debs(no_such_command="zookeeper")
    return kit.venv("kazoo", [KAZOO])


class ZooKeeper:
    """One server: alone, or one of an ensemble; `inside` are the words that run it in a network where it has the address `host`."""

    def __init__(self, folder, number=1, members=(), tls=None, host="127.0.0.1", inside=()):
        self.name, self.folder, self.tls = f"zk{number}", folder / f"zk{number}", tls
        self.host, self.inside = host, inside
        self.number, self.members = number, members
        self.port = members[number - 1] if members else kit.free_port()
        self.secure = kit.free_port() if tls else None
        self.process = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def begin(self):
        """Starts it without waiting."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "myid").write_text(str(self.number))
        lines = [f"tickTime={TICK}", "initLimit=50", "syncLimit=10", f"dataDir={data}", "admin.enableServer=false",
                 "4lw.commands.whitelist=*", "maxSessionTimeout=10000", "maxClientCnxns=0",
                 f"clientPort={self.port}", f"clientPortAddress={self.host}"]
        lines += [f"server.{number}=127.0.0.1:{port + 1000}:{port + 2000}" for number, port in enumerate(self.members, 1)]
        more = []
        if self.tls:
            lines += [f"secureClientPort={self.secure}", "secureClientPortAddress=127.0.0.1",
                      "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory"]
            more = [f"-Dzookeeper.ssl.keyStore.location={self.tls.keystore}", "-Dzookeeper.ssl.clientAuth=none",
                    f"-Dzookeeper.ssl.keyStore.password={self.tls.PASSWORD}"]
        (self.folder / "zoo.cfg").write_text("\n".join(lines) + "\n")
        jars = [str(JARS / f"{name}.jar") for name in ("zookeeper", "slf4j-simple", "snappy-java", "metrics-core")]
        jars += sorted(glob.glob(f"{JARS}/netty-*.jar"))
        # The disk is not what is tested: a znode is there without waiting for it.
        command = [*self.inside, "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
                   "-Djute.maxbuffer=4194304", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *more,
                   "-cp", ":".join(jars), "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.folder / "zoo.cfg"]
        self.process = kit.Process(self.name, command, self.folder)
        return self

    def mode(self):
        """leader, follower or standalone; None while it does not serve."""
        if self.inside:
            said = subprocess.run([*self.inside, sys.executable, "-c", SRVR, self.host, str(self.port)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=10).stdout
        else:
            try:
                said = srvr(self.host, self.port)
            except OSError:
                return None
        return next((line[6:] for line in said.splitlines() if line.startswith("Mode: ")), None)

    def up(self):
        def ready():
            assert self.process.running(), f"{self.name} ended:\n{self.process.tail()}"
            return self.mode()
        kit.until(f"{self.name} to serve", ready, 60, 0.05)
        return self

    def kill(self):
        self.process.kill()


def srvr(host, port):
    """What a server says of itself."""
    with socket.create_connection((host, port), timeout=1) as asked:
        asked.sendall(b"srvr")
        return b"".join(iter(lambda: asked.recv(4096), b"")).decode(errors="replace")


# The same, from within another network.
SRVR = "import socket, sys\n" + inspect.getsource(srvr) + "print(srvr(sys.argv[1], int(sys.argv[2])))"


class Ensemble:
    """Three, on neighbouring ports that are free."""

    def __init__(self, folder, **where):
        ports = []
        while len(ports) < 3:
            port = kit.free_port()
            taken = {near + more for near in ports for more in (0, 1000, 2000)}
            if port < 29000 and not taken & {port, port + 1000, port + 2000}:
                ports.append(port)
        self.members = [ZooKeeper(folder, number, ports, **where) for number in (1, 2, 3)]

    @property
    def address(self):
        return ",".join(member.address for member in self.members)

    @property
    def listed(self):
        """As `zookeeper` has it in the configuration."""
        return json.dumps([member.address for member in self.members])

    def start(self):
        for member in self.members:
            if not (member.process and member.process.running()):
                member.begin()
        for member in self.members:
            member.up()
        return self

    def leader(self):
        return kit.until("a leader", lambda: next((one for one in self.members if one.mode() == "leader"), None), 20)

    def kill(self):
        for member in self.members:
            member.kill()


class Registered:
    """A session of ZooKeeper that holds the znodes of one or more servers, as HiveServer2 does in its own process."""

    def __init__(self, ensemble, namespace, timeout=8):
        self.namespace = namespace
        command = [kit.CACHE / "kazoo/bin/python", kit.ROOT / "tests/real/register.py", ensemble, namespace, timeout]
        self.child = subprocess.Popen([str(word) for word in command], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
        self.told()

    def ask(self, **what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()
        return self.told()

    def told(self):
        line = self.child.stdout.readline()
        assert line, f"register.py ended with {self.child.wait()}"
        return json.loads(line)

    def add(self, address, version="3.1.3", **settings):
        """What Hive publishes of a server with logins NONE; keywords replace settings. The znode's name."""
        host, port = address.rsplit(":", 1)
        pairs = {"hive.server2.instance.uri": address, "hive.server2.authentication": "NONE",
                 "hive.server2.transport.mode": "binary", "hive.server2.thrift.sasl.qop": "auth",
                 "hive.server2.thrift.bind.host": host, "hive.server2.thrift.port": port, "hive.server2.use.SSL": "false"}
        pairs |= {f"hive.server2.{key.replace('_', '.')}": value for key, value in settings.items()}
        data = ";".join(f"{key}={value}" for key, value in pairs.items())
        return self.ask(add=[[f"serverUri={address};version={version};sequence=", data]])[0]

    def deregister(self, version):
        """What `hive --service hiveserver2 --deregister VERSION` does: deletes that version's znodes, whosesoever."""
        return self.ask(deregister=version)

    def kill(self):
        """SIGKILL: the session is left to its time."""
        self.child.send_signal(signal.SIGKILL)
        self.child.communicate()

    def close(self):
        """Ends the session in order, and its znodes go at once; where that hangs amid an election, they go with its time."""
        if not self.child.stdin.closed:
            try:
                self.child.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                self.kill()

