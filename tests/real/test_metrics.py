"""Prometheus's own judge on the metrics of a howdah that carried sessions."""
import http.server
import subprocess
import tempfile
import threading
import unittest
import urllib.request
from pathlib import Path

from . import kit
from .balancer import Howdah


def promtool():
    """The path of promtool: of this machine, or out of Debian's package, unpacked into the cache."""
    found = kit.have("promtool")
    if found:
        return found
    home = kit.CACHE / "promtool"
    tool = home / "usr/bin/promtool"
    if not tool.exists():
        if not kit.have("apt-get") or not kit.have("dpkg-deb"):
            raise kit.Missing("needs promtool: install the package prometheus by hand")
        with tempfile.TemporaryDirectory() as folder:
            kit.quiet(["apt-get", "download", "-qq", "prometheus"], "apt-get download prometheus", cwd=folder)
            [package] = Path(folder).glob("prometheus_*.deb")
            kit.quiet(["dpkg-deb", "-x", str(package), str(home)], "dpkg-deb -x")
    return str(tool)


class Metrics(unittest.TestCase):
    def test_promtool_finds_nothing_to_say(self):
        try:
            tool = promtool()
        except kit.Missing as missing:
            self.skipTest(str(missing))
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        port, silent = kit.free_port(), kit.free_port()
        howdah = Howdah(kit.folder(), "metrics", f'''
[[listener]]
name = "front"
bind = "127.0.0.1:{port}"
pool = "web"

[pool.web]
service = "tcp"
dial = "late"
servers = [{{ name = "web", address = "127.0.0.1:{web.server_port}" }}, {{ name = "silent", address = "127.0.0.1:{silent}" }}]
probe = {{ type = "tcp", interval = "1s" }}
''')
        try:
            text = self.carried(howdah, port)
        finally:
            howdah.stop()
            web.shutdown()
            web.server_close()
        judged = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((judged.returncode, judged.stdout + judged.stderr), (0, ""))

    def carried(self, howdah, port):
        """The metrics after some sessions."""
        howdah.awaits("web", "web", "up")
        howdah.awaits("web", "silent", "down")
        for _ in range(5):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                self.assertEqual(answer.read(), b"hello")
        kit.until("the sessions to be counted", lambda: howdah.metric("howdah_session_ended_total") >= 5)
        with urllib.request.urlopen(f"http://{howdah.admin}/metrics", timeout=10) as answer:
            return answer.read().decode()


class Hello(http.server.BaseHTTPRequestHandler):
    """Says hello and closes."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass
