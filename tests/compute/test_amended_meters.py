"""Exchanged meters, other transformers, wrong device maps and checks on site: on bad and on clean data."""

import hashlib
from dataclasses import fields, replace
from datetime import date, datetime
from fractions import Fraction
from math import ceil
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from computekit.records import STREAM, map_text

from compute.amended import amend
from compute.declared import parse_declared
from compute.engine import compute, evidence_window
from compute.errors import AmountOverflowError
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import Evidence, collect
from ingest.store.series import ArchivedSeries, NoWords
from metering.config import ConfigError
from metering.quality import Quality

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
MW_H = 1_000_000_000
FIRST = 10_000 * MW_H
EXPORT = "energy_export_total_wh"
NOON_MS = START_MS + 12 * HOUR_MS
CLEAN = [Fraction("19.128"), Fraction("19.128")]
HOUR_T = Fraction("0.797")
SLOTS = range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS)


def steady(slots=SLOTS, first=FIRST, each=MW_H):
    return {slot: first + place * each for place, slot in enumerate(slots)}


def at(moment_ms):
    return datetime.fromtimestamp(moment_ms / 1000, ZONE).isoformat()


def lows(result):
    return [vintage.reduction.low for vintage in result.vintages]


def highs(result):
    return [vintage.reduction.high for vintage in result.vintages]


def codes(result):
    return {finding.code for finding in result.findings}


def blocks(result):
    return {why.code for why in result.blocked_by}


@pytest.fixture(scope="module")
def text(project_texts):
    return project_texts["solar-pv"]()


@pytest.fixture(scope="module")
def computed(text, make_evidence):
    """`computed(parts, [file, ...])`: the result of the project with those declared values."""

    def build(parts, *files, project_text=text):
        project = parse_project(project_text)
        evidence = parts if isinstance(parts, Evidence) else make_evidence(parts)
        return compute(project, evidence, project.period[0], ruleset(), declared=parse_declared(dict(files)))

    return build


# --- exchanges -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_meters(shown, make_records):
    """The old meter up to 11:00, the new one from 13:00 on; it counts from 5 MWh."""
    old = steady(range(SLOTS.start, NOON_MS, HOUR_MS))
    new = steady(range(NOON_MS + HOUR_MS, SLOTS.stop, HOUR_MS), first=6 * MW_H)
    before = make_records([shown("bus", EXPORT, old, interval_ms=HOUR_MS)])
    after = make_records([shown("bus", EXPORT, new, serial="S2", interval_ms=HOUR_MS)], stream=STREAM[:-1] + "0")
    return collect([*before, *after])


@pytest.fixture(scope="module")
def exchange(declaration):
    def build(**changes):
        given = {
            "removed_at": at(NOON_MS - 720_000),
            "installed_at": at(NOON_MS + 720_000),
            "closing": f'"{(FIRST + 14 * MW_H - MW_H // 5) // 1000}"',
            "opening": f'"{(5 * MW_H + MW_H // 5) // 1000}"',
        }
        return declaration("meter-exchange", **given | changes)

    return build


def test_a_meter_with_another_serial_is_credited_again_only_when_its_exchange_is_declared(
    computed, two_meters, exchange
):
    without, declared = computed(two_meters), computed(two_meters, exchange())
    assert "meter-not-declared" in codes(without)
    assert lows(without)[1] == 0
    assert "meter-not-declared" not in codes(declared)
    assert lows(declared)[1] == CLEAN[1]
    assert "meter-changed" in codes(declared)


def test_closing_and_opening_registers_leave_only_the_minutes_between_them_in_doubt(computed, two_meters, exchange):
    with_registers = computed(two_meters, exchange())
    file, data = exchange()
    bare = data[: data.index(b"\n[[register]]")] + b"\n"
    without = computed(two_meters, (file, bare))
    assert lows(without)[0] == CLEAN[0] - 2 * HOUR_T
    # 1 MW over 24 minutes, in which no meter stood there, is lost; two minutes of a person's watch are doubted, too.
    assert lows(with_registers)[0] == CLEAN[0] - HOUR_T * 2 / 5
    assert highs(with_registers)[0] < highs(without)[0]


