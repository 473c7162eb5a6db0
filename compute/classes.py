"""Accuracy classes of meters and transformers: how large an error each permits, and how sure we are that it does.

In: a class as it is printed on a meter. Out: the permitted errors, with source and mark. Limits are for a power factor
of 1. A heat meter is flow sensor, calculator and temperature sensor pair, whose errors add up (Directive 2014/32/EU,
Annex VI).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

_ORDER = ("V", "M")


@dataclass(frozen=True, slots=True)
class Permitted:
    """The errors that a class permits."""

    usual: Fraction
    """At the load it is made for [%]."""
    largest: Fraction
    """At any load within its range: what holds where nobody knows the load [%]."""
    source: str
    mark: str
    """V read in the named source, M from memory and not checked."""


def _electric(index: str, at_low_load: str, source: str) -> Permitted:
    return Permitted(Fraction(index), Fraction(at_low_load), source, "M")


_62053_22 = "IEC 62053-22:2020; the limits are not checked against the text"
_62053_21 = "IEC 62053-21:2020; the limits are not checked against the text"
_50470 = "EN 50470-3 (MID A, B, C as classes 2, 1, 0.5); the limits are not checked against the text"
_61869 = "IEC 61869-2 and -3; the limits are not checked against the text"

_ELECTRIC: Mapping[str, Permitted] = MappingProxyType({
    "0.1S": _electric("0.1", "0.2", _62053_22),
    "0.2S": _electric("0.2", "0.4", _62053_22),
    "0.5S": _electric("0.5", "1.0", _62053_22),
    "0.5": _electric("0.5", "1.0", _62053_21),
    "1": _electric("1.0", "1.5", _62053_21),
    "2": _electric("2.0", "2.5", _62053_21),
    "A": _electric("2.0", "2.5", _50470),
    "B": _electric("1.0", "1.5", _50470),
    "C": _electric("0.5", "1.0", _50470),
})  # fmt: skip

_CURRENT: Mapping[str, Permitted] = MappingProxyType({
    "0.2S": _electric("0.2", "0.75", _61869),
    "0.5S": _electric("0.5", "1.5", _61869),
    "0.2": _electric("0.2", "0.75", _61869),
    "0.5": _electric("0.5", "1.5", _61869),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _FlowSensor:
    constant: Fraction
    slope: Fraction
    most: Fraction
    source: str
    mark: str


_ULTRAFLOW = "Kamstrup ULTRAFLOW manual, citing EN 1434"
_FLOW_SENSORS: Mapping[str, _FlowSensor] = MappingProxyType({
    "1": _FlowSensor(Fraction(1), Fraction("0.01"), Fraction("3.5"), "EN 1434; not checked against the text", "M"),
    "2": _FlowSensor(Fraction(2), Fraction("0.02"), Fraction(5), _ULTRAFLOW, "V"),
    "3": _FlowSensor(Fraction(3), Fraction("0.05"), Fraction(5), _ULTRAFLOW, "V"),
})  # fmt: skip
_HALF = Fraction(1, 2)
_HEAT = re.compile(r"EN ?1434[ ,:]*(?:class )?([123])", re.IGNORECASE)
_METER = re.compile(r"(?:MID )?(?:class )?(0\.[125] ?S|0\.5|[12]|[ABC])(?: \(MID\))?", re.IGNORECASE)


def flow_sensor_percent(heat_class: str, qp_over_q: Fraction | None) -> Fraction:
    """Give the error that a flow sensor may have [%].

    Args:
        heat_class: "1", "2" or "3".
        qp_over_q: permanent over actual flow [1]; None = not known, which is the largest that the class permits.
    """
    sensor = _FLOW_SENSORS[heat_class]
    return sensor.most if qp_over_q is None else min(sensor.constant + sensor.slope * qp_over_q, sensor.most)


def calculator_percent(least_over_difference: Fraction | None) -> Fraction:
    """Give the error that a calculator may have: 0.5 + dTmin/dT [%].

    Args:
        least_over_difference: the least temperature difference it is made for over the actual one, at most 1; None =
            not known, which is the largest that is permitted.
    """
    return _HALF + (1 if least_over_difference is None else _within(least_over_difference))


def sensor_pair_percent(least_over_difference: Fraction | None) -> Fraction:
    """Give the error that a pair of temperature sensors may have: 0.5 + 3 dTmin/dT [%]; as `calculator_percent`."""
    return _HALF + 3 * (1 if least_over_difference is None else _within(least_over_difference))


def _within(least_over_difference: Fraction) -> Fraction:
    if not 0 <= least_over_difference <= 1:
        raise ValueError("below its least temperature difference a heat meter's class permits no error at all")
    return least_over_difference


def heat_meter_percent(
    heat_class: str, qp_over_q: Fraction | None = None, least_over_difference: Fraction | None = None
) -> Fraction:
    """Give the error that a heat meter may have: flow sensor, calculator and sensor pair added up [%].

    Args:
        heat_class: "1", "2" or "3".
        qp_over_q: as `flow_sensor_percent`.
        least_over_difference: as `calculator_percent`.
    """
    return (
        flow_sensor_percent(heat_class, qp_over_q)
        + calculator_percent(least_over_difference)
        + sensor_pair_percent(least_over_difference)
    )


def heat_class_of(accuracy_class: str) -> str | None:
    """The class of a heat meter, "1", "2" or "3"; None when it is no heat meter's."""
    found = _HEAT.fullmatch(accuracy_class.strip())
    return None if found is None else found[1]


def permitted(accuracy_class: str) -> Permitted | None:
    """Say what a meter's class permits; None when the class is not known here."""
    heat = heat_class_of(accuracy_class)
    if heat is not None:
        sensor = _FLOW_SENSORS[heat]
        usual = heat_meter_percent(heat, Fraction(1), Fraction(0))
        return Permitted(usual, heat_meter_percent(heat), sensor.source, sensor.mark)
    found = _METER.fullmatch(accuracy_class.strip())
    return None if found is None else _ELECTRIC[found[1].upper().replace(" ", "")]


def current_transformer(transformer_class: str) -> Permitted:
    """Say what a current transformer's class permits.

    Args:
        transformer_class: one of `compute.project.TransformerClass`.
    """
    return _CURRENT[transformer_class]


def voltage_transformer(transformer_class: str) -> Permitted:
    """Say what a voltage transformer's class permits, from 80 to 120 % of its voltage.

    Args:
        transformer_class: one of `compute.project.TransformerClass`; an S means nothing here.
    """
    index = transformer_class.rstrip("S")
    return _electric(index, index, _61869)


def weaker(marks: list[str]) -> str:
    """The weakest of some marks."""
    return max(marks, key=_ORDER.index, default="V")
