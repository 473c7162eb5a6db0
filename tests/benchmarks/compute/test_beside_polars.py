"""The same rules in polars, over the same readings in one long frame: first that both say the same, then how fast.

Polars and ours both have all cores. Its own rules are written in the two layouts that experts choose between: one long
frame, streaming, and a frame for each point. Differences without any rule are there too, and the shortcut that looks
at one reading of sixty.
"""

import os

import polars as pl
from benchkit.amounts import amounts, hours_of_each_point, task_of
from benchkit.polars_rules import (
    PLACES,
    Meter,
    every_difference,
    hours_of,
    hours_point_by_point,
    last_of_each_hour,
    long_frame,
)
from benchkit.solar_farm import MINUTE_MS, RATED_W
from benchkit.turns import in_turns

from compute.rulesets import ruleset

_ROUNDS = 5
_CORES = os.cpu_count() or 1


def _meter(origin_ms: int) -> Meter:
    rules = ruleset()
    rated_mw = RATED_W * 1000
    return Meter(
        rate_num=350, rate_den=3, step=100_000, modulus=10**12, nonvolatile_ms=60_000, interval_ms=MINUTE_MS,
        origin_ms=origin_ms, frozen_ms=rules.frozen.least_ms, least_mw=int(rated_mw * rules.frozen.least_power),
        most_mw=int(rated_mw * rules.rated_margin), divisor=3_600_000,
    )  # fmt: skip


def test_every_rule_in_polars(year, report):
    origin_ms = task_of(year).vintages[0].interval.start_ms
    frame, meter, points = long_frame(year.evidence), _meter(origin_ms), len(year.project.point)
    ours = pl.DataFrame(
        [
            (point * PLACES + hour, low, high)
            for point, hours in enumerate(hours_of_each_point(year))
            for hour, low, high in hours
        ],
        schema=["place", "low", "high"],
        orient="row",
    )
    took = in_turns(
        _ROUNDS,
        ours=lambda: amounts(year, _CORES),
        rules=lambda: hours_of(frame, meter, points),
        by_point=lambda: hours_point_by_point(frame, meter, points),
    )
    for name in ("rules", "by_point"):
        assert took[name].made.sort("place").equals(ours.sort("place")), name
    per_s = {name: year.readings / each.median_s / 1e6 for name, each in took.items()}
    report.add(f"ours, {_CORES} threads", per_s["ours"], "M readings/s")
    report.add("the same rules in polars, streaming", per_s["rules"], "M readings/s", compared=True)
    report.add("ours to that", per_s["ours"] / per_s["rules"], "times", at_least=10)
    report.add("the same rules in polars, point by point in memory", per_s["by_point"], "M readings/s", compared=True)
    report.add("ours to that, the fastest way that was found", per_s["ours"] / per_s["by_point"], "times")
    report.note(
        f"{len(frame) / 1e6:.1f} million rows, {frame.estimated_size() / 2**20:,.0f} MiB; {len(ours):,} hours"
        f" of {points} points equal to the quantum in ours and both of polars'; medians of {_ROUNDS} turns."
    )


def test_every_difference_in_polars(counters, report):
    origin_ms = task_of(counters).vintages[0].interval.start_ms
    frame = long_frame(counters.evidence)
    took = in_turns(
        _ROUNDS,
        ours=lambda: amounts(counters, _CORES),
        differences=lambda: every_difference(frame, origin_ms),
        shortcut=lambda: last_of_each_hour(frame, origin_ms),
    )
    per_s = {name: counters.readings / each.median_s / 1e6 for name, each in took.items()}
    report.add(f"ours, all rules, {_CORES} threads", per_s["ours"], "M readings/s")
    report.add("difference of each reading in polars, no rule", per_s["differences"], "M readings/s", compared=True)
    report.add("ours to that", per_s["ours"] / per_s["differences"], "times", at_least=3)
    report.add("last of each hour, then difference, in polars", per_s["shortcut"], "M readings/s", compared=True)
    report.note("The shortcut skips 59 of 60 readings and sees no fault: it counts readings that it never looks at.")
    report.note(f"{len(frame) / 1e6:.1f} million rows, all of counters; medians of {_ROUNDS} turns.")
