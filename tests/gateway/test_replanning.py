"""A running gateway whose meter refuses a block: smaller requests under a new birth, and after a restart at once."""

import asyncio
from collections.abc import Callable

import pytest
from runkit.box import head, records_of

from gateway.agent import run
from gateway.config import GatewaySettings
from metering.config import parse_toml
from metering.decode import Block, decode_in, unpack_words
from metering.devicemap import parse_device_map
from metering.record import Birth, Readings, parse

REGISTERS = {10: "voltage_l1_v", 11: "voltage_l2_v", 12: "voltage_l3_v"}
MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M1"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
""" + "".join(
    f'[[register]]\nname = "{name}"\nmeasurand = "{name}"\nfunction = 3\naddress = {at}\ntype = "u16"\n'
    for at, name in REGISTERS.items()
)


@pytest.fixture
def settings(tmp_path, meter, free_port, monkeypatch) -> GatewaySettings:
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    text = head(tmp_path, free_port())
    (tmp_path / "m1.toml").write_text(MAP)
    points = ", ".join(f'{{ point = "p", measurand = "{name}" }}' for name in REGISTERS.values())
    text += f"""
[[device]]
name = "meter-1"
map = "{tmp_path / "m1.toml"}"
host = "127.0.0.1"
port = {meter.port}
timeout_s = 3.0
meter = {{ make = "Test", model = "M1", serial = "1" }}
group = [{{ name = "all", interval_s = 60, points = [{points}] }}]
"""
    return parse_toml(text, GatewaySettings, "gateway.toml")


def gateway_runs_until(settings: GatewaySettings, condition: Callable[[], object]) -> None:
    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.wait([work], timeout=0.05)
                assert not work.done()
        stop.set()
        await work

    asyncio.run(live())


def values_by_birth(records: list) -> list[tuple[tuple[int, ...], set[tuple]]]:
    """(addresses of the blocks, values seen) of each birth; raw words must say what the values say."""
    device_map, found = parse_device_map(MAP), []
    for record in records:
        if isinstance(record, Birth):
            blocks = [Block(b.function, b.address, b.count) for b in record.groups[0].blocks]
            found.append((tuple(block.address for block in blocks), set()))
        elif isinstance(record, Readings):
            (part,) = record.groups
            for at, values in enumerate(zip(*part.values, strict=True)):
                found[-1][1].add(values)
                for register, value in zip(device_map.registers, values, strict=True):
                    if value is not None:
                        assert decode_in(register, blocks, unpack_words(part.raw[at])) == value
    return found


def test_a_refused_register_costs_the_others_one_slot_and_the_plan_is_remembered(settings, meter):
    meter.refused.add(11)
    good = (1_010_000, None, 1_012_000)
    gateway_runs_until(
        settings, lambda: good in set().union(*(v for _, v in values_by_birth(records_of(settings.data_dir.parent))))
    )
    first, second = values_by_birth(records_of(settings.data_dir.parent))
    assert first[0] == (10,)
    assert (None, None, None) in first[1]
    assert second == ((10, 11, 12), {good}), "each register alone"

    meter.asked.clear()
    before = len(records_of(settings.data_dir.parent))
    gateway_runs_until(settings, lambda: len(records_of(settings.data_dir.parent)) > before + 2)
    third = values_by_birth(records_of(settings.data_dir.parent))[2]
    assert third == ((10, 11, 12), {good})
    assert {(address, count) for _, _, address, count in meter.asked} == {(10, 1), (11, 1), (12, 1)}


def test_a_birth_within_a_stream_governs_only_what_follows(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), 1_766_505_600_000)
        outbox.commit([slot(0)])
        data = outbox.renew_birth(birth(agent="another plan"))
        outbox.commit([slot(1)])
        outbox.seal()
        records = [parse(bytes(row[0])) for row in outbox._store.db.execute("SELECT data FROM record ORDER BY seq")]
    assert [record.kind for record in records] == ["birth", "readings", "birth", "readings"]
    assert (parse(data).seq, parse(data).after, parse(data).agent) == (3, None, "another plan")
    assert len({record.stream for record in records}) == 1


def test_slots_left_behind_after_a_new_birth_are_sealed_under_it(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), 1_766_505_600_000)
        outbox.renew_birth(birth(agent="another plan"))
        outbox.commit([slot(0)])
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), 1_766_505_660_000)
        rows = outbox._store.db.execute("SELECT data FROM record ORDER BY stream, seq").fetchall()
    kinds = [(record.kind, getattr(record, "agent", "")) for record in (parse(bytes(row[0])) for row in rows)]
    test = "sakugen-gateway test"
    assert kinds == [
        ("birth", test), ("birth", "another plan"), ("birth", "another plan"), ("readings", ""), ("birth", test),
    ]  # fmt: skip
