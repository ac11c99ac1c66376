"""testssl.sh against a listener that ends TLS: no finding of severity MEDIUM or worse but those explained here.

It comes from Debian's package. What it says of the certificate of this run and of the web server behind the listener is
not about howdah."""
import json
import unittest

from real import kit

from .place import Place

GRAVE = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}
EXPLAINED = {
    "cert_chain_of_trust": "the authority is of this run, and known to nobody",
    "cert_revocation": "a certificate of this run names neither a revocation list nor an OCSP responder",
    "security_headers": "headers are the web server's",
}
# Without these it has not looked at all.
EXPECTED = {"SSLv2", "TLS1", "TLS1_2", "TLS1_3", "heartbleed", "ROBOT", "cipherlist_STRONG"}


class Testssl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kit.install_judges()
        cls.place = Place("testssl")
        cls.addClassCleanup(cls.place.close)

    def test_finds_nothing_grave(self):
        told = self.place.folder / "findings.json"
        command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", str(told), self.place.address]
        # Its exit code counts findings; what they are is in the file.
        kit.quiet(command, check=False, timeout=600)
        findings = json.loads(told.read_text())
        self.assertEqual(EXPECTED - {finding["id"] for finding in findings}, set(), "it did not look at these")
        grave = [f"{finding['severity']} {finding['id']}: {finding['finding']}" for finding in findings
                 if finding["severity"] in GRAVE and finding["id"] not in EXPLAINED]
        self.assertEqual(grave, [])