def test_a_coarse_closing_register_is_told_and_proves_nothing(computed, two_meters, exchange):
    coarse = computed(two_meters, exchange(resolution='"1000"'))
    assert lows(coarse)[0] == CLEAN[0] - 2 * HOUR_T
    assert "declared-reading-unused" in codes(coarse)


def test_an_exchange_changes_nothing_of_a_point_that_it_does_not_name(computed, shown, exchange, project_texts):
    both = project_texts["solar-pv"](auxiliary=True)
    parts = [
        shown("bus", EXPORT, steady(), interval_ms=HOUR_MS),
        shown("aux", "energy_import_total_wh", steady(each=MW_H // 4), interval_ms=HOUR_MS),
    ]
    clean = computed(parts, project_text=both)
    result = computed(parts, exchange(point='"aux"'), project_text=both)
    rows = {row.point: (row.low, row.high) for row in clean.monitored}
    again = {row.point: (row.low, row.high) for row in result.monitored}
    assert again["bus"] == rows["bus"]
    assert again["aux"] != rows["aux"]


NEW_METER = """
[[meter]]
point = "bus"
make = "Test"
model = "Meter"
serial = "S2"
installed_from = {installed}
accuracy_class = "0.5S"
"""


def _text_with_both(text, removed, installed):
    old = text.replace('accuracy_class = "0.5S"\n', f'accuracy_class = "0.5S"\ninstalled_until = {removed}\n')
    return old + NEW_METER.format(installed=installed)


def test_project_toml_may_say_the_same_as_the_exchange_and_nothing_else(computed, text, two_meters, exchange):
    removed, installed = at(NOON_MS - 720_000), at(NOON_MS + 720_000)
    agreed = _text_with_both(text, removed, installed)
    assert lows(computed(two_meters, exchange(), project_text=agreed)) == lows(computed(two_meters, exchange()))
    for other in (_text_with_both(text, at(NOON_MS), installed), _text_with_both(text, removed, at(NOON_MS + 60_000))):
        with pytest.raises(
            ConfigError, match=r"0001-meter-exchange-test.toml:\d+: (removed|installed)_at: project.toml"
        ):
            computed(two_meters, exchange(), project_text=other)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"removed": '{ make = "Test", model = "Meter", serial = "S9" }'}, "removed: no such meter at point 'bus'"),
        ({"project": '"other"'}, "project: it is of another project, and this is 'test'"),
        ({"point": '"roof"'}, "point: no such point in project.toml; declared there: bus"),
        ({"removed_at": "2024-12-31T00:00:00+08:00"}, "removed_at: Test Meter S1 was installed only at"),
    ],
)
def test_an_exchange_that_the_project_knows_nothing_of_is_a_fault(computed, two_meters, exchange, changes, said):
    with pytest.raises(ConfigError, match=said):
        computed(two_meters, exchange(**changes))


def test_no_third_meter_stands_where_one_is_exchanged(computed, text, two_meters, exchange):
    third = _text_with_both(text, at(NOON_MS - 720_000), at(NOON_MS + 24 * HOUR_MS)).replace('"S2"', '"S9"')
    with pytest.raises(ConfigError, match="another meter stands at this point then"):
        computed(two_meters, exchange(), project_text=third)


def test_a_meter_may_come_from_another_point(two_meters, exchange, project_texts):
    both = project_texts["solar-pv"](auxiliary=True)
    head, aux, tail = both.partition('[[point]]\nid = "aux"')
    project = parse_project(head + aux + tail.replace('serial = "S1"', 'serial = "S2"'))
    span = evidence_window(project, project.period[0])
    amended = amend(project, two_meters, parse_declared(dict([exchange()])), span)
    assert [meter.serial for meter in amended.project.meters_of("bus")] == ["S1", "S2"]
    assert [meter.serial for meter in amended.project.meters_of("aux")] == ["S2"]


