"""Does a counter count finely enough for its plant? What was read goes in, a warning or nothing comes out. Pure.

A float counter's steps grow with it: at 1 GWh a float of 32 bits in Wh counts in steps of 64 Wh. It is too coarse when
one step is more than the plant's present power moves in one slot: then slots go by without a change while it runs.
"""

from fractions import Fraction

from gateway.survey import Seen
from metering.measurands import Kind

_MOVED_BY = {"Wh": ("active_power_w", 3600), "J": ("heat_power_w", 1)}
"""By the counter's unit: the power that moves it, and how many watt seconds one unit is."""


def power_for(seen: Seen) -> str | None:
    """Name the measurand whose power moves a counter; None when there is none or it is no counter."""
    unit = seen.register.measurand.unit
    return _MOVED_BY[unit][0] if seen.register.measurand.kind is Kind.COUNTER and unit in _MOVED_BY else None


def too_coarse(seen: Seen, power: Seen, interval_s: int) -> str | None:
    """Warn of a float counter whose steps are too large for its plant.

    Args:
        seen: the counter as it was read.
        power: the power that moves it, read at the same device.
        interval_s: from one slot of the counter to the next [s].

    Returns:
        What is wrong, for people; None when nothing is, or when it cannot be told.
    """
    if not seen.register.type.is_float or seen.resolution is None or not power.value:
        return None
    measurand = seen.register.measurand
    seconds = _MOVED_BY[measurand.unit][1]
    power_w = Fraction(abs(power.value), power.register.measurand.quanta_per_unit)
    moved = power_w * interval_s / seconds
    step = Fraction(seen.resolution, measurand.quanta_per_unit)
    if step <= moved:
        return None
    return (
        f"counts in steps of {float(step):g} {measurand.unit} by now, and {float(power_w):g} W move"
        f" {float(moved):.3g} {measurand.unit} in a slot of {interval_s} s: read an integer register, or longer slots"
    )
