"""One reading down to its words: what a verifier needs to decode it, and why it does not count where it does not."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from computekit.records import Shown, records_of

from compute.declared import parse_declared
from compute.explain.readings import Told, reading_step, why_not
from compute.explain.records import tellings
from compute.explain.step import Made
from compute.pairs import Pair
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.sources import EVERYTHING, Believed
from compute.vintages import midnight_ms
from ingest.store.readings import collect
from metering import record
from metering.decode import Block, decode, pack_words
from metering.quality import Quality
from metering.registers import ScaleRegister

EXPORT = "energy_export_total_wh"
START_MS = midnight_ms(date(2025, 12, 31), ZoneInfo("Asia/Ulaanbaatar"))
SLOTS = tuple(START_MS + place * 900_000 for place in range(12))
VALUE = 0x0123_4567_89AB


@pytest.fixture
def read(project_texts):
    """`read({slot: value}, ...)` gives what `reading_step` takes: where it comes from, and the series."""

    def build(values, **more):
        records = records_of([Shown("bus", EXPORT, values, **more)])
        evidence = collect(records)
        asked = {("bus", EXPORT, slot) for slot in values}
        project = parse_project(project_texts["solar-pv"]())
        return Told(project, evidence, tellings(records, asked)), evidence.series("bus", EXPORT), records

    return build


def facts(step):
    return {fact.name: fact.value for fact in step.facts}


def test_a_reading_tells_its_words_its_register_and_its_map(read):
    told, series, _ = read({SLOTS[0]: VALUE * 1000}, scale="1", modulus="10000000000000000")
    step = reading_step(told, series, 0, EVERYTHING)
    assert (step.made, step.value, step.unit) == (Made.DECODED, Pair(VALUE * 1000, VALUE * 1000), "mWh")
    said = facts(step)
    assert said["words"] == "0000 0123 4567 89ab"
    assert said["words decode to"] == VALUE * 1000
    assert (said["function and address"], said["scale"], said["register"]) == ("3 0", 1, "value")
    assert said["type"] == "s64, 4 words, big words first, big bytes first"
    assert said["modulus"] == "10000000000000000 register steps"
    assert said["cannot be reset"] == "datasheet page 1: the total cannot be reset"
    device = next(iter(told.evidence.maps.values()))
    assert (said["device map"], said["map of"]) == (device.digest, f"Test {device.model}, bench")
    assert said["map source 1"] == "datasheet, the manual"
    assert (said["meter"], said["device"]) == ("Test Meter S1", "device-0, unit 1, poll group device-0/all")


def test_the_words_that_are_told_decode_to_the_value_that_is_told(read):
    told, series, _ = read({slot: VALUE + 977 * place for place, slot in enumerate(SLOTS)})
    for row in range(len(series)):
        step = reading_step(told, series, row, EVERYTHING)
        words = [int(word, 16) for word in facts(step)["words"].split()]
        assert decode(series.bound(row).register, words) == step.value.low


def test_a_reading_tells_when_it_was_asked_for_and_answered(read):
    told, series, _ = read({SLOTS[0]: 5}, received_ms={SLOTS[0]: 1_250}, sent_ms={SLOTS[0]: 1_000})
    said = facts(reading_step(told, series, 0, EVERYTHING))
    assert (said["slot_utc"], said["request_utc"], said["answer_utc"]) == (
        "2025-12-30T16:00:00Z",
        "2025-12-30T16:00:01Z",
        "2025-12-30T16:00:01.250Z",
    )


def test_a_reading_names_the_signed_record_that_carries_it(read):
    told, series, records = read({SLOTS[0]: 5})
    (below,) = reading_step(told, series, 0, EVERYTHING).steps
    assert (below.kind, below.value) == ("record", Pair(5, 5))
    assert facts(below) == {
        "gateway": "site/gw",
        "stream": record.parse(records[1]).stream,
        "seq": 2,
        "sha256": record.digest_of(records[1]),
        "says": "5 mWh, ok",
    }


def test_a_slot_without_an_answer_has_no_value_and_says_why(read):
    told, series, _ = read({SLOTS[0]: None})
    step = reading_step(told, series, 0, EVERYTHING)
    assert (step.value, facts(step)["words"], facts(step)["counts"]) == (None, "none", "no: its quality is no-answer")
    assert step.steps[0].value is None
    assert facts(step.steps[0])["says"] == "no-answer"


def test_a_value_without_words_is_told_as_given(read):
    told, series, _ = read({SLOTS[0]: 5})
    bare = replace(series, raw_text=("",))
    step = reading_step(told, bare, 0, EVERYTHING)
    assert (step.made, step.value, facts(step)["words"]) == (Made.GIVEN, Pair(5, 5), "none")


def test_a_scale_register_is_told_with_its_word(read):
    told, series, _ = read({SLOTS[0]: 5})
    bound = series.bindings[0]
    register = replace(bound.register, scale_register=ScaleRegister(4))
    scaled = replace(bound, register=register, blocks=(Block(3, 0, 5),))
    series = replace(series, bindings=(scaled,), raw_text=(pack_words([0, 0, 0, 25, 2]),))
    said = facts(reading_step(told, series, 0, EVERYTHING))
    assert (said["words"], said["scale word"], said["scale register"]) == ("0000 0000 0000 0019", "0002", "3 4")
    assert said["words decode to"] == 2500


def test_a_value_that_its_words_do_not_say_is_not_told_as_decoded(read):
    told, series, _ = read({SLOTS[0]: 5})
    step = reading_step(told, replace(series, value=series.value + 1), 0, EVERYTHING)
    assert (step.made, step.value, facts(step)["words decode to"]) == (Made.GIVEN, Pair(6, 6), 5)
    assert step.rule.text.startswith("not what the words say")


@pytest.mark.parametrize("kind", ["register-reading", "meter-exchange"])
def test_a_value_read_from_a_display_names_what_declares_it(read, declaration, kind):
    noon_ms = midnight_ms(date(2026, 1, 1), ZoneInfo("Asia/Ulaanbaatar")) + 12 * 3_600_000
    at_ms = noon_ms if kind == "register-reading" else noon_ms - 3 * 3_600_000
    told, series, _ = read({at_ms + 1: 5, at_ms + 60_000: 6})
    name, data = declaration(kind)
    told = replace(told, declared=parse_declared({name: data}))
    bare = replace(series, raw_text=("",) * len(series))
    (_, by_people), later = (reading_step(told, bare, row, EVERYTHING).steps for row in (0, len(series) - 1))
    assert by_people.kind == "declared"
    assert facts(by_people)["sha256"] == told.declared[0].digest
    assert (facts(by_people)["who"], facts(by_people)["source"]) == (
        "A. Person, plant manager",
        "log book, 2026-01-01, 12",
    )
    assert [step.kind for step in later] == ["record"]  # a minute later it is another value
    assert len(reading_step(told, series, 0, EVERYTHING).steps) == 1  # words speak for themselves


def test_why_a_reading_does_not_count_is_told(read):
    told, series, _ = read(dict.fromkeys(SLOTS, 5), unsynced=frozenset(SLOTS[:1]))
    assert why_not(told, series, 0, EVERYTHING) == "the gateway's clock was not synchronised"
    assert why_not(told, series, 1, EVERYTHING) is None
    assert why_not(told, series, 1, Believed(least=6)) == "its value cannot be"
    rule = replace(ruleset().frozen_voltage, least_steps=1)
    assert (
        why_not(told, series, 2, Believed(frozen=rule)) == "it repeats the ones before to the last digit for too long"
    )
    other, exchanged, _ = read({SLOTS[0]: 5}, serial="S2")
    assert why_not(other, exchanged, 0, EVERYTHING) == "meter Test Meter S2 is not declared for this point then"
    marked = replace(series, quality=series.quality + Quality.LATE_READ)
    assert why_not(told, marked, 1, EVERYTHING) == "its quality is late-read"
