"""`sakugen declare` on real files: what is signed, where it goes, and what is refused before anything is written."""

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from compute.declared import MODELS, load_declared
from metering import note
from metering.config import ConfigError
from metering.keys import load_signer, new_signer, save_signer
from registry.declared import folder_files, sign_declared, signed_values
from sakugen.declare import DeclareError, Proposal, given, listed, propose, toml_text, write

ROOT = Path(__file__).parents[2]
NOW_MS = 1_767_600_000_123
PROJECT = """\
id = "demo-solar"
title = "Solar plant"
jcm_reference = "MN000"
partner_country = "Mongolia"
site = "mongolia-farm"
methodology = "solar-pv"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar"
crediting_period = { start = 2025-01-01, end = 2035-01-01 }
period = [{ id = "p1", start = 2025-12-31, end = 2026-12-31 }]

[[point]]
id = "ac-bus"
role = "generation"
rated_power_w = 8_300_000

[[meter]]
point = "ac-bus"
make = "Schneider Electric"
model = "iEM3255"
serial = "23148557"
installed_from = 2025-12-01T00:00:00+08:00
accuracy_class = "0.5S"

[[parameter]]
name = "EF_RE"
value = "0.797"
unit = "tCO2/MWh"
source = "a test"
mark = "V"
"""
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs/declared.md").read_text(), re.MULTILINE | re.DOTALL)
VALUE = {
    "kind": "value",
    "id": "invoice.january",
    "option": "B",
    "what": "invoice",
    "parameter": "electricity sold",
    "from": tomllib.loads("x = 2026-01-01")["x"],
    "to": tomllib.loads("x = 2026-02-01")["x"],
    "value": "12",
    "unit": "MWh",
    "source": {"title": "invoice 7", "date": tomllib.loads("x = 2026-02-03")["x"]},
}


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "project.toml"
    path.write_text(PROJECT)
    save_signer(new_signer("demo-operator"), tmp_path / "operator.key")
    return path


def sakugen(project, *arguments):
    command = [sys.executable, "-m", "sakugen", "declare", str(project), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[tomllib.loads(text)["kind"] for text in EXAMPLES])
