"""Declared values against the project they belong to: every point and meter must be there, and exchanges add meters.

In: a project and its declared values. Out: the project with the meters that exchanges brought, or every fault.
project.toml and a declared exchange may both say when a meter stood at its point; then they must say the same, and
neither goes before the other.
"""

from collections.abc import Iterator, Sequence

from compute.declared.files import Declared, in_force
from compute.declared.kinds import Calibration, IntegrityCheck, MeterExchange, RegisterReading
from compute.project import MeterSettings, ProjectSettings
from metering.config import ConfigError, Fault


def fitted(project: ProjectSettings, declared: Sequence[Declared]) -> ProjectSettings:
    """Give the project with the meters that declared exchanges brought and took away.

    Args:
        project: a project that `load_project` or `parse_project` accepted.
        declared: its declared values.

    Raises:
        ConfigError: when a declared value names a point or a meter that is not there, or an exchange disagrees with
            project.toml; with every fault.
    """
    valid = in_force(declared)
    faults = list(_strangers(project, valid))
    exchanges = [(one, one.body) for one in valid if isinstance(one.body, MeterExchange)]
    for one, exchange in sorted(exchanges, key=lambda pair: pair[1].removed_at):
        found = list(_disagreements(project, one, exchange))
        faults += found
        if not found:
            project = _exchanged(project, exchange)
    faults += _unknown_meters(project, valid)
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: (fault.file, fault.line)))
    return project


def _strangers(project: ProjectSettings, valid: Sequence[Declared]) -> Iterator[Fault]:
    points = [point.id for point in project.point]
    for one in valid:
        if one.body.project != project.id:
            yield one.fault("project", f"it is of another project, and this is {project.id!r}")
        if one.body.point is not None and one.body.point not in points:
            yield one.fault("point", f"no such point in project.toml; declared there: {', '.join(points)}")


def _unknown_meters(project: ProjectSettings, valid: Sequence[Declared]) -> Iterator[Fault]:
    for one in valid:
        body = one.body
        if isinstance(body, RegisterReading | Calibration | IntegrityCheck):
            there = project.meters_of(body.point)
            if not any(body.meter.is_same(meter) for meter in there):
                names = ", ".join(meter.name for meter in there) or "none"
                yield one.fault("meter", f"no such meter at point {body.point!r}; declared there: {names}")


def _disagreements(project: ProjectSettings, one: Declared, exchange: MeterExchange) -> Iterator[Fault]:
    here = project.meters_of(exchange.point)
    old = next((meter for meter in here if exchange.removed.is_same(meter)), None)
    new = next((meter for meter in here if exchange.installed.is_same(meter)), None)
    if old is None:
        yield one.fault("removed", f"no such meter at point {exchange.point!r}, in project.toml or by another exchange")
        return
    if exchange.removed_at <= old.installed_from:
        yield one.fault("removed_at", f"{old.name} was installed only at {old.installed_from.isoformat()}")
    if old.installed_until not in (None, exchange.removed_at):
        yield one.fault("removed_at", f"project.toml says that {old.name} stood until {old.installed_until}")
    if new is not None and new.installed_from != exchange.installed_at:
        yield one.fault("installed_at", f"project.toml says that {new.name} stands from {new.installed_from}")
    others = [meter for meter in here if meter not in (old, new)]
    if new is None and any(
        meter.installed_until is None or meter.installed_until > exchange.removed_at for meter in others
    ):
        yield one.fault("installed_at", "project.toml says that another meter stands at this point then")


def _exchanged(project: ProjectSettings, exchange: MeterExchange) -> ProjectSettings:
    meters = []
    for meter in project.meter:
        is_old = meter.point == exchange.point and exchange.removed.is_same(meter)
        meters.append(meter.model_copy(update={"installed_until": exchange.removed_at}) if is_old else meter)
    if not any(meter.point == exchange.point and exchange.installed.is_same(meter) for meter in meters):
        new = exchange.installed
        meters.append(
            MeterSettings(
                point=exchange.point,
                make=new.make,
                model=new.model,
                serial=new.serial,
                installed_from=exchange.installed_at,
                accuracy_class=new.accuracy_class,
            )
        )
    return project.model_copy(update={"meter": tuple(meters)})
