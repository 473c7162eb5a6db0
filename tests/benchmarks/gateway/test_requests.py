"""Requests a second from plan to value, beside the requests a second of pymodbus alone."""

import statistics

import pytest
from benchkit.plant import UNITS_PER_PORT, Shape
from benchkit.run import bare, program


@pytest.mark.parametrize("connections", [1, 10])
def test_planned_read_and_decoded_as_fast_as_it_goes(new_plant, responder, report, sizes, connections):
    shape = Shape(UNITS_PER_PORT * connections, 50)
    plant = new_plant(shape)
    seconds = sizes.of(5, 1)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(sizes.of(5, 1)):  # in turn, so that what else the machine does meets both
        made = program("flat_out", str(plant.gateway_file), str(seconds))
        assert made["bad"] == 0
        ours.append(made["requests_per_s"])
        ports = responder.serve(shape.ports)
        theirs.append(bare("flat_out", ports=ports, units=UNITS_PER_PORT, seconds=seconds)["requests_per_s"])
    share = statistics.median(own / other for own, other in zip(ours, theirs, strict=True))
    report.add("plan + read + decode", statistics.median(ours), "requests/s")
    report.add("pymodbus alone, the same registers", statistics.median(theirs), "requests/s", compared=True)
    report.add("of pymodbus alone", 100 * share, "%", at_least=80)
    report.note(f"{connections} connection(s), blocks of 50 registers with 50 values; medians of {len(ours)} pairs.")
