"""The vocabulary of what is measured: each measurand with its kind, unit and quantum.

Everything downstream of the decoder is an integer number of quanta, so sums and differences are exact; a float for
people is `quanta / quanta_per_unit` and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from metering.errors import UnknownMeasurandError

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Kind(StrEnum):
    """How a measurand behaves over time."""

    COUNTER = "counter"
    """A register that only grows; amounts are its differences."""
    INSTANT = "instant"
    """A value that holds at the moment of reading; amounts are its integral."""


@dataclass(frozen=True, slots=True)
class Measurand:
    """One thing that can be measured."""

    name: str
    """The unit is the last part, for example `energy_export_total_wh`."""
    kind: Kind
    unit: str
    """The unit people read, for example "Wh"."""
    quantum: str
    """The unit of one integer step, for example "mWh"."""
    quanta_per_unit: int
    """How many quanta make one unit."""

    def to_unit(self, quanta: int) -> float:
        """Convert a whole number of quanta [quantum] to the nearest float in the unit people read [unit]."""
        return quanta / self.quanta_per_unit


def _table(rows: tuple[tuple[str, Kind, str, str, int], ...]) -> Mapping[str, Measurand]:
    return MappingProxyType({row[0]: Measurand(*row) for row in rows})


_C, _I = Kind.COUNTER, Kind.INSTANT

MEASURANDS: Mapping[str, Measurand] = _table((
    ("energy_import_total_wh", _C, "Wh", "mWh", 1000),
    ("energy_export_total_wh", _C, "Wh", "mWh", 1000),
    ("reactive_energy_import_total_varh", _C, "varh", "mvarh", 1000),
    ("reactive_energy_export_total_varh", _C, "varh", "mvarh", 1000),
    ("heat_total_j", _C, "J", "J", 1),
    ("volume_total_m3", _C, "m3", "mL", 1_000_000),
    ("mass_total_kg", _C, "kg", "g", 1000),
    ("operating_time_total_s", _C, "s", "ms", 1000),
    ("active_power_w", _I, "W", "mW", 1000),
    ("heat_power_w", _I, "W", "mW", 1000),
    ("voltage_l1_v", _I, "V", "mV", 1000),
    ("voltage_l2_v", _I, "V", "mV", 1000),
    ("voltage_l3_v", _I, "V", "mV", 1000),
    ("current_l1_a", _I, "A", "mA", 1000),
    ("current_l2_a", _I, "A", "mA", 1000),
    ("current_l3_a", _I, "A", "mA", 1000),
    ("frequency_hz", _I, "Hz", "mHz", 1000),
    ("supply_temperature_degc", _I, "degC", "mdegC", 1000),
    ("return_temperature_degc", _I, "degC", "mdegC", 1000),
    ("ambient_temperature_degc", _I, "degC", "mdegC", 1000),
    ("flow_m3_per_h", _I, "m3/h", "mL/h", 1_000_000),
    ("irradiance_w_per_m2", _I, "W/m2", "mW/m2", 1000),
    ("burner_state", _I, "1", "1", 1),
    ("inverter_state", _I, "1", "1", 1),
))  # fmt: skip


def measurand(name: str) -> Measurand:
    """Look a measurand up by name.

    Raises:
        UnknownMeasurandError: when the vocabulary has no such name.
    """
    try:
        return MEASURANDS[name]
    except KeyError:
        raise UnknownMeasurandError(
            f"unknown measurand {name!r}; the vocabulary holds: {', '.join(sorted(MEASURANDS))}"
        ) from None
