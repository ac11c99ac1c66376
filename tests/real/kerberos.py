"""A real KDC (MIT) with a realm of its own, on loopback, and keytabs for whoever is asked for."""
import os
import struct
import subprocess

from . import kit


class Kdc:
    """`ticket_seconds` is how long its tickets hold at most."""

    REALM = "HOWDAH.TEST"

    def __init__(self, folder, name="kdc", ticket_seconds=86400, netns=None):
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.name_of_it, self.port, self.netns = name, kit.free_port(), netns
        self.conf, self.process = self.folder / "krb5.conf", None
        self.conf.write_text(f"""[libdefaults]
  default_realm = {self.REALM}
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  default_ccache_name = FILE:{self.folder}/cc
[realms]
  {self.REALM} = {{
    kdc = 127.0.0.1:{self.port}
  }}
[logging]
  kdc = FILE:{self.folder}/kdc.log
""")
        (self.folder / "kdc.conf").write_text(f"""[kdcdefaults]
  kdc_listen = 127.0.0.1:{self.port}
  kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
  {self.REALM} = {{
    database_name = {self.folder}/principal
    key_stash_file = {self.folder}/stash
    acl_file = {self.folder}/kadm5.acl
    max_life = {ticket_seconds}s
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha256-128:normal
  }}
""")
        self.env = {**os.environ, "KRB5_CONFIG": str(self.conf), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
                    "KRB5CCNAME": f"FILE:{self.folder}/cc"}
        subprocess.run([kit.have("kdb5_util"), "create", "-s", "-r", self.REALM, "-P", "master"], env=self.env,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def name(self, principal):
        return f"{principal}@{self.REALM}"

    def admin(self, order):
        """One order to the database, as its administrator."""
        done = subprocess.run([kit.have("kadmin.local"), "-q", order], env=self.env, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout + done.stderr

    def keytab(self, principal):
        """A file with the keys of a principal, which is made if need be."""
        path = self.folder / (principal.replace("/", "_") + ".keytab")
        if not path.exists():
            # As Active Directory: whoever asks for a ticket proves that he has the key.
            self.admin(f"addprinc -randkey +requires_preauth {principal}")
            self.write_keytab(principal, path)
        return path

    def write_keytab(self, principal, path):
        said = self.admin(f"ktadd -norandkey -k {path} {principal}")
        assert path.exists(), said
        path.chmod(0o600)

    def add_realm(self, realm, port):
        """A realm whose KDC is not there."""
        text = self.conf.read_text()
        self.conf.write_text(text.replace("[realms]", f"[realms]\n  {realm} = {{\n    kdc = 127.0.0.1:{port}\n  }}"))

    def keytab_elsewhere(self, principal, realm):
        """Keys that no KDC knows: those of the principal of that name here."""
        text = self.keytab(principal).read_bytes()
        # A length before the realm and one before the whole entry, which are told anew.
        entries, at = [], 2
        while at < len(text):
            [length] = struct.unpack(">i", text[at:at + 4])
            entry, at = text[at + 4:at + 4 + length], at + 4 + length
            rest = entry[4 + len(self.REALM):]
            entries.append(entry[:2] + struct.pack(">H", len(realm)) + realm.encode() + rest)
        path = self.folder / f"{principal}@{realm}.keytab"
        path.write_bytes(b"\5\2" + b"".join(struct.pack(">i", len(entry)) + entry for entry in entries))
        path.chmod(0o600)

    def expire(self, principal):
        """The principal ended yesterday."""
        self.admin(f"modprinc -expire yesterday {principal}")

    def start(self):
        inside = ["ip", "netns", "exec", self.netns] if self.netns else []
        self.process = kit.Process(f"krb5kdc-{self.name_of_it}", [*inside, kit.have("krb5kdc"), "-n", "-r", self.REALM],
                                   self.folder, env=self.env)
        if self.netns:
            ask = [*inside, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{self.port}"]
            kit.until("the KDC in its namespace", lambda: subprocess.run(ask, stderr=subprocess.DEVNULL).returncode == 0, 20)
        else:
            self.process.listens("127.0.0.1", self.port, 20)
        return self

    def asked(self, what):
        """How often it was asked for a ticket: AS_REQ the first one, TGS_REQ others."""
        log = self.folder / "kdc.log"
        return log.read_text().count(f"{what} (") if log.exists() else 0

    def login(self, principal):
        """A ticket for clients, in the cache that `env` names."""
        subprocess.run([kit.have("kinit"), "-kt", self.keytab(principal), self.name(principal)], env=self.env, check=True)
