"""What the operating system says about this process and its disk. Everything here can be unknown on another system."""

import os
import sys
import threading
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def memory() -> dict[str, float]:
    """In MB (10^6 bytes): what is resident now, the most that ever was, and what of it now is mapped from files."""
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = dict(line.split(":", 1) for line in status.read_text().splitlines())
        resident, most, mapped = (
            int(kilobytes[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM", "RssFile")
        )
        return {"resident_mb": resident, "most_mb": most, "mapped_mb": mapped}
    if resource is None:
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {"resident_mb": most, "most_mb": most, "mapped_mb": 0.0}


def syncs() -> int | None:
    """How often the disk of the working folder was told to flush its cache, since the machine started."""
    device = os.stat(".").st_dev
    name = f"{os.major(device)} {os.minor(device)} "
    try:
        lines = Path("/proc/diskstats").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if line.split(None, 2)[:2] == name.split() and len(fields) > 18:
            return int(fields[18])
    return None


def thread_times() -> dict[str, tuple[float, float]]:
    """The processor's seconds of each of this process's threads, in user mode and in the kernel, by name."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    ticks = os.sysconf("SC_CLK_TCK")
    times: dict[str, tuple[float, float]] = {}
    for task in Path("/proc/self/task").glob("*"):
        try:
            # The command's name, in parentheses, may hold spaces.
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        name = names.get(int(task.name), "other threads")
        user, system = times.get(name, (0.0, 0.0))
        times[name] = (user + int(fields[11]) / ticks, system + int(fields[12]) / ticks)
    return times


def stored_mb() -> float:
    """The size of the store in the working folder, its log included."""
    return sum(file.stat().st_size for file in Path().glob("store.db*")) / 1e6
