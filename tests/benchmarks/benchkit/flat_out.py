"""The gateway's own way to a value as fast as it goes: plan, read, decode; nothing is kept or signed.

Runs as a process of its own: `python -m tests.benchmarks.benchkit.flat_out CONFIG SECONDS`; writes one line of JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from gateway.config import GatewaySettings
from gateway.layout import lay_out
from gateway.lines import lines_of
from gateway.modbus import quiet_library
from gateway.poll import PollGroup, poll
from metering.clock import SystemClock
from metering.config import load_toml


async def flat_out(settings: GatewaySettings, seconds: float) -> dict[str, float]:
    """Poll everything in a configuration again and again, devices on one line in turn."""
    quiet_library()
    clock = SystemClock()
    lines = lines_of(settings, clock)
    began = time.monotonic()
    by_line: dict[int, list[PollGroup]] = {}
    readers = {}
    for laid in lay_out(settings):
        line = lines[laid.device]
        by_line.setdefault(id(line), []).append(laid.group)
        readers[id(line)] = line
    done = bad = 0

    async def serve(line: int) -> None:
        nonlocal done, bad
        while time.monotonic() < began + seconds:
            for group in by_line[line]:
                now_ms = clock.now_ms()
                reading = await poll(group, now_ms - now_ms % group.interval_ms, readers[line], clock)
                done += len(group.blocks)
                bad += bool(reading.quality)

    await asyncio.gather(*(serve(line) for line in by_line))
    return {"requests_per_s": done / (time.monotonic() - began), "bad": bad}


if __name__ == "__main__":
    settings = load_toml(Path(sys.argv[1]), GatewaySettings)
    sys.stdout.write(json.dumps(asyncio.run(flat_out(settings, float(sys.argv[2])))) + "\n")
