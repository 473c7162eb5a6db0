"""`sakugen devices`: what a person and a script are told about device maps, and that the document says the same."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.catalogue import as_markdown, entries, mismatches, step, untested
from gateway.maps import load_map, map_names, sunspec_models
from metering.devicemap import parse_device_map
from metering.quality import Quality
from sakugen.cli.devices import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "devices.md"
WRONG = """
[[vector]]
register = "burner-running"
kind = "typical"
words = [2]
quanta = 1
"""


def run(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_the_list_names_every_map_and_every_sunspec_model():
    ended = run("list", "--json")
    names = [row["name"] for row in json.loads(ended.stdout)["maps"]]
    assert ended.exit_code == 0
    assert names == [*map_names(), *(f"sunspec/{model}@ADDRESS" for model in sunspec_models())]
    shown = run("list").stdout
    assert all(name in shown for name in names)


def test_the_document_holds_the_list_as_it_is():
    assert as_markdown() in DOCUMENT.read_text(encoding="utf-8"), "sakugen devices list --markdown prints the table"
    assert run("list", "--markdown").stdout == as_markdown()


def test_the_example_in_the_document_is_a_map_whose_words_decode():
    example = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert tomllib.loads(example)["register"][0]["nonvolatile_s"] == 300
    device_map = parse_device_map(example)
    assert device_map.vectors
    assert mismatches(device_map) == []


def test_a_list_says_how_finely_a_meter_counts_and_what_it_tells_of_itself():
    found = {entry.name: entry for entry in entries()}
    assert found["siemens_pac2200"].steps == ("float of 53 bits in Wh",)
    assert found["eastron_sdm630"].steps == ("float of 24 bits in kWh",)
    assert found["carlo_gavazzi_em340"].steps == ("100 Wh",)
    assert found["sunspec/103@ADDRESS"].steps == ("Wh × 10^factor",)
    assert found["eastron_sdm630"].identity == "serial number"
    assert found["socomec_countis_e"].identity == "model"
    assert found["solis_inverter"].identity == "-"
    assert step(load_map("multical_403").register("heat-energy-e1")) == "float of 24 bits in kWh"


@pytest.mark.parametrize("name", ["sunspec/103@40070", "schneider_pm5100", "siemens_pac2200", "burner_controller"])
def test_a_map_is_shown_with_its_caveats_its_sources_and_every_register(name):
    device_map = load_map(name)
    ended = run("show", name)
    text = " ".join(ended.stdout.split())
    assert ended.exit_code == 0
    assert device_map.digest in text
    assert all(" ".join(caveat.split()) in text for caveat in device_map.caveats)
    assert all(register.name in text for register in device_map.registers)
    assert all(source.title in text for source in device_map.sources)


def test_what_a_sign_means_and_what_a_counter_may_lose_are_shown():
    assert "W: positive is export" in run("show", "sunspec/103@40070").stdout
    lost = "energy-import: may step back by what was counted in 300 s when supply is lost"
    assert lost in " ".join(run("show", "janitza_umg96rm").stdout.split())


def test_a_map_for_a_script_holds_its_exact_text():
    shown = json.loads(run("show", "sunspec/103@40070", "--json").stdout)
    assert parse_device_map(shown["text"]).digest == shown["digest"]
    assert [row["name"] for row in shown["registers"]][:2] == ["AphA", "AphB"]


def test_the_test_words_of_every_map_decode():
    ended = run("test", "--json")
    rows = json.loads(ended.stdout)["maps"]
    assert ended.exit_code == 0
    assert len(rows) == len(map_names()) + len(sunspec_models())
    assert all(row["vectors"] and not row["wrong"] and not row["untested"] for row in rows)


def test_words_that_do_not_give_what_the_map_says_are_told_and_end_with_status_one(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(load_map("burner_controller").text + WRONG)
    ended = run("test", str(file))
    assert ended.exit_code == 1
    assert "burner-running (typical): 0002 is 2 quanta, the map says 1 quanta" in " ".join(ended.stdout.split())
    (row,) = json.loads(run("test", str(file), "--json").stdout)["maps"]
    assert row["wrong"][0]["found"] == "2 quanta"


def test_a_sentinel_where_the_map_says_a_value_is_told_by_its_name():
    device_map = parse_device_map(load_map("burner_controller").text + WRONG.replace("[2]", "[0xFFFF]"))
    (wrong,) = mismatches(device_map)
    assert wrong.found is Quality.SENTINEL


def test_registers_that_no_words_are_about_are_named():
    text = load_map("burner_controller").text
    assert untested(parse_device_map(text.partition("[[vector]]")[0])) == ["burner-running"]
    assert untested(parse_device_map(text)) == []
