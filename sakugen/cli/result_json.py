"""Write a result as JSON for scripts: the same shapes as a statement has, so that both are read with the same code.

In: a `Result`, or any part of one. Out: objects, lists, texts, integers. A rational is a decimal text with 9 places
beside the exact fraction, never a float. A field is never taken away or given another shape under the same `type`.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction

from compute.pairs import Pair
from compute.result import Result, decimal_text
from metering.clock import utc_text
from metering.interval import Interval

TYPE = "sakugen.result/1"
Json = dict[str, "Json"] | list["Json"] | str | int | None


def as_json(result: Result) -> dict[str, Json]:
    """Write a whole result, with what follows from its fields."""
    written = {field.name: plain(getattr(result, field.name)) for field in fields(result)}
    return {"type": TYPE, "creditable": result.creditable, "whole_tonnes": result.integer, **written}


def plain(value: object) -> Json:
    """Write one value.

    Raises:
        TypeError: for a float, and for anything else that JSON cannot hold exactly.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | str() | int():
            return value
        case Fraction():
            return {"value": decimal_text(value), "exact": _exact(value)}
        case Pair():
            low, high = value.low, value.high
            exact = {"low_exact": _exact(low), "high_exact": _exact(high)}
            return {"low": decimal_text(low), "high": decimal_text(high), **exact}
        case Interval():
            return {"start_utc": utc_text(value.start_ms), "end_utc": utc_text(value.end_ms)}
        case Mapping():
            return {str(key): plain(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [plain(part) for part in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is nothing that a result holds")


def _exact(number: int | Fraction) -> str:
    fraction = Fraction(number)
    return f"{fraction.numerator}/{fraction.denominator}"
