"""The end of the main job: a signed statement for a project, its bundle, and the offline check by a process of its own.

In: a layout whose journal is complete. Out: what the statement says and whether the check passed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.keys import load_signer
from registry.draft import DraftRequest, draft_statement, export_bundle
from registry.store import StatementStore
from sakugen.demo.layout import Layout
from sakugen.processes import run_to_end

_CHECK_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A statement and its bundle on disk."""

    digest: str
    bundle: Path
    document: Mapping[str, Any]
    """The statement as JSON."""


def draw_up(layout: Layout, project: str) -> Drawn:
    """Draw up and sign the statement of a project's first monitoring period, and export its bundle.

    Args:
        layout: the files; nobody else writes the statement store.
        project: the project's id.
    """
    store_file = layout.folder / "registry" / "statements.sqlite"
    request = DraftRequest(
        project_file=layout.projects[project],
        journal=layout.journal,
        keys_file=layout.keys.keys_file,
        operator=load_signer(layout.keys.operator_key),
    )
    bundle = layout.folder / "bundles" / f"{project}.zip"
    bundle.parent.mkdir(exist_ok=True)
    with StatementStore(store_file) as store:
        digest = draft_statement(request, store, SystemClock())
        export_bundle(store, JournalReader(layout.journal), digest, bundle)
        return Drawn(digest, bundle, json.loads(store.statement(digest)))


async def check(layout: Layout, drawn: Drawn) -> bool:
    """Run `sakugen verify` on a bundle in a process of its own; its report is kept beside the bundle.

    Returns:
        Whether the check passed.
    """
    arguments = ["verify", str(drawn.bundle), "--trust", str(layout.keys.keys_file), "--json"]
    status, report = await run_to_end("verify", arguments, _CHECK_WITHIN_S)
    drawn.bundle.with_suffix(".check.json").write_text(report, encoding="utf-8")
    return status == 0
