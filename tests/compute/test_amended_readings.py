"""Register values read from a display: what they prove, and that they never raise what is credited."""

from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.amended import amend
from compute.declared import parse_declared
from compute.engine import compute, evidence_window
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
MW_H = 1_000_000_000
EXPORT = "energy_export_total_wh"
FIRST = 60 * MW_H
"""What the counter shows at the first slot: more than it can gain in six hours, less than in ten [mWh]."""
FINE, COARSE = '"0.001"', '"1000000"'


def true_at(moment_ms):
    """A steady 1 MW."""
    return FIRST + (moment_ms - START_MS + 2 * HOUR_MS) * MW_H // HOUR_MS


def polled(without=()):
    return {
        slot: true_at(slot)
        for slot in range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS)
        if not any(start < slot < end for start, end in without)
    }


def wh(quanta):
    return f'"{Fraction(quanta, 1000)}"' if quanta % 1000 == 0 else f'"{quanta // 1000}.{quanta % 1000:03}"'


def at(moment_ms):
    return datetime.fromtimestamp(moment_ms // 1000, ZONE).isoformat()


@pytest.fixture(scope="module")
def world(project_texts, make_evidence, shown, declaration):
    """`world(values, (moment, value, resolution), ...)`: the result with display readings of the main meter."""
    project = parse_project(project_texts["solar-pv"]())

    def build(values, *readings, **more):
        files = {}
        for number, (moment_ms, value, resolution) in enumerate(readings, start=1):
            file, data = declaration(
                "register-reading", number=number, at=at(moment_ms), value=wh(value), resolution=resolution
            )
            files[file] = data
        evidence = make_evidence([shown("bus", EXPORT, values, interval_ms=HOUR_MS, **more)])
        return compute(project, evidence, project.period[0], ruleset(), declared=parse_declared(files))

    return build


def lows(result):
    return [vintage.reduction.low for vintage in result.vintages]


def highs(result):
    return [vintage.reduction.high for vintage in result.vintages]


def codes(result):
    return [finding.code for finding in result.findings]


MORNING_MS = START_MS + 8 * HOUR_MS
GAP = (START_MS + 3 * HOUR_MS, START_MS + 13 * HOUR_MS)
OVER_NEW_YEAR = (NEW_YEAR_MS - 5 * HOUR_MS, NEW_YEAR_MS + 5 * HOUR_MS)
CLEAN = [Fraction("19.128"), Fraction("19.128")]


def test_a_reading_in_a_gap_shows_that_nothing_was_reset_in_it(world):
    """The counter can be reset, and in ten hours it could have come back to where it is."""
    doubtful = world(polled([GAP]), reset_source=None)
    proved = world(polled([GAP]), (MORNING_MS, true_at(MORNING_MS), FINE), reset_source=None)
    assert "counter-reset-not-excluded" in codes(doubtful)
    assert highs(doubtful)[0] > CLEAN[0]
    assert "counter-reset-not-excluded" not in codes(proved)
    assert (lows(proved), highs(proved)) == (CLEAN, CLEAN)
    assert "declared-reading-used" in codes(proved)


def test_a_person_s_watch_may_be_a_minute_off(project_texts, make_evidence, shown, declaration):
    """Between two readings as much can have happened as in the longest time that may lie between them."""
    project = parse_project(project_texts["solar-pv"]())
    file, data = declaration("register-reading", at=at(MORNING_MS), value=wh(true_at(MORNING_MS)), resolution=FINE)
    evidence = make_evidence([shown("bus", EXPORT, polled([GAP]), interval_ms=HOUR_MS)])
    span = evidence_window(project, project.period[0])
    series = amend(project, evidence, parse_declared({file: data}), span).evidence.series("bus", EXPORT)
    (row,) = np.flatnonzero(series.received_ms == MORNING_MS + 60_999)
    assert series.sent_ms[row] == MORNING_MS - 60_000
    assert series.time_ms[row] - MORNING_MS in {0, 1}
    assert series.raw(row) is None


def test_a_coarse_display_proves_the_same_where_it_cancels_out(world):
    value = true_at(MORNING_MS) // MW_H * MW_H
    result = world(polled([GAP]), (MORNING_MS, value, COARSE), reset_source=None)
    assert (lows(result), highs(result)) == (CLEAN, CLEAN)


def test_a_reading_in_a_gap_over_new_year_proves_what_each_year_earned_at_least(world):
    evening_ms = NEW_YEAR_MS - HOUR_MS
    without = world(polled([OVER_NEW_YEAR]))
    proved = world(polled([OVER_NEW_YEAR]), (evening_ms, true_at(evening_ms), FINE))
    assert lows(without)[0] == CLEAN[0] - 5 * Fraction("0.797")
    assert lows(proved)[0] == CLEAN[0] - Fraction("0.797")
    assert lows(proved)[1] == lows(without)[1]


def test_a_coarse_display_divides_no_years(world):
    evening_ms = NEW_YEAR_MS - HOUR_MS
    without = world(polled([OVER_NEW_YEAR]))
    result = world(polled([OVER_NEW_YEAR]), (evening_ms, true_at(evening_ms), COARSE))
    assert (lows(result), highs(result)) == (lows(without), highs(without))
    (finding,) = (finding for finding in result.findings if finding.code == "declared-reading-unused")
    assert "two vintages meet between the readings around it" in finding.what


@pytest.mark.parametrize("off_s", [-60, 0, 60])
def test_nobody_reads_a_display_at_the_stroke_of_new_year(world, off_s):
    moment_ms = NEW_YEAR_MS + off_s * 1000
    without = world(polled([OVER_NEW_YEAR]))
    result = world(polled([OVER_NEW_YEAR]), (moment_ms, true_at(moment_ms), FINE))
    assert (lows(result), highs(result)) == (lows(without), highs(without))
    (finding,) = (finding for finding in result.findings if finding.code == "declared-reading-unused")
    assert "the instant that divides two vintages" in finding.what


@pytest.mark.parametrize("resolution", [FINE, COARSE])
def test_a_reading_after_the_last_one_polled_confirms_it(world, resolution):
    values = {slot: value for slot, value in polled().items() if slot <= END_MS}
    later_ms = END_MS + 7 * HOUR_MS
    assert "period-closing-unproved" in codes(world(values))
    result = world(values, (later_ms, true_at(later_ms), resolution))
    assert lows(result) == CLEAN
    assert "period-closing-unproved" not in codes(result)


def test_a_coarse_display_confirms_nothing_that_was_itself_read_from_it(world):
    last_ms = END_MS - 10 * HOUR_MS
    values = {slot: value for slot, value in polled().items() if slot <= last_ms}
    first, second = (END_MS - 5 * HOUR_MS, END_MS + 2 * HOUR_MS)
    result = world(values, (first, true_at(first), COARSE), (second, true_at(second), COARSE))
    assert lows(result) == [CLEAN[0], CLEAN[1] - 10 * Fraction("0.797")]
    assert codes(result).count("declared-reading-unused") == 1


def test_a_coarse_display_before_anything_was_polled_opens_nothing(world):
    begins_ms = START_MS + 6 * HOUR_MS
    values = {slot: value for slot, value in polled().items() if slot >= begins_ms}
    early_ms = START_MS + HOUR_MS
    result = world(values, (early_ms, true_at(early_ms), COARSE))
    assert lows(result) == lows(world(values))
    assert "declared-reading-unused" in codes(result)


def test_a_reading_that_agrees_with_what_was_polled_changes_no_number(world):
    moment_ms = MORNING_MS + 20_000
    clean = world(polled())
    result = world(polled(), (moment_ms, true_at(moment_ms) // MW_H * MW_H, COARSE))
    assert (lows(result), highs(result)) == (lows(clean), highs(clean))
    assert codes(result) == ["declared-reading-agrees"]
    assert result.input_digest != clean.input_digest


@pytest.mark.parametrize("off", [-2 * MW_H, 1, MW_H, 9 * MW_H])
def test_a_reading_that_contradicts_what_was_polled_then_widens(world, off):
    moment_ms = MORNING_MS - 10_000
    value = true_at(MORNING_MS) + off if off > 0 else true_at(MORNING_MS - HOUR_MS) + off
    clean, result = world(polled()), world(polled(), (moment_ms, value, FINE))
    assert lows(result)[0] < lows(clean)[0]
    assert highs(result)[0] > highs(clean)[0]
    assert "declared-reading-differs" in codes(result)


def test_a_display_that_leaves_digits_away_does_not_look_like_a_counter_that_went_down(world):
    values = polled([GAP])
    values[GAP[1]] = values[GAP[0]] = true_at(GAP[0]) // MW_H * MW_H + MW_H // 2  # nothing was generated
    reading = (MORNING_MS, true_at(GAP[0]) // MW_H * MW_H, COARSE)
    assert "counter-reset" not in codes(world(values, reading))


def test_a_reading_of_a_meter_that_was_never_polled_is_told_and_not_used(world, project_texts, declaration):
    project = parse_project(project_texts["solar-pv"]())
    file, data = declaration("register-reading", at=at(MORNING_MS), measurand='"energy_import_total_wh"')
    declared = parse_declared({file: data})
    result = world(polled())
    evidence_of = compute(project, _nothing(), project.period[0], ruleset(), declared=declared)
    assert "declared-reading-unused" in codes(evidence_of)
    assert "declared-reading-unused" not in codes(result)


def _nothing():
    from ingest.store.readings import collect

    return collect([])


def test_a_reading_of_another_time_is_another_period_s(world):
    far_ms = END_MS + 400 * HOUR_MS
    result = world(polled(), (far_ms, true_at(far_ms), FINE))
    assert codes(result) == []
    assert lows(result) == CLEAN


def test_two_readings_that_contradict_what_was_polled_do_not_vouch_for_each_other(world):
    """Both far below what was polled before them: the second looks like a counter that began anew and goes on."""
    first_ms, second_ms = MORNING_MS + 600_000, MORNING_MS + 2_400_000
    readings = ((first_ms, FIRST - 20 * MW_H, FINE), (second_ms, FIRST - 16 * MW_H, FINE))
    result = world(polled([GAP]), *readings)
    assert lows(result)[0] == CLEAN[0] - 10 * Fraction("0.797")
    assert codes(result).count("declared-reading-differs") == 2


@pytest.mark.parametrize(
    "off", [(-20, -1), (8, 9, -1, 0)], ids=["one contradicts what was polled", "they contradict each other"]
)
def test_one_wrong_reading_in_a_gap_makes_all_of_them_doubtful(world, off):
    """Else what a coarse one leaves away would be credited on its other side, and what was credited once, twice."""
    readings = []
    for place, mwh in enumerate(off):
        moment_ms = GAP[0] + HOUR_MS + 600_000 * (place + 1)
        readings.append((moment_ms, true_at(GAP[0]) + mwh * MW_H + 1, COARSE))
    result = world(polled([GAP]), *readings)
    assert lows(result)[0] == CLEAN[0] - 10 * Fraction("0.797")
    assert codes(result).count("declared-reading-differs") == len(off)


def test_no_display_tells_what_happened_in_a_gap_in_which_the_counter_went_down(world):
    values = {slot: value - 40 * MW_H if slot >= GAP[1] else value for slot, value in polled([GAP]).items()}
    value = true_at(MORNING_MS)
    result = world(values, (MORNING_MS, value, FINE))
    assert lows(result) == lows(world(values))
    (finding,) = (finding for finding in result.findings if finding.code == "declared-reading-unused")
    assert "the counter went down between the polled readings around it" in finding.what


@given(
    start_h=st.integers(1, 40),
    length_h=st.integers(1, 12),
    moments=st.lists(st.integers(-3600, 54 * 3600), min_size=1, max_size=5, unique=True),
    resolution=st.sampled_from([FINE, COARSE]),
    data=st.data(),
)
def test_no_display_reading_whatever_it_says_raises_what_is_credited(
    world, start_h, length_h, moments, resolution, data
):
    """A coarse one no year's, a fine one not the period's: what it moves across New Year the other year loses."""
    gap = (START_MS + start_h * HOUR_MS, START_MS + (start_h + length_h) * HOUR_MS)
    readings = []
    for second in moments:
        moment_ms = START_MS + second * 1000
        value = data.draw(st.integers(max(0, true_at(moment_ms) - 20 * MW_H), true_at(moment_ms) + 20 * MW_H))
        readings.append((moment_ms, value, resolution))
    result = world(polled([gap]), *readings)
    assert sum(lows(result)) <= sum(CLEAN) <= sum(highs(result))
    if resolution == COARSE:
        assert all(low <= clean for low, clean in zip(lows(result), CLEAN, strict=True))
        assert all(high >= clean for high, clean in zip(highs(result), CLEAN, strict=True))
