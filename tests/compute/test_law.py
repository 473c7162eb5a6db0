"""What holds of all readings of a counter, as the kernels are told it."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from computekit.registers import register_of

from compute import layout as at
from compute.errors import ProjectError
from compute.law import Cuts, Law, columns_of, counter_law, counter_tables
from compute.project import parse_project
from compute.rulesets import ruleset
from ingest.store.series import Binding, Meter, empty_series
from metering import decode

RULES = ruleset("sakugen-rules/2")
JUNE_MS = 1_748_707_200_000  # 2025-06-01T00:00:00+08:00


def read_with(kind="u32", scale="1", more="", *, serial="S1", address=0):
    register = register_of("energy_export_total_wh", kind, f'scale = "{scale}"\n{more}', address=address)
    blocks = (decode.Block(3, 0, 2),)
    return Binding("device/all", "device", Meter("Test", "Meter", serial), "0" * 64, register, 1, 60_000, blocks)


def series_of(*bindings, words=()):
    """One row of each binding, in order."""
    rows = np.arange(len(bindings))
    return replace(
        empty_series("bus", "energy_export_total_wh"),
        time_ms=JUNE_MS + 60_000 * rows, value=7 * rows, quality=np.zeros(len(rows), np.uint8),
        sent_ms=JUNE_MS + 60_000 * rows + 1, received_ms=JUNE_MS + 60_000 * rows + 2,
        synced=np.ones(len(rows), np.bool_), binding=rows.astype(np.int32), bindings=bindings,
        raw_text=words or [""] * len(rows),
    )  # fmt: skip


@pytest.fixture
def project(project_texts):
    return parse_project(project_texts["solar-pv"]())


def test_each_kind_of_register_tells_the_kernel_how_fine_it_is():
    bindings = (
        read_with(scale="2.5"),
        read_with(scale="0.0003"),
        read_with("f32", "1000"),
        read_with("f64", "1"),
        read_with("u16", more="scale_register = { address = 1 }"),
    )
    law = Law(Cuts(0), registers=tuple(bound.register for bound in bindings))
    bound, ones, *_ = counter_tables(law, series_of(*bindings))
    float_ = at.STEP_OF_FLOAT
    assert bound.tolist() == [[2_500, 0], [1, 0], [float_, 24], [float_, 53], [at.STEP_IN_COLUMN, 0]]
    assert ones.tolist() == [1, 1, 1_000_000, 1_000, 1], "a 1 of a float register in quanta, 1 mWh each"
    assert (bound.dtype, ones.dtype) == (np.int64, np.float64)


def test_a_reading_is_of_the_meter_that_is_declared_then_and_of_its_register(project):
    (meter,) = project.meters_of("bus")
    begins, changes = meter.installed_from, meter.installed_from.replace(month=3)
    first = meter.model_copy(update={"installed_until": changes})
    second = meter.model_copy(update={"serial": "S2", "installed_from": changes})
    one, other = read_with(), read_with(address=2)
    series = series_of(one, other, read_with(serial="S2"), read_with(serial="S3"))
    law = Law(Cuts(0), registers=(one.register, other.register), meters=(first, second))
    _, _, keys, breaks = counter_tables(law, series)
    assert breaks.tolist() == [1000 * int(instant.timestamp()) for instant in (begins, changes)]
    assert keys.tolist() == [[-1, -2, -1, -1], [0, 1, -1, -1], [-1, -2, 2, -1]]
    assert (keys.dtype, breaks.dtype) == (np.int64, np.int64)


def test_the_step_of_a_scaled_register_goes_with_its_reading_where_it_is_asked_for():
    scaled = read_with("u16", more="scale_register = { address = 1 }")
    series = series_of(scaled, scaled, words=[decode.pack_words([7, 0]), decode.pack_words([7, 2])])
    series = replace(series, binding=np.zeros(2, np.int32), bindings=(scaled,))
    assert columns_of(series, has_steps=True)[-1].tolist() == [1_000, 100_000]
    assert columns_of(series, has_steps=False)[-1].tolist() == []
    assert columns_of(series_of(read_with()), has_steps=True)[-1].tolist() == []


def test_columns_come_in_the_types_that_kernels_are_compiled_for_and_nobody_may_write_to_them():
    series = series_of(read_with(), read_with(address=2))
    far = {name: getattr(series, name).astype(">i8") for name in ("time_ms", "value", "sent_ms", "received_ms")}
    series = replace(series, quality=series.quality.astype(np.int16), binding=series.binding.astype(">i4"), **far)
    columns = columns_of(series, has_steps=True)
    int64, uint8 = np.dtype(np.int64), np.dtype(np.uint8)
    assert [each.dtype for each in columns] == [int64, int64, uint8, int64, int64, uint8, np.dtype(np.int32), int64]
    assert not any(each.flags.writeable for each in columns)
    assert Law(Cuts(0)).edges().dtype == int64


def test_a_counter_without_a_rating_has_no_law(project):
    (point,) = project.point
    unrated = point.model_copy(update={"rated_power_w": None})
    with pytest.raises(ProjectError, match="point 'bus' has no rated_power_w, so its amounts have no upper bound"):
        counter_law(project, unrated, series_of(read_with()), None, RULES, Cuts(0))


def test_a_counter_loses_as_much_time_as_its_map_says_and_is_frozen_only_where_a_power_can_tell(project):
    (point,) = project.point
    law = counter_law(project, point, series_of(read_with(more="nonvolatile_s = 300")), None, RULES, Cuts(0))
    assert (law.nonvolatile_ms, law.still_ms, law.power) == (300_000, 0, None)
    assert law.rate is not None
    assert Fraction(law.rate.num, law.rate.den) == Fraction(8_300_000_000 * 105, 100 * 3_600_000)
    empty = empty_series("bus", "energy_export_total_wh")
    assert counter_law(project, point, empty, None, RULES, Cuts(0)).nonvolatile_ms == 0
