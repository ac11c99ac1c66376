"""Real databases: PostgreSQL and MariaDB, each alone or as a copy of another.

They refuse to run as root, so they run as the user of their package; data lies in a folder that this user may reach. Nothing of the
installed clusters is touched: each server has its own data, a port of its own and no service.
"""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import kit

PASSWORD = "not-to-be-shown"


def install():
    """The servers with their clients; starts none."""
    kit.need_debs(openssl="openssl", mariadbd="mariadb-server", setpriv="util-linux")
    if not postgres_folder():
        kit.need_debs(no_such_command="postgresql")


def postgres_folder():
    """Where the newest PostgreSQL keeps its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


class Home:
    """A folder that `user` owns, and commands run as that user; an ordinary user stays who he is."""

    def __init__(self, user):
        self.folder = Path(tempfile.mkdtemp(prefix=f"howdah-{user}-"))
        kit.at_the_end(self._remove)
        self.user = user if os.geteuid() == 0 else None
        self.prefix = []
        if self.user:
            ids = pwd.getpwnam(user)
            os.chown(self.folder, ids.pw_uid, ids.pw_gid)
            self.prefix = ["setpriv", f"--reuid={ids.pw_uid}", f"--regid={ids.pw_gid}", "--init-groups"]

    def _remove(self):
        if not os.environ.get("HOWDAH_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command, **env):
        kit.quiet([*self.prefix, *map(str, command)], what=str(command[0]), env={**os.environ, **env}, cwd=self.folder)

    def put(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        if self.user:
            shutil.chown(path, self.user)
        return path

    def certificate(self):
        """CA, certificate and key for 127.0.0.1, readable by the server."""
        made = self.folder / "certs"
        subprocess.run([kit.ROOT / "certs/dev-ca", "--dir", made, "server", "db"], check=True, stdout=subprocess.DEVNULL)
        made.chmod(0o755)
        for path in made.iterdir():
            path.chmod(0o644 if path.suffix == ".crt" else 0o600)
            if self.user:
                shutil.chown(path, self.user)
        return made / "ca.crt", made / "db.crt", made / "db.key"


class Postgres:
    """One PostgreSQL on 127.0.0.1; `source`: copies that one from the start."""

    def __init__(self, home, name, source=None):
        self.home, self.name, self.source = home, name, source
        self.port = kit.free_port()
        self.data = home.folder / name
        self.programs = postgres_folder()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def create(self, *settings):
        secret = self.home.put(f"{self.name}.secret", PASSWORD)
        self.home.run(self.programs / "initdb", "-D", self.data, "-N", "-A", "scram-sha-256", f"--pwfile={secret}", "-U", "postgres")
        (self.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
                                               "host replication all 127.0.0.1/32 scram-sha-256\n")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("\n".join(["fsync = off", "listen_addresses = '127.0.0.1'", "wal_retrieve_retry_interval = '200ms'",
                                  f"unix_socket_directories = '{self.home.folder}'", "wal_keep_size = '64MB'", *settings, ""]))
        return self

    def copy(self):
        """A base backup of `source`, set up to follow it."""
        self.home.run(self.programs / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "--checkpoint=fast",
                      "-d", f"host=127.0.0.1 port={self.source.port} user=postgres password={PASSWORD}")
        return self

    def follow(self, source):
        """From the next start on."""
        self.home.put(f"{self.name}/standby.signal", "")
        with open(self.data / "postgresql.auto.conf", "a") as conf:
            conf.write(f"primary_conninfo = 'host=127.0.0.1 port={source.port} user=postgres password={PASSWORD}'\n")

    def start(self):
        self.process = kit.Process(f"postgres-{self.name}", [*self.home.prefix, self.programs / "postgres", "-D", self.data,
                                                             "-p", self.port], self.home.folder, cwd=self.home.folder)
        kit.until(f"{self.name} to take queries:\n{self.process.tail()}", lambda: self.sql("SELECT 1", check=False) == "1", 30, 0.1)
        return self

    def sql(self, text, check=True):
        """By its local socket, as its owner."""
        done = subprocess.run([self.programs / "psql", "-h", self.home.folder, "-p", str(self.port), "-U", "postgres", "-XAtqc", text],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert not check or done.returncode == 0, f"{self.name}: {text}: {done.stderr}"
        return done.stdout.strip()

    def promote(self):
        self.home.run(self.programs / "pg_ctl", "promote", "-D", self.data, "-W")

    def stop(self, number):
        """By one of PostgreSQL's three signals; waits for the end."""
        self.process.signal(number)
        self.process.child.wait(20)

    def log(self):
        return self.process.text()


class MariaDb:
    """One MariaDB; in `netns`, where that is given, on the address there that is no loopback."""

    def __init__(self, home, name, number, host="127.0.0.1"):
        self.home, self.name, self.number, self.host = home, name, number, host
        self.port = kit.free_port()
        self.data = home.folder / name
        self.socket = home.folder / f"{name}.sock"
        self.process = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def create(self):
        self.home.run("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                      "--skip-test-db")
        return self

    def copy(self, other):
        """The data of one that has never run."""
        self.home.run("cp", "-a", other.data, self.data)
        return self

    def start(self, *settings, inside=()):
        command = [*inside, *self.home.prefix, kit.have("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                   f"--bind-address={self.host}", f"--socket={self.socket}", f"--pid-file={self.socket}.pid", "--log-bin=log",
                   f"--server-id={self.number}", "--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0", *settings]
        self.process = kit.Process(f"mariadb-{self.name}", command, self.home.folder, cwd=self.home.folder)
        kit.until(f"{self.name} to take queries:\n{self.process.tail()}", lambda: self.sql("SELECT 1", check=False) == "1", 40, 0.1)
        return self

    def sql(self, text, check=True):
        """By its local socket, as root, who needs no password there."""
        done = subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-Ne", text],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert not check or done.returncode == 0, f"{self.name}: {text}: {done.stderr}"
        return done.stdout.strip()

    def counter(self, name):
        return int(self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split()[-1])

    def log(self):
        return self.process.text()
