"""A drained server finishes the query it runs; new sessions go elsewhere; --wait returns when it is empty."""
import json
import signal
import subprocess
import time
import unittest

from . import kit
from .bed import bed
from .clients import Holder, Refused, instance


class Drain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.howdah, cls.port = bed().front("drain")

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()

    def test_running_query_finishes_and_wait_returns_when_empty(self):
        holder = Holder("impyla", "127.0.0.1", self.port)
        self.addCleanup(holder.kill)
        name = holder.server
        [other] = {"a", "b"} - {name}

        drain = subprocess.Popen(self.howdah.command("drain", f"hive/{name}", "--wait"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        kit.until("the order", lambda: self.howdah.server("hive", name)["admin"] == "draining")
        told = self.howdah.told("explain", "--listener", "hive", "--client", "127.0.0.1")
        self.assertIn(f"goes to hive/{other} now (only-one)", told)
        self.assertIn(f"{name} drains by order, and takes no new sessions", told)
        self.assertEqual({instance("pyhive", "127.0.0.1", self.port) for _ in range(3)}, {other})
        self.assertEqual(self.howdah.server("hive", name)["sessions_active"], 1)
        self.assertIsNone(drain.poll(), "--wait returned while a session was there")

        self.assertEqual(holder.let_go(), name, "the session did not stay")
        ended = time.monotonic()
        said, _ = drain.communicate(timeout=15)
        self.assertEqual(drain.returncode, 0, said)
        self.assertLess(time.monotonic() - ended, 5, "--wait noticed late that the server is empty")
        self.assertEqual(self.howdah.server("hive", name)["sessions_active"], 0)

        self.howdah.told("ready", f"hive/{name}")
        self.assertEqual(self.howdah.server("hive", name)["admin"], "ready")
        self.assertEqual({instance("pyhive", "127.0.0.1", self.port) for _ in range(4)}, {"a", "b"})

    def test_a_session_is_listed_with_its_server_and_ended_alone(self):
        holders = [Holder(library, "127.0.0.1", self.port) for library in ("impyla", "pyhive")]
        for holder in holders:
            self.addCleanup(holder.kill)
        def two():
            listed = json.loads(self.howdah.told("sessions", "--pool", "hive", "--json"))["sessions"]
            return listed if len(listed) == 2 else None
        listed = kit.until("two sessions", two)
        self.assertEqual(sorted(one["server"] for one in listed), sorted(holder.server for holder in holders))
        self.assertEqual({(one["listener"], one["pool"], one["stage"]) for one in listed}, {("hive", "hive", "relay")})
        self.assertTrue(all(one["bytes_from_server"] > 0 for one in listed), listed)
        first = next(one for one in listed if one["server"] == holders[0].server)
        self.assertEqual(self.howdah.told("sessions", first["id"], "--end", "--yes"), "ended 1 session\n")
        ended = kit.until("its line", lambda: [line for line in self.howdah.sessions() if line["reason"] == "ended-by-order"])
        self.assertEqual([line["session"] for line in ended], [first["id"]])
        kept = []
        for holder in holders:
            try:
                kept.append(holder.let_go())
            except Refused:
                pass
        self.assertEqual(len(kept), 1, "one of two was ended")

    def test_timeout_ends_what_is_left(self):
        holder = Holder("pyhive", "127.0.0.1", self.port)
        self.addCleanup(holder.kill)
        self.howdah.told("drain", f"hive/{holder.server}", "--wait", "--timeout", "1s")
        with self.assertRaises(Refused):
            holder.let_go()
        kit.until("its line", lambda: [line for line in self.howdah.sessions() if line["reason"] == "drained"])
        self.howdah.told("ready", f"hive/{holder.server}")


class Stop(unittest.TestCase):
    def test_sigterm_lets_a_running_query_finish(self):
        howdah, port = bed().front("stop")
        holder = Holder("pyhive", "127.0.0.1", port)
        self.addCleanup(holder.kill)
        howdah.signal(signal.SIGTERM)
        kit.until("the listener to close", lambda: not kit.answers("127.0.0.1", port))
        self.assertTrue(howdah.running(), "gone with a session open")
        self.assertIn(holder.let_go(), ("a", "b"))
        self.assertEqual(howdah.child.wait(20), 0, howdah.tail())
