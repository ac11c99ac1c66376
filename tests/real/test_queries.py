"""beeline, impyla and PyHive run queries through howdah, plain and over TLS."""
import json
import unittest

from . import kit
from .bed import bed
from .balancer import Howdah
from .clients import Holder, Refused, beeline, instance, query
from .servers import Directory

WHO = "SET spark.howdah.instance"


class Plain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.howdah, cls.port = bed().front("plain")

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()

    def test_beeline_runs_queries(self):
        answer = beeline("127.0.0.1", self.port, "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT * FROM range(1000); "
                                                 "SELECT concat('sum=', sum(id)) FROM v; SET spark.howdah.instance")
        self.assertIn("sum=499500", answer)
        self.assertRegex(answer, r"instance\s[ab]\b")

    def test_impyla_runs_queries(self):
        self.python("impyla")

    def test_pyhive_runs_queries(self):
        self.python("pyhive")

    def python(self, library):
        count, large, who = query(library, "127.0.0.1", self.port, "SELECT sum(id) FROM range(1000)",
                                  "SELECT id, repeat('x', 100) FROM range(20000)", WHO)
        self.assertEqual(count, [[499500]])
        self.assertEqual((len(large), large[-1]), (20000, [19999, "x" * 100]))
        self.assertIn(who[0][1], ("a", "b"))

    def test_sessions_spread_over_both_servers(self):
        seen = {instance("pyhive", "127.0.0.1", self.port) for _ in range(4)}
        self.assertEqual(seen, {"a", "b"})

    def test_explain_foretells_where_a_session_goes(self):
        for _ in range(3):
            told = json.loads(self.howdah.told("explain", "--listener", "hive", "--client", "127.0.0.1", "--json"))
            self.assertEqual((told["decision"], told["pool"], len(told["next"])), ("server", "hive", 1), told)
            self.assertEqual(instance("pyhive", "127.0.0.1", self.port), told["server"])
            kit.until("its end", lambda: not any(self.howdah.server("hive", one)["sessions_active"] for one in ("a", "b")))

    def test_doctor_finds_nothing_serious(self):
        found = json.loads(self.howdah.get("/api/v1/doctor"))["findings"]
        pools = [one for one in found if one["where"] != "this machine" and one["level"] != "note"]
        self.assertEqual(pools, [], "a warning about servers that work")

    def test_each_session_leaves_one_line(self):
        before = len(self.howdah.sessions())
        where = instance("impyla", "127.0.0.1", self.port)
        line = kit.until("the session's line", lambda: self.howdah.sessions()[before:])[-1]
        self.assertEqual((line["server"], line["stage"], line["attempts"]), (where, "relay", 1))
        self.assertIn(line["reason"], ("client-closed", "server-closed"))
        self.assertGreater(line["bytes_from_server"], 200)


class Terminated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.howdah, cls.port = bed().front("terminated", tls=True)

    @classmethod
    def tearDownClass(cls):
        cls.howdah.stop()

    def test_beeline_over_tls(self):
        self.assertRegex(beeline("127.0.0.1", self.port, WHO, tls=bed().tls), r"instance\s[ab]\b")

    def test_impyla_over_tls(self):
        self.assertIn(instance("impyla", "127.0.0.1", self.port, ca=str(bed().tls.ca)), ("a", "b"))

    def test_plain_client_is_turned_away_and_others_go_on(self):
        with self.assertRaises(Refused):
            instance("pyhive", "127.0.0.1", self.port)
        kit.until("its line", lambda: [line for line in self.howdah.sessions() if line["reason"] == "tls-failed"])
        self.assertIn(instance("impyla", "127.0.0.1", self.port, ca=str(bed().tls.ca)), ("a", "b"))


class Encrypted(unittest.TestCase):
    def test_plain_client_reaches_a_server_that_speaks_only_tls(self):
        port, strict, tls = kit.free_port(), bed().strict, bed().tls
        secret = bed().folder / "probe.password"
        secret.write_text(Directory.PASSWORD + "\n")
        howdah = Howdah(bed().folder, "encrypted", f'''
[[listener]]
name = "hive"
bind = "127.0.0.1:{port}"
pool = "hive"

[pool.hive]
service = "hiveserver2"
servers = [{{ name = "strict", address = "{strict.address}" }}]

[pool.hive.probe]
type = "hiveserver2"
depth = "query"
username = "{Directory.USER}"
password_file = "{secret}"
interval = "1s"
timeout = "10s"

[pool.hive.tls]
ca = "{tls.ca}"
''')
        howdah.awaits("hive", "strict", "up")
        login = {"auth": "LDAP", "user": Directory.USER}
        self.assertEqual(instance("impyla", "127.0.0.1", port, password=Directory.PASSWORD, **login), "strict")
        with self.assertRaises(Refused):
            instance("impyla", "127.0.0.1", port, password="wrong", **login)
        howdah.stop()


class TakenOver(unittest.TestCase):
    def test_a_query_runs_across_a_takeover_and_its_rows_come_after(self):
        old, port = bed().front("taken-over")
        self.addCleanup(old.stop)
        reader = Holder("impyla", "127.0.0.1", port, "across")
        self.addCleanup(reader.kill)
        new = old.takeover()
        self.addCleanup(new.stop)

        def served():
            self.assertTrue(new.running(), new.tail())
            status = json.loads(old.get("/api/v1/status"))
            return status if status["pid"] == new.pid and status.get("predecessors") else None
        former = kit.until("the new howdah to serve", served)["predecessors"]
        self.assertEqual([(one["pid"], one["sessions"]) for one in former], [(old.pid, 1)])
        self.assertEqual(former[0]["pools"][0]["servers"][0]["name"], reader.server)
        self.assertIn(instance("pyhive", "127.0.0.1", port), ("a", "b"))
        [listener] = json.loads(old.get("/api/v1/status"))["listeners"]
        self.assertEqual(listener["sessions_total"], 1, "not by the new howdah")

        self.assertEqual(reader.last_words(), [reader.server, "20000", "19999"])
        kit.until("the old howdah's end", lambda: not old.running())
        self.assertEqual(old.child.returncode, 0, old.tail())
        self.assertNotIn("predecessors", json.loads(old.get("/api/v1/status")))
