"""`sakugen simulate`: what a newcomer gets wrong is told in one line that says what to do."""

import json
import sys
from typing import NamedTuple

import pytest

from sakugen.cli.main import main
from simulators.faults import KINDS
from simulators.ledger import Ledger, ServedAnswer
from simulators.pytest_plugin import modbus_plant

__all__ = ["modbus_plant"]

SERVED = ServedAnswer(1_766_901_600_000, "demo-solar", "farm", "ac-bus", 10, 3, 0x0C87, (5).to_bytes(8))
ONE_PLANT = """
clock = { kind = "scaled", start = 2025-12-02T00:00:00Z }
[[plants]]
plant = "solar"
project = "demo-solar"
site = "farm"
port = 0
"""


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def simulate(tmp_path, monkeypatch, capsys):
    """`simulate("run", "solar")` runs a verb in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sakugen", "simulate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def write(tmp_path):
    """`write("simulators.toml", text)` gives the file's path."""

    def new(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return new


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say which plant, or which --config"),
        (["solr"], "no plant 'solr'; there are: solar, heat-only-boiler"),
        (["wind", "--size", "3"], "'3' is no size"),
        (["solar", "--scenario", "x"], "no scenario 'x'; there are: a-bad-week-in-ulaanbaatar"),
        (["wind", "--site", "mongolia-farm"], "no ready site 'mongolia-farm' is a plant 'wind'"),
        (["--config", "nope.toml"], "nope.toml"),
        (["--config", "simulators.toml", "--size", "3 MW"], "go with a plant; --config says its own"),
        (["--config", "simulators.toml", "--port", "0"], "go with a plant; --config says its own"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(simulate, write, arguments, told):
    write("simulators.toml", ONE_PLANT)
    refused = simulate("run", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "Tuple" not in refused.stderr
    assert "Value error" not in refused.stderr


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('transport = "tls"\ncertificate = "no.pem"\nkey = "no.key"\n', "certificate no.pem and key no.key: "),
        ('transport = "rtu"\nserial = "taken.tty"\n', "the device file taken.tty cannot be made: File exists"),
        ('transport = "rtu"\nserial = "taken.tty/bus.tty"\n', "the device file taken.tty/bus.tty cannot be made"),
    ],
)
def test_a_line_that_cannot_be_opened_is_told_in_one_line_with_its_files(simulate, write, keys, told):
    write("taken.tty", "")
    refused = simulate("run", "--config", write("simulators.toml", ONE_PLANT + keys))
    assert refused.returncode == 2
    assert told in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("ledger", ["text.sqlite", "text.sqlite/ledger.sqlite"])
def test_a_ledger_that_cannot_be_written_is_told_in_one_line(simulate, write, ledger):
    write("text.sqlite", "this is no database, and it is longer than its header of a hundred bytes would be " * 2)
    refused = simulate("run", "--config", write("simulators.toml", f'ledger = "{ledger}"\n{ONE_PLANT}'))
    assert refused.returncode == 2
    assert f"the ledger {ledger} cannot be written" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_name_that_is_nearly_that_of_a_ready_site_is_pointed_out(simulate):
    refused = simulate("run", "solar", "--site", "mongolia-airprt", "--size", "nothing")
    assert "did you mean 'mongolia-airport'?" in refused.stderr


@pytest.mark.parametrize("arguments", [["--device", "ac-bus"], ["--for", "60"], ["--project", "p"], ["--amount", "0"]])
def test_a_fault_of_no_kind_is_refused_instead_of_listing_what_there_is(simulate, arguments):
    refused = simulate("fault", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "say which fault, or --end" in refused.stderr


def test_a_span_that_ends_before_it_begins_is_refused(simulate, write):
    span = ["--from", "2025-12-03T00:00Z", "--to", "2025-12-02T00:00Z"]
    refused = simulate("backfill", "--gateway", "g.toml", "--simulators", "s.toml", *span)
    assert refused.returncode == 2
    assert "is not after --from" in refused.stderr


def test_a_score_without_a_ledger_is_refused_in_one_line(simulate, write):
    export = write("readings.csv", "time,device,measurand,value\n")
    refused = simulate("score", export, "--simulators", write("simulators.toml", ONE_PLANT))
    assert refused.returncode == 2
    assert "cannot be read: unable to open database file; `ledger` says where it is" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("yesterday,ac-bus,x,3", "readings.csv:2: time 'yesterday' is neither ISO 8601 nor milliseconds since 1970"),
        ("2026-01-01T00:00:00,ac-bus,x,3", "no offset from UTC"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_line(simulate, write, row, told):
    export = write("readings.csv", f"time,device,measurand,value\n{row}\n")
    refused = simulate("score", export, "--simulators", write("simulators.toml", ONE_PLANT))
    assert refused.returncode == 2
    assert told in refused.stderr.replace("\n", "")


def test_a_score_says_when_the_ledger_is_of_other_plants(simulate, write, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(SERVED)
    export = write("readings.csv", "time,device,measurand,value\n1766901600000,ac-bus,energy_export_total_wh,5\n")
    told = 'ledger = "ledger.sqlite"\n' + ONE_PLANT
    right = simulate("score", export, "--simulators", write("right.toml", told), "--json")
    assert (right.returncode, right.stderr) == (0, "")
    assert json.loads(right.stdout)["right"] == 1
    other = write("other.toml", told.replace("demo-solar", "other"))
    assert "has no answer of other" in simulate("score", export, "--simulators", other).stderr


def test_every_kind_is_listed_with_what_it_does_where_simulators_run(simulate, modbus_plant):
    plant = modbus_plant("solar")
    listed = simulate("fault", "--control", plant.settings.control_socket)
    assert listed.returncode == 0
    assert all(kind in listed.stdout for kind in KINDS)
    assert "no faults" in listed.stdout
