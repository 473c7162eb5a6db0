"""A project as `project.toml` declares it: points, meters, parameters fixed ex ante, monitoring periods.

In: the file, or its text from a bundle. Out: `ProjectSettings`, checked also against the methodology it names, so
that a missing rating or parameter is said before anything is computed. Numbers are decimal strings or integers, never
floats: a float in TOML is not the number that stands in the source.
"""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from compute.errors import MethodologyError, PeriodError
from compute.intervals import QUANTA_DIVISORS
from compute.methodologies import Methodology, methodology
from compute.vintages import Vintage, midnight_ms, vintages_of
from metering.config import ConfigError, Fault, line_of, load_toml, parse_toml
from metering.interval import Interval
from metering.measurands import MEASURANDS
from metering.topics import NAME_PATTERN

_MOST_DIGITS = 30
"""How far the first digit of a number may be from its decimal point."""
Mark = Literal["V", "S", "D", "M", "demonstration"]
TransformerClass = Literal["0.2S", "0.5S", "0.2", "0.5"]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def _decimal_text(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('must be an integer or a decimal in quotes, for example "0.797"')  # noqa: TRY004 - pydantic
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    # A bundle's project file comes from outside, and 1e999999999 as a fraction is a number of a gigabyte.
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError('must be a decimal number, for example "0.797"')
    return str(value)


DecimalText = Annotated[str, BeforeValidator(_decimal_text)]


def _positive(text: str) -> str:
    if Fraction(text) <= 0:
        raise ValueError("must be more than 0")
    return text


def _is_absent(value: object) -> bool:
    # Keys that came after the first ruleset are left out of what a digest is taken over where nobody uses them: the
    # digests of statements that were drawn up before stay as they are.
    return value is None or value == ()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointSettings(_Part):
    """A metering point: the place, which survives a meter exchange."""

    id: Name
    role: str
    """What the methodology takes from it, or "check" for a point that is only compared."""
    rated_power_w: DecimalText | None = None
    """Rated power of what it measures [W]; bounds every amount."""
    nominal_voltage_v: DecimalText | None = None
    """Nominal voltage between phase and neutral [V]."""
    checks: Annotated[Name | None, Field(exclude_if=_is_absent)] = None
    """For a point with role "check": the point whose amounts its own are compared with."""

    @field_validator("rated_power_w", "nominal_voltage_v")
    @classmethod
    def _is_positive(cls, text: str | None) -> str | None:
        return None if text is None else _positive(text)


class CalibrationSettings(_Part):
    """A calibration certificate of a meter."""

    certificate: str
    date: dt.date
    """From this local day on the meter is covered."""
    valid_until: dt.date
    """Up to this local day, not included."""
    mpe_percent: DecimalText
    """Maximum permissible error of the meter's class [%]."""
    source: str
    found_error_percent: Annotated[DecimalText | None, Field(exclude_if=_is_absent)] = None
    """The largest error found, as the meter came in, without its sign [%]; absent = within the permissible one."""

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        if self.valid_until <= self.date:
            raise ValueError("valid_until must be after date")
        if Fraction(self.mpe_percent) < 0 or Fraction(self.found_error_percent or 0) < 0:
            raise ValueError("mpe_percent and found_error_percent must not be negative")
        return self


class MeterSettings(_Part):
    """An instrument, and when it stood at its point."""

    point: Name
    make: str
    model: str
    serial: str
    installed_from: AwareDatetime
    installed_until: AwareDatetime | None = None
    accuracy_class: str
    """As it is printed on the meter: "0.5S", "B (MID)", "EN 1434 class 2"; "none" where it has none."""
    ct_class: Annotated[TransformerClass | None, Field(exclude_if=_is_absent)] = None
    """Accuracy class of the current transformers before it, when there are any."""
    pt_class: Annotated[TransformerClass | None, Field(exclude_if=_is_absent)] = None
    """Accuracy class of the voltage transformers before it, when there are any."""
    calibration: CalibrationSettings | None = None

    @property
    def name(self) -> str:
        """Make, model and serial for people."""
        return f"{self.make} {self.model} {self.serial}"


class ParameterSettings(_Part):
    """A parameter fixed ex ante."""

    name: str
    point: Name | None = None
    """The point that it holds for; absent = all."""
    value: DecimalText
    unit: str
    source: str
    mark: Mark
    """V read in the source, S stated by a seed document, D derived, M unverified, or "demonstration"."""


class FlowSettings(_Part):
    """What flows through one point of a balance."""

    point: Name
    measurand: str
    """A counter of energy, for example "energy_export_total_wh"."""


class BalanceSettings(_Part):
    """Meters whose amounts must agree: what flows in flows out, but for losses."""

    id: Name
    inflow: Annotated[tuple[FlowSettings, ...], Field(min_length=1)]
    outflow: Annotated[tuple[FlowSettings, ...], Field(min_length=1)]
    losses_percent: DecimalText = "0"
    """At most so much of what flows in is lost between the meters [%]."""

    @field_validator("losses_percent")
    @classmethod
    def _is_a_share(cls, text: str) -> str:
        if not 0 <= Fraction(text) <= 100:
            raise ValueError("must be from 0 to 100")
        return text


class PeriodSettings(_Part):
    """A monitoring period in local dates, half-open."""

    id: Name
    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end must be after start; it is the first day that no longer belongs to the period")
        return self


class CreditingPeriod(_Part):
    """In which reductions may be credited, in local dates, half-open."""

    start: dt.date
    end: dt.date


class ProjectSettings(_Part):
    """All of `project.toml`."""

    id: Name
    title: str
    jcm_reference: str
    partner_country: str
    site: Name
    methodology: str
    methodology_version: str
    time_zone: str
    """The project's civil time zone, for example "Asia/Ulaanbaatar"."""
    crediting_period: CreditingPeriod
    point: Annotated[tuple[PointSettings, ...], Field(min_length=1)]
    meter: tuple[MeterSettings, ...] = ()
    parameter: tuple[ParameterSettings, ...] = ()
    period: Annotated[tuple[PeriodSettings, ...], Field(min_length=1)]
    balance: Annotated[tuple[BalanceSettings, ...], Field(exclude_if=_is_absent)] = ()

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("unknown time zone; an IANA name is needed, for example Asia/Ulaanbaatar") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The civil time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def method(self) -> Methodology:
        """The methodology it names."""
        return methodology(self.methodology, self.methodology_version)

    def points_with(self, role: str) -> tuple[PointSettings, ...]:
        """The points of one role, by id."""
        return tuple(sorted((point for point in self.point if point.role == role), key=lambda point: point.id))

    def meters_of(self, point: str) -> tuple[MeterSettings, ...]:
        """The meters declared for a point, by installation."""
        return tuple(sorted((m for m in self.meter if m.point == point), key=lambda meter: meter.installed_from))

    def parameter_for(self, name: str, point: str) -> ParameterSettings | None:
        """The value that holds for a point: its own, else the project's."""
        own = [p for p in self.parameter if p.name == name and p.point == point]
        shared = [p for p in self.parameter if p.name == name and p.point is None]
        return next(iter(own + shared), None)

    def period_named(self, period_id: str | None) -> PeriodSettings:
        """A monitoring period by id; the first when no id is given.

        Raises:
            PeriodError: when the project does not declare it.
        """
        for period in self.period:
            if period_id in (None, period.id):
                return period
        known = ", ".join(period.id for period in self.period)
        raise PeriodError(f"project {self.id} has no monitoring period {period_id!r}; it declares: {known}")

    def vintages(self, period: PeriodSettings) -> tuple[Vintage, ...]:
        """A monitoring period cut at each local New Year."""
        return vintages_of(period.start, period.end, self.zone)

    def interval_of(self, period: PeriodSettings) -> Interval:
        """A monitoring period as instants [ms]."""
        return Interval(midnight_ms(period.start, self.zone), midnight_ms(period.end, self.zone))


def load_project(path: Path) -> ProjectSettings:
    """Read a project file and check it against its methodology.

    Raises:
        ConfigError: with every fault, by file, line and key.
    """
    project = load_toml(path, ProjectSettings)
    _refuse(project, path.read_text(encoding="utf-8"), str(path))
    return project


def parse_project(text: str, file: str = "project.toml") -> ProjectSettings:
    """Read a project from text, for example out of a bundle; as `load_project`.

    Raises:
        ConfigError: with every fault, by file, line and key.
    """
    project = parse_toml(text, ProjectSettings, file)
    _refuse(project, text, file)
    return project


Spot = tuple[tuple[int | str, ...], str, str]


def _refuse(project: ProjectSettings, text: str, file: str) -> None:
    faults = []
    for place, value, problem in [*_repeats(project), *_misfits(project)]:
        key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        faults.append(Fault(file, line_of(text, place), key, value, problem))
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: fault.line))


