"""The simulators as a process: one ready line, an orderly end, a clear refusal."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from metering.interval import HOUR_MS
from simulators.errors import PortTakenError, TooEarlyError
from simulators.ledger import count_served
from simulators.serve import ahead_ms

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from simulators.config import SimulatorSettings
from simulators.serve import main
sys.exit(main(SimulatorSettings.model_validate_json(sys.argv[1])))
"""


def start(settings):
    command = [sys.executable, "-c", PROGRAM, json.dumps(settings.model_dump(mode="json"))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("factor", "hours"), [(1, 1), (24, 24), (22_000, 16 * 24)])
def test_an_hour_of_real_time_is_computed_before_the_first_request_and_no_more_than_a_demonstration_needs(
    factor, hours
):
    assert ahead_ms(factor) == hours * HOUR_MS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_with_every_answer_in_the_ledger(settings_in, number):
    settings = settings_in()
    with start(settings) as process:
        ready = process.stdout.readline()
        assert ready.startswith("ready simulators demo-solar=127.0.0.1:")
        client = ModbusTcpClient("127.0.0.1", port=int(ready.split()[2].rpartition(":")[2]), timeout=5, retries=0)
        assert client.connect()
        for _ in range(30):
            assert not client.read_holding_registers(0x0C87, count=4, device_id=10).isError()
        client.read_holding_registers(0, count=1, device_id=99)
        client.close()
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=20)
    assert (process.returncode, rest, complaints) == (0, "", "")
    assert count_served(settings.ledger) == 30


def test_a_taken_port_ends_the_process_with_status_two_and_says_who_asked(settings_in):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_in(plants=[{"plant": "solar", "project": "demo-solar", "site": "s", "port": port}])
        with start(settings) as process:
            said, complaint = process.communicate(timeout=20)
    assert (process.returncode, said) == (2, "")
    assert f"project 'demo-solar' asked for 127.0.0.1:{port}" in complaint
    assert "in use" in complaint
    assert "`port = ...`" in complaint
    assert len(complaint.splitlines()) == 1


def test_a_taken_port_frees_the_ports_that_were_already_listened_on(settings_in, running, free_port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = {"plant": "solar", "project": "a", "site": "s", "port": free_port()}
        second = {"plant": "heat-only-boiler", "project": "b", "site": "s", "port": taken.getsockname()[1]}
        with pytest.raises(PortTakenError, match="project 'b'"), running(settings_in(plants=[first, second])):
            pass
    with running(settings_in(plants=[first])) as simulators:
        assert simulators.port("a") == first["port"]


def test_a_clock_before_the_counters_is_refused_before_anything_listens(settings_in, running):
    early = settings_in(counters_from="2026-01-01T00:00:00Z")
    with pytest.raises(TooEarlyError, match="counters_from"), running(early):
        pass
    assert not early.ledger.exists()