def test_every_example_of_the_document_can_be_declared(project, example):
    signer = load_signer(project.with_name("operator.key"))
    proposal = propose(project, tomllib.loads(example), None, signer.name, NOW_MS)
    write(proposal, signer)
    (one,) = load_declared(project.parent / "declared")
    assert one.digest == proposal.digest
    said = tomllib.loads(one.data.decode())
    assert tomllib.loads(example).items() <= said.items()
    assert (said["who"], said["when"].timestamp()) == ("demo-operator", NOW_MS // 1000)


def test_the_document_has_an_example_of_each_kind():
    assert {tomllib.loads(text)["kind"] for text in EXAMPLES} == set(MODELS)


def test_what_is_written_is_a_signed_note_of_the_operator(project):
    signer = load_signer(project.with_name("operator.key"))
    write(propose(project, VALUE, None, "A. Person", NOW_MS), signer)
    files = folder_files(project.parent / "declared")
    assert list(files) == ["0001-value-invoice-january.toml", "0001-value-invoice-january.toml.sig"]
    value, line = files.values()
    note.verify(note.split(value + b"\n" + line), signer.verifier)
    assert signed_values(files)[0].signer.startswith("demo-operator+")


def test_numbers_go_on_and_nothing_is_overwritten(project):
    signer = load_signer(project.with_name("operator.key"))
    first = propose(project, VALUE, None, "A", NOW_MS)
    write(first, signer)
    second = propose(project, VALUE | {"id": "other"}, None, "A", NOW_MS)
    assert second.path.name == "0002-value-other.toml"
    before = first.path.read_bytes()
    with pytest.raises(DeclareError, match=r"0001-value-invoice-january\.toml\.sig is there already"):
        write(Proposal(first.path, b"other = 1\n"), signer)
    assert first.path.read_bytes() == before
    assert not list(first.path.parent.glob("*.part"))


def test_a_signature_left_behind_by_a_power_cut_keeps_its_number(project):
    """Without its value it makes a draft fail, which names it; a further value must not take its place."""
    folder = project.parent / "declared"
    folder.mkdir()
    (folder / "0004-value-x.toml.sig").write_text("— a b\n")
    assert propose(project, VALUE, None, "A", NOW_MS).path.name.startswith("0005-")


def test_the_signature_is_on_disk_before_the_value(project, monkeypatch):
    order = []
    link = os.link
    monkeypatch.setattr(os, "link", lambda part, path: (order.append(Path(path).name), link(part, path)))
    write(propose(project, VALUE, None, "A", NOW_MS), load_signer(project.with_name("operator.key")))
    assert order == ["0001-value-invoice-january.toml.sig", "0001-value-invoice-january.toml"]


def test_every_file_is_on_disk_before_it_has_its_name(project, monkeypatch):
    events = []
    link, fsync = os.link, os.fsync
    monkeypatch.setattr(os, "link", lambda part, path: (events.append("link"), link(part, path)))
    monkeypatch.setattr(os, "fsync", lambda number: (events.append("fsync"), fsync(number)))
    write(propose(project, VALUE, None, "A", NOW_MS), load_signer(project.with_name("operator.key")))
    assert events == ["fsync", "link", "fsync"] * 2


def test_the_document_that_was_read_is_named_by_its_digest(project, tmp_path):
    document = tmp_path / "invoice.pdf"
    document.write_bytes(b"%PDF")
    said = tomllib.loads(propose(project, VALUE, document, "A", NOW_MS).data.decode())
    assert said["source"]["file_sha256"] == hashlib.sha256(b"%PDF").hexdigest()
    assert said["source"]["title"] == "invoice 7"
    with pytest.raises(DeclareError, match="it is the document that the value was read in"):
        propose(project, VALUE, tmp_path / "none.pdf", "A", NOW_MS)


def test_a_correction_names_the_file_that_was_wrong(project):
    signer = load_signer(project.with_name("operator.key"))
    first = propose(project, VALUE, None, "A", NOW_MS)
    write(first, signer)
    second = propose(project, VALUE | {"id": "again", "replaces": first.path.name}, None, "A", NOW_MS)
    write(second, signer)
    assert tomllib.loads(second.data.decode())["replaces"] == first.digest
    assert [row.replaced_by for row in listed(project)] == [second.path.name, None]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": 1.5}, r"0001-value-invoice-january\.toml:\d+: value = 1.5: must be"),
        ({"kind": "other"}, r"kind = 'other': "),
        ({"point": "roof"}, "point: no such point"),
        ({"bonus": "1"}, "bonus = '1': unknown key"),
        ({"replaces": "0009-value-x.toml"}, "replaces = "),
        ({"project": "other"}, "it is of another project"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(project, changes, said):
    with pytest.raises(ConfigError, match=said):
        write(propose(project, VALUE | changes, None, "A", NOW_MS), new_signer("x"))
    assert not (project.parent / "declared").exists()


def test_keys_by_option_go_before_those_of_a_prepared_file():
    prepared = {"meter": {"make": "A", "serial": "1"}, "value": "3"}
    read = given(["meter.serial=0012", "value=4.50", "passed=true", "at=2026-01-01T00:00:00Z", 'id="7"'], prepared)
    assert read["meter"] == {"make": "A", "serial": "0012"}
    assert (read["value"], read["passed"], read["id"]) == ("4.50", True, "7")
    assert read["at"].year == 2026
    assert prepared["meter"] == {"make": "A", "serial": "1"}


@pytest.mark.parametrize(("option", "said"), [("x", "must be key=value"), ("=x", "must be"), ("a.b=1", "of its own")])
def test_an_option_that_sets_nothing_is_told(option, said):
    with pytest.raises(DeclareError, match=said):
        given([option], {"a": "x"})


TEXTS = ["plain", "two\nlines", "three ''' and\nlines", "ends in '\nand '", 'a "quote"', "back\\slash", "\n", "tab\t"]


@pytest.mark.parametrize("text", [*TEXTS, "a\tb\nc", "\r\n\u0001"])
def test_whatever_a_text_holds_reads_back_the_same_and_can_be_signed(text):
    values = {
        "reason": text,
        "meter": {"make": text, "n": [True, "x"]},
        "source": {"title": text},
        "register": [{"a": 1}],
    }
    written = toml_text(values)
    assert tomllib.loads(written) == values
    sign_declared(written.encode(), new_signer("x"))


def test_the_verb_declares_lists_and_asks_nothing_in_a_script(project):
    key = project.with_name("operator.key")
    prepared = project.with_name("prepared.toml")
    prepared.write_text(EXAMPLES[0])
    done = sakugen(project, "--key", key, "--toml", prepared, "--set", "mpe_percent=0.2", "--file", prepared)
    assert done.returncode == 0, done.stderr
    assert 'mpe_percent = "0.2"' in done.stdout
    assert "0001-calibration-main-2026.toml: signed by demo-operator, SHA-256 " in done.stdout
    again = sakugen(project, "--key", key, "--toml", prepared, "--json", "--set", "id=x", "--set", "date=2026-01-01")
    told = json.loads(again.stdout)
    assert told["sha256"] == hashlib.sha256(Path(told["file"]).read_bytes()).hexdigest()
    rows = json.loads(sakugen(project, "--list", "--json").stdout)["declared"]
    assert [row["file"][:4] for row in rows] == ["0001", "0002"]
    table = sakugen(project, "--list").stdout
    assert "0001-calibration-main-2026.toml" in table.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--key is missing"),
        (["--key", "operator.key", "--toml", "none.toml"], "none.toml: No such file"),
        (["--key", "operator.key", "--toml", "operator.key"], "operator.key: "),
        (["--key", "none.key"], "none.key"),
    ],
)
def test_the_verb_says_what_is_missing_and_ends_with_two(project, arguments, said):
    full = [str(project.with_name(word)) if "." in word else word for word in arguments]
    done = sakugen(project, *full)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", "")


@pytest.mark.parametrize(("answer", "files"), [("y", 2), ("n", 0)])
def test_on_a_terminal_it_asks_before_it_signs(project, answer, files):
    prepared = project.with_name("prepared.toml")
    prepared.write_text(EXAMPLES[0])
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    command = [sys.executable, "-m", "sakugen", "declare", project, "--key", project.with_name("operator.key")]
    done = subprocess.run(
        [*map(str, command), "--toml", str(prepared)],
        stdin=theirs, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert "Sign this as demo-operator?" in done.stdout
    assert len(list(project.parent.glob("declared/*"))) == files
