"""How often a gateway flushes to its disk: strace counts, beside SQLite alone with one commit a slot."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from benchkit.plant import Shape, let_pass
from benchkit.run import output

_ALONE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE slot (body TEXT)")
for _ in range(int(sys.argv[2])):
    db.execute("INSERT INTO slot VALUES (?)", ("x" * int(sys.argv[3]),))
"""
_FLUSH = re.compile(r"^\d+ +([\d.]+) (?:fsync|fdatasync)\(", re.MULTILINE)


def _flushes(log: Path, from_s: float = 0.0, to_s: float = float("inf")) -> int:
    """Flushes that began in a time [s since the Unix epoch]."""
    return sum(from_s <= float(instant) < to_s for instant in _FLUSH.findall(log.read_text(encoding="utf-8")))


@pytest.mark.parametrize("devices", [20, 200])
def test_flushes_of_each_slot(new_plant, report, sizes, tmp_path, devices):
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    watch = [strace, "-f", "-ttt", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", "signal=none"]
    plant = new_plant(Shape(sizes.of(devices, 10), 50))
    plant.ingest.bring_up()
    log = tmp_path / "flushes.log"
    plant.gateway.run_under([*watch, "-o", str(log)])
    plant.gateway.bring_up()
    let_pass(sizes.of(5, 2))
    from_ms = plant.clock.now_ms() // 1000 * 1000
    let_pass(sizes.of(60, 5))
    to_ms = plant.clock.now_ms() // 1000 * 1000
    (traced,) = _children(plant.gateway.pid)
    os.kill(traced, 15)  # strace itself would only let go of it
    plant.gateway.wait_for_end()
    slots = (to_ms - from_ms) // 1000
    flushes = _flushes(log, from_ms / 1000, to_ms / 1000)
    records = plant.outbox.rows("SELECT COUNT(*) FROM record WHERE sealed_ms >= ? AND sealed_ms < ?", from_ms, to_ms)[
        0
    ][0]
    size = plant.outbox.rows("SELECT AVG(LENGTH(data)) FROM record WHERE seq > 1")[0][0] * records / slots

    alone = [_alone(tmp_path / f"alone-{commits}", watch, commits, int(size)) for commits in (0, slots)]

    report.add("flushes of a slot, acks included", flushes / slots, "", at_most=1)
    report.add("SQLite alone, one commit a slot", (alone[1] - alone[0]) / slots, "", compared=True)
    report.add("records sealed of a slot", records / slots, "")
    report.add("flushes a day at this interval", flushes / slots * 86_400, "")
    report.note(
        f"{plant.shape.devices} devices x 50 values each second, {slots} slots, {size / 1000:.0f} kB sealed a slot."
    )


def _alone(path: Path, watch: list[str], commits: int, size: int) -> int:
    log = path.with_suffix(".log")
    output(*watch, "-o", str(log), sys.executable, "-c", _ALONE, str(path), str(commits), str(size))
    return _flushes(log)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(child) for child in text.split()]
