"""Compare what was read on site with what it should be: the display, the plate, and what is physically possible. Pure.

References:
    IEC 60038: nominal voltages and frequencies; the bounds below are far outside them.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from gateway.coarse import power_for, too_coarse
from gateway.config import GatewaySettings
from gateway.errors import GatewayError
from gateway.maps import load_map
from gateway.survey import Claim, Seen, Survey
from metering.measurands import MEASURANDS, Kind, Measurand
from metering.note import Signer, sign
from metering.quality import VALUED, Quality

Key = tuple[str, str]
"""(point, measurand)"""
_POSSIBLE = {
    "V": (0, 40_000),
    "A": (0, 20_000),
    "Hz": (40, 70),
    "degC": (-60, 600),
    "W/m2": (-20, 2_000),
}
"""By unit: what a meter of this field can truly read."""
_SHOWN = re.compile(
    r"(?P<point>[^/=]+)/(?P<measurand>[^/=]+)=(?P<value>-?[0-9]+(\.[0-9]+)?) ?(?P<unit>[A-Za-z0-9/]*)", re.ASCII
)
_PREFIXES = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_JOULES_PER_WATT_HOUR = 3600


class ShownError(GatewayError):
    """What a display shows, given in a form that cannot be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a display shows."""

    text: str
    """As it stands there."""
    value: Fraction
    """[unit of the measurand]"""
    step: Fraction
    """One step of its last digit [unit of the measurand]."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was compared."""

    subject: str
    """A device, or point/measurand."""
    ok: bool
    what: str


def parse_shown(texts: Iterable[str]) -> dict[Key, Shown]:
    """Read what a technician saw on displays.

    Args:
        texts: `point/measurand=value`, with a unit that may have a prefix: 123.4kWh; without one it is the measurand's.

    Raises:
        ShownError: when one cannot be read.
    """
    shown: dict[Key, Shown] = {}
    for text in texts:
        found = _SHOWN.fullmatch(text)
        if found is None or found["measurand"] not in MEASURANDS:
            raise ShownError(f"{text!r}: say point/measurand=value, for example ac-bus/energy_export_total_wh=123.4kWh")
        value = found["value"]
        factor = _factor(found["unit"], MEASURANDS[found["measurand"]])
        step = Fraction(1, 10 ** len(value.partition(".")[2]))
        shown[found["point"], found["measurand"]] = Shown(
            value + found["unit"], Fraction(value) * factor, step * factor
        )
    return shown


def _factor(unit: str, measurand: Measurand) -> int:
    """How many units of the measurand one unit of the display is."""
    units = {prefix + measurand.unit: factor for prefix, factor in _PREFIXES.items()} | {"": 1}
    if measurand.unit == "J":
        units |= {f"{prefix}Wh": factor * _JOULES_PER_WATT_HOUR for prefix, factor in _PREFIXES.items()}
    if unit not in units:
        raise ShownError(f"{unit!r} is no unit of {measurand.name}; allowed: {', '.join(filter(None, units))}")
    return units[unit]


def compare(settings: GatewaySettings, survey: Survey, shown: Mapping[Key, Shown]) -> list[Verdict]:
    """Say what fits and what does not.

    Args:
        settings: what was configured.
        survey: what was read.
        shown: what displays showed.

    Raises:
        ShownError: when a display belongs to no reading.
    """
    keys = {(seen.point, seen.register.measurand.name) for seen in survey.readings}
    for point, measurand in shown:
        if (point, measurand) not in keys:
            raise ShownError(f"{point}/{measurand} is not read by this gateway; it reads: {_names(keys)}")
    serials = {device.name: device.meter.serial for device in settings.device}
    verdicts = [verdict for claim in survey.claims for verdict in _identity(claim, serials[claim.device])]
    warnings = _coarse(settings, survey)
    for seen in survey.readings:
        plausible = _plausible(seen)
        warning = warnings.get((seen.point, seen.register.measurand.name))
        verdicts.append(plausible if warning is None else replace(plausible, what=f"{plausible.what}; {warning}"))
        display = shown.get((seen.point, seen.register.measurand.name))
        if display is not None:
            verdicts.append(_agrees(seen, display))
    return verdicts


def signed_note(
    settings: GatewaySettings, survey: Survey, shown: Mapping[Key, Shown], verdicts: Sequence[Verdict], signer: Signer
) -> bytes:
    """Write the comparison as a signed note: one line of JSON and a signature.

    Args:
        settings: what was configured.
        survey: what was read.
        shown: what displays showed.
        verdicts: what came of it.
        signer: who stood before the meters.
    """
    maps = {device.name: load_map(device.map).digest for device in settings.device}
    body = {
        "type": "sakugen.check/1",
        "site": settings.site,
        "gateway": settings.gateway,
        "project": settings.project,
        "mode": settings.mode,
        "ok": all(one.ok for one in verdicts),
        "meters": {device.name: device.meter.model_dump() for device in settings.device},
        "maps": maps,
        "readings": [
            reading_as_json(seen, shown.get((seen.point, seen.register.measurand.name))) for seen in survey.readings
        ],
        "claims": [claim_as_json(claim) for claim in survey.claims],
        "verdicts": [{"subject": one.subject, "ok": one.ok, "what": one.what} for one in verdicts],
    }
    return sign((json.dumps(body, ensure_ascii=False, sort_keys=True) + "\n").encode(), signer)


