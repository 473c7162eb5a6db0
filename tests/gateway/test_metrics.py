"""What Prometheus reads from a running gateway, over HTTP, as text."""

import asyncio
import http.client
import socket

import pytest
from runkit.box import STEP_MS, device, head

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.entries import MissedSlots, SlotReading
from gateway.errors import MetricsError
from gateway.tally import Tally
from metering.config import parse_toml
from metering.quality import Quality


def scrape(port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == http.HTTPStatus.OK
        lines = answer.read().decode().splitlines()
    finally:
        connection.close()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


@pytest.fixture
def settings(tmp_path, free_port, monkeypatch):
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)

    def make(port: int, devices: str) -> GatewaySettings:
        text = head(tmp_path, free_port(), f"metrics = {{ port = {port} }}")
        return parse_toml(text + devices, GatewaySettings, "gateway.toml")

    return make


def test_a_scrape_shows_each_device_and_the_queue_of_a_gateway_without_a_broker(
    meter, settings, free_port, tmp_path, wait_until
):
    port = free_port()
    devices = device(tmp_path, "meter-1", meter.port, 1) + device(tmp_path, "meter-2", meter.port, 2)
    meter.excepting.add(2)
    shown: dict[str, float] = {}

    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings(port, devices), stop))
        await asyncio.to_thread(wait_until, lambda: len(meter.asked) >= 20)
        await asyncio.to_thread(
            wait_until, lambda: shown.update(scrape(port)) or shown["sakugen_gateway_queue_records"] > 2
        )
        stop.set()
        await work

    asyncio.run(live())
    assert shown['sakugen_gateway_slots_total{device="meter-1"}'] >= 5
    assert shown['sakugen_gateway_errors_total{device="meter-2",quality="exception"}'] >= 5
    assert not any("errors" in name and "meter-1" in name for name in shown)
    last = shown['sakugen_gateway_last_success_timestamp_seconds{device="meter-1"}']
    assert last * 1000 % STEP_MS == 0
    assert not any("last_success" in name and "meter-2" in name for name in shown)
    answers = shown['sakugen_gateway_round_trip_seconds_count{device="meter-1"}']
    assert answers >= 5
    assert 0 < shown['sakugen_gateway_round_trip_seconds_sum{device="meter-1"}'] / answers < 0.5
    assert shown["sakugen_gateway_queue_bytes"] > 1000
    assert shown["sakugen_gateway_ack_lag_seconds"] > 0
    assert shown["sakugen_gateway_sealed_records_total"] >= shown["sakugen_gateway_queue_records"]
    assert shown['sakugen_gateway_fault{code="broker-unreachable"}'] == 1
    with pytest.raises(ConnectionRefusedError):
        scrape(port)


def test_a_port_that_is_taken_ends_the_start_with_what_to_do(meter, settings, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made = settings(port, device(tmp_path, "meter-1", meter.port, 1))
        with pytest.raises(MetricsError, match=rf"127.0.0.1:{port} \(Address already in use\): choose another port"):
            asyncio.run(run(made, asyncio.Event()))


def test_missed_slots_are_counted_as_slots_and_a_slot_with_two_reasons_for_both():
    tally = Tally()
    tally.note("m", STEP_MS, [MissedSlots("m/all", STEP_MS, 4 * STEP_MS, Quality.OVERRUN)])
    tally.note("m", STEP_MS, [MissedSlots("m/all", 4 * STEP_MS + 1, 5 * STEP_MS + 1, Quality.OVERRUN)])
    marks = ((0, Quality.SENTINEL), (1, Quality.SENTINEL), (2, Quality.LATE_READ))
    tally.note("m", STEP_MS, [SlotReading("m/all", 6 * STEP_MS, 0, 1, (None, None, 5), marks, b"")])
    counts = tally.devices["m"]
    assert counts.missed == {Quality.OVERRUN: 4}
    assert counts.errors == {Quality.SENTINEL: 1, Quality.LATE_READ: 1}
    assert (counts.slots, counts.last_success_ms) == (1, 6 * STEP_MS)
