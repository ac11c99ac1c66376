"""What every real test needs: installed tools, free ports, waiting, and processes that end with us.

Everything is installed once into CACHE and reused. Nothing here runs as a service: each process belongs to
this one and is ended by its own id, also when the run is cut short.
"""
import atexit
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "howdah-tests"
PYSPARK = "pyspark==3.5.9"
CARGO_DEB = "3.8.0"
DBAPI = ["impyla==0.24.0", "pyhive==0.7.0", "thrift_sasl==0.4.3", "pure-sasl==0.6.2"]


class Missing(Exception):
    """A tool is not there and could not be installed; the text says what a person can do."""


# ---------------------------------------------------------------- installing

_apt = threading.Lock()


def have(command):
    """The path of a command, also where an ordinary user's PATH does not look."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def need_debs(**packages):
    """need_debs(slapd="slapd"): installs each package whose command is absent. Starts no service."""
    with _apt:
        absent = [package for command, package in packages.items() if not (have(command.replace("_", "-")) or have(command.replace("_", ".")))]
        if not absent:
            return
        if os.geteuid() != 0 or not have("apt-get"):
            raise Missing(f"needs {' '.join(absent)}: install by hand, or run as root where apt-get is")
        policy = Path("/usr/sbin/policy-rc.d")
        ours = not policy.exists()
        if ours:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        try:
            env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
            quiet(["apt-get", "update", "-qq"], env=env, check=False)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent]
            quiet(install, env=env, what=f"apt-get install {' '.join(absent)}")
        finally:
            if ours:
                policy.unlink(missing_ok=True)


def quiet(command, what=None, check=True, **more):
    """Runs a command without output or input; a failure is a Missing with the last lines it wrote."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **more)
    if check and done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise Missing(f"{what or command[0]} failed ({done.returncode}):\n{tail}")
    return done.stdout


def venv(name, *steps):
    """A virtual environment in CACHE, made once; each step is the arguments of one `pip install`."""
    home = CACHE / name
    done = home / "done"
    wanted = "\n".join(" ".join(step) for step in steps)
    if done.exists() and done.read_text() == wanted:
        return home
    shutil.rmtree(home, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        quiet([sys.executable, "-m", "venv", str(home)], "python3 -m venv")
    except Missing:
        need_debs(no_such_command="python3-venv")
        quiet([sys.executable, "-m", "venv", str(home)], "python3 -m venv")
    for step in steps:
        quiet([str(home / "bin/pip"), "install", "-q", *step], f"pip install {' '.join(step)}")
    done.write_text(wanted)
    return home


def install_servers():
    """Java and Spark, whose Thrift server speaks HiveServer2's protocol (318 MB once); beeline is in its jars."""
    need_debs(java="openjdk-17-jre-headless", openssl="openssl")
    venv("hs2", ["wheel", "setuptools<81"], ["--no-deps", "--no-build-isolation", PYSPARK])
    return spark_home()


def install_clients():
    """impyla and PyHive."""
    return venv("dbapi", DBAPI)


def install_kafka():
    """A Kafka client, whose library has brokers for tests."""
    return venv("kafka", ["confluent-kafka==2.16.1"])


def install_ground():
    """A clock and a name server."""
    need_debs(chronyd="chrony", unbound="unbound")


def install_ldap():
    """slapd, for a server that checks passwords."""
    need_debs(slapd="slapd")


def install_kerberos():
    """A KDC, its administrator's and users' programs, and GSSAPI for Debian's Python."""
    need_debs(krb5kdc="krb5-kdc", kadmin_local="krb5-admin-server", kinit="krb5-user")
    if not Path("/usr/lib/python3/dist-packages/gssapi").is_dir():
        need_debs(no_such_command="python3-gssapi")


def install_validators():
    """Validators of Kubernetes' and Compose's files."""
    return venv("deploy", ["kubernetes-validate==1.37.0", "podman-compose==1.6.0"])


def install_terminal():
    """A terminal that a test can type at and read."""
    need_debs(tmux="tmux")


def install_judges():
    """What looks at howdah's TLS from outside."""
    need_debs(testssl="testssl.sh", openssl="openssl")


def install_browser():
    """Debian's Chromium, Node, and what drives the one from the other; the folder with node_modules."""
    need_debs(chromium="chromium", node="nodejs", npm="npm")
    version = quiet(["node", "--version"], "node").strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        raise Missing(f"Playwright wants Node 20 or newer, and this is {version}")
    source, home = ROOT / "tests/browser", CACHE / "browser"
    lock = (source / "package-lock.json").read_text()
    done = home / "done"
    if not done.exists() or done.read_text() != lock:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, home / name)
        quiet(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", cwd=home)
        done.write_text(lock)
    return home


def install_image_builder():
    """What builds and runs the image without a registry, unless HOWDAH_TEST_CONTAINER=0 says that nobody will."""
    if os.environ.get("HOWDAH_TEST_CONTAINER") != "0":
        need_debs(buildah="buildah", podman="podman", runc="runc", debootstrap="debootstrap")


def install_packer():
    """What makes the Debian package; a minute once."""
    tools = CACHE / "cargo-deb"
    if os.environ.get("HOWDAH_TEST_CONTAINER") != "0" and not (tools / "bin/cargo-deb").exists():
        quiet(["cargo", "install", "--quiet", "--locked", "--root", str(tools), "cargo-deb", "--version", CARGO_DEB], "cargo install cargo-deb")
    return tools


def spark_home():
    """The folder with Spark's jars."""
    found = sorted((CACHE / "hs2/lib").glob("python3*/site-packages/pyspark"))
    if not found:
        raise Missing(f"{PYSPARK} is not installed under {CACHE / 'hs2'}")
    return found[0]


# ---------------------------------------------------------------- waiting

def until(what, condition, seconds=30.0, every=0.05):
    """Asks again and again until `condition()` is true and gives that value; says what was awaited otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


def free_port(*hosts):
    """A port that nothing listens on just now, on each of these addresses; default 127.0.0.1.

    Below the range that the kernel hands to connections, so that it is still free when a server gets to it.
    """
    for _ in range(100):
        port = random.randrange(15000, 32000)
        try:
            for host in hosts or ("127.0.0.1",):
                with socket.socket() as probe:
                    probe.bind((host, port))
            return port
        except OSError:
            continue
    raise AssertionError(f"no port is free on all of {hosts}")


def answers(host, port):
    """Something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=2).close()
        return True
    except OSError:
        return False


