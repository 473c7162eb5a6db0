"""What each kind of declared value says: one pydantic model a kind, numbers as decimal strings, never floats.

In: the values of one TOML file. Out: a model, or what is wrong with it.
"""

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from compute.project import DecimalText, MeterSettings, Name
from ingest.store.series import Meter
from metering.devicemap import DeviceMap, parse_device_map
from metering.errors import DeviceMapError
from metering.measurands import MEASURANDS, Kind

SCHEMA = "sakugen.declared/1"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Field(min_length=1, max_length=500)]
Option = Literal["A", "B", "C"]


def _whole_second(moment: dt.datetime) -> dt.datetime:
    if moment.microsecond:
        raise ValueError("must be a whole second: nobody reads a display more exactly")
    return moment


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SourceSettings(_Part):
    """Where a declared value was read."""

    title: Words
    date: dt.date
    page: Words | None = None
    file_sha256: Digest | None = None
    """Of the document that was read, for whoever is shown it."""


class MeterName(_Part):
    """Which instrument."""

    make: Words
    model: Words
    serial: Words

    def is_same(self, meter: "MeterSettings | MeterName | Meter") -> bool:
        """Whether it is this instrument."""
        return (self.make, self.model, self.serial) == (meter.make, meter.model, meter.serial)

    def __str__(self) -> str:
        """Make, model and serial for people."""
        return f"{self.make} {self.model} {self.serial}"


class _Head(_Part):
    """What every declared value says."""

    schema_: Literal["sakugen.declared/1"] = Field(alias="schema")
    project: Name
    """Whose evidence it is; no other project may use it."""
    id: Name
    who: Words
    """Who declares it."""
    when: AwareDatetime
    """When it was declared; the signer's key must count then."""
    option: Option
    """JCM monitoring option: A public data, B amount of transaction, C measured."""
    source: SourceSettings
    replaces: Digest | None = None
    """The SHA-256 of the declared value that this one corrects."""


class _AtPoint(_Head):
    point: Name


_NUMBER: TypeAdapter[str] = TypeAdapter(DecimalText)


def _date_or_number(value: object) -> object:
    if isinstance(value, dt.date):
        return value
    try:
        return _NUMBER.validate_python(value)
    except ValidationError:
        raise ValueError('must be an integer or a decimal in quotes, for example "12.5"; or a date') from None


class Value(_Head):
    """A count, a date, an invoice, a weight, a laboratory result or statistics of outages."""

    kind: Literal["value"]
    what: Literal["count", "date", "invoice", "weight", "laboratory", "outages"]
    parameter: Words
    point: Name | None = None
    """The point that it holds for; absent = the whole project."""
    from_: dt.date = Field(alias="from")
    to: dt.date
    """The first local day that it no longer holds for."""
    value: Annotated[str | dt.date, BeforeValidator(_date_or_number)]
    unit: Words

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.to <= self.from_:
            raise ValueError("to must be after from; it is the first day that no longer belongs to it")
        if isinstance(self.value, dt.date) != (self.what == "date"):
            raise ValueError('a value of what = "date" is a date, any other a number in quotes')
        return self


def _counter(name: str) -> str:
    if name not in MEASURANDS or MEASURANDS[name].kind is not Kind.COUNTER:
        counters = ", ".join(name for name, one in MEASURANDS.items() if one.kind is Kind.COUNTER)
        raise ValueError(f"must be what a register counts; allowed: {counters}")
    return name


