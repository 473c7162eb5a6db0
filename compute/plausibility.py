"""Plausibility: what a meter says against its rating, against a second meter, and against the meters around it.

In: amounts that were measured, ratings, accuracy classes. Out: findings; what is refused; and, where main and check
meter disagree by more than their classes allow, the pair that holds both, which is never narrower than the main one's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from compute.pairs import Pair, total
from compute.project import MeterSettings
from compute.result import Blocked, decimal_text
from compute.rulesets import Plausible
from compute.uncertainty import chain_of
from metering.findings import Finding, Severity
from metering.interval import Interval

_CLAUSE = "contracts 6"
_CHECK_CLAUSE = "CDM VVS 366"
_AS_BY_A_UNIT = 10
"""So many times beyond its rating a wrong unit is likelier than a single wrong value."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a counter did in a period, beside what its rated power could have done."""

    point: str
    measurand: str
    interval: Interval
    rated_power_w: Fraction
    rated: Fraction
    """Rated power times the length of the period [quanta]."""
    high: Fraction
    """The most that may have happened [quanta]."""
    rise: Fraction | None
    """By how much the register rose from its first reading to its last, whatever rules say; None when it fell, or when
    several meters stood there [quanta]."""
    rise_rated: Fraction
    """Rated power times the time between those two readings, which may reach beyond the period [quanta]."""


def load_judged(load: Load, rule: Plausible) -> tuple[Finding, Blocked | None] | None:
    """Compare a counter with its rating; nothing when all is plausible."""
    if load.rise is not None and load.rise > rule.most * load.rise_rated > 0:
        times = load.rise / load.rise_rated
        hint = "; is a value in kWh labelled MWh, or one in Wh labelled kWh?" if times >= _AS_BY_A_UNIT else ""
        what = f"the register rose {float(times):.3g} times as fast as {_power(load)} can make it{hint}"
        return _refused(load, "amount-beyond-rating", what, times)
    if load.interval.length_ms < rule.least_ms:
        return None
    share = load.high / load.rated
    if 0 < share < rule.too_few:
        hint = "; is a value in MWh labelled kWh, or one in kWh labelled Wh?"
        what = f"at most {float(share):.3g} of what {_power(load)} can do was counted{hint}"
        return _refused(load, "amount-far-below-rating", what, share)
    if share < rule.few:
        what = f"only {float(share):.3g} of what {_power(load)} can do was counted"
        return _finding(load, "amount-below-rating", Severity.WARNING, what, share), None
    return None


def _refused(load: Load, code: str, what: str, share: Fraction) -> tuple[Finding, Blocked]:
    return _finding(load, code, Severity.BLOCKING, what, share), Blocked(code, f"{load.measurand}: {what}", load.point)


def _finding(load: Load, code: str, severity: Severity, what: str, share: Fraction) -> Finding:
    return Finding(
        code=code,
        clause=_CLAUSE,
        severity=severity,
        what=what,
        point=load.point,
        measurand=load.measurand,
        interval=load.interval,
        evidence={"of_what_the_rating_allows": decimal_text(share)},
    )


def _power(load: Load) -> str:
    return f"a rated power of {float(load.rated_power_w):g} W"


def tolerance(meters: Sequence[MeterSettings]) -> tuple[Fraction, str]:
    """Say by how much what a point's meters show may differ from what there was.

    Classes of meter and transformers at the load that they are made for, added up; of several meters the largest. A
    class that is not known allows nothing.

    Returns:
        The share (0.01 = 1 %) and the classes, for people.
    """
    shares, texts = [Fraction(0)], []
    for meter in meters:
        chain = chain_of(meter)
        shares.append(sum((part.usual for part in chain or ()), Fraction(0)) / 100)
        with_ = [f"CT {meter.ct_class}"] * (meter.ct_class is not None)
        with_ += [f"PT {meter.pt_class}"] * (meter.pt_class is not None)
        known = ", ".join([meter.accuracy_class, *with_]) + (" (unknown: allows nothing)" if chain is None else "")
        marks = {part.mark for part in chain or ()} - {"V"}
        texts.append(known + (f" marked {', '.join(sorted(marks))}" if marks else ""))
    return max(shares), "; ".join(texts) or "no meter declared"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a point's meters show of one amount."""

    point: str
    amount: Pair
    share: Fraction
    """By how much it may differ from what there was (0.01 = 1 %)."""
    classes: str

    @property
    def true(self) -> Pair:
        """Between which ends what there was must lie, if the meters keep their classes."""
        return self.amount.widened(self.share)


def agree(one: Pair, other: Pair) -> bool:
    """Whether both can be true at once."""
    return one.low <= other.high and other.low <= one.high


def compared(main: Shown, check: Shown, measurand: str, year: int, span: Interval) -> tuple[Pair, Finding | None]:
    """Compare a main meter with its check meter in one vintage.

    Returns:
        The pair that counts: the main meter's own, or the one that holds both where they disagree by more than their
        classes allow; and what is told then.
    """
    if agree(main.true, check.true):
        return main.amount, None
    both = Pair(min(main.amount.low, check.amount.low), max(main.amount.high, check.amount.high))
    return both, Finding(
        code="check-meter-disagrees",
        clause=_CHECK_CLAUSE,
        severity=Severity.WARNING,
        what=f"main and check meter differ in {year} by more than their classes allow;"
        " the end of both that credits less counts",
        point=main.point,
        measurand=measurand,
        interval=span,
        evidence={
            "check_point": check.point,
            "main": _pair_text(main.amount),
            "check": _pair_text(check.amount),
            "main_class": main.classes,
            "check_class": check.classes,
        },
    )


def balanced(
    name: str, inflow: Sequence[Shown], outflow: Sequence[Shown], losses: Fraction, span: Interval
) -> Iterator[Finding]:
    """Draw a balance: what flows in flows out, but for losses.

    Args:
        name: of the balance.
        inflow: what flows in, all in one unit.
        outflow: what flows out, in the same unit.
        losses: at most this share of the inflow is lost (0.01 = 1 %).
        span: the period.
    """
    came, went = total(one.true for one in inflow), total(one.true for one in outflow)
    arrives = Pair(came.low * (1 - losses), came.high)
    if agree(arrives, went):
        return
    amounts = [("in", one) for one in inflow] + [("out", one) for one in outflow]
    yield Finding(
        code="energy-balance-open",
        clause=_CLAUSE,
        severity=Severity.WARNING,
        what=f"in balance {name!r} what flows out cannot be what flows in, less at most"
        f" {float(losses * 100):g} % of losses",
        interval=span,
        evidence={f"{side} {one.point}": f"{_pair_text(one.amount)}, class {one.classes}" for side, one in amounts},
    )


def _pair_text(pair: Pair) -> str:
    return decimal_text(pair.low) if pair.exact else f"[{decimal_text(pair.low)}, {decimal_text(pair.high)}]"