def test_exchanges_follow_each_other(text, exchange, declaration, two_meters):
    file, data = declaration(
        "meter-exchange",
        number=2,
        name="second",
        removed='{ make = "Test", model = "Meter", serial = "S2" }',
        removed_at=at(END_MS),
        installed='{ make = "Test", model = "Meter", serial = "S3", accuracy_class = "0.2S" }',
        installed_at=at(END_MS),
    )
    project = parse_project(text)
    span = evidence_window(project, project.period[0])
    amended = amend(project, two_meters, parse_declared(dict([exchange(), (file, data)])), span)
    stood = [(meter.serial, meter.installed_until) for meter in amended.project.meters_of("bus")]
    assert [serial for serial, _ in stood] == ["S1", "S2", "S3"]
    assert [None if until is None else int(until.timestamp() * 1000) for _, until in stood] == [
        NOON_MS - 720_000,
        END_MS,
        None,
    ]


@pytest.mark.parametrize(("serial", "moment_ms"), [("S1", NOON_MS + 1_080_000), ("S2", NOON_MS - HOUR_MS)])
def test_a_meter_that_does_not_stand_at_the_point_shows_nothing_of_it(
    computed, two_meters, exchange, declaration, serial, moment_ms
):
    """It may be read in a workshop, before and after; that is no reading of the point."""
    changes = {"meter": f'{{ make = "Test", model = "Meter", serial = "{serial}" }}', "resolution": '"0.001"'}
    elsewhere = declaration("register-reading", number=2, at=at(moment_ms), **changes)
    result = computed(two_meters, exchange(), elsewhere)
    assert lows(result) == lows(computed(two_meters, exchange()))
    (finding,) = (finding for finding in result.findings if finding.code == "declared-reading-unused")
    assert f"Test Meter {serial} did not stand at this point then" in finding.what


@pytest.mark.parametrize("kind", ["register-reading", "calibration", "integrity-check"])
def test_a_meter_that_nobody_declared_is_a_fault(computed, two_meters, declaration, kind):
    other = declaration(kind, meter='{ make = "Test", model = "Meter", serial = "S2" }')
    with pytest.raises(ConfigError, match="meter: no such meter at point 'bus'; declared there: Test Meter S1"):
        computed(two_meters, other)


# --- transformers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(shown):
    return [shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)]


def test_what_a_meter_counts_is_multiplied_where_the_transformer_has_another_ratio(computed, plain, declaration):
    change = declaration("ct-change", from_=at(START_MS - 30 * HOUR_MS), until=at(END_MS + 30 * HOUR_MS))
    result = computed(plain, change)
    assert lows(result) == highs(result) == [low * 4 / 5 for low in CLEAN]
    (finding,) = (finding for finding in result.findings if finding.code == "ct-changed")
    assert finding.evidence["factor"] == "4/5"
    assert finding.evidence[f"{SLOTS.start} ms"] == f"{FIRST} → {FIRST * 4 // 5}"


def test_nothing_is_proved_across_a_change_of_transformers(computed, plain, declaration):
    result = computed(plain, declaration("ct-change", from_=at(NOON_MS), until=at(END_MS + 30 * HOUR_MS)))
    # Up to 11:00 as it is, from 12:00 on × 4/5; the hour between the two readings is doubted.
    assert lows(result)[0] == HOUR_T * (11 + 12 * Fraction(4, 5))
    assert highs(result)[0] > lows(result)[0] + HOUR_T * 8
    assert "meter-changed" in codes(result)


def test_a_change_of_transformers_elsewhere_or_at_another_time_does_nothing(computed, plain, declaration):
    other = declaration("ct-change", from_=at(END_MS + 30 * HOUR_MS), until=at(END_MS + 40 * HOUR_MS))
    result = computed(plain, other)
    assert (lows(result), codes(result)) == (CLEAN, set())


def test_voltages_do_not_pass_through_current_transformers(text, make_evidence, shown, declaration):
    project = parse_project(text)
    parts = [shown("bus", "voltage_l1_v", {START_MS: 230_000}), shown("bus", "active_power_w", {START_MS: 7})]
    change = declaration("ct-change", from_=at(START_MS - HOUR_MS), until=at(END_MS))
    amended = amend(
        project, make_evidence(parts), parse_declared(dict([change])), evidence_window(project, project.period[0])
    )
    assert amended.evidence.series("bus", "voltage_l1_v").value.tolist() == [230_000]
    assert amended.evidence.series("bus", "active_power_w").value.tolist() == [6]


