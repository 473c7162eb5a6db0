"""An inverter and the meters behind it answer at one unit id, each under a map of its own."""

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from runkit.box import head, records_of

from gateway.agent import run
from gateway.buses import tcp_bus
from gateway.config import GatewaySettings
from gateway.lines import lines_of, unit_of
from gateway.maps import load_map
from gateway.proposal import propose
from gateway.rounds import _same_devices
from gateway.scan import scan
from gateway.survey import survey
from metering.config import parse_toml
from metering.decode import Block
from metering.errors import DeviceMapError
from metering.quality import Quality

INVERTER, METER, OTHER = 70, 122, 297  # where models 103, 203 and another 203 have their id
SECOND_COMMON = 229
DEVICE = """
[[device]]
name = "{name}"
map = "sunspec/{map}"
host = "127.0.0.1"
port = {port}
timeout_s = 0.5
meter = {{ make = "Maker", model = "M", serial = "{serial}" }}
group = [{{ name = "all", interval_s = 60, points = [
  {{ point = "{name}", measurand = "active_power_w" }}, {{ point = "{name}", measurand = "energy_export_total_wh" }},
] }}]
"""


def text(words: int, letters: str) -> list[int]:
    data = letters.encode().ljust(2 * words, b"\0")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, 2 * words, 2)]


def place(registers: dict[int, int], address: int, words: list[int]) -> None:
    registers.update(enumerate(words, address))


def common(registers: dict[int, int], address: int, serial: str) -> None:
    place(registers, address, [1, 66, *([0] * 66)])
    place(registers, address + 50, text(16, serial))


def chain(registers: dict[int, int]) -> None:
    """Common model, 103, 203; another common model, 203. Words as the model definitions place them."""
    place(registers, 0, [0x5375, 0x6E53])
    common(registers, 2, "INV-1")
    place(registers, INVERTER, [103, 50, *([0xFFFF] * 50)])
    place(registers, INVERTER + 14, [125, 1])  # W, W_SF: 1250 W
    place(registers, INVERTER + 24, [0x0001, 0x0000, 1])  # WH, WH_SF: 655,360 Wh
    for at, power_w in ((METER, 0xFFFF), (OTHER, 300)):
        place(registers, at, [203, 105, *([0xFFFF] * 100)])
        place(registers, at + 18, [power_w])
        place(registers, at + 22, [0])
        place(registers, at + 38, [0x0000, 0x0007])  # TotWhExp: 7 × 10^2 Wh
        place(registers, at + 54, [2])
    common(registers, SECOND_COMMON, "MTR-9")
    place(registers, OTHER + 107, [0xFFFF, 0])


@pytest.fixture
def settings(meter, tmp_path, free_port, monkeypatch) -> Callable[..., GatewaySettings]:
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    chain(meter.registers[1])

    top = head(tmp_path, free_port())

    def make(*devices: tuple[str, str, str]) -> GatewaySettings:
        given = [DEVICE.format(name=name, map=path, serial=serial, port=meter.port) for name, path, serial in devices]
        return parse_toml(top + "".join(given), GatewaySettings, "gateway.toml")

    return make


TWO = (("inverter", f"103@{INVERTER}", "INV-1"), ("grid", f"203@{METER}", "INV-1"))


def shown(folder: Path) -> dict[str, set[tuple]]:
    """What was read of each device: values, and the serial number of the birth."""
    found: dict[str, set[tuple]] = {}
    serials: dict[str, str] = {}
    for record in records_of(folder):
        if record.kind == "birth":
            serials = {part.group: part.meter.serial for part in record.groups}
        elif record.kind == "readings":
            for part in record.groups:
                found.setdefault(part.group, set()).update(
                    (*row, serials[part.group]) for row in zip(*part.values, strict=True)
                )
    return found


def test_an_inverter_and_the_meter_behind_it_are_read_at_one_unit_id_each_by_its_own_map(
    settings, meter, tmp_path, wait_until
):
    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings(*TWO), stop))
        await asyncio.to_thread(wait_until, lambda: len(shown(tmp_path)) == 2)
        stop.set()
        await work

    asyncio.run(live())
    assert shown(tmp_path) == {
        "inverter/all": {(1_250_000, 655_360_000, "INV-1")},
        "grid/all": {(-1_000, 700_000, "INV-1")},
    }
    assert meter.asked.count((1, 3, 52, 16)) == 1, "they are one device, which is recognised once"


