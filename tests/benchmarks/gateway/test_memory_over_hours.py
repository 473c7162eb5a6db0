"""Resident memory of a gateway at work over scaled hours: it must not grow. Run by `make soak`."""

import tomllib
from statistics import linear_regression

import pytest
import tomli_w
from benchkit.machine import memory_mb
from benchkit.plant import Shape, let_pass

FACTOR = 60
"""A slot a minute is one every second."""
LOOK_EVERY_S = 2
WARM_UP_S = 60
MOST_GROWTH_MIB = 1.0
"""In a scaled hour; what is learned, cached and fragmented in the first minutes is over by then."""


@pytest.mark.soak
def test_resident_memory_does_not_grow_over_scaled_hours(new_plant, report, sizes):
    plant = new_plant(Shape(sizes.of(100, 5), 50, interval_s=60))
    settings = tomllib.loads(plant.gateway_file.read_text())
    clock = {"kind": "scaled", "start": "2026-03-02T00:00:00+00:00", "factor": FACTOR}
    plant.gateway_file.write_text(tomli_w.dumps({**settings, "clock": clock}))
    plant.ingest.bring_up()
    plant.gateway.bring_up()
    let_pass(sizes.of(WARM_UP_S, 2))
    seen: list[tuple[float, float]] = []
    for look in range(sizes.of(90, 5)):
        seen.append((look * LOOK_EVERY_S * FACTOR / 3600, memory_mb(plant.gateway.pid)))
        let_pass(LOOK_EVERY_S)
    most = memory_mb(plant.gateway.pid, "VmHWM")
    waiting = plant.outbox.unacknowledged()
    plant.gateway.end()
    hours, resident = zip(*seen, strict=True)
    slope = linear_regression(hours, resident).slope
    report.add("resident at the begin", resident[0], "MiB")
    report.add("resident at the end", resident[-1], "MiB", at_most=64)
    report.add("the most there ever was", most, "MiB")
    report.add("growth in a scaled hour", slope, "MiB", at_most=MOST_GROWTH_MIB)
    report.note(
        f"{plant.shape.devices} devices, {plant.shape.devices * plant.shape.points} points a scaled minute, "
        f"{hours[-1]:.1f} scaled hours after {WARM_UP_S} s; {waiting} records waited for their ack at the end."
    )
    assert sizes.tiny or slope < MOST_GROWTH_MIB
