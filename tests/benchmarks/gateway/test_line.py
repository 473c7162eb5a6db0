"""A line's time: what of it is frames and devices at 9600 baud, and what a dead device takes of it from the others."""

import asyncio
import statistics
from contextlib import asynccontextmanager

import pytest
from linekit.bus import Bus, Gateway, Port, timed

from gateway.buses import BusKind, BusSettings
from gateway.frames import rtu_bytes
from gateway.line import Line
from gateway.member import Unit
from metering.clock import SystemClock, monotonic_s
from metering.decode import Block
from metering.quality import Quality

REGISTERS = 10
TURNAROUND_S = 0.03
DEAD = 10
SLOT_S = 30
BAUD = 9600
TIMEOUT_MS = 1000
"""What a device has when neither its map nor the configuration says otherwise [ms]."""


class Hurrying(SystemClock):
    """Real time, without what a test leaves out between two slots."""

    def __init__(self) -> None:
        self.left_out_ms = 0

    def mono_ms(self) -> int:
        return super().mono_ms() + self.left_out_ms


@asynccontextmanager
async def opened(kind: BusKind, bus: Bus, port: int, units: range, clock: SystemClock, timeout_ms: int):
    """A line to devices as slow as real ones; each is brought in step."""
    serial = BusSettings(name="bus", kind=BusKind.RTU, path="", baud=BAUD)
    async with Port(bus, serial.byte_s) if kind is BusKind.RTU else Gateway(bus, port) as way:
        if kind is BusKind.RTU:
            bus.disturb = timed(serial.byte_s, TURNAROUND_S, way)
            where = serial.model_copy(update={"path": way.path})
        else:
            bus.disturb = lambda _request, answer: [(TURNAROUND_S, answer)]
            where = BusSettings(name="bus", kind=BusKind.TCP, host="127.0.0.1", port=port)
        known = {unit: Unit(timeout_ms / 1000, probes=(Block(3, 0, 1), Block(3, 0, 2))) for unit in units}
        async with Line(where, known, clock) as line:
            for unit in units:
                await line.read(unit, 3, 0, REGISTERS)
            yield line


def test_rtu_at_9600_baud_over_a_pair_of_pseudo_terminals(report, sizes):
    async def live() -> float:
        bus, units = Bus(), range(1, 11)
        async with opened(BusKind.RTU, bus, 0, units, SystemClock(), TIMEOUT_MS) as line:
            where, began_s, rounds = line.bus, monotonic_s(), sizes.of(10, 2)
            for _ in range(rounds):
                for unit in units:
                    assert (await line.read(unit, 3, 0, REGISTERS)).quality is Quality.OK
            took_s = monotonic_s() - began_s
        each_s = rtu_bytes(REGISTERS) * where.byte_s + TURNAROUND_S + where.silence_s
        return rounds * len(units) * each_s / took_s

    shares = [asyncio.run(live()) for _ in range(sizes.of(3, 1))]
    report.add("frames, silence and devices, of the bus time", 100 * statistics.median(shares), "%", at_least=90)
    report.note(f"10 meters of {REGISTERS} registers, each answers after {TURNAROUND_S * 1000:g} ms.")


@pytest.mark.parametrize("kind", [BusKind.RTU, BusKind.TCP])
def test_a_dead_device_among_nine_others(kind, report, sizes, free_port):
    async def busy_s(units: range, slots: int) -> float:
        """What reading every unit at so many slots takes of the line's time [s], after a warm-up."""
        clock, busy = Hurrying(), 0.0
        async with opened(kind, Bus(silent={DEAD}), free_port(), units, clock, timeout_ms) as line:
            for slot in range(-warm_up, slots):
                began_s = monotonic_s()
                for unit in units:
                    answer = await line.read(unit, 3, 0, REGISTERS)
                    assert (answer.words is None) == (unit == DEAD)
                took_s = monotonic_s() - began_s
                clock.left_out_ms += int(1000 * (SLOT_S - took_s))
                busy += took_s if slot >= 0 else 0.0
        return busy

    warm_up, slots, timeout_ms = 20, sizes.of(60, 3), sizes.of(TIMEOUT_MS, 100)
    with_it = asyncio.run(busy_s(range(1, DEAD + 1), slots))
    without = asyncio.run(busy_s(range(1, DEAD), slots))
    report.add("a dead device, of the bus time", 100 * (with_it - without) / (slots * SLOT_S), "%", at_most=1)
    report.add("the nine others, of the bus time", 100 * without / (slots * SLOT_S), "%", compared=True)
    report.note(
        f"{kind.value}: {slots} slots of {SLOT_S} s after {warm_up} to warm up, timeout {timeout_ms} ms. What lies "
        "between slots is left out with the clock; every request and every timeout is waited for."
    )
