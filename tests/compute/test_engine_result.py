"""The whole engine on signed records: numbers by hand, and everything that must be named beside them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from compute.engine import compute, evidence_window
from compute.errors import PeriodError
from compute.project import parse_project
from compute.result import decimal_text, issuable
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import collect
from metering.findings import Severity

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
MW_H = 1_000_000_000
EXPORT = "energy_export_total_wh"


def steady(power_mw=1, start=10_000 * MW_H, slots=SLOTS):
    return {slot: start + place * power_mw * MW_H for place, slot in enumerate(slots)}


def result_of(project_text, evidence, **more):
    project = parse_project(project_text)
    return compute(project, evidence, project.period[0], ruleset(), **more)


@pytest.fixture
def solar(project_texts, make_evidence, shown):
    def build(values=None, text=None, factor=1.0, **more):
        part = shown("bus", EXPORT, steady() if values is None else values, **{"interval_ms": HOUR_MS} | more)
        return result_of(text or project_texts["solar-pv"](), make_evidence([part], time_factor=factor))

    return build


def codes(result):
    return {finding.code for finding in result.findings}


def blocks(result):
    return {why.code for why in result.blocked_by}


def test_a_clean_solar_day_is_24_mwh_and_19_tonnes(solar):
    result = solar()
    # 24 h x 1 MW x 0.797 t/MWh = 19.128 t in each year.
    assert [vintage.reduction.low for vintage in result.vintages] == [Fraction("19.128"), Fraction("19.128")]
    assert [(vintage.year, vintage.integer, vintage.remainder, vintage.issuable) for vintage in result.vintages] == [
        (2025, 19, Fraction("0.128"), 19),
        (2026, 19, Fraction("0.128"), 19),
    ]
    assert all(vintage.reduction.exact and vintage.project.exact for vintage in result.vintages)
    assert result.creditable
    assert result.findings == ()
    assert (result.integer, result.reduction.low) == (38, Fraction("38.256"))


def test_each_vintage_tells_what_is_credited_and_at_which_end_of_which_amount(project_texts, make_evidence, shown):
    parts = [
        shown("bus", EXPORT, steady(), interval_ms=HOUR_MS),
        shown(
            "aux", "energy_import_total_wh", {slot: value // 4 for slot, value in steady().items()}, interval_ms=HOUR_MS
        ),
    ]
    result = result_of(project_texts["solar-pv"](auxiliary=True), make_evidence(parts))
    for vintage in result.vintages:
        # 24 MWh x 0.797 = 19.128 t; 6 MWh x 1.1501 = 6.9006 t.
        assert (vintage.credited.reference, vintage.credited.project, vintage.credited.leakage) == (
            Fraction("19.128"),
            Fraction("6.9006"),
            0,
        )
        assert vintage.corner == {"EG@bus": "low", "EC_AUX@aux": "high"}
    assert [row.parameter for row in result.monitored] == ["EC_AUX", "EG"]


def test_the_report_row_has_the_columns_of_the_monitoring_report_sheet(solar):
    (row,) = solar().monitored
    assert (row.monitoring_period, row.point, row.parameter, row.unit, row.option) == ("p1", "bus", "EG", "MWh", "C")
    assert (row.low, row.high, row.coverage, row.longest_gap_ms, row.substituted_share) == (48, 48, 1, 0, 0)
    assert [(part.year, part.low) for part in row.by_vintage] == [(2025, 24), (2026, 24)]
    assert row.comments == ""
    assert row.meters == ("Test Meter S1",)
    assert row.calibrations == ("C-1, 2025-06-01 to 2027-06-01 (calibration laboratory)",)


def test_the_fixed_parameter_is_listed_with_source_and_mark(solar):
    rows = {row.name: row for row in solar().fixed}
    assert (rows["EF_RE"].text, rows["EF_RE"].unit, rows["EF_RE"].source, rows["EF_RE"].mark) == (
        "0.797",
        "tCO2/MWh",
        "page 1",
        "V",
    )
    assert rows["rated_power_w"].value == 8_300_000


def test_a_boiler_of_one_megawatt_that_always_burns(project_texts, make_evidence, shown):
    # 3.6 GJ an hour for 24 h = 86.4 GJ; x 0.0909 x (1/0.613 - 1/0.8) less 11 kW x 24 h x 1.1501 / 1000.
    heat = {slot: 10**15 + place * 3_600_000_000 for place, slot in enumerate(SLOTS)}
    parts = [
        shown("heat", "heat_total_j", heat, interval_ms=HOUR_MS),
        shown("burner", "burner_state", dict.fromkeys(SLOTS, 1), interval_ms=HOUR_MS),
    ]
    result = result_of(project_texts["heat-only-boiler"](), make_evidence(parts))
    expected = Fraction("86.4") * Fraction("0.0909") * (1 / Fraction("0.613") - 1 / Fraction("0.8")) - Fraction(
        "0.264"
    ) * Fraction("1.1501")
    assert [vintage.reduction.low for vintage in result.vintages] == [expected, expected]
    assert blocks(result) == {"parameter-unverified"}  # the catalog marks eta_RE and EF_coal M, whatever a project says


def test_a_station_dark_for_an_hour_loses_the_time_that_is_not_proved(project_texts, make_evidence, shown):
    dark = SLOTS[12]
    parts = [
        shown(
            "station",
            f"voltage_l{phase}_v",
            {slot: 0 if slot == dark and phase == 2 else 230_000 for slot in SLOTS},
            interval_ms=HOUR_MS,
            scale="1",
        )
        for phase in (1, 2, 3)
    ]
    result = result_of(project_texts["transformer-fleet"](), make_evidence(parts))
    # Dark at one sample: the hours before and after it are in doubt, 22 of 24 h are proved.
    (row,) = result.monitored
    assert [(part.low, part.high) for part in row.by_vintage] == [(22, 24), (24, 24)]
    assert row.comments == "given as a pair; each vintage is credited at the end that credits least"
    assert (row.coverage, row.longest_gap_ms) == (1, 0), "dark is known"
    assert row.substituted_share == Fraction(2, 48)
    # 600 x (1200 - 370 x 1.15) W x h x 0.333 / 1e6.
    assert result.vintages[0].reduction.low == 600 * (1_200 - Fraction("425.5")) * 22 * Fraction("0.333") / 10**6
    assert "state-changed" in codes(result)


def test_ninety_per_cent_of_the_nominal_voltage_is_not_energised(project_texts, make_evidence, shown):
    def hours(millivolts):
        parts = [
            shown("station", f"voltage_l{phase}_v", dict.fromkeys(SLOTS, millivolts), interval_ms=HOUR_MS, scale="1")
            for phase in (1, 2, 3)
        ]
        return result_of(project_texts["transformer-fleet"](), make_evidence(parts)).monitored[0].low

    assert (hours(207_000), hours(207_001)) == (0, 48)


def test_a_burner_that_did_not_answer_may_have_run_or_not(project_texts, make_evidence, shown):
    parts = [
        shown("heat", "heat_total_j", dict.fromkeys(SLOTS, 10**15), interval_ms=HOUR_MS),
        shown("burner", "burner_state", dict.fromkeys(SLOTS, 1) | {SLOTS[12]: None}, interval_ms=HOUR_MS),
    ]
    result = result_of(project_texts["heat-only-boiler"](), make_evidence(parts))
    burner = result.monitored[1]
    assert [(part.low, part.high) for part in burner.by_vintage] == [(22, 24), (24, 24)]
    assert burner.coverage == Fraction(47, 48)
    assert {"state-unknown", "readings-no-answer"} <= codes(result)


def test_a_young_counter_that_can_be_reset_proves_only_the_low_end(solar):
    young = steady(start=MW_H)
    assert "counter-reset-not-excluded" in codes(solar(young, reset_source=None))
    assert solar(young).findings == ()


def test_readings_that_do_not_count_are_a_finding_for_each_reason_within_the_period_ends_included(solar):
    silent = (START_MS - HOUR_MS, START_MS, START_MS + HOUR_MS, END_MS, END_MS + HOUR_MS)
    result = solar(steady() | dict.fromkeys(silent, None))
    (finding,) = [finding for finding in result.findings if finding.code == "readings-no-answer"]
    assert (finding.severity, finding.clause, finding.point, finding.measurand) == (
        Severity.WARNING,
        "contracts 3",
        "bus",
        EXPORT,
    )
    assert finding.evidence == {
        "readings": "3",
        "first_ms": str(START_MS),
        "last_ms": str(END_MS),
        f"{START_MS}..{START_MS + HOUR_MS} ms": "2 readings",
        f"{END_MS}..{END_MS} ms": "1 readings",
    }
    assert (finding.interval.start_ms, finding.interval.end_ms) == (START_MS, END_MS + 1)


def test_a_finding_shows_the_first_ten_stretches_of_readings_and_counts_them_all(solar):
    silent = [slot for slot in SLOTS if START_MS <= slot <= END_MS][::2][:12]
    (finding,) = [
        one for one in solar(steady() | dict.fromkeys(silent, None)).findings if one.code == "readings-no-answer"
    ]
    assert finding.evidence["readings"] == "12"
    assert [key for key in finding.evidence if ".." in key] == [f"{slot}..{slot} ms" for slot in silent[:10]]


def test_a_step_that_ends_as_the_period_begins_or_begins_as_it_ends_is_no_finding_of_it(solar):
    values = steady()
    before = {slot: value if slot >= START_MS else value + 500 * MW_H for slot, value in values.items()}
    after = {slot: value if slot <= END_MS else value - 500 * MW_H for slot, value in values.items()}
    within = {slot: value if slot <= START_MS else value - 500 * MW_H for slot, value in values.items()}
    assert [{code for code in codes(solar(part)) if code == "counter-reset"} for part in (before, after, within)] == [
        set(),
        set(),
        {"counter-reset"},
    ]


def test_unsynchronised_readings_count_only_as_a_longer_pair(solar):
    doubtful = frozenset(slot for slot in SLOTS if NEW_YEAR_MS - 2 * HOUR_MS <= slot <= NEW_YEAR_MS + HOUR_MS)
    result = solar(unsynced=doubtful)
    # From 21:00 to 02:00, 5 MWh, nobody knows what belongs to which year.
    assert [(part.low, part.high) for part in result.monitored[0].by_vintage] == [(21, 26), (22, 27)]
    assert {"clock-unsynchronised", "vintage-boundary-unproved"} <= codes(result)
    assert result.monitored[0].coverage == Fraction(44, 48)
    assert result.monitored[0].longest_gap_ms == 5 * HOUR_MS


def test_a_meter_that_is_not_declared_earns_nothing(solar):
    result = solar(serial="S2")
    assert [vintage.integer for vintage in result.vintages] == [0, 0]
    (finding,) = [finding for finding in result.findings if finding.code == "meter-not-declared"]
    assert finding.evidence["readings"] == "49", "those of the period, its two ends included"


def test_a_span_of_another_meter_earns_nothing_and_no_difference_goes_across_it(project_texts, make_records, shown):
    foreign = {slot for slot in SLOTS if START_MS + 4 * HOUR_MS <= slot < START_MS + 8 * HOUR_MS}
    values = steady()
    streams = (
        ("01JZZZZZZZZZZZZZZZZZZZZZZ1", "S1", [slot for slot in SLOTS if slot < min(foreign)]),
        ("01JZZZZZZZZZZZZZZZZZZZZZZ2", "S2", sorted(foreign)),
        ("01JZZZZZZZZZZZZZZZZZZZZZZ3", "S1", [slot for slot in SLOTS if slot > max(foreign)]),
    )
    records = [
        data
        for stream, serial, slots in streams
        for data in make_records(
            [shown("bus", EXPORT, {slot: values[slot] for slot in slots}, serial=serial, interval_ms=HOUR_MS)],
            stream=stream,
        )
    ]
    result = result_of(project_texts["solar-pv"](), collect(records))
    # From 03:00 to 08:00 nothing is proved: 19 of 24 MWh.
    assert result.vintages[0].reduction.low == 19 * Fraction("0.797")
    assert {"meter-not-declared", "meter-changed"} <= codes(result)


def test_no_calibration_is_named_and_not_creditable(solar, project_texts):
    result = solar(text=project_texts["solar-pv"](calibrated=False))
    assert blocks(result) == {"no-calibration"}
    assert result.vintages[0].integer == 19  # computed and shown all the same
    assert not result.creditable


def test_a_late_calibration_moves_both_ends_by_the_maximum_permissible_error(solar, project_texts):
    late = project_texts["solar-pv"]().replace("date = 2025-06-01", "date = 2026-01-01")
    result = solar(text=late)
    # 0.5 % of 24 MWh in 2025; 2026 is covered.
    assert [(part.low, part.high) for part in result.monitored[0].by_vintage] == [
        (Fraction("23.88"), Fraction("24.12")),
        (24, 24),
    ]
    assert codes(result) == {"calibration-late"}
    assert result.creditable


def test_an_expired_calibration_is_late_too(solar, project_texts):
    expired = project_texts["solar-pv"]().replace("valid_until = 2027-06-01", "valid_until = 2026-01-01")
    assert [(part.low, part.high) for part in solar(text=expired).monitored[0].by_vintage] == [
        (24, 24),
        (Fraction("23.88"), Fraction("24.12")),
    ]


def test_an_unverified_device_map_blocks(solar):
    assert blocks(solar(tier="unverified")) == {"device-map-unverified"}


@pytest.mark.parametrize("mark", ["S", "M", "demonstration"])
def test_a_parameter_that_is_not_verified_blocks(solar, project_texts, mark):
    text = project_texts["solar-pv"]().replace('mark = "V"', f'mark = "{mark}"')
    assert blocks(solar(text=text)) == {"parameter-unverified"}


def test_a_value_that_the_methodology_does_not_list_blocks_whatever_its_mark(solar, project_texts):
    text = project_texts["solar-pv"]().replace('value = "0.797"', 'value = "0.9"')
    assert blocks(solar(text=text)) == {"parameter-not-in-methodology"}


def test_a_clock_that_runs_faster_than_time_blocks_and_widens_the_tolerance(solar):
    late = {NEW_YEAR_MS: 50_000}
    assert "vintage-boundary-unproved" in codes(solar(received_ms=late))
    scaled = solar(received_ms=late, factor=10.0)
    assert "vintage-boundary-unproved" not in codes(scaled)
    assert blocks(scaled) == {"scaled-clock"}


def test_readings_of_simulated_time_block_the_result(project_texts, make_evidence, shown):
    evidence = make_evidence([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
    births = tuple(birth.model_copy(update={"agent": "sakugen-backfill 0.1"}) for birth in evidence.births)
    evidence = replace(evidence, births=births)
    assert blocks(result_of(project_texts["solar-pv"](), evidence)) == {"simulated-readings"}


def test_held_evidence_blocks_the_result(project_texts, make_evidence, shown):
    evidence = make_evidence([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
    assert blocks(result_of(project_texts["solar-pv"](), evidence, held=2)) == {"held-evidence"}


def test_without_evidence_nothing_is_credited_and_it_says_so(project_texts):
    result = result_of(project_texts["solar-pv"](), collect([]))
    assert [vintage.integer for vintage in result.vintages] == [0, 0]
    assert [why.code for why in result.blocked_by] == ["no-evidence", "no-readings"]
    assert result.monitored[0].coverage == 0
    # 8.3 MW x 1.05 x 24 h, and not one quantum of a register that nobody read.
    assert [part.high for part in result.monitored[0].by_vintage] == [Fraction("209.16")] * 2


def test_a_reset_is_a_finding_with_its_evidence(solar):
    values = steady()
    reset_at = SLOTS[10]
    result = solar({slot: value if slot < reset_at else value - values[reset_at] for slot, value in values.items()})
    (finding,) = [finding for finding in result.findings if finding.code == "counter-reset"]
    assert (finding.severity, finding.point, finding.measurand) == (Severity.WARNING, "bus", EXPORT)
    assert finding.evidence["pairs"] == "1"
    # 10,009 MWh in words of 16 bits, and what the step counts as: R of 1 h and 15 ms, and one quantum.
    assert finding.evidence[f"{SLOTS[9]}..{reset_at} ms"] == (
        f"{values[SLOTS[9]]} (words 0000 091a 66e3 ba00) → 0 (words 0000 0000 0000 0000), counted as [0, 8715036313]"
    )


def test_under_the_first_ruleset_findings_say_what_they_always_said(project_texts, make_evidence, shown):
    values = steady()
    lower = {slot: value if slot < SLOTS[10] else value - values[SLOTS[10]] for slot, value in values.items()}
    project = parse_project(project_texts["solar-pv"]())
    part = shown("bus", EXPORT, lower, unsynced=frozenset(SLOTS[20:22]), interval_ms=HOUR_MS)
    result = compute(project, make_evidence([part]), project.period[0], ruleset("sakugen-rules/1"))
    found = {finding.code: finding.evidence for finding in result.findings}
    assert found["counter-reset"] == {
        "pairs": "1",
        f"{SLOTS[9]}..{SLOTS[10]} ms": "10009000000000 → 0, counted as [0, 8715036313]",
    }
    assert found["clock-unsynchronised"] == {
        "readings": "2",
        "first_ms": str(SLOTS[20]),
        "last_ms": str(SLOTS[21]),
    }


def test_the_order_of_records_changes_nothing(project_texts, make_records, shown):
    records = make_records([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS, unsynced=frozenset(SLOTS[:5]))])
    text = project_texts["solar-pv"]()
    forward, backward = result_of(text, collect(records)), result_of(text, collect(records[::-1] + records))
    assert forward == backward


def test_findings_come_by_code_then_by_point(project_texts, make_evidence, shown):
    doubtful = frozenset(SLOTS[5:7])
    parts = [
        shown("bus", EXPORT, steady(), unsynced=doubtful, interval_ms=HOUR_MS),
        shown("aux", "energy_import_total_wh", steady(), unsynced=doubtful, interval_ms=HOUR_MS),
    ]
    result = result_of(project_texts["solar-pv"](auxiliary=True), make_evidence(parts))
    assert [(finding.code, finding.point) for finding in result.findings] == [
        ("clock-unsynchronised", "aux"),
        ("clock-unsynchronised", "bus"),
        ("counter-gap-bridged", "aux"),
        ("counter-gap-bridged", "bus"),
    ]


def _parts(value):
    yield value
    if is_dataclass(value):
        for part in fields(value):
            yield from _parts(getattr(value, part.name))
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from (key, *_parts(member))
    elif isinstance(value, tuple):
        for member in value:
            yield from _parts(member)
    elif isinstance(value, Fraction):
        yield from (value.numerator, value.denominator)


def test_no_number_of_numpy_s_leaves_compute(solar):
    """They overflow in silence, and no statement can be written of them."""
    values = steady() | dict.fromkeys(SLOTS[3:5], None) | {SLOTS[9]: 5, NEW_YEAR_MS: None}
    result = solar({slot: value for slot, value in values.items() if slot < END_MS}, unsynced=frozenset(SLOTS[20:22]))
    assert len(codes(result)) >= 7
    assert [part for part in _parts(result) if isinstance(part, np.generic)] == []


def test_the_input_digest_moves_with_every_input(project_texts, make_records, make_evidence, shown):
    text = project_texts["solar-pv"]()
    records = make_records([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
    other = steady() | {SLOTS[-1]: steady()[SLOTS[-1]] + 1}
    digests = {
        result_of(text, collect(records)).input_digest,
        result_of(text.replace('"0.797"', '"0.533"'), collect(records)).input_digest,
        result_of(text.replace("8_300_000", "8_300_001"), collect(records)).input_digest,
        result_of(text, collect(records), held=1).input_digest,
        result_of(text, collect(records), until_ms=END_MS - HOUR_MS).input_digest,
        result_of(text, make_evidence([shown("bus", EXPORT, other, interval_ms=HOUR_MS)])).input_digest,
    }
    assert len(digests) == 6


def test_a_provisional_result_ends_where_it_is_told(project_texts, make_evidence, shown):
    evidence = make_evidence([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
    text = project_texts["solar-pv"]()
    result = result_of(text, evidence, until_ms=START_MS + 3 * HOUR_MS)
    assert [(vintage.year, vintage.reduction.low) for vintage in result.vintages] == [(2025, Fraction("2.391"))]
    with pytest.raises(PeriodError, match="has not begun"):
        result_of(text, evidence, until_ms=START_MS)


def test_a_negative_year_is_shown_and_takes_from_the_other(project_texts, make_evidence, shown):
    used = steady(power_mw=1)
    generated = {slot: value if slot >= NEW_YEAR_MS else used[NEW_YEAR_MS] for slot, value in used.items()}
    consumed = {slot: value if slot <= NEW_YEAR_MS else used[NEW_YEAR_MS] for slot, value in used.items()}
    parts = [
        shown("bus", EXPORT, generated, interval_ms=HOUR_MS),
        shown(
            "aux", "energy_import_total_wh", {slot: value // 4 for slot, value in consumed.items()}, interval_ms=HOUR_MS
        ),
    ]
    result = result_of(project_texts["solar-pv"](auxiliary=True), make_evidence(parts))
    # 2025: -24 MWh / 4 x 1.1501 = -6.9006, floored to -7; 2026: 19.128. Together 12 may be issued, not 19.
    assert [(vintage.reduction.low, vintage.integer, vintage.issuable) for vintage in result.vintages] == [
        (Fraction("-6.9006"), -7, 0),
        (Fraction("19.128"), 19, 12),
    ]


@pytest.mark.parametrize(
    ("integers", "shares"),
    [((5, 7), (5, 7)), ((-3, 10), (0, 7)), ((10, -3), (7, 0)), ((-9, 4), (0, 0)), ((4, -2, 3), (4, 0, 1))],
)
def test_no_vintage_is_issued_beyond_the_sum(integers, shares):
    assert issuable(integers) == shares


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Fraction(0), "0.000000000"),
        (Fraction(2, 3), "0.666666666"),
        (Fraction(-2, 3), "-0.666666667"),
        (Fraction(-1), "-1.000000000"),
        (Fraction(1, 10**10), "0.000000000"),
        (Fraction(-1, 10**10), "-0.000000001"),
        (19, "19.000000000"),
    ],
)
def test_decimals_are_rounded_toward_minus_infinity(amount, text):
    assert decimal_text(amount) == text


def test_the_evidence_reaches_26_hours_beyond_the_period(project_texts):
    project = parse_project(project_texts["solar-pv"]())
    window = evidence_window(project, project.period[0])
    assert (window.start_ms, window.end_ms) == (START_MS - 26 * HOUR_MS, END_MS + 26 * HOUR_MS)
