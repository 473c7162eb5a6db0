"""Which readings may count, and how far apart two values of a register are."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from computekit import registers

from compute.judged import Presence, presence
from compute.law import Cuts, Law
from compute.measured import sample_segment
from compute.project import parse_project
from compute.sources import (
    NOWHERE,
    _float_steps,
    counter_modulus,
    counter_readings,
    declared_meter,
    energised_samples,
    running_samples,
)
from compute.track import Track
from ingest.store.series import Binding, Meter, Series, empty_series
from metering import decode
from metering.interval import Interval
from metering.quality import Quality

METER = Meter("Test", "Meter", "S1")
JUNE_MS = 1_748_707_200_000  # 2025-06-01T00:00:00+08:00
MINUTE_MS = 60_000


def register_of(word_type="u32", more='scale = "1"'):
    return registers.register_of("heat_total_j", word_type, more)


def bound(register=None, meter=METER, interval_ms=MINUTE_MS, blocks=()):
    return Binding("device/all", "device", meter, "0" * 64, register or register_of(), 1, interval_ms, blocks)


def series_of(*rows, point="heat", **columns):
    """A row is a value and what it was read with; a minute apart, asked after 1 s and answered after 2 s."""
    bindings = tuple(dict.fromkeys(binding for _, binding in rows))
    time_ms = JUNE_MS + np.arange(len(rows), dtype=np.int64) * MINUTE_MS
    return replace(
        Series(
            point=point,
            measurand="heat_total_j",
            time_ms=time_ms,
            value=np.array([value for value, _ in rows], np.int64),
            quality=np.zeros(len(rows), np.uint8),
            sent_ms=time_ms + 1_000,
            received_ms=time_ms + 2_000,
            synced=np.ones(len(rows), np.bool_),
            binding=np.array([bindings.index(binding) for _, binding in rows], np.int32),
            bindings=bindings,
            raw_text=("",) * len(rows),
        ),
        **columns,
    )


@pytest.fixture
def boiler(project_texts):
    """The project, its meters' dates to be set: `boiler(from, until)`."""

    def build(installed_from="2025-01-01T00:00:00+08:00", installed_until=None):
        until = "" if installed_until is None else f"\ninstalled_until = {installed_until}"
        text = project_texts["heat-only-boiler"]()
        return parse_project(
            text.replace("installed_from = 2025-01-01T00:00:00+08:00", f"installed_from = {installed_from}{until}")
        )

    return build


def test_a_meter_counts_from_the_instant_it_was_installed_up_to_but_not_including_the_one_it_was_taken_away(boiler):
    project = boiler("2025-06-01T00:01:00+08:00", "2025-06-01T00:03:00+08:00")
    series = series_of(*[(1, bound())] * 5)
    assert declared_meter(project, series).tolist() == [NOWHERE, 0, 0, NOWHERE, NOWHERE]


@pytest.mark.parametrize(
    "other", [Meter("Text", "Meter", "S1"), Meter("Test", "Mater", "S1"), Meter("Test", "Meter", "S2")]
)
def test_a_meter_of_another_make_model_or_serial_is_not_the_declared_one(boiler, other):
    assert declared_meter(boiler(), series_of((1, bound(meter=other)))).tolist() == [NOWHERE]


def test_only_ok_readings_of_the_declared_meter_under_a_synchronised_clock_are_usable(boiler):
    rows = [(1, bound())] * 5 + [(1, bound(meter=Meter("Test", "Meter", "S2")))]
    found = counter_readings(
        boiler(),
        series_of(
            *rows,
            quality=np.array([0, Quality.LATE_READ, Quality.CONFLICT, 0, 0, 0], np.uint8),
            synced=np.array([1, 1, 1, 0, 1, 1], np.bool_),
        ),
    )
    assert found.usable.tolist() == [1, 0, 0, 0, 1, 0]


def test_a_request_that_a_clock_set_back_puts_after_its_answer_counts_as_sent_with_it(boiler):
    series = series_of((1, bound()), (2, bound()))
    found = counter_readings(boiler(), replace(series, sent_ms=series.time_ms + np.array([1_000, 3_000])))
    assert (found.request_ms - series.time_ms).tolist() == [1_000, 2_000]
    assert (found.answer_ms - series.time_ms).tolist() == [2_000, 2_000]


def test_each_change_of_the_meter_or_of_the_register_begins_another_epoch_also_when_it_changes_back(boiler):
    first, other = bound(), bound(register_of(more='scale = "10"'))
    foreign = bound(meter=Meter("Test", "Meter", "S2"))
    rows = [first, first, other, other, first, foreign, other, other]
    found = counter_readings(boiler(), series_of(*((1, row) for row in rows)))
    assert found.epoch.tolist() == [0, 0, 1, 1, 2, 3, 4, 4]
    assert counter_readings(boiler(), series_of((1, first))).epoch.tolist() == [0]
    assert counter_readings(boiler(), empty_series("heat", "heat_total_j")).epoch.tolist() == []


def test_a_counter_can_be_reset_unless_every_register_it_was_read_from_has_a_source_that_says_no(boiler):
    sealed = bound(register_of(more='scale = "1"\nreset_source = "page 1: cannot be reset"'))
    assert not counter_readings(boiler(), series_of((1, sealed))).resettable
    assert counter_readings(boiler(), series_of((1, bound()))).resettable
    assert counter_readings(boiler(), series_of((1, sealed), (2, bound()))).resettable


def test_the_step_of_an_integer_register_is_its_scale_rounded_up(boiler):
    rows = [(1, bound(register_of(more=f'scale = "{scale}"'))) for scale in ("1", "3600000", "0.3", "2.5")]
    assert counter_readings(boiler(), series_of(*rows)).step.tolist() == [1, 3_600_000, 1, 3]


