"""OpenSSL's own client, doing what no other test's client can."""
import subprocess
import unittest

from .place import Place

PATIENCE = 3


class Renegotiation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Place("openssl")
        cls.addClassCleanup(cls.place.close)

    def test_is_refused_at_once_and_not_left_waiting(self):
        command = ["openssl", "s_client", "-connect", self.place.address, "-tls1_2"]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            # A line that is only an R asks for it; the server behind has been sent nothing, and will say nothing.
            for line in client.stdout:
                if "Verify return code" in line:
                    break
            client.stdin.write("R\n")
            client.stdin.flush()
            said, _ = client.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.fail(f"the client still waits for an answer after {PATIENCE} s")
        finally:
            client.kill()
            client.wait()
        self.assertIn("no renegotiation", said)
