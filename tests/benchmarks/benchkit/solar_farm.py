"""A solar farm with many revenue meters over a year of minutes: what compute has to do, in memory and as a project.

In: how many metering points and days. Out: `Farm`: project, evidence, the exact bytes of the birth. Each point has a
counter of exported energy and the power that guards it. Weather is drawn; requests and answers jitter as in
`polled`; and every kind of fault that a rule looks for is somewhere in it, a few times in a year.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from benchkit.polled import polled

from compute.project import PeriodSettings, ProjectSettings, parse_project
from ingest.store.readings import Evidence, Key, bind, collect
from ingest.store.series import Binding, Meter, Series
from metering import note, record
from metering.keys import new_signer
from metering.quality import Quality

MINUTE_MS = 60_000
DAY_SLOTS = 1440
MARGIN_SLOTS = 120
"""Read before and after the period, as a gateway does: the reading that confirms the last one is among them."""
FIRST_DAY = date(2025, 1, 1)
START_MS = 1_735_660_800_000  # 2025-01-01 in Ulaanbaatar
RATED_W = 400_000
SIGNER = new_signer("bench/gw")
MEASURANDS = {"energy_export_total_wh": ("mWh", "energy"), "active_power_w": ("mW", "power")}
MAP = """schema = "sakugen.devicemap/1"
make = "Bench"
model = "R1"
tier = "bench"
[[source]]
title = "made up for benchmarks"
read = "nothing"
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
scale = "100"
modulus = "10000000"
reset_source = "made up: it cannot be reset"
nonvolatile_s = 60
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 2
type = "s32"
scale = "100"
orientation = "export-positive"
"""
_HEAD = """id = "bench"
title = "A farm of revenue meters"
jcm_reference = "BENCH"
partner_country = "Mongolia"
site = "bench"
methodology = "solar-pv"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar"
crediting_period = { start = 2025-01-01, end = 2035-01-01 }
period = [{ id = "all", start = 2025-01-01, end = DAY }]
[[parameter]]
name = "EF_RE"
value = "0.797"
unit = "tCO2/MWh"
source = "as in the demonstration"
mark = "V"
"""
_POINT = """[[point]]
id = "{point}"
role = "generation"
rated_power_w = {rated}
[[meter]]
point = "{point}"
make = "Bench"
model = "R1"
serial = "{serial}"
installed_from = 2024-01-01T00:00:00+08:00
accuracy_class = "0.5S"
[meter.calibration]
certificate = "C-1"
date = 2024-06-01
valid_until = 2027-06-01
mpe_percent = "0.5"
source = "calibration laboratory"
"""


@dataclass(frozen=True)
class Farm:
    """A project and its readings."""

    project: ProjectSettings
    evidence: Evidence
    birth: bytes

    @property
    def readings(self) -> int:
        return sum(len(series) for series in self.evidence.by_key.values())

    @property
    def period(self) -> PeriodSettings:
        return self.project.period[0]


def farm(points: int, days: int = 365, together: int = 1, *, powers: bool = True) -> Farm:
    """Make a farm; the same for the same numbers.

    Args:
        points: how many meters.
        days: how long the period is.
        together: how many meters are read in one poll group, as through a data logger.
        powers: whether the power of each meter was read too, which guards its counter.
    """
    names = _names(points)
    birth = _birth(names, together)
    evidence = collect([birth])
    bound = bind(evidence.births[0], evidence.maps)
    slots = days * DAY_SLOTS + 2 * MARGIN_SLOTS
    by_key: dict[Key, Series] = {}
    for group, keys in bound.items():
        columns_of: dict[Key, np.ndarray] = {}
        times = polled(START_MS - MARGIN_SLOTS * MINUTE_MS, MINUTE_MS, slots, _random(group))
        for (point, _), _ in keys[::2]:
            columns = _shown(times.time_ms, _random(point))
            _spoil(names.index(point), columns, times)
            columns_of |= {(point, name): column for name, column in zip(MEASURANDS, columns, strict=True)}
        for key, binding in keys if powers else keys[::2]:
            by_key[key] = _series(names.index(key[0]), key, binding, columns_of[key], times)
    return Farm(parse_project(project_text(points, days, together)), replace(evidence, by_key=by_key), birth)


def project_text(points: int, days: int, together: int) -> str:
    """The farm's project.toml."""
    return _HEAD.replace("DAY", str(FIRST_DAY + timedelta(days))) + "".join(
        _POINT.format(point=name, rated=RATED_W, serial=f"device-{number // together}")
        for number, name in enumerate(_names(points))
    )


def _names(points: int) -> list[str]:
    return [f"meter-{number:03}" for number in range(points)]


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng([*name.encode()])


