"""Our rules for counters, written in polars: what a good analyst would run over the same readings.

In: one long frame of readings, sorted by series and slot, the layout that everybody keeps them in. Out: for each point
and hour [low, high], equal to ours to the quantum. The constants of the meters are literals here, which spares polars
a join; faults that this farm does not have (overflow, several steps, several moduli) are left out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from compute import codes
from ingest.store.readings import Evidence
from metering.quality import Quality

ENERGY, POWER = "energy_export_total_wh", "active_power_w"
_HOUR_MS = 3_600_000
PLACES = 1_000_000
"""More than there are hours: place = series × PLACES + hour."""


@dataclass(frozen=True)
class Meter:
    """What holds of all meters of the farm."""

    rate_num: int
    """With `rate_den`, the fastest that it counts [quanta per ms]."""
    rate_den: int
    step: int
    modulus: int
    nonvolatile_ms: int
    interval_ms: int
    origin_ms: int
    frozen_ms: int
    least_mw: int
    most_mw: int
    divisor: int
    """mW × ms a quantum."""


def long_frame(evidence: Evidence) -> pl.DataFrame:
    """All readings, one row each."""
    rows = sorted(evidence.by_key.items(), key=lambda item: (item[0][1], item[0][0]))
    series = [one for _, one in rows]
    numbers = np.repeat(np.arange(len(series), dtype=np.int16), [len(one) for one in series])
    columns: dict[str, Any] = {"series": numbers}
    for name in ("time_ms", "sent_ms", "received_ms", "value", "quality", "synced", "binding"):
        columns[name] = np.concatenate([getattr(one, name) for one in series])
    return pl.DataFrame(columns).with_columns(pl.col("series").set_sorted())


def _place(origin_ms: int) -> pl.Expr:
    # One sorted number for series and hour: grouped by it the rows need no hashing, which is five times as fast.
    hour = (pl.col("time_ms") - origin_ms - 1) // _HOUR_MS
    return (pl.col("series").cast(pl.Int64) * PLACES + hour).set_sorted()


def every_difference(frame: pl.DataFrame, origin_ms: int) -> pl.DataFrame:
    """The difference of each reading to the one before, summed by series and hour; no rule at all."""
    same = pl.col("series") == pl.col("series").shift(1)
    difference = pl.when(same).then(pl.col("value") - pl.col("value").shift(1)).otherwise(0)
    lazy = frame.lazy().select(_place(origin_ms).alias("place"), difference.alias("difference"))
    return lazy.group_by("place").agg(pl.col("difference").sum()).collect(engine="streaming")


def last_of_each_hour(frame: pl.DataFrame, origin_ms: int) -> pl.DataFrame:
    """The shortcut: the last reading of each hour, and their differences; 59 of 60 readings are never looked at."""
    lasts = frame.lazy().select(_place(origin_ms).alias("place"), "series", "value")
    lasts = lasts.filter((pl.col("place") != pl.col("place").shift(-1)).fill_null(value=True))
    same = pl.col("series") == pl.col("series").shift(1)
    difference = pl.when(same).then(pl.col("value") - pl.col("value").shift(1)).otherwise(0)
    return lasts.select("place", difference.alias("difference")).collect(engine="streaming")


def hours_of(frame: pl.DataFrame, meter: Meter, points: int) -> pl.DataFrame:
    """All rules over one long frame: [low, high] of each point and hour, by `place`."""
    half = len(frame) // 2  # powers come first
    lazy = _hours(frame[half:].lazy(), frame[:half].lazy(), meter, points)
    return lazy.collect(engine="streaming")


def hours_point_by_point(frame: pl.DataFrame, meter: Meter, points: int) -> pl.DataFrame:
    """The same as one query a point, all of them at once: of the ways that were tried, the fastest."""
    rows = len(frame) // 2 // points
    parts = [frame[at : at + rows].lazy() for at in range(0, len(frame), rows)]
    queries = [_hours(parts[points + at], parts[at], meter, points) for at in range(points)]
    return pl.concat(pl.collect_all(queries))


def _hours(counters: pl.LazyFrame, powers: pl.LazyFrame, meter: Meter, points: int) -> pl.LazyFrame:
    pairs = _frozen(_beside(_judged(_pairs(_side_by_side(counters, powers, meter, points), meter), meter)), meter)
    placed = pairs.select(_place(meter.origin_ms).alias("place"), "low", "high")
    return placed.group_by("place").agg(pl.col("low").sum(), pl.col("high").sum())


def _usable() -> pl.Expr:
    return (pl.col("quality") == int(Quality.OK)) & pl.col("synced") & (pl.col("binding") == 0)


def _side_by_side(counters: pl.LazyFrame, powers: pl.LazyFrame, meter: Meter, points: int) -> pl.LazyFrame:
    """Counters, each reading with the energy that the power of its meter makes until then [quanta]."""
    flowing = pl.col("value").clip(-meter.most_mw, meter.most_mw)
    power = pl.when(_usable() & (flowing >= meter.least_mw)).then(flowing).otherwise(0)
    span = pl.col("time_ms").shift(-1) - pl.col("time_ms")
    follows = (pl.col("series") == pl.col("series").shift(-1)) & (span <= meter.interval_ms)
    least = pl.when(follows).then(pl.min_horizontal(power, power.shift(-1))).otherwise(0).fill_null(0)
    made = (least // meter.divisor) * span + (least % meter.divisor) * span // meter.divisor
    energy = powers.select(made.fill_null(0).cum_sum().shift(1, fill_value=0).alias("energy"))
    return pl.concat([counters.with_columns(pl.col("series") - points), energy], how="horizontal").filter(_usable())


def _pairs(counters: pl.LazyFrame, meter: Meter) -> pl.LazyFrame:
    before = {name: pl.col(name).shift(1) for name in ("series", "time_ms", "received_ms", "value", "energy")}
    asked = pl.min_horizontal("sent_ms", "received_ms").shift(1)
    ordered = pl.col("received_ms") > before["received_ms"]
    span = pl.when(ordered).then(pl.col("received_ms") - asked).otherwise(pl.col("time_ms") - before["time_ms"])
    apart = pl.col("time_ms") - before["time_ms"]
    lazy = counters.select(
        "series", "time_ms", "value", ordered.alias("ordered"), before["value"].alias("earlier"),
        "received_ms", asked.alias("asked"), apart.alias("apart"),
        (pl.col("energy") - before["energy"]).alias("expected"),
        (span * meter.rate_num // meter.rate_den + meter.step).alias("most"),
        (pl.col("series") == before["series"]).alias("follows"),
    )  # fmt: skip
    return lazy.filter("follows").drop("follows")


def _judged(pairs: pl.LazyFrame, meter: Meter) -> pl.LazyFrame:
    gain, most, earlier, later = pl.col("value") - pl.col("earlier"), pl.col("most"), pl.col("earlier"), pl.col("value")
    not_saved = meter.nonvolatile_ms * meter.rate_num // meter.rate_den + meter.step
    gap = pl.col("apart") > meter.interval_ms
    over = later + (meter.modulus - earlier)
    rolled = (most < meter.modulus) & (earlier < meter.modulus) & (later >= 0) & (over <= most)
    code = (
        pl.when(~pl.col("ordered")).then(codes.CLOCK_ORDER)
        .when((gain < 0) & (-gain <= not_saved)).then(codes.STEPPED_BACK)
        .when((gain < 0) & rolled).then(pl.when(gap).then(codes.ROLLOVER_UNPROVED).otherwise(codes.ROLLOVER))
        .when(gain < 0).then(codes.RESET)
        .when(gain > most).then(codes.SPIKE)
        .when(most >= meter.modulus).then(codes.RESET_NOT_EXCLUDED)
        .when(gap).then(codes.NOT_SAVED)
        .otherwise(codes.EXACT).cast(pl.UInt8)
    )  # fmt: skip
    difference = pl.when(gain < 0).then(over).otherwise(gain)
    known = pl.col("code") <= codes.LAST_POSSIBLE
    low = pl.when(known).then(difference).otherwise(0)
    high = (
        pl.when(known & ~pl.col("code").is_in([codes.RESET_NOT_EXCLUDED, codes.NOT_SAVED])).then(difference)
        .otherwise(most)
    )  # fmt: skip
    return pairs.with_columns(code.alias("code")).with_columns(low.alias("low"), high.alias("high"))


def _widened(pairs: pl.LazyFrame, where: pl.Expr, code: int) -> pl.LazyFrame:
    where &= pl.col("code") <= codes.LAST_POSSIBLE
    return pairs.with_columns(
        pl.when(where).then(0).otherwise("low").alias("low"),
        pl.when(where).then("most").otherwise("high").alias("high"),
        pl.when(where).then(pl.lit(code, pl.UInt8)).otherwise("code").alias("code"),
    )


def _beside(pairs: pl.LazyFrame) -> pl.LazyFrame:
    impossible = pl.col("code").is_between(codes.RESET, codes.LAST_IMPOSSIBLE)
    beside = [
        impossible.shift(by, fill_value=False) & (pl.col("series") == pl.col("series").shift(by)) for by in (1, -1)
    ]
    return _widened(pairs, beside[0].fill_null(value=False) | beside[1].fill_null(value=False), codes.BESIDE_IMPOSSIBLE)


def _frozen(pairs: pl.LazyFrame, meter: Meter) -> pl.LazyFrame:
    """Runs of pairs in which the counter stood still, while power says that it should not have, become one pair.

    The pair that ends a run goes with it, when it is possible; the amount stands where the run ends.
    """
    still = pl.col("value") == pl.col("earlier")
    same = pl.col("series") == pl.col("series").shift(1)
    begins = still != still.shift(1) | ~same
    numbered = pairs.with_columns(still.alias("still"), begins.fill_null(value=True).cum_sum().alias("run"))
    runs = numbered.filter("still").group_by("run").agg(
        pl.col("apart").sum(), pl.col("expected").sum(), pl.col("asked").first().alias("began")
    ).filter((pl.col("apart") >= meter.frozen_ms) & (pl.col("expected") >= 2 * meter.step))  # fmt: skip
    marked = numbered.join(runs.select("run", "began"), on="run", how="left", maintain_order="left")
    inside = pl.col("began").is_not_null()
    before = inside.shift(1, fill_value=False) & same & ~inside
    ends = (before & (pl.col("code") <= codes.LAST_POSSIBLE)).fill_null(value=False)
    began = pl.when(ends).then(pl.col("began").shift(1)).otherwise("began")
    last = ends | (inside & ~inside.shift(-1, fill_value=False) & ~ends.shift(-1, fill_value=False))
    most = (pl.col("received_ms") - began) * meter.rate_num // meter.rate_den + meter.step
    frozen = inside | ends
    return marked.with_columns(
        pl.when(frozen).then(0).otherwise("low").alias("low"),
        pl.when(frozen).then(pl.when(last).then(most).otherwise(0)).otherwise("high").alias("high"),
    )
