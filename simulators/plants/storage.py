"""In: sun, load and what a battery held. Out: who serves the load in each minute: sun, battery or a diesel generator.

The rule of a small island: sun first, the battery takes what is over and gives it back, the generator does the rest and
then never runs below its least load. The only part of the simulators that goes minute by minute, because a battery
remembers.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray


@dataclass(frozen=True, slots=True)
class Storage:
    """A battery with its converter; every number is its own."""

    capacity_wh: float
    power_w: float
    """Of the converter, either way [W]."""
    one_way_efficiency: float
    """Of charging as of discharging; their product is the round trip's."""
    least_share: float = 0.10
    """Of the capacity; it is not emptied further."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Who serves the load."""

    battery_w: FloatArray
    """At its AC terminals: charging positive [W]."""
    charge_share: FloatArray
    """At the end of each minute."""
    genset_w: FloatArray
    spilled_w: FloatArray
    """Of the sun, that nobody takes."""


def dispatch(
    sun_w: FloatArray, load_w: FloatArray, battery: Storage, charge_share: float, genset_least_w: float, always_on: bool
) -> Dispatch:
    """Serve the load of a day.

    Args:
        sun_w: what the modules could give [W].
        load_w: what is asked for [W].
        battery: what stores.
        charge_share: of the battery, before the first minute.
        genset_least_w: below it the generator does not run [W].
        always_on: whether the generator never stops, as where it alone holds voltage and frequency.
    """
    lacks_w = load_w - sun_w
    stored_wh = charge_share * battery.capacity_wh
    least_wh = battery.least_share * battery.capacity_wh
    taken, held, given, spilled = [], [], [], []
    for lack_w in lacks_w.tolist():
        genset_w = genset_least_w if always_on else 0.0
        rest_w = lack_w - genset_w
        room_w = min(battery.power_w, (battery.capacity_wh - stored_wh) * 60 / battery.one_way_efficiency)
        store_w = min(battery.power_w, max(0.0, stored_wh - least_wh) * 60 * battery.one_way_efficiency)
        # An island's battery carries the load alone only while it can carry all of it.
        if rest_w > store_w and not always_on:
            genset_w = max(genset_least_w, rest_w)
        elif rest_w > store_w:
            genset_w += rest_w - store_w
        battery_w = max(-store_w, min(room_w, genset_w - lack_w))
        stored_wh += battery_w / 60 * (battery.one_way_efficiency if battery_w > 0 else 1 / battery.one_way_efficiency)
        taken.append(battery_w)
        held.append(stored_wh / battery.capacity_wh)
        given.append(genset_w)
        spilled.append(max(0.0, genset_w - lack_w - battery_w))
    return Dispatch(np.array(taken), np.array(held), np.array(given), np.array(spilled))
