"""systemd hears "alive" as long as every poll group gets through its loop, on a real socket."""

import asyncio
import socket

import pytest
from runkit.box import device, head

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.poll import poll
from gateway.watchdog import Watchdog
from metering.config import parse_toml


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.setblocking(False)
        yield ours


def heard(listener) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(100).decode())
        except BlockingIOError:
            return messages


def test_alive_is_said_when_every_group_has_passed_and_not_before(listener):
    watchdog = Watchdog.of({"NOTIFY_SOCKET": listener.getsockname()})
    watchdog.expect(["a/1", "b/1"])
    for _ in range(5):
        watchdog.passed("a/1")
    assert heard(listener) == []
    watchdog.passed("b/1")
    assert heard(listener) == ["WATCHDOG=1"]


def test_one_group_that_hangs_silences_the_others_until_it_is_no_longer_expected(listener):
    watchdog = Watchdog(listener.getsockname())
    watchdog.expect(["a/1", "b/1"])
    watchdog.passed("a/1")
    watchdog.passed("a/1")
    assert heard(listener) == []
    watchdog.expect(["a/1"])
    watchdog.passed("a/1")
    assert heard(listener) == ["WATCHDOG=1"]


def test_an_abstract_socket_hears_it_as_well():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("")  # the kernel chooses an abstract name
        name = ours.getsockname()
        Watchdog("@" + name[1:].decode()).ready()
        assert ours.recv(100) == b"READY=1"


def test_without_a_socket_and_with_one_that_is_gone_the_gateway_goes_on(tmp_path):
    Watchdog.of({}).ready()
    Watchdog(str(tmp_path / "gone")).stopping()


def test_a_full_queue_of_the_service_manager_does_not_stop_the_gateway(listener):
    watchdog = Watchdog(listener.getsockname())
    for _ in range(2000):  # more than any queue of datagrams holds
        watchdog.alive()
    assert heard(listener)


def test_a_running_gateway_is_ready_and_alive_until_one_group_hangs_although_the_other_reads_on(
    listener, meter, free_port, tmp_path, monkeypatch, wait_until
):
    hang, started = asyncio.Event(), False

    async def poll_or_hang(group, slot_ms, reader, clock):
        if group.name == "meter-2/all" and started:
            await hang.wait()
        return await poll(group, slot_ms, reader, clock)

    monkeypatch.setattr("gateway.rounds.poll", poll_or_hang)
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    monkeypatch.setenv("NOTIFY_SOCKET", listener.getsockname())
    devices = device(tmp_path, "meter-1", meter.port, 1) + device(tmp_path, "meter-2", meter.port, 2)
    settings = parse_toml(head(tmp_path, free_port()) + devices, GatewaySettings, "gateway.toml")
    messages: list[str] = []

    async def live() -> None:
        nonlocal started
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        await asyncio.to_thread(
            wait_until, lambda: messages.extend(heard(listener)) or messages.count("WATCHDOG=1") >= 5
        )
        started = True
        asked = len(meter.asked)
        await asyncio.to_thread(
            wait_until, lambda: len(meter.asked) >= asked + 5
        )  # what was under way before is through
        heard(listener)
        asked = len(meter.asked)
        await asyncio.to_thread(wait_until, lambda: len(meter.asked) >= asked + 20)
        assert heard(listener) == []
        hang.set()
        await asyncio.to_thread(wait_until, lambda: "WATCHDOG=1" in heard(listener))
        stop.set()
        await work

    asyncio.run(live())
    assert messages[0] == "READY=1"
    assert heard(listener)[-1] == "STOPPING=1"
