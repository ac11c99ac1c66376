"""The dashboard before real HiveServer2 servers: a drain ordered on a server's page, its progress, and its end."""
import os
import subprocess
import unittest

from . import kit
from .bed import bed
from .clients import Holder


class Page(unittest.TestCase):
    def test_a_drain_on_the_page_lets_the_running_query_finish(self):
        try:
            home = kit.install_browser()
        except kit.Missing as fault:
            self.skipTest(fault)
        howdah, port = bed().front("page")
        self.addCleanup(howdah.stop)
        holder = Holder("pyhive", "127.0.0.1", port)
        self.addCleanup(holder.kill)
        env = {**os.environ, "HOWDAH_TEST_NODE": str(home), "HOWDAH_TEST_CHROMIUM": kit.have("chromium")}
        script = ["node", kit.ROOT / "tests/browser/real.mjs", f"http://{howdah.admin}", "hive", holder.server]
        page = subprocess.Popen(script, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(page.kill)
        first = page.stdout.readline()
        self.assertEqual(first.strip(), "DRAINING", first + page.stdout.read() if first.strip() != "DRAINING" else "")
        self.assertEqual(howdah.server("hive", holder.server)["admin"], "draining")
        self.assertEqual(holder.let_go(), holder.server, "the session did not stay")
        said, _ = page.communicate(timeout=40)
        self.assertEqual(page.returncode, 0, said)
        self.assertEqual(howdah.server("hive", holder.server)["admin"], "ready")
