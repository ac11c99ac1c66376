"""A real Prometheus, and its promtool, on the metrics of a howdah that has troubles: rules, dashboard, queries of the docs."""
import http.server
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from . import kit
from .balancer import Howdah

RULES = kit.ROOT / "conf/prometheus/howdah.rules.yml"
DASHBOARD = kit.ROOT / "conf/grafana/howdah.json"
METRICS = kit.ROOT / "docs/metrics.md"


def tool(name):
    """The path of prometheus or promtool: of this machine, or out of Debian's package, unpacked into the cache."""
    found = kit.have(name)
    if found:
        return found
    home = kit.CACHE / "promtool"
    path = home / "usr/bin" / name
    if not path.exists():
        if not kit.have("apt-get") or not kit.have("dpkg-deb"):
            raise kit.Missing(f"needs {name}: install the package prometheus by hand")
        with tempfile.TemporaryDirectory() as folder:
            kit.quiet(["apt-get", "download", "-qq", "prometheus"], "apt-get download prometheus", cwd=folder)
            [package] = Path(folder).glob("prometheus_*.deb")
            kit.quiet(["dpkg-deb", "-x", str(package), str(home)], "dpkg-deb -x")
    return str(path)


def alerts():
    """Every alert of the rules."""
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.M)


def panels():
    """Title and query of each question of the dashboard, with its variables filled in."""
    board = json.loads(DASHBOARD.read_text())
    asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    filled = [(title, expr.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$pool", ".*"))
              for title, expr in asked]
    assert len(filled) > 30 and not any("$" in expr for _, expr in filled)
    return filled


def questions():
    """The queries of the docs."""
    return re.findall(r"^```promql\n(.*?)\n```", METRICS.read_text(), re.M | re.S)


class Rules(unittest.TestCase):
    def setUp(self):
        try:
            self.promtool = tool("promtool")
        except kit.Missing as missing:
            self.skipTest(str(missing))

    def told(self, *words, **more):
        done = subprocess.run([self.promtool, *words], capture_output=True, text=True, timeout=60, **more)
        return done.returncode, done.stdout + done.stderr

    def test_promtool_sees_each_alert_fire_and_none_without_a_cause(self):
        cases = kit.ROOT / "tests/real/howdah.rules.test.yml"
        for name in alerts():
            self.assertIn(f'alertname="{name}"', cases.read_text())
        folder = kit.folder()
        for file in (RULES, cases):
            (folder / file.name).write_text(file.read_text())
        self.assertEqual(self.told("check", "rules", folder / RULES.name)[0], 0)
        code, said = self.told("test", "rules", cases.name, cwd=folder)
        self.assertEqual(code, 0, said)

    def test_every_name_is_a_metric_of_howdah(self):
        known = set(re.findall(r"^\| `(howdah_\w+)`", METRICS.read_text(), re.M))
        files = [RULES, DASHBOARD, kit.ROOT / "tests/real/howdah.rules.test.yml"]
        texts = [file.read_text() for file in files] + questions()
        for name in re.findall(r"\bhowdah_\w+", "\n".join(texts)):
            self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), known)

    def test_the_page_says_what_to_do_about_each_alert(self):
        page = (kit.ROOT / "docs/operating/alerts.md").read_text()
        told = re.findall(r"^\| `(Howdah\w+)` \| (\w+) \|", page, re.M)
        severities = re.findall(r"- alert: (\w+)\n.*?severity: (\w+)", RULES.read_text(), re.S)
        self.assertEqual(dict(told), dict(severities))


