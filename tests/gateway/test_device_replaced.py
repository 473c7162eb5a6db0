"""Another instrument answers in a meter's place: it is read on as what it says it is, and its operator is told."""

import asyncio
import http.client
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from linekit.bus import Bus, Converter, words_of
from runkit.box import MAP, STEP_MS, device, head, records_of
from runkit.process import live

from gateway.buses import BusKind, BusSettings
from gateway.config import GatewaySettings
from gateway.entries import BirthBody
from gateway.errors import OutboxFullError
from gateway.instruments import Instruments, told_serial
from gateway.line import Line
from gateway.member import IDENTITY_S, Unit
from gateway.outbox import Outbox
from gateway.reload import Reload
from gateway.status import Faults
from metering.config import parse_toml
from metering.decode import Block
from metering.quality import Quality

SERIAL = 20  # where the meter holds it
NUMBERED = MAP.replace(
    "[[register]]",
    f"""[identity]
function = 3
address = 2
type = "u16"
serial = {{ function = 3, address = {SERIAL}, type = "u16" }}
[[register]]""",
)


@pytest.fixture
def settings(tmp_path, free_port, monkeypatch) -> Callable[..., GatewaySettings]:
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    monkeypatch.setattr("gateway.member.IDENTITY_S", 0.2)

    def make(*devices: str, more: str = "") -> GatewaySettings:
        text = head(tmp_path, free_port(), more)
        (tmp_path / "m1.toml").write_text(NUMBERED)
        return parse_toml(text + "".join(devices), GatewaySettings, "gateway.toml")

    return make


def by_serial(folder: Path, name: str) -> Iterator[tuple[str, list[int | None]]]:
    """What each record of readings holds of a device, with the serial number of the birth that it stands under."""
    serials: dict[str, str] = {}
    for record in records_of(folder):
        if record.kind == "birth":
            serials = {part.group: part.meter.serial for part in record.groups}
        elif record.kind == "readings":
            for part in record.groups:
                if part.group == f"{name}/all":
                    yield serials[part.group], list(part.values[0])


def count(folder: Path, name: str, serial: str) -> int:
    return sum(len(values) for told, values in by_serial(folder, name) if told == serial)


