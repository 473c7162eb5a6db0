"""What the kernels say about each pair of readings: one small table of numbers, shared with people by `TEXTS`.

Plain integers, because the compiled kernels take module-level integers as constants.
"""

from collections.abc import Mapping
from types import MappingProxyType

EXACT = 0
ROLLOVER = 1
BRIDGED = 2
RESET_NOT_EXCLUDED = 3
RESET = 4
SPIKE = 5
ROLLOVER_UNPROVED = 6
CLOCK_ORDER = 7
METER_CHANGED = 8
BESIDE_IMPOSSIBLE = 9
STATE_CHANGED = 10
STATE_GAP = 11

DONE = 0
OVERFLOW = -1

TEXTS: Mapping[int, tuple[str, str]] = MappingProxyType({
    ROLLOVER: ("counter-rollover", "the counter passed its modulus and went on from 0"),
    BRIDGED: ("counter-gap-bridged", "readings are missing, but the counter's difference over the gap stands"),
    RESET_NOT_EXCLUDED: (
        "counter-reset-not-excluded",
        "a reset between the two readings would not have shown, so the difference is only the low end",
    ),
    RESET: ("counter-reset", "the counter went down"),
    SPIKE: ("counter-spike", "the counter rose by more than the rated power allows"),
    ROLLOVER_UNPROVED: (
        "counter-rollover-unproved",
        "the counter went down as by a rollover, but it can also be reset, which would look the same",
    ),
    CLOCK_ORDER: ("answers-out-of-order", "the later slot was not answered later"),
    METER_CHANGED: ("meter-changed", "the two readings are of different meters or registers"),
    BESIDE_IMPOSSIBLE: (
        "counter-beside-impossible",
        "the step before or after is impossible, so this reading may be wrong too",
    ),
    STATE_CHANGED: ("state-changed", "the state changed between two samples, at an instant nobody saw"),
    STATE_GAP: ("state-unknown", "the state is not known at one end"),
})  # fmt: skip
"""Code and sentence of each pair that is not simply exact."""

INFORMATIVE = frozenset({ROLLOVER, BRIDGED, STATE_CHANGED})
"""What is in the nature of the thing: told, but no doubt about the data."""