def _repeats(project: ProjectSettings) -> Iterator[Spot]:
    points = [point.id for point in project.point]
    for index, point in enumerate(points):
        if point in points[:index]:
            yield ("point", index, "id"), repr(point), "used twice; a point is declared once"
    yield from _meter_faults(project, points)
    yield from _balance_faults(project, points)
    named = [(parameter.name, parameter.point) for parameter in project.parameter]
    for index, (name, of) in enumerate(named):
        if (name, of) in named[:index]:
            yield ("parameter", index, "name"), repr(name), "given twice for the same point"
        if of is not None and of not in points:
            yield ("parameter", index, "point"), repr(of), f"no such point; declared: {', '.join(points)}"
    yield from _period_faults(project)


def _meter_faults(project: ProjectSettings, points: list[str]) -> Iterator[Spot]:
    for index, meter in enumerate(project.meter):
        if meter.point not in points:
            yield ("meter", index, "point"), repr(meter.point), f"no such point; declared: {', '.join(points)}"
        if meter.installed_until is not None and meter.installed_until <= meter.installed_from:
            yield ("meter", index, "installed_until"), str(meter.installed_until), "must be after installed_from"
        if any(_stood_together(meter, other) for other in project.meter[:index]):
            what = "another meter stands at this point then"
            yield ("meter", index, "installed_from"), str(meter.installed_from), what