def scrape(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_an_exchanged_meter_is_read_on_under_its_own_serial_number_and_is_a_fault_until_it_is_the_configured_one(
    meter, settings, tmp_path, free_port, wait_until, caplog
):
    port = free_port()
    caplog.set_level("INFO")
    meter.registers[1][SERIAL] = meter.registers[2][SERIAL] = 1
    given = settings(
        device(tmp_path, "meter-1", meter.port, 1),
        device(tmp_path, "meter-2", meter.port, 2),
        more=f"metrics = {{ port = {port} }}",
    )

    def exchange(number: int, power_w: int) -> Callable[[], None]:
        return lambda: meter.registers[1].update({SERIAL: number, 10: power_w})

    scrapes: list[str] = []
    live(
        given,
        lambda: wait_until(lambda: count(tmp_path, "meter-1", "1") >= 5),
        exchange(4711, 2000),
        lambda: wait_until(lambda: count(tmp_path, "meter-1", "4711") >= 5),
        lambda: scrapes.append(scrape(port)),
        exchange(1, 2000),
        lambda: wait_until(lambda: [serial for serial, _ in by_serial(tmp_path, "meter-1")][-1] == "1"),
        lambda: wait_until(lambda: "device-replaced meter-1: over" in caplog.text),
        lambda: scrapes.append(scrape(port)),
    )
    values = list(by_serial(tmp_path, "meter-1"))
    told = [value for serial, each in values for value in each if serial == "4711"]
    assert set(told) == {2_000_000}, "nothing of the first meter, which showed 1010 W"
    assert None not in [value for _, each in values for value in each], "no slot is lost over the exchange"
    assert {serial for serial, _ in by_serial(tmp_path, "meter-2")} == {"1"}, "the other device is not touched"
    assert ['code="device-replaced meter-1"' in each for each in scrapes] == [True, False]
    said = [one.getMessage() for one in caplog.records if "device-replaced" in one.getMessage()]
    assert len(said) == 2, "once when it begins and once when it ends"
    assert "serial number is 4711, configured is 1" in said[0]


def test_after_a_restart_too_no_reading_stands_under_the_configured_number_of_a_meter_that_is_gone(
    meter, settings, tmp_path, wait_until
):
    meter.registers[1][SERIAL] = 4711
    given = settings(device(tmp_path, "meter-1", meter.port, 1))
    live(given, lambda: wait_until(lambda: count(tmp_path, "meter-1", "4711") >= 3))
    assert {serial for serial, _ in by_serial(tmp_path, "meter-1")} == {"4711"}


def test_without_space_for_the_birth_that_names_it_no_reading_of_another_meter_is_kept_and_then_it_goes_on(
    meter, settings, tmp_path, wait_until, monkeypatch
):
    meter.registers[1][SERIAL] = 4711
    refusals = iter(range(3))
    renew = Outbox.renew_birth

    def full_three_times(self: Outbox, birth: BirthBody) -> bytes:
        if next(refusals, None) is not None:
            raise OutboxFullError("no space (a fake)")
        return renew(self, birth)

    monkeypatch.setattr(Outbox, "renew_birth", full_three_times)
    given = settings(device(tmp_path, "meter-1", meter.port, 1))
    live(given, lambda: wait_until(lambda: count(tmp_path, "meter-1", "4711") >= 3))
    assert {serial for serial, _ in by_serial(tmp_path, "meter-1")} == {"4711"}
    lost = [record for record in records_of(tmp_path) if record.kind == "gap" and record.reason == "dropped"]
    assert sum(record.to_ms - record.from_ms for record in lost) == 3 * STEP_MS


def test_the_fault_ends_when_a_reload_names_the_new_meter(meter, settings, tmp_path, wait_until, caplog):
    caplog.set_level("INFO")
    meter.registers[1][SERIAL] = 4711
    before = settings(device(tmp_path, "meter-1", meter.port, 1))
    (one,) = before.device
    named = one.model_copy(update={"meter": one.meter.model_copy(update={"serial": "4711"})})
    reload = Reload(lambda: before.model_copy(update={"device": (named,)}))
    live(
        before,
        lambda: wait_until(lambda: "device-replaced meter-1: it says" in caplog.text),
        lambda: os.kill(os.getpid(), signal.SIGHUP),
        lambda: wait_until(lambda: "device-replaced meter-1: over" in caplog.text),
        reload=reload,
    )
    births = [record.groups[0].meter.serial for record in records_of(tmp_path) if record.kind == "birth"]
    assert births == ["1", "4711", "4711"]


@pytest.mark.parametrize("blank", [0, 0xFFFF])
def test_a_device_that_tells_no_serial_number_stays_the_configured_one(meter, settings, tmp_path, wait_until, blank):
    meter.registers[1][SERIAL] = blank
    given = settings(device(tmp_path, "meter-1", meter.port, 1))
    live(given, lambda: wait_until(lambda: count(tmp_path, "meter-1", "1") >= 3))
    assert {serial for serial, _ in by_serial(tmp_path, "meter-1")} == {"1"}


IDENTITY = Block(3, 200, 6)
PROBES = (Block(3, 100, 1), Block(3, 104, 3))
TIMEOUT_S = 0.5


def on_line(free_port, clock, unit: Unit, story: Callable) -> None:
    async def act() -> None:
        bus, port = Bus(), free_port()
        settings = BusSettings(name="bus", kind=BusKind.RTU_OVER_TCP, host="127.0.0.1", port=port)
        async with Converter(bus, port), Line(settings, {1: unit}, clock) as line:
            await story(bus, line)

    asyncio.run(act())


def test_another_serial_number_is_believed_when_it_shows_itself_twice_with_something_else_between(clock, free_port):
    async def story(bus: Bus, line: Line) -> None:
        await line.read(1, 3, 10, 20)  # of another length than what follows, or that alone would be a reason to look
        first = line.identity(1)[IDENTITY]
        bus.holds[1, 3, 200] = 4711
        clock.real_ms += int(1000 * IDENTITY_S)
        bus.asked.clear()
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
        assert bus.asked == [(1, 3, 200, 6), (1, 3, 100, 1), (1, 3, 200, 6), (1, 3, 0, 2)]
        assert line.identity(1)[IDENTITY] == (4711, *first[1:])

    on_line(free_port, clock, Unit(TIMEOUT_S, identities=(IDENTITY,), numbered=True, probes=PROBES), story)


def test_a_serial_number_that_shows_itself_once_is_not_believed_and_neither_is_the_value(clock, free_port):
    async def story(bus: Bus, line: Line) -> None:
        await line.read(1, 3, 10, 20)
        first = line.identity(1)[IDENTITY]
        clock.real_ms += int(1000 * IDENTITY_S)

        def once(_request, answer):
            bus.holds.pop((1, 3, 200), None)
            return [(0.0, answer)]

        bus.holds[1, 3, 200] = 4711
        bus.disturb = once
        assert (await line.read(1, 3, 0, 2)).quality is Quality.BAD_FRAME
        assert line.identity(1)[IDENTITY] == first
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)

    on_line(free_port, clock, Unit(TIMEOUT_S, identities=(IDENTITY,), numbered=True, probes=PROBES), story)


