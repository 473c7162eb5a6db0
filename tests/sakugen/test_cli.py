"""The command line as a whole: what exists, what it says, how it ends."""

import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import click
import pytest
import typer.main
from pydantic import BaseModel

from sakugen.cli.config import Process, model_of, sample_of
from sakugen.cli.main import app

ROOT = Path(__file__).parents[2]
CONTRACT = """
up demo gateway:run|check|scan|plan|poll devices:list|show|test ingest:run|adopt|archive|backup quarantine:list|replay
reconcile declare compute:run|explain|warm|fleet methodologies:list|show|new-project
statement:draft|submit|opinion|export verify registry:run dashboards:build|console
simulate:run|watch|backfill|fault|score config:sample|check keys:new|enrol|revoke|bootstrap
"""


def promised_verbs() -> set[str]:
    verbs = set()
    for word in CONTRACT.split():
        group, _, parts = word.partition(":")
        verbs |= {f"{group} {part}" for part in parts.split("|")} if parts else {group}
    return verbs


def documented_verbs() -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| (there|to come) \|$", (ROOT / "docs/cli.md").read_text(), re.MULTILINE)
    return dict(rows)


def existing_commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    root = typer.main.get_command(app)
    assert hasattr(root, "commands")
    for name, command in root.commands.items():
        below = getattr(command, "commands", None)
        found |= {f"{name} {verb}": part for verb, part in below.items()} if below else {name: command}
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sakugen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


def test_every_promised_verb_is_documented() -> None:
    assert set(documented_verbs()) == promised_verbs()


def test_documented_verbs_are_there_exactly_when_the_table_says_so() -> None:
    there = {verb for verb, state in documented_verbs().items() if state == "there"}
    assert there == set(existing_commands())


@pytest.mark.parametrize("verb", sorted(existing_commands()))
def test_each_verb_explains_itself_with_an_example(verb: str) -> None:
    text = existing_commands()[verb].help or ""
    assert f"Example: sakugen {verb}" in text


def test_wrong_config_key_is_reported_with_line_and_status_two(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(run("config", "sample", "gateway").stdout.replace("key_file", "keyfile", 1))
    ended = run("config", "check", str(file))
    assert ended.returncode == 2
    assert re.search(r"gateway\.toml:\d+: keyfile", ended.stderr)
    assert "key_file" in ended.stderr


def test_config_faults_can_be_read_by_a_script(tmp_path: Path) -> None:
    file = tmp_path / "ingest.toml"
    file.write_text("shard = 7\n")
    ended = run("config", "check", str(file), "--json")
    faults = json.loads(ended.stdout)["faults"]
    assert ended.returncode == 2
    assert {"file", "line", "key", "value", "problem"} == set(faults[0])


def test_file_with_an_unclear_name_asks_what_it_is_for(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("")
    ended = run("config", "check", str(file))
    assert ended.returncode == 2
    assert "--process" in ended.stderr


@pytest.mark.parametrize("process", ["gateway", "ingest", "compute", "registry", "dashboards", "simulators", "project"])
def test_each_process_has_a_sample_that_passes_its_own_check(process: str, tmp_path: Path) -> None:
    printed = run("config", "sample", process)
    assert printed.returncode == 0
    sample = printed.stdout
    ack_key = run("keys", "new", "ingest", str(tmp_path / "ack.key")).stdout.strip()
    file = tmp_path / f"{process}.toml"
    file.write_text(sample.replace("PASTE THE PUBLIC ACK KEY OF INGEST HERE", ack_key))
    ended = run("config", "check", str(file))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_project_is_checked_against_its_methodology_too(tmp_path: Path) -> None:
    file = tmp_path / "project.toml"
    file.write_text(run("config", "sample", "project").stdout.replace('role = "generation"', 'role = "generator"'))
    ended = run("config", "check", str(file))
    assert ended.returncode == 2
    assert "project.toml:" in ended.stderr
    assert "allowed: " in ended.stderr


def keys_of(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(field.alias or name)
        for nested in nested_models(field.annotation):
            if nested not in seen:
                found |= keys_of(nested, seen | {nested})
    return found


def nested_models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in nested_models(part)]


@pytest.mark.parametrize("process", list(Process))
def test_each_sample_mentions_every_key_that_its_model_knows(process: Process) -> None:
    sample = sample_of(process)
    unmentioned = {key for key in keys_of(model_of(process)) if not re.search(rf"\b{key}\b", sample)}
    assert unmentioned <= {"anchor_s", "factor", "start"}, "only a scaled clock's keys may be left out"


def test_no_service_starts_from_a_file_with_faults(tmp_path: Path) -> None:
    file = tmp_path / "ingest.toml"
    file.write_text("unknown_key = 1\n")
    ended = run("ingest", "run", "--config", str(file))
    assert ended.returncode == 2
    assert "ready" not in ended.stdout
    assert list(tmp_path.iterdir()) == [file]
