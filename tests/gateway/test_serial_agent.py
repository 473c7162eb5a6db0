"""The whole gateway on a serial line: what its devices served stands in the outbox, each value once, at its slot."""

import random
from collections import defaultdict
from collections.abc import Iterator

import pytest
from linekit.bus import answer_to, value_of
from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import MAP, device, gaps_of, head, records_of
from runkit.process import Gateway, live

from gateway.config import GatewaySettings
from metering.config import parse_toml
from metering.quality import Quality
from metering.record import Readings

pytestmark = pytest.mark.fault

WANTED = (3, 10, 1)
ENERGY = """
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
"""


def bus_of(path: str, name: str = "cabinet", baud: int = 115_200) -> str:
    return f'[[bus]]\nname = "{name}"\nkind = "rtu"\npath = "{path}"\nbaud = {baud}\n'


class Ledger:
    """Has every answer about the power hold another value, notes what was served, and spoils some answers."""

    def __init__(self, bus, spoiled: float = 0.0) -> None:
        self.served: dict[int, list[int]] = defaultdict(list)
        """What left whole, by unit."""
        self.spoiled = 0
        self._holds, self._share, self._draw = bus.holds, spoiled, random.Random(3)
        self._holds.update({(unit, 3, 10): 1000 * unit for unit in range(16)})

    def __call__(self, request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        spoiled = self._draw.random() < self._share
        unit, wanted = request[0], (request[1], request[3], request[5]) == WANTED
        if wanted and not spoiled:
            self.served[unit].append(self._holds[unit, 3, 10])
        self._holds[unit, 3, 10] += wanted
        self.spoiled += spoiled
        return [(0.0, answer[:-1] + bytes((answer[-1] ^ 1,)) if spoiled else answer)]


def readings_of(records: list, name: str) -> list[tuple[int, int | None, int]]:
    """(slot, value [W], quality) in the order of the outbox."""
    found = []
    for record in records:
        for part in record.groups if isinstance(record, Readings) else ():
            if part.group == f"{name}/all":
                codes = {at: code for _, at, code in part.quality}
                for at, (slot, value) in enumerate(zip(part.slots, part.values[0], strict=True)):
                    found.append((slot, None if value is None else value // 1000, codes.get(at, Quality.OK)))
    return found


@pytest.fixture
def gateway(tmp_path, free_port) -> Iterator[Gateway]:
    with Gateway(tmp_path, head(tmp_path, free_port())) as made:
        (tmp_path / "m1.toml").write_text(MAP + ENERGY)
        yield made


@pytest.mark.parametrize(("units", "spoiled"), [((1, 2, 3), 0.0), ((1,), 0.1)])
def test_what_was_served_on_the_serial_line_stands_in_the_outbox_value_by_value(
    serial_bus, gateway, units, spoiled, tmp_path, wait_until
):
    serial_bus.bus.disturb = ledger = Ledger(serial_bus.bus, spoiled)
    devices = "".join(device(tmp_path, f"meter-{unit}", "cabinet", unit) for unit in units)
    devices = devices.replace("timeout_s = 0.5", "timeout_s = 0.1")  # a slot lasts as long
    gateway.configure(bus_of(serial_bus.path) + devices)
    gateway.start()
    wait_until(lambda: min(len(ledger.served[unit]) for unit in units) >= 20, 60)
    gateway.stop()
    assert bool(spoiled) == bool(ledger.spoiled)
    assert_every_due_slot_is_read_once_or_explained(gateway.records())
    for unit in units:
        readings = readings_of(gateway.records(), f"meter-{unit}")
        assert [value for _, value, _ in readings if value is not None] == ledger.served[unit]
        bad = {code for _, value, code in readings if value is None}
        assert bad <= ({Quality.BAD_FRAME, Quality.NO_ANSWER} if spoiled else set())
        assert spoiled or gaps_of(gateway.records(), f"meter-{unit}/all") == []


def test_a_device_is_added_on_a_serial_line_while_the_other_misses_no_slot_and_then_the_line_itself_changes(
    serial_bus, gateway, tmp_path, wait_until
):
    serial_bus.bus.disturb = ledger = Ledger(serial_bus.bus)
    first, second = (device(tmp_path, f"meter-{unit}", "cabinet", unit) for unit in (1, 2))
    line = bus_of(serial_bus.path)
    gateway.configure(line + first)
    gateway.start()
    wait_until(lambda: len(gateway.slots("meter-1")) >= 3)
    gateway.reload(line + first + second)
    wait_until(lambda: len(gateway.slots("meter-2")) >= 3)
    assert gaps_of(gateway.records(), "meter-1/all") == []
    gateway.reload(bus_of(serial_bus.path, baud=57_600) + first + second)
    wait_until(lambda: len(gateway.births()) == 3)
    before = len(ledger.served[1]), len(ledger.served[2])
    wait_until(lambda: len(ledger.served[1]) > before[0] + 3 and len(ledger.served[2]) > before[1] + 3)
    gateway.stop()
    assert_every_due_slot_is_read_once_or_explained(gateway.records())
    for unit in (1, 2):
        readings = readings_of(gateway.records(), f"meter-{unit}")
        assert [value for _, value, _ in readings] == ledger.served[unit]
        assert {quality for _, _, quality in readings} == {Quality.OK}


def test_two_units_of_one_number_are_a_fault_until_one_is_gone_and_leave_no_value(
    serial_bus, tmp_path, free_port, monkeypatch, wait_until, caplog
):
    caplog.set_level("INFO", "gateway")
    monkeypatch.setattr("gateway.line._OTHERS_S", 0.3)
    monkeypatch.setattr("gateway.member.LATEST_ANSWER_S", 0.5)
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    text = head(tmp_path, free_port()) + bus_of(serial_bus.path) + device(tmp_path, "meter-1", "cabinet", 1)
    (tmp_path / "m1.toml").write_text(MAP + ENERGY)
    bus = serial_bus.bus

    def values() -> list[int | None]:
        return [value for _, value, _ in readings_of(records_of(tmp_path), "meter-1")]

    bus.disturb = lambda request, answer: [(0.0, answer), (0.002, answer_to(request, {(1, 3, 10): 666}))]
    live(
        parse_toml(text, GatewaySettings, "gateway.toml"),
        lambda: wait_until(lambda: len(values()) >= 5),
        lambda: wait_until(lambda: "line-shared cabinet" in caplog.text and "unit 1 answers twice" in caplog.text),
        lambda: setattr(bus, "disturb", None),
        lambda: wait_until(lambda: "line-shared cabinet: over" in caplog.text, 30),
        lambda: wait_until(lambda: values()[-1] is not None, 30),
    )
    assert values()[:5] == [None] * 5
    assert set(values()) == {None, value_of(1, 3, 10)}
    assert caplog.text.count("answers twice") == 1