def test_a_device_that_refuses_its_identity_register_is_read_all_the_same(clock, free_port):
    async def story(bus: Bus, line: Line) -> None:
        bus.refused.add((3, 200))
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
        assert line.identity(1) == {}

    on_line(free_port, clock, Unit(TIMEOUT_S, identities=(IDENTITY,), numbered=True, probes=PROBES), story)


def test_the_identity_is_read_again_only_when_somebody_could_have_exchanged_the_device_meanwhile(clock, free_port):
    async def story(bus: Bus, line: Line) -> None:
        await line.read(1, 3, 0, 2)
        bus.asked.clear()
        for address in (10, 300):
            clock.real_ms += int(1000 * IDENTITY_S) - 1
            await line.read(1, 3, address, 20 if address == 10 else 2)
        identities = [one for one in bus.asked if one == (1, 3, 200, 6)]
        assert len(identities) == 1
        assert bus.asked.index((1, 3, 10, 20)) < bus.asked.index(identities[0]), "not before it is due"

    on_line(free_port, clock, Unit(TIMEOUT_S, identities=(IDENTITY,), numbered=True, probes=PROBES), story)


def test_another_model_is_not_read_by_the_map_of_the_first_one_and_is_a_fault(
    meter, settings, tmp_path, wait_until, caplog
):
    caplog.set_level("INFO")
    given = settings(device(tmp_path, "meter-1", meter.port, 1))
    (tmp_path / "m1.toml").write_text(re.sub("serial = .*", "", NUMBERED))
    model = meter.registers[1][2]

    def values() -> list[int | None]:
        return [value for _, each in by_serial(tmp_path, "meter-1") for value in each]

    live(
        given,
        lambda: wait_until(lambda: len(values()) >= 3),
        lambda: meter.registers[1].update({2: 4711, 10: 2000}),
        lambda: wait_until(lambda: "device-replaced meter-1: another model answers" in caplog.text),
        lambda: meter.registers[1].update({2: model, 10: 3000}),
        lambda: wait_until(lambda: "device-replaced meter-1: over" in caplog.text),
        lambda: wait_until(lambda: 3_000_000 in values()),
    )
    between = values()[values().index(None) : len(values()) - values()[::-1].index(None)]
    assert set(between) == {None}, "nothing is read until the first model is back"


def test_a_device_that_is_gone_from_the_configuration_is_no_fault_any_more(settings, tmp_path):
    faults = Faults()
    (one,) = settings(device(tmp_path, "meter-1", 502, 1)).device
    known = Instruments(faults)
    known.know(one, {Block(3, SERIAL, 1): (8,)}, stranger=False)
    assert (list(faults.texts), known.serials) == (["device-replaced meter-1"], {"meter-1": "8"})
    known.forget(["meter-1"])
    assert (faults.texts, known.serials) == ({}, {})


def test_a_serial_number_is_read_by_the_map_and_compared_without_the_blanks_around_it(settings, tmp_path):
    (one,) = settings(device(tmp_path, "meter-1", 502, 1, serial=" 7 ")).device
    known, held = Instruments(Faults()), {Block(3, SERIAL, 1): (7,)}
    assert told_serial(one, held) == "7"
    assert told_serial(one, {}) is None
    assert known.renamed(one, held) == {}
    assert known.renamed(one, {Block(3, SERIAL, 1): (8,)}) == {"meter-1": "8"}
    known.know(one, {Block(3, SERIAL, 1): (8,)}, stranger=False)
    assert known.renamed(one, {}) == {"meter-1": "8"}, "a device that says nothing takes nothing back"
    assert known.renamed(one, held) == {}
