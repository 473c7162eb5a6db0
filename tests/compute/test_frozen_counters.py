"""A counter that stands still is frozen only when a power shows that it should have moved, by more than its steps."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute
from compute.frozen import sign_of
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.findings import Severity

QUARTER_MS = 900_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZoneInfo("Asia/Ulaanbaatar")) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 8 * QUARTER_MS, END_MS + 8 * QUARTER_MS, QUARTER_MS))
NOON_MS, TWO_MS = START_MS + 48 * QUARTER_MS, START_MS + 56 * QUARTER_MS
MW = 1_000_000_000  # [mW]; for an hour [quanta of energy]
EXPORT, IMPORT, POWER = "energy_export_total_wh", "energy_import_total_wh", "active_power_w"
RATED_MW, STEADY_MW = 8, 1


def counting(slots=SLOTS, quarter=STEADY_MW * MW // 4):
    return {slot: 10_000 * MW + place * quarter for place, slot in enumerate(slots)}


def stuck(values, start_ms=NOON_MS, end_ms=TWO_MS):
    """What was shown at the start is shown until, but not at, the end."""
    return {slot: values[start_ms] if start_ms <= slot < end_ms else value for slot, value in values.items()}


@pytest.fixture
def measured(project_texts, make_evidence, shown):
    """The generation of these counter readings and powers, and the findings of frozen counters or of another code."""

    def measure(counter, power=None, *, rules="sakugen-rules/2", name=EXPORT, code="counter-frozen", **more):
        text = project_texts["solar-pv"](auxiliary=name == IMPORT).replace("8_300_000", f"{RATED_MW}_000_000")
        project = parse_project(text)
        point = "aux" if name == IMPORT else "bus"
        told = {key: more.pop(key, None) for key in ("scale", "nonvolatile_s")}
        parts = [shown(point, name, counter, **told)]
        if power is not None:
            parts.append(shown(point, POWER, power, **{"orientation": "export-positive"} | more))
        result = compute(project, make_evidence(parts), project.period[0], ruleset(rules))
        row = next(row for row in result.monitored if row.point == point)
        return row.by_vintage, [finding for finding in result.findings if finding.code == code]

    return measure


def steady_power(mw=STEADY_MW):
    return dict.fromkeys(SLOTS, mw * MW)


def test_a_counter_that_power_should_have_moved_proves_nothing_from_the_first_still_reading_to_the_one_that_moves(
    measured,
):
    years, (finding,) = measured(stuck(counting()), steady_power())
    # From 12:00 to 14:00: 8 quarters of 1 MW are not proved, and could have been 8 x 1.05 MW.
    assert years[0].low == 22 * STEADY_MW
    assert years[0].high > years[0].low + 2 * RATED_MW
    assert (years[1].low, years[1].high) == (24 * STEADY_MW, 24 * STEADY_MW)
    assert (finding.severity, finding.point, finding.measurand) == (Severity.WARNING, "bus", EXPORT)
    assert finding.evidence["pairs"] == "1"
    assert (finding.interval.start_ms, finding.interval.end_ms) == (NOON_MS, TWO_MS)


def test_a_counter_that_moves_with_its_power_is_not_frozen(measured):
    years, found = measured(counting(), steady_power())
    assert ([(year.low, year.high) for year in years], found) == ([(24, 24)] * 2, [])


@pytest.mark.parametrize(
    "power",
    [None, steady_power(0), steady_power(-STEADY_MW), dict.fromkeys(SLOTS, RATED_MW * MW // 100 - 1)],
    ids=["no power is read", "no power flows", "power flows the other way", "less than 1 % of the rating flows"],
)
def test_a_counter_that_stands_still_where_nothing_says_that_it_should_move_is_right(measured, power):
    frozen = stuck(counting())
    years, found = measured(frozen, power)
    before, _ = measured(frozen, rules="sakugen-rules/1")
    assert ([(year.low, year.high) for year in years], found) == ([(year.low, year.high) for year in before], [])


def test_one_per_cent_of_the_rating_is_enough(measured):
    assert measured(stuck(counting()), dict.fromkeys(SLOTS, RATED_MW * MW // 100))[1] != []


def test_a_power_of_which_the_map_does_not_say_the_direction_says_nothing(measured):
    assert measured(stuck(counting()), steady_power(), orientation=None)[1] == []


def test_power_that_flows_into_the_site_moves_the_import_and_not_the_export(measured):
    assert measured(stuck(counting()), steady_power(), orientation="import-positive")[1] == []
    assert measured(stuck(counting()), steady_power(-STEADY_MW), orientation="import-positive")[1] != []
    assert measured(stuck(counting()), steady_power(), name=IMPORT, orientation="import-positive")[1] != []


@pytest.mark.parametrize(
    ("orientation", "direction", "sign"),
    [
        ("export-positive", "export-positive", 1),
        ("import-positive", "export-positive", -1),
        (None, "export-positive", 0),
        (None, None, 1),
    ],
)
def test_a_power_counts_once_whatever_its_sign_and_one_that_has_none_moves_the_counter(orientation, direction, sign):
    assert sign_of(orientation, direction) == sign


def test_less_than_an_hour_is_within_what_a_meter_takes_to_count_on(measured):
    hour_ms = 4 * QUARTER_MS
    assert measured(stuck(counting(), end_ms=NOON_MS + hour_ms), steady_power())[1] == [], "still for 45 minutes"
    assert measured(stuck(counting(), end_ms=NOON_MS + hour_ms + 1), steady_power())[1] != [], "still for an hour"


def test_a_coarse_counter_stands_still_until_two_of_its_steps_are_missing(measured):
    # 1 MW for 2 h less a quarter are 1.75 MWh: less than two steps of 1 MWh, and two of 875 kWh.
    coarse = stuck(counting())
    assert measured(coarse, steady_power(), scale="1000000")[1] == []
    assert measured(coarse, steady_power(), scale="875000")[1] != []


def test_power_that_was_not_read_for_a_while_says_nothing_about_it(measured):
    silent = {slot: None if NOON_MS < slot < TWO_MS else value for slot, value in steady_power().items()}
    absent = {slot: value for slot, value in silent.items() if value is not None}
    assert measured(stuck(counting()), silent)[1] == []
    assert measured(stuck(counting()), absent)[1] == []


def test_two_powers_far_apart_say_nothing_about_the_time_between_them(measured):
    gap = {slot for slot in SLOTS if NOON_MS < slot < TWO_MS - QUARTER_MS}
    counter = {slot: value for slot, value in stuck(counting()).items() if slot not in gap}
    assert measured(counter, {slot: MW for slot in SLOTS if slot not in gap})[1] == []
    assert measured(counter, steady_power())[1] != []


def test_a_power_that_is_read_less_often_than_the_counter_is_enough(measured):
    hourly = {slot: MW for slot in SLOTS if slot % (4 * QUARTER_MS) == 0}
    years, found = measured(stuck(counting()), hourly, interval_ms=4 * QUARTER_MS)
    assert (years[0].low, len(found)) == (22 * STEADY_MW, 1)


def test_one_power_alone_says_nothing(measured):
    assert measured(stuck(counting()), {NOON_MS: MW})[1] == []


def test_a_power_beyond_what_is_possible_is_taken_for_the_most_that_is(measured):
    # 8.4 MW for 15 minutes are 2.1 MWh, whatever the register says: less than two steps of 9 MWh in 2 h less a quarter.
    assert measured(stuck(counting()), dict.fromkeys(SLOTS, 2**62), scale="9000000")[1] == []
    assert measured(stuck(counting()), dict.fromkeys(SLOTS, 2**62), scale="7000000")[1] != []


def test_power_of_another_meter_says_nothing(measured):
    assert measured(stuck(counting()), steady_power(), serial="S2")[1] == []


def test_what_a_counter_catches_up_with_after_new_year_is_not_credited_to_the_new_year(measured):
    hour_ms = 4 * QUARTER_MS
    asleep = stuck(counting(), NEW_YEAR_MS - hour_ms, NEW_YEAR_MS + hour_ms)
    # It shows at 1:00 what it counted from 23:00 on: 2 MWh, of which the new year's first hour made 1.
    assert measured(asleep, rules="sakugen-rules/1")[0][1].low == 24 * STEADY_MW + 1
    years, found = measured(asleep, steady_power())
    assert found != []
    assert [year.low for year in years] == [23 * STEADY_MW, 23 * STEADY_MW]


def test_what_a_gap_says_within_a_frozen_stretch_or_at_its_end_counts_no_more(measured):
    """Two of them; in the first the second reading is missing, and the one that would have ended it."""
    six_ms, eight_ms = NOON_MS + 24 * QUARTER_MS, NOON_MS + 32 * QUARTER_MS
    values = stuck(stuck(counting()), six_ms, eight_ms)
    values |= {NOON_MS + QUARTER_MS: None, TWO_MS: None}
    years, found = measured(values, steady_power(), nonvolatile_s=300)
    # 9 and 8 quarters are not proved; 8.4 MW for them and the 15 ms from a request to its answer, and a step of 1 mWh.
    assert years[0].low == Fraction(24 * 4 - 9 - 8, 4)
    assert years[0].high == years[0].low + Fraction(18_900_035_001 + 16_800_035_001, 10**9)
    assert found[0].evidence["pairs"] == "2"
    assert measured(values, steady_power(), nonvolatile_s=300, code="counter-gap-not-saved")[1] == []


def test_a_counter_that_never_moves_at_all_is_frozen_once(measured):
    years, (finding,) = measured(dict.fromkeys(SLOTS, 10_000 * MW), steady_power())
    # 207 quarters at 8.4 MW, 15 ms and a step, which may have been in either year.
    assert [(year.low, year.high) for year in years] == [(0, Fraction(434_700_035_001, 10**9))] * 2
    assert finding.evidence["pairs"] == "1"


def test_a_frozen_stretch_that_ends_with_the_last_reading_of_all_counts_up_to_it(measured):
    noon_ms, last_ms = END_MS - 48 * QUARTER_MS, END_MS - 4 * QUARTER_MS
    read = {slot: value for slot, value in stuck(counting(), noon_ms, END_MS).items() if slot <= last_ms}
    years, _ = measured(read, steady_power())
    assert years[1].low == 12
    # 44 quarters and 15 ms at 8.4 MW with a step, and the hour behind them that nothing proves.
    assert years[1].high == 12 + Fraction(92_400_035_001 + 8_400_000_001, 10**9)


def test_a_counter_that_never_moves_again_is_frozen_to_the_end(measured):
    years, (finding,) = measured(stuck(counting(), end_ms=SLOTS[-1] + 1), steady_power())
    assert [year.low for year in years] == [12 * STEADY_MW, 0]
    # From 12:00 to the last reading, 1:45 after the end, it could have been 8.4 MW, and no time is counted twice.
    assert years[1].high == pytest.approx((12 + 24 + 1.75) * 8.4, abs=0.001)
    assert finding.interval.end_ms >= END_MS


@pytest.fixture
def closed_by_a_gap(measured):
    """1 January by a counter that begins at 8:00, stands still from 12:00 to 14:00 and is then read up to some hour.

    The next reading but those is at 19:00 of the day after, more than a day later, and one more at 19:15.
    """
    morning_ms, noon_ms, two_ms = (NEW_YEAR_MS + 4 * hour * QUARTER_MS for hour in (8, 12, 14))
    behind = [END_MS + quarter * QUARTER_MS for quarter in (76, 77)]

    def measure(until_ms):
        slots = [*range(morning_ms, until_ms + 1, QUARTER_MS), *behind]
        values = {slot: (slot - morning_ms) // QUARTER_MS * (MW // 4) for slot in slots}
        counter = {slot: 10_000 * MW + value for slot, value in stuck(values, noon_ms, two_ms).items()}
        years, found = measured(counter, dict.fromkeys(range(morning_ms, until_ms + 1, QUARTER_MS), MW))
        assert found != []
        return years[1]

    return measure, two_ms


def test_the_reading_that_ended_a_frozen_stretch_needs_none_within_a_day_to_confirm_it(closed_by_a_gap):
    measure, two_ms = closed_by_a_gap
    year = measure(two_ms)
    # Up to 12:00 4 MWh; what was possible before 8:00 and while it stood still, 10 h x 8.4 MW; and what the counter
    # shows from 14:00 to 19:00 of the next day, 29 MWh.
    assert year.low == 4
    assert year.high == pytest.approx(4 + 84 + 29, abs=0.001)


def test_a_reading_some_time_after_a_frozen_stretch_needs_one_as_any_other_does(closed_by_a_gap):
    measure, two_ms = closed_by_a_gap
    year = measure(two_ms + 16 * QUARTER_MS)
    # 18:00 is not confirmed and 17:45 is: from 14:00 on 3.75 MWh more, and behind it 6.25 h of what was possible.
    assert year.low == 4 + 3.75
    assert year.high == pytest.approx(4 + 3.75 + (10 + 6.25) * 8.4, abs=0.001)
