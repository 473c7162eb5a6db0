"""Sites that are in order, and what sites do to their data, as Hypothesis strategies.

A `Feed` is what a measurand truly showed; a `Harm` is what became of it on its way. `streams` makes of both what was
recorded. Two days with New Year between them, read every hour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

from computekit.records import Shown
from hypothesis import strategies as st

from compute.vintages import midnight_ms
from ingest.store.readings import Evidence
from ingest.store.series import Series

HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZoneInfo("Asia/Ulaanbaatar")) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
PLACES = range(len(SLOTS))
BOUNDARIES = frozenset({START_MS, NEW_YEAR_MS, END_MS})
STREAMS = tuple(f"01JZZZZZZZZZZZZZZZZZZZZZZ{number}" for number in range(1, 5))
LATEST_MS = HOUR_MS // 5
"""An answer that comes later is a reading of quality late-read, which never counts."""

RATED = {
    "energy_export_total_wh": 8_300_000_000,
    "energy_import_total_wh": 8_300_000_000,
    "heat_total_j": 1_200_000 * 3600,
}
"""The most that an hour adds at the rated power [quanta]."""
POINTS = {
    "energy_export_total_wh": "bus", "energy_import_total_wh": "aux", "heat_total_j": "heat", "burner_state": "burner",
}  # fmt: skip
HUGE = 10_000 * 10**9
"""More than any site here can add to a counter in all the time that is looked at [quanta]."""


@dataclass(frozen=True)
class Feed:
    """What one measurand of one point truly showed."""

    point: str
    measurand: str
    truth: Mapping[int, int]
    """Slot → value [quanta]."""
    device: Mapping[str, object] = field(default_factory=dict)
    """What its device map says, as `Shown` takes it."""
    total: Mapping[int, int] | None = None
    """Of a counter: what it would have shown had it never begun anew."""

    @property
    def proved(self) -> "Feed":
        """The same by a meter that leaves nothing in doubt: its counter never begins anew, and nobody can reset it."""
        if self.total is None:
            return self
        scale = {"scale": self.device["scale"]} if "scale" in self.device else {}
        return Feed(self.point, self.measurand, self.total, scale)


@dataclass(frozen=True)
class Harm:
    """What became of a feed on its way."""

    shows: Mapping[int, int] = field(default_factory=dict)
    """Slot → what the meter showed instead of the truth."""
    dropped: frozenset[int] = frozenset()
    """Slots that no record speaks of."""
    silent: frozenset[int] = frozenset()
    """Slots at which it did not answer."""
    unsynced: frozenset[int] = frozenset()
    """Slots at which the clock was not synchronised."""
    late: Mapping[int, int] = field(default_factory=dict)
    """Slot → how long after it the answer came; the value is as old as the slot [ms]."""
    twice: frozenset[int] = frozenset()
    """Slots that another stream tells too, with the same value."""
    contradicted: frozenset[int] = frozenset()
    """Slots of which another stream tells another value."""
    foreign: Mapping[int, int] = field(default_factory=dict)
    """Slot → what another meter showed, whose serial number was read."""


NO_HARM = Harm()


def streams(feeds: Sequence[tuple[Feed, Harm]]) -> list[list[Shown]]:
    """What was recorded: the gateway's own stream, one of repeats, and one of the other meter."""
    own = [_part(feed, harm, _own(feed, harm)) for feed, harm in feeds]
    again = [_part(feed, harm, values) for feed, harm in feeds if (values := _repeats(feed, harm))]
    other = [_part(feed, harm, harm.foreign, serial="S2") for feed, harm in feeds if harm.foreign]
    return [stream for stream in (own, again, other) if stream]


def shown_by(feed: Feed, harm: Harm) -> dict[int, int]:
    """What the meter showed, whether or not it arrived."""
    return {**feed.truth, **harm.shows}


def _own(feed: Feed, harm: Harm) -> dict[int, int | None]:
    lost = harm.dropped | set(harm.foreign)
    return {
        slot: None if slot in harm.silent else value for slot, value in shown_by(feed, harm).items() if slot not in lost
    }


def _repeats(feed: Feed, harm: Harm) -> dict[int, int]:
    shown = shown_by(feed, harm)
    told = {slot: shown[slot] for slot in harm.twice}
    # What contradicts nothing is no contradiction.
    there = harm.contradicted - harm.dropped - harm.silent - set(harm.foreign)
    return told | {slot: shown[slot] + 1 for slot in there}


def _part(feed: Feed, harm: Harm, values: Mapping[int, int | None], serial: str = "S1") -> Shown:
    return Shown(
        feed.point, feed.measurand, values, serial=serial, unsynced=harm.unsynced, received_ms=harm.late,
        sent_ms=dict.fromkeys(harm.late, 5), interval_ms=HOUR_MS, **feed.device,
    )  # fmt: skip


# --- in order --------------------------------------------------------------------------------------------------------

bytes_of_a_site = st.binary(min_size=len(SLOTS), max_size=len(SLOTS))
"""One byte an hour: 0 to 55 = nothing flows, 255 = all that is rated. Cheap to draw, and it shrinks to nothing."""


def climbing(measurand: str, shares: bytes, start: int, step: int = 1) -> dict[int, int]:
    """A counter that adds such a share of its rating each hour."""
    values, total = {}, start
    for slot, share in zip(SLOTS, shares, strict=True):
        values[slot] = total // step * step
        total += RATED[measurand] * max(0, share - 55) // 200
    return values


