"""Servers that others wrote, read by our gateway: libmodbus (apt) over TCP and RTU, modbus-serial (npm) over TCP."""

import asyncio
import os
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.config import GatewaySettings
from gateway.layout import poll_groups
from gateway.lines import lines_of
from gateway.poll import poll
from metering.clock import SystemClock
from metering.config import parse_toml
from metering.quality import Quality

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
MODBUS_SERIAL = "modbus-serial@8"
ACK_KEY = "ack+d5b53440+ARMJTpW70lqKUsf0Sk8T5Tj0Fe28oa9Jp0GN/iqy2U7R"
FLOATS = {  # measurand: address, word order, byte order, the value that the servers hold, in quanta
    "active_power_w": (500, "big", "big", -1_234_500),
    "voltage_l1_v": (502, "little", "big", 230_250),
    "frequency_hz": (504, "big", "little", 49_875),
    "heat_total_j": (506, "little", "little", 16_777_216),
}
REGISTER = """
[[register]]
name = "{name}"
measurand = "{name}"
function = {function}
address = {address}
type = "{type}"
word_order = "{words}"
byte_order = "{bytes}"
"""


def _map(folder: Path) -> Path:
    """Four floats, one 32-bit number of each function, and a register that no server has."""
    text = 'schema = "sakugen.devicemap/1"\nmake = "Test"\nmodel = "M"\ntier = "unverified"\n'
    text += '[[source]]\ntitle = "modbus_server.c"\nread = "the file"\n'
    for name, (address, words, order, _) in FLOATS.items():
        text += REGISTER.format(name=name, function=3, address=address, type="f32", words=words, bytes=order)
    plain = {"words": "big", "bytes": "big", "type": "u32"}
    text += REGISTER.format(name="energy_import_total_wh", function=3, address=100, **plain)
    text += REGISTER.format(name="volume_total_m3", function=4, address=100, **plain)
    text += REGISTER.format(name="energy_export_total_wh", function=3, address=2000, **plain)
    (folder / "peer.toml").write_text(text)
    return folder / "peer.toml"


EXPECTED = {
    **{name: value for name, (*_, value) in FLOATS.items()},
    # Two registers, the high one first, in Wh and m3: a quantum is a thousandth Wh and a millionth m3.
    "energy_import_total_wh": ((100 * 257 + 13) << 16 | (101 * 257 + 13)) * 1000,
    "volume_total_m3": ((0xFFFF - 300) << 16 | (0xFFFF - 303)) * 1_000_000,
    "energy_export_total_wh": None,
}


def _read(folder: Path, bus: str) -> dict[str, int | None]:
    groups = [
        ("values", [name for name in EXPECTED if name != "energy_export_total_wh"]),
        ("absent", ["energy_export_total_wh"]),
    ]
    text = f"""
site = "s"
gateway = "g"
project = "p"
data_dir = "d"
key_file = "k"
ack_keys = ["{ACK_KEY}"]
broker.host = "127.0.0.1"
[[bus]]
name = "peer"
{bus}
[[device]]
name = "meter"
map = "{_map(folder)}"
bus = "peer"
unit_id = 7
timeout_s = 5
meter = {{ make = "Test", model = "M", serial = "1" }}
"""
    for name, measurands in groups:
        points = ", ".join(f'{{ point = "p", measurand = "{measurand}" }}' for measurand in measurands)
        text += f'[[device.group]]\nname = "{name}"\ninterval_s = 60\npoints = [{points}]\n'
    settings = parse_toml(text, GatewaySettings, "gateway.toml")

    async def live() -> dict[str, int | None]:
        clock, found = SystemClock(), {}
        device = settings.device[0]
        async with lines_of(settings, clock)["meter"] as line:
            for group in poll_groups(settings.bus_of(device), device):
                reading = await poll(group, clock.now_ms(), line, clock)
                assert {quality for _, quality in reading.quality} <= {Quality.EXCEPTION}
                found |= {r.measurand.name: value for r, value in zip(group.registers, reading.values, strict=True)}
        return found

    return asyncio.run(live())


@contextmanager
def _served(command: list[str], **environment: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def libmodbus(installed: Callable[..., str], tmp_path_factory) -> Path:
    """Our small server, compiled."""
    compiler = installed("gcc")
    if not Path("/usr/include/modbus/modbus.h").exists():
        installed("libmodbus-dev")
    program = tmp_path_factory.mktemp("libmodbus") / "modbus_server"
    source = str(HERE / "modbus_server.c")
    subprocess.run(
        [compiler, "-Wall", "-Werror", "-I/usr/include/modbus", source, "-o", program, "-lmodbus"], check=True
    )
    return program


def test_a_libmodbus_server_is_read_over_tcp_with_equal_values(libmodbus, free_port, tmp_path):
    port = free_port()
    with _served([str(libmodbus), "tcp", str(port)]):
        assert _read(tmp_path, f'kind = "tcp"\nhost = "127.0.0.1"\nport = {port}') == EXPECTED


@contextmanager
def _null_modem() -> Iterator[tuple[str, str]]:
    """Two serial ports that are joined."""
    (left, left_port), (right, right_port) = os.openpty(), os.openpty()
    for end in (left_port, right_port):
        tty.setraw(end)

    def carry(source: int, sink: int) -> None:
        try:
            while data := os.read(source, 256):
                os.write(sink, data)
        except OSError:
            return  # the test is over

    threads = [threading.Thread(target=carry, args=way, daemon=True) for way in ((left, right), (right, left))]
    for thread in threads:
        thread.start()
    try:
        yield os.ttyname(left_port), os.ttyname(right_port)
    finally:
        for end in (left_port, right_port):
            os.close(end)
        for thread in threads:
            thread.join(10)
        for end in (left, right):
            os.close(end)


def test_a_libmodbus_server_is_read_over_a_serial_line_with_equal_values(libmodbus, tmp_path):
    with _null_modem() as (ours, theirs), _served([str(libmodbus), "rtu", theirs]):
        assert _read(tmp_path, f'kind = "rtu"\npath = "{ours}"\nbaud = 19200') == EXPECTED


@pytest.fixture(scope="module")
def modbus_serial(installed: Callable[..., str], tmp_path_factory) -> tuple[str, Path]:
    """Node, and the folder where npm put the package: nothing of it lies in the repository."""
    node, npm = installed("node"), installed("npm")
    folder = tmp_path_factory.mktemp("npm")
    command = [
        npm,
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--omit=optional",
        MODBUS_SERIAL,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm cannot install {MODBUS_SERIAL}: {done.stderr[-500:]}"
        if os.environ.get("SAKUGEN_REQUIRE_REAL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return node, folder / "node_modules"


def test_a_modbus_serial_server_is_read_with_equal_values(modbus_serial, free_port, tmp_path):
    (node, packages), port = modbus_serial, free_port()
    with _served([node, str(HERE / "modbus_server.js"), str(port)], NODE_PATH=str(packages)):
        assert _read(tmp_path, f'kind = "tcp"\nhost = "127.0.0.1"\nport = {port}') == EXPECTED
