"""Resident memory of a gateway with 5,000 points, beside what importing takes."""

import sys

from benchkit.machine import memory_mb
from benchkit.plant import Shape, let_pass
from benchkit.run import output

_THEN_SAY = "; print(*open('/proc/self/status'))"


def _imported_mb(statement: str) -> float:
    said = output(sys.executable, "-c", statement + _THEN_SAY)
    return int(said.partition("VmRSS:")[2].split()[0]) / 1024


def test_resident_memory_with_five_thousand_points(new_plant, report, sizes):
    shape = Shape(sizes.of(100, 5), 50)
    plant = new_plant(shape)
    plant.ingest.bring_up()
    plant.gateway.bring_up()
    now: list[float] = []
    for _ in range(sizes.of(9, 2)):
        let_pass(sizes.of(10, 1))
        now.append(memory_mb(plant.gateway.pid))
    most = memory_mb(plant.gateway.pid, "VmHWM")
    plant.gateway.end()
    report.add("gateway at work", now[-1], "MiB", at_most=64)
    report.add("the most there ever was", most, "MiB")
    report.add("growth in the last half of the run", now[-1] - now[len(now) // 2], "MiB")
    report.add("imports of the agent alone", _imported_mb("import sakugen.cli, gateway.agent"), "MiB")
    libraries = "import asyncio, sqlite3, pymodbus.client, paho.mqtt.client, pydantic"
    report.add("pymodbus, paho and pydantic imported", _imported_mb(libraries), "MiB", compared=True)
    report.add("Python alone", _imported_mb("pass"), "MiB", compared=True)
    report.note(
        f"{shape.devices} devices, {shape.devices * shape.points} points, each second; read after {len(now)} waits."
    )