@st.composite
def counters(draw, measurand: str) -> Feed:
    """A counter in order, young or old, fine or coarse, that can be reset or not."""
    device: dict[str, object] = {"reset_source": draw(st.sampled_from([None, "page 1: cannot be reset"]))}
    step = 1
    if draw(st.integers(0, 3)) == 0 and measurand != "heat_total_j":
        device["scale"], step = "1000", 1_000_000
    if draw(st.integers(0, 3)) == 0:
        device["nonvolatile_s"] = 300
    start = draw(st.sampled_from([5 * 10**9, HUGE]))
    truth = climbing(measurand, draw(bytes_of_a_site), start, step)
    shown = truth
    if draw(st.integers(0, 3)) == 0:
        modulus = start + draw(st.integers(1, 100)) * 10**9
        device["modulus"] = modulus // step
        shown = {slot: value % modulus for slot, value in truth.items()}
    return Feed(POINTS[measurand], measurand, shown, device, truth)


@st.composite
def burners(draw) -> Feed:
    """A burner that goes on and off."""
    return Feed(
        "burner", "burner_state", {slot: share & 1 for slot, share in zip(SLOTS, draw(bytes_of_a_site), strict=True)}
    )


@st.composite
def stations(draw) -> tuple[Feed, Feed, Feed]:
    """Three phases that move by a tenth of a volt, and now and then fail together."""
    shares = draw(bytes_of_a_site)
    volts = {
        slot: 0 if share > 220 else 230_000 + place % 2 * 100
        for place, (slot, share) in enumerate(zip(SLOTS, shares, strict=True))
    }
    return tuple(Feed("station", f"voltage_l{phase}_v", volts) for phase in (1, 2, 3))


@st.composite
def powers(draw, feed: Feed) -> Feed:
    """A power of a counter's point, in any direction: it may have moved the counter or not."""
    name = "heat_power_w" if feed.measurand == "heat_total_j" else "active_power_w"
    steady = draw(st.sampled_from([0, 10**9, 83_000_000, 8_300_000_000, -(10**9), 2**62]))
    odd = draw(st.dictionaries(st.sampled_from(SLOTS), st.integers(-(10**10), 10**10), max_size=4))
    ways = [None, "import-positive", "export-positive"] if name == "active_power_w" else [None]
    return Feed(feed.point, name, dict.fromkeys(SLOTS, steady) | odd, {"orientation": draw(st.sampled_from(ways))})


def two_meters(
    make_evidence: Callable[[Sequence[Shown]], Evidence], slots: Sequence[int], interval_ms: int
) -> tuple[Series, Series]:
    """A counter that knows two meters, S1 and S2, and the power that moves it; all readings are 0 and of S1."""
    export, power, zeros = "energy_export_total_wh", "active_power_w", dict.fromkeys(slots, 0)
    own, other = (
        make_evidence([
            Shown("bus", export, zeros, interval_ms=interval_ms, nonvolatile_s=60, serial=serial),
            Shown("bus", power, zeros, interval_ms=interval_ms, orientation="export-positive"),
        ])
        for serial in ("S1", "S2")
    )  # fmt: skip
    counter = own.series("bus", export)
    bindings = (*counter.bindings, *other.series("bus", export).bindings)
    return replace(counter, bindings=bindings), own.series("bus", power)


# --- out of order ----------------------------------------------------------------------------------------------------

some_slots = st.frozensets(st.sampled_from(SLOTS), max_size=4)


@st.composite
def losses(draw) -> Harm:
    """Readings that never came, came empty, by a clock that was not synchronised, late, twice, or contradicted."""
    kinds = draw(st.integers(0, 63))
    dropped, silent, unsynced, late, twice, contradicted = (
        draw(some_slots) if kinds >> bit & 1 else frozenset() for bit in range(6)
    )
    delays = {slot: draw(st.integers(21, LATEST_MS)) for slot in sorted(late)}
    return Harm({}, dropped, silent, unsynced, delays, twice, contradicted)


@st.composite
def anything(draw, feed: Feed) -> Harm:
    """Losses, and values that no meter would show, in any place and number."""
    slots = draw(st.frozensets(st.sampled_from(SLOTS), max_size=6))
    near = feed.truth[SLOTS[0]]
    values = st.one_of(
        st.sampled_from([0, 1, -1, 2, near, near + HUGE, 2**63 - 1, -(2**63), 345_001, 207_000, 2**40]),
        st.sampled_from(sorted(set(feed.truth.values()))),
        st.integers(0, 20 * 10**9),
        st.integers(near, near + 20 * 10**9),
    )
    shows = {slot: draw(values) for slot in sorted(slots)}
    rest = draw(st.sampled_from(PLACES))
    if draw(st.booleans()):  # it stands still for a while, and goes on from where it stopped or from the truth
        still = SLOTS[rest : rest + draw(st.integers(1, 14))]
        lag = draw(st.booleans())
        held = feed.truth[still[0]]
        shows |= dict.fromkeys(still, held)
        if lag:
            missed = feed.truth[still[-1]] - held
            shows |= {slot: feed.truth[slot] - missed for slot in SLOTS if slot > still[-1]}
    harm = draw(losses())
    foreign = {}
    if draw(st.integers(0, 4)) == 0:
        first, count, base = draw(st.sampled_from(PLACES)), draw(st.sampled_from([1, 3, 60])), draw(values)
        foreign = {slot: base // 2 + place for place, slot in enumerate(SLOTS[first : first + count])}
    in_hand = {slot: min(max(value, -(2**63)), 2**63 - 2) for slot, value in shows.items()}
    return replace(harm, shows=in_hand, foreign=foreign)
