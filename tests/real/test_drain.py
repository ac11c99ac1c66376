"""A drained server finishes the query it runs; new sessions go elsewhere; --wait returns when it is empty."""
import subprocess
import threading
import time
import unittest

from . import kit
from .bed import bed
from .clients import instance, query

LONG = "SELECT java_method('java.lang.Thread', 'sleep', CAST(6000 AS BIGINT))"
WHO = "SET spark.howdah.instance"


class Drain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.howdah, cls.port = bed().front("drain")

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()

    def test_running_query_finishes_and_wait_returns_when_empty(self):
        done = {}

        def analyst():
            rows = query("impyla", "127.0.0.1", self.port, WHO, LONG, WHO)
            done.update(rows=rows, at=time.monotonic())
        running = threading.Thread(target=analyst)
        running.start()
        name = kit.until("the query's session", self.busy)
        other = "b" if name == "a" else "a"

        drain = subprocess.Popen(self.howdah.command("drain", f"hive/{name}", "--wait"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        kit.until("the order", lambda: self.howdah.server("hive", name)["admin"] == "draining")
        self.assertEqual({instance("pyhive", "127.0.0.1", self.port) for _ in range(3)}, {other})
        self.assertFalse(done, "the query ended too early to show anything")
        self.assertIsNone(drain.poll(), "--wait returned while a session was there")
        running.join(60)
        self.assertEqual([row[0][-1] for row in done["rows"][::2]], [name, name], "the session did not stay")
        said, _ = drain.communicate(timeout=15)
        returned = time.monotonic()
        self.assertEqual(drain.returncode, 0, said)
        self.assertEqual(self.howdah.server("hive", name)["sessions_active"], 0)
        self.assertLess(returned - done["at"], 5)

        self.howdah.told("ready", f"hive/{name}")
        self.assertEqual(self.howdah.server("hive", name)["admin"], "ready")
        seen = {instance("pyhive", "127.0.0.1", self.port) for _ in range(4)}
        self.assertEqual(seen, {"a", "b"})

    def busy(self):
        """The server with a session, once there is one and its long query had time to begin."""
        for name in ("a", "b"):
            server = self.howdah.server("hive", name)
            if server["sessions_active"] and self.howdah.metric("howdah_server_bytes_total", server=name) > 1500:
                return name
        return None


class Stop(unittest.TestCase):
    def test_sigterm_lets_a_running_query_finish(self):
        howdah, port = bed().front("stop")
        done = {}
        running = threading.Thread(target=lambda: done.update(rows=query("pyhive", "127.0.0.1", port, WHO, LONG)))
        running.start()
        kit.until("the session", lambda: any(howdah.server("hive", name)["sessions_active"] for name in ("a", "b")))
        self.assertEqual(howdah.stop(30), 0, howdah.tail())
        running.join(60)
        self.assertIn("rows", done, "the query was cut")
