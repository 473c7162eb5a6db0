"""What each hour of a period gives, for curves: the vintages' amounts, an hour at a time, at the end that is credited.

In: a result, and the amounts of each parameter by hour. Out: tonnes for every hour of the period. Each hour is taken at
the corner of its vintage, and every methodology is a sum over amounts, so hours add up to what the vintage credits, but
for what belongs to no single hour: a pair across an edge of the vintage counts in it from 0, and the time before its
first and behind its last confirmed reading counts as what is possible. results.sqlite names that rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from compute.calibration import Late
from compute.methodologies import Methodology, Monitored
from compute.methodologies.shape import Factors
from compute.result import Result, VintageResult
from compute.segments import Hours
from metering.interval import HOUR_MS, Interval


@dataclass(frozen=True, slots=True)
class HourResult:
    """The emission reductions of one hour, provisional and for display [tCO2e]."""

    start_ms: int
    """When it begins [ms since the Unix epoch]; an amount belongs to the hour in which its reading was taken."""
    reference: Fraction
    project: Fraction
    reduction: Fraction
    """Reference less project emissions less leakage."""
    input_digest: str
    """What the period was computed from."""


@dataclass(frozen=True, slots=True)
class HourAmounts:
    """One monitored parameter at one point, by hour."""

    spec: Monitored
    point: str
    hours: Hours
    """[quanta]; part 1 is the first vintage, part 2 the second."""
    late: tuple[Late, ...] = ()
    """Spans without a valid calibration, in which each end is moved outwards."""


def hourly(
    result: Result, method: Methodology, amounts: Sequence[HourAmounts], factors: Mapping[str, Factors]
) -> tuple[HourResult, ...]:
    """Give every hour of a result's period, those in which nothing was proved with 0.

    Args:
        result: what the vintages are.
        method: the result's methodology.
        amounts: each monitored parameter at each point.
        factors: the fixed values of each point.
    """
    tonnes = [_tonnes(method, one, factors[one.point]) for one in amounts]
    # Integers over one denominator: the hours of a year would take seconds as fractions.
    whole = lcm(*(each.denominator for one in tonnes for each in one))
    whole *= lcm(*(late.share.denominator for one in amounts for late in one.late))
    sums: dict[int, list[int]] = {}
    for index, vintage in enumerate(result.vintages):
        for start_ms in range(vintage.interval.start_ms, vintage.interval.end_ms, HOUR_MS):
            sums.setdefault(start_ms, [0, 0, 0])
        for one, each in zip(amounts, tonnes, strict=True):
            factor = [int(amount * whole) for amount in each]
            for start_ms, quanta in _credited(one, index + 1, vintage):
                hour = sums.setdefault(start_ms, [0, 0, 0])
                for place in range(3):
                    hour[place] += int(quanta * factor[place])
    return tuple(
        HourResult(
            start_ms, Fraction(hour[0], whole), Fraction(hour[1], whole), Fraction(hour[2], whole), result.input_digest
        )
        for start_ms, hour in sorted(sums.items())
    )


def _tonnes(method: Methodology, one: HourAmounts, factors: Factors) -> tuple[Fraction, Fraction, Fraction]:
    # What one quantum gives; every amount gives this so many times.
    emissions = method.emissions({one.spec.parameter: Fraction(1, one.spec.quanta_per_unit)}, factors)
    return emissions.reference, emissions.project, emissions.reduction


def _credited(one: HourAmounts, part: int, vintage: VintageResult) -> Iterator[tuple[int, int | Fraction]]:
    """The hours of a vintage [ms], each with the end that the vintage credits, moved where no calibration is valid."""
    high = vintage.corner[f"{one.spec.parameter}@{one.point}"] == "high"
    here = one.hours.part == part
    ends = (one.hours.high if high else one.hours.low)[here].tolist()
    for start_ms, quanta in zip(one.hours.start_ms[here].tolist(), ends, strict=True):
        hour = Interval(start_ms, start_ms + HOUR_MS)
        share = sum((late.share for late in one.late if late.interval.overlaps(hour)), Fraction(0))
        yield start_ms, quanta + (share if high else -share) * abs(quanta) if share else quanta
