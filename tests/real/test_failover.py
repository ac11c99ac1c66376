"""One server dies by kill -9 while 20 clients loop, and comes back."""
import json
import signal
import subprocess
import time
import unittest
from datetime import datetime

from . import kit
from .bed import bed
from .clients import python_client

CLIENTS = 20
GRACE = 1.0  # seconds from the first failed connect to the last session that may still be tried there


class Crowd:
    """Clients that loop until stopped, and what each of their sessions saw."""

    def __init__(self, folder, port):
        self.path = folder / "crowd.jsonl"
        with open(self.path, "wb") as out:
            self.child = subprocess.Popen(python_client("loop", "127.0.0.1", port, clients=CLIENTS, hold=4),
                                          stdin=subprocess.PIPE, stdout=out, start_new_session=True)

    def seen(self):
        return [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("}")]

    def since(self, moment, server):
        return [each for each in self.seen() if each["start"] > moment and each["server"] == server and not each["error"]]

    def stop(self):
        """Lets each client finish its session."""
        self.child.stdin.close()
        self.child.wait(90)
        return self.seen()

    def kill(self):
        self.child.kill()
        self.child.wait()


def began(line):
    """When a session of the access log was accepted."""
    return datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp() - line["duration_seconds"]


def left_unheard(line):
    """Whether the client connected and left without a byte, as impyla does when it opens a lost session's socket once more:
    there was nothing to carry, so no server was chosen."""
    return line["stage"] == "greet" and line["reason"] == "client-closed" and line["bytes_from_client"] == 0


class Failover(unittest.TestCase):
    def test_kill_9_of_one_server_while_20_clients_loop(self):
        killed, other = bed().pair
        howdah, port = bed().front("failover")
        crowd = Crowd(bed().folder, port)
        self.addCleanup(crowd.kill)
        kit.until("sessions on both servers", lambda: all(len(crowd.since(0, s.name)) >= CLIENTS for s in bed().pair), 120)

        death = time.time()
        killed.kill()
        kit.until("the rest to go on", lambda: len(crowd.since(death + 3, other.name)) >= 3 * CLIENTS, 120)
        howdah.awaits("hive", killed.name, "down")
        revival = time.time()
        killed.start()
        kit.until("the revived server to take sessions", lambda: len(crowd.since(revival, killed.name)) >= CLIENTS, 120)
        seen = crowd.stop()
        howdah.stop()

        lost = [each for each in seen if each["error"]]
        elsewhere = [each for each in lost if each["server"] == other.name]
        self.assertEqual(elsewhere, [], "sessions on the other server ended too")
        late = [each for each in lost if each["start"] > death + GRACE]
        self.assertEqual(late, [], "sessions failed long after the kill")
        self.assertTrue([each for each in lost if each["server"] == killed.name], "nobody was on the killed server")

        lines = howdah.sessions()
        retried = sorted(began(line) for line in lines if line["attempts"] > 1)
        first = retried[0] if retried else death
        after = [line for line in lines if first + GRACE < began(line) < revival]
        self.assertGreater(len(after), CLIENTS)
        wrong = [line for line in after if not left_unheard(line) and (line["server"] != other.name or line["attempts"] != 1)]
        self.assertEqual(wrong, [], f"tried the dead server later than {GRACE:g} s after the first failed connect")
        cut = [line for line in lines if line["server"] == other.name and line["reason"] != "client-closed"]
        self.assertEqual(cut, [], "howdah ended sessions on the other server")
        print(f"\n    {len(seen)} sessions by {CLIENTS} clients; {len(lost)} lost, all on the killed server; "
              f"{len(retried)} connects went on to the other; first {first - death:.3f} s after the kill, "
              f"last {max(retried, default=first) - first:.3f} s after that; {len(after)} sessions while it was away; "
              f"back {self.back(crowd, revival, killed):.1f} s after its restart began")

    @staticmethod
    def back(crowd, revival, killed):
        return min(each["start"] for each in crowd.since(revival, killed.name)) - revival


class Stopped(unittest.TestCase):
    def test_stopped_process_is_left_out_and_taken_back(self):
        frozen, other = bed().pair
        howdah, _port = bed().front("stopped", bed().pool(timeout='"1s"'))
        frozen.process.signal(signal.SIGSTOP)
        try:
            gone = howdah.awaits("hive", frozen.name, "down")
            self.assertEqual(gone["reason"], "timeout")
            self.assertEqual(howdah.server("hive", other.name)["health"], "up")
        finally:
            frozen.process.signal(signal.SIGCONT)
        howdah.awaits("hive", frozen.name, "up")
        howdah.stop()
