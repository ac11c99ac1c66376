"""A server dies under thousands of open sessions: when has the last of its clients heard, when are all served again?

Three servers of a process each, as many sessions on each; one process is killed, and all its connections with it: by
reset, or, as of a process that had read all it was sent, in order. Those who hear come back at once with a request. Sixty
sessions of the servers that live go on asking meanwhile, a thousand times a second."""

import json
import os
import shutil

import machine
import peers as contenders
from rows import Column, Row, Sample, load, server

SESSIONS = 9_000
PORTS = [27101]
TRIO = {"a": "127.0.0.21:27010", "b": "127.0.0.22:27010", "c": "127.0.0.23:27010"}


def prepare(*way):
    """The servers, before the contender that asks for their health."""

    def start(bench):
        bench.trio = [server(bench, address, "--mark", mark, *way) for mark, address in TRIO.items()]
        return bench.trio

    return start


def one_dies(peer, bench):
    """The first server is killed by the load itself, which so knows when."""
    sessions = min(SESSIONS, bench.sessions)
    words = ["--sessions", sessions, "--victim", bench.trio[0].pid, "--mark", "a"]
    process = load(bench, "recover", peer.address("plain"), *words)
    try:
        opened = json.loads(process.stdout.readline() or "{}")
        if opened.get("open") != sessions or opened["victims"] < sessions // 4:
            raise RuntimeError(f"opened: {opened or 'nothing'}, of {sessions}")
        before = machine.processor_seconds(peer.pid)
        process.stdin.write("now\n")
        process.stdin.flush()
        line = process.stdout.readline()
        spent = machine.processor_seconds(peer.pid) - before
    finally:
        process.communicate(timeout=90)
    if process.returncode != 0 or not line:
        raise RuntimeError("the load failed")
    got = json.loads(line)
    if got["failed"]:
        raise RuntimeError(f"{got['failed']} sessions of living servers ended")
    return Sample(0, {**got, "cpu_ms": spent * 1000, "victims": opened["victims"]})


def three(bench):
    """The contenders with files of their own: a pool of three, and checks."""
    for file in ("recovery.toml", "recovery.cfg", "recovery.conf"):
        shutil.copy(os.path.join(contenders.HERE, file), bench.work)

    def peer(name, *command, **environment):
        return contenders.Peer(name, command, environment, PORTS)

    return [
        peer("howdah", bench.howdah, "run", "--config", os.path.join(bench.work, "recovery.toml")),
        peer("haproxy", bench.haproxy, "-db", "-f", "recovery.cfg", MAXCONN=str(bench.maxconn)),
        peer("nginx", "nginx", "-p", bench.work, "-c", os.path.join(bench.work, "recovery.conf")),
    ]


def row(name, title, *way):
    columns = [
        Column("heard_ms", "last heard ms", -1, "{:,.1f}", goal=1.0, limit=500),
        Column("served_ms", "all served ms", -1, "{:,.1f}"),
        Column("cpu_ms", "CPU ms", -1),
        Column("p99_us", "others' p99 µs", -1),
        Column("quiet_us", "the same before", 0),
        Column("resets", "saw a reset", 0),
        Column("tries", "connects", 0),
    ]
    return Row(name, title, one_dies, columns, rounds=3, contenders=three, prepare=prepare(*way))


ROWS = [
    row("recovery", "one of three servers dies under 9,000 sessions, by reset", "--abrupt"),
    row("recovery-end", "the same, its connections ended in order"),
]
