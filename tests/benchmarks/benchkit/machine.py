"""What a process costs and what machine it runs on, as the kernel tells it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = (
    "pymodbus", "paho-mqtt", "pydantic", "cryptography", "iotcore", "numba", "numpy", "polars", "pyarrow",
)  # fmt: skip
ROOT = Path(__file__).parents[3]


def cpu_s(pid: int) -> float:
    """CPU time that a process has used, user and system [s]."""
    # The name of the program comes second, in parentheses, and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int | str, key: str = "VmRSS") -> float:
    """A line of /proc/PID/status [MiB]: VmRSS is what is resident now, VmHWM the most that ever was."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


def machine() -> dict[str, str]:
    """Name what a figure depends on."""
    cpu = next(line for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    memory_kb = int(next(line for line in _lines("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
    return {
        "machine": f"{cpu.partition(':')[2].strip()}, {os.cpu_count()} cores, {memory_kb / 2**20:.0f} GiB",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
        **{name: version(name) for name in PACKAGES},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
