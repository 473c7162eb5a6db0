"""SunSpec: definitions against the published ones, a model at its place, and a device's chain read through a server."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.birth import birth_body
from gateway.config import GatewaySettings
from gateway.maps import load_map, sunspec_definition, sunspec_models
from gateway.sunspec import Chain, Model, Plate, discover, marker_before
from metering.decode import Block, decode, decode_in
from metering.devicemap import WordType, parse_device_map
from metering.errors import DeviceMapError
from simulators.devices import sunspec_103
from simulators.devices.quantities import image_of
from simulators.plants.states import InverterState

TYPES = {
    "uint16": "u16", "enum16": "u16", "int16": "s16",
    "uint32": "u32", "acc32": "u32", "uint64": "u64", "float32": "f32",
}  # fmt: skip
NOT_IMPLEMENTED = {
    "uint16": 0xFFFF, "enum16": 0xFFFF, "int16": 0x8000, "uint32": 0xFFFFFFFF, "acc32": 0, "uint64": 2**64 - 1,
}  # fmt: skip


def published(model):
    """Offset and definition of each point, as pysunspec2 carries them."""
    sunspec2 = pytest.importorskip("sunspec2")
    file = Path(sunspec2.__file__).parent / "models" / "json" / f"model_{model}.json"
    points, offset = {}, 0
    for point in json.loads(file.read_text())["group"]["points"]:
        points[point["name"]] = (offset, point)
        offset += point["size"]
    return points, offset


@pytest.mark.parametrize("model", sunspec_models())
def test_a_definition_says_what_the_published_one_says(model):
    points, length = published(model)
    definition = parse_device_map(sunspec_definition(model))
    assert definition.access.readable[0].last == length - 1
    for register in definition.registers:
        offset, point = points[register.name]
        assert (register.address, register.type) == (offset, TYPES[point["type"]])
        factor = point.get("sf")
        assert (register.scale_register and register.scale_register.address) == (factor and points[factor][0])
        sentinel = NOT_IMPLEMENTED.get(point["type"])
        assert register.sentinels == (frozenset() if sentinel is None else {sentinel})
        assert (register.modulus == 2**32) == (point["type"] == "acc32")


@pytest.mark.parametrize("base", [2, 70, 40_070, 40_069, 50_070])
@pytest.mark.parametrize("model", sunspec_models())
def test_a_model_at_a_place_is_its_definition_moved_there(model, base):
    definition, placed = parse_device_map(sunspec_definition(model)), load_map(f"sunspec/{model}@{base}")
    assert [one.address - base for one in placed.registers] == [one.address for one in definition.registers]
    assert placed.identity.probe.address == base
    assert placed.identity.expect == (model,)
    assert placed.identity.serial.address == marker_before(base) + 2 + 50
    assert f"the id of the model at {base}" in placed.text
    for vector in placed.vectors:
        assert decode(placed.register(vector.register), vector.words, vector.scale_word) == vector.expected
    assert {vector.register for vector in placed.vectors} == {register.name for register in placed.registers}


def test_the_same_place_gives_the_same_text_and_another_place_another():
    assert load_map("sunspec/103@40070").digest == load_map("sunspec/103@40070").digest
    assert load_map("sunspec/103@40070").digest != load_map("sunspec/103@40069").digest


def test_model_103_at_40070_is_the_map_that_was_typed_by_hand():
    assert load_map("sunspec/103@40070").registers == load_map("sunspec_103").registers


def test_energies_in_floats_come_with_their_warning():
    for model in sunspec_models():
        device_map = load_map(f"sunspec/{model}@40070")
        floats = any(register.type is WordType.F32 for register in device_map.registers)
        assert floats == ("24 bits" in " ".join(device_map.caveats))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sunspec/999@40070", "no definition of SunSpec model 999; allowed: 101, 102"),
        ("sunspec/701@65500", "a SunSpec model at 65500 would run past address 65535"),
        ("sunspec/103", "unknown device map 'sunspec/103'; allowed: .*sunspec/MODEL@ADDRESS"),
    ],
)
def test_a_model_that_is_not_there_is_refused_with_what_is_allowed(name, why):
    with pytest.raises(DeviceMapError, match=why):
        load_map(name)


NOON = InverterState(
    active_power_w=1_250_000.0,
    energy_total_wh=7_654_321.0,
    phase_voltage_v=462.0,
    frequency_hz=50.0,
    dc_voltage_v=1100.0,
    cabinet_temperature_degc=41.0,
    producing=True,
)


async def through_a_server(image, port):
    """Walk the chain of a device that serves these registers and no others."""
    first = min(image)
    data = SimData(first, values=[image[at] for at in sorted(image)], datatype=DataType.REGISTERS)
    server = ModbusTcpServer([SimDevice(1, [data])], address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=5)

    async def read(address, count):
        answer = await client.read_holding_registers(address, count=count, device_id=1)
        return None if answer.isError() else answer.registers

    try:
        assert await client.connect()
        return await discover(read)
    finally:
        client.close()
        await server.shutdown()


def test_the_chain_of_the_simulated_inverter_is_found_through_a_server(free_port):
    chain = asyncio.run(through_a_server(image_of(sunspec_103.SHEET, NOON, "SN-0042").registers, free_port()))
    assert chain == Chain(
        marker=40_000,
        models=(Model(1, 40_002, 66), Model(103, 40_070, 50)),
        plate=Plate("Sakugen", "Simulated inverter", "1.0.0", "SN-0042"),
        complete=True,
    )


@pytest.mark.parametrize("marker", [0, 50_000])
def test_a_chain_elsewhere_is_found_too(free_port, marker):
    image = {at - 40_000 + marker: word for at, word in image_of(sunspec_103.SHEET, NOON, "SN-0042").registers.items()}
    chain = asyncio.run(through_a_server(image, free_port()))
    assert (chain.marker, [model.id for model in chain.models], chain.complete) == (marker, [1, 103], True)
    assert marker_before(chain.models[1].base) == marker


def walk(registers):
    asked = []

    async def read(address, count):
        asked.append((address, count))
        if any(at not in registers for at in range(address, address + count)):
            return None
        return [registers[at] for at in range(address, address + count)]

    return asyncio.run(discover(read)), asked


def test_a_device_without_the_marker_is_no_sunspec_device():
    assert walk({}) == (None, [(40_000, 2), (0, 2), (50_000, 2)])
    assert walk({40_000: 0x5375, 40_001: 0x0000, 0: 1, 1: 2})[0] is None


def test_a_chain_that_the_device_refuses_in_the_middle_keeps_what_was_found():
    chain, _ = walk({0: 0x5375, 1: 0x6E53, 2: 103, 3: 50})
    assert chain == Chain(0, (Model(103, 2, 50),), None, complete=False)


def test_a_chain_without_an_end_ends_all_the_same():
    chain, asked = walk(dict.fromkeys(range(70_000), 0) | {0: 0x5375, 1: 0x6E53})
    assert not chain.complete
    assert len(asked) < 200


@settings(max_examples=200)
@given(st.dictionaries(st.integers(2, 400), st.integers(0, 0xFFFF), max_size=60), st.lists(st.integers(0, 0xFFFF)))
def test_no_registers_make_the_walk_fail(scattered, chain):
    registers = {0: 0x5375, 1: 0x6E53} | dict(enumerate(chain, start=2)) | scattered
    found, asked = walk(registers)
    assert isinstance(found, Chain)
    assert len(asked) < 200
    assert all(count <= 125 for _, count in asked)


def test_a_birth_carries_the_finished_text_that_needs_no_knowledge_of_sunspec(tmp_path):
    points = [{"point": "inverter-1", "measurand": name} for name in ("active_power_w", "energy_export_total_wh")]
    settings = GatewaySettings.model_validate(
        {
            "site": "test-site", "gateway": "gw-1", "project": "p", "data_dir": tmp_path,
            "key_file": tmp_path / "key", "broker": {"host": "127.0.0.1"},
            "ack_keys": ["ack+d5b53440+ARMJTpW70lqKUsf0Sk8T5Tj0Fe28oa9Jp0GN/iqy2U7R"],
            "device": [
                {
                    "name": "inverter-1", "map": "sunspec/103@40070", "host": "127.0.0.1",
                    "meter": {"make": "Sakugen", "model": "Simulated inverter", "serial": "SN-0042"},
                    "group": [{"name": "all", "interval_s": 60, "points": points}],
                }
            ],
        }
    )  # fmt: skip
    body = birth_body(settings, 1.0)
    (group,) = body.groups
    device_map = parse_device_map(body.device_maps[group.map])
    words = [
        image_of(sunspec_103.SHEET, NOON, "SN-0042").registers[at] for block in group.blocks for at in _addresses(block)
    ]
    blocks = [Block(block.function, block.address, block.count) for block in group.blocks]
    values = {
        point.point + "/" + point.measurand: decode_in(device_map.register(point.register_name), blocks, words)
        for point in group.points
    }
    assert device_map.digest == group.map
    assert values == {
        "inverter-1/active_power_w": 1_250_000_000,
        "inverter-1/energy_export_total_wh": 7_654_320_000,
    }


def _addresses(block):
    return range(block.address, block.address + block.count)
