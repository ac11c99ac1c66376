"""What the machine says of a process: its processor time and its memory."""

import contextlib
import os
import time

TICK = os.sysconf("SC_CLK_TCK")


def family(root):
    """The process and all its descendants."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(entry)] = int(_stat(entry)[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def processor_seconds(root):
    """utime + stime of the process, its threads and its descendants."""
    total = 0
    for pid in family(root):
        fields = _stat(pid)
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_bytes(root):
    """Resident memory; pages that several processes of the family share are counted once."""
    total = 0
    for pid in family(root):
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


@contextlib.contextmanager
def at_once(pid):
    """Lets a process run as soon as it can, before all ordinary ones; without the right to, as it is."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise SystemExit(f"versus: {what} within {seconds} s")


def listening_ports():
    """Ports of the IPv4 sockets that listen."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def describe():
    """One line on the machine, with no name of it."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        "unknown processor",
    )
    memory = int(open("/proc/meminfo").readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {os.uname().release.split('-')[0]}"


def _stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()
