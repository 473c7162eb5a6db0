"""How long things take, taken in turns: what is compared runs under the same load of the machine."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Took:
    """The times of one of them, and what its last turn gave."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    made: Any = None

    @property
    def median_s(self) -> float:
        return statistics.median(self.wall_s)

    @property
    def best_s(self) -> float:
        return min(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        return statistics.median(self.cpu_s)


def in_turns(rounds: int, **works: Callable[[], Any]) -> dict[str, Took]:
    """Run each once unmeasured, then all of them so many times in turn."""
    found = {name: Took(made=work()) for name, work in works.items()}
    for _ in range(rounds):
        for name, work in works.items():
            took = found[name]
            took.made = None  # what the turn before gave need not be held beside what this one gives
            began, used = time.perf_counter(), time.process_time()
            took.made = work()
            took.wall_s.append(time.perf_counter() - began)
            took.cpu_s.append(time.process_time() - used)
    return found
