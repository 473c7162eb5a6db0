"""`sakugen simulate watch`: a snapshot in, lines of a table out; and the verb beside simulators that run."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from sakugen.cli.watch import (
    DEVICE_COLUMNS,
    REGISTER_COLUMNS,
    Row,
    about,
    device_rows,
    fitting,
    heading,
    register_rows,
    span_text,
    value_text,
)
from simulators.snapshot import DeviceNow, FaultNow, PlantNow, Snapshot, ValueNow
from tests.simulators.conftest import make_settings

ROOT = Path(__file__).parents[2]
NOW_MS = 1_766_901_600_000


def valued(quantity="active_power_w", true=8.3e6, shown=8.3e6, read_ms=None):
    return ValueNow(quantity=quantity, address=3059, words="4607 e5e4", true=true, shown=shown, read_ms=read_ms)


def made(name="ac-bus", project="demo", **changed):
    told = {"make": "Schneider Electric", "model": "iEM3255", "serial": "SIM-1", "transport": "tcp"}
    told |= {"place": "127.0.0.1:15020", "unit_id": 10, "function": 3, "requests": 0, "requests_per_s": 0.0}
    told |= {"last_client": "", "last_request_ms": None, "faults": (), "values": ()}
    return DeviceNow.model_validate({"name": name, "project": project} | told | changed)


def seen(*devices, projects=("demo",), factor=1.0):
    plants = tuple(
        PlantNow(
            project=project, site="farm", plant="solar", transport="tcp", place="127.0.0.1:15020", devices=1,
            requests=7, requests_per_s=0.5,
        )
        for project in projects
    )  # fmt: skip
    return Snapshot(now_ms=NOW_MS, factor=factor, plants=plants, devices=devices)


def cell(row, column, columns=DEVICE_COLUMNS):
    return row.cells[columns.index(column)]


def test_a_device_is_one_line_with_what_it_shows_who_asks_it_and_where_it_is():
    values = (valued(true=1.0), valued("energy_export_total_wh", 1.0, 36_605_588_604.0))
    asked = {"requests_per_s": 3.2, "last_client": "192.0.2.1:5000", "last_request_ms": NOW_MS - 65_000}
    (row,) = device_rows(seen(made(values=values, **asked)))
    assert row.cells == (
        "ac-bus", "Schneider Electric iEM3255", "127.0.0.1:15020", "10", "8.3 MW", "36.61 GWh", "3.2", "1 min 5 s",
        "192.0.2.1:5000", "",
    )  # fmt: skip
    assert not row.alarming


def test_a_device_whose_values_were_not_asked_for_or_that_nobody_asks_still_has_its_line():
    (row,) = device_rows(seen(made(transport="rtu", place="bus.tty")))
    assert (cell(row, "shows"), cell(row, "last ago"), cell(row, "line")) == ("", "never", "rtu bus.tty")


def test_with_several_plants_a_device_is_named_with_its_project():
    rows = device_rows(seen(made(project="a"), made(project="b"), projects=("a", "b")))
    assert [cell(row, "device") for row in rows] == ["a/ac-bus", "b/ac-bus"]


def test_faults_are_told_with_their_amount_and_the_time_left_and_stand_out():
    faults = (
        FaultNow(kind="slow", amount=3, until_ms=NOW_MS + 59_000),
        FaultNow(kind="silent", amount=None, until_ms=None),
    )
    (row,) = device_rows(seen(made(faults=faults)))
    assert cell(row, "faults") == "slow 3 s (59 s left), silent (until ended)"
    assert row.alarming


def test_the_heading_tells_the_plants_time_its_factor_and_how_much_is_asked():
    told = heading(seen(made(), made(faults=(FaultNow(kind="busy", amount=None, until_ms=None),)), factor=60))
    assert told == "2025-12-28T06:00:00Z (time × 60)   2 devices, 1 with faults   0.5 requests/s"


def test_a_register_is_one_line_with_true_and_shown_value_words_and_when_it_was_read():
    device = made(values=(valued(read_ms=NOW_MS - 2000), valued(shown=8.3e7), valued(true=None, shown=None)))
    rows = register_rows(device, NOW_MS)
    assert rows[0].cells == ("3059", "active_power_w", "8,300,000", "8,300,000", "4607 e5e4", "2 s")
    assert [row.alarming for row in rows] == [False, True, False]
    assert cell(rows[1], "read ago", REGISTER_COLUMNS) == "never"
    assert cell(rows[2], "shown", REGISTER_COLUMNS) == "no value"


def test_about_a_device_it_is_told_what_it_is_where_it_answers_and_whether_anybody_asks():
    assert about(made(), NOW_MS) == (
        "demo/ac-bus: Schneider Electric iEM3255, serial number SIM-1; tcp 127.0.0.1:15020, unit 10, function 3;"
        " never asked"
    )
    asked = made(requests=1200, requests_per_s=3.25, last_client="192.0.2.1:5000", last_request_ms=NOW_MS)
    assert about(asked, NOW_MS).endswith("1,200 requests, 3.25/s, the last 0 s ago by 192.0.2.1:5000")


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        ("active_power_w", -3_727_093.0, "-3.727 MW"),
        ("active_power_w", 12.0, "12 W"),
        ("heat_total_j", 4.2e13, "42 TJ"),
        ("irradiance_w_per_m2", 500.35, "500.35 W/m2"),
        ("flow_nm3_per_h", 12_345.6, "12,346 Nm3/h"),
        ("ambient_temperature_degc", -31.2, "-31.2 °C"),
        ("burner_state", 1.0, "1"),
        ("charge_share", 0.5, "0.5"),
        ("active_power_w", None, "no value"),
    ],
)
def test_a_value_is_short_and_has_its_unit(quantity, value, text):
    assert value_text(quantity, value) == text


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(-5, "0 s"), (59_999, "59 s"), (60_000, "1 min 0 s"), (3_660_000, "1 h 1 min"), (90_000_000, "1 d 1 h")],
)
def test_a_span_is_told_in_its_two_largest_units(span_ms, text):
    assert span_text(span_ms) == text


def test_in_a_narrow_window_the_client_goes_first_and_what_is_left_of_it_is_for_the_faults():
    rows = [Row(("a" * 12, "b" * 20, "c" * 15, "10", "8.3 MW", "36.6 GWh", "3", "1 s", "d" * 15, "e" * 60), True)]
    everything, last = fitting(DEVICE_COLUMNS, rows, 250)
    assert [DEVICE_COLUMNS[at] for at in everything] == list(DEVICE_COLUMNS)
    assert last >= 60
    narrower, _ = fitting(DEVICE_COLUMNS, rows, 180)
    assert set(DEVICE_COLUMNS) - {DEVICE_COLUMNS[at] for at in narrower} == {"client"}
    narrowest, last = fitting(DEVICE_COLUMNS, rows, 80)
    assert {"device", "shows", "last ago", "faults"} <= {DEVICE_COLUMNS[at] for at in narrowest}
    assert "model" not in {DEVICE_COLUMNS[at] for at in narrowest}
    assert 6 <= last < 60


@pytest.fixture
def simulators(tmp_path):
    """The three plants of the demonstration in a process of their own; where their control socket is, and a port."""
    settings = make_settings(tmp_path)
    program = (
        "import sys; from simulators.config import SimulatorSettings; from simulators.serve import main;"
        " main(SimulatorSettings.model_validate_json(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, json.dumps(settings.model_dump(mode="json"))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        ready = process.stdout.readline()
        yield process, settings.control_socket, int(ready.split()[2].rpartition(":")[2])
        process.terminate()


def sakugen(verb, control, *arguments):
    command = [sys.executable, "-m", "sakugen", "simulate", verb, "--control", str(control), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


def test_where_there_is_no_terminal_one_snapshot_of_the_running_process_is_printed(simulators):
    _, control, port = simulators
    with ModbusTcpClient("127.0.0.1", port=port) as client:
        assert not client.read_holding_registers(0x0C87, count=4, device_id=10).isError()
    assert sakugen("fault", control, "frozen", "--device", "heat-out", "--project", "demo-boiler").returncode == 0
    printed = sakugen("watch", control)
    lines = printed.stdout.splitlines()
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "12 devices, 1 with faults" in lines[0]
    assert sum("demo-" in line for line in lines) == 12
    first = next(line for line in lines if "demo-" in line)
    assert "demo-boiler/heat-out" in first
    assert "frozen (until ended)" in first
    assert next(line for line in lines if "demo-solar/ac-bus" in line).count("127.0.0.1:") == 2
    registers = sakugen("watch", control, "--device", "ac-bus")
    assert "Schneider Electric iEM3255, serial number SIM-IEM-0001" in registers.stdout
    assert "energy_export_total_wh" in registers.stdout


def test_a_script_gets_one_json_object(simulators):
    _, control, _ = simulators
    printed = sakugen("watch", control, "--json", "--device", "ac-bus")
    told = Snapshot.model_validate_json(printed.stdout)
    assert [each.name for each in told.devices] == ["ac-bus"]
    assert len(told.devices[0].values) == 15
    everything = Snapshot.model_validate_json(sakugen("watch", control, "--json").stdout)
    assert all(each.values for each in everything.devices)


def test_what_cannot_be_watched_is_refused_in_words(simulators, tmp_path):
    _, control, _ = simulators
    nobody = sakugen("watch", control, "--device", "nobody")
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "no device 'nobody'; there are: ac-bus" in nobody.stderr
    elsewhere = sakugen("watch", tmp_path / "none.control")
    assert (elsewhere.returncode, elsewhere.stdout) == (2, "")
    assert "is `sakugen simulate run` up?" in elsewhere.stderr
    assert "--control" in elsewhere.stderr


@pytest.fixture
def screen(simulators):
    """`watch` on a terminal of its own: the process, and a function that gives what it has shown so far."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    shown = bytearray()

    def look() -> str:
        try:
            while part := os.read(master, 65_536):
                shown.extend(part)
        except (BlockingIOError, OSError):
            pass
        return shown.decode(errors="replace")

    # Behind an & in a script a process is told to ignore Ctrl-C.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " from sakugen.cli.main import main; main()"
    )
    command = [sys.executable, "-c", program, "simulate", "watch", "--control", str(simulators[1])]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    with subprocess.Popen(command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        yield process, look
        process.kill()
    os.close(master)


def test_on_a_terminal_it_goes_on_and_shows_what_changes_until_it_is_ended(simulators, screen, wait_until):
    (_, control, _), (process, look) = simulators, screen
    wait_until(lambda: "0 with faults" in look(), 30)
    sakugen("fault", control, "busy", "--project", "demo-solar", "--device", "weather")
    wait_until(lambda: "1 with faults" in look() and "busy (until ended)" in look(), 30)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def test_when_the_simulators_end_it_says_so_and_ends(simulators, screen, wait_until):
    (running, _, _), (process, look) = simulators, screen
    wait_until(lambda: "0 with faults" in look(), 30)
    running.terminate()
    wait_until(lambda: "no simulators answer at" in look(), 30)
    assert process.wait(20) == 2
