"""PostgreSQL and MariaDB as pools know them: roles, copies that lag or stop, a failover, and what stays in their logs."""
import signal
import subprocess
import threading
import time
import unittest

from . import kit
from .balancer import Howdah, probe
from .databases import PASSWORD, Home, MariaDb, Postgres, install
from .servers import Namespace

QUIET_PROBES = 40  # per server, in a few seconds
MOST_LAG = 1


def pools(service, servers, port_write, port_read, secret, **more):
    """A pool for writes, one for reads and one that logs in nowhere; its servers are `a` and `b`."""
    listed = ", ".join(f'{{ name = "{name}", address = "{server.address}" }}' for name, server in servers.items())
    pace = 'interval = "250ms", fast_interval = "250ms", timeout = "5s", rise = 1, fall = 2'
    login = f'type = "{service}", username = "howdah", password_file = "{secret}", {pace}'
    text = ""
    for name, port, role, asked in (("write", port_write, "active", login),
                                    ("read", port_read, "standby", f'{login}, max_lag = "{MOST_LAG}s"'),
                                    ("plain", kit.free_port(), "any", f'type = "{service}", {pace}')):
        if more.get(name, True):
            lost = "" if role == "any" else f'role = "{role}"\non_role_lost = "cut"\n'
            text += (f'[[listener]]\nname = "{name}"\nbind = "127.0.0.1:{port}"\npool = "{name}"\n\n[pool.{name}]\n'
                     f'service = "{service}"\nservers = [{listed}]\n{lost}probe = {{ {asked} }}\n\n')
    return text


def awaits_reason(howdah, pool, server, health, words):
    """Waits for a verdict whose reason or detail has these words."""
    def found():
        said = howdah.server(pool, server)
        last = said.get("last_probe") or {}
        return said["health"] == health and words in f"{said.get('reason')} {last.get('reason')} {last.get('detail')}"
    try:
        kit.until(f"{pool}/{server} {health} with {words!r}", found, 20, 0.05)
    except AssertionError as late:
        raise AssertionError(f"{late}; it is {howdah.server(pool, server)}") from None


