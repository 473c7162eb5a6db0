"""The farm that compute is measured with: 20 revenue meters, energy and power of each, a year of minutes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchkit.report import Sizes
from benchkit.solar_farm import Farm, farm

from compute.cache import use_cache_directory


@pytest.fixture(scope="session", autouse=True)
def _kernels_kept() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        use_cache_directory(Path(folder))
        yield


@pytest.fixture(scope="session")
def year(sizes: Sizes) -> Farm:
    """21 million readings; the same farm for all that is compared."""
    return farm(points=sizes.of(20, 6), days=sizes.of(365, 31))
