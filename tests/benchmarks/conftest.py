"""What every benchmark may ask for: its sizes, and a report. Their code is `benchkit` beside this file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# No package stands under tests, so what these benchmarks share is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))

from benchkit.report import Report, Sizes
from benchkit.responder import Responder

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything under this folder is a benchmark, but for what runs longer than one should."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("soak") is None:
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="session")
def sizes() -> Sizes:
    """Full sizes, or those that only show whether the benchmarks run."""
    return Sizes.from_environment()


@pytest.fixture
def report(request: pytest.FixtureRequest, sizes: Sizes) -> Iterator[Report]:
    """Printed, and kept, when the benchmark has ended."""
    report = Report(request.node.name, tiny=sizes.tiny)
    yield report
    report.publish()


@pytest.fixture
def responder() -> Iterator[Responder]:
    """Modbus devices on loopback that cost next to nothing; `responder.serve(3)` opens three ports."""
    with Responder() as responder:
        yield responder
