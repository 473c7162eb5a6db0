"""Evidence from real record bytes, and projects to compute it for; what tests share is `computekit` beside this."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from compute.methodologies import catalog
from ingest.store.readings import Evidence, collect

# No package stands under tests, so what these tests share is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))

from computekit.declarations import declaration_text
from computekit.records import Shown, records_of


@pytest.fixture(autouse=True)
def _shelf_is_read_anew() -> None:
    """Each test reads it for itself: so `make soak` knows which tests to try a changed reader of it on."""
    catalog._load.cache_clear()


@pytest.fixture(scope="session")
def shown() -> type[Shown]:
    return Shown


@pytest.fixture(scope="session")
def make_records() -> Callable[..., list[bytes]]:
    return records_of


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Evidence]:
    """`make_evidence([shown(...), ...])` signs records of them and collects these."""

    def build(parts: Sequence[Shown], *, time_factor: float = 1.0) -> Evidence:
        return collect(records_of(parts, time_factor=time_factor))

    return build


PROJECT_HEAD = """
id = "test"
title = "A test project"
jcm_reference = "MN000"
partner_country = "Mongolia"
site = "site"
methodology = "{methodology}"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar"
crediting_period = {{ start = 2025-01-01, end = 2035-01-01 }}
period = [{{ id = "p1", start = 2025-12-31, end = 2026-01-02 }}]
"""

METER = """
[[meter]]
point = "{point}"
make = "Test"
model = "Meter"
serial = "{serial}"
installed_from = 2025-01-01T00:00:00+08:00
accuracy_class = "0.5S"
"""

CALIBRATION = """
[meter.calibration]
certificate = "C-1"
date = 2025-06-01
valid_until = 2027-06-01
mpe_percent = "0.5"
source = "calibration laboratory"
"""


def parameter_text(name: str, value: str, unit: str, mark: str = "V", point: str | None = None) -> str:
    of = f'point = "{point}"\n' if point else ""
    return (
        f'[[parameter]]\nname = "{name}"\n{of}value = "{value}"\nunit = "{unit}"\nsource = "page 1"\nmark = "{mark}"\n'
    )


def _solar_text(*, auxiliary: bool = False, calibrated: bool = True) -> str:
    seal = CALIBRATION if calibrated else ""
    text = PROJECT_HEAD.format(methodology="solar-pv")
    text += '[[point]]\nid = "bus"\nrole = "generation"\nrated_power_w = 8_300_000\n'
    text += METER.format(point="bus", serial="S1") + seal + parameter_text("EF_RE", "0.797", "tCO2/MWh")
    if auxiliary:
        text += '[[point]]\nid = "aux"\nrole = "auxiliary"\nrated_power_w = 8_300_000\n'
        text += METER.format(point="aux", serial="S1") + seal + parameter_text("EF_AUX", "1.1501", "tCO2/MWh")
    return text


def _boiler_text() -> str:
    text = PROJECT_HEAD.format(methodology="heat-only-boiler")
    text += '[[point]]\nid = "heat"\nrole = "heat"\nrated_power_w = 1_200_000\n'
    text += '[[point]]\nid = "burner"\nrole = "burner"\n'
    text += METER.format(point="heat", serial="S1") + CALIBRATION + METER.format(point="burner", serial="S1")
    for name, value, unit in (
        ("eta_RE", "0.613", "1"),
        ("eta_PJ", "0.8", "1"),
        ("EF_coal", "0.0909", "tCO2/GJ"),
        ("P_el", "11000", "W"),
        ("EF_grid", "1.1501", "tCO2/MWh"),
    ):
        text += parameter_text(name, value, unit)
    return text


def _fleet_text(losses_w: str = "370") -> str:
    text = PROJECT_HEAD.format(methodology="transformer-fleet")
    text += '[[point]]\nid = "station"\nrole = "station"\nnominal_voltage_v = 230\n'
    text += METER.format(point="station", serial="S1") + CALIBRATION
    for name, value, unit in (
        ("n", "600", "1"),
        ("NLL_RE", "1200", "W"),
        ("NLL_PJ", losses_w, "W"),
        ("UNC", "0.15", "1"),
        ("EF_grid", "0.333", "tCO2/MWh"),
    ):
        text += parameter_text(name, value, unit)
    return text


@pytest.fixture(scope="session")
def project_texts() -> Mapping[str, Callable[..., str]]:
    """project.toml of each family: `project_texts["solar-pv"]()`."""
    return {"solar-pv": _solar_text, "heat-only-boiler": _boiler_text, "transformer-fleet": _fleet_text}


@pytest.fixture(scope="session")
def declaration() -> Callable[..., tuple[str, bytes]]:
    """`declaration("calibration", number=2)`: the name and the bytes of a declared value."""
    return declaration_text
