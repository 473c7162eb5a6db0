"""What compose mounts must fit what runs: configuration files, keys, the broker's rules."""

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from compute.config import ComputeSettings
from compute.project import load_project
from dashboards.console.config import ConsoleSettings
from gateway.config import GatewaySettings
from ingest.config import IngestSettings
from metering.config import load_toml
from metering.keys import KeyRing, Role, load_signer
from registry.config import RegistrySettings
from simulators.config import SimulatorSettings
from simulators.roster import build_site

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "config"
GATEWAYS = ("solar", "boiler", "transformers")
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
STATE = "/var/lib/sakugen"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The volumes as the service `keys` leaves them."""
    root = tmp_path_factory.mktemp("volumes")
    for name in ("projects", *(f"gateway-{name}" for name in GATEWAYS)):
        (root / name).mkdir()
    bootstrap(root)
    return root


def bootstrap(root):
    environment = os.environ | {
        "SAKUGEN_ROOT": str(root),
        "SAKUGEN_CONFIG": str(CONFIG),
        "SAKUGEN": f"{sys.executable} -m sakugen",
    }
    script = ["sh", ROOT / "deploy" / "bootstrap.sh"]
    subprocess.run(script, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE)


@pytest.fixture(scope="module")
def gateways(installed):
    return [load_toml(installed / f"gateway-{name}" / "gateway.toml", GatewaySettings) for name in GATEWAYS]


@pytest.fixture(scope="module")
def projects(installed):
    loaded = [load_project(installed / "projects" / f"project-{name}.toml") for name in GATEWAYS]
    return {project.id: project for project in loaded}


def test_every_service_accepts_its_configuration(gateways, projects):
    load_toml(CONFIG / "simulators.toml", SimulatorSettings)
    load_toml(CONFIG / "ingest.toml", IngestSettings)
    load_toml(CONFIG / "compute.toml", ComputeSettings)
    load_toml(CONFIG / "registry.toml", RegistrySettings)
    load_toml(CONFIG / "dashboards.toml", ConsoleSettings)
    assert {settings.project for settings in gateways} == set(projects)


def test_no_configuration_file_is_left_unchecked():
    known = {"simulators", "ingest", "compute", "registry", "dashboards"}
    known |= {f"{kind}-{name}" for kind in ("gateway", "project") for name in GATEWAYS}
    assert {file.stem for file in CONFIG.iterdir()} == known


def test_the_gateways_poll_the_meters_that_the_simulators_serve(gateways):
    simulators = load_toml(CONFIG / "simulators.toml", SimulatorSettings)
    plants = {plant.project: plant for plant in simulators.plants}
    for settings in gateways:
        plant = plants[settings.project]
        assert plant.site == settings.site
        instruments = build_site(plant.plant, "any", simulators.counters_from_ms).instruments
        served = {one.name: (one.unit_id, one.nameplate) for one in instruments}
        for device in settings.device:
            unit_id, plate = served[device.name]
            assert (device.host, device.port, device.unit_id) == ("simulators", plant.port, unit_id)
            assert (device.meter.make, device.meter.model, device.meter.serial) == (
                plate.make,
                plate.model,
                plate.serial,
            )


def test_each_project_declares_the_points_and_meters_that_its_gateway_reads(gateways, projects):
    for settings in gateways:
        project = projects[settings.project]
        points = {point.point for device in settings.device for group in device.group for point in group.points}
        assert (project.site, {point.id for point in project.point}) == (settings.site, points)
        polled = {device.name: device.meter.serial for device in settings.device}
        for meter in project.meter:
            assert polled[meter.point] == meter.serial


def test_the_console_shows_every_project_under_its_own_name(gateways, projects):
    console = load_toml(CONFIG / "dashboards.toml", ConsoleSettings)
    for shown in console.project:
        project = projects[shown.id]
        settings = next(one for one in gateways if one.project == shown.id)
        declared = (project.title, project.site, project.time_zone, settings.gateway)
        assert declared == (shown.title, shown.site, shown.time_zone, shown.gateway)
    assert {shown.id for shown in console.project} == set(projects)


def test_the_services_name_the_same_files():
    ingest = load_toml(CONFIG / "ingest.toml", IngestSettings)
    compute = load_toml(CONFIG / "compute.toml", ComputeSettings)
    console = load_toml(CONFIG / "dashboards.toml", ConsoleSettings)
    registry = load_toml(CONFIG / "registry.toml", RegistrySettings)
    assert {compute.journal, console.journal, registry.journal} == {ingest.journal_path}
    assert console.results == ingest.influxdb.results_file == compute.results
    assert registry.projects == compute.projects
    assert {path.name for path in compute.projects} == {path.name for path in CONFIG.glob("project-*.toml")}


def test_ingest_writes_where_grafana_reads():
    influxdb = load_toml(CONFIG / "ingest.toml", IngestSettings).influxdb
    setup, grafana = SERVICES["influxdb"]["environment"], SERVICES["grafana"]["environment"]
    assert (influxdb.bucket, influxdb.org) == (setup["DOCKER_INFLUXDB_INIT_BUCKET"], setup["DOCKER_INFLUXDB_INIT_ORG"])
    assert influxdb.url == grafana["SAKUGEN_INFLUX_URL"]
    assert str(influxdb.token_file) in " ".join(SERVICES["ingest"]["command"])


def mounts(service):
    return [volume.split(":")[:2] for volume in SERVICES[service].get("volumes", ())]


@pytest.mark.parametrize("name", ["ingest", "compute", "registry", "dashboards", "simulators"])
def test_every_path_in_a_configuration_lies_in_something_that_is_mounted(name):
    text = (CONFIG / f"{name}.toml").read_text("utf-8")
    paths = re.findall(rf'"((?:{STATE}|/etc/sakugen)/[^"]+)"', text)
    targets = [target for _, target in mounts(name)]
    assert paths
    for path in paths:
        assert any(path == target or path.startswith(f"{target}/") for target in targets), path


def test_every_file_that_is_mounted_or_built_from_exists():
    for name, service in SERVICES.items():
        for source, _ in mounts(name):
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_keys_reach_each_gateway_alone(installed, gateways):
    ring = KeyRing.load(installed / "keys" / "keys.toml")
    (ack,) = ring.of_role(Role.ACK)
    for name, settings in zip(GATEWAYS, gateways, strict=True):
        signer = load_signer(installed / f"gateway-{name}" / "gateway.key")
        assert signer.name == f"{settings.site}/{settings.gateway}"
        assert any(entry.public_key == str(signer.verifier) for entry in ring.of_role(Role.GATEWAY)), name
        assert [str(key) for key in settings.ack_keys] == [ack.public_key]
        assert settings.key_file == Path(f"{STATE}/gateway/gateway.key")
    left = {file.name for file in (installed / "keys").iterdir()}
    assert left == {"keys.toml", "ack.key", "operator.key"}, "no gateway's private key stays behind"


def test_making_keys_and_projects_a_second_time_changes_nothing(installed, tmp_path):
    root = shutil.copytree(installed, tmp_path / "volumes")
    (root / "projects" / "project-solar.toml").write_text("what somebody declared", encoding="utf-8")
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}
    bootstrap(root)
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


def test_monitoring_begins_at_the_next_midnight_with_a_day_before_it_apart(projects):
    for project in projects.values():
        first_day, first_year = project.period
        assert first_year.start == first_day.end == first_day.start + timedelta(days=1)
        assert timedelta(days=365) <= first_year.end - first_year.start <= timedelta(days=366)


def test_secrets_are_drawn_once_and_only_their_owner_can_read_them(tmp_path):
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "new-secrets.sh", tmp_path / "deploy")
    subprocess.run(["sh", script], check=True, stdout=subprocess.PIPE)
    drawn = tmp_path / ".env"
    assert drawn.stat().st_mode & 0o777 == 0o600
    values = dict(line.split("=") for line in drawn.read_text().splitlines() if "=" in line)
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert set(values) == set(re.findall(r"\$\{(\w+)\}", compose))
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values.values())
    assert len(set(values.values())) == len(values)

    again = subprocess.run(["sh", script], check=False, capture_output=True)
    assert again.returncode != 0
    assert dict(line.split("=") for line in drawn.read_text().splitlines() if "=" in line) == values


def test_no_secret_is_in_the_compose_file_and_drawn_ones_are_never_committed():
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+\}", value), name
    assert "/.env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
