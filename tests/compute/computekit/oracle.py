"""The rules once more, in the plainest Python there is: readings in, amounts and whole tonnes per vintage out.

Written from compute/README.md and the equations of the catalog, with `Fraction` and lists, and without a look at how
the engine does it. It imports nothing of `compute`: where both agree on any readings, two people read the rules alike.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from itertools import groupby, pairwise
from math import floor
from zoneinfo import ZoneInfo

from computekit.records import Shown

DAY_MS = 86_400_000
MARGIN = Fraction(105, 100)
TOLERANCE_MS = 5_000
STILL_MS = 3_600_000
"""How long a counter or a voltage has to stand still to be frozen."""
Amount = tuple[int | Fraction, int | Fraction]
"""(low, high)"""

JOULE_MS = {"energy_export_total_wh": Fraction(10, 36_000), "energy_import_total_wh": Fraction(10, 36_000),
            "heat_total_j": Fraction(1, 1000)}  # fmt: skip
"""What one watt adds to a counter in one millisecond [quanta]: mWh, or J."""
POWER_OF = {
    "energy_export_total_wh": ("active_power_w", "export-positive"),
    "energy_import_total_wh": ("active_power_w", "import-positive"),
    "heat_total_j": ("heat_power_w", None),
}
ROLES = {
    "solar-pv": {"generation": ("EG", "energy_export_total_wh"), "auxiliary": ("EC_AUX", "energy_import_total_wh")},
    "heat-only-boiler": {"heat": ("Q", "heat_total_j"), "burner": ("T_op", "burner_state")},
    "transformer-fleet": {"station": ("H", "voltage")},
}
"""Role → parameter, and what is read there."""


@dataclass(frozen=True)
class Seen:
    """One reading that was made, whatever it is worth."""

    slot: int
    value: int | None
    sent: int
    received: int
    synced: bool
    meter: str
    step: int


@dataclass(frozen=True)
class Line:
    """All readings of one measurand of one point."""

    seen: tuple[Seen, ...]
    interval: int
    modulus: int
    resettable: bool
    nonvolatile: int
    orientation: str | None


@dataclass(frozen=True)
class Step:
    """Two usable readings that follow each other, and what lies between them."""

    start: int
    end: int
    low: int
    high: int
    most: int
    kind: str
    """"stands", "impossible" or "unknown"."""


def line_of(streams: Sequence[Sequence[Shown]], point: str, measurand: str) -> Line | None:
    """Readings of a slot that say the same are one; readings that contradict each other are none."""
    parts = [part for stream in streams for part in stream if (part.point, part.measurand) == (point, measurand)]
    if not parts:
        return None
    per_unit = 1000 if measurand.endswith(("_wh", "_v", "_w")) else 1
    step = int(Fraction(parts[0].scale) * per_unit) if parts[0].scale else 1
    made: dict[int, list[Seen]] = {}
    for part in parts:
        for slot, value in part.values.items():
            after = part.received_ms.get(slot, 20)
            sent = slot + part.sent_ms.get(slot, max(0, after - 15))
            one = Seen(slot, value, sent, slot + after, slot not in part.unsynced, part.serial, step)
            made.setdefault(slot, []).append(one)
    return Line(
        seen=tuple(_one_of(made[slot]) for slot in sorted(made)),
        interval=max(part.interval_ms for part in parts),
        modulus=max(part.modulus or 0 for part in parts) * step,
        resettable=any(part.reset_source is None for part in parts),
        nonvolatile=1000 * max(part.nonvolatile_s or 0 for part in parts),
        orientation=parts[0].orientation,
    )


def _one_of(repeats: Sequence[Seen]) -> Seen:
    valued = [one for one in repeats if one.value is not None]
    first = (valued or repeats)[0]
    if len({one.value for one in valued}) > 1:
        return Seen(first.slot, None, first.sent, first.received, first.synced, first.meter, first.step)
    return first


# --- counters --------------------------------------------------------------------------------------------------------


def usable(line: Line, meters: Sequence[Mapping]) -> list[tuple[Seen, int]]:
    """The readings that may count, each with a number that changes with the meter, also when that changes back."""
    found, epoch, before = [], 0, None
    for one in line.seen:
        meter = next((place for place, each in enumerate(meters) if _stands(each, one)), None)
        if before is not None and meter != before[0]:
            epoch += 1
        before = (meter,)
        if one.value is not None and one.synced and meter is not None:
            found.append((one, epoch))
    return found


def _stands(meter: Mapping, one: Seen) -> bool:
    start, until = meter["installed_from"], meter.get("installed_until")
    after = one.slot >= start.timestamp() * 1000
    return meter["serial"] == one.meter and after and (until is None or one.slot < until.timestamp() * 1000)


def steps_of(line: Line, counted: Sequence[tuple[Seen, int]], rate: Fraction, *, saves: bool) -> list[Step]:
    """What lies between readings of a counter that follow each other."""
    found = [_step(line, one, other, rate, saves=saves) for one, other in pairwise(counted)]
    beside = [
        any(each.kind == "impossible" for each in found[max(0, place - 1) : place + 2]) for place in range(len(found))
    ]
    return [
        Step(each.start, each.end, 0, each.most, each.most, "impossible" if each.kind == "impossible" else "unknown")
        if near
        else each
        for each, near in zip(found, beside, strict=True)
    ]


def _step(line: Line, one: tuple[Seen, int], other: tuple[Seen, int], rate: Fraction, *, saves: bool) -> Step:
    (a, epoch), (b, later_epoch) = one, other
    step = max(a.step, b.step)
    most = floor(rate * (b.received - a.sent)) + step
    unsaved = floor(rate * line.nonvolatile) + step if saves and line.nonvolatile else 0
    gained, gap = b.value - a.value, b.slot - a.slot > line.interval

    def pair(low: int, high: int, kind: str = "stands") -> Step:
        return Step(_stand(a), _stand(b), low, high, most, kind)

    if epoch != later_epoch:
        return pair(0, most, "unknown")
    if gained < 0:
        shown = 0 <= b.value < a.value < line.modulus
        wraps = shown and gained + line.modulus <= most < line.modulus and not line.resettable
        if -gained <= unsaved or not wraps or (unsaved and gap):
            return pair(0, most, "impossible")
        gained += line.modulus
    elif gained > most:
        return pair(0, most, "impossible")
    if (line.modulus and most >= line.modulus) or (line.resettable and a.value <= most):
        return pair(gained, most)
    if unsaved and gap:
        return pair(gained, most)
    return pair(gained, gained)


def _stand(one: Seen) -> int:
    return one.slot if abs(one.received - one.slot) <= TOLERANCE_MS else one.received


def counter_steps(
    streams: Sequence[Sequence[Shown]], point: Mapping, measurand: str, meters: Sequence[Mapping], rules: int
) -> tuple[list[tuple[Seen, int]], list[Step], list[bool]]:
    """The readings of a counter that count, what lies between them, and which of them the next one confirms."""
    line = line_of(streams, point["id"], measurand)
    if line is None:
        return [], [], []
    rated, watt = Fraction(str(point["rated_power_w"])), JOULE_MS[measurand]
    counted = usable(line, meters)
    steps = steps_of(line, counted, rated * MARGIN * watt, saves=rules >= 2)
    near = [each.kind == "stands" and each.end - each.start <= DAY_MS for each in steps]
    power, direction = POWER_OF[measurand]
    flows = line_of(streams, point["id"], power)
    if rules >= 2 and flows is not None:
        flow = _flow(flows, meters, rated, direction)
        return _thawed(line, counted, steps, [*near, False][: len(counted)], flow, watt, rated * MARGIN * watt)
    return counted, steps, [*near, False][: len(counted)]


def counter(
    streams: Sequence[Sequence[Shown]], point: Mapping, measurand: str, meters: Sequence[Mapping], rules: int,
    edges: Sequence[int],
) -> list[Amount]:  # fmt: skip
    """The amount of a counter in each vintage [quanta]."""
    counted, steps, confirmed = counter_steps(streams, point, measurand, meters, rules)
    rate = Fraction(str(point["rated_power_w"])) * MARGIN * JOULE_MS[measurand]
    coarsest = max((one.step for one, _ in counted), default=0)
    stands = [_stand(one) for one, _ in counted]
    return _by_vintage(stands, steps, confirmed, edges, lambda span: floor(rate * span) + coarsest)


# --- counters that stand still although a power flows ----------------------------------------------------------------


def _flow(
    line: Line, meters: Sequence[Mapping], rated: Fraction, direction: str | None
) -> list[tuple[int, int, Fraction]]:
    """From sample to sample that follow each other: the lower of the two powers, at least 1 % of the rating [W]."""
    counted = {one.slot for one, _ in usable(line, meters)}
    turn = 1 if direction is None or line.orientation == direction else (-1 if line.orientation else 0)

    def power(one: Seen) -> Fraction:
        if one.slot not in counted:
            return Fraction(0)
        watts = min(Fraction(one.value * turn, 1000), rated * MARGIN)
        return watts if watts >= rated / 100 else Fraction(0)

    return [
        (a.slot, b.slot, min(power(a), power(b)))
        for a, b in pairwise(line.seen)
        if b.slot // line.interval - a.slot // line.interval <= 1
    ]


def _thawed(
    line: Line,
    counted: Sequence[tuple[Seen, int]],
    steps: Sequence[Step],
    confirmed: Sequence[bool],
    flow: Sequence[tuple[int, int, Fraction]],
    watt: Fraction,
    rate: Fraction,
) -> tuple[list[tuple[Seen, int]], list[Step], list[bool]]:
    """A stretch that is frozen is one step that proves nothing, with the step that ends it if that one can be.

    Nothing of it is believed, so neither of its two readings needs a later one to confirm it.
    """
    raw = [_step(line, one, other, rate, saves=True) for one, other in pairwise(counted)]
    same = [
        each.kind == "stands" and a.value == b.value
        for each, ((a, _), (b, _)) in zip(raw, pairwise(counted), strict=True)
    ]
    readings, found, sure, place = [], [], [], 0
    while place < len(counted):
        last = place
        while last < len(same) and same[last]:
            last += 1
        start, end = counted[place][0], counted[last][0]
        due = sum(((b - a) * watts * watt for a, b, watts in flow if start.slot <= a and b <= end.slot), Fraction(0))
        coarsest = max(one.step for one, _ in counted[place : last + 1])
        readings.append(counted[place])
        if last > place and end.slot - start.slot >= STILL_MS and due >= 2 * coarsest:
            until = last + 1 if last < len(raw) and raw[last].kind == "stands" else last
            other = counted[until][0]
            most = floor(rate * (other.received - start.sent)) + max(coarsest, other.step)
            found.append(Step(_stand(start), _stand(other), 0, most, most, "unknown"))
            sure.append(True)
            confirmed = [*confirmed[:until], True, *confirmed[until + 1 :]]
            place = until
        else:
            sure.append(confirmed[place])
            found += steps[place : place + 1]
            place += 1
    return readings, found[: len(readings) - 1], sure


# --- states ----------------------------------------------------------------------------------------------------------


def state(lines: Sequence[Line], meters: Sequence[Mapping], rules: int, edges: Sequence[int], is_on, volts=None):
    """The time in a state in each vintage [ms].

    Args:
        lines: the registers that tell it; it is on where all say so, off where one does.
        meters: the declared ones.
        rules: the ruleset's number.
        edges: of the vintages.
        is_on: value → on or off, or None when such a value cannot be.
        volts: the nominal voltage [V], for a voltage.
    """
    known = [_states(line, meters, rules, is_on, freezes=volts is not None) for line in lines]
    slots = sorted({one.slot for line in lines for one in line.seen})
    interval = max(line.interval for line in lines)
    due = sorted({*slots, *range(-(-slots[0] // interval) * interval, slots[-1] + 1, interval)})
    rows = []
    for slot in due:
        said = [each.get(slot, (None, slot)) for each in known]
        on = (
            False if any(each[0] is False for each in said) else None if any(each[0] is None for each in said) else True
        )
        answered = max([slot, *(each[1] for each in said)])
        late = on is not None and answered - slot > TOLERANCE_MS
        rows.append((slot, answered if late else slot, on))
    steps = []
    for (slot, start, on), (next_slot, end, next_on) in pairwise(rows):
        span = next_slot - slot
        sure = span <= interval and on is not None and on == next_on
        steps.append(Step(start, end, span if sure and on else 0, 0 if sure and not on else span, span, "stands"))
    return _by_vintage([row[1] for row in rows], steps, [True] * len(rows), edges, lambda span: span)


def _states(line: Line, meters: Sequence[Mapping], rules: int, is_on, *, freezes: bool) -> dict:
    counted = {one.slot for one, _ in usable(line, meters)}
    frozen: set[int] = set()
    answered = [one for one in line.seen if one.value is not None]
    for value, group in groupby(answered, key=lambda one: one.value) if rules >= 2 and freezes else ():
        same = list(group)
        rests = len(same) >= 10 and same[-1].slot - same[0].slot >= STILL_MS
        if rests and value >= 1000 * same[0].step:
            frozen.update(one.slot for one in same[1:])
    return {one.slot: (is_on(one.value) if one.slot in counted - frozen else None, one.received) for one in line.seen}


def _burns(rules: int):
    return lambda value: value == 1 if rules == 1 or value in (0, 1) else None


def _energised(nominal: Fraction, rules: int):
    def of(millivolts: int) -> bool | None:
        if rules >= 2 and not 0 <= millivolts <= nominal * 1500:
            return None
        return millivolts > floor(nominal * 900)

    return of


# --- vintages --------------------------------------------------------------------------------------------------------


def _by_vintage(
    stands, steps: Sequence[Step], confirmed: Sequence[bool], edges: Sequence[int], possible
) -> list[Amount]:
    """Cut at each edge: what lies across one is proved for neither side of it.

    Args:
        stands: where each reading stands.
        steps: between readings that follow each other.
        confirmed: which readings a later one confirms.
        edges: of the vintages.
        possible: the most that can be in a span.
    """
    start, end = edges[0], edges[-1]
    closing = max((place for place, at in enumerate(stands) if at <= end and confirmed[place]), default=None)
    spans = []  # (from, to, low, high, whether it may be divided)
    if closing is None:
        spans.append((start, end))
        steps = ()
    else:
        goes_on = closing + 1 < len(stands) and confirmed[closing + 1]
        steps = steps[: closing + 1] if goes_on else steps[:closing]
        if stands[0] > start:
            spans.append((start, stands[0]))
        if not goes_on:
            spans.append((max(stands[closing], start), end))
    amounts = []
    for begins, ends in pairwise(edges):
        low = high = 0
        for each in steps:
            if begins <= each.start and each.end <= ends:
                low, high = low + each.low, high + each.high
            elif each.start < ends and each.end > begins:
                high += each.high
        for a, b in spans:
            shared = min(b, ends) - max(a, begins)
            high += possible(shared) if shared > 0 else 0
        amounts.append((low, high))
    return amounts


def edges_of(project: Mapping) -> list[int]:
    """The instants at which the vintages of the first period meet [ms]."""
    zone, period = ZoneInfo(project["time_zone"]), project["period"][0]
    years = [date(year, 1, 1) for year in range(period["start"].year + 1, period["end"].year + 1)]
    days = sorted({period["start"], *years, period["end"]})
    return [int(datetime.combine(day, time(), zone).timestamp()) * 1000 for day in days]


# --- tonnes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vintage:
    """What a year comes to."""

    amounts: Mapping[str, Amount]
    """Point → amount [MWh, GJ or h]."""
    low: Fraction
    high: Fraction
    """Reduction [tCO2e]."""
    tonnes: int


def vintages(project_text: str, streams: Sequence[Sequence[Shown]], rules: int) -> list[Vintage]:
    """The first period of a project, by the rules of a number."""
    project = tomllib.loads(project_text)
    roles = ROLES[project["methodology"]]
    edges = edges_of(project)
    measured = [
        (point, *_measured(project, point, streams, rules, edges))
        for point in project["point"]
        if point["role"] in roles
    ]
    found = []
    for year in range(len(edges) - 1):
        lowest = highest = Fraction(0)
        for point, parameter, amounts in measured:
            ends = [reduction(parameter, Fraction(end), factors(project, point["id"])) for end in amounts[year]]
            lowest, highest = lowest + min(ends), highest + max(ends)
        shown = {point["id"]: amounts[year] for point, _, amounts in measured}
        found.append(Vintage(shown, lowest, highest, floor(lowest)))
    return found


def _measured(project: Mapping, point: Mapping, streams, rules: int, edges) -> tuple[str, list[Amount]]:
    parameter, what = ROLES[project["methodology"]][point["role"]]
    meters = [meter for meter in project["meter"] if meter["point"] == point["id"]]
    if what in JOULE_MS:
        unit, amounts = 10**9, counter(streams, point, what, meters, rules, edges)
    elif what == "burner_state":
        lines = [line_of(streams, point["id"], what)]
        unit, amounts = 3_600_000, state(lines, meters, rules, edges, _burns(rules))
    else:
        volts = Fraction(str(point["nominal_voltage_v"]))
        lines = [line_of(streams, point["id"], f"voltage_l{phase}_v") for phase in (1, 2, 3)]
        unit, amounts = 3_600_000, state(lines, meters, rules, edges, _energised(volts, rules), volts)
    return parameter, [(Fraction(low, unit), Fraction(high, unit)) for low, high in amounts]


def factors(project: Mapping, point: str) -> dict[str, Fraction]:
    return {each["name"]: Fraction(each["value"]) for each in project["parameter"] if each.get("point", point) == point}


def reduction(parameter: str, amount: Fraction, factor: Mapping[str, Fraction]) -> Fraction:
    match parameter:
        case "EG":
            return amount * factor["EF_RE"]
        case "EC_AUX":
            return -amount * factor["EF_AUX"]
        case "Q":
            return amount * factor["EF_coal"] * (1 / factor["eta_RE"] - 1 / factor["eta_PJ"])
        case "T_op":
            return -amount * factor["P_el"] * factor["EF_grid"] / 10**6
        case _:
            saved = factor["NLL_RE"] - factor["NLL_PJ"] * (1 + factor["UNC"])
            return factor["n"] * amount * saved * factor["EF_grid"] / 10**6
