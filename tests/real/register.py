"""Runs inside the virtual environment of kazoo: holds znodes under a namespace for as long as stdin is open.

register.py ZOOKEEPERS NAMESPACE TIMEOUT      each line of stdin is a request in JSON, each line of stdout its answer

{"add": [[NAME, DATA], ...]}    ephemeral sequential znodes; their names      {"deregister": VERSION}   how many it deleted
{"put": [[NAME, DATA], ...]}    lasting ones                                  {"acl": [USER, PASSWORD]} who alone may read
{"owners": [FOLDER, ...]}       whose session holds each znode in it          {"delete": [NAME, ...]}   whosesoever
"""
import json
import sys

from kazoo.client import KazooClient
from kazoo.retry import KazooRetry
from kazoo.security import make_digest_acl


def main(hosts, namespace, timeout):
    # An ensemble that is away for a while is waited for.
    retry = KazooRetry(max_tries=-1, delay=0.05, backoff=1.5, max_delay=0.5)
    zookeeper = KazooClient(hosts=hosts, timeout=float(timeout), connection_retry=retry, command_retry=retry)
    zookeeper.start(timeout=30)
    root = f"/{namespace}"
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        [(verb, what)] = json.loads(line).items()
        print(json.dumps(VERBS[verb](zookeeper, root, what)), flush=True)
    zookeeper.stop()


def add(zookeeper, root, znodes):
    zookeeper.ensure_path(root)
    made = []
    for start in range(0, len(znodes), 500):
        asked = [zookeeper.create_async(f"{root}/{name}", data.encode(), ephemeral=True, sequence=True)
                 for name, data in znodes[start:start + 500]]
        made += [one.get(timeout=30) for one in asked]
    return [path.rsplit("/", 1)[1] for path in made]


def put(zookeeper, root, znodes):
    zookeeper.ensure_path(root)
    for name, data in znodes:
        path = f"{root}/{name}"
        zookeeper.set(path, data.encode()) if zookeeper.exists(path) else zookeeper.create(path, data.encode())
    return len(znodes)


def deregister(zookeeper, root, version):
    gone = [name for name in zookeeper.get_children(root) if f";version={version};" in name]
    for name in gone:
        zookeeper.delete(f"{root}/{name}")
    return len(gone)


def acl(zookeeper, root, account):
    zookeeper.ensure_path(root)
    zookeeper.add_auth("digest", ":".join(account))
    zookeeper.set_acls(root, [make_digest_acl(*account, all=True)])
    return True


def owners(zookeeper, root, folders):
    paths = [f"{folder}/{name}" for folder in folders for name in sorted(zookeeper.get_children(f"{root}/{folder}"))]
    return {path: zookeeper.exists(f"{root}/{path}").ephemeralOwner for path in paths}


def delete(zookeeper, root, names):
    for name in names:
        zookeeper.delete(f"{root}/{name}")
    return len(names)


VERBS = {"add": add, "put": put, "deregister": deregister, "acl": acl, "owners": owners, "delete": delete}

if __name__ == "__main__":
    main(*sys.argv[1:])
