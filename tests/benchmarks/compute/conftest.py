"""The farms that compute is measured with: a year of minutes of 40 measurands, 21 million readings."""

import pytest
from benchkit.report import Sizes
from benchkit.solar_farm import Farm, farm


@pytest.fixture(scope="session")
def year(sizes: Sizes) -> Farm:
    """20 meters, energy and power of each: all rules have what they ask for."""
    return farm(points=sizes.of(20, 6), days=sizes.of(365, 31))


@pytest.fixture(scope="session")
def counters(sizes: Sizes) -> Farm:
    """40 meters, energy alone: every reading is a counter's, and judged by its differences."""
    return farm(points=sizes.of(40, 12), days=sizes.of(365, 31), powers=False)
