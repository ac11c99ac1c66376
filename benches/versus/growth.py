"""How cost grows with the servers of a pool: memory, start, reload and probes, HAProxy beside.

The cost of one choice is measured by `cargo bench --bench choose`, whose own table is shown here."""

import json
import os
import subprocess
import time
import urllib.request

import machine
import peers as contenders
from rows import Row, server

SIZES = (1, 10, 100, 1_000, 10_000)
ADMIN = "http://127.0.0.1:27190"


def choice(bench):
    done = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "choose"], cwd=contenders.ROOT, capture_output=True, text=True
    )
    return f"### cost of one choice (`choose`)\n\n```\n{done.stdout.strip() or done.stderr.strip()}\n```\n"


def servers(bench):
    """Memory and times at each size; the reload changes one weight."""
    lines = [
        "### growth with the servers of a pool (`servers`)",
        "",
        "| servers | howdah MiB | bytes/server | start ms | reload ms | HAProxy MiB | start ms |",
        "|---|---|---|---|---|---|---|",
    ]
    first = None
    for size in SIZES:
        howdah = howdah_peer(bench, size, 'probe = "none"')
        took = started(howdah, bench)
        memory = machine.memory_bytes(howdah.pid)
        first = first or memory
        write_howdah(bench, size, 'probe = "none"', weight=7)
        reload = reloaded()
        howdah.stop()
        haproxy = haproxy_peer(bench, size, "")
        haproxy_took = started(haproxy, bench)
        haproxy_memory = machine.memory_bytes(haproxy.pid)
        haproxy.stop()
        each = (memory - first) / size if size >= 1000 else None
        lines.append(
            f"| {size:,} | {memory / (1 << 20):.1f} | {f'{each:,.0f}' if each else ''} | {took * 1000:.0f} "
            f"| {reload * 1000:.1f} | {haproxy_memory / (1 << 20):.1f} | {haproxy_took * 1000:.0f} |"
        )
    return "\n".join([*lines, ""])


def probes(bench):
    """Processor share of 1,000 TCP probes every 2 s, after all are up."""
    lines = ["### 1,000 servers probed over TCP every 2 s (`probes`)", "",
             "| | share of one core | µs/probe | up |", "|---|---|---|---|"]
    listening = server(bench, "127.1.0.1+1000:27003")
    seconds = 5 if bench.seconds <= 1 else 20
    try:
        for peer in (
            howdah_peer(bench, 1000, 'probe = { type = "tcp", interval = "2s" }'),
            haproxy_peer(bench, 1000, "check inter 2s"),
        ):
            peer.start(bench.work)
            time.sleep(8)
            start = machine.processor_seconds(peer.pid)
            time.sleep(seconds)
            spent = machine.processor_seconds(peer.pid) - start
            up = servers_up() if peer.name == "howdah" else ""
            peer.stop()
            share = spent / seconds
            lines.append(f"| {peer.name} | {share:.2%} | {share / 500 * 1e6:.0f} | {up} |")
    finally:
        listening.kill()
        listening.wait()
    return "\n".join([*lines, ""])


def howdah_peer(bench, size, probe):
    write_howdah(bench, size, probe)
    path = os.path.join(bench.work, "growth.toml")
    return contenders.Peer("howdah", [bench.howdah, "run", "--config", path], ports=[27101, 27190])


def write_howdah(bench, size, probe, weight=1):
    servers = ",\n".join(
        f'  {{ name = "s{n}", address = "{address(n)}", weight = {weight if n == 0 else 1} }}' for n in range(size)
    )
    with open(os.path.join(bench.work, "growth.toml"), "w") as file:
        file.write(
            '[admin]\nbind = "127.0.0.1:27190"\n[global]\nworkers = 2\nmax_connections = 9950\n'
            '[log]\nlevel = "warn"\naccess = "off"\n'
            '[[listener]]\nname = "plain"\nbind = "127.0.0.1:27101"\npool = "growth"\n'
            f'[pool.growth]\nservice = "hiveserver2"\n{probe}\nservers = [\n{servers}\n]\n'
        )


def haproxy_peer(bench, size, check):
    servers = "".join(f"    server s{n} {address(n)} {check}\n" for n in range(size))
    with open(os.path.join(bench.work, "growth.cfg"), "w") as file:
        file.write(
            "global\n    nbthread 2\n    maxconn 9000\ndefaults\n    mode tcp\n    balance leastconn\n"
            "    timeout connect 3s\n    timeout client 12h\n    timeout server 12h\n"
            f"listen plain\n    bind 127.0.0.1:27101\n{servers}"
        )
    return contenders.Peer("haproxy", [bench.haproxy, "-db", "-f", "growth.cfg"], ports=[27101])


def address(n):
    """127.1.0.1 and on, one port: what `versus-load server 127.1.0.1+COUNT:27003` listens on."""
    n += 1
    return f"127.1.{n >> 8}.{n & 255}:27003"


def started(peer, bench):
    begin = time.monotonic()
    peer.start(bench.work)
    took = time.monotonic() - begin
    time.sleep(0.5)
    return took


def reloaded():
    begin = time.monotonic()
    request = urllib.request.Request(f"{ADMIN}/api/v1/reload", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return time.monotonic() - begin


def servers_up():
    with urllib.request.urlopen(f"{ADMIN}/api/v1/status", timeout=10) as answer:
        pools = json.load(answer)["pools"]
    return sum(server["health"] == "up" for pool in pools for server in pool["servers"])


ROWS = [
    Row("choose", "cost of one choice, 1 to 10,000 servers", choice, []),
    Row("servers", "memory, start and reload, 1 to 10,000 servers", servers, []),
    Row("probes", "1,000 servers probed every 2 s", probes, []),
]
