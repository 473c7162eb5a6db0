"""Two hundred simulated devices in one process, fifty registers of each read every second, physics included."""

import asyncio
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

from benchkit.machine import cpu_s, memory_mb
from benchkit.run import ROOT

from metering.clock import monotonic_s

_PLANTS = 50
# Three inverters and a meter: the whole of model 103, and energies.
_READS = ((1, 40_070, 50), (2, 40_070, 50), (3, 40_070, 50), (10, 0x0C83, 8))


@contextmanager
def _simulators(folder, plants: int) -> Iterator[tuple[int, list[int]]]:
    config = folder / "simulators.toml"
    text = f'ledger = "{folder / "ledger.sqlite"}"\ncounters_from = 2026-11-01T00:00:00Z\n'
    config.write_text(
        text + "".join(f'[[plants]]\nplant = "solar"\nproject = "p{n}"\nsite = "s"\n' for n in range(plants))
    )
    command = [sys.executable, "-m", "sakugen", "simulate", "run", "--config", str(config)]
    with Popen(command, cwd=ROOT, stdout=PIPE, text=True) as process:
        words = process.stdout.readline().split()
        assert words[0] == "ready"
        yield process.pid, [int(word.rpartition(":")[2]) for word in words[2:-1]]
        process.terminate()


async def _read_each_second(ports: list[int], seconds: int) -> int:
    connections = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
    loop = asyncio.get_running_loop()
    begun, answers = loop.time(), 0
    for second in range(1, seconds + 1):
        for _, writer in connections:
            for unit, address, count in _READS:
                writer.write(struct.pack(">HHHBBHH", second, 0, 6, unit, 3, address, count))
        for reader, _ in connections:
            for _, _, count in _READS:
                assert (await reader.readexactly(9 + 2 * count))[7] == 3
                answers += 1
        next_second = asyncio.Event()
        loop.call_at(begun + second, next_second.set)
        await next_second.wait()
    for _, writer in connections:
        writer.close()
        await writer.wait_closed()
    return answers


def test_two_hundred_devices_are_read_each_second(tmp_path, report, sizes):
    plants, seconds = sizes.of(_PLANTS, 2), sizes.of(30, 2)
    with _simulators(tmp_path, plants) as (pid, ports):
        used_s, began_s = cpu_s(pid), monotonic_s()
        answers = asyncio.run(_read_each_second(ports, seconds))
        share = (cpu_s(pid) - used_s) / (monotonic_s() - began_s)
        report.add("simulators: share of one core", 100 * share, "%", at_most=10)
        report.add("devices", plants * len(_READS), "")
        report.add("answers", answers, "")
        report.add("resident memory", memory_mb(pid), "MiB")
    report.note("150 inverters with 50 registers each a request, 50 meters with 8; every answer is in the ledger.")
