"""Real clients: beeline (out of Spark's jars), impyla and PyHive, each a process of its own, as at a user's desk."""
import json
import subprocess

from . import kit


class Refused(AssertionError):
    """The client ended with an error; the text is its own."""


def beeline(host, port, sql, user="u", password="p", tls=None, timeout=60, url=None, kdc=None, principal=None):
    """Runs one statement and gives what beeline prints. `url` stands for host and port, where they are to be found out."""
    url = url or f"jdbc:hive2://{host}:{port}/default"
    if tls:
        url += f";ssl=true;sslTrustStore={tls.truststore};trustStorePassword={tls.PASSWORD}"
    account = ["-n", user, "-p", password]
    ticket, env = [], None
    if kdc:
        url += f";principal={principal}"
        account, env = [], kdc.env
        ticket = [f"-Djava.security.krb5.conf={kdc.conf}", "-Djavax.security.auth.useSubjectCredsOnly=false"]
    done = subprocess.run(
        ["java", *ticket, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{kit.spark_home()}/jars/*",
         "org.apache.hive.beeline.BeeLine", "-u", url, *account, "--silent=true",
         "--showDbInPrompt=false", "--outputformat=tsv2", "-e", sql],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=env)
    if done.returncode != 0:
        raise Refused((done.stdout + done.stderr)[-1500:])
    return done.stdout


def python_client(*words, **more):
    """The command that runs client.py in the virtual environment of the Python clients."""
    return [str(kit.CACHE / "dbapi/bin/python"), str(kit.ROOT / "tests/real/client.py"), *map(str, words), json.dumps(more)]


def query(library, host, port, *statements, inside=(), **more):
    """Runs statements in one session of impyla or PyHive and gives each one's rows."""
    done = subprocess.run([*inside, *python_client("query", library, host, port, sql=statements, **more)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Refused(done.stderr[-1500:])
    return json.loads(done.stdout)


def instance(library, host, port, **more):
    """The name of the server that a new session lands on."""
    return query(library, host, port, "SET spark.howdah.instance", **more)[0][0][1]


class Holder:
    """A session with a query under way, query after query, until it is let go; or (`across`) one query, whose rows it fetches then."""

    def __init__(self, library, host, port, verb="hold"):
        self.child = subprocess.Popen(python_client(verb, library, host, port), text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.server = self.child.stdout.readline().strip()
        self.child.stdout.readline()
        if not self.server:
            raise Refused(self.child.communicate()[1][-1500:])

    def let_go(self):
        """Where the session is at its end, after the query under way has finished; Refused if it was cut."""
        return self.last_words()[-2]

    def last_words(self):
        """Everything that it still says; Refused if it was cut."""
        said, faults = self.child.communicate("", timeout=60)
        if self.child.returncode != 0:
            raise Refused(faults[-1500:])
        return said.split()

    def kill(self):
        self.child.kill()
        self.child.communicate()
