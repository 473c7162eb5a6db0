"""Declared values as files: what each kind must say, what a correction may do, and where a fault stands."""

import hashlib
from datetime import date
from fractions import Fraction

import pytest

from compute.declared import (
    MODELS,
    Calibration,
    Declared,
    RegisterReading,
    Value,
    declared_beside,
    in_force,
    load_declared,
    of_kind,
    parse_declaration,
    parse_declared,
)
from metering.config import ConfigError


def faults(files):
    with pytest.raises(ConfigError) as caught:
        parse_declared(files)
    return [str(fault) for fault in caught.value.faults]


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", MODELS)
def test_each_kind_is_read_from_a_file_of_its_name(declaration, kind):
    file, data = declaration(kind)
    read = parse_declaration(data, file)
    assert isinstance(read.body, MODELS[kind])
    assert read.digest == digest(data)
    assert read.number == 1


@pytest.mark.parametrize("kind", MODELS)
def test_a_key_that_no_kind_has_is_told_with_its_line(declaration, kind):
    file, data = declaration(kind)
    (fault,) = faults({file: data.replace(b"\n[source]\n", b"\nbonus = 1\n[source]\n")})
    line = data.decode().split("\n").index("[source]") + 1
    assert fault.startswith(f"{file}:{line}: bonus = 1: unknown key; allowed here: ")


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("value", 'value = "12"', "value = 1.5", "value"),
        ("value", 'value = "12"', "value = 2025-12-31", 'what = "date"'),
        ("value", "to = 2026-01-01", "to = 2025-12-01", "to must be after from"),
        ("register-reading", "energy_export_total_wh", "active_power_w", "must be what a register counts"),
        ("register-reading", 'unit = "Wh"', 'unit = "kWh"', "unit must be 'Wh'"),
        ("register-reading", "12:00:00+08:00", "12:00:00.5+08:00", "must be a whole second"),
        ("register-reading", "12:00:00+08:00", "12:00:00", "timezone"),
        ("register-reading", 'resolution = "1000"', 'resolution = "0"', "resolution must be more than 0"),
        ("register-reading", 'value = "5000000"', 'value = "-1"', "must not be negative"),
        ("meter-exchange", 'serial = "S2"', 'serial = "S1"', "the same meter"),
        ("meter-exchange", "installed_at = 2026-01-01T10", "installed_at = 2026-01-01T08", "must not be before"),
        ("meter-exchange", 'opening = "0"', 'opening = "-1"', "must not be negative"),
        ("ct-change", "until = 2026-01-01", "until = 2025-01-01", "until must be after from"),
        ("ct-change", 'ratio_in_place = "80"', 'ratio_in_place = "0"', "must be more than 0"),
        ("remap", 'measurand = "energy_export_total_wh"', 'measurand = "x"', "not a device map"),
        ("calibration", "valid_until = 2028-06-01", "valid_until = 2025-06-01", "valid_until must be after date"),
        ("calibration", 'mpe_percent = "0.5"', 'mpe_percent = "-1"', "must not be negative"),
        ("calibration", "2026-01-05T09:00:00+08:00", "2026-01-05T09:00:00", "timezone"),
        ("integrity-check", "passed = true", "", "missing; this key is required"),
    ],
)
def test_what_cannot_be_meant_is_refused(declaration, kind, old, new, said):
    file, data = declaration(kind)
    assert old in data.decode()
    (fault,) = faults({file: data.decode().replace(old, new).encode()})
    assert fault.startswith(f"{file}:")
    assert said in fault


def test_the_words_of_a_file_name_may_be_several(declaration):
    _, data = declaration("value")
    assert parse_declaration(data, "0007-value-main-meter-2026.toml").number == 7


@pytest.mark.parametrize(
    "name",
    [
        "0001-value.toml",
        "0001-valueless-a.toml",
        "value.toml",
        "1-value-a.toml",
        "0001-other-a.toml",
        "0001-value-A.toml",
    ],
)
def test_a_file_name_says_number_and_kind(declaration, name):
    _, data = declaration("value")
    (fault,) = faults({name: data})
    assert fault.startswith(f"{name}:")


def test_a_file_that_is_not_text_is_named(declaration):
    file, _ = declaration("value")
    assert faults({file: b"\xff"}) == [f"{file}:0: (file): not UTF-8"]


def test_every_fault_of_every_file_is_told_at_once(declaration):
    first, one = declaration("value", number=1)
    second, two = declaration("calibration", number=2)
    found = faults({first: one.replace(b'"12"', b'"x"'), second: two.replace(b'"0.5"', b'"y"')})
    assert len({fault.split(":")[0] for fault in found}) == 2


