"""What a consumer's export is worth, beside what the meters really served."""

import csv
import json

import pytest
from typer.testing import CliRunner

from metering.interval import HOUR_MS
from sakugen.cli.simulate import app
from simulators.build import built
from simulators.config import SimulatorSettings
from simulators.consumer import Value, read_export, score_of, served_values, write_served
from simulators.errors import ExportError
from simulators.ledger import Ledger, ServedAnswer, read_ledger

AT_MS = 1_767_000_000_000 // HOUR_MS * HOUR_MS
EXPORT = "energy_export_total_wh"


@pytest.fixture
def served():
    """Ten minutes of a counter and of a power, as served."""
    return [
        Value(AT_MS + minute * 60_000, "ac-bus", name, value)
        for minute in range(10)
        for name, value in ((EXPORT, 1_000_000.0 + 100_000 * minute), ("active_power_w", -6e6))
    ]


def counts(found):
    return found.right, len(found.lost), len(found.doubled), len(found.wrong), len(found.late)


def test_a_consumer_that_tells_everything_as_it_was_served_is_clean(served):
    found = score_of(served, served)
    assert found.clean
    assert counts(found) == (20, 0, 0, 0, 0)
    assert found.error_tco2(0.8) == 0


def test_what_is_missing_is_lost_and_what_is_told_twice_is_doubled(served):
    told = [*served[:4], served[0], *served[6:]]
    found = score_of(served, told)
    assert counts(found) == (18, 2, 1, 0, 0)
    assert set(found.lost) == set(served[4:6])
    assert found.doubled[0].value == served[0].value


def test_a_value_that_nobody_served_near_its_time_is_wrong(served):
    told = [*served[:19], Value(served[19].at_ms, "ac-bus", "active_power_w", 6e6)]
    assert counts(score_of(served, told)) == (19, 1, 0, 1, 0)


def test_a_row_dated_too_far_from_its_answer_is_late_and_one_dated_elsewhere_is_wrong(served):
    late = Value(served[18].at_ms + 30_000, "ac-bus", EXPORT, served[18].value)
    elsewhere = Value(served[0].at_ms + HOUR_MS, "ac-bus", EXPORT, served[0].value)
    found = score_of(served, [*served[1:18], served[19], late, elsewhere])
    assert counts(found) == (18, 1, 0, 1, 1)


def test_measurands_that_a_consumer_never_reads_are_not_held_against_it(served):
    counters = [value for value in served if value.measurand == EXPORT]
    assert score_of(served, counters).clean


def test_the_error_is_what_the_counters_gained_too_much_or_too_little(served):
    told = [
        Value(value.at_ms, value.device, value.measurand, value.value * 10)
        for value in served
        if "_total" in value.measurand
    ]
    found = score_of(served, told)
    assert found.counters["ac-bus", EXPORT] == (pytest.approx(900_000), pytest.approx(9_000_000))
    assert found.error_tco2(0.8) == pytest.approx(8.1 * 0.8)


def test_a_float_register_is_recognised_although_an_export_rounds_it(served):
    told = [Value(value.at_ms, value.device, value.measurand, float(f"{value.value:.7g}")) for value in served]
    assert score_of(served, told).clean


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_was_served_is_written_in_the_form_of_an_export_and_read_again(served, tmp_path, suffix):
    path = tmp_path / f"served{suffix}"
    assert write_served(served, path) == len(served)
    assert read_export(path) == served


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,device,value\n1,a,2\n", "no column 'measurand'"),
        ("time,device,measurand,value\n2026-01-01T00:00:00,a,b,2\n", ":2: time .* has no offset"),
        ("time,device,measurand,value\n1,a,b,2\nyesterday,a,b,2\n", ":3: "),
        ("time,device,measurand,value\n1,a,b,much\n", ":2: "),
    ],
)
def test_an_export_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, told):
    path = tmp_path / "export.csv"
    path.write_text(text)
    with pytest.raises(ExportError, match=told):
        read_export(path)


def test_times_are_read_with_their_offset(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("time,device,measurand,value\n2026-01-01T08:00:00+08:00,a,b,2\n1767225600000,a,b,2\n")
    assert {value.at_ms for value in read_export(path)} == {1_767_225_600_000}


@pytest.fixture
def ran(tmp_path):
    """A simulators' file, and the ledger of three answers of the bus meter."""
    config = tmp_path / "simulators.toml"
    ledger = tmp_path / "ledger.sqlite"
    config.write_text(f'ledger = "{ledger}"\n[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\n')
    settings = SimulatorSettings.model_validate(
        {"ledger": ledger, "plants": [{"plant": "solar", "project": "p", "site": "s"}]}
    )
    site = built(settings, settings.plants[0])
    meter = next(each for each in site.instruments if each.name == "ac-bus")
    with Ledger(ledger) as writer:
        for minute in range(3):
            at_ms = AT_MS + minute * 60_000
            block = meter.image(at_ms).block(0x0C83, 8)
            words = block[0].astype(">u2").tobytes()
            writer.append(ServedAnswer(at_ms, "p", "s", "ac-bus", 10, 3, 0x0C83, words))
    return config, ledger, site


def test_the_words_of_the_ledger_give_the_values_that_the_device_showed(ran):
    _, ledger, site = ran
    sheets = {("p", each.name): each.sheet for each in site.instruments}
    values = [value for value in served_values(read_ledger(ledger), sheets) if value.measurand == EXPORT]
    shown = [int(site.plant.state("ac-bus", value.at_ms).energy_export_total_wh) for value in values]
    assert [value.value for value in values] == shown
    assert len(values) == 3


def test_the_verb_tells_what_was_lost_and_ends_with_one(ran, tmp_path):
    config, _, _ = ran
    served = tmp_path / "served.csv"
    run = CliRunner()
    (tmp_path / "nothing.csv").write_text("time,device,measurand,value\n")
    asked = ["score", str(tmp_path / "nothing.csv"), "--simulators", str(config), "--served-to", str(served), "--json"]
    assert json.loads(run.invoke(app, asked).output)["told"] == 0
    with served.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[2] != "energy_import_total_wh"]
    with (tmp_path / "told.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:-1])
    asked = ["score", str(tmp_path / "told.csv"), "--simulators", str(config), "--factor", "0.8"]
    told = run.invoke(app, asked)
    assert told.exit_code == 1
    assert "lost: " in told.output
    assert "error_tco2" in told.output
    assert run.invoke(app, ["score", str(served), "--simulators", str(config)]).exit_code == 0
