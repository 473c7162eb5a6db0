"""Every file that the demonstration writes is one that its process accepts."""

from pathlib import Path

import pytest

from compute.config import ComputeSettings
from compute.project import load_project
from ingest.config import IngestSettings
from metering.clock import monotonic_s
from metering.config import load_toml
from sakugen.cli.config import Process, model_of
from sakugen.demo.layout import Layout, Ports, write_layout
from sakugen.demo.run import ENDS, STARTS, Timeline
from sakugen.demo.sites import SITES
from simulators.roster import build_site

PORTS = Ports(broker=1, registry=2, console=3, plants={site.project: 10 + n for n, site in enumerate(SITES)})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return write_layout(tmp_path, PORTS, Timeline(monotonic_s(), 90.0).clock())


def test_every_written_configuration_passes_its_own_check(layout: Layout) -> None:
    for name in ("simulators", "ingest", "compute", "registry", "dashboards"):
        load_toml(layout.config(name), model_of(Process(name)))
    for site in SITES:
        load_toml(layout.config(f"gateway-{site.project}"), model_of(Process.GATEWAY))


def test_simulated_meters_carry_the_plates_that_gateways_and_projects_declare(layout: Layout) -> None:
    for site in SITES:
        plates = {
            each.name: (each.nameplate.make, each.nameplate.model, each.nameplate.serial)
            for each in build_site(site.plant, "1", int(STARTS.timestamp() * 1000)).instruments
        }
        # A plant has more instruments than its gateway reads: a weather station, a scale at the stoker.
        assert {each.name: (each.make, each.model, each.serial) for each in site.devices}.items() <= plates.items()
        for meter in load_project(layout.projects[site.project]).meter:
            assert (meter.make, meter.model, meter.serial) == plates[meter.point]


def test_the_scaled_clock_covers_the_years_end_in_the_seconds_asked_for() -> None:
    timeline = Timeline(100.0, 60.0)
    assert timeline.factor * 60.0 == pytest.approx((ENDS - STARTS).total_seconds())
    assert timeline.at(0.5) == 130.0


def test_who_forwards_to_an_influxdb_forwards_what_compute_makes_too(tmp_path: Path) -> None:
    clock = Timeline(monotonic_s(), 90.0).clock()
    layout = write_layout(tmp_path, PORTS, clock, {"url": "http://127.0.0.1:8086"})
    ingest = load_toml(layout.config("ingest"), IngestSettings)
    assert ingest.influxdb is not None
    assert ingest.influxdb.results_file == load_toml(layout.config("compute"), ComputeSettings).results
