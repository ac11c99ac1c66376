"""The servers that the tests share, started when first asked for, warmed up once.

`a` and `b` are a pool on one port of two addresses; `strict` checks passwords in LDAP and speaks only TLS; `quiet`
is asked by nobody but a handshake probe, from the first test to the last, so that its log shows what a probe leaves.
"""
import functools
import os
import time
import unittest

from . import kit
from .balancer import Howdah
from .servers import Directory, HiveServer, Tls

QUIET_SECONDS = float(os.environ.get("HOWDAH_TEST_QUIET_SECONDS", "90"))
QUIET_INTERVAL = 0.25


class Bed:
    def __init__(self):
        self.folder = kit.folder()
        self.port = kit.free_port("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14")

    @functools.cached_property
    def tls(self):
        return Tls(self.folder, "127.0.0.13", "127.0.0.1")

    @functools.cached_property
    def pair(self):
        """The pool: two plain servers."""
        both = [HiveServer(self.folder, name, host, self.port).begin()
                for name, host in (("a", "127.0.0.11"), ("b", "127.0.0.12"))]
        for server in both:
            server.up().warm()
        return both

    @functools.cached_property
    def directory(self):
        if not kit.have("slapd"):
            raise unittest.SkipTest("needs slapd")
        return Directory(self.folder).start()

    @functools.cached_property
    def strict(self):
        """TLS and passwords."""
        server = HiveServer(self.folder, "strict", "127.0.0.13", self.port, tls=self.tls, ldap=self.directory).start()
        return server.warm(user=Directory.USER, password=Directory.PASSWORD)

    @functools.cached_property
    def quiet(self):
        """A server that only a probe talks to, the howdah that probes it, and since when."""
        server = HiveServer(self.folder, "quiet", "127.0.0.14", self.port).start()
        howdah = Howdah(self.folder, "quiet-howdah", f'''
[[listener]]
name = "quiet"
bind = "127.0.0.1:{kit.free_port()}"
pool = "quiet"

[pool.quiet]
service = "hiveserver2"
servers = [{{ name = "quiet", address = "{server.address}" }}]
probe = {{ type = "hiveserver2", depth = "handshake", interval = "{int(QUIET_INTERVAL * 1000)}ms", timeout = "3s" }}
''')
        return server, howdah, time.monotonic()

    def pool(self, **probe):
        """The [pool.hive] of `a` and `b`; keywords are settings of its probe, in TOML."""
        settings = {"type": '"hiveserver2"', "depth": '"handshake"', "interval": '"1s"', "timeout": '"3s"',
                    "rise": "2", "fall": "2"} | probe
        inline = ", ".join(f"{key} = {value}" for key, value in settings.items())
        servers = ", ".join(f'{{ name = "{server.name}", address = "{server.address}" }}' for server in self.pair)
        return f'''
[pool.hive]
service = "hiveserver2"
servers = [{servers}]
probe = {{ {inline} }}
'''

    def front(self, name, pool=None, tls=False):
        """A howdah before the pool, with both servers up; gives it and its port."""
        port = kit.free_port()
        secure = f'''
[listener.tls]
certificates = [{{ cert = "{self.tls.cert}", key = "{self.tls.key}" }}]
''' if tls else ""
        howdah = Howdah(self.folder, name, f'''
[[listener]]
name = "hive"
bind = "127.0.0.1:{port}"
pool = "hive"
{secure}{pool or self.pool()}''')
        for server in self.pair:
            howdah.awaits("hive", server.name, "up")
        return howdah, port


@functools.cache
def bed():
    """The one there is."""
    return Bed()