def test_a_transformer_or_a_map_of_one_point_is_none_of_another(
    project_texts, make_evidence, shown, declaration, remap
):
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    evidence = make_evidence([shown(point, EXPORT, {START_MS: 1000}, interval_ms=HOUR_MS) for point in ("bus", "aux")])
    span = evidence_window(project, project.period[0])
    change = declaration("ct-change", from_=at(START_MS - HOUR_MS), until=at(END_MS))
    for (file, data), value in ((change, 800), (remap(), 2000)):
        amended = amend(project, evidence, parse_declared({file: data}), span).evidence
        assert amended.series("bus", EXPORT).value.tolist() == [value]
        assert amended.series("aux", EXPORT).value.tolist() == [1000]


@pytest.mark.parametrize(("value", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4), (-3, -2), (-5, -2)])
def test_a_multiplied_value_is_rounded_as_decoding_rounds_it(text, make_evidence, shown, declaration, value, rounded):
    """Half to even, so that the raw words decoded with the multiplied register give the same."""
    project = parse_project(text)
    change = declaration(
        "ct-change", from_=at(START_MS - HOUR_MS), until=at(END_MS), ratio_in_meter='"2"', ratio_in_place='"1"'
    )
    evidence = make_evidence([shown("bus", "active_power_w", {START_MS: value})])
    amended = amend(project, evidence, parse_declared(dict([change])), evidence_window(project, project.period[0]))
    series = amended.evidence.series("bus", "active_power_w")
    assert series.value.tolist() == [series.decoded_again(0)] == [rounded]


def test_a_factor_that_leaves_int64_is_an_error(computed, plain, declaration):
    change = declaration(
        "ct-change", from_=at(START_MS), until=at(END_MS), ratio_in_place='"1e18"', ratio_in_meter='"1"'
    )
    with pytest.raises(AmountOverflowError, match="bus energy_export_total_wh"):
        computed(plain, change)


# --- remaps --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def remap(declaration, plain, shown):
    """The words of `plain`, with a scale that is twice as coarse, as somebody found out later."""

    def build(replacement=None, **changes):
        right = map_text(shown("bus", EXPORT, {}, scale="0.002"))
        given = {
            "map": f'"{hashlib.sha256(map_text(plain[0]).encode()).hexdigest()}"',
            "replacement": replacement or right,
            "from_": at(START_MS - 30 * HOUR_MS),
            "until": at(END_MS + 30 * HOUR_MS),
        }
        return declaration("remap", **given | changes)

    return build


def test_the_same_words_are_decoded_again_with_the_map_that_was_declared(computed, plain, remap):
    result = computed(plain, remap())
    assert lows(result) == highs(result) == [2 * low for low in CLEAN]
    (finding,) = (finding for finding in result.findings if finding.code == "readings-remapped")
    first = finding.evidence[f"{SLOTS.start} ms"]
    assert first == f"{FIRST} → {2 * FIRST} (words 0000 0918 4e72 a000)"
    assert finding.evidence["readings"] == str(len(SLOTS))


def test_a_remap_counts_from_its_beginning_to_its_end_and_nothing_is_proved_across(computed, plain, remap):
    result = computed(plain, remap(until=at(NEW_YEAR_MS)))
    assert lows(result)[1] == CLEAN[1]
    assert lows(result)[0] == 2 * (CLEAN[0] - HOUR_T)
    assert "meter-changed" in codes(result)


def test_a_remap_of_another_map_or_point_does_nothing(computed, plain, remap):
    assert lows(computed(plain, remap(map='"' + "1" * 64 + '"'))) == CLEAN


@pytest.mark.parametrize(
    ("here", "there"), [('name = "value"', 'name = "other"'), (EXPORT, "energy_import_total_wh"), ("= 0", "= 9")]
)
def test_what_the_declared_map_does_not_hold_has_no_value(text, make_evidence, plain, remap, shown, here, there):
    other = map_text(shown("bus", EXPORT, {})).replace(here, there)
    project = parse_project(text)
    amended = amend(
        project, make_evidence(plain), parse_declared(dict([remap(other)])), evidence_window(project, project.period[0])
    )
    series = amended.evidence.series("bus", EXPORT)
    assert np.unique(series.quality).tolist() == [Quality.BAD_FRAME]
    assert not np.any(series.value)


