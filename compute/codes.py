"""What the kernels say about each pair of readings: one small table of numbers, shared with people by `TEXTS`.

Plain integers, because the compiled kernels take module-level integers as constants.
"""

from collections.abc import Mapping
from types import MappingProxyType

EXACT = 0
ROLLOVER = 1
BRIDGED = 2
RESET_NOT_EXCLUDED = 3
NOT_SAVED = 4
LAST_POSSIBLE = NOT_SAVED
"""Up to here the difference of the two readings says something."""
RESET = 5
STEPPED_BACK = 6
SPIKE = 7
ROLLOVER_UNPROVED = 8
LAST_IMPOSSIBLE = ROLLOVER_UNPROVED
"""From `RESET` up to here one of the two readings must be wrong, nobody knows which."""
CLOCK_ORDER = 9
METER_CHANGED = 10
BESIDE_IMPOSSIBLE = 11
FROZEN = 12
STATE_CHANGED = 13
STATE_GAP = 14
VALUE_GAP = 15

DONE = 0
OVERFLOW = -1

TEXTS: Mapping[int, tuple[str, str]] = MappingProxyType({
    ROLLOVER: ("counter-rollover", "the counter passed its modulus and went on from 0"),
    BRIDGED: ("counter-gap-bridged", "readings are missing, but the counter's difference over the gap stands"),
    RESET_NOT_EXCLUDED: (
        "counter-reset-not-excluded",
        "a reset between the two readings would not have shown, so the difference is only the low end",
    ),
    NOT_SAVED: (
        "counter-gap-not-saved",
        "readings are missing, and with its supply this counter loses what it had not saved, so D is only the low end",
    ),
    RESET: ("counter-reset", "the counter went down"),
    STEPPED_BACK: ("counter-stepped-back", "the counter went down by no more than a loss of supply takes from it"),
    SPIKE: ("counter-spike", "the counter rose by more than the rated power allows"),
    ROLLOVER_UNPROVED: (
        "counter-rollover-unproved",
        "the counter went down as by a rollover, but a reset or losses of supply would look the same",
    ),
    CLOCK_ORDER: ("answers-out-of-order", "the later slot was not answered later"),
    METER_CHANGED: ("meter-changed", "the two readings are of different meters or registers"),
    BESIDE_IMPOSSIBLE: (
        "counter-beside-impossible",
        "the step before or after is impossible, so this reading may be wrong too",
    ),
    FROZEN: (
        "counter-frozen",
        "the counter stood still, or ends such a stretch, while a power that was measured should have moved it",
    ),
    STATE_CHANGED: ("state-changed", "the state changed between two samples, at an instant nobody saw"),
    STATE_GAP: ("state-unknown", "the state is not known at one end"),
    VALUE_GAP: ("value-unknown", "the value is not known at one end, or samples are missing between"),
})  # fmt: skip
"""Code and sentence of each pair that is not simply exact."""

INFORMATIVE = frozenset({ROLLOVER, BRIDGED, STATE_CHANGED})
"""What is in the nature of the thing: told, but no doubt about the data."""
