"""A howdah and a real HAProxy share sticky entries: each teaches the other, and either learns all anew after a restart.

Both run the files of docs/operating/peers.md, with addresses and ports of this machine in place of the page's.
"""
import json
import re
import unittest

from . import kit
from .balancer import Howdah
from .bed import bed
from .haproxies import HAProxy, Servers, ask, binary

PAGE = kit.ROOT / "docs/operating/peers.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


class Pair:
    """The page's two nodes, on ports of this machine."""

    def __init__(self, folder, tls=None):
        self.folder = folder
        folder.mkdir(parents=True)
        self.servers = Servers("hue-1", "hue-2")
        self.ports = {"10.0.0.1:1024": kit.free_port(), "10.0.0.2:1024": kit.free_port()}
        self.fronts = [kit.free_port(), kit.free_port()]
        howdah, haproxy = blocks("toml")[0], blocks("haproxy")[0]
        if tls:
            howdah = howdah.replace(*self.lines(howdah, blocks("toml")[1], "[cluster.peers]", "peers ="))
            haproxy = haproxy.replace(*self.lines(haproxy, blocks("haproxy")[1], "    bind 10.0.0.2", "    server lb-1"))
            howdah = howdah.replace("peers-ca.crt", str(tls.ca)).replace("peer.crt", str(tls.cert)).replace("peer.key", str(tls.key))
            pem = folder / "peer.pem"
            pem.write_text(tls.pem())
            haproxy = haproxy.replace("/etc/haproxy/peers-ca.crt", str(tls.ca)).replace("/etc/haproxy/peer.pem", str(pem))
        self.howdah_file = self.here(howdah, 0).replace('service = "hue"', 'service = "hue"\nprobe = "none"')
        socket = f"global\n    stats socket {folder}/lb-2.sock level admin\n"
        self.haproxy = HAProxy(folder, "lb-2", self.here(haproxy, 1).replace("global\n", socket).replace(" check", ""))
        self.howdah = None
        self.starts = 0

    @staticmethod
    def lines(text, other, first, last):
        """From the line that begins so to the line that begins so: of one text, and of the other up to its end."""
        old = re.search(rf"^{re.escape(first)}.*?^{re.escape(last)}[^\n]*\n", text, re.M | re.S).group()
        return old, other

    def here(self, text, which):
        for address, port in self.ports.items():
            text = text.replace(address, f"127.0.0.1:{port}")
        for name, port in self.servers.ports.items():
            text = text.replace(f"{name}.example.com:8888", f"127.0.0.1:{port}")
        return text.replace("0.0.0.0:8888", f"127.0.0.1:{self.fronts[which]}").replace("bind :8888", f"bind 127.0.0.1:{self.fronts[which]}")

    def start_howdah(self):
        self.starts += 1
        self.howdah = Howdah(self.folder, f"lb-1-{self.starts}", self.howdah_file)

    def peer(self):
        return json.loads(self.howdah.get("/api/v1/status"))["peers"][0]

    def together(self):
        kit.until("the two are connected", lambda: self.peer()["state"] == "connected", 15)

    def entries(self):
        return self.howdah.pool("hue")["sticky_entries"]

    def meet(self, which, last):
        return ask(self.fronts[which], f"127.0.7.{last}")

    def close(self):
        if self.howdah:
            self.howdah.stop()
        self.haproxy.stop()
        self.servers.close()


class Authority:
    """Signs certificates for 127.0.0.1 that are good for both ends of a connection."""

    def __init__(self, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.cert, self.key = (folder / f"{name}{end}" for end in ("-ca.crt", ".crt", ".key"))
        ca_key, request, more = (folder / f"{name}{end}" for end in ("-ca.key", ".csr", ".ext"))
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        more.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        for command in (["req", "-x509", *curve, "-days", "2", "-subj", f"/CN={name} authority", "-keyout", ca_key, "-out", self.ca],
                        ["req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", self.key, "-out", request],
                        ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
                         "-extfile", more, "-out", self.cert]):
            kit.quiet(["openssl", *map(str, command)])

    def pem(self):
        return self.cert.read_text() + self.key.read_text()


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            kit.need_debs(openssl="openssl")
            binary()
        except kit.Missing as fault:
            raise unittest.SkipTest(str(fault)) from fault

    def pair(self, name, tls=None):
        pair = Pair(bed().folder / "peers" / name, tls)
        self.addCleanup(pair.close)
        return pair

    def exchange(self, pair):
        """Each meets three clients of its own, and the other knows them within a second."""
        homes = {}
        for which, lasts in ((0, (1, 2, 3)), (1, (4, 5, 6))):
            for last in lasts:
                homes[last] = pair.meet(which, last)
        kit.until("howdah knows all six", lambda: pair.entries() == 6, 3)
        kit.until("HAProxy knows all six", lambda: len(pair.haproxy.table("hue")) == 6, 3)
        self.assertEqual(len(set(homes.values())), 2, "both servers have some")
        return homes

    def same(self, pair, which, homes):
        for last, home in homes.items():
            self.assertEqual(pair.meet(which, last), home, f"client {last} at {which}")

    def test_each_teaches_the_other_and_either_learns_all_anew(self):
        pair = self.pair("plain")
        pair.start_howdah()
        pair.haproxy.start()
        pair.together()
        homes = self.exchange(pair)
        self.same(pair, 0, homes)
        self.same(pair, 1, homes)
        # HAProxy starts anew: howdah teaches it.
        pair.haproxy.stop()
        kit.until("HAProxy is missed", lambda: pair.peer()["state"] == "away", 5)
        pair.haproxy.start()
        kit.until("HAProxy knows all again", lambda: len(pair.haproxy.table("hue")) == 6, 15)
        self.same(pair, 1, homes)
        # howdah starts anew: HAProxy teaches it.
        pair.howdah.stop()
        pair.start_howdah()
        kit.until("howdah knows all again", lambda: pair.entries() == 6, 15)
        self.same(pair, 0, homes)
        self.assertEqual(pair.howdah.metric("howdah_peers_entries_ignored_total"), 0)

    def test_by_tls_both_are_verified(self):
        folder = bed().folder / "peers" / "authorities"
        tls = Authority(folder, "peers")
        pair = self.pair("tls", tls)
        pair.start_howdah()
        pair.haproxy.start()
        pair.together()
        homes = self.exchange(pair)
        self.same(pair, 1, homes)
        # The certificate of somebody else: refused by howdah, who says so.
        other = folder / "other.pem"
        other.write_text(Authority(folder, "other").pem())
        pair.haproxy.stop()
        stranger = pair.haproxy.file
        stranger.write_text(stranger.read_text().replace(str(pair.folder / "peer.pem"), str(other)))
        pair.haproxy.start()
        kit.until("howdah refuses it", lambda: "TLS" in (pair.peer()["why"] or ""), 10)


if __name__ == "__main__":
    unittest.main()