def test_the_step_of_a_scaled_register_is_the_one_that_each_reading_tells(boiler):
    scaled = bound(register_of("u16", "scale_register = { address = 1 }"), blocks=(decode.Block(3, 0, 2),))
    raw = (decode.pack_words([7, 0]), decode.pack_words([7, 2]), "")
    series = series_of((7, scaled), (700, scaled), (0, scaled), raw_text=raw)
    assert counter_readings(boiler(), series).step.tolist() == [1, 100, 0]


def test_a_modulus_counts_when_every_register_agrees_on_it_and_no_scale_register_moves_it():
    text = 'scale = "{scale}"\nmodulus = "{modulus}"'
    one, same, other = (
        register_of(more=text.format(scale=scale, modulus=modulus))
        for scale, modulus in (("10", 1_000), ("20", 500), ("10", 999))
    )
    moving = register_of("u16", 'scale_register = { address = 1 }\nmodulus = "1000"')
    thirds = register_of(more=text.format(scale="1/3", modulus=1_000))
    assert (counter_modulus([one]), counter_modulus([one, same]), counter_modulus([])) == (10_000, 10_000, 0)
    assert (counter_modulus([one, other]), counter_modulus([one, register_of()]), counter_modulus([register_of()])) == (
        0,
        0,
        0,
    )
    assert (counter_modulus([moving]), counter_modulus([thirds])) == (0, 0)


def test_a_burner_is_running_not_running_or_nobody_knows(boiler):
    series = series_of((1, bound()), (0, bound()), (1, bound(interval_ms=2 * MINUTE_MS)), point="burner")
    found = running_samples(boiler(), replace(series, synced=np.array([1, 1, 0], np.bool_)))
    assert found.state.tolist() == [1, 0, -1]
    assert (found.answer_ms - found.time_ms).tolist() == [2_000] * 3
    assert found.interval_ms == 2 * MINUTE_MS
    assert running_samples(boiler(), empty_series("burner", "burner_state")).interval_ms == 0


def test_a_supply_is_known_to_be_up_by_all_phases_and_to_be_down_by_one(boiler):
    up, low = 207_001, 207_000
    phases = [
        series_of(*((value, bound()) for value in values), quality=np.array(quality, np.uint8))
        for values, quality in (
            ((up, up, low, up, low), (0, 0, 0, 1, 1)),
            ((up, low, up, up, up), (0, 0, 0, 0, 0)),
            ((up, up, up, up, up), (0, 0, 1, 0, 0)),
        )
    ]
    # The third phase was answered later, read less often, and lacks the last slot.
    late = replace(phases[2], received_ms=phases[2].received_ms + 500, bindings=(bound(interval_ms=2 * MINUTE_MS),))
    late = replace(
        late,
        **{
            name: getattr(late, name)[:-1]
            for name in ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding", "raw_text")
        },
    )
    found = energised_samples(boiler(), (late, phases[0], phases[1]), low)
    assert found.state.tolist() == [1, 0, 0, -1, -1]
    assert (found.answer_ms - found.time_ms).tolist() == [2_500] * 4 + [2_000]
    assert found.interval_ms == 2 * MINUTE_MS


@pytest.mark.parametrize(
    ("word_type", "words"),
    [
        ("f32", (0x4996, 0xB438)),
        ("f32", (0x3F80, 0x0000)),
        ("f32", (0x4B80, 0x0001)),
        ("f32", (0x42C8, 0x6666)),
        ("f64", (0x41E0, 0x0000, 0x0000, 0x0000)),
        ("f64", (0x4232, 0xD687, 0xE3D7, 0x0A3D)),
    ],
)
def test_the_step_of_a_float_register_is_the_one_its_words_tell(word_type, words):
    register = register_of(word_type, 'scale = "3600000"')
    value = decode.decode(register, words)
    steps = _float_steps(np.array([value], np.int64), register, 1)
    assert steps.tolist() == [decode.resolution(register, words)]


def presence_of(time_ms, usable, interval_ms) -> Presence:
    law = Law(Cuts(0, (0, 100)), interval_ms=interval_ms)
    segment = sample_segment(time_ms, time_ms, np.where(usable, 1, -1), law)
    return presence(Track(segment, segment, law), Interval(0, 100))


def test_a_complete_series_has_no_gap():
    time_ms = np.arange(0, 100, 10, dtype=np.int64)
    found = presence_of(time_ms, np.ones(10, np.bool_), 10)
    assert (found.due, found.usable, found.coverage, found.longest_gap_ms) == (10, 10, 1, 0)


def test_missing_readings_lower_coverage_and_show_as_the_longest_gap():
    time_ms = np.arange(0, 100, 10, dtype=np.int64)
    usable = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1], np.bool_)
    found = presence_of(time_ms, usable, 10)
    assert (found.coverage, found.longest_gap_ms) == (Fraction(7, 10), 30)


def test_readings_beyond_those_due_are_no_more_than_complete():
    time_ms = np.arange(0, 100, 5, dtype=np.int64)
    assert presence_of(time_ms, np.ones(20, np.bool_), 10).coverage == 1


def test_nothing_read_is_no_coverage_and_one_long_gap():
    none = np.empty(0, np.int64)
    found = presence_of(none, none.astype(np.bool_), 0)
    assert (found.due, found.coverage, found.longest_gap_ms) == (0, 0, 100)


@pytest.mark.parametrize(("modulus", "counts_as"), [(2**32, 2**32 * 3_600_000), (2**63 - 1, 0)])
def test_a_modulus_that_int64_quanta_cannot_hold_is_as_good_as_none(modulus, counts_as):
    register = register_of("u64", f'scale = "3600000"\nmodulus = "{modulus}"')
    assert counter_modulus([register]) == counts_as
