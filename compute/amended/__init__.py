"""Declared values put into the evidence: series in, amended series and findings out; pure, and before any kernel.

The order is that in which things happened to a value: words are decoded again (`remaps`), what displays showed is put
beside what was polled (`readings`, meter exchanges too), and both are multiplied where a transformer has another ratio
than the meter knows (`transformers`). `rows` does the work on arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compute.amended.readings import Sighting, add_sightings, sighting_of, sightings_of
from compute.amended.remaps import apply_remap
from compute.amended.transformers import apply_ct_change
from compute.declared import (
    CtChange,
    Declared,
    IntegrityCheck,
    MeterExchange,
    RegisterReading,
    Remap,
    of_kind,
)
from compute.declared.fit import fitted
from compute.project import ProjectSettings
from compute.result import Blocked
from ingest.store.readings import Evidence, Key
from ingest.store.series import Series
from metering.devicemap import DeviceMap, Tier
from metering.findings import Finding, Severity
from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class Amended:
    """Evidence with what was declared, ready to be measured."""

    project: ProjectSettings
    """With the meters that exchanges brought and took away."""
    evidence: Evidence
    findings: tuple[Finding, ...] = ()
    blocked: tuple[Blocked, ...] = ()


def amend(project: ProjectSettings, evidence: Evidence, declared: Sequence[Declared], span: Interval) -> Amended:
    """Put declared values into evidence.

    Args:
        project: the project that they belong to.
        evidence: what the meters said.
        declared: all of the project's declared values; those that a correction replaces do nothing.
        span: the time that is asked about; a display that was read at another time is left out.

    Raises:
        ConfigError: when a declared value does not fit the project.
        AmountOverflowError: when int64 cannot hold a value.
    """
    if not declared:
        return Amended(project, evidence)
    project = fitted(project, declared)
    findings: list[Finding] = []
    series = dict(evidence.by_key)
    remaps = [(remap, remap.device_map) for remap in of_kind(declared, Remap)]
    sightings = _sightings(declared, span)
    for key, polled in evidence.by_key.items():
        series[key], found = _amended(project, polled, remaps, sightings.get(key, []), of_kind(declared, CtChange))
        findings += found
    maps = dict(evidence.maps) | {device_map.digest: device_map for _, device_map in remaps}
    checks = of_kind(declared, IntegrityCheck)
    return Amended(
        project,
        replace(evidence, by_key=series, maps=_checked(maps, checks)),
        (*findings, *(_unread(key, seen) for key, seen in sightings.items() if key not in series)),
        tuple(_failed(check) for check in checks if not check.passed),
    )


def _sightings(declared: Sequence[Declared], span: Interval) -> dict[Key, list[Sighting]]:
    found: dict[Key, list[Sighting]] = {}
    for reading in of_kind(declared, RegisterReading):
        found.setdefault((reading.point, reading.measurand), []).append(sighting_of(reading))
    for exchange in of_kind(declared, MeterExchange):
        for seen in sightings_of(exchange):
            found.setdefault((exchange.point, seen.measurand), []).append(seen)
    inside = {key: [one for one in every if span.start_ms <= one.slot_ms < span.end_ms] for key, every in found.items()}
    return {key: every for key, every in inside.items() if every}


def _amended(
    project: ProjectSettings,
    series: Series,
    remaps: Sequence[tuple[Remap, DeviceMap]],
    sightings: Sequence[Sighting],
    changes: Sequence[CtChange],
) -> tuple[Series, list[Finding]]:
    findings: list[Finding] = []
    for remap, device_map in remaps:
        series, found = apply_remap(series, remap, device_map)
        findings += found
    if sightings:
        series, found = add_sightings(project, series, sightings)
        findings += found
    for change in changes:
        series, found = apply_ct_change(series, change)
        findings += found
    return series, findings


def _unread(key: Key, sightings: Sequence[Sighting]) -> Finding:
    return Finding(
        code="declared-reading-unused",
        clause="contracts 5",
        severity=Severity.WARNING,
        what="declared register readings are not used: no meter was polled for them",
        point=key[0],
        measurand=key[1],
        evidence={"declared": ", ".join(seen.declared for seen in sightings)},
    )


def _checked(maps: dict[str, DeviceMap], checks: Sequence[IntegrityCheck]) -> dict[str, DeviceMap]:
    # Somebody compared its values with the display of a real meter: that is what the tier "bench" says.
    passed = {check.map for check in checks if check.passed}
    return {digest: replace(one, tier=Tier.BENCH) if digest in passed else one for digest, one in maps.items()}


def _failed(check: IntegrityCheck) -> Blocked:
    return Blocked("integrity-check-failed", f"{check.meter} did not pass the check {check.id}", check.point)