class _Shown(_Part):
    """How a counter was read: in the unit of its measurand, to the last digit that the display shows."""

    measurand: str
    unit: str
    resolution: DecimalText
    """One step of the last digit that was read [unit]."""

    @field_validator("measurand")
    @classmethod
    def _is_a_counter(cls, name: str) -> str:
        return _counter(name)

    @model_validator(mode="after")
    def _fits_its_measurand(self) -> Self:
        wanted = MEASURANDS[self.measurand]
        if self.unit != wanted.unit:
            raise ValueError(f"unit must be {wanted.unit!r}, as {self.measurand} has it")
        if Fraction(self.resolution) <= 0:
            raise ValueError("resolution must be more than 0")
        return self

    @property
    def step(self) -> Fraction:
        """One step of the last digit [quanta]."""
        return Fraction(self.resolution) * MEASURANDS[self.measurand].quanta_per_unit

    def quanta(self, text: str) -> int:
        """A number that was read, rounded down as displays do [quanta]."""
        return int(Fraction(text) * MEASURANDS[self.measurand].quanta_per_unit // 1)


class RegisterReading(_AtPoint, _Shown):
    """What a counter's display showed at an instant: covers gaps, confirms the reading before it."""

    kind: Literal["register-reading"]
    meter: MeterName
    at: AwareDatetime
    value: DecimalText
    """What the display showed [unit]."""

    @field_validator("at")
    @classmethod
    def _is_a_whole_second(cls, moment: dt.datetime) -> dt.datetime:
        return _whole_second(moment)

    @field_validator("value")
    @classmethod
    def _is_not_negative(cls, text: str) -> str:
        return _no_less(text)


def _no_less(text: str) -> str:
    if Fraction(text) < 0:
        raise ValueError("must not be negative")
    return text


class ExchangedRegister(_Shown):
    """What one counter showed last on the old meter and first on the new one."""

    closing: DecimalText
    """[unit]"""
    opening: DecimalText
    """[unit]"""

    @field_validator("closing", "opening")
    @classmethod
    def _is_not_negative(cls, text: str) -> str:
        return _no_less(text)


class NewMeter(MeterName):
    """The instrument that took another's place."""

    accuracy_class: Words


class MeterExchange(_AtPoint):
    """One meter taken away and another put in its place."""

    kind: Literal["meter-exchange"]
    removed: MeterName
    removed_at: AwareDatetime
    installed: NewMeter
    installed_at: AwareDatetime
    register_: Annotated[tuple[ExchangedRegister, ...], Field(alias="register")] = ()

    @model_validator(mode="after")
    def _is_an_exchange(self) -> Self:
        if self.installed_at < self.removed_at:
            raise ValueError("installed_at must not be before removed_at")
        if self.removed.is_same(self.installed):
            raise ValueError("removed and installed are the same meter")
        names = [one.measurand for one in self.register_]
        if len(set(names)) < len(names):
            raise ValueError("register: each measurand is given once")
        _whole_second(self.removed_at)
        _whole_second(self.installed_at)
        return self


class _During(_AtPoint):
    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime | None = None
    """Absent = until further notice."""

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.until is not None and self.until <= self.from_:
            raise ValueError("until must be after from")
        return self

    def meets(self, other: "_During") -> bool:
        """Whether both hold at some instant."""
        return (other.until is None or self.from_ < other.until) and (self.until is None or other.from_ < self.until)


class CtChange(_During):
    """A current transformer with another ratio than the meter was told."""

    kind: Literal["ct-change"]
    ratio_in_meter: DecimalText
    """Primary ÷ secondary, as the meter multiplies by."""
    ratio_in_place: DecimalText
    """Primary ÷ secondary of the transformer that really is there."""

    @field_validator("ratio_in_meter", "ratio_in_place")
    @classmethod
    def _is_a_ratio(cls, text: str) -> str:
        if Fraction(text) <= 0:
            raise ValueError("must be more than 0")
        return text

    @property
    def factor(self) -> Fraction:
        """What the meter's energies, powers and currents have to be multiplied by."""
        return Fraction(self.ratio_in_place) / Fraction(self.ratio_in_meter)


class Remap(_During):
    """A device map that was wrong, and the one to decode the same words with."""

    kind: Literal["remap"]
    map: Digest
    """The SHA-256 of the device map that the readings were taken with."""
    replacement: str
    """The whole text of the device map to use in its place."""
    reason: Words

    @field_validator("replacement")
    @classmethod
    def _is_a_device_map(cls, text: str) -> str:
        try:
            parse_device_map(text, "replacement")
        except DeviceMapError as error:
            raise ValueError(f"not a device map: {error}") from None
        return text

    @property
    def device_map(self) -> DeviceMap:
        """The device map to use."""
        return parse_device_map(self.replacement, "replacement")


class Calibration(_AtPoint):
    """A calibration certificate of a meter; there may be several, also of a meter that was taken away."""

    kind: Literal["calibration"]
    meter: MeterName
    certificate: Words
    date: dt.date
    """From this local day on the meter is covered."""
    valid_until: dt.date
    """Up to this local day, not included."""
    mpe_percent: DecimalText
    """Maximum permissible error of the meter's class [%]."""
    found_error_percent: DecimalText | None = None
    """The largest error found, as the meter came in, without its sign [%]; absent = within the permissible one."""

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        if self.valid_until <= self.date:
            raise ValueError("valid_until must be after date")
        if Fraction(self.mpe_percent) < 0 or Fraction(self.found_error_percent or 0) < 0:
            raise ValueError("mpe_percent and found_error_percent must not be negative")
        return self


class IntegrityCheck(_AtPoint):
    """Somebody looked at a meter on site: seals, wiring, and whether the display agrees with what was recorded."""

    kind: Literal["integrity-check"]
    meter: MeterName
    at: AwareDatetime
    passed: bool
    map: Digest | None = None
    """The SHA-256 of the device map whose values were compared with the display."""


Declaration = Value | RegisterReading | MeterExchange | CtChange | Remap | Calibration | IntegrityCheck

MODELS: Mapping[str, type[BaseModel]] = MappingProxyType({
    "value": Value,
    "register-reading": RegisterReading,
    "meter-exchange": MeterExchange,
    "ct-change": CtChange,
    "remap": Remap,
    "calibration": Calibration,
    "integrity-check": IntegrityCheck,
})  # fmt: skip
"""The model of each kind."""
