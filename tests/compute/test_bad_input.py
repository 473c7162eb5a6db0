"""Input that cannot be meant: an error that says where, or a finding by name, never a number that looks fine."""

import json
import struct
from dataclasses import replace
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from compute.engine import compute
from compute.errors import EvidenceError
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import collect
from metering import decode, record
from metering.devicemap import WordType
from metering.errors import RecordError
from metering.quality import Quality

HOUR_MS = 3_600_000
EXPORT = "energy_export_total_wh"
START_MS = midnight_ms(date(2025, 12, 31), ZoneInfo("Asia/Ulaanbaatar"))
SLOTS = range(START_MS - 2 * HOUR_MS, START_MS + 51 * HOUR_MS, HOUR_MS)
MW_H = 1_000_000_000


@pytest.fixture
def solar(project_texts):
    project = parse_project(project_texts["solar-pv"]())

    def build(evidence):
        return compute(project, evidence, project.period[0], ruleset())

    return build


@pytest.fixture
def evidence(make_evidence, shown):
    values = {slot: 10_000 * MW_H + place * MW_H for place, slot in enumerate(SLOTS)}
    return make_evidence([shown("bus", EXPORT, values, interval_ms=HOUR_MS)])


@pytest.fixture
def with_rows(evidence):
    """The evidence with changed columns of its one series."""

    def build(**columns):
        key = ("bus", EXPORT)
        return replace(evidence, by_key={key: replace(evidence.by_key[key], **columns)})

    return build


def test_sorted_readings_are_computed(solar, evidence):
    assert solar(evidence).findings == ()


@pytest.mark.parametrize("order", ["swapped", "repeated"])
def test_a_series_that_is_not_sorted_is_refused_with_the_place(solar, with_rows, evidence, order):
    time_ms = evidence.series("bus", EXPORT).time_ms.copy()
    time_ms[10:12] = time_ms[10:12][::-1] if order == "swapped" else time_ms[10]
    with pytest.raises(EvidenceError, match=rf"point 'bus', {EXPORT}: slot {time_ms[11]} ms stands behind slot"):
        solar(with_rows(time_ms=time_ms))


def test_a_record_of_slots_in_disorder_is_no_record(make_records, shown):
    readings = make_records([shown("bus", EXPORT, dict.fromkeys(SLOTS[:3], MW_H), interval_ms=HOUR_MS)])[1]
    line, newline, signature = readings.partition(b"\n")
    document = json.loads(line)
    document["groups"][0]["slots"].reverse()
    with pytest.raises(RecordError, match="strictly increase"):
        record.parse(json.dumps(document, separators=(",", ":")).encode() + newline + signature)


def test_a_record_in_another_unit_than_its_measurand_is_no_record(make_records, shown):
    birth = make_records([shown("bus", EXPORT, dict.fromkeys(SLOTS[:3], MW_H), interval_ms=HOUR_MS)])[0]
    assert b'"quantum":"mWh"' in birth
    with pytest.raises(RecordError, match="energy_export_total_wh in J"):
        collect([birth.replace(b'"quantum":"mWh"', b'"quantum":"J"')])


@pytest.mark.parametrize(
    ("number", "quality"),
    [(float("nan"), Quality.SENTINEL), (float("inf"), Quality.OUT_OF_RANGE), (float("-inf"), Quality.OUT_OF_RANGE)],
)
def test_what_is_no_number_is_a_reading_without_value_and_told_by_name(solar, with_rows, evidence, number, quality):
    series = evidence.series("bus", EXPORT)
    register = replace(series.bindings[0].register, type=WordType.F32)
    words = struct.unpack(">2H", struct.pack(">f", number))
    assert decode.decode(register, words) is quality
    code = series.quality.copy()
    code[20] = quality
    result = solar(with_rows(quality=code, value=np.where(code == 0, series.value, 0)))
    assert {finding.code for finding in result.findings} == {f"readings-{quality.label}", "counter-gap-bridged"}
    assert result.monitored[0].low == Fraction(48)
