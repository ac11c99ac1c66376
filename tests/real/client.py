"""Runs inside the virtual environment of impyla and PyHive: queries, or many clients that loop.

client.py query impyla|pyhive HOST PORT {"sql": [...]}         rows of each statement as JSON
client.py hold  impyla|pyhive HOST PORT {}                     one session that runs query after query until stdin ends
client.py across impyla|pyhive HOST PORT {}                    one query, whose rows it fetches when it is told to
client.py loop  HOST PORT {"clients": 20, "hold": 5}           one JSON line per session, until stdin ends
"""
import json
import sys
import threading
import time

WHO = "SET spark.howdah.instance"
BUSY = "SELECT java_method('java.lang.Thread', 'sleep', CAST(2000 AS BIGINT))"

SLOW_AND_LONG = ("SELECT id, repeat('x', 100), slept FROM (SELECT java_method('java.lang.Thread', 'sleep', CAST(3000 AS BIGINT)) AS slept) "
                 "CROSS JOIN range(20000)")


def connect(library, host, port, user="u", password="p", auth="PLAIN", ca=None, http=False):
    if library == "impyla":
        from impala.dbapi import connect as impyla
        more = {"use_ssl": True, "ca_cert": ca} if ca else {}
        more |= {"use_http_transport": True, "http_path": "cliservice"} if http else {}
        return impyla(host=host, port=port, auth_mechanism=auth, user=user, password=password, timeout=60, **more)
    from pyhive import hive
    if auth == "LDAP":
        return hive.connect(host=host, port=port, username=user, password=password, auth=auth)
    return hive.connect(host=host, port=port, username=user, auth={"PLAIN": "NONE"}.get(auth, auth))


def rows(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    found = [list(row) for row in cursor.fetchall()]
    cursor.close()
    return found


def query(library, host, port, sql, **login):
    connection = connect(library, host, int(port), **login)
    print(json.dumps([rows(connection, statement) for statement in sql], default=str))
    connection.close()


def hold(library, host, port):
    """Says where it is, works until told to end, and says where it is and how many queries it ran."""
    connection = connect(library, host, int(port))
    print(rows(connection, WHO)[0][1], flush=True)
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    queries = 0
    while not ending.is_set():
        print("running", flush=True)
        rows(connection, BUSY)
        queries += 1
    print(rows(connection, WHO)[0][1], queries, flush=True)
    connection.close()


def across(library, host, port):
    """Says where it is, and that its query runs; fetches when told to, and says where it is, how many rows came and the last one's number."""
    connection = connect(library, host, int(port))
    print(rows(connection, WHO)[0][1], flush=True)
    cursor = connection.cursor()
    print("running", flush=True)
    cursor.execute(SLOW_AND_LONG)
    sys.stdin.read()
    found = cursor.fetchall()
    cursor.close()
    print(rows(connection, WHO)[0][1], len(found), max(row[0] for row in found), flush=True)
    connection.close()


def loop(host, port, clients, hold):
    """Each client: open a session, ask which server it is, ask on for a while, close; forever."""
    said, stopping = threading.Lock(), threading.Event()

    def one(number):
        library = "pyhive" if number % 2 else "impyla"
        while not stopping.is_set():
            session = {"client": number, "library": library, "start": time.time(), "server": None, "error": None}
            try:
                connection = connect(library, host, int(port))
                for _ in range(hold):
                    session["server"] = rows(connection, WHO)[0][1]
                    session.setdefault("first_answer", time.time())
                    stopping.wait(0.05)
                connection.close()
            except Exception as error:
                session["error"] = f"{type(error).__name__}: {error}"[:300]
                stopping.wait(0.1)
            session["end"] = time.time()
            with said:
                print(json.dumps(session), flush=True)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join(60)


if __name__ == "__main__":
    verb, *words, options = sys.argv[1:]
    {"query": query, "hold": hold, "across": across, "loop": loop}[verb](*words, **json.loads(options))