class Scraped(unittest.TestCase):
    """One howdah with troubles of many kinds, and one Prometheus that looks at it each second."""

    @classmethod
    def setUpClass(cls):
        cls.missing = None
        try:
            programs = tool("prometheus"), tool("promtool")
            kit.need_debs(openssl="openssl")
        except kit.Missing as missing:
            cls.missing = str(missing)
            return
        cls.promtool = programs[1]
        cls.folder = kit.folder()
        cls.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
        threading.Thread(target=cls.web.serve_forever, daemon=True).start()
        cls.howdah, cls.ports = troubled(cls.folder, cls.web.server_port)
        cls.prometheus = Prometheus(cls.folder, programs[0], cls.howdah.admin)
        cls.ended = threading.Event()
        cls.waiting = []
        cls.traffic = threading.Thread(target=cls.carry, daemon=True)
        cls.traffic.start()
        # Twice refused, and taken in between: so the counters move.
        for number in range(2):
            cls.reload(cls, "nonsense = 1\n")
            time.sleep(1.2)
            if number == 0:
                cls.reload(cls, "")
                time.sleep(1.2)

    @classmethod
    def tearDownClass(cls):
        if cls.missing:
            return
        cls.ended.set()
        cls.traffic.join(10)
        for one in cls.waiting:
            one.close()
        cls.howdah.stop()
        cls.prometheus.stop()
        cls.web.shutdown()
        cls.web.server_close()

    def setUp(self):
        if self.missing:
            self.skipTest(self.missing)

    def reload(self, more):
        text = self.howdah.config.read_text()
        self.howdah.config.write_text(more + text)
        self.howdah.ctl("reload")
        self.howdah.config.write_text(text)

    @classmethod
    def carry(cls):
        """A session each way again and again, and one more that waits for a server which is full."""
        while not cls.ended.wait(0.25):
            for name in ("front", "tried", "dead", "closed"):
                try:
                    with socket.create_connection(("127.0.0.1", cls.ports[name]), timeout=5) as one:
                        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
                        while one.recv(4096):
                            pass
                except OSError:
                    pass
            if len(cls.waiting) < 200:
                one = socket.create_connection(("127.0.0.1", cls.ports["tight"]), timeout=5)
                one.sendall(b"x")
                cls.waiting.append(one)

    def test_1_promtool_finds_nothing_to_say(self):
        kit.until("sessions to be counted", lambda: self.howdah.metric("howdah_session_ended_total") >= 5)
        text = self.howdah.get("/metrics")
        judged = subprocess.run([self.promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((judged.returncode, judged.stdout + judged.stderr), (0, ""))

    def test_2_alerts_fire(self):
        wanted = {"HowdahPoolWithoutServers", "HowdahServerDown", "HowdahReloadRefused", "HowdahCertificateEnds",
                  "HowdahCertificateEndsSoon", "HowdahErrorBudgetBurnsFast", "HowdahErrorBudgetBurnsSlowly",
                  "HowdahManyRetries", "HowdahQueueGrows", "HowdahSourceSilent", "HowdahAlertsNotTaken"}
        seen = set()

        def fired():
            seen.update(self.prometheus.firing())
            return wanted <= seen
        try:
            kit.until("alerts to fire", fired, 25, 0.25)
        except AssertionError as late:
            raise AssertionError(f"{late}: {sorted(wanted - seen)} did not") from None
        surprising = seen - wanted
        self.assertFalse(surprising, "nothing of that kind was done")

    def test_3_every_question_of_the_dashboard_has_an_answer(self):
        for title, expr in panels():
            with self.subTest(title):
                def answered(expr=expr):
                    return self.prometheus.ask(expr)
                if title == "Reloads":
                    # A mark for a moment.
                    answered()
                else:
                    kit.until(f"an answer to {expr}", answered, 10, 0.25)

    def test_4_no_question_of_the_docs_is_faulty(self):
        self.assertGreaterEqual(len(questions()), 8)
        for expr in questions():
            with self.subTest(expr):
                self.prometheus.ask(expr)

    def test_5_a_howdah_that_is_gone_is_told(self):
        self.ended.set()
        self.howdah.stop()
        kit.until("HowdahGone", lambda: "HowdahGone" in self.prometheus.firing(), 10, 0.25)


class Prometheus(kit.Process):
    """With howdah's rules, whose waits are a second."""

    def __init__(self, folder, program, target):
        home = folder / "prometheus"
        home.mkdir()
        rules = re.sub(r"^( +for: ).*$", r"\g<1>1s", RULES.read_text(), flags=re.M)
        (home / RULES.name).write_text(rules)
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [RULES.name],
                  "scrape_configs": [{"job_name": "howdah", "static_configs": [{"targets": [target]}]}]}
        (home / "prometheus.yml").write_text(json.dumps(config))
        port = kit.free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1/"
        super().__init__("prometheus", [program, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data",
                                        f"--web.listen-address=127.0.0.1:{port}"], home)
        kit.until("Prometheus to scrape", lambda: kit.answers("127.0.0.1", port) and self.ask("howdah_build_info"), 20)

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return {"data": {"result": [], "alerts": []}}
            raise AssertionError(error.read().decode()) from None

    def ask(self, query):
        """What comes out of a query; a faulty one is a failure."""
        return self.get("query?" + urllib.parse.urlencode({"query": query}))["data"]["result"]

    def firing(self):
        alerts = self.get("alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def stop(self):
        self.kill()


def troubled(folder, web):
    """A howdah with a bit of everything that goes wrong, and the ports of its listeners."""
    names = ("front", "tried", "dead", "closed", "tight", "unlisted", "secure")
    ports = dict(zip(names, (kit.free_port() for _ in names)))
    silent = kit.free_port()
    kit.quiet(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
               "-keyout", str(folder / "soon.key"), "-out", str(folder / "soon.crt")])
    listeners = "".join(f'''
[[listener]]
name = "{name}"
bind = "127.0.0.1:{port}"
pool = "{"front" if name in ("closed", "secure") else name}"
''' + ('deny = ["127.0.0.0/8"]\n' if name == "closed" else "")
        + (f'tls = {{ certificates = [{{ cert = "{folder}/soon.crt", key = "{folder}/soon.key" }}] }}\n' if name == "secure" else "")
        for name, port in ports.items())
    config = f'''{listeners}
[pool.front]
service = "tcp"
servers = ["127.0.0.1:{web}"]
probe = {{ type = "tcp", interval = "1s" }}

[pool.dead]
service = "tcp"
servers = ["127.0.0.1:{silent}"]
probe = {{ type = "tcp", interval = "1s" }}

[pool.tried]
service = "tcp"
balance = "round-robin"
servers = ["127.0.0.1:{web}", {{ name = "closed", address = "127.0.0.1:{silent}" }}]
probe = "none"

[pool.tight]
service = "tcp"
servers = [{{ address = "127.0.0.1:{web}", max_connections = 1 }}]
probe = "none"
timeouts = {{ queue = "2m" }}

[pool.unlisted]
service = "tcp"
discover = {{ file = "nobody-wrote-it.toml" }}
probe = "none"

[[alert]]
name = "ops"
url = "http://127.0.0.1:{silent}/"
group_wait = "100ms"
'''
    return Howdah(folder, "howdah", config), ports


class Hello(http.server.BaseHTTPRequestHandler):
    """Says hello and closes."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass
