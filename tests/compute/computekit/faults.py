"""What sites do to their data that a rule can see, in any combination; and whole sites, role by role, to do it to."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from computekit import oracle
from computekit.runs import exchanged
from computekit.sites import (
    HUGE,
    PLACES,
    RATED,
    SLOTS,
    Feed,
    Harm,
    burners,
    counters,
    losses,
    stations,
    streams,
)
from hypothesis import strategies as st

ROLES: Mapping[str, tuple[str, str]] = {
    "generation": ("solar-pv", "energy_export_total_wh"),
    "auxiliary": ("solar-pv", "energy_import_total_wh"),
    "heat": ("heat-only-boiler", "heat_total_j"),
    "burner": ("heat-only-boiler", "burner_state"),
    "station": ("transformer-fleet", "voltage_l1_v"),
}
"""Every role of every methodology → the methodology, and what is measured."""


def project_of(role: str, texts: Mapping[str, Callable[..., str]], *, better: bool) -> str:
    """A project with such a role; what is not better is worse than its reference, so that its credit falls."""
    family = ROLES[role][0]
    if family == "solar-pv":
        return texts[family](auxiliary=role == "auxiliary")
    if family == "transformer-fleet":
        return texts[family]("370" if better else "1500")
    return texts[family]().replace(
        'name = "eta_PJ"\nvalue = "0.8"', f'name = "eta_PJ"\nvalue = "{0.8 if better else 0.5}"'
    )


def feeds_of(role: str) -> st.SearchStrategy[tuple[Feed, ...]]:
    """What is read at a point of a role."""
    if role == "station":
        return stations()
    if role == "burner":
        return burners().map(lambda feed: (feed,))
    return counters(ROLES[role][1]).map(lambda feed: (feed,))


@dataclass(frozen=True)
class Struck:
    """Readings to which something happened, and the project as it is declared then."""

    harms: tuple[Harm, ...]
    project_text: str


@st.composite
def visible(draw, role: str, feeds: tuple[Feed, ...], text: str, rules: int) -> Struck:
    """Any faults of which each shows itself: by its absence, its quality, or a value that cannot be."""
    if role in ("burner", "station"):
        return Struck(tuple(draw(_of_a_state(feed, rules)) for feed in feeds), text)
    (feed,) = feeds
    harm = draw(losses())
    if draw(st.booleans()):
        harm = draw(_begun_anew(feed, harm, rules))
    if draw(st.booleans()):
        harm = draw(_one_wrong_value(feed, harm))
    if draw(st.integers(0, 2)) == 0:
        return draw(_exchange(feed, harm, text))
    return Struck((harm,), text)


@st.composite
def _of_a_state(draw, feed: Feed, rules: int) -> Harm:
    harm = draw(losses())
    if rules == 1:
        return harm  # it believed any value
    odd = [-1, 2, 2**40] if feed.measurand == "burner_state" else [-1, -(10**9), 345_001, 2**40]
    return replace(harm, shows=draw(st.dictionaries(st.sampled_from(SLOTS), st.sampled_from(odd), max_size=5)))


@st.composite
def _begun_anew(draw, feed: Feed, harm: Harm, rules: int) -> Harm:
    """It is reset, by a map that allows it; or it comes back from losses of supply with less than it had counted."""
    place = draw(st.integers(1, len(SLOTS) - 3))
    if feed.device["reset_source"] is None and draw(st.booleans()):
        back_ms, silent = SLOTS[place], frozenset()
        gone = feed.truth[back_ms]
    elif "nonvolatile_s" in feed.device and rules == 2:
        back = place + draw(st.integers(1, 5))
        silent = frozenset(SLOTS[place:back])
        back_ms = SLOTS[min(back, len(SLOTS) - 1)]
        step = 1_000_000 if "scale" in feed.device else 1
        gone = RATED[feed.measurand] // 12 * draw(st.integers(0, 300)) // 100 // step * step
    else:
        return harm
    shows = {slot: value - gone for slot, value in feed.truth.items() if slot >= back_ms}
    return replace(
        harm,
        shows=shows,
        silent=harm.silent | silent,
        twice=harm.twice - silent,
        contradicted=harm.contradicted - silent,
    )


@st.composite
def _one_wrong_value(draw, feed: Feed, harm: Harm) -> Harm:
    """One reading of far too much; or of nothing, after a reading that counts and shows more."""
    place = draw(st.integers(1, len(SLOTS) - 1))
    slot, before = SLOTS[place], SLOTS[place - 1]
    if draw(st.booleans()) or "modulus" in feed.device or harm.shows:
        return replace(harm, shows={**harm.shows, slot: feed.truth[slot] + draw(st.integers(1, 9)) * HUGE})
    lower = draw(st.sampled_from([0, -5, feed.truth[before] - 1_000_000]))
    lost = {kind: getattr(harm, kind) - {before} for kind in ("dropped", "silent", "unsynced", "contradicted")}
    return replace(harm, shows={slot: lower}, **lost)


@st.composite
def _exchange(draw, feed: Feed, harm: Harm, text: str) -> Struck:
    """Another meter stands there, from a slot on or for a while; it is declared, or not."""
    first = draw(st.sampled_from(PLACES))
    begins = draw(st.sampled_from([0, 10**9, HUGE]))
    declared = draw(st.booleans())
    stays = declared or draw(st.booleans())
    there = SLOTS[first:] if stays else SLOTS[first : first + draw(st.integers(1, 6))]
    base = feed.total[there[0]] - begins
    foreign = {slot: feed.total[slot] - base for slot in there}
    # That a reading shows too little is seen by the one before, unless that one is another meter's now.
    unseen = {
        slot for before, slot in pairwise(SLOTS) if before in foreign and harm.shows.get(slot, 0) < feed.truth[slot]
    }
    shows = {slot: value for slot, value in harm.shows.items() if slot not in {*foreign, *unseen}}
    told = {kind: getattr(harm, kind) - set(there) for kind in ("twice", "contradicted")}
    struck = replace(harm, shows=shows, foreign=foreign, **told)
    return Struck((struck,), exchanged(text, feed.point, there[0]) if declared else text)


# --- what no rule can see --------------------------------------------------------------------------------------------


def window(project_text: str, feed: Feed, harm: Harm, rules: int) -> int:
    """The most that could be added in the time in which a counter shows what is not true and yet possible [quanta]."""
    project = tomllib.loads(project_text)
    point = next(point for point in project["point"] if point["id"] == feed.point)
    meters = [meter for meter in project["meter"] if meter["point"] == feed.point]
    told = streams([(feed, harm)])
    counted, steps, _ = oracle.counter_steps(told, point, feed.measurand, meters, rules)
    truly = [feed.total[b.slot] - feed.total[a.slot] for (a, _), (b, _) in pairwise(counted)]
    return sum(step.most for step, gained in zip(steps, truly, strict=True) if not step.low <= gained <= step.high)


def worth(project_text: str, feed: Feed, amount: Fraction) -> Fraction:
    """What an amount more or less of a point changes the reduction by [tCO2e]."""
    project = tomllib.loads(project_text)
    role = next(point["role"] for point in project["point"] if point["id"] == feed.point)
    parameter, _ = oracle.ROLES[project["methodology"]][role]
    return abs(oracle.reduction(parameter, amount, oracle.factors(project, feed.point)))
