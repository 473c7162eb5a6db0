"""Configuration faults: each with its file, line, key, value and what is allowed, and all of them at once."""

import tomllib
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass

from metering.clock import ClockConfig
from metering.config import ConfigError, line_of, load_toml, parse_toml
from metering.toml_lines import lines_by_path

ROOT = Path(__file__).parents[2]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Place:
    point: str
    measurand: Literal["heat_total_j", "active_power_w"]


class Group(Strict):
    name: str
    interval_s: int = Field(gt=0)
    points: list[Place] = []


class Device(Strict):
    name: str
    unit_id: int = Field(default=1, ge=0, le=255)
    group: list[Group] = []


class Settings(Strict):
    site: str
    keep_days: int = 35
    clock: ClockConfig = ClockConfig()
    labels: dict[str, int] = {}
    device: list[Device] = []


GOOD = """site = "a" # where it stands
keep_days = 7

[clock]
kind = "system"

[labels]
"quoted.key" = 1

[[device]]
name = "one"

  [[device.group]]
  name = "fast"
  interval_s = 60
  points = [{ point = "p", measurand = "heat_total_j" }]

[[device]]
name = "two"
unit_id = 2

  [[device.group]]
  name = "slow"
  interval_s = 900
  points = [
    { point = "p", measurand = "heat_total_j" }, # [[not.a.table]]
    { point = "q", measurand = "active_power_w" },
  ]

  [[device.group]]
  name = "slower"
  interval_s = 3600
"""


def faults(text):
    with pytest.raises(ConfigError, match=r"^site\.toml:\d+: ") as caught:
        parse_toml(text, Settings, "site.toml")
    return [(fault.line, fault.key, fault.value, fault.problem) for fault in caught.value.faults]


def line_with(text, part):
    (number,) = [number for number, line in enumerate(text.splitlines(), start=1) if part in line]
    return number


def test_a_file_without_faults_becomes_its_model(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(GOOD)
    settings = load_toml(path, Settings)
    assert [group.name for device in settings.device for group in device.group] == ["fast", "slow", "slower"]


# One change to a good file: the old text, the new text, and the fault with the line on which the new text stands.
@pytest.mark.parametrize(
    ("old", "new", "key", "value", "problem"),
    [
        ("keep_days = 7", "keep_dogs = 7", "keep_dogs", "7", "unknown key; allowed here: clock, device, keep_days, "),
        ("keep_days = 7", 'keep_days = "long"', "keep_days", "'long'", "valid integer"),
        ("keep_days = 7", "keep_days = [7]", "keep_days", "", "valid integer"),
        ('kind = "system"', 'kind = "sundial"', "clock.kind", "'sundial'", "'system' or 'scaled'"),
        (
            'kind = "system"',
            'knid = "x"',
            "clock.knid",
            "'x'",
            "unknown key; allowed here: anchor_s, factor, kind, start",
        ),
        ('"quoted.key" = 1', '"quoted.key" = "x"', "labels.quoted.key", "'x'", "valid integer"),
        ('name = "two"', 'nmae = "two"', "device[2].nmae", "'two'", "unknown key; allowed here: group, name, unit_id"),
        ("unit_id = 2", "unit_id = 256", "device[2].unit_id", "256", "less than or equal to 255"),
        ("interval_s = 900", "interval_s = 0", "device[2].group[1].interval_s", "0", "greater than 0"),
        ("interval_s = 3600", "interval_s = 1.5", "device[2].group[2].interval_s", "1.5", "valid integer"),
        ('"active_power_w"', '"power"', "device[2].group[1].points[2].measurand", "'power'", "'active_power_w'"),
        (
            '"q", measurand',
            '"q", colour = 1, measurand',
            "device[2].group[1].points[2].colour",
            "1",
            "measurand, point",
        ),
    ],
)
def test_a_fault_is_named_with_its_line_key_value_and_what_is_allowed(old, new, key, value, problem):
    text = GOOD.replace(old, new)
    ((found_line, found_key, found_value, found_problem),) = [
        found for found in faults(text) if not found[3].startswith("missing")
    ]
    assert (found_line, found_key, found_value) == (line_with(text, new), key, value)
    assert problem in found_problem


@pytest.mark.parametrize(
    ("removed", "key", "table"),
    [
        ('site = "a" # where it stands\n', "site", "keep_days"),
        ('name = "two"\n', "device[2].name", None),
        ('  name = "slower"\n', "device[2].group[2].name", None),
        (' point = "q",', "device[2].group[1].points[2].point", '{ measurand = "active_power_w" }'),
    ],
)
def test_a_missing_key_is_reported_where_its_table_begins(removed, key, table):
    text = GOOD.replace(removed, "")
    ((line, found, value, problem),) = faults(text)
    assert (found, value, problem) == (key, "", "missing; this key is required")
    headers = [number for number, row in enumerate(text.splitlines(), start=1) if row.strip().startswith("[[device")]
    assert line == (line_with(text, table) if table else headers[2] if "group" not in key else headers[4])


def test_a_fault_between_two_keys_is_reported_at_their_table():
    text = GOOD.replace('kind = "system"', "factor = 2.0")
    ((line, key, value, problem),) = faults(text)
    assert (line, key, value) == (line_with(text, "[clock]"), "clock", "")
    assert "belong to kind" in problem


def test_every_fault_is_reported_at_once_in_the_order_of_the_file():
    text = GOOD.replace("keep_days = 7", "keep_days = true_").replace("true_", '"x"').replace("900", "-1")
    text = text.replace("unit_id = 2", "unit_id = 999")
    assert [fault[1] for fault in faults(text)] == ["keep_days", "device[2].unit_id", "device[2].group[1].interval_s"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('site = "a"\nkeep_days = \n', 2),
        ('site = "a"\n\n[clock\n', 3),
        ('site = "a"\nsite = "b"\n', 2),
        ('site = "a', 1),
        ("keep_days = " + "1" * 5000, 1),
        ("keep_days = " + "[" * 5000, 1),
    ],
    ids=["no value", "no bracket", "twice", "no quote", "too many digits", "too deep"],
)
def test_a_text_that_is_no_toml_is_reported_with_its_line(text, line):
    ((found, key, _, _),) = faults(text)
    assert (found, key) == (line, "(TOML)")


def test_a_missing_file_is_named_with_how_to_get_a_sample(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml:0: \(file\): No such file .*; `sakugen config sample`"):
        load_toml(tmp_path / "absent.toml", Settings)


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "site.toml"
    path.write_bytes(b'site = "\xff"')
    with pytest.raises(ConfigError, match=r"site\.toml:0: \(file\): not UTF-8"):
        load_toml(path, Settings)


def test_a_long_value_is_shortened():
    ((_, _, value, _),) = faults('site = "a"\nkeep_days = "' + "x" * 500 + '"')
    assert len(value) == 80


def test_a_fault_reads_as_one_line_and_as_data_for_scripts():
    with pytest.raises(ConfigError, match=r"^site\.toml:2: keep_days = 'x': ") as caught:
        parse_toml('site = "a"\nkeep_days = "x"', Settings, "site.toml")
    (fault,) = caught.value.faults
    assert fault.as_dict().keys() == {"file", "line", "key", "value", "problem"}


# Everything that looks like a key or a table and is none, and every way to write one that is.
TRICKY = '''# a = 1
a = 1 # b = [c]
"q.r" . 's t' = """
[fake]
b = 2 \\"""
"""
raw = \'\'\'
x = 1''\'\'\'
array = [
  1, # one ]
  [2,
   3],
  { p = "}", q = { "r" = 1 } },
]
empty = []
nothing = {}
date = 1979-05-27 07:32:00Z
"\\u00e9" = "\\""

[[ device ]]
name = 'n' # 'm'
[[device.group]]
points = [{point = "a"},
  {point = "b"}]
[[ device . "group" ]]
w = 1e3
[device.clock.inner]
factor = 1
[[device]]
x.y.z = """a""\\""""""
x.y.w = 2
[[device.group]]
w = 2
[a-table]
'''


def paths(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*path, key))


DOCUMENTS = [TRICKY, GOOD, *(path.read_text() for path in sorted(ROOT.glob("gateway/devices/*.toml")))]


@pytest.mark.parametrize("text", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_exactly_the_keys_that_toml_knows_have_a_line(text):
    assert set(lines_by_path(text)) == set(paths(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("location", "start"),
    [
        (("q.r", "s t"), '"q.r"'),
        (("array",), "array"),
        (("array", 1), "  [2,"),
        (("array", 1, 1), "   3]"),
        (("array", 2, "q", "r"), "  { p"),
        (("é",), '"\\u00e9"'),
        (("device", 0), "[[ device ]]"),
        (("device", 0, "group", 0, "points", 1, "point"), '  {point = "b"'),
        (("device", 0, "group", 1), '[[ device . "group" ]]'),
        (("device", 0, "group", 1, "w"), "w = 1e3"),
        (("device", 0, "clock", "inner", "factor"), "factor"),
        (("device", 1, "x", "y", "z"), "x.y.z"),
        (("device", 1, "x", "y", "w"), "x.y.w"),
        (("device", 1, "group", 0, "w"), "w = 2"),
        (("device", 1, "group", 0, "absent"), "[[device.group]]"),
        (("a-table", "absent", "deep"), "[a-table]"),
        (("absent",), "# a = 1"),
    ],
)
def test_a_key_is_found_on_the_line_where_it_stands(location, start):
    assert TRICKY.splitlines()[line_of(TRICKY, location) - 1].startswith(start)


def test_lines_end_with_a_newline_whether_or_not_a_carriage_return_stands_before_it():
    assert line_of("a = 1\r\nb = 2\r\n", ("b",)) == 2
