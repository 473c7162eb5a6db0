"""Write a folder that a whole installation can run from: keys, and one configuration file for each process.

In: a folder, the ports and the clock. Out: `Layout`, which names every file. The files are ordinary ones: each process
could as well be started by hand with them.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w

from metering.clock import ClockConfig
from sakugen import keychain
from sakugen.demo.sites import SITES, DemoDevice, DemoSite

INTERVAL_S = 900
SEAL_AFTER_S = 1.0
RECOMPUTE_S = 5.0
"""Like sealing, in real time: on the scaled clock hours pass in it [s]."""
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens, all on loopback."""

    broker: int
    registry: int
    console: int
    plants: Mapping[str, int]
    """The Modbus TCP port of each plant, by project."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one installation."""

    folder: Path
    keys: keychain.Keychain
    projects: Mapping[str, Path]
    """Each project's project.toml."""

    def config(self, name: str) -> Path:
        """The configuration file of a process, for example "ingest" or "gateway-demo-solar"."""
        return self.folder / "config" / f"{name}.toml"

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self.folder / "logs" / f"{name}.log"

    @property
    def ledger(self) -> Path:
        """What the simulators served."""
        return self.folder / "simulators" / "ledger.sqlite"

    @property
    def journal(self) -> Path:
        """What ingest committed."""
        return self.folder / "ingest" / "journal.sqlite"

    @property
    def results(self) -> Path:
        """Compute's provisional results."""
        return self.folder / "compute" / "results.sqlite"

    def outbox(self, site: DemoSite) -> Path:
        """The folder of a gateway's outbox."""
        return self.folder / site.gateway


def write_layout(folder: Path, ports: Ports, clock: ClockConfig, influxdb: Mapping[str, Any] | None = None) -> Layout:
    """Write keys and configuration files into an empty folder.

    Args:
        folder: where; made when it is missing.
        ports: where each part listens.
        clock: the clock that all processes follow.
        influxdb: ingest's `[influxdb]` table; without one nothing is forwarded.
    """
    for name in ("config", "logs", "projects", "ingest", "simulators", "compute", "registry"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    start_ms = clock.build().now_ms()
    keys = keychain.bootstrap(folder / "keys", [site.gateway_name for site in SITES], "operator", start_ms)
    layout = Layout(folder, keys, {site.project: _copy_project(folder, site) for site in SITES})
    contents = _contents(layout, ports, clock)
    if influxdb is not None:
        contents["ingest"]["influxdb"] = {"results_file": str(layout.results), **influxdb}
    for name, content in contents.items():
        layout.config(name).write_text(tomli_w.dumps(content), encoding="utf-8")
    return layout


def _copy_project(folder: Path, site: DemoSite) -> Path:
    source = files("sakugen.demo") / "projects" / f"{site.project}.toml"
    target = folder / "projects" / f"{site.project}.toml"
    with source.open("rb") as original, target.open("wb") as copy:
        shutil.copyfileobj(original, copy)
    return target


def _contents(layout: Layout, ports: Ports, clock: ClockConfig) -> dict[str, dict[str, Any]]:
    broker = {"host": _LOOPBACK, "port": ports.broker}
    clock_table = clock.model_dump(exclude_none=True)
    projects = [str(path) for path in layout.projects.values()]
    contents: dict[str, dict[str, Any]] = {
        "simulators": {
            "ledger": str(layout.ledger),
            "clock": clock_table,
            "plants": [_plant(site, ports) for site in SITES],
        },
        "ingest": {
            "data_dir": str(layout.journal.parent),
            "keys_file": str(layout.keys.keys_file),
            "ack_key_file": str(layout.keys.ack_key),
            "broker": broker,
            "clock": clock_table,
        },
        "compute": {
            "journal": str(layout.journal),
            "data_dir": str(layout.results.parent),
            "projects": projects,
            "every_s": RECOMPUTE_S,
            "clock": clock_table,
        },
        "registry": {
            "data_dir": str(layout.folder / "registry"),
            "journal": str(layout.journal),
            "projects": projects,
            "keys_file": str(layout.keys.keys_file),
            "operator_key_file": str(layout.keys.operator_key),
            "port": ports.registry,
        },
        "dashboards": {
            "journal": str(layout.journal),
            "results": str(layout.results),
            "port": ports.console,
            "clock": clock_table,
            "project": [_console_project(site) for site in SITES],
        },
    }
    return contents | {f"gateway-{site.project}": _gateway(layout, site, ports, clock_table) for site in SITES}


def _plant(site: DemoSite, ports: Ports) -> dict[str, Any]:
    return {"plant": site.plant, "project": site.project, "site": site.site, "port": ports.plants[site.project]}


def _console_project(site: DemoSite) -> dict[str, Any]:
    return {
        "id": site.project,
        "title": site.title,
        "site": site.site,
        "gateway": site.gateway,
        "time_zone": site.time_zone,
    }


def _gateway(layout: Layout, site: DemoSite, ports: Ports, clock: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "site": site.site,
        "gateway": site.gateway,
        "project": site.project,
        "data_dir": str(layout.outbox(site)),
        "key_file": str(layout.keys.gateways[site.gateway_name]),
        "ack_keys": [layout.keys.ack_public],
        "seal_after_s": SEAL_AFTER_S,
        "broker": {"host": _LOOPBACK, "port": ports.broker},
        "clock": dict(clock),
        "device": [_device(device, ports.plants[site.project]) for device in site.devices],
    }


def _device(device: DemoDevice, port: int) -> dict[str, Any]:
    points = [{"point": device.name, "measurand": name} for name in device.measurands]
    return {
        "name": device.name,
        "map": device.device_map,
        "host": _LOOPBACK,
        "port": port,
        "unit_id": device.unit_id,
        "meter": {"make": device.make, "model": device.model, "serial": device.serial},
        "group": [{"name": "all", "interval_s": INTERVAL_S, "points": points}],
    }
