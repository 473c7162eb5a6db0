"""The rig: a small installation in real processes, to be killed and cut. Its code is `faultkit` beside this file."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# No package stands under tests, so what these tests share is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("faultkit.verdict", "faultkit.rig")

from faultkit.rig import Broker, KillableBroker, Rig  # noqa: E402 - after its folder is known


@pytest.fixture
def rig_broker(request: pytest.FixtureRequest, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Broker]:
    """The embedded broker; a test may ask for mosquitto instead with `parametrize("rig_broker", …, indirect=True)`."""
    if getattr(request, "param", "embedded") == "mosquitto":
        yield request.getfixturevalue("mosquitto")
        return
    with KillableBroker(free_port(), tmp_path) as broker:
        yield broker


@pytest.fixture
def rig(
    tmp_path: Path, rig_broker: Broker, wait_until: Callable[..., None], free_port: Callable[[], int]
) -> Iterator[Rig]:
    """Configured, and not started yet: `rig.start()`."""
    with Rig(tmp_path, rig_broker, wait_until, free_port()) as rig:
        yield rig
