"""What happened between two readings that follow each other: the rule that was applied, its inputs, both readings.

In: a link of the ledger and the series that it was made of. Out: a step.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compute import codes
from compute.explain.ledger import Link
from compute.explain.readings import Told, reading_step
from compute.explain.step import Fact, Made, Rule, Step
from compute.intervals import CounterReadings
from compute.methodologies import Monitored
from compute.project import PointSettings
from compute.rulesets import Ruleset
from compute.sources import Believed
from ingest.store.series import Series
from metering.clock import utc_text
from metering.interval import Interval

_CLAUSE = "contracts 6"
_EXACT = "the counter's difference D: it is possible, below the modulus, and a reset would have shown"
_EXACT_STATE = "both samples show the same state, and nothing is missing between them"


@dataclass(frozen=True, slots=True)
class Between:
    """One parameter at one point, as its pairs of readings are explained."""

    told: Told
    spec: Monitored
    point: PointSettings
    rules: Ruleset
    series: tuple[Series, ...]
    believed: Believed
    counter: CounterReadings | None
    """The arrays that the kernels saw; None for a state."""
    unit: str
    """The quantum that amounts are in."""
    inputs: tuple[Fact, ...] = ()
    """What decides a state beside its readings."""


def pair_step(between: Between, link: Link, hour: Interval, *, after_another: bool) -> Step:
    """Explain one pair of readings.

    Args:
        between: the parameter and its readings.
        link: the pair.
        hour: the hour that is explained; a pair that does not count in it has no value here.
        after_another: whether the pair before ends at this one's earlier reading, which is then not told again.
    """
    name, text = codes.TEXTS.get(link.code, ("exact", _EXACT if between.counter is not None else _EXACT_STATE))
    facts = [Fact("code", name)]
    counts = link.counts_in_ms == hour.start_ms
    if not counts:
        facts += [
            Fact("counts", _counts_elsewhere(link)),
            Fact("low", link.amount.low, between.unit),
            Fact("high", link.amount.high, between.unit),
        ]
    if between.counter is None:
        facts += [*_state_inputs(link), *between.inputs]
    else:
        facts += _counter_inputs(between, between.counter, link)
    slots = [link.later_slot_ms] if after_another else [link.earlier_slot_ms, link.later_slot_ms]
    return Step(
        "pair",
        f"{utc_text(link.earlier_slot_ms)} to {utc_text(link.later_slot_ms)}",
        Rule(text, _CLAUSE),
        Made.RULE,
        link.amount if counts else None,
        between.unit,
        tuple(facts),
        tuple(reading for slot in slots for reading in readings_at(between, slot)),
    )


def _counts_elsewhere(link: Link) -> str:
    if link.counts_in_ms is None:
        return "in no hour: it crosses a boundary, or lies behind the last confirmed reading; see the doubts"
    return f"in the hour of its later reading, which begins at {utc_text(link.counts_in_ms)}"


def _state_inputs(link: Link) -> Iterator[Fact]:
    yield Fact("earlier state", _state_text(link.earlier_value))
    yield Fact("later state", _state_text(link.later_value))
    yield Fact("time between", link.later_slot_ms - link.earlier_slot_ms, "ms")


def _state_text(state: int) -> str:
    return {1: "in it", 0: "not in it"}.get(state, "unknown")


def _counter_inputs(between: Between, counter: CounterReadings, link: Link) -> Iterator[Fact]:
    unit = between.unit
    earlier, later = (
        int(np.searchsorted(counter.time_ms, slot)) for slot in (link.earlier_slot_ms, link.later_slot_ms)
    )
    yield Fact("earlier value", link.earlier_value, unit)
    yield Fact("later value", link.later_value, unit)
    yield Fact("D, their difference", link.later_value - link.earlier_value, unit)
    yield Fact("R, the most that was possible", link.limit, unit)
    yield Fact("request to answer", int(counter.answer_ms[later]) - int(counter.request_ms[earlier]), "ms")
    yield Fact("register step", max(int(counter.step[earlier]), int(counter.step[later])), unit)
    yield Fact("rated_power_w", between.point.rated_power_w or "", "W")
    yield Fact("margin", between.rules.rated_margin)
    yield Fact("modulus", counter.modulus or "unknown", unit if counter.modulus else "")
    yield Fact("can be reset", "yes" if counter.resettable else "no")
    if counter.nonvolatile_ms:
        yield Fact("not saved before a loss of supply", counter.nonvolatile_ms, "ms")
    if counter.epoch[earlier] != counter.epoch[later]:
        yield Fact("meter or register", "changed between the two")


def readings_at(between: Between, slot_ms: int) -> Iterator[Step]:
    """Explain the readings of one slot: of a state one for each phase."""
    for series in between.series:
        row = int(np.searchsorted(series.time_ms, slot_ms))
        if row < len(series) and int(series.time_ms[row]) == slot_ms:
            yield reading_step(between.told, series, row, between.believed)
