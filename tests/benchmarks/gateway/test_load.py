"""A whole gateway under load: what of a core it takes, what comes on time, how far from its slot it asks."""

import pytest
from benchkit.machine import cpu_s, memory_mb
from benchkit.plant import UNITS_PER_PORT, Shape, let_pass, percentile
from benchkit.run import bare

from metering.clock import monotonic_s

FULL = Shape(200, 50)
WIDE = Shape(1000, 8)
SMALL = Shape(10, 50)


@pytest.mark.parametrize(
    ("shape", "at_most_percent"),
    [
        pytest.param(FULL, 8, id="200 devices x 50 registers, 50 values each"),
        # The birth of one gateway names each value in at most 1 MiB, so that not all can be named.
        pytest.param(WIDE, 30, id="1000 devices x 50 registers, 8 values each"),
    ],
)
def test_devices_read_each_second_and_published(new_plant, responder, report, sizes, shape, at_most_percent):
    shape = SMALL if sizes.tiny else shape
    plant = new_plant(shape)
    plant.ingest.bring_up()
    plant.gateway.bring_up()
    let_pass(sizes.of(10, 2))  # connections are open and everything is imported
    used_s, began_s, from_ms, asked = cpu_s(plant.gateway.pid), monotonic_s(), plant.clock.now_ms(), responder.requests
    let_pass(sizes.of(60, 5))
    took_s, to_ms = monotonic_s() - began_s, plant.clock.now_ms()
    share = (cpu_s(plant.gateway.pid) - used_s) / took_s
    requests_per_s = (responder.requests - asked) / took_s
    rss_mb = memory_mb(plant.gateway.pid)
    plant.gateway.end()
    plant.ingest.end()
    from_ms, to_ms = -(-from_ms // 1000) * 1000, to_ms // 1000 * 1000
    slots = list(plant.outbox.slots(from_ms, to_ms))
    due = shape.devices * (to_ms - from_ms) // 1000
    in_time = sum(good and received_ms < 1000 for _, _, received_ms, good in slots)

    ports = responder.serve(shape.ports)
    units = shape.devices // shape.ports
    seconds = sizes.of(30, 3)
    alone = bare("poll", ports=ports, units=units, seconds=seconds)

    report.add("gateway: share of one core", 100 * share, "%", at_most=at_most_percent)
    report.add("pymodbus alone, the same registers", 100 * alone["cpu"], "%", compared=True)
    report.add("blocks on time (answered before the next slot)", 100 * in_time / due, "%", at_least=100)
    on_time_alone = 1 - alone["late"] / (shape.devices * seconds)
    report.add("pymodbus alone", 100 * on_time_alone, "%", compared=True)
    sent = [sent_ms for _, sent_ms, _, _ in slots]
    report.add("slot error (slot to request sent), p50", percentile(sent, 50), "ms")
    report.add("pymodbus alone, p50", percentile(alone["sent"], 50), "ms", compared=True)
    report.add("slot error, p99", percentile(sent, 99), "ms", at_most=50)
    report.add("pymodbus alone, p99", percentile(alone["sent"], 99), "ms", compared=True)
    report.add("requests", requests_per_s, "/s")
    report.add("resident memory", rss_mb, "MiB")
    report.add("records unacknowledged at the end", plant.outbox.unacknowledged(), "records")
    report.note(f"{shape.devices} devices, {UNITS_PER_PORT} on a connection, {len(slots)} of {due} slots read.")
    assert slots