def test_the_declared_map_stands_in_for_the_other_one_also_in_how_well_it_is_known(computed, shown, declaration):
    known, unknown = (
        [shown("bus", EXPORT, steady(), interval_ms=HOUR_MS, tier=tier)] for tier in ("bench", "unverified")
    )

    def remapped(parts, tier):
        file, data = declaration(
            "remap",
            map=f'"{hashlib.sha256(map_text(parts[0]).encode()).hexdigest()}"',
            replacement=map_text(shown("bus", EXPORT, {}, tier=tier)),
            from_=at(START_MS - 30 * HOUR_MS),
            until=at(END_MS + 30 * HOUR_MS),
        )
        return computed(parts, (file, data))

    assert "device-map-unverified" in blocks(remapped(known, "unverified"))
    assert "device-map-unverified" not in blocks(remapped(unknown, "bench"))


# --- readings from the archive -------------------------------------------------------------------------------------


@pytest.fixture
def archived(make_evidence, plain):
    """The same readings without their words, as the archive gives them."""
    evidence = make_evidence(plain)
    series = evidence.series("bus", EXPORT)
    columns = {field.name: getattr(series, field.name) for field in fields(series)}
    columns["raw_text"] = NoWords(len(series))
    bare = ArchivedSeries(**columns, steps=np.full(len(series), 3, np.int64))
    return replace(evidence, by_key={("bus", EXPORT): bare})


def test_without_words_nothing_can_be_decoded_again_so_nothing_is_proved(computed, archived, remap):
    result = computed(archived, remap())
    assert lows(result) == [0, 0]
    assert "readings-bad-frame" in codes(result)


def test_displays_and_transformers_are_put_into_archived_readings_too(text, archived, declaration):
    project = parse_project(text)
    reading = declaration("register-reading", at=at(END_MS + 7 * HOUR_MS), value='"10000050"', resolution='"1000"')
    change = declaration("ct-change", number=2, from_=at(NEW_YEAR_MS), until=at(END_MS + 30 * HOUR_MS))
    declared = parse_declared(dict([reading, change]))
    amended = amend(project, archived, declared, evidence_window(project, project.period[0]))
    series = amended.evidence.series("bus", EXPORT)
    assert isinstance(series, ArchivedSeries)
    columns = [getattr(series, field.name) for field in fields(series)]
    assert {len(column) for column in columns if isinstance(column, np.ndarray | NoWords)} == {len(SLOTS) + 1}
    assert series.steps.tolist() == [3] * 26 + [ceil(3 * 0.8)] * (len(SLOTS) - 26) + [0]


# --- checks on site ------------------------------------------------------------------------------------------------


def test_a_check_on_site_vouches_for_a_map_that_nobody_had_verified(computed, shown, declaration):
    parts = [shown("bus", EXPORT, steady(), interval_ms=HOUR_MS, tier="unverified")]
    digest = hashlib.sha256(map_text(parts[0]).encode()).hexdigest()
    file, data = declaration("integrity-check")
    with_map = data.replace(b"passed = true\n", f'passed = true\nmap = "{digest}"\n'.encode())
    assert "device-map-unverified" in blocks(computed(parts))
    assert "device-map-unverified" in blocks(computed(parts, (file, data)))
    assert blocks(computed(parts, (file, with_map))) == set()
    failed = computed(parts, (file, with_map.replace(b"passed = true", b"passed = false")))
    assert blocks(failed) == {"device-map-unverified", "integrity-check-failed"}


def test_what_a_correction_replaces_does_nothing(computed, plain, declaration):
    first, one = declaration("integrity-check", passed="false")
    second, two = declaration("integrity-check", number=2, replaces=hashlib.sha256(one).hexdigest())
    assert blocks(computed(plain, (first, one))) == {"integrity-check-failed"}
    assert blocks(computed(plain, (first, one), (second, two))) == set()
