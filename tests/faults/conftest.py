"""The rig: a small installation in real processes, to be killed and cut. Its code is `faultkit` beside this file."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# No package stands under tests, so what these tests share is found by its folder.
# `runkit` of the gateway's tests has the disk that can be filled up.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "gateway")]
pytest.register_assert_rewrite("faultkit.verdict", "faultkit.rig", "faultkit.influx")

from faultkit.parts import KillableBroker, Peer  # noqa: E402 - after its folder is known
from faultkit.rig import Rig  # noqa: E402 - the same


@pytest.fixture
def rig_broker(request: pytest.FixtureRequest, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Peer]:
    """The embedded broker; a test may ask for mosquitto instead with `parametrize("rig_broker", …, indirect=True)`."""
    if getattr(request, "param", "embedded") == "mosquitto":
        yield request.getfixturevalue("mosquitto")
        return
    with KillableBroker(free_port(), tmp_path) as broker:
        yield broker


@pytest.fixture
def rig(
    tmp_path: Path, rig_broker: Peer, wait_until: Callable[..., None], free_port: Callable[[], int]
) -> Iterator[Rig]:
    """Configured, and not started yet: `rig.start()`."""
    with Rig(tmp_path, rig_broker, wait_until, free_port) as rig:
        yield rig


SEED = "SAKUGEN_FAULT_SEED"


@pytest.fixture
def fault_seed() -> int:
    """The same faults on every run; SAKUGEN_FAULT_SEED=random draws others, a failure prints what brings them back."""
    chosen = os.environ.get(SEED) or "1"
    seed = random.SystemRandom().randrange(1_000_000) if chosen == "random" else int(chosen)
    print(f"to have the same faults again: {SEED}={seed}")
    return seed
