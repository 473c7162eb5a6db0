"""The console as people meet it: a process that says ready, a page with data in it, an end that is clean."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboards.console import page, serve
from dashboards.console.config import ConsoleSettings
from dashboards.errors import PortTakenError
from metering.config import parse_toml

SLOT_MS = 1_767_189_600_000
ROOT = Path(serve.__file__).parents[2]
RUN = """
import sys
from pathlib import Path
from dashboards.console.config import ConsoleSettings
from dashboards.console.serve import run
from metering.config import load_toml
run(load_toml(Path(sys.argv[1]), ConsoleSettings))
"""


@pytest.fixture
def console(settings_text, tmp_path, wait_until):
    """A running console: its process and its address."""
    config, output = tmp_path / "dashboards.toml", tmp_path / "output.txt"
    config.write_text(settings_text(), encoding="utf-8")
    # Without pytest's own variables: NiceGUI would take itself to be inside a test and start differently.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "NICEGUI"))}
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(config)], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )

    def ready():
        assert process.poll() is None, output.read_text()
        return re.search(r"^ready (http://\S+)$", output.read_text(), re.MULTILINE)

    try:
        wait_until(ready, timeout_s=30)
        yield process, ready()[1], output
    finally:
        process.kill()
        process.wait()


def get(address):
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    try:
        connection.request("GET", url.path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_the_page_says_what_it_waits_for_then_shows_readings_and_ends_cleanly(console, plant):
    process, address, output = console
    assert urlsplit(address).path == "/console"
    status, headers, _ = get(address.removesuffix("console"))
    assert (status, headers["location"]) == (307, "/console")

    _, _, text = get(address)
    assert "Solar plant, Mongolia" in text
    assert "waiting for the first record of gateway gw-solar" in text
    assert "waiting for the first reading of gateway gw-solar" in text
    assert "waiting for the first result of compute" in text

    plant.birth()
    plant.read(SLOT_MS, energy_mwh=987_654_321_000, power_mw=4_235_250)
    assert "987,654,321" in eventually(address, "987,654,321")

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    lines = output.read_text().splitlines()
    assert [line for line in lines if line.startswith("ready ")] == lines, "it says that it is ready, and nothing else"


def eventually(address, wanted):
    """Fetch the page until it holds a text; the console reads at most once a second."""
    for _ in range(1000):
        _, _, text = get(address)
        if wanted in text:
            return text
    pytest.fail(f"{wanted} never appeared")


def test_a_port_that_is_taken_is_said_before_anything_starts(settings_text):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = settings_text().replace("port = 0", f"port = {port}")
        with pytest.raises(PortTakenError, match=rf"dashboards console: .*127.0.0.1:{port}.*choose another `port`"):
            serve.run(parse_toml(text, ConsoleSettings, "console.toml"))


def test_an_open_page_changes_by_itself(settings_text, plant):
    settings = parse_toml(settings_text(), ConsoleSettings, "console.toml")
    asyncio.run(watch(settings, plant))


async def watch(settings, plant):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's simulation warns about its own deprecations
        from nicegui.testing import user_simulation
    clock = settings.clock.build()
    feed = serve.Feed(serve.Sources(settings, clock), clock)

    async def root():
        page.draw(await feed.current(), feed.current)

    async with user_simulation(root) as user:
        await user.open("/")
        await user.should_see("waiting for the first record of gateway gw-solar")
        plant.birth()
        plant.read(SLOT_MS, energy_mwh=987_654_321_000, power_mw=None)
        await user.should_see("record 2", retries=100)
        await user.should_not_see("waiting for the first record of gateway gw-solar")
