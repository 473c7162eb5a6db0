"""Ready sites: the page is what the plants give, and a verified site gives what was published."""

import dataclasses
from pathlib import Path

import pytest

from simulators.roster import ROSTER, build_site
from simulators.sites.ready import READY
from simulators.sites.report import END_MS, SEED, START_MS, TOLERANCE, ratio_of, row, section
from simulators.sites.shape import Factor, Result

PAGE = Path(__file__).parents[2] / "docs" / "sites.md"
VERIFIED = [name for name, site in READY.items() if site.is_verified()]


@pytest.fixture(scope="module", params=READY)
def simulated(request):
    """A ready site and its simulated year."""
    site = READY[request.param]
    return request.param, site, site.simulate(SEED, START_MS, END_MS)


def test_the_page_says_what_the_plant_gives(simulated):
    name, site, result = simulated
    text = PAGE.read_text(encoding="utf-8")
    assert row(name, site, result) in text
    assert section(name, site, result) in text


def test_a_verified_site_gives_what_was_published_and_the_others_are_explained(simulated):
    name, site, result = simulated
    assert result.reduction_tco2 > 1
    if name in VERIFIED:
        assert ratio_of(site, result) == pytest.approx(1, abs=TOLERANCE)
    else:
        assert len(site.note) > 60


def test_there_are_verified_sites_and_the_page_has_no_other_sites():
    assert {"mongolia-farm", "mongolia-airport"} <= set(VERIFIED)
    headings = [line[3:] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert headings == list(READY)


@pytest.mark.parametrize("mark", ["D", "M"])
def test_one_number_that_nobody_read_makes_a_site_unverified(mark):
    site = READY["mongolia-farm"]
    assert site.is_verified()
    guessed = Factor(0.797, "tCO2/MWh", "somewhere", mark)
    assert not dataclasses.replace(site, factors={"EF_RE": guessed}).is_verified()
    assert not dataclasses.replace(site, size_mark=mark).is_verified()
    assert not dataclasses.replace(site, expected=None).is_verified()


def test_a_ratio_to_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing was published"):
        ratio_of(READY["viet-nam-transformers"], Result(1.0, ""))


def test_every_factor_names_its_source_and_its_unit():
    for site in READY.values():
        assert site.factors
        assert all(len(factor.source) > 10 and factor.unit for factor in site.factors.values())


def test_another_seed_is_another_year_of_the_same_plant():
    site = READY["viet-nam-transformers"]
    one, other = (site.simulate(seed, START_MS, END_MS).reduction_tco2 for seed in ("1", "2"))
    assert one != other
    assert one == pytest.approx(other, rel=0.01)


@pytest.mark.parametrize("name", READY)
def test_a_ready_site_is_served_with_the_devices_of_its_kind_of_plant(name):
    site = READY[name]
    served = build_site(site.plant, "1", START_MS, ready=name)
    devices = [placed.name for placed in ROSTER[site.plant].devices]
    assert [instrument.name for instrument in served.instruments] == devices
    assert set(devices) <= set(served.plant.instruments)


def test_a_ready_site_is_of_its_own_size_on_the_line_too():
    noon_ms = START_MS + 150 * 86_400_000 + 5 * 3_600_000
    farm, airport = (build_site("solar", "1", START_MS, ready=name) for name in ("mongolia-farm", "mongolia-airport"))
    small_w, large_w = (-site.plant.state("ac-bus", noon_ms).active_power_w for site in (farm, airport))
    assert large_w > 1.5 * small_w > 0
