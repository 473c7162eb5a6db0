"""A device map that was wrong: the same register words decoded again with the map that was declared in its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from compute.amended.rows import during, read_with
from compute.declared import Remap
from ingest.store.series import Binding, Series
from metering import decode
from metering.devicemap import DeviceMap, Register
from metering.findings import Finding, Severity
from metering.interval import Interval
from metering.quality import VALUED, Quality

_FROM_WORDS = frozenset({Quality.OK, Quality.LATE_READ, Quality.SENTINEL, Quality.OUT_OF_RANGE})
"""Qualities that may be others once the words are decoded otherwise."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Changed:
    row: int
    was: str
    now: str


def apply_remap(series: Series, remap: Remap, device_map: DeviceMap) -> tuple[Series, tuple[Finding, ...]]:
    """Decode the readings of an interval again with another device map.

    A reading whose words are not at hand, or that the other map does not hold, has no value afterwards.

    Args:
        series: the readings.
        remap: which map is replaced, where and when.
        device_map: the one to use.
    """
    if series.point != remap.point:
        return series, ()
    wrong = np.array([bound.map_digest == remap.map for bound in series.bindings], np.bool_)
    until_ms = None if remap.until is None else int(remap.until.timestamp() * 1000)
    rows = during(series, int(remap.from_.timestamp() * 1000), until_ms)
    rows &= wrong[series.binding] if len(wrong) else False
    if not np.any(rows):
        return series, ()
    value, quality = series.value.copy(), series.quality.copy()
    changed = []
    for row in np.flatnonzero(rows & np.isin(series.quality, sorted(_FROM_WORDS))):
        found, words = _decoded(series, int(row), device_map)
        was = _shown(int(value[row]), Quality(int(quality[row])))
        if isinstance(found, Quality):
            value[row], quality[row] = 0, found
        else:
            late = quality[row] == Quality.LATE_READ
            value[row], quality[row] = found, Quality.LATE_READ if late else Quality.OK
        changed.append(
            _Changed(int(row), was, f"{_shown(int(value[row]), Quality(int(quality[row])))} (words {words})")
        )
    again = replace(series, value=value, quality=quality)
    again = read_with(again, rows, lambda bound: _rebound(bound, device_map))
    return again, tuple(_told(again, remap, device_map, changed))


def _decoded(series: Series, row: int, device_map: DeviceMap) -> tuple[int | Quality, str]:
    bound = series.bound(row)
    register = _register(bound, device_map)
    try:
        words = decode.unpack_words(series.raw_text[row])
    except ValueError:
        words = ()
    if register is None or not words:
        return Quality.BAD_FRAME, "none"
    own = decode.register_words(register, bound.blocks, words)
    shown = "none" if own is None else " ".join(f"{word:04x}" for word in own[0])
    return decode.decode_in(register, bound.blocks, words), shown


def _rebound(bound: Binding, device_map: DeviceMap) -> Binding:
    return replace(bound, map_digest=device_map.digest, register=_register(bound, device_map) or bound.register)


def _register(bound: Binding, device_map: DeviceMap) -> Register | None:
    register = device_map.register(bound.register.name)
    return register if register is not None and register.measurand == bound.register.measurand else None


def _shown(value: int, quality: Quality) -> str:
    return str(value) if quality in VALUED else quality.label


def _told(series: Series, remap: Remap, device_map: DeviceMap, changed: list[_Changed]) -> Iterator[Finding]:
    if not changed:
        return
    first, last = changed[0].row, changed[-1].row
    values: Mapping[str, str] = {
        f"{int(series.time_ms[one.row])} ms": f"{one.was} → {one.now}"
        for one in (*changed[:_SHOWN], *changed[_SHOWN:][-_SHOWN:])
    }
    yield Finding(
        code="readings-remapped",
        clause="contracts 5",
        severity=Severity.WARNING,
        what=f"{len(changed)} readings are decoded again with another device map: {remap.reason}",
        point=series.point,
        measurand=series.measurand,
        interval=Interval(int(series.time_ms[first]), int(series.time_ms[last]) + 1),
        evidence={
            "declared": remap.id,
            "map": remap.map,
            "replacement": device_map.digest,
            "readings": str(len(changed)),
            **values,
        },
    )