class Sessions:
    """Clients that ask again and again which server they are on, by new sessions."""

    def __init__(self, ask, clients=3):
        self.ask, self.seen, self.over = ask, [], False
        self.threads = [threading.Thread(target=self._loop, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _loop(self):
        while not self.over:
            began = time.time()
            server = self.ask()
            self.seen.append((began, time.time(), server))

    def since(self, moment):
        return [(began, ended, server) for began, ended, server in list(self.seen) if began > moment and server]

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join(20)
        return self.seen


class PostgreSql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            install()
        except kit.Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.home = home = Home("postgres")
        cls.ca, cert, key = home.certificate()
        cls.secret = home.put("probe.password", PASSWORD)
        tls = ["ssl = on", f"ssl_cert_file = '{cert}'", f"ssl_key_file = '{key}'"]
        cls.a = Postgres(home, "a").create(*tls).start()
        cls.a.sql(f"CREATE ROLE howdah LOGIN PASSWORD '{PASSWORD}'; CREATE TABLE t (n int)")
        cls.b = Postgres(home, "b", cls.a).copy().start()
        cls.ports = kit.free_port(), kit.free_port()
        cls.howdah = Howdah(kit.folder(), "postgresql", pools("postgresql", {"a": cls.a, "b": cls.b}, *cls.ports, cls.secret))

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()
        for server in (cls.a, cls.b):
            server.process.stop()

    def psql(self, port, text="SELECT inet_server_port()"):
        """One session through howdah; what it answers, or nothing."""
        url = f"host=127.0.0.1 port={port} user=howdah password={PASSWORD} dbname=postgres connect_timeout=5 sslmode=prefer"
        done = subprocess.run([self.a.programs / "psql", url, "-XAtqc", text], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        return done.stdout.strip()

    def test_1_roles_sessions_and_silence(self):
        howdah = self.howdah
        for pool, server, health in (("write", "a", "up"), ("write", "b", "alive"), ("read", "a", "alive"), ("read", "b", "up"),
                                     ("plain", "a", "up"), ("plain", "b", "up")):
            howdah.awaits(pool, server, health)
        logs = [server.log() for server in (self.a, self.b)]
        write, read = self.ports
        self.assertEqual(self.psql(write), str(self.a.port))
        self.assertEqual(self.psql(read), str(self.b.port))
        # As a client that wants TLS: howdah passes on what both agree on.
        secure = f"host=127.0.0.1 port={write} user=howdah password={PASSWORD} dbname=postgres sslmode=verify-full sslrootcert={self.ca}"
        done = subprocess.run([self.a.programs / "psql", secure, "-XAtqc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stdout.strip(), "t", done.stderr)
        self.assertEqual(probe("postgresql", self.a.address, "--ca", self.ca)[0], 0)
        login = ("--user", "howdah", "--password-file", self.secret)
        code, said = probe("postgresql", self.b.address, "--ca", self.ca, *login)
        self.assertEqual((code, "standby" in said), (0, True), said)
        before = {pool: howdah.metric("howdah_health_probes_total", pool=pool) for pool in ("write", "read", "plain")}
        for pool in before:
            kit.until(f"{QUIET_PROBES} probes of {pool}", lambda pool=pool: howdah.metric("howdah_health_probes_total", pool=pool)
                      >= before[pool] + 2 * QUIET_PROBES, 30)
        checkpoints = [line for server, log in zip((self.a, self.b), logs) for line in server.log()[len(log):].splitlines()
                       if " checkpoint " not in line and "restartpoint" not in line and "recovery restart" not in line]
        self.assertEqual(checkpoints, [], "the probes left traces")
        code, said = probe("postgresql", self.a.address, "--user", "nobody", "--password-file", self.secret)
        self.assertEqual((code, "bad-credentials" in said), (3, True), said)
        self.assertIn("authentication failed", self.a.log(), "the log would have told")

    def test_2_a_copy_that_stops_or_lags(self):
        self.b.sql("SELECT pg_wal_replay_pause()")
        awaits_reason(self.howdah, "read", "b", "alive", "replica-broken")
        self.b.sql("SELECT pg_wal_replay_resume()")
        self.howdah.awaits("read", "b", "up")
        self.b.sql("ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
        self.b.sql("SELECT pg_reload_conf()")
        self.a.sql("INSERT INTO t VALUES (1)")
        awaits_reason(self.howdah, "read", "b", "alive", "replica-lag")
        self.b.sql("ALTER SYSTEM RESET recovery_min_apply_delay")
        self.b.sql("SELECT pg_reload_conf()")
        self.howdah.awaits("read", "b", "up")

    def test_3_a_failover_is_followed(self):
        write, read = self.ports
        howdah = self.howdah
        kept = subprocess.Popen([self.a.programs / "psql", f"host=127.0.0.1 port={write} user=howdah password={PASSWORD} dbname=postgres",
                                 "-XAtqc", "SELECT pg_sleep(60)"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        kit.until("a long session on a", lambda: self.a.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'"
                                                            " AND usename = 'howdah'") == "1", 10)
        crowd = Sessions(lambda: self.psql(write, "SELECT inet_server_port() || ' ' || pg_is_in_recovery()"))
        kit.until("sessions on a", lambda: len(crowd.since(0)) > 5, 20)
        watch = self.watch(self.b)
        self.a.stop(signal.SIGINT)
        stopped = time.time()
        kept.wait(10)
        self.b.promote()
        true = kit.until("b to say that it is no standby", watch, 20, 0.01)
        first = kit.until("a session on b", lambda: min((ended for _, ended, server in crowd.since(stopped)), default=None), 20, 0.01)
        self.assertLess(first - true, 2.0, "the failover was followed late")
        # The old one comes back, and copies the new one.
        self.a.follow(self.b)
        self.a.start()
        back = time.time()
        howdah.awaits("read", "a", "up")
        howdah.awaits("read", "b", "alive")
        self.assertEqual(self.psql(read), str(self.a.port))
        kit.until("sessions after its return", lambda: len(crowd.since(back)) > 10, 20)
        seen = crowd.stop()
        after = [each for each in seen if each[0] > true and each[2]]
        wrong = [each for each in after if each[2] != f"{self.b.port} false"]
        self.assertEqual(wrong, [], "sessions for writes on another than the new active server")
        standby = [each for each in seen if each[2] and each[2].endswith("true")]
        self.assertEqual(standby, [])
        print(f"\n    PostgreSQL: {len(seen)} sessions; from the new primary's first true answer to the first session there "
              f"{first - true:.3f} s; {len(after)} sessions after it, {len(wrong)} on the old one")

    @staticmethod
    def end(child):
        child.kill()
        with child:
            child.wait()

    def watch(self, server):
        """When `server` said for the first time that it is not in recovery; asked fifty times a second."""
        query = "SELECT extract(epoch FROM clock_timestamp()) WHERE NOT pg_is_in_recovery() \\watch 0.02\n"
        child = subprocess.Popen([server.programs / "psql", "-h", server.home.folder, "-p", str(server.port), "-U", "postgres", "-XAtq"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.addCleanup(self.end, child)
        child.stdin.write(query)
        child.stdin.flush()
        said = []

        def read():
            for line in child.stdout:
                if line.strip():
                    said.append(float(line))
        threading.Thread(target=read, daemon=True).start()
        return lambda: said[0] if said else None

    def test_4_who_shuts_down_takes_nobody_more(self):
        held = subprocess.Popen([self.b.programs / "psql", f"host=127.0.0.1 port={self.b.port} user=howdah password={PASSWORD} dbname=postgres",
                                 "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.end, held)
        held.stdin.write("SELECT 1;\n")
        held.stdin.flush()
        self.assertEqual(held.stdout.readline().strip(), "1")
        self.b.process.signal(signal.SIGTERM)
        awaits_reason(self.howdah, "write", "b", "alive", "shutting down")
        awaits_reason(self.howdah, "plain", "b", "alive", "57P03")
        held.stdin.close()
        held.wait(20)
        self.howdah.awaits("plain", "b", "down")


class MySql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            install()
        except kit.Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.home = home = Home("mysql")
        cls.ca, cert, key = home.certificate()
        cls.secret = home.put("probe.password", PASSWORD)
        cls.empty = MariaDb(home, "c", 3).create()
        cls.a = MariaDb(home, "a", 1).copy(cls.empty).start(f"--ssl-ca={cls.ca}", f"--ssl-cert={cert}", f"--ssl-key={key}")
        cls.b = MariaDb(home, "b", 2).copy(cls.empty).start("--read-only=1", "--slave-net-timeout=4")
        cls.a.sql(f"CREATE USER howdah@'%' IDENTIFIED BY '{PASSWORD}'; GRANT REPLICA MONITOR ON *.* TO howdah@'%';"
                  f"CREATE USER copy@'%' IDENTIFIED BY '{PASSWORD}'; GRANT REPLICATION SLAVE ON *.* TO copy@'%';"
                  "CREATE DATABASE d; CREATE TABLE d.t (n int PRIMARY KEY)")
        cls.b.sql(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={cls.a.port}, MASTER_USER='copy', MASTER_PASSWORD='{PASSWORD}',"
                  " MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE")
        kit.until("b to have the account", lambda: cls.b.sql("SELECT count(*) FROM mysql.user WHERE user = 'howdah'") == "1", 20)
        cls.ports = kit.free_port(), kit.free_port()
        text = pools("mysql", {"a": cls.a, "b": cls.b}, *cls.ports, cls.secret, plain=False)
        cls.howdah = Howdah(kit.folder(), "mysql", text)

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()
        for server in (cls.b, cls.a):
            server.process.kill()

    def client(self, port):
        """One session through howdah; the server's number, or nothing."""
        done = subprocess.run(["mariadb", "--no-defaults", "-uhowdah", f"-p{PASSWORD}", "-h127.0.0.1", f"-P{port}", "--protocol=tcp",
                               "--connect-timeout=5", "-Ne", "SELECT @@server_id"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        return done.stdout.strip()

    def test_1_roles_sessions_and_silence(self):
        howdah, (write, read) = self.howdah, self.ports
        for pool, server, health in (("write", "a", "up"), ("write", "b", "alive"), ("read", "a", "alive"), ("read", "b", "up")):
            howdah.awaits(pool, server, health)
        counters = ("Aborted_connects", "Aborted_clients", "Access_denied_errors")
        logs, counts = [], []
        for server in (self.a, self.b):
            logs.append(server.log())
            counts.append([server.counter(name) for name in counters])
        self.assertEqual((self.client(write), self.client(read)), ("1", "2"))
        before = {pool: howdah.metric("howdah_health_probes_total", pool=pool) for pool in ("write", "read")}
        for pool in before:
            kit.until(f"{QUIET_PROBES} probes of {pool}", lambda pool=pool: howdah.metric("howdah_health_probes_total", pool=pool)
                      >= before[pool] + 2 * QUIET_PROBES, 30)
        login = ("--user", "howdah", "--password-file", self.secret)
        code, said = probe("mysql", self.a.address, "--ca", self.ca, *login)
        self.assertEqual((code, "takes writes" in said), (0, True), said)
        for server, log, count in zip((self.a, self.b), logs, counts):
            self.assertEqual(server.log()[len(log):], "", "the probes left traces")
            self.assertEqual([server.counter(name) for name in counters], count, counters)
        # Others do.
        self.assertEqual(probe("tcp", self.a.address)[0], 0)
        kit.until("a warning of a handshake that was left", lambda: "closed normally without authentication" in self.a.log(), 10)
        code, said = probe("mysql", self.a.address)
        self.assertEqual((code, "account-needed" in said), (0, True), said)

    def test_2_a_copy_that_stops_or_lags(self):
        howdah, b = self.howdah, self.b
        b.sql("STOP SLAVE SQL_THREAD")
        awaits_reason(howdah, "read", "b", "alive", "SQL thread has stopped")
        b.sql("START SLAVE SQL_THREAD; STOP SLAVE IO_THREAD")
        awaits_reason(howdah, "read", "b", "alive", "IO thread has stopped")
        b.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=3600; START SLAVE")
        howdah.awaits("read", "b", "up")
        self.a.sql("INSERT INTO d.t VALUES (1)")
        awaits_reason(howdah, "read", "b", "alive", "replica-lag")
        b.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE")
        howdah.awaits("read", "b", "up")
        # A conflict on the copy stops it, and the reason is the server's own.
        b.sql("INSERT INTO d.t VALUES (2)")
        self.a.sql("INSERT INTO d.t VALUES (2)")
        awaits_reason(howdah, "read", "b", "alive", "Duplicate entry")
        b.sql("SET sql_log_bin = 0; DELETE FROM d.t WHERE n = 2; START SLAVE")
        howdah.awaits("read", "b", "up")
        b.sql("CREATE USER blind@'%' IDENTIFIED BY ''")
        code, said = probe("mysql", b.address, "--user", "blind")
        self.assertEqual((code, "may not see" in said), (3, True), said)

    def test_3_writes_follow_read_only(self):
        write, read = self.ports
        self.a.sql("SET GLOBAL read_only = 1")
        self.b.sql("STOP SLAVE; SET GLOBAL read_only = 0")
        self.howdah.awaits("write", "b", "up")
        self.assertEqual(self.client(write), "2")
        # It is read-only, and copies nobody.
        awaits_reason(self.howdah, "read", "a", "alive", "copies no other")
        self.b.sql(f"CREATE USER IF NOT EXISTS copy@'%' IDENTIFIED BY '{PASSWORD}'")
        self.a.sql(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={self.b.port}, MASTER_USER='copy', MASTER_PASSWORD='{PASSWORD}',"
                   " MASTER_USE_GTID=current_pos; START SLAVE")
        self.howdah.awaits("read", "a", "up")
        self.assertEqual(self.client(read), "1")

    def test_4_no_probe_gets_its_host_blocked(self):
        """From an address that is not 127.0.0.1, of which a server does not count."""
        try:
            inside = Namespace("databases")
        except kit.Missing as missing:
            self.skipTest(str(missing))
        address = "198.51.100.1"
        kit.quiet(["ip", "-n", inside.name, "address", "add", f"{address}/32", "dev", "lo"], "ip address add")
        hosts = self.home.put("hosts", f"127.0.0.1 localhost\n{address} howdah.example.com\n", 0o644)
        within = ["ip", "netns", "exec", inside.name]
        # What has no name for now is not counted either.
        mounted = [*within, "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
        server = self.empty
        server.host = address
        server.start("--max-connect-errors=5", inside=mounted)
        self.addCleanup(server.process.kill)
        server.sql(f"CREATE USER howdah@'%' IDENTIFIED BY '{PASSWORD}'")

        def ask(kind, *login):
            return probe(kind, server.address, *login, inside=within)

        def blocked():
            code, said = ask("mysql")
            return code == 3 and "1129" in said
        login = ("--user", "howdah", "--password-file", self.secret)
        for question, counted in ((("tcp",), True), (("mysql",), False), (("mysql", *login), False)):
            server.sql("FLUSH HOSTS")
            for _ in range(8):
                ask(*question)
            self.assertEqual(blocked(), counted, question)
        # A login in between sets the count back.
        server.sql("FLUSH HOSTS")
        for _ in range(3):
            for _ in range(4):
                ask("tcp")
            self.assertEqual(ask("mysql", *login)[0], 0)
        self.assertFalse(blocked())