def test_two_maps_of_a_unit_are_one_unit_of_its_line_that_is_left_alone_as_one(settings, clock, free_port):
    given = settings(*TWO)
    lines = lines_of(given, clock)
    assert lines["inverter"] is lines["grid"]
    both, inverter, grid = unit_of(*given.device), *(unit_of(device) for device in given.device)
    assert both.identities == inverter.identities == grid.identities == (Block(3, 52, 16),)
    assert {(probe.function, probe.count) for probe in both.probes} == {(3, 1), (3, 2)}

    async def story() -> None:
        away = given.model_copy(
            update={"device": tuple(one.model_copy(update={"port": given.broker.port}) for one in given.device)}
        )
        line = lines_of(away, clock)["inverter"]
        async with line:
            assert (await line.read(1, 3, 84, 2)).quality is Quality.NO_ANSWER
            assert line.silent_units() == [1]

    asyncio.run(story())


def test_a_unit_may_take_as_long_as_the_slowest_of_its_devices_and_each_tells_its_own_serial_number(settings):
    given = settings(TWO[0], ("grid", f"203@{OTHER}/1@{SECOND_COMMON}", "MTR-9"))
    slow = given.device[1].model_copy(update={"timeout_s": 3.0})
    assert unit_of(given.device[0], slow).timeout_s == 3
    assert unit_of(*given.device).identities == (Block(3, 52, 16), Block(3, SECOND_COMMON + 50, 16))


def test_a_unit_needs_the_longest_silence_of_its_devices_and_each_may_be_read_to_prove_it_in_step(settings):
    slow, quick = (
        settings(TWO[0]).device[0].model_copy(update={"map": name}) for name in ("eastron_sdm630", "abb_b23")
    )
    both = unit_of(quick, slow)
    assert both.turnaround_s == unit_of(slow).turnaround_s > unit_of(quick).turnaround_s
    assert {(probe.function, probe.count) for probe in both.probes} == {(3, 1), (3, 2), (3, 4), (4, 1), (4, 2)}


def test_a_meter_with_a_common_model_of_its_own_is_known_by_the_serial_number_there(
    settings, meter, tmp_path, clock, wait_until
):
    given = settings(*TWO, ("other", f"203@{OTHER}/1@{SECOND_COMMON}", "MTR-9"))
    claims = asyncio.run(survey(given, clock)).claims
    assert [(claim.device, claim.model, claim.serial) for claim in claims] == [
        ("inverter", 103, "INV-1"), ("grid", 203, "INV-1"), ("other", 203, "MTR-9"),
    ]  # fmt: skip
    common(meter.registers[1], SECOND_COMMON, "MTR-10")

    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(given, stop))
        await asyncio.to_thread(wait_until, lambda: len(shown(tmp_path)) == 3)
        stop.set()
        await work

    asyncio.run(live())
    assert {group: {row[-1] for row in rows} for group, rows in shown(tmp_path).items()} == {
        "inverter/all": {"INV-1"}, "grid/all": {"INV-1"}, "other/all": {"MTR-10"},
    }  # fmt: skip


@pytest.mark.parametrize("common_at", [40_000, 40_188, 40_200])
def test_a_common_model_that_is_not_before_its_model_is_refused(common_at):
    with pytest.raises(DeviceMapError, match=f"stands before it, not at {common_at}"):
        load_map(f"sunspec/203@40188/1@{common_at}")


def test_when_one_device_of_a_unit_changes_at_a_reload_the_others_there_are_read_anew_too(settings):
    maps = {"inverter": "a", "grid": "b"}
    before, after = settings(*TWO), settings(TWO[0], (*TWO[1][:2], "INV-2"))
    assert _same_devices((before, maps), (before, maps)) == {"inverter", "grid"}
    assert _same_devices((before, maps), (after, maps)) == set()
    alone = before.model_copy(update={"device": before.device[:1]})
    assert _same_devices((before, maps), (alone, maps)) == set()


@pytest.mark.usefixtures("settings")
def test_a_scan_writes_each_model_of_a_unit_as_a_device_of_its_own(meter):
    bus = tcp_bus("127.0.0.1", meter.port)
    found = asyncio.run(scan(bus, [1], 0.3))
    assert found[0].maps == (
        f"sunspec/103@{INVERTER}", f"sunspec/203@{METER}", f"sunspec/203@{OTHER}/1@{SECOND_COMMON}",
    )  # fmt: skip
    devices = tomllib.loads(propose(bus, found))["device"]
    assert [(one["name"], one["map"], one["meter"]["serial"]) for one in devices] == [
        ("unit-1-103-70", found[0].maps[0], "INV-1"),
        ("unit-1-203-122", found[0].maps[1], "INV-1"),
        ("unit-1-203-297", found[0].maps[2], "MTR-9"),
    ]
    assert len({point["point"] for one in devices for group in one["group"] for point in group["points"]}) == 3
