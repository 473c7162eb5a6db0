"""The lines that simulated devices answer on, read by other people's masters: pymodbus, and mbpoll in `make real`."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusTlsClient

from simulators.config import DEMONSTRATION_PLANTS, PlantSettings
from simulators.errors import LineError
from simulators.frames import TcpFraming
from simulators.lines import SerialLine

AC_BUS = 10
EXPORT = 0x0C87


def solar(**overrides):
    return DEMONSTRATION_PLANTS[0].model_dump() | {"port": 0} | overrides


def exported(client) -> list[int]:
    answer = client.read_holding_registers(EXPORT, count=4, device_id=AC_BUS)
    assert not answer.isError()
    return answer.registers


def test_rtu_frames_over_tcp_carry_what_modbus_tcp_carries(settings_in, running):
    with running(settings_in(plants=[solar(transport="rtu-over-tcp")])) as simulators:
        port = simulators.port("demo-solar")
        with ModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, timeout=5, retries=0) as client:
            assert exported(client)[3] > 0
            # On a serial line nobody answers for a unit that is not there; a TCP port says so.
            assert client.read_holding_registers(0, count=1, device_id=77).exception_code == 11


def test_over_tls_only_a_client_of_the_site_s_authority_is_answered(settings_in, running, tmp_path, certify):
    certify(tmp_path, "site")
    certify(tmp_path, "meter", "site")
    certify(tmp_path, "gateway", "site")
    certify(tmp_path, "stranger")
    files = {"certificate": tmp_path / "meter.pem", "key": tmp_path / "meter.key", "client_ca": tmp_path / "site.pem"}
    with running(settings_in(plants=[solar(transport="tls", **files)])) as simulators:
        for name, is_answered in (("gateway", True), ("stranger", False)):
            context = ssl.create_default_context(cafile=str(tmp_path / "site.pem"))
            context.check_hostname = False
            context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
            port = simulators.port("demo-solar")
            with ModbusTlsClient("127.0.0.1", port=port, sslctx=context, timeout=5, retries=0) as client:
                answers = _is_answered(client)
            assert answers is is_answered, name


def _is_answered(client) -> bool:
    try:
        return not client.read_holding_registers(EXPORT, count=4, device_id=AC_BUS).isError()
    except (ModbusException, OSError):
        return False


def test_a_serial_line_answers_at_the_pace_of_its_baud_rate(settings_in, running, tmp_path):
    device = tmp_path / "bus.tty"
    took_s = {}
    for baudrate in (9600, 115_200):
        line = solar(transport="rtu", serial=device, baudrate=baudrate)
        with (
            running(settings_in(plants=[line])) as simulators,
            ModbusSerialClient(str(device), baudrate=baudrate, timeout=5, retries=0) as client,
        ):
            assert simulators.place("demo-solar") == str(device)
            began = time.monotonic()
            words = client.read_holding_registers(40_070, count=50, device_id=1)
            took_s[baudrate] = time.monotonic() - began
            assert not words.isError()
        assert not device.exists()
    # 8 bytes asked, 105 answered, 11 bits a character; before the answer 3.5 characters of silence, or 1.75 ms.
    assert took_s[9600] >= (8 + 105 + 3.5) * 11 / 9600
    assert took_s[115_200] >= (8 + 105) * 11 / 115_200 + 0.001_75


def test_on_a_serial_line_nobody_answers_for_a_unit_that_is_not_there(settings_in, running, tmp_path):
    line = solar(transport="rtu", serial=tmp_path / "bus.tty", baudrate=115_200)
    with (
        running(settings_in(plants=[line])),
        ModbusSerialClient(str(tmp_path / "bus.tty"), baudrate=115_200, timeout=0.3, retries=0) as client,
    ):
        with pytest.raises(ModbusException, match="No response"):
            client.read_holding_registers(0, count=1, device_id=77)
        assert exported(client)[3] > 0


@pytest.mark.real
def test_mbpoll_reads_a_serial_line(settings_in, running, tmp_path, installed):
    line = solar(transport="rtu", serial=tmp_path / "bus.tty", baudrate=19_200)
    with running(settings_in(plants=[line])):
        command = [installed("mbpoll"), "-m", "rtu", "-b", "19200", "-P", "none", "-a", "1", "-0", "-r", "40000"]
        command += ["-c", "4", "-t", "4:hex", "-1", "-q", str(tmp_path / "bus.tty")]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    words = [text.split()[-1].upper() for text in shown.splitlines() if text.startswith("[")]
    assert words == ["0X5375", "0X6E53", "0X0001", "0X0042"]


def open_files():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_a_device_file_that_cannot_be_made_leaves_no_pair_of_terminals_open(tmp_path):
    taken = tmp_path / "bus.tty"
    taken.touch()
    line = SerialLine(PlantSettings.model_validate(solar(transport="rtu", serial=taken)), devices=None)

    async def refused():
        before = open_files()
        with pytest.raises(LineError, match="cannot be made: File exists; name another with `serial"):
            await line.__aenter__()
        return before == open_files()

    assert asyncio.run(refused())
    assert not taken.is_symlink()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"transport": "tls"}, "needs certificate"),
        ({"transport": "rtu"}, "needs serial"),
        ({"serial": "bus.tty"}, "does not belong"),
        ({"fault": [{"kind": "slow", "device": "nobody"}]}, "has inverter-1"),
        ({"fault": [{"kind": "silent", "amount": 3}]}, "has no amount"),
        ({"fault": [{"kind": "half-open", "device": "ac-bus"}]}, "leave `device` out"),
        ({"fault": [{"kind": "exception", "amount": 700}]}, "from 1 to 255"),
    ],
)
def test_a_line_that_cannot_be_is_refused_in_words(changed, told):
    with pytest.raises(ValueError, match=told):
        PlantSettings.model_validate(solar(**changed))


def test_requests_that_come_in_pieces_or_together_are_all_understood():
    requests = [number.to_bytes(2) + bytes([0, 0, 0, 6, AC_BUS, 3, 0x0C, 0x87, 0, 4]) for number in range(1, 6)]
    stream = b"".join(requests)
    for cut in range(1, len(stream)):
        framing = TcpFraming()
        found = framing.requests(stream[:cut]) + framing.requests(stream[cut:])
        assert [request.transaction for request in found] == [1, 2, 3, 4, 5]
