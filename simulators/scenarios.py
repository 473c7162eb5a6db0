"""Stories of faults, as data: what goes wrong at a plant in a bad week, hour by hour.

A device is named by its place among the plant's devices, so that a story fits every plant; it goes round where there
are fewer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.faults import KINDS, Fault, FaultKind

_EVERY_DEVICE = -1


@dataclass(frozen=True, slots=True)
class Scene:
    """One fault of a story."""

    at_h: float
    """How long after the story began [h]."""
    for_h: float
    """[h]"""
    kind: FaultKind
    device: int = _EVERY_DEVICE
    """The place of the device among the plant's; all of them when it is not said."""
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story."""

    tells: str
    scenes: tuple[Scene, ...]

    def faults(self, start: datetime, devices: Sequence[str]) -> Iterator[Fault]:
        """The faults of a plant.

        Args:
            start: when the story begins.
            devices: the names of the plant's devices, in order.
        """
        for scene in self.scenes:
            begins = start + timedelta(hours=scene.at_h)
            everybody = KINDS[scene.kind].whole_port or scene.device == _EVERY_DEVICE
            yield Fault(
                kind=scene.kind,
                device="" if everybody else devices[scene.device % len(devices)],
                start=begins,
                end=begins + timedelta(hours=scene.for_h),
                amount=scene.amount,
            )


SCENARIOS: Mapping[str, Scenario] = {
    "a-bad-week-in-ulaanbaatar": Scenario(
        "January, thirty below: the supply fails, a converter hangs, frost gets into a connector, a meter is exchanged",
        (
            Scene(2, 3, "silent"),
            Scene(5, 163, "step-back", device=0, amount=600),
            Scene(30, 2, "half-open"),
            Scene(50, 6, "bad-crc", device=1),
            Scene(53, 2, "truncated", device=0),
            Scene(74, 12, "slow", device=0, amount=2.5),
            Scene(88, 1, "late", device=1, amount=4),
            Scene(100, 0.5, "silent", device=1),
            Scene(100.5, 67.5, "exchange", device=1),
            Scene(122, 5, "frozen", device=0),
            Scene(130, 2, "busy"),
            Scene(146, 6, "one-session"),
            Scene(150, 1, "merged", device=0),
        ),
    ),
    "a-storm-in-aceh": Scenario(
        "lightning every few hours: short silences, a counter that begins again, answers under another unit",
        (
            *(Scene(3 * number, 0.1, "silent") for number in range(8)),
            Scene(6.2, 41.8, "reset", device=0),
            Scene(9, 0.5, "wrong-unit", device=1),
            Scene(12.5, 1, "exception", device=1, amount=11),
            Scene(18, 2, "bad-crc"),
            Scene(21.2, 0.5, "no-value", device=0),
        ),
    ),
    "a-careless-update": Scenario(
        "somebody updates firmware on a Friday: ten times the values, other scale factors, a logger in between",
        (
            Scene(1, 0.2, "silent"),
            Scene(1.2, 60, "times-ten", device=0),
            Scene(1.2, 60, "scale", device=1),
            Scene(20, 30, "stale", device=1, amount=900),
            Scene(40, 8, "one-session"),
            Scene(61, 0.2, "silent"),
        ),
    ),
    "other-transformers": Scenario(
        "an electrician puts in other current transformers and tells nobody",
        (Scene(10, 0.5, "silent", device=0), Scene(10.5, 10_000, "ct", device=0, amount=0.5)),
    ),
}
"""Every story there is."""