def _shown(time_ms: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Energy [mWh] and power [mW], in steps of 100 Wh and 100 W."""
    hour = (time_ms + 8 * 3_600_000) % 86_400_000 / 3_600_000
    clouds = np.repeat(rng.uniform(0.2, 1, len(hour) // 15 + 1), 15)[: len(hour)]
    power_w = RATED_W * np.clip(np.sin((hour - 6) * np.pi / 12), 0, 1) * clouds * rng.uniform(0.97, 1, len(hour))
    energy_wh = rng.integers(10**8, 10**9) + np.cumsum(power_w) / 60
    return [(energy_wh % 10**9 // 100).astype(np.int64) * 100_000, np.round(power_w / 100).astype(np.int64) * 100_000]


def _spoil(number: int, columns: list[np.ndarray], times: Series) -> None:
    """One kind of fault a point, so that none is left out and most readings are good."""
    energy, power = columns
    for day in range(10 + number % 40, len(power) // DAY_SLOTS, 60):
        at = day * DAY_SLOTS + 700  # towards noon
        match number % 6:
            case 0:
                energy[at] += 10**9
            case 1:
                energy[at:] = (energy[at:] - 10**11) % 10**12
            case 2:
                energy[at : at + 180] = energy[at]
            case 3:
                times.synced[at : at + 600] = False
            case 5:
                times.quality[at : at + 2000] = Quality.NO_ANSWER


def _series(number: int, key: tuple[str, str], binding: Binding, column: np.ndarray, times: Series) -> Series:
    point, measurand = key
    value = np.where(times.quality == Quality.OK, column, 0)
    bindings, place = (binding,), times.binding
    if number % 6 == 4:  # a meter that nobody declared stood there for the last tenth
        other = replace(binding, meter=Meter(binding.meter.make, binding.meter.model, "other"))
        bindings, place = (binding, other), (np.arange(len(value)) >= len(value) * 9 // 10).astype(np.int32)
    return replace(times, point=point, measurand=measurand, value=value, bindings=bindings, binding=place)


def _birth(names: list[str], together: int) -> bytes:
    digest = hashlib.sha256(MAP.encode()).hexdigest()
    shares = [names[at : at + together] for at in range(0, len(names), together)]
    body = {
        "site": "bench", "gateway": "gw", "stream": "0" * 26, "seq": 1, "prev": None, "mono_ms": 1,
        "clock": {"state": "synchronised", "offset_ms": 0}, "kind": "birth", "project": "bench", "mode": "live",
        "agent": "bench", "time_factor": 1.0, "config_digest": "0" * 64, "after": None, "device_maps": {digest: MAP},
        "groups": [_group(number, share, digest) for number, share in enumerate(shares)],
    }  # fmt: skip
    return record.build(record.Birth.model_validate_json(json.dumps(body)), SIGNER)


def _group(number: int, names: list[str], digest: str) -> dict:
    return {
        "group": f"device-{number}/all", "device": f"device-{number}", "interval_ms": MINUTE_MS, "map": digest,
        "unit_id": 1, "meter": {"make": "Bench", "model": "R1", "serial": f"device-{number}"},
        "blocks": [{"function": 3, "address": 0, "count": 4}] * len(names),
        "points": [
            {"point": name, "measurand": measurand, "quantum": quantum, "register": register}
            for name in names
            for measurand, (quantum, register) in MEASURANDS.items()
        ],
    }  # fmt: skip


def records(made: Farm, slots: int) -> Iterator[bytes]:
    """Its birth and its readings as a gateway would have sent them, so many slots a record.

    A record says of all its readings whether the clock was synchronised, and its birth names the meter: of those two
    faults nothing is told here.
    """
    yield made.birth
    birth = record.parse(made.birth)
    groups = [[made.evidence.series(point.point, point.measurand) for point in each.points] for each in birth.groups]
    columns = [_columns(each.group, series) for each, series in zip(birth.groups, groups, strict=True)]
    previous = made.birth
    for number, first in enumerate(range(0, len(groups[0][0]), slots)):
        body = {
            "type": record.RECORD_TYPE, "site": "bench", "gateway": "gw", "stream": birth.stream, "seq": number + 2,
            "prev": record.digest_of(previous), "clock": {"state": "synchronised", "offset_ms": 0}, "mono_ms": 1,
            "kind": "readings", "groups": [_part(each, first, first + slots) for each in columns],
        }  # fmt: skip
        previous = note.sign(json.dumps(body, separators=(",", ":")).encode() + b"\n", SIGNER)
        yield previous


def _columns(group: str, series: list[Series]) -> dict[str, Any]:
    one = series[0]
    words = np.stack([each.value // 100_000 for each in series], axis=1).astype(">i4")
    answered = one.quality == Quality.OK
    return {
        "group": group, "slots": one.time_ms.tolist(), "sent": (one.sent_ms - one.time_ms).tolist(),
        "received": (one.received_ms - one.time_ms).tolist(), "values": [each.value.tolist() for each in series],
        "raw": [base64.b64encode(row).decode() if ok else "" for row, ok in zip(words, answered, strict=True)],
        "quality": one.quality.tolist(),
    }  # fmt: skip


def _part(columns: dict[str, Any], first: int, end: int) -> dict[str, Any]:
    part = {name: columns[name][first:end] for name in ("slots", "sent", "received", "raw")}
    bad = [(row, code) for row, code in enumerate(columns["quality"][first:end]) if code]
    values = [column[first:end] for column in columns["values"]]
    for row, _ in bad:
        for column in values:
            column[row] = None
    marks = [[point, row, code] for point in range(len(values)) for row, code in bad]
    return {"group": columns["group"], **part, "values": values, "quality": marks}