def _balance_faults(project: ProjectSettings, points: list[str]) -> Iterator[Spot]:
    for index, balance in enumerate(project.balance):
        flows = [("inflow", flow) for flow in balance.inflow] + [("outflow", flow) for flow in balance.outflow]
        if balance.id in {other.id for other in project.balance[:index]}:
            yield ("balance", index, "id"), repr(balance.id), "used twice; a balance is declared once"
        for side, flow in flows:
            what = MEASURANDS.get(flow.measurand)
            if flow.point not in points:
                yield ("balance", index, side), repr(flow.point), f"no such point; declared: {', '.join(points)}"
            elif project.point[points.index(flow.point)].rated_power_w is None:
                yield ("balance", index, side), repr(flow.point), "the point needs a rated_power_w, which bounds it"
            if what is None or what.quantum not in QUANTA_DIVISORS:
                yield ("balance", index, side), repr(flow.measurand), "must be a counter of energy or of heat"
        quanta = {MEASURANDS[flow.measurand].quantum for _, flow in flows if flow.measurand in MEASURANDS}
        if len(quanta & QUANTA_DIVISORS.keys()) > 1:
            yield ("balance", index, "inflow"), "", "all flows of a balance must have one unit"


def _check_faults(project: ProjectSettings, method: Methodology) -> Iterator[Spot]:
    counted = {spec.role for spec in method.monitored if spec.kind == "counter"}
    comparable = [point.id for point in project.point if point.role in counted]
    for index, point in enumerate(project.point):
        if point.checks is None:
            continue
        if point.role != "check":
            yield ("point", index, "checks"), repr(point.checks), 'only a point with role "check" checks another'
        elif point.checks not in comparable:
            what = f"no point whose amounts are counted; there are: {', '.join(comparable)}"
            yield ("point", index, "checks"), repr(point.checks), what


def _period_faults(project: ProjectSettings) -> Iterator[Spot]:
    whole = project.crediting_period
    for index, period in enumerate(project.period):
        if period.id in {other.id for other in project.period[:index]}:
            yield ("period", index, "id"), repr(period.id), "used twice; a period is declared once"
        if period.start < whole.start or period.end > whole.end:
            what = f"outside the crediting period {whole.start} to {whole.end}"
            yield ("period", index, "start"), str(period.start), what
        if any(period.start < other.end and other.start < period.end for other in project.period[:index]):
            yield ("period", index, "start"), str(period.start), "overlaps another monitoring period"


def _stood_together(one: MeterSettings, other: MeterSettings) -> bool:
    if one.point != other.point:
        return False
    ends_before = other.installed_until is not None and other.installed_until <= one.installed_from
    starts_after = one.installed_until is not None and one.installed_until <= other.installed_from
    return not (ends_before or starts_after)


