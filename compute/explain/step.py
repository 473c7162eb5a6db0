"""One step of an explanation: a value, the rule that made it, what went into it, and the steps below it.

All steps have the same shape, so whoever shows or checks a tree needs to know no kind by name: `made` says how a value
follows from the steps below, and exact rationals stand beside the decimal strings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from compute.pairs import Pair
from compute.result import DECIMAL_PLACES, decimal_text

TYPE = "sakugen.explanation/1"

Json = Mapping[str, object]


class Made(StrEnum):
    """How the value of a step follows from the steps below it."""

    SUM = "sum"
    """Each end is the sum of these ends below; steps without a value add nothing."""
    FLOOR = "floor"
    """The low end below, rounded down to a whole number."""
    FORMULA = "formula"
    """The methodology's equations, with the values below."""
    CONVERTED = "converted"
    """The value below in another unit."""
    RULE = "rule"
    """What the named rule makes of the two readings below."""
    DECODED = "decoded"
    """The register words among the facts, read as the device map says."""
    GIVEN = "given"
    """It stands in the evidence or in the project file."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a step goes by."""

    text: str
    """One sentence."""
    clause: str
    """Where it stands, for example "contracts 6"."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that went into a step, or is to be known about it."""

    name: str
    value: int | Fraction | str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A value on the way of a tonne, and how it was made."""

    kind: str
    """What it is: "period", "vintage" … "record"; docs/explain.md lists them."""
    name: str
    """Which one, among its kind."""
    rule: Rule
    made: Made
    value: Pair | None = None
    unit: str = ""
    facts: tuple[Fact, ...] = ()
    steps: tuple["Step", ...] = ()

    def fact(self, name: str) -> int | Fraction | str:
        """The value of a fact.

        Raises:
            KeyError: when it has none of this name.
        """
        for one in self.facts:
            if one.name == name:
                return one.value
        raise KeyError(name)

    def walk(self) -> Iterator["Step"]:
        """This step and all below it, from above."""
        yield self
        for step in self.steps:
            yield from step.walk()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole period explained, as far down as was asked."""

    about: Mapping[str, str]
    """What was computed and with what: project, period, methodology, engine, digests."""
    creditable: bool
    blocked_by: tuple[str, ...]
    """Why it is not creditable, one sentence each."""
    step: Step
    asked: Mapping[str, str] = field(default_factory=dict)
    """What it was narrowed to: parameter, point, hour."""


def number_text(value: int | Fraction) -> str:
    """Write a number for people: exactly where it has at most 9 decimal places, else rounded down and with "…"."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return str(exact.numerator)
    text = decimal_text(exact)
    return text.rstrip("0") if Fraction(text) == exact else f"{text}…"


def pair_text(value: Pair, unit: str) -> str:
    """Write an amount for people: one number without doubt, else both ends."""
    ends = number_text(value.low) if value.exact else f"[{number_text(value.low)}, {number_text(value.high)}]"
    return ends if unit in {"", "1"} else f"{ends} {unit}"


def document(explanation: Explanation) -> dict[str, object]:
    """Write an explanation as one JSON object; every number is a string, so that none is ever rounded."""
    return {
        "type": TYPE,
        **explanation.about,
        "asked": dict(explanation.asked),
        "creditable": explanation.creditable,
        "blocked_by": list(explanation.blocked_by),
        "step": _step(explanation.step),
    }


def _step(step: Step) -> dict[str, object]:
    return {
        "kind": step.kind,
        "name": step.name,
        "made": step.made.value,
        "rule": step.rule.text,
        "clause": step.rule.clause,
        "value": None if step.value is None else _value(step.value, step.unit),
        "facts": [_fact(fact) for fact in step.facts],
        "steps": [_step(one) for one in step.steps],
    }


def _value(value: Pair, unit: str) -> dict[str, str]:
    return {
        "low": _decimal(value.low),
        "high": _decimal(value.high),
        "low_exact": _rational(value.low),
        "high_exact": _rational(value.high),
        "unit": unit,
    }


def _fact(fact: Fact) -> dict[str, str]:
    if isinstance(fact.value, str):
        return {"name": fact.name, "value": fact.value, "unit": fact.unit}
    return {"name": fact.name, "value": _decimal(fact.value), "exact": _rational(fact.value), "unit": fact.unit}


def _decimal(value: int | Fraction) -> str:
    exact = Fraction(value)
    return str(exact.numerator) if exact.denominator == 1 else decimal_text(exact)


def _rational(value: int | Fraction) -> str:
    exact = Fraction(value)
    return f"{exact.numerator}/{exact.denominator}"


__all__ = [
    "DECIMAL_PLACES", "TYPE", "Explanation", "Fact", "Made", "Rule", "Step", "document", "number_text", "pair_text",
]  # fmt: skip
