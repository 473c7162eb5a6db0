"""The wheel, installed with the gateway extra alone as on a small box, checks a gateway's configuration."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(300)]

GATEWAY_TOML = """\
site = "mongolia-farm"
gateway = "gw-solar"
project = "demo-solar"
data_dir = "data"
key_file = "gw-solar.key"
ack_keys = ["{ack_key}"]

[broker]
host = "127.0.0.1"
port = 1883

[[device]]
name = "ac-bus"
map = "{device_map}"
host = "127.0.0.1"
port = 502
unit_id = 1
meter = {{ make = "Schneider Electric", model = "iEM3155", serial = "0001" }}

[[device.group]]
name = "energy"
interval_s = 60
points = [{{ point = "ac-bus", measurand = "energy_export_total_wh" }}]
"""


def _run(*command, cwd, check=True):
    # Nothing of this environment may help: not its packages, not the source tree.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run([*map(str, command)], check=False, cwd=cwd, env=environment, capture_output=True, text=True)
    if check and done.returncode != 0:
        pytest.fail(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def box(wheel, tmp_path_factory):
    """The bin folder of an environment that holds the gateway and nothing more."""
    folder = tmp_path_factory.mktemp("box")
    _run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    wanted = f"sakugen[gateway] @ {wheel.as_uri()}"
    _run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wanted, cwd=folder)
    return python.parent


def test_the_wheel_holds_every_data_file_of_every_package(wheel):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    rooms = {name.partition("/")[0] for name in held if name.endswith("/__init__.py")}
    assert rooms == {"metering", "simulators", "gateway", "ingest", "compute", "registry", "dashboards", "sakugen"}
    assert {name for name in tracked if name.partition("/")[0] in rooms and (ROOT / name).is_file()} - held == set()


def test_a_gateway_box_installs_nothing_of_the_server(box):
    found = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, sys.argv[1:])))"
    _run(box / "python", "-c", found, "numpy", "numba", "fastapi", "influxdb_client", "nicegui", cwd=box)


def test_a_gateway_box_accepts_a_right_configuration(box, tmp_path):
    right = _write(box, tmp_path, device_map="schneider_iem3000")
    _run(box / "sakugen", "config", "check", right, cwd=tmp_path)


def test_a_gateway_box_refuses_an_unknown_device_map_and_names_the_line(box, tmp_path):
    wrong = _write(box, tmp_path, device_map="no-such-meter")
    done = _run(box / "sakugen", "config", "check", wrong, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "no-such-meter" in done.stdout + done.stderr


def _write(box, folder, device_map):
    make_key = "from metering.keys import new_signer; print(new_signer('ack').verifier)"
    ack_key = _run(box / "python", "-c", make_key, cwd=folder).stdout.strip()
    path = folder / "gateway.toml"
    path.write_text(GATEWAY_TOML.format(ack_key=ack_key, device_map=device_map))
    return path
