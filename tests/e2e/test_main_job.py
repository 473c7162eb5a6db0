"""The main job with real parts, as a user runs it, and what a verifier does with what it leaves behind."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = ("demo-boiler", "demo-solar", "demo-transformers")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One short run for all tests of this file: its folder and its report."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "sakugen", "demo", "--seconds", "40", "--json", "--data-dir", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout)


def verify(bundle: Path, trust: Path | None) -> tuple[int, str]:
    roots = [] if trust is None else ["--trust", str(trust)]
    command = [sys.executable, "-m", "sakugen", "verify", str(bundle), *roots]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False)
    return ended.returncode, ended.stdout


def altered(bundle: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Copy a bundle, giving every entry to `change`; the manifest is made again, so that it is not what is noticed."""
    import hashlib

    with zipfile.ZipFile(bundle) as source:
        entries = {name: change(name, source.read(name)) for name in source.namelist()}
        infos = {info.filename: info for info in source.infolist()}
    manifest = json.loads(entries["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256(entries[name]).hexdigest()
    entries["manifest.json"] = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as copy:
        for name, content in entries.items():
            copy.writestr(infos[name], content)
    target.write_bytes(data.getvalue())
    return target


def test_every_reading_served_is_committed_once_although_broker_and_ingest_failed(
    demo: tuple[Path, dict[str, Any]],
) -> None:
    _, report = demo
    assert report["readings_served"] == report["readings_committed"] > 10_000
    assert (report["lost"], report["duplicated"]) == (0, 0)


@pytest.mark.parametrize("project", PROJECTS)
def test_each_project_has_whole_tonnes_in_two_vintages_and_never_more_than_are_true(
    project: str, demo: tuple[Path, dict[str, Any]]
) -> None:
    vintages = demo[1]["projects"][project]["vintages"]
    assert [vintage["year"] for vintage in vintages] == [2025, 2026]
    for vintage in vintages:
        assert 1 <= vintage["whole_tonnes"] <= vintage["true_tco2e"]


@pytest.mark.parametrize("project", PROJECTS)
def test_simulated_readings_are_never_creditable(project: str, demo: tuple[Path, dict[str, Any]]) -> None:
    report = demo[1]["projects"][project]
    assert not report["creditable"]
    assert any("scaled-clock" in reason for reason in report["blocked_by"])


@pytest.mark.parametrize("project", PROJECTS)
def test_statement_is_checked_offline_with_the_same_whole_tonnes(
    project: str, demo: tuple[Path, dict[str, Any]]
) -> None:
    folder, report = demo
    checked = json.loads((folder / "bundles" / f"{project}.check.json").read_text())
    stated = {str(vintage["year"]): vintage["whole_tonnes"] for vintage in report["projects"][project]["vintages"]}
    assert checked["ok"]
    assert checked["whole_tonnes"] == stated


@pytest.mark.parametrize("project", PROJECTS)
def test_each_statement_is_explained_from_the_journal_down_to_signed_records(
    project: str, demo: tuple[Path, dict[str, Any]]
) -> None:
    folder, report = demo
    arguments = ["compute", "explain", project, "2025-12-24", "--config", str(folder / "config/compute.toml")]
    command = [sys.executable, "-m", "sakugen", *arguments, "--hour", "2025-12-31T12:00", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False)
    explained = json.loads(ended.stdout)
    with zipfile.ZipFile(folder / "bundles" / f"{project}.zip") as bundle:
        statement = json.loads(bundle.read("statement.json"))
    assert explained["input_sha256"] == statement["evidence"]["input_sha256"]
    tonnes = [int(vintage["value"]["low"]) for vintage in explained["step"]["steps"]]
    assert tonnes == [vintage["whole_tonnes"] for vintage in report["projects"][project]["vintages"]]
    below = steps_of(explained["step"])
    readings = [step for step in below if step["kind"] == "reading" and step["made"] == "decoded"]
    assert readings
    assert all(step["steps"][0]["kind"] == "record" for step in readings)


def steps_of(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [step, *(below for one in step["steps"] for below in steps_of(one))]


def test_one_changed_byte_of_a_journalled_record_fails_the_check_and_is_named(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = demo

    def change(name: str, data: bytes) -> bytes:
        where = data.find(b'"kind":"readings"')
        if not name.startswith("evidence/") or where < 0:
            return data
        digit = data.index(b'"mono_ms":', where - 200) + len(b'"mono_ms":')
        flipped = b"1" if data[digit : digit + 1] != b"1" else b"2"
        return data[:digit] + flipped + data[digit + 1 :]

    bundle = altered(folder / "bundles/demo-solar.zip", tmp_path / "altered.zip", change)
    status, said = verify(bundle, folder / "keys/keys.toml")
    assert status == 1
    assert "CHECK FAILED" in said
    assert "record 2" in said or "seq 2" in said or "/2" in said


def test_one_changed_digit_of_a_parameter_fails_the_check_and_is_named(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = demo
    bundle = altered(
        folder / "bundles/demo-solar.zip",
        tmp_path / "altered.zip",
        lambda name, data: data.replace(b'"0.797"', b'"0.798"') if name == "project.toml" else data,
    )
    status, said = verify(bundle, folder / "keys/keys.toml")
    assert status == 1
    assert "0.797" in said
    assert "0.798" in said


def test_a_changed_statement_fails_the_check(demo: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, report = demo
    tonnes = report["projects"]["demo-solar"]["vintages"][0]["whole_tonnes"]
    stated = b'"whole_tonnes":%d' % tonnes
    bundle = altered(
        folder / "bundles/demo-solar.zip",
        tmp_path / "altered.zip",
        lambda name, data: (
            data.replace(stated, b'"whole_tonnes":%d' % (tonnes + 1)) if name == "statement.json" else data
        ),
    )
    status, said = verify(bundle, folder / "keys/keys.toml")
    assert status == 1
    assert "signature" in said


def test_a_check_without_trusted_keys_could_not_check_and_that_is_a_failure(
    demo: tuple[Path, dict[str, Any]],
) -> None:
    status, said = verify(demo[0] / "bundles/demo-solar.zip", None)
    assert status == 1
    assert "could-not-check operator signature" in said