def _misfits(project: ProjectSettings) -> Iterator[Spot]:
    try:
        method = project.method
    except MethodologyError as error:
        yield ("methodology",), repr(project.methodology), str(error)
        return
    roles = sorted({monitored.role for monitored in method.monitored})
    for index, point in enumerate(project.point):
        if point.role not in (*roles, "check"):
            yield ("point", index, "role"), repr(point.role), f"allowed: {', '.join(roles)}, check"
        for needed in method.ratings_for(point.role):
            if getattr(point, needed) is None:
                why = f"missing; without it the amounts of a point with role {point.role!r} have no upper bound"
                yield ("point", index, needed), "", why
    yield from _check_faults(project, method)
    yield from _missing_roles(project, method)
    yield from _parameter_misfits(project, method)


def _missing_roles(project: ProjectSettings, method: Methodology) -> Iterator[Spot]:
    for monitored in method.monitored:
        if monitored.required and not project.points_with(monitored.role):
            yield ("point",), "", f"{method.id} needs a point with role {monitored.role!r} for {monitored.parameter}"


def _parameter_misfits(project: ProjectSettings, method: Methodology) -> Iterator[Spot]:
    fixed = {parameter.name: parameter for parameter in method.fixed}
    for index, given in enumerate(project.parameter):
        spec = fixed.get(given.name)
        if spec is None:
            allowed = ", ".join(fixed)
            yield ("parameter", index, "name"), repr(given.name), f"unknown in {method.id}; allowed: {allowed}"
        elif given.unit != spec.unit:
            yield ("parameter", index, "unit"), repr(given.unit), f"must be {spec.unit!r}"
        elif not spec.allows(Fraction(given.value)):
            yield ("parameter", index, "value"), repr(given.value), f"must be {spec.range_text}"
    for spec in method.fixed:
        for role in spec.roles:
            for point in project.points_with(role):
                if spec.default is None and project.parameter_for(spec.name, point.id) is None:
                    yield ("parameter",), "", f"{spec.name} [{spec.unit}] is missing for point {point.id!r}"


SAMPLE = """\
# A project: what is measured where, with what, and what was fixed ex ante. Numbers are integers or decimals in quotes.
id = "demo-solar"
title = "8.3 MW solar plant, Mongolia"
jcm_reference = "MN000"
partner_country = "Mongolia"
site = "mongolia-farm"
methodology = "solar-pv"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar" # vintages split at its New Year

[crediting_period]
start = 2025-12-24
end = 2035-12-24

[[period]]        # a monitoring period, in local dates
id = "2025-26"
start = 2025-12-24
end = 2026-12-24  # the first day that no longer belongs to it

[[point]]
id = "ac-bus"
role = "generation"
rated_power_w = 8_300_000    # bounds every amount
# nominal_voltage_v = 230    # where the methodology asks for it

[[point]]
id = "ac-bus-check"
role = "check"               # only compared, never credited by itself
checks = "ac-bus"            # the point that it is compared with
rated_power_w = 8_300_000

[[meter]]
point = "ac-bus"
make = "Schneider Electric"
model = "iEM3255"
serial = "23148557"          # another serial on the bus: no credit until the exchange is declared
installed_from = 2025-12-01T00:00:00+08:00
# installed_until = 2030-12-01T00:00:00+08:00
accuracy_class = "0.5S"
# ct_class = "0.2S"          # of the current transformers before it; pt_class of the voltage transformers

[meter.calibration]          # without one the result is not creditable
certificate = "CAL-2025-118"
date = 2025-11-20
valid_until = 2028-11-20
mpe_percent = "0.5"
source = "accredited laboratory, certificate of 20 November 2025"
# found_error_percent = "0.7"  # when it came in with a larger error than is permitted

# [[balance]]                # meters that must agree: what flows in flows out, but for losses
# id = "bus"
# inflow = [{ point = "ac-bus", measurand = "energy_export_total_wh" }]
# outflow = [{ point = "ac-bus-check", measurand = "energy_export_total_wh" }]
# losses_percent = "0.5"     # at most so much is lost between them

[[parameter]]
name = "EF_RE"
# point = "ac-bus"           # only for this point
value = "0.797"
unit = "tCO2/MWh"
source = "Additional information on calculating the conservative emission factor of Mongolia"
mark = "V"                   # V read in the source, S stated, D derived, M unverified, or demonstration
"""
"""A commented sample; a test compares it with the model."""
