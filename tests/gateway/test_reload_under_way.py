"""A reload while a slot of the very device is being read: the slot ends first, under the birth it was read with."""

import asyncio

from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import device, head, records_of, slots_of

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.poll import poll
from gateway.reload import Reload
from metering.config import parse_toml
from metering.record import Birth, Readings


def test_a_slot_that_is_being_read_when_its_device_is_reloaded_is_finished_under_the_old_birth(
    meter, free_port, tmp_path, monkeypatch, wait_until
):
    under_way, go_on = asyncio.Event(), asyncio.Event()
    held: list[int] = []
    hold = False

    async def poll_and_wait(group, slot_ms, reader, clock):
        reading = await poll(group, slot_ms, reader, clock)
        if hold and group.name == "meter-2/all" and not held:
            held.append(slot_ms)
            under_way.set()
            await go_on.wait()
        return reading

    monkeypatch.setattr("gateway.rounds.poll", poll_and_wait)
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    text = head(tmp_path, free_port()) + device(tmp_path, "meter-1", meter.port, 1)
    before, after = (
        parse_toml(text + device(tmp_path, "meter-2", meter.port, 2, serial=serial), GatewaySettings, "gateway.toml")
        for serial in ("1", "9")
    )

    def read(name: str) -> int:
        return len(slots_of(records_of(tmp_path), f"{name}/all"))

    def births() -> list[Birth]:
        return [record for record in records_of(tmp_path) if isinstance(record, Birth)]

    async def live() -> None:
        nonlocal hold
        stop, reload = asyncio.Event(), Reload(lambda: after)
        work = asyncio.create_task(run(before, stop, reload))
        await asyncio.to_thread(wait_until, lambda: read("meter-2") >= 3)
        hold = True
        await asyncio.wait_for(under_way.wait(), 10)
        reload.asked.set()
        others = read("meter-1")
        await asyncio.to_thread(wait_until, lambda: read("meter-1") >= others + 5)
        assert len(births()) == 1
        go_on.set()
        await asyncio.to_thread(wait_until, lambda: len(births()) == 2)
        last = read("meter-2")
        await asyncio.to_thread(wait_until, lambda: read("meter-2") >= last + 3)
        stop.set()
        await work

    asyncio.run(live())
    records = records_of(tmp_path)
    under_old = records[: records.index(births()[1])]
    assert held[0] in [
        slot
        for record in under_old
        if isinstance(record, Readings)
        for part in record.groups
        if part.group == "meter-2/all"
        for slot in part.slots
    ]
    found = assert_every_due_slot_is_read_once_or_explained(records)
    assert found["meter-1/all"].gaps == []
