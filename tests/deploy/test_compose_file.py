"""The compose file: what Debian's docker-compose makes of it, and what must hold of every service."""

import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
ROOMS = {"gateway", "ingest", "compute", "registry", "simulators", "dashboards"}


def test_every_part_has_a_service_named_like_its_folder():
    assert ROOMS | {"mosquitto", "influxdb", "grafana"} <= set(SERVICES)
    assert all((ROOT / room).is_dir() for room in ROOMS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_installs_its_own_extra_and_nothing_else(room):
    assert SERVICES[room]["build"]["args"] == {"EXTRAS": room}
    assert SERVICES[room]["image"] == f"sakugen-{room}"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"keys"}))
def test_every_service_has_a_health_check_and_comes_back(name):
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_loopback_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_every_named_volume_is_declared_and_used():
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if not volume.startswith("./")
    }
    assert named == set(COMPOSE["volumes"])


def test_images_of_others_are_pinned_to_a_version():
    for name in ("mosquitto", "influxdb", "grafana"):
        image, _, version = SERVICES[name]["image"].partition(":")
        assert image
        assert version[0].isdigit()
    assert SERVICES["mosquitto"]["image"].endswith(":2.0")
    assert SERVICES["influxdb"]["image"].endswith(":2.7")


def test_grafana_and_influxdb_agree_on_the_database():
    influxdb, grafana = SERVICES["influxdb"]["environment"], SERVICES["grafana"]["environment"]
    assert grafana["SAKUGEN_INFLUX_DATABASE"] == influxdb["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert grafana["SAKUGEN_INFLUX_TOKEN"] == influxdb["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]


def installed(name):
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and os.environ.get("SAKUGEN_REQUIRE_REAL") == "1":
        pytest.fail(f"{name} is not installed")
    return found or pytest.skip(f"{name} is not installed")


@pytest.mark.real
def test_debians_docker_compose_accepts_the_file():
    command = [installed("docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.real
def test_the_broker_takes_sakugens_topics_and_no_others(tmp_path, free_port, wait_until):
    mqtt = pytest.importorskip("paho.mqtt.client")
    port = free_port()
    config = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text("utf-8")
    shutil.copy(ROOT / "deploy" / "mosquitto" / "acl", tmp_path / "acl")
    here = config.replace("listener 1883", f"listener {port} 127.0.0.1").replace("/mosquitto/config/", f"{tmp_path}/")
    # Started as root it would become another user, who may not read this folder.
    here = here.replace("/mosquitto/data/", f"{tmp_path}/") + f"user {getpass.getuser()}\n"
    (tmp_path / "mosquitto.conf").write_text(here, encoding="utf-8")
    command = [installed("mosquitto"), "-c", str(tmp_path / "mosquitto.conf")]
    heard = []
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as broker,
    ):
        try:
            wait_until(lambda: answers(port))
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
            client.on_message = lambda _client, _data, message: heard.append(message.topic)
            client.connect("127.0.0.1", port)
            client.loop_start()
            client.subscribe("#", qos=1)
            for topic in ("elsewhere/x", "sakugen/v1/a/b/log"):
                client.publish(topic, b"x", qos=1)
            wait_until(lambda: "sakugen/v1/a/b/log" in heard)
            client.disconnect()
            client.loop_stop()
        finally:
            broker.terminate()
    assert {topic for topic in heard if not topic.startswith("$")} == {"sakugen/v1/a/b/log"}


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
