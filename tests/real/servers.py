"""Real servers: HiveServer2's protocol (the Spark Thrift server) and an LDAP directory that checks passwords.

Each server binds one address of 127.0.0.0/8, so the members of a pool can share a port, as they do in a cluster.
In HTTP mode Spark ignores the address and listens on all of them: such a server runs in a network namespace.
"""
import shutil
import subprocess

from . import kit
from .clients import beeline

OPENS = [f"java.base/java.{name}" for name in
         ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic")]
OPENS += ["java.security.jgss/sun.security.krb5"]
OPENS += [f"java.base/sun.{name}" for name in ("nio.ch", "nio.cs", "security.action", "util.calendar")]

LOG4J = """rootLogger.level = warn
rootLogger.appenderRef.s.ref = s
appender.s.type = Console
appender.s.name = s
appender.s.target = SYSTEM_ERR
appender.s.layout.type = PatternLayout
appender.s.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
logger.t.name = org.apache.spark.sql.hive.thriftserver
logger.t.level = info
"""


class HiveServer:
    """One server; `instance` is what it answers when asked for its name. start() may be called again after kill()."""

    def __init__(self, folder, name, host, port, tls=None, ldap=None, http=False, netns=None,
                 kdc=None):
        self.name, self.host, self.port = name, host, port
        self.tls, self.ldap, self.netns, self.kdc = tls, ldap, netns, kdc
        self.folder = folder / f"hs2-{name}"
        self.hive = {"hive.server2.thrift.bind.host": host, "hive.server2.thrift.port": port,
                     "hive.exec.scratchdir": self.folder / "tmp/scratch",
                     "hive.exec.local.scratchdir": self.folder / "tmp/local"}
        if tls:
            self.hive |= {"hive.server2.use.SSL": "true", "hive.server2.keystore.path": tls.keystore,
                          "hive.server2.keystore.password": tls.PASSWORD}
        if ldap:
            self.hive |= {"hive.server2.authentication": "LDAP", "hive.server2.authentication.ldap.url": ldap.url,
                          "hive.server2.authentication.ldap.baseDN": f"ou=people,{ldap.BASE}"}
        if http:
            self.hive |= {"hive.server2.transport.mode": "http", "hive.server2.thrift.http.port": port,
                          "hive.server2.thrift.http.path": "cliservice"}
        if kdc:
            service = kdc.name("hive/localhost")
            self.hive |= {"hive.server2.authentication": "KERBEROS",
                          "hive.server2.authentication.kerberos.principal": service,
                          "hive.server2.authentication.kerberos.keytab": kdc.keytab("hive/localhost")}
        self.process = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def begin(self):
        """Starts it without waiting."""
        for sub in ("tmp/scratch", "tmp/local", "warehouse", "local", "conf"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        (self.folder / "conf/log4j2.properties").write_text(LOG4J)
        self.process = kit.Process(f"hs2-{self.name}", self.command(), self.folder, cwd=self.folder,
                                   env={**kit.os.environ, "SPARK_HOME": str(kit.spark_home()),
                                        "SPARK_LOCAL_IP": "127.0.0.1"})
        return self

    def up(self):
        """Waits until it listens (5 to 10 s on an idle machine)."""
        self.process.listens(self.host, self.port, 120) if not self.netns else self._up_in_namespace()
        return self

    def start(self):
        return self.begin().up()

    def command(self):
        spark, home = kit.spark_home(), self.folder
        conf = {"spark.ui.enabled": "false", "spark.local.dir": home / "local",
                "spark.sql.warehouse.dir": home / "warehouse", "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1", "spark.sql.catalogImplementation": "in-memory",
                "spark.sql.shuffle.partitions": "1", "spark.howdah.instance": self.name,
                # Hive opens a metastore on the first session close; without a URL that fails for 45 s.
                "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:ms;create=true",
                "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
                "spark.hadoop.hive.metastore.schema.verification": "false"}
        if self.kdc:
            conf |= {"spark.hadoop.hadoop.security.authentication": "kerberos"}
        secure = [f"-Djava.security.krb5.conf={self.kdc.conf}"] if self.kdc else []
        inside = ["ip", "netns", "exec", self.netns] if self.netns else []
        return [*inside, "java", *secure, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
                f"-Dhowdah.instance={self.name}", f"-Djava.io.tmpdir={home / 'tmp'}",
                f"-Dderby.system.home={home / 'derby'}", "-Djava.security.egd=file:/dev/urandom",
                "-cp", f"{home / 'conf'}:{spark}/jars/*", "org.apache.spark.deploy.SparkSubmit",
                "--master", "local[2]", "--name", self.name,
                "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
                *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")), "spark-internal",
                *(word for key, value in self.hive.items() for word in ("--hiveconf", f"{key}={value}"))]

    def _up_in_namespace(self):
        """Nobody outside can connect, so one inside does."""
        ask = ["ip", "netns", "exec", self.netns, "bash", "-c", f"exec 3<>/dev/tcp/{self.host}/{self.port}"]

        def ready():
            assert self.process.running(), f"{self.name} ended:\n{self.process.tail()}"
            return subprocess.run(ask, stderr=subprocess.DEVNULL).returncode == 0
        kit.until(f"{self.name} in {self.netns}", ready, 120, 0.2)

    def warm(self, **login):
        """The first query of an instance loads classes for 3 to 16 s; let nobody measure that."""
        answer = beeline(self.host, self.port, "SET spark.howdah.instance", tls=self.tls, timeout=120, **login)
        assert self.name in answer, f"{self.name} answered: {answer}"
        return self

    def faults(self):
        """The ERROR lines of its log."""
        return [line for line in self.process.text().splitlines() if " ERROR " in line]

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()


class Metastore:
    """Hive's metastore out of Spark's jars, with a database in its memory. It listens on every address: only in a namespace."""

    def __init__(self, folder, name, netns, kdc=None):
        self.folder, self.netns, self.name = folder / f"metastore-{name}", netns, name
        self.address = f"127.0.0.1:{kit.free_port()}"
        for sub in ("conf", "tmp"):
            (self.folder / sub).mkdir(parents=True)
        # Its loggers are told to run on a library that Spark does not bring.
        settings = {"hive.async.log.enabled": "false", "datanucleus.schema.autoCreateAll": "true",
                    "hive.metastore.schema.verification": "false", "hive.metastore.warehouse.dir": self.folder / "warehouse",
                    "javax.jdo.option.ConnectionURL": "jdbc:derby:memory:ms;create=true"}
        self.java = []
        if kdc:
            settings |= {"hive.metastore.sasl.enabled": "true", "hadoop.security.authentication": "kerberos",
                         "hive.metastore.kerberos.principal": kdc.name("hive/localhost"),
                         "hive.metastore.kerberos.keytab.file": kdc.keytab("hive/localhost")}
            self.java = [f"-Djava.security.krb5.conf={kdc.conf}"]
        text = "".join(f"<property><name>{key}</name><value>{value}</value></property>" for key, value in settings.items())
        for name in ("hive-site.xml", "core-site.xml"):
            (self.folder / "conf" / name).write_text(f"<configuration>{text}</configuration>")
        (self.folder / "conf/log4j2.properties").write_text(LOG4J)

    def start(self):
        host, port = self.address.split(":")
        self.process = kit.Process(f"metastore-{self.name}", [
            "ip", "netns", "exec", self.netns, "java", *self.java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}", f"-Dderby.system.home={self.folder / 'derby'}",
            "-Djava.security.egd=file:/dev/urandom", "-cp", f"{self.folder / 'conf'}:{kit.spark_home()}/jars/*",
            "org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", port], self.folder)
        return self


class Namespace:
    """A network of its own with nothing but loopback, for servers that listen on every address. Needs root."""

    def __init__(self, word="net"):
        kit.need_debs(ip="iproute2")
        if kit.os.geteuid() != 0:
            raise kit.Missing("a network namespace needs root")
        self.name = f"howdah-{word}-{kit.os.getpid()}"
        kit.quiet(["ip", "netns", "add", self.name], "ip netns add")
        kit.at_the_end(lambda: kit.quiet(["ip", "netns", "del", self.name], check=False))
        kit.quiet(["ip", "-n", self.name, "link", "set", "lo", "up"])


class Directory:
    """slapd on a loopback port with one account."""

    BASE = "dc=howdah,dc=test"
    USER, PASSWORD = "alice", "alicepw"

    def __init__(self, folder, tls=None, strangers=True):
        self.tls, self.strangers = tls, strangers
        self.folder = folder / ("ldap" if strangers else "ldap-closed")
        (self.folder / "db").mkdir(parents=True)
        self.port = kit.free_port()
        self.url = f"ldap://127.0.0.1:{self.port}"

    def start(self):
        conf = self.folder / "slapd.conf"
        schema = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson"))
        if self.tls:
            self.secure_port = kit.free_port()
        listens = f"{self.url}/" + (f" ldaps://127.0.0.1:{self.secure_port}/" if self.tls else "")
        secure = f"TLSCertificateFile {self.tls.cert}\nTLSCertificateKeyFile {self.tls.key}\n" if self.tls else ""
        closed = "" if self.strangers else "disallow bind_anon\n"
        conf.write_text(f"{secure}{closed}{schema}\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nmaxsize 33554432\n"
                        f'suffix "{self.BASE}"\nrootdn "cn=admin,{self.BASE}"\nrootpw admin\n'
                        f"directory {self.folder / 'db'}\n"
                        "access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n")
        entries = (f"dn: {self.BASE}\nobjectClass: dcObject\nobjectClass: organization\no: howdah\ndc: howdah\n\n"
                   f"dn: ou=people,{self.BASE}\nobjectClass: organizationalUnit\nou: people\n\n"
                   f"dn: uid={self.USER},ou=people,{self.BASE}\nobjectClass: inetOrgPerson\n"
                   f"uid: {self.USER}\ncn: {self.USER}\nsn: {self.USER}\nuserPassword: {self.PASSWORD}\n")
        subprocess.run([kit.have("slapadd"), "-q", "-f", conf], input=entries, text=True, check=True)
        self.process = kit.Process("slapd", [kit.have("slapd"), "-d", "0", "-f", conf, "-h", listens], self.folder)
        self.process.listens("127.0.0.1", self.port, 20)
        return self


class Tls:
    """A development CA and what it signed, made by certs/dev-ca as the README tells people to."""

    PASSWORD = "changeit"

    def __init__(self, folder, *names):
        self.folder = folder / "certs"
        script = kit.ROOT / "certs/dev-ca"
        subprocess.run([script, "--dir", self.folder, "server", "hive", *names], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([script, "--dir", self.folder, "client", "analyst"], check=True, stdout=subprocess.DEVNULL)
        self.ca, self.cert, self.key = (self.folder / name for name in ("ca.crt", "hive.crt", "hive.key"))
        self.keystore, self.truststore = self.folder / "hive.p12", self.folder / "trust.p12"
        subprocess.run(["openssl", "pkcs12", "-export", "-name", "hive", "-in", self.cert, "-inkey", self.key,
                        "-passout", f"pass:{self.PASSWORD}", "-out", self.keystore], check=True)
        subprocess.run([shutil.which("keytool"), "-importcert", "-noprompt", "-alias", "ca", "-file", self.ca,
                        "-storetype", "PKCS12", "-storepass", self.PASSWORD, "-keystore", self.truststore],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
