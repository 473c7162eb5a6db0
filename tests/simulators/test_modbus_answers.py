"""A real server, asked by a real pymodbus client and by mbpoll."""

import struct
import subprocess

import pytest

from simulators.config import DEMONSTRATION_PLANTS
from simulators.ledger import read_ledger
from simulators.roster import build_site


def test_every_device_answers_under_its_unit_id_and_the_ledger_holds_exactly_what_was_received(settings_in, running):
    received = []
    with running(settings_in()) as simulators:
        for plant in simulators.settings.plants:
            with simulators.client(plant.project) as client:
                for instrument in build_site(plant.plant, "any", simulators.settings.counters_from_ms).instruments:
                    first = min(instrument.image(simulators.settings.counters_from_ms).registers)
                    read = client.read_holding_registers if instrument.function == 3 else client.read_input_registers
                    answer = read(first, count=1, device_id=instrument.unit_id)
                    assert not answer.isError(), instrument.name
                    words = struct.pack(f">{len(answer.registers)}H", *answer.registers)
                    received.append((plant.project, instrument.name, instrument.function, first, words))
    served = [
        (each.project, each.device, each.function, each.address, each.words)
        for each in read_ledger(simulators.settings.ledger)
    ]
    assert len(received) == 12
    assert served == received


def test_what_is_received_is_what_the_plant_shows_at_the_instant_in_the_ledger(settings_in, running):
    settings = settings_in(seed=5)
    with running(settings) as simulators, simulators.client("demo-solar") as client:
        words = client.read_holding_registers(0x0C87, count=4, device_id=10).registers
    (served,) = read_ledger(settings.ledger)
    plant = build_site("solar", "5/demo-solar", settings.counters_from_ms).plant
    exported_wh = struct.unpack(">q", struct.pack(">4H", *words))[0]
    assert exported_wh == int(plant.ac_bus(served.served_ms).energy_export_total_wh)


def test_served_counters_never_go_down_while_time_flies(settings_in, running, wait_until):
    settings = settings_in(clock={"kind": "scaled", "start": "2025-12-28T13:00:00+08:00", "factor": 14_400})
    values = []
    with running(settings) as simulators, simulators.client("demo-boiler") as client:

        def has_risen():
            words = client.read_holding_registers(20, count=2, device_id=1).registers
            values.append(struct.unpack(">f", struct.pack(">2H", *words))[0])
            # The burner may rest for a part of its cycle, which is some minutes of the plant's time.
            return len(values) >= 20 and values[-1] > values[0]

        wait_until(has_risen)
    assert values == sorted(values)
    assert [each.served_ms for each in read_ledger(settings.ledger)] == sorted(
        each.served_ms for each in read_ledger(settings.ledger)
    )


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        pytest.param(lambda client: client.read_holding_registers(0x0C8B, count=1, device_id=10), 2, id="outside"),
        pytest.param(
            lambda client: client.read_holding_registers(0x0BF3, count=4, device_id=10), 2, id="over the edge"
        ),
        pytest.param(lambda client: client.read_input_registers(0x0BF3, count=2, device_id=10), 1, id="wrong function"),
        pytest.param(lambda client: client.write_register(0x0BF3, 1, device_id=10), 1, id="a write"),
        pytest.param(lambda client: client.read_holding_registers(0x0BF3, count=2, device_id=77), 11, id="absent unit"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_an_exception_and_no_ledger_entry(
    settings_in, running, caplog, ask, code
):
    with running(settings_in()) as simulators, simulators.client("demo-solar") as client:
        answer = ask(client)
        assert answer.isError()
        assert answer.exception_code == code
        assert not client.read_holding_registers(0x0BF3, count=2, device_id=10).isError()
    assert len(list(read_ledger(simulators.settings.ledger))) == 1
    assert "Traceback" not in caplog.text


def test_a_device_that_is_left_out_answers_as_an_absent_unit(settings_in, running):
    solar = DEMONSTRATION_PLANTS[0].model_dump() | {"port": 0, "devices": ["ac-bus"]}
    with running(settings_in(plants=[solar])) as simulators, simulators.client("demo-solar") as client:
        assert client.read_holding_registers(40_000, count=2, device_id=1).exception_code == 11
        assert not client.read_holding_registers(0x0C87, count=4, device_id=10).isError()


@pytest.mark.real
def test_mbpoll_reads_the_sunspec_marker(settings_in, running, installed):
    with running(settings_in()) as simulators:
        command = [
            installed("mbpoll"),
            "-m",
            "tcp",
            "-p",
            str(simulators.port("demo-solar")),
            "-a",
            "1",
            "-0",
            "-r",
            "40000",
        ]
        command += ["-c", "4", "-t", "4:hex", "-1", "-q", "127.0.0.1"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    assert [word.upper() for word in ("0x5375", "0x6e53", "0x0001", "0x0042")] == [
        line.split()[-1].upper() for line in shown.splitlines() if line.startswith("[")
    ]
