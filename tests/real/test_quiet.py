"""Handshake probing leaves no ERROR in the server's log. Last, because it had to run for a while."""
import socket
import time
import unittest

from . import kit
from .bed import QUIET_INTERVAL, QUIET_SECONDS, bed


class Quiet(unittest.TestCase):
    def test_handshake_probing_leaves_no_error_in_the_servers_log(self):
        server, howdah, since = bed().quiet
        kit.until("the probing to have gone on long enough",
                  lambda: time.monotonic() - since >= QUIET_SECONDS, QUIET_SECONDS + 5, 1)
        probes = howdah.metric("howdah_health_probes_total", server="quiet")
        seconds = time.monotonic() - since
        self.assertEqual(howdah.awaits("quiet", "quiet", "up")["health"], "up")
        self.assertGreater(probes, 0.5 * seconds / QUIET_INTERVAL, "too few probes to show anything")
        self.assertEqual(server.faults(), [])
        print(f"\n    {probes:.0f} handshakes in {seconds:.0f} s: no ERROR")
        howdah.stop()

        # The log would have told: a mechanism that nobody has is an ERROR in it.
        with socket.create_connection((server.host, server.port), timeout=10) as refused:
            refused.sendall(b"\x01\x00\x00\x00\x04NONE" + b"\x05\x00\x00\x00\x00")
            while refused.recv(4096):
                pass
        kit.until("the ERROR of a refused login", server.faults)