def reading_as_json(seen: Seen, shown: Shown | None = None) -> dict[str, object]:
    """One reading for scripts and notes; words in hexadecimal, the value in quanta and in the unit people read."""
    measurand = seen.register.measurand
    return {
        "device": seen.device,
        "group": seen.group,
        "point": seen.point,
        "measurand": measurand.name,
        "register": seen.register.name,
        "quanta": seen.value,
        "value": None if seen.value is None else measurand.to_unit(seen.value),
        "unit": measurand.unit,
        "quality": seen.quality.label,
        "words": None if seen.words is None else hex_of(seen.words),
        "scale_word": None if seen.scale_word is None else hex_of((seen.scale_word,)),
        "received_ms": seen.received_ms,
        "took_ms": seen.took_ms,
        "shown": None if shown is None else shown.text,
    }


def claim_as_json(claim: Claim) -> dict[str, object]:
    """What a device says it is, for scripts and notes."""
    return {
        "device": claim.device,
        "model": claim_text(claim.model),
        "expected": list(claim.expected),
        "serial": claim_text(claim.serial),
    }


def hex_of(words: Sequence[int]) -> str:
    """Write words as people compare them with a manual: four hexadecimal digits each."""
    return " ".join(f"{word:04X}" for word in words)


def claim_text(claim: int | str | Quality | None) -> str | None:
    """Write what an identity register holds, or why it is not known."""
    return claim.label if isinstance(claim, Quality) else None if claim is None else str(claim)


def _identity(claim: Claim, serial: str) -> list[Verdict]:
    found: list[Verdict] = []
    if claim.model is not None and claim.expected:
        fits = not isinstance(claim.model, Quality) and claim.model in claim.expected
        allowed = ", ".join(map(str, claim.expected))
        found.append(Verdict(claim.device, fits, f"identity is {claim_text(claim.model)}; the map is for {allowed}"))
    if claim.serial is not None and not isinstance(claim.serial, Quality):
        fits = str(claim.serial).strip() == serial.strip()
        found.append(Verdict(claim.device, fits, f"serial number is {claim.serial}; configured is {serial}"))
    return found


def _plausible(seen: Seen) -> Verdict:
    measurand = seen.register.measurand
    subject = f"{seen.point}/{measurand.name}"
    if seen.value is None or seen.quality not in VALUED:
        return Verdict(subject, False, seen.quality.label)
    low, high = _POSSIBLE.get(measurand.unit, (None, None))
    value = measurand.to_unit(seen.value)
    if measurand.kind is Kind.COUNTER and value < 0:
        return Verdict(subject, False, f"{value:g} {measurand.unit}: a counter is not negative")
    if low is not None and high is not None and not low <= value <= high:
        return Verdict(
            subject, False, f"{value:g} {measurand.unit}: not between {low} and {high}; scale or order may be wrong"
        )
    return Verdict(subject, True, "read")


def _coarse(settings: GatewaySettings, survey: Survey) -> dict[Key, str]:
    """Warn of counters that are too coarse for what their device's power moves."""
    intervals_s = {
        f"{device.name}/{group.name}": group.interval_s for device in settings.device for group in device.group
    }
    by_device = {(seen.device, seen.register.measurand.name): seen for seen in survey.readings}
    warnings: dict[Key, str] = {}
    for seen in survey.readings:
        power = by_device.get((seen.device, power_for(seen) or ""))
        warning = None if power is None else too_coarse(seen, power, intervals_s[seen.group])
        if warning is not None:
            warnings[seen.point, seen.register.measurand.name] = warning
    return warnings


def _agrees(seen: Seen, shown: Shown) -> Verdict:
    measurand = seen.register.measurand
    subject = f"{seen.point}/{measurand.name}"
    if seen.value is None:
        return Verdict(subject, False, f"the display shows {shown.text}, nothing was read")
    # Either may have cut its last digit off, and a counter goes on between the two looks.
    tolerance = shown.step + 2 * Fraction(seen.resolution or 0, measurand.quanta_per_unit)
    distance = abs(Fraction(seen.value, measurand.quanta_per_unit) - shown.value)
    what = f"read {measurand.to_unit(seen.value):.12g} {measurand.unit}, the display shows {shown.text}"
    return Verdict(
        subject, distance <= tolerance, f"{what}; {float(distance):.6g} apart, {float(tolerance):.6g} allowed"
    )


def _names(keys: Iterable[Key]) -> str:
    return ", ".join(f"{point}/{measurand}" for point, measurand in sorted(keys))
