"""The work, row by row. A row turns (peer, bench) into one Sample.

`rate` and the latencies come from the client, `units` is what processor time is divided by."""

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field

import machine


@dataclass
class Sample:
    units: float = 0.0
    values: dict = field(default_factory=dict)


@dataclass
class Column:
    """One figure of a row. `better` is +1 when more is better, -1 when less is, 0 when neither. `goal` is howdah's share of what the
    better peer has, `limit` what howdah may not exceed, whatever the peers do."""

    key: str
    title: str
    better: int
    form: str = "{:,.0f}"
    goal: float = None
    limit: float = None


@dataclass
class Row:
    name: str
    title: str
    work: callable
    columns: list
    peers: tuple = ("howdah", "haproxy", "haproxy-splice", "nginx", "direct")
    rounds: int = None
    contenders: callable = None  # those of this row alone, for the names in `peers`
    prepare: callable = None  # starts servers before each contender; they end after it


def load(bench, *words):
    command = [bench.load, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def server(bench, *words):
    """A server that listens; like a contender, in a session of its own."""
    command = [bench.load, "server", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    return process


def answer(process, limit):
    out, _ = process.communicate(timeout=limit)
    if process.returncode != 0:
        raise RuntimeError("the load failed")
    figures = json.loads(out.splitlines()[-1])
    if figures.get("failed"):
        raise RuntimeError(f"{figures['failed']} connections failed")
    return figures


def timed(bench):
    return ["--seconds", bench.seconds, "--warmup", min(0.5, bench.seconds / 4)]


def closed(mode, connections, scale=1.0):
    """Closed loop through our generator; `scale` turns answers into units."""

    def work(peer, bench):
        process = load(bench, mode, peer.address("plain"), "--connections", connections, *timed(bench))
        got = answer(process, bench.seconds + 30)
        values = {key: got[key] for key in ("p50_us", "p99_us", "p999_us")}
        return Sample(got["total"] * scale, {"rate": got["rate"] * scale, **values})

    return work


def datagrams(listener, ports, *words):
    """A round trip is two datagrams."""

    def work(peer, bench):
        process = load(bench, "datagrams", peer.datagrams(listener), "--connections", ports, *words, *timed(bench))
        got = answer(process, bench.seconds + 30)
        if got["lost"] > got["total"] / 1000:
            raise RuntimeError(f"{got['lost']} datagrams of {got['total']} were lost")
        values = {key: got[key] for key in ("p50_us", "p99_us", "p999_us")}
        return Sample(2 * got["total"], {"rate": 2 * got["rate"], **values})

    return work


def echo(bench):
    """Sends every datagram back."""
    command = [bench.load, "echo", "127.0.0.11+4:27003"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    return [process]


def stream(peer, bench):
    """One long answer through iperf3."""
    server = subprocess.Popen(
        ["iperf3", "-s", "-1", "-B", "127.0.0.11", "-p", "27002"], stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(0.2)
        host, port = peer.address("iperf").split(":")
        size = bench.stream_gib << 30
        # In reverse the server counts; without a time limit a number of bytes ends the run.
        command = ["iperf3", "-c", host, "-p", port, "-R", "-J", "-n", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        end = json.loads(done.stdout)["end"].get("sum_received")
        if not end:
            raise RuntimeError(f"iperf3 gave no sum: {done.stdout[-300:]}")
    finally:
        server.kill()
        server.wait()
    mib = end["bytes"] / (1 << 20)
    return Sample(mib, {"rate": mib / end["seconds"]})


def handshakes(listener, flag, processes=8):
    """`openssl s_time`: a handshake, one request, the answer, the end. As many clients at once as come back after a
    failover; with one or two the figure is that of waking up."""

    def work(peer, bench):
        command = ["openssl", "s_time", "-connect", peer.address(listener), flag, "-www", "/25"]
        command += ["-time", str(max(1, round(bench.seconds)))]
        begin = time.monotonic()
        runs = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(processes)
        ]
        total = resumed = 0
        for run in runs:
            out, _ = run.communicate(timeout=bench.seconds + 30)
            total += int(re.search(r"(\d+) connections in \d+ real", out).group(1))
            resumed += out.splitlines()[-3].count("r") if flag == "-reuse" else 0
        took = time.monotonic() - begin
        if flag == "-reuse" and not re.search("r{20}", out):
            raise RuntimeError("sessions were not resumed")
        return Sample(total, {"rate": total / took})

    return work


def tls_bulk(peer, bench):
    """wrk fetches 1 MiB answers; over kept connections its resumption does not matter."""
    url = f"https://{peer.address('ecdsa')}/1048576"
    command = ["wrk", "-t1", "-c8", f"-d{max(1, round(bench.seconds))}s", url]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    if "Socket errors" in out or "Non-2xx" in out:
        raise RuntimeError(out)
    total = int(re.search(r"(\d+) requests in", out).group(1))
    return Sample(total, {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))})


def idle(listener):
    """Memory per open session that has spoken once, and processor time while all are silent."""

    def work(peer, bench):
        tls = ["--ca", os.path.join(bench.work, "ca.pem")] if listener != "plain" else []
        warm = load(bench, "idle", peer.address(listener), "--sessions", 200, *tls)
        warm.stdout.readline()
        warm.communicate(timeout=30)
        time.sleep(0.5)
        before = machine.memory_bytes(peer.pid)
        process = load(bench, "idle", peer.address(listener), "--sessions", bench.sessions, *tls)
        try:
            opened = json.loads(process.stdout.readline() or '{"open": 0}')["open"]
            if opened != bench.sessions:
                raise RuntimeError(f"{opened} of {bench.sessions} sessions opened")
            time.sleep(2)
            per_session = (machine.memory_bytes(peer.pid) - before) / opened
            start = machine.processor_seconds(peer.pid)
            time.sleep(bench.silence)
            spent = machine.processor_seconds(peer.pid) - start
        finally:
            process.communicate(timeout=60)
        return Sample(0, {"bytes": per_session, "silent": 1000 * spent / bench.silence})

    return work


def four_bulks(peer, bench):
    bulk = load(
        bench, "bulk", peer.address("beside"), "--connections", 4, "--seconds", bench.seconds + 1
    )
    time.sleep(0.3)
    return bulk


def closed_beside_bulk(peer, bench):
    """How many small requests pass at most while four bulk streams run."""
    bulk = four_bulks(peer, bench)
    sample = closed("small", 20)(peer, bench)
    answer(bulk, bench.seconds + 30)
    return sample


def beside_bulk(peer, bench):
    """Small requests at a fixed rate while four bulk streams run. The two ends of the small requests
    run before all others, where that is allowed, so that what waits is the proxy and not they."""
    bulk = four_bulks(peer, bench)
    words = ["paced", peer.address("plain"), "--connections", 20, "--rate", bench.pace]
    with machine.at_once(bench.server):
        client = load(bench, *words, *timed(bench))
        with machine.at_once(client.pid):
            got = answer(client, bench.seconds + 30)
    besides = answer(bulk, bench.seconds + 30)
    values = {key: got[key] for key in ("p50_us", "p99_us", "p999_us")}
    return Sample(0, {**values, "rate": besides["rate"]})


def figures(unit, rate_goal=None, cpu_goal=None, latency_goal=None, latency=True):
    columns = [
        Column("rate", f"{unit}/s", +1, goal=rate_goal),
        Column("cpu_us", f"CPU µs/{unit}", -1, "{:,.1f}", goal=cpu_goal),
    ]
    if latency:
        columns += [
            Column("p50_us", "p50 µs", -1),
            Column("p99_us", "p99 µs", -1, goal=latency_goal),
        ]
    return columns


PROXIES = ("howdah", "haproxy", "haproxy-splice", "nginx")
TLS = ("howdah", "haproxy", "nginx")
DATAGRAMS = ("howdah", "nginx", "direct")

ROWS = [
    Row("small", "64 B out and back, 50 kept connections", closed("small", 50),
        figures("request", 1.05, 0.95, 1.0)),
    Row("latency", "64 B out and back, 1 kept connection", closed("small", 1), figures("request")),
    Row("fresh", "a new connection per request, 16 at once", closed("fresh", 16),
        figures("connection", 1.05, 0.95)),
    Row("udp", "datagrams of 64 B out and back, 50 kept ports", datagrams("udp", 50),
        figures("datagram", 1.0, 1.0), DATAGRAMS, prepare=echo),
    Row("udp-fresh", "datagrams of 64 B out and back, each from a new port, 16 at once",
        datagrams("udp-fresh", 16, "--fresh"), figures("datagram", 1.0, 1.0), DATAGRAMS, prepare=echo),
    Row("bulk", "1 MiB answers, 8 connections", closed("bulk", 8), figures("MiB", 1.15)),
    Row("stream", "one long answer (iperf3)", stream, figures("MiB", latency=False)),
    Row("tls-ecdsa", "TLS 1.3, full handshakes, ECDSA P-256", handshakes("ecdsa", "-new"),
        figures("handshake", None, 0.5, latency=False), TLS),
    Row("tls-rsa", "TLS 1.3, full handshakes, RSA-2048", handshakes("rsa", "-new"),
        figures("handshake", None, 0.65, latency=False), TLS),
    Row("tls-resumed", "TLS 1.3, resumed handshakes", handshakes("ecdsa", "-reuse"),
        figures("handshake", None, 0.8, latency=False), TLS),
    Row("tls-bulk", "TLS 1.3, 1 MiB answers, 8 connections", tls_bulk,
        figures("MiB", None, 0.6, latency=False), TLS),
    Row("idle", "silent sessions, plain", idle("plain"),
        [Column("bytes", "bytes/session", -1, goal=0.5), Column("silent", "CPU ms/s", -1, "{:,.1f}")],
        TLS, 3),
    Row("idle-tls", "silent sessions, TLS", idle("ecdsa"),
        [Column("bytes", "bytes/session", -1, goal=0.7), Column("silent", "CPU ms/s", -1, "{:,.1f}")],
        TLS, 3),
    Row("mixed", "64 B at a fixed rate beside four bulk streams", beside_bulk,
        [Column("p50_us", "p50 µs", -1), Column("p99_us", "p99 µs", -1, goal=0.8),
         Column("p999_us", "p99.9 µs", -1), Column("rate", "bulk MiB/s", +1)]),
]
