"""The fixture `modbus_plant`, for the tests of other projects: a simulated plant on a free port, with its ledger.

pytest finds it once `sakugen[simulators]` is installed.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulators.running import RunningPlants


@pytest.fixture
def modbus_plant(tmp_path: Path) -> Iterator[Callable[..., "RunningPlants"]]:
    """`modbus_plant("solar")` serves a plant until the test is over.

    Keyword arguments are those of a `[[plants]]` table (`transport`, `fault`, `devices` ...); `clock`, `seed` and
    `counters_from` are those of the simulators. `docs/simulators.md` shows how it is used.
    """
    # Every run of pytest reads this file; only who asks for a plant needs the rest.
    from simulators.config import SimulatorSettings  # noqa: PLC0415
    from simulators.running import RunningPlants  # noqa: PLC0415

    with ExitStack() as stack:
        count = 0

        def serve(plant: str, **given: Any) -> RunningPlants:  # noqa: ANN401 - a table's values
            nonlocal count
            count += 1
            whole = {key: given.pop(key) for key in ("clock", "seed", "counters_from") if key in given}
            table = {"plant": plant, "project": plant, "site": plant, **given}
            ledger = tmp_path / f"plant-{count}" / "ledger.sqlite"
            settings = SimulatorSettings.model_validate({"plants": [table], "ledger": ledger, **whole})
            return stack.enter_context(RunningPlants(settings))

        yield serve
