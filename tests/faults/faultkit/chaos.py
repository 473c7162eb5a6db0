"""Random faults that a seed brings back: what is done to which part, when, and for how long.

In goes a seed, out comes a plan; `play` carries it out on a rig. The instants are the plan's, what each part was just
doing then is the machine's: a seed brings back the faults, not every interleaving.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from faultkit.proxy import Way
from faultkit.rig import FACTOR, Rig

Part = Literal["gateway", "ingest", "broker", "gateway line", "ingest line"]
FAULTS: dict[Part, tuple[str, ...]] = {
    "gateway": ("kill", "kill", "restart"),
    "ingest": ("kill", "kill"),
    "broker": ("kill",),
    "gateway line": ("cut", "refuse", "stall", "swallow up", "swallow down", "lose records", "lose acks"),
    "ingest line": ("cut", "refuse", "stall", "swallow up", "swallow down", "lose records", "lose acks"),
}
SHORTEST_S, LONGEST_S = 0.2, 3.0
PAUSE_S = 2.5
"""The longest wait between two beginnings [s, real time]."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and comes right again."""

    at_s: float
    """When, from the start [s, real time]."""
    until_s: float
    part: Part
    kind: str
    count: int
    """How many packets are lost, where packets are lost."""

    def __str__(self) -> str:
        return f"{self.at_s:6.2f} s to {self.until_s:6.2f} s: {self.part}: {self.kind}"


def plan(seed: int, faults: int) -> list[Fault]:
    """Draw faults; those of one part follow one another, those of different parts overlap."""
    rng = random.Random(seed)
    free_s = dict.fromkeys(FAULTS, 0.0)
    drawn, at_s = [], 0.5
    for _ in range(faults):
        part = rng.choice(sorted(FAULTS))
        at_s = max(at_s + rng.uniform(0, PAUSE_S), free_s[part])
        until_s = at_s + rng.uniform(SHORTEST_S, LONGEST_S)
        free_s[part] = until_s + 0.1
        drawn.append(Fault(at_s, until_s, part, rng.choice(FAULTS[part]), rng.randint(1, 5)))
    return drawn


def play(rig: Rig, faults: list[Fault]) -> None:
    """Carry a plan out; when this returns, every part is up again and every line is a wire."""
    start_ms = rig.clock.now_ms()
    steps = sorted(
        [(fault.at_s, begin, fault) for fault in faults] + [(fault.until_s, end, fault) for fault in faults],
        key=lambda step: step[0],
    )
    for at_s, step, fault in steps:
        due_ms = start_ms + round(at_s * FACTOR * 1000)
        rig.wait_until(lambda due_ms=due_ms: rig.clock.now_ms() >= due_ms, 30)
        step(rig, fault)


def begin(rig: Rig, fault: Fault) -> None:
    """Break something."""
    if fault.part == "gateway":
        rig.kill(rig.box) if fault.kind == "kill" else rig.end_for_now(rig.box)
    elif fault.part == "ingest":
        rig.ingest.kill()
    elif fault.part == "broker":
        rig.broker.kill()
    else:
        _line_faults(rig, fault)[fault.kind]()


def end(rig: Rig, fault: Fault) -> None:
    """Make it whole again."""
    if fault.part == "gateway":
        rig.revive(rig.box)
    elif fault.part == "ingest":
        rig.ingest.start()  # it says that it is ready once it has a broker, which may be down
    elif fault.part == "broker":
        rig.broker.start()
    else:
        _line(rig, fault).heal()


def _line(rig: Rig, fault: Fault):
    return rig.box.proxy if fault.part == "gateway line" else rig.ingest_proxy


def _line_faults(rig: Rig, fault: Fault) -> dict[str, Callable[[], None]]:
    line = _line(rig, fault)
    records, acks = (Way.UP, Way.DOWN) if fault.part == "gateway line" else (Way.DOWN, Way.UP)
    return {
        "cut": line.cut,
        "refuse": lambda: line.cut(for_good=True),
        "stall": line.stall,
        "swallow up": lambda: line.swallow(Way.UP),
        "swallow down": lambda: line.swallow(Way.DOWN),
        "lose records": lambda: line.lose(records, "/log", fault.count),
        "lose acks": lambda: line.lose(acks, "/ack", fault.count),
    }