def test_a_correction_takes_the_place_of_what_it_names_and_may_be_corrected_itself(declaration):
    first, one = declaration("value", number=1)
    second, two = declaration("value", number=2, name="v2", replaces=digest(one))
    third, three = declaration("value", number=3, name="v3", replaces=digest(two))
    every = parse_declared({first: one, second: two, third: three})
    assert len(every) == 3
    assert [valid.body.id for valid in in_force(every)] == ["v3"]
    assert [body.id for body in of_kind(every, Value)] == ["v3"]
    assert of_kind(every, Calibration) == ()


def test_a_correction_of_something_unknown_is_a_fault(declaration):
    file, data = declaration("value", replaces="a" * 64)
    (fault,) = faults({file: data})
    assert "no declared value has the digest aaaa" in fault


def test_two_corrections_of_one_value_are_a_fault(declaration):
    first, one = declaration("value", number=1)
    second, two = declaration("value", number=2, name="v2", replaces=digest(one))
    third, three = declaration("value", number=3, name="v3", replaces=digest(one))
    (fault,) = faults({first: one, second: two, third: three})
    assert fault.startswith(f"{third}:")
    assert f"{second} replaces the same one" in fault


def test_a_correction_comes_after_what_it_corrects_and_is_of_its_kind(declaration):
    second, two = declaration("value", number=2)
    first, one = declaration("value", number=1, name="v1", replaces=digest(two))
    (fault,) = faults({first: one, second: two})
    assert f"{second} came later" in fault
    third, three = declaration("calibration", number=3, replaces=digest(two))
    (fault,) = faults({second: two, third: three})
    assert "a correction is of the same kind" in fault


def test_a_correction_is_of_the_project_that_it_corrects(declaration):
    first, one = declaration("value", number=1)
    second, two = declaration("value", number=2, name="v2", replaces=digest(one), project='"other"')
    (fault,) = faults({first: one, second: two})
    assert "a value of test; a correction is of the same kind and project" in fault


def test_projects_that_share_a_folder_say_what_they_like_about_the_same_name(declaration, tmp_path):
    folder = tmp_path / "declared"
    folder.mkdir()
    for number, project in ((1, "test"), (2, "other")):
        file, data = declaration("ct-change", number=number, project=f'"{project}"')
        (folder / file).write_bytes(data)
    assert [one.number for one in declared_beside(tmp_path / "project.toml", "test")] == [1]
    assert [one.number for one in declared_beside(tmp_path / "project.toml", "other")] == [2]


def test_a_number_and_an_id_are_used_once(declaration):
    first, one = declaration("value", number=1)
    second, two = declaration("calibration", number=1, name="value-1")
    number, ids = faults({first: one, second: two})
    assert "has this number too" in number + ids
    assert "each has its own" in number + ids


@pytest.mark.parametrize("kind", ["register-reading", "meter-exchange", "ct-change", "remap", "calibration"])
def test_two_that_speak_of_the_same_are_a_fault_unless_one_replaces_the_other(declaration, kind):
    first, one = declaration(kind, number=1)
    second, two = declaration(kind, number=2, name="other")
    (fault,) = faults({first: one, second: two})
    assert "one of them has to replace the other" in fault
    second, two = declaration(kind, number=2, name="other", replaces=digest(one))
    assert len(parse_declared({first: one, second: two})) == 2


def test_a_folder_is_read_in_order_and_signatures_are_left_alone(declaration, tmp_path):
    assert load_declared(tmp_path / "none") == ()
    for number in (2, 1):
        file, data = declaration("value", number=number, name=f"v{number}")
        (tmp_path / file).write_bytes(data)
        (tmp_path / f"{file}.sig").write_text("not read here")
    assert [one.number for one in load_declared(tmp_path)] == [1, 2]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "0001-value-x.toml").mkdir()
    with pytest.raises(ConfigError, match=r"0001-value-x\.toml:0: \(file\): Is a directory"):
        load_declared(tmp_path)


def test_a_reading_is_in_whole_quanta_rounded_down(declaration):
    file, data = declaration("register-reading")
    reading = parse_declaration(data.replace(b'"5000000"', b'"5000000.0009"'), file).body
    assert isinstance(reading, RegisterReading)
    assert reading.quanta(reading.value) == 5_000_000_000
    assert reading.step == 1_000_000


def test_a_change_of_transformers_multiplies_by_what_is_there_over_what_the_meter_knows(declaration):
    file, data = declaration("ct-change")
    assert parse_declaration(data, file).body.factor == Fraction(4, 5)


def test_a_calibration_says_when_it_covers_and_what_was_found(declaration):
    file, data = declaration("calibration")
    body = parse_declaration(data, file).body
    assert isinstance(body, Calibration)
    assert (body.date, body.valid_until) == (date(2025, 6, 1), date(2028, 6, 1))
    assert (body.mpe_percent, body.found_error_percent) == ("0.5", "0.7")
    assert isinstance(parse_declaration(data, file), Declared)
