"""`sakugen compute explain`: from a credited tonne down to the register words, as a tree, as text or as JSON."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.config import load_toml
from sakugen.cli import terminal
from sakugen.cli.compute import UnknownProjectError
from sakugen.cli.short_run import ends_soon

if TYPE_CHECKING:
    from rich.tree import Tree

    from compute.config import ComputeSettings
    from compute.explain import Explanation, Step

_FOLDED = 24
"""More steps below one are shown only as far as something is to be seen in them."""


def add_to(app: typer.Typer) -> None:
    """Add the verb to `sakugen compute`."""
    app.command()(explain)


def explain(
    project: Annotated[str, typer.Argument(help="The project, by id.")],
    period: Annotated[str, typer.Argument(help="The monitoring period, by id.")],
    config: Annotated[Path, typer.Option(help="Compute's TOML file.")],
    parameter: Annotated[str | None, typer.Option(help="Only this monitored parameter, with its hours.")] = None,
    point: Annotated[str | None, typer.Option(help="Only this metering point, with its hours.")] = None,
    hour: Annotated[
        str | None, typer.Option(help="An hour (project's local time, or with an offset), down to the register words.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk from whole tonnes down to raw register words; every step names its rule, its clause and its inputs.

    Example: sakugen compute explain demo-solar 2025-12-24 --config compute.toml --parameter EG --hour 2025-12-31T12:00
    """
    from compute.cache import use_cache_directory
    from compute.config import ComputeSettings

    ends_soon()
    settings = load_toml(config, ComputeSettings)
    use_cache_directory(settings.data_dir)
    found = _explained(settings, project, period, (parameter, point, hour))
    if as_json:
        from compute.explain import document

        typer.echo(json.dumps(document(found), indent=2, ensure_ascii=False))
        return
    print_explanation(found)


def print_explanation(found: "Explanation") -> None:
    """Print an explanation: a tree in a terminal, indented text elsewhere."""
    console = terminal.console()
    if console.is_terminal:
        console.print(tree_of(found))
        return
    for line in text_lines(found):
        typer.echo(line)


def _explained(
    settings: "ComputeSettings", project_id: str, period_id: str, words: tuple[str | None, str | None, str | None]
) -> "Explanation":
    from compute.declared import declared_beside
    from compute.engine import evidence_window
    from compute.explain import explain as explained
    from compute.explain import question_of
    from compute.project import load_project
    from compute.rulesets import ruleset
    from ingest.store.reader import JournalReader
    from ingest.store.readings import collect

    files = {load_project(file).id: file for file in settings.projects}
    if project_id not in files:
        raise UnknownProjectError(f"no project {project_id!r}; the configuration lists: {', '.join(files)}")
    project = load_project(files[project_id])
    period = project.period_named(period_id)
    question = question_of(project, period, *words)
    reader = JournalReader(settings.journal)

    def records(start_ms: int, end_ms: int) -> Iterable[bytes]:
        return (stored.data for stored in reader.records(project.id, start_ms, end_ms))

    window = evidence_window(project, period)
    evidence = collect(records(window.start_ms, window.end_ms), judged=True)
    declared = declared_beside(files[project_id], project.id)
    held = len(reader.held(project.id))
    return explained(project, evidence, period, ruleset(), question, records, declared=declared, held=held)


def text_lines(found: "Explanation") -> Iterator[str]:
    """Write an explanation as indented text, for files and for whoever reads with grep."""
    yield from _heading(found)
    yield from _indented(found.step, 0)


def _heading(found: "Explanation") -> Iterator[str]:
    about = found.about
    yield f"{about['project']}, {about['period']}: {about['title']}"
    yield f"{about['methodology']} {about['methodology_version']}, {about['engine']}, {about['ruleset']}"
    for why in found.blocked_by:
        yield f"not creditable: {why}"


def _indented(step: "Step", depth: int) -> Iterator[str]:
    from compute.explain import Step

    yield "  " * depth + _title(step)
    for line in _details(step):
        yield "  " * (depth + 2) + line
    for below in _shown(step):
        if isinstance(below, Step):
            yield from _indented(below, depth + 1)
        else:
            yield "  " * (depth + 1) + below


def tree_of(found: "Explanation") -> "Tree":
    """Draw an explanation as a tree, for a terminal."""
    from rich.tree import Tree

    root = Tree("\n".join(terminal.escape(line) for line in _heading(found)))
    _grow(root, found.step)
    return root


def _grow(tree: "Tree", step: "Step") -> None:
    from compute.explain import Step

    details = "\n".join(f"[dim]{terminal.escape(line)}[/]" for line in _details(step))
    branch = tree.add(f"[bold]{terminal.escape(_title(step))}[/]\n{details}")
    for below in _shown(step):
        if isinstance(below, Step):
            _grow(branch, below)
        else:
            branch.add(terminal.escape(below))


def _title(step: "Step") -> str:
    from compute.explain import pair_text

    value = "" if step.value is None else f" = {pair_text(step.value, step.unit)}"
    return f"{step.kind} {step.name}{value}"


def _details(step: "Step") -> Iterator[str]:
    from compute.explain import number_text

    yield f"{step.rule.text} ({step.rule.clause})"
    for fact in step.facts:
        value = fact.value if isinstance(fact.value, str) else number_text(fact.value)
        yield f"{fact.name}: {value}" if fact.unit in {"", "1"} else f"{fact.name}: {value} {fact.unit}"


def _shown(step: "Step") -> Iterator["Step | str"]:
    # Of many steps, or beside the one hour that was asked for, those in which something is to be seen.
    asked = step.kind == "month" and any(one.steps for one in step.steps)
    if len(step.steps) <= _FOLDED and not asked:
        yield from step.steps
        return
    told = [one for one in step.steps if one.steps or one.value is None or not one.value.exact]
    yield from told
    others = len(step.steps) - len(told)
    if others:
        yield f"and {others} more without doubt; --json prints all"
