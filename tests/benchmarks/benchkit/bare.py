"""What the gateway is compared with: the same registers read by pymodbus alone, the same bytes published by paho alone.

Runs as a process of its own: `python -m tests.benchmarks.benchkit.bare VERB JSON`; writes one line of JSON. Nothing is
decoded, kept or signed.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
from typing import Any

from metering.clock import SystemClock

COUNT = 50


async def _connected(port: int) -> Any:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    return client


async def poll(ports: list[int], units: int, seconds: int) -> dict[str, Any]:
    """Read every unit once a second."""
    clients = [await _connected(port) for port in ports]
    clock = SystemClock()
    first = clock.now_ms() // 1000 + 1
    sent: list[int] = []
    late = 0

    async def serve(client: Any) -> None:
        nonlocal late
        for slot in range(first, first + seconds):
            await clock.sleep_until(slot * 1000)
            for unit in range(1, units + 1):
                sent.append(clock.now_ms() - slot * 1000)
                answer = await client.read_holding_registers(0, count=COUNT, device_id=unit)
                late += answer.isError() or clock.now_ms() >= (slot + 1) * 1000

    began, used = time.monotonic(), sum(os.times()[:2])
    await asyncio.gather(*(serve(client) for client in clients))
    took = max(time.monotonic() - began, seconds)
    return {"cpu": (sum(os.times()[:2]) - used) / took, "sent": sent, "late": late}


async def flat_out(ports: list[int], units: int, seconds: float) -> dict[str, Any]:
    """Read as fast as it goes."""
    clients = [await _connected(port) for port in ports]
    done = 0
    began = time.monotonic()

    async def serve(client: Any) -> None:
        nonlocal done
        while time.monotonic() < began + seconds:
            for unit in range(1, units + 1):
                await client.read_holding_registers(0, count=COUNT, device_id=unit)
                done += 1

    await asyncio.gather(*(serve(client) for client in clients))
    return {"requests_per_s": done / (time.monotonic() - began)}


async def once(port: int) -> dict[str, Any]:
    """Read one block, from nothing."""
    client = await _connected(port)
    answer = await client.read_holding_registers(0, count=COUNT, device_id=1)
    return {"words": len(answer.registers)}


def publish(outbox: str, port: int) -> dict[str, Any]:
    """Send every record of an outbox once, confirmed by the broker only."""
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bare", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(32)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    last, count = None, 0
    for (data,) in sqlite3.connect(outbox).execute("SELECT data FROM record ORDER BY stream, seq"):
        last = client.publish("bare/log", data, qos=1)
        count += 1
        if count % 256 == 0:  # or everything would wait in memory
            last.wait_for_publish(60)
    last.wait_for_publish(60)
    took = time.monotonic() - began
    client.disconnect()
    client.loop_stop()
    return {"seconds": took, "records": count}


if __name__ == "__main__":
    verb, arguments = sys.argv[1], json.loads(sys.argv[2])
    made = {"poll": poll, "flat_out": flat_out, "once": once, "publish": publish}[verb](**arguments)
    sys.stdout.write(json.dumps(made if isinstance(made, dict) else asyncio.run(made)) + "\n")
