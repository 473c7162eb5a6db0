"""Crash table, the journal's rows: it comes back from an older copy, or is a new one."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from faultkit.proxy import Way
from faultkit.verdict import assert_nothing_is_lost

from gateway.outbox import Outbox
from metering import record
from metering.keys import load_signer
from metering.topics import GatewayId

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
STEPS = dict(
    re.findall(r"^```sh (\S+)\n(.+?)^```", (ROOT / "docs/backup.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
)


def test_a_journal_restored_from_an_older_copy_is_filled_again_from_the_copies_in_the_box(rig):
    rig.start()
    rig.read_on(2)
    rig.settle()
    rig.end_ingest()
    older = rig.keep_journal("older")
    rig.ingest.bring_up()
    rig.read_on(2)
    rig.restart(rig.box)
    rig.read_on(2)
    rig.settle()
    before = {row.digest for row in rig.journal.rows()}
    rig.ingest.kill()
    rig.restore_journal(older)
    assert {row.digest for row in rig.journal.rows()} < before
    rig.ingest.bring_up()
    rig.wait_until(lambda: before <= {row.digest for row in rig.journal.rows()}, 40)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert rig.journal.holes() == []


def test_whoever_follows_docs_backup_has_everything_again_without_asking_a_gateway(rig):
    rig.start()
    rig.read_on(2)
    rig.settle()
    _type(rig, STEPS["back-up"])
    rig.read_on(2)
    rig.restart(rig.box)
    rig.read_on(2)
    rig.settle()
    before = {row.digest for row in rig.journal.rows()}
    rig.ingest.kill()
    _type(rig, STEPS["restore"])
    assert {row.digest for row in rig.journal.rows()} < before
    rig.ingest.bring_up()
    rig.wait_until(lambda: before <= {row.digest for row in rig.journal.rows()}, 40)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert rig.journal.holes() == []


def test_where_the_copies_are_gone_too_a_horizon_names_the_hole_and_the_stream_goes_on(rig):
    rig.start()
    rig.read_on(2)
    rig.settle()
    rig.end_ingest()
    older = rig.keep_journal("older")
    rig.ingest.bring_up()
    rig.read_on(3)
    rig.finish()
    stream, last_seq = rig.box.book.streams()[0], rig.box.book.last_seq(rig.box.book.streams()[0])
    rig.end_ingest()
    rig.restore_journal(older)
    kept = {row.digest for row in rig.journal.rows()}
    gone = [copy for copy in rig.box.book.records() if copy.digest not in kept]
    assert gone
    _release_copies(rig)
    rig.ingest.bring_up()
    rig.revive(rig.box)
    rig.read_on(3)
    rig.finish()
    assert rig.journal.holes() == [(stream, gone[0].seq, last_seq)]
    evidence = assert_nothing_is_lost(rig, unexplained=_slots(gone))
    assert [(horizon.stream, horizon.oldest_seq) for horizon in evidence.horizons] == [(stream, last_seq + 1)]


def test_a_new_journal_lets_nothing_go_until_it_is_adopted_and_is_then_filled(rig):
    rig.start()
    rig.read_on(2)
    rig.restart(rig.box)
    rig.read_on(2)
    rig.settle()
    before = {row.digest for row in rig.journal.rows()}
    old_journal = rig.journal.journal_id()
    rig.ingest.kill()
    rig.restore_journal(None)
    rig.ingest.bring_up()
    acked, copies = rig.box.book.acked(), rig.box.book.records()
    rig.wait_until(lambda: "unknown-journal" in _faults(rig), 30)
    rig.read_on(3)
    assert rig.box.book.acked() == acked
    assert set(copies) <= set(rig.box.book.records())
    rig.adopt(old_journal)
    rig.wait_until(lambda: before <= {row.digest for row in rig.journal.rows()}, 40)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert rig.journal.holes() == []


def _type(rig, step):
    """Run what the page says, with the places of the rig."""
    command = rig.folder / "bin" / "sakugen"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sakugen "$@"\n')
    command.chmod(0o755)
    places = {
        "CONFIG": rig.folder / "ingest.toml", "DATA": rig.journal.path.parent, "BACKUP": rig.folder / "backup",
        "PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": ROOT,
    }  # fmt: skip
    environment = os.environ | {name: str(place) for name, place in places.items()}
    subprocess.run(["sh", "-eu", "-c", step], check=True, env=environment)


def _release_copies(rig):
    """What the agent does on a full disk."""
    gateway = GatewayId(rig.box.settings["site"], rig.box.settings["gateway"])
    signer = load_signer(Path(rig.box.settings["key_file"]))
    with Outbox(rig.box.book.path, gateway, signer, rig.clock) as outbox:
        assert outbox.release_copies()


def _slots(copies):
    """The slots that these records speak of, by point."""
    slots = defaultdict(set)
    for parsed in (record.parse(copy.data) for copy in copies):
        for group in parsed.groups if isinstance(parsed, record.Readings) else ():
            slots[group.group.partition("/")[0]].update(group.slots)
    return slots


def _faults(rig):
    """What the box last said is wrong."""
    said = rig.box.proxy.passages(Way.UP, "/status")
    return json.loads(said[-1].payload).get("faults", {})
