"""Who answers on a line, which maps fit, and the configuration that is written from it."""

import asyncio
import struct
import tomllib
from collections.abc import Callable

import pytest
from linekit.bus import Bus, Port

from gateway.buses import BusKind, BusSettings, tcp_bus
from gateway.config import GatewaySettings
from gateway.proposal import propose
from gateway.scan import Found, scan
from gateway.sunspec import Plate
from metering.keys import new_signer

FLOATS = struct.Struct(">f")


def scanned(port: int, units: range) -> list[Found]:
    return asyncio.run(scan(tcp_bus("127.0.0.1", port), units, 0.3))


def write_float(registers: dict[int, int], address: int, value: float) -> None:
    registers[address], registers[address + 1] = struct.unpack(">2H", FLOATS.pack(value))


def write_text(registers: dict[int, int], address: int, text: str, words: int) -> None:
    data = text.encode().ljust(2 * words, b"\0")
    for at, word in enumerate(struct.unpack(f">{words}H", data)):
        registers[address + at] = word


def as_sunspec(registers: dict[int, int]) -> None:
    """A chain of the common model and model 103, at address 0."""
    registers.update({0: 0x5375, 1: 0x6E53, 2: 1, 3: 66, 70: 103, 71: 50, 122: 0xFFFF, 123: 0})
    for address, text, words in ((4, "Maker", 16), (20, "Inverter 5", 16), (52, "SN-7", 16)):
        write_text(registers, address, text, words)


def test_units_that_answer_are_found_and_those_are_not_that_a_converter_cannot_reach(rogue):
    rogue.silent.add(1)
    rogue.unreachable.add(3)
    assert [found.unit for found in scanned(rogue.port, range(1, 5))] == [2, 4]


def test_a_silent_unit_does_not_hide_the_next_one(rogue):
    rogue.silent.update(range(1, 4))
    (found,) = scanned(rogue.port, range(1, 5))
    assert found.unit == 4


def test_a_sunspec_device_says_who_made_it_and_which_models_it_has(meter):
    as_sunspec(meter.registers[1])
    found = scanned(meter.port, range(1, 2))[0]
    assert found.plate == Plate("Maker", "Inverter 5", "", "SN-7")
    assert found.sunspec_models == (1, 103)
    assert found.maps == ("sunspec/103@70",)
    assert found.likely == ()


def test_an_identity_register_names_the_map_and_the_serial_number(meter, monkeypatch):
    meter.registers[2][0x0B] = 341
    found = scanned(meter.port, range(2, 3))[0]
    assert "carlo_gavazzi_em340" in found.maps


def test_a_unit_whose_registers_refuse_everything_is_listed_without_a_map(meter):
    meter.refused.update(range(420))
    (found, _) = scanned(meter.port, range(1, 3))
    assert (found.maps, found.likely, found.plate) == ((), (), None)


def test_only_read_functions_go_out(meter):
    scanned(meter.port, range(1, 3))
    assert {function for _, function, _, _ in meter.asked} <= {3, 4}


def test_a_line_that_cannot_be_opened_is_an_error(free_port):
    with pytest.raises(OSError, match="accepts no connection"):
        scanned(free_port(), range(1, 3))


def completed(text: str) -> str:
    ack = str(new_signer("ack").verifier)
    words = {"SITE": "site-1", "GATEWAY": "gw-1", "PROJECT": "p", "PUBLIC ACK KEY OF THE SERVER": ack, "BROKER": "b"}
    for old, new in words.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return text


def test_the_written_file_needs_its_capital_letters_completed_and_passes_then(meter):
    as_sunspec(meter.registers[1])
    bus = tcp_bus("127.0.0.1", meter.port)
    text = propose(bus, scanned(meter.port, range(1, 2)))
    with pytest.raises(ValueError, match="site"):
        GatewaySettings.model_validate(tomllib.loads(text))
    settings = GatewaySettings.model_validate(tomllib.loads(completed(text)))
    (device,) = settings.device
    assert (device.map, device.unit_id, device.host, device.port) == ("sunspec/103@70", 1, "127.0.0.1", meter.port)
    assert (device.meter.make, device.meter.model, device.meter.serial) == ("Maker", "Inverter 5", "SN-7")
    assert [group.interval_s for group in device.group] == [900, 60]
    assert settings.mode == "test"


def test_a_serial_bus_is_written_with_its_speed():
    bus = BusSettings(name="line-1", kind=BusKind.RTU, path="/dev/ttyUSB0", baud=19_200, parity="E")
    found = Found(7, ("eastron_sdm630",), (), {"eastron_sdm630": '12"3'}, None, ())
    settings = GatewaySettings.model_validate(tomllib.loads(completed(propose(bus, [found]))))
    assert settings.bus == (bus,)
    assert (settings.device[0].bus, settings.device[0].host) == ("line-1", None)
    assert settings.device[0].meter.serial == '12"3'


@pytest.mark.parametrize(
    ("maps", "likely", "line"),
    [
        ((), (), 'map = "MAP"   # see its plate'),
        ((), ("multical_403",), 'map = "multical_403"   # by what its registers hold: compare with its plate'),
        ((), ("abb_b23", "janitza_b23"), 'map = "MAP"   # or abb_b23, janitza_b23'),
        (("abb_b23", "janitza_b23"), (), 'map = "abb_b23"   # or janitza_b23'),
        (("abb_b23",), (), 'map = "abb_b23"'),
    ],
)
def test_a_map_is_chosen_only_when_something_speaks_for_it(maps: tuple, likely: tuple, line: str):
    text = propose(tcp_bus("h", 502), [Found(1, maps, likely, {}, None, ())])
    assert line in text.splitlines()


def test_a_meter_without_an_identity_register_is_recognised_by_what_it_measures(meter, monkeypatch: Callable):
    monkeypatch.setattr("gateway.scan.map_names", lambda: ("multical_403", "schneider_iem3000"))
    held = meter.registers[1]
    for address, value in ((0, 900.0), (4, 31.4), (6, 71.5), (8, 43.0), (20, 1234.5), (52, 9876.0)):
        write_float(held, address, value)
    assert scanned(meter.port, range(1, 2))[0].likely == ("multical_403",)
    write_float(held, 6, 1e9)
    assert scanned(meter.port, range(1, 2))[0].likely == ()


async def scanned_on_a_port(bus: Bus, units: range) -> list[Found]:
    async with Port(bus) as port:
        line = BusSettings(name="line-1", kind=BusKind.RTU, path=port.path, baud=115_200)
        return await scan(line, units, 0.05)


def test_a_serial_line_is_asked_unit_by_unit_one_request_at_a_time():
    bus = Bus(silent=set(range(1, 10)) - {3, 7}, holds={(7, 4, 0x0B): 341})
    found = asyncio.run(scanned_on_a_port(bus, range(1, 10)))
    assert [(unit.unit, unit.maps) for unit in found] == [(3, ()), (7, ("carlo_gavazzi_em340",))]
    assert bus.most_at_once == 1
    assert [unit for unit, *_ in bus.asked if unit in bus.silent] == [1, 2, 4, 5, 6, 8, 9]


def test_an_answer_that_comes_late_on_a_serial_line_is_not_taken_for_that_of_another_register():
    def disturb(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        # What is asked of the EM340's identity comes after the time is up, and would fit others of its length.
        late = request[1:4] == bytes((4, 0, 0x0B))
        return [(0.08 if late else 0.0, answer)]

    bus = Bus(silent=set(), holds={(1, 4, 0x0B): 341}, disturb=disturb)
    (found,) = asyncio.run(scanned_on_a_port(bus, range(1, 2)))
    assert found.maps == ()
