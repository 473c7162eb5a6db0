"""How long after its start a gateway has committed its first value."""

import json
import statistics
import subprocess

from benchkit.plant import Shape
from benchkit.run import ROOT, command

from metering.clock import monotonic_s


def test_first_value_after_a_start(new_plant, responder, report, sizes, wait_until):
    asked_s: list[float] = []
    committed_s: list[float] = []
    alone_s: list[float] = []
    for _ in range(sizes.of(15, 2)):
        plant = new_plant(Shape(10, 50))
        responder.asked.clear()
        began_s = monotonic_s()
        plant.gateway.start()
        assert responder.asked.wait(30), plant.gateway.output()
        asked_s.append(monotonic_s() - began_s)
        wait_until(lambda outbox=plant.outbox: outbox.has_readings, 30)
        committed_s.append(monotonic_s() - began_s)
        plant.gateway.kill()
        alone_s.append(_alone(responder))
    report.add("first value committed, median", statistics.median(committed_s), "s", at_most=1)
    report.add("first value committed, longest", max(committed_s), "s", at_most=1)
    report.add("first request answered, shortest", min(asked_s), "s")
    report.add("first request answered, median", statistics.median(asked_s), "s")
    report.add(
        "pymodbus alone, from its start to its first answer, median", statistics.median(alone_s), "s", compared=True
    )
    report.note("A slot each second: up to a second of it is the wait for the first slot, half a second in the mean.")


def _alone(responder) -> float:
    (port,) = responder.serve(1)
    responder.asked.clear()
    began_s = monotonic_s()
    once = command("bare", "once", json.dumps({"port": port}))
    process = subprocess.Popen(once, cwd=ROOT, stdout=subprocess.DEVNULL)
    assert responder.asked.wait(30)
    took_s = monotonic_s() - began_s
    assert process.wait(30) == 0
    return took_s
