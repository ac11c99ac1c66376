"""What every judge of others looks at: a howdah that ends TLS before a small web server, with a certificate of this run."""
import http.server
import threading

from real import kit
from real.balancer import Howdah


class Place:
    """Ended by `close`, which tests leave to `addClassCleanup`."""

    def __init__(self, name):
        kit.need_debs(openssl="openssl")
        self.folder = kit.folder("howdah-outside-")
        self.server = Server(("127.0.0.1", 0), Page)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        kit.quiet(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
                   "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                   "-addext", "extendedKeyUsage=serverAuth", "-keyout", "leaf.key", "-out", "leaf.crt"], cwd=self.folder)
        self.address = f"127.0.0.1:{kit.free_port()}"
        self.howdah = Howdah(self.folder, name, f'''
[[listener]]
name = "tls"
bind = "{self.address}"
pool = "web"
tls = {{ certificates = [{{ cert = "{self.folder}/leaf.crt", key = "{self.folder}/leaf.key" }}] }}

[pool.web]
service = "tcp"
servers = ["127.0.0.1:{self.server.server_port}"]
probe = "none"
''')

    def close(self):
        self.howdah.stop()
        self.server.shutdown()
        self.server.server_close()


class Server(http.server.ThreadingHTTPServer):
    """Judges break connections on purpose, which is nothing to report."""

    def handle_error(self, *_):
        pass


class Page(http.server.BaseHTTPRequestHandler):
    """The same answer to whatever is asked for."""

    def do_GET(self):
        page = b"<p>here</p>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass
