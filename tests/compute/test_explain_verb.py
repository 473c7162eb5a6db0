"""`sakugen compute explain` on a journal: as text, as a tree in a terminal, as one JSON object, and refused."""

import io
import json
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal
from rich.console import Console
from typer.testing import CliRunner

from compute.explain import Explanation, Made, Rule, Step, explain, question_of
from compute.pairs import Pair
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import collect
from sakugen.cli.explain import text_lines, tree_of
from sakugen.cli.main import app

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))


@pytest.fixture
def records(make_records, shown):
    values = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(SLOTS) if at != 9}
    return make_records([shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS)])


@pytest.fixture
def held():
    return ()


@pytest.fixture
def say(tmp_path, project_texts, records, held):
    """`say("test", "p1", "--json")` runs the verb where one meter stood at 1 MW and one reading is missing."""
    (tmp_path / "project.toml").write_text(project_texts["solar-pv"](), encoding="utf-8")
    write_journal(tmp_path / "journal.sqlite", [*records, *held], END_MS, held=held)
    config = tmp_path / "compute.toml"
    places = f'journal = "{tmp_path}/journal.sqlite"\ndata_dir = "{tmp_path}/data"\n'
    config.write_text(f'projects = ["{tmp_path}/project.toml"]\n{places}', encoding="utf-8")

    def run(*arguments):
        return CliRunner().invoke(app, ["compute", "explain", *arguments, "--config", str(config)])

    return run


@pytest.fixture
def explained(project_texts, records):
    def build(**asked):
        project = parse_project(project_texts["solar-pv"]())
        period = project.period[0]
        question = question_of(project, period, **asked)
        return explain(project, collect(records), period, ruleset(), question, lambda _start, _end: records)

    return build


def test_text_is_indented_by_level_and_names_each_rule_with_its_clause(say):
    lines = say("test", "p1").stdout.splitlines()
    assert lines[0] == "test, p1: A test project"
    assert "period p1 = 38 tCO2e" in lines
    assert "  vintage 2025 = 19 tCO2e" in lines
    assert "    reduction 2025 = 19.128 tCO2e" in lines
    assert any(line.strip().endswith("rounded down once, toward minus infinity (contracts 6)") for line in lines)


def test_json_is_one_object_for_scripts(say):
    told = json.loads(say("test", "p1", "--json").stdout)
    assert told["type"] == "sakugen.explanation/1"
    assert told["step"]["steps"][0]["name"] == "2025"


def test_values_declared_beside_the_project_count(say, tmp_path, declaration):
    before = json.loads(say("test", "p1", "--json").stdout)
    name, data = declaration("calibration")
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / name).write_bytes(data)
    after = json.loads(say("test", "p1", "--json").stdout)
    assert after["evidence_sha256"] == before["evidence_sha256"]
    assert after["input_sha256"] != before["input_sha256"]


class TestWhereARecordIsHeld:
    @pytest.fixture
    def held(self, make_records, shown):
        other = shown("bus", "energy_export_total_wh", {SLOTS[9]: 5}, interval_ms=HOUR_MS)
        return make_records([other], stream="01JZZZZZZZZZZZZZZZZZZZZZZY")[1:]

    def test_it_keeps_the_result_from_being_creditable(self, say):
        assert "not creditable: held-evidence evidence: 1 records are held: stored, but not usable yet" in (
            say("test", "p1").stdout.splitlines()
        )


def test_beside_the_hour_that_was_asked_for_only_doubtful_hours_are_told(say):
    text = say("test", "p1", "--hour", "2025-12-31T07:00").stdout
    hours = [line.split()[1] for line in text.splitlines() if line.strip().startswith("hour ")]
    assert hours == ["2025-12-31T07:00", *(f"2026-01-01T{hour:02}:00" for hour in range(24))]
    assert "and 23 more without doubt; --json prints all" in text
    told = json.loads(say("test", "p1", "--hour", "2025-12-31T07:00", "--json").stdout)
    assert str(told).count("'kind': 'hour'") == 48


def test_of_many_hours_those_are_told_in_which_something_is_to_be_seen():
    rule = Rule("a rule", "a clause")
    doubtful, unproved = 3, 5
    values = {doubtful: Pair(0, 1), unproved: None}
    hours = tuple(Step("hour", str(place), rule, Made.SUM, values.get(place, Pair(1, 1)), "mWh") for place in range(30))
    about = dict.fromkeys(
        ("project", "title", "period", "methodology", "methodology_version", "engine", "ruleset"), "x"
    )
    found = Explanation(about, creditable=True, blocked_by=(), step=Step("month", "m", rule, Made.SUM, steps=hours))
    assert [line.strip() for line in text_lines(found)][4:] == [
        "hour 3 = [0, 1] mWh", "a rule (a clause)", "hour 5", "a rule (a clause)",
        "and 28 more without doubt; --json prints all",
    ]  # fmt: skip


def test_a_terminal_shows_the_same_steps_as_a_tree(explained):
    out = io.StringIO()
    found = explained()
    Console(file=out, force_terminal=True, width=200, color_system=None).print(tree_of(found))
    drawn = [line.strip("│├└─ \n") for line in out.getvalue().splitlines()]
    assert "└── " in out.getvalue()
    assert [line.strip() for line in text_lines(found)] == drawn


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["west", "p1"], "no project 'west'; the configuration lists: test"),
        (["test", "p9"], "no monitoring period 'p9'; it declares: p1"),
        (["test", "p1", "--parameter", "Q"], "it monitors: EG"),
        (["test", "p1", "--hour", "2026-02-01T00:00"], "its hours begin from 2025-12-31T00:00 to 2026-01-01T23:00"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(say, arguments, allowed):
    assert allowed in str(say(*arguments).exception)