# ---------------------------------------------------------------- processes

class Process:
    """A child with its output in a file; ended by its own process id, at the latest when we end."""

    living = set()

    def __init__(self, name, command, folder, **more):
        self.name = name
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{name}.log"
        self.errors = self.folder / f"{name}.err"
        with open(self.log, "ab") as out, open(self.errors, "ab") as err:
            self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=err, start_new_session=True, **more)
        Process.living.add(self)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def text(self):
        return self.log.read_text(errors="replace") + self.errors.read_text(errors="replace")

    def tail(self, lines=15):
        return "\n".join(self.text().strip().splitlines()[-lines:])

    def listens(self, host, port, seconds):
        """Waits until it accepts connections; a process that ended shows its last words."""
        def ready():
            if not self.running():
                raise AssertionError(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")
            return answers(host, port)
        until(f"{self.name} at {host}:{port}; it wrote:\n{self.tail()}", ready, seconds, 0.1)

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def kill(self):
        """SIGKILL, and gone when this returns."""
        self.signal(signal.SIGKILL)
        self.child.wait()
        Process.living.discard(self)

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL; the exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.child.wait()
        Process.living.discard(self)
        return self.child.returncode


# ---------------------------------------------------------------- networks

class Net:
    """Nodes on a network of their own: namespaces with an `eth0` each, on one bridge. Needs root; gone when the run ends.

    Net(a=["192.0.2.1/24"], client=["192.0.2.3/24", "2001:db8::3/64"])
    """

    def __init__(self, **nodes):
        need_debs(ip="iproute2")
        self.prefix = f"howdah-{os.getpid()}-{next(Net.numbers)}"
        self.spaces = []
        self._add("switch")
        at_the_end(self.close)
        self.ip("switch", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ip("switch", "link", "set", "br0", "up")
        for node, addresses in nodes.items():
            self._add(node)
            # Nobody else has these addresses, and nobody waits a second to be sure.
            self.run(node, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
            self.ip(node, "link", "set", "lo", "up")
            self.plug(node, *addresses)

    numbers = itertools.count()

    def _add(self, node):
        done = subprocess.run(["ip", "netns", "add", self.space(node)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Missing(f"network namespaces are not allowed here: {done.stdout.strip()}")
        self.spaces.append(node)

    def space(self, node):
        return f"{self.prefix}-{node}"

    def plug(self, node, *addresses):
        """An interface `eth0` with these addresses."""
        port = f"p-{node}"[:15]
        self.ip("switch", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", self.space(node))
        self.ip("switch", "link", "set", port, "master", "br0", "up")
        for address in addresses:
            self.ip(node, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        self.ip(node, "link", "set", "eth0", "up")

    def unplug(self, node):
        """The interface goes, as a card that is taken out."""
        self.ip(node, "link", "del", "eth0")

    def ip(self, node, *words):
        done = subprocess.run(["ip", "-n", self.space(node), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise AssertionError(f"ip -n {node} {' '.join(words)}: {done.stdout.strip()}")
        return done.stdout

    def has(self, node, address):
        """Whether the node carries the address."""
        return f" {address}/" in self.ip(node, "-o", "addr", "show")

    def inside(self, node, *command):
        """The words that run a command there."""
        return ["ip", "netns", "exec", self.space(node), *command]

    def run(self, node, *command, seconds=40):
        return subprocess.run([str(word) for word in self.inside(node, *command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds)

    def start(self, node, name, folder, *command, **more):
        return Process(f"{node}-{name}", self.inside(node, *command), folder, **more)

    def close(self):
        """After the processes inside."""
        spaces, self.spaces = self.spaces, []
        for node in reversed(spaces):
            subprocess.run(["ip", "netns", "del", self.space(node)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)


def folder(prefix="howdah-real-"):
    """A working folder that goes when the run ends well; HOWDAH_TEST_KEEP=1 keeps it."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    _folders.append(path)
    return path


def at_the_end(action):
    """Runs when all processes have ended."""
    _endings.append(action)


_folders, _endings = [], []


@atexit.register
def _end():
    for process in list(Process.living):
        process.kill()
    for action in _endings:
        action()
    if not os.environ.get("HOWDAH_TEST_KEEP"):
        for path in _folders:
            shutil.rmtree(path, ignore_errors=True)


def _cut_short(number, _frame):
    raise SystemExit(128 + number)


def end_with_us():
    """SIGTERM and SIGHUP end the run the orderly way, so that no server is left behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _cut_short)
